-- What comes back: the name to which a domain's failures return, and mailboxes that are full again and again.

-- Set once DNS leads the name to this platform; without it a message leaves with its sender's own return path.
ALTER TABLE domain ADD COLUMN return_path TEXT COLLATE "C";

CREATE TABLE failing (
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    times BIGINT NOT NULL,
    since BIGINT NOT NULL,
    latest BIGINT NOT NULL,
    PRIMARY KEY (controller, tag)
);
CREATE INDEX failing_latest ON failing (latest);
