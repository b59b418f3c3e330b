-- The marketing that was accepted for a person, where its stream's terms or he himself set a bound to it.
CREATE TABLE mailed (
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    -- Each write is made from the version before it.
    version INTEGER NOT NULL,
    -- Purposes and moments, 16 octets each.
    times BLOB NOT NULL,
    ends INTEGER NOT NULL,
    PRIMARY KEY (controller, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX mailed_ends ON mailed (ends);
