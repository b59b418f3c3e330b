-- The marketing that was accepted for a person, where its stream's terms or he himself set a bound to it.

CREATE TABLE mailed (
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    -- Each write is made from the version before it.
    version BIGINT NOT NULL,
    -- Purposes and moments, 16 octets each.
    times BYTEA NOT NULL,
    ends BIGINT NOT NULL,
    PRIMARY KEY (controller, tag)
);
CREATE INDEX mailed_ends ON mailed (ends);
