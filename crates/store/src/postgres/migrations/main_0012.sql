-- What receiving domains demand of transport security (RFC 8461), for as long as they said that it holds.

CREATE TABLE transport_policy (
    domain TEXT COLLATE "C" PRIMARY KEY,
    version TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    fetched BIGINT NOT NULL,
    ends BIGINT NOT NULL
);
CREATE INDEX transport_policy_ends ON transport_policy (ends);
