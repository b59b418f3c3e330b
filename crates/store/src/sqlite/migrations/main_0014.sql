-- What receiving domains demand of transport security (RFC 8461), for as long as they said that it holds.

CREATE TABLE transport_policy (
    domain TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    body TEXT NOT NULL,
    fetched INTEGER NOT NULL,
    ends INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX transport_policy_ends ON transport_policy (ends);
