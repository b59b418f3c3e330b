-- Host names of the controllers' own, under which their pages are served, each with its certificate.

CREATE TABLE host (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    name TEXT NOT NULL,
    token TEXT NOT NULL,
    made INTEGER NOT NULL,
    verified INTEGER,
    checked INTEGER,
    missing INTEGER,
    due INTEGER NOT NULL,
    fault TEXT NOT NULL,
    revision INTEGER NOT NULL,
    order_due INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    order_fault TEXT NOT NULL,
    challenge TEXT,
    answer TEXT,
    starts INTEGER,
    ends INTEGER,
    chain BLOB,
    sealed BLOB,
    UNIQUE (controller, name)
) STRICT;
-- Anybody may claim a name; it is in force for one.
CREATE UNIQUE INDEX host_in_force ON host (name) WHERE verified IS NOT NULL;

-- The node's account with a certificate authority, by the address of its directory.
CREATE TABLE acme_account (
    directory TEXT PRIMARY KEY,
    made INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
