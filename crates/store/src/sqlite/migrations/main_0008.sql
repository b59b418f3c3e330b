-- Explained decisions: on what an acceptance rested, and who was refused lately.

-- Kind, times and evidence of the basis, and the permission generation; empty before this was kept.
ALTER TABLE message ADD COLUMN grounds TEXT;

-- A bounded number for each controller. The person and the facts lie under his secret, or, when he has none, under
-- the controller's epoch key, which lives a few days.
CREATE TABLE refusal (
    controller INTEGER NOT NULL,
    id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    credential INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    purpose INTEGER NOT NULL,
    agreement INTEGER,
    instruction INTEGER,
    rule TEXT NOT NULL,
    tag BLOB,
    block INTEGER,
    slot INTEGER,
    epoch INTEGER,
    sealed BLOB,
    PRIMARY KEY (controller, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX refusal_of ON refusal (controller, tag);
