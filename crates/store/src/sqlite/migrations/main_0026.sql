-- GDPR Art. 14(3): until when the people of an import must have been informed whose data came from somebody else (a
-- basis says it of its own person), and what the controller says of it. Of imports before nothing is said.
ALTER TABLE basis ADD COLUMN inform INTEGER;
ALTER TABLE batch ADD COLUMN inform INTEGER;
ALTER TABLE batch ADD COLUMN informed INTEGER;
ALTER TABLE batch ADD COLUMN information BLOB;
