-- What else the person's own page asked for; nothing where a form asked.
ALTER TABLE confirmation ADD COLUMN back TEXT COLLATE "C";
