-- How far a copy into this store has come, table by table. A node does not start on one that is not finished.

CREATE TABLE copy_state (
    name TEXT NOT NULL PRIMARY KEY,
    source BLOB NOT NULL,
    copied INTEGER NOT NULL,
    last BLOB,
    stage INTEGER NOT NULL
) STRICT;
