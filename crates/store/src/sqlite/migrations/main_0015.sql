-- A host name that was in force and is no more is served for a while longer: links in mail that was sent lead there.
ALTER TABLE host ADD COLUMN retired INTEGER;
