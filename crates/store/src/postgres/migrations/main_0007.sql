-- Host names of the controllers' own, under which their pages are served, each with its certificate.

CREATE TABLE host (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    token TEXT COLLATE "C" NOT NULL,
    made BIGINT NOT NULL,
    verified BIGINT,
    checked BIGINT,
    missing BIGINT,
    due BIGINT NOT NULL,
    fault TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    order_due BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    order_fault TEXT COLLATE "C" NOT NULL,
    challenge TEXT COLLATE "C",
    answer TEXT COLLATE "C",
    starts BIGINT,
    ends BIGINT,
    chain BYTEA,
    sealed BYTEA,
    UNIQUE (controller, name)
);
-- Anybody may claim a name; it is in force for one.
CREATE UNIQUE INDEX host_in_force ON host (name) WHERE verified IS NOT NULL;

-- The node's account with a certificate authority, by the address of its directory.
CREATE TABLE acme_account (
    directory TEXT COLLATE "C" PRIMARY KEY,
    made BIGINT NOT NULL,
    sealed BYTEA NOT NULL
);
