-- Explained decisions: on what an acceptance rested, and who was refused lately.

-- Kind, times and evidence of the basis, and the permission generation; empty before this was kept.
ALTER TABLE message ADD COLUMN grounds TEXT COLLATE "C";

-- A bounded number for each controller. The person and the facts lie under his secret, or, when he has none, under
-- the controller's epoch key, which lives a few days.
CREATE TABLE refusal (
    controller BIGINT NOT NULL,
    id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    credential BIGINT NOT NULL,
    stream BIGINT NOT NULL,
    purpose BIGINT NOT NULL,
    agreement BIGINT,
    instruction BIGINT,
    rule TEXT COLLATE "C" NOT NULL,
    tag BYTEA,
    block BIGINT,
    slot BIGINT,
    epoch BIGINT,
    sealed BYTEA,
    PRIMARY KEY (controller, id)
);
CREATE INDEX refusal_of ON refusal (controller, tag);
