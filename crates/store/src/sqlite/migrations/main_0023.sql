-- What the operator ordered for sites while nodes run, and how each node finds them.
-- A site is who takes mail for domains.
CREATE TABLE site_order (
    site TEXT PRIMARY KEY,
    connections INTEGER,
    messages INTEGER,
    per_minute INTEGER,
    per_hour INTEGER,
    stopped INTEGER NOT NULL,
    why TEXT NOT NULL,
    who TEXT NOT NULL,
    since INTEGER NOT NULL,
    ends INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE site_state (
    site TEXT NOT NULL,
    node INTEGER NOT NULL,
    domains INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    connections INTEGER NOT NULL,
    allowed INTEGER NOT NULL,
    most INTEGER NOT NULL,
    percent INTEGER NOT NULL,
    minute INTEGER,
    hour INTEGER,
    stopped INTEGER NOT NULL,
    away INTEGER,
    trouble TEXT,
    troubled INTEGER,
    seen INTEGER NOT NULL,
    PRIMARY KEY (site, node)
) STRICT, WITHOUT ROWID;
