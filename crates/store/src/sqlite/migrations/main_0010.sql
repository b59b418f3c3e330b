-- How often a controller's tags were nested under a new key: 0, never.
ALTER TABLE controller ADD COLUMN tag_number INTEGER NOT NULL DEFAULT 0;

-- Tags on their way under the next key. Empty but while a key is changed: no node starts as long as a row is here. The
-- row whose old tag is empty marks the beginning.
CREATE TABLE tag_move (
    controller INTEGER NOT NULL,
    old_tag BLOB NOT NULL,
    new_tag BLOB,
    PRIMARY KEY (controller, old_tag)
) STRICT, WITHOUT ROWID;
