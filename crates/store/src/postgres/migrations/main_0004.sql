-- Agreements and instructions as signed documents: which side moved an agreement last, and the hash that an
-- instruction's entry in the ledger is about.
ALTER TABLE agreement ADD COLUMN moved_by TEXT COLLATE "C";
ALTER TABLE instruction ADD COLUMN document BYTEA;

-- The name by which people know a controller, which its account's name need not be.
ALTER TABLE controller ADD COLUMN shown TEXT COLLATE "C";
