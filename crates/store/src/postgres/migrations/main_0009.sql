-- When one side moved an agreement from one state to another last.
ALTER TABLE agreement ADD COLUMN moved BIGINT;
