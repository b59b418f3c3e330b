-- What comes back: the name to which a domain's failures return, and mailboxes that are full again and again.

-- Set once DNS leads the name to this platform; without it a message leaves with its sender's own return path.
ALTER TABLE domain ADD COLUMN return_path TEXT;

CREATE TABLE failing (
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    times INTEGER NOT NULL,
    since INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    PRIMARY KEY (controller, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX failing_latest ON failing (latest);
