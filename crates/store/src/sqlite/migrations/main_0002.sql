-- Columns that several nodes need, so that the rows are the same wherever they lie. A node on SQLite is alone: it
-- holds every partition, and nobody else's start can be found.

ALTER TABLE queue ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN starter INTEGER;
ALTER TABLE ledger_inbox ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
