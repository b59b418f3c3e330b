-- What the operator ordered for sites while nodes run, and how each node finds them.
-- A site is who takes mail for domains.
CREATE TABLE site_order (
    site TEXT COLLATE "C" PRIMARY KEY,
    connections BIGINT,
    messages BIGINT,
    per_minute BIGINT,
    per_hour BIGINT,
    stopped BIGINT NOT NULL,
    why TEXT COLLATE "C" NOT NULL,
    who TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    ends BIGINT
);
CREATE TABLE site_state (
    site TEXT COLLATE "C" NOT NULL,
    node BIGINT NOT NULL,
    domains BIGINT NOT NULL,
    waiting BIGINT NOT NULL,
    connections BIGINT NOT NULL,
    allowed BIGINT NOT NULL,
    most BIGINT NOT NULL,
    percent BIGINT NOT NULL,
    minute BIGINT,
    hour BIGINT,
    stopped BIGINT NOT NULL,
    away BIGINT,
    trouble TEXT COLLATE "C",
    troubled BIGINT,
    seen BIGINT NOT NULL,
    PRIMARY KEY (site, node)
);
