-- What must outlive a restore is kept in a log on another path: which log that is, and of whom it has yet to be told.
CREATE TABLE tombstone_log (
    one BIGINT NOT NULL PRIMARY KEY,
    id BYTEA NOT NULL,
    shipped BIGINT NOT NULL
);
CREATE TABLE tombstone (
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    mark BIGINT NOT NULL,
    PRIMARY KEY (controller, tag)
);
CREATE INDEX tombstone_mark ON tombstone (mark);
