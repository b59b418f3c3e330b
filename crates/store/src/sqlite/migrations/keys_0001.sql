-- The keys database, first form. Written ahead of the main one, never after it; every value is sealed.

CREATE TABLE key (
    controller INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (controller, kind, epoch)
) STRICT;

CREATE TABLE subject_block (
    block INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
