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
    sealed BYTEA STORAGE PLAIN NOT NULL,
    PRIMARY KEY (block, slot)
) WITH (fillfactor = 90);

CREATE TABLE cluster (
    only BIGINT PRIMARY KEY CHECK (only = 1),
    identity BYTEA NOT NULL
);
