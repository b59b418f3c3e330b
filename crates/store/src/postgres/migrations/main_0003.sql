-- Imports: what came with a file, what waits for its provenance, and what a row said differently from its file.

CREATE TABLE batch (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    at BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    contacts BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    blocked BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    event BYTEA NOT NULL,
    sealed BYTEA NOT NULL
);
CREATE INDEX batch_of ON batch (controller, id);

CREATE TABLE quarantine (
    batch BIGINT NOT NULL,
    line BIGINT NOT NULL,
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    missing TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (batch, line)
);

-- Under the person's secret: it goes with him.
ALTER TABLE basis ADD COLUMN origin BYTEA;
