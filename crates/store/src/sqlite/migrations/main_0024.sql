-- What somebody ordered for what waits: held until it is taken back, or ended. An empty site, and 0 for a stream or a
-- message, stand for all of them.
CREATE TABLE queue_order (
    controller INTEGER NOT NULL,
    kind TEXT NOT NULL,
    given_by TEXT NOT NULL,
    site TEXT NOT NULL,
    stream INTEGER NOT NULL,
    message INTEGER NOT NULL,
    made INTEGER NOT NULL,
    reason BLOB NOT NULL,
    PRIMARY KEY (controller, kind, given_by, site, stream, message)
) STRICT, WITHOUT ROWID;
