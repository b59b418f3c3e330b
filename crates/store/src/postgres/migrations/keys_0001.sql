-- The keys database on PostgreSQL, first form. Written ahead of the main one, never after it; every value is sealed.

CREATE TABLE key (
    controller BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (controller, kind, epoch)
);

-- A row a slot: destroying one writes that one anew, and not the whole block; nothing lies in a side table.
CREATE TABLE subject_block (
    block BIGINT NOT NULL,
    controller BIGINT NOT NULL,
    slot BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (block, slot)
) WITH (fillfactor = 90);
ALTER TABLE subject_block ALTER COLUMN sealed SET STORAGE PLAIN;

CREATE TABLE cluster (
    single BIGINT PRIMARY KEY CHECK (single = 1),
    identity BYTEA NOT NULL
);

-- How far a copy into this store has come, table by table. A node does not start on one that is not finished.
CREATE TABLE copy_state (
    name TEXT COLLATE "C" PRIMARY KEY,
    source BYTEA NOT NULL,
    copied BIGINT NOT NULL,
    last BYTEA,
    stage BIGINT NOT NULL
);
