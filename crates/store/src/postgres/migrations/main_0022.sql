-- What somebody ordered for what waits: held until it is taken back, or ended. An empty site, and 0 for a stream or a
-- message, stand for all of them.
CREATE TABLE queue_order (
    controller BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    given_by TEXT COLLATE "C" NOT NULL,
    site TEXT COLLATE "C" NOT NULL,
    stream BIGINT NOT NULL,
    message BIGINT NOT NULL,
    made BIGINT NOT NULL,
    reason BYTEA NOT NULL,
    PRIMARY KEY (controller, kind, given_by, site, stream, message)
);
