-- Imports: what came with a file, what waits for its provenance, and what a row said differently from its file.

CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    contacts INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    hash BLOB NOT NULL,
    event BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX batch_of ON batch (controller, id);

CREATE TABLE quarantine (
    batch INTEGER NOT NULL,
    line INTEGER NOT NULL,
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    missing TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (batch, line)
) STRICT, WITHOUT ROWID;

-- Under the person's secret: it goes with him.
ALTER TABLE basis ADD COLUMN origin BLOB;
