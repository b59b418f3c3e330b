-- What must outlive a restore is kept in a log on another path: which log that is, and of whom it has yet to be told.
CREATE TABLE tombstone_log (
    one INTEGER NOT NULL PRIMARY KEY,
    id BLOB NOT NULL,
    shipped INTEGER NOT NULL
) STRICT;
CREATE TABLE tombstone (
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    mark INTEGER NOT NULL,
    PRIMARY KEY (controller, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone_mark ON tombstone (mark);
