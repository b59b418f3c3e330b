-- Since when nothing may speak of a person any more: he is forgotten, with his secret, when nothing does. 0 while that
-- is being done.
ALTER TABLE subject ADD COLUMN leaving BIGINT;
CREATE INDEX subject_leaving ON subject (leaving, controller, tag) WHERE leaving IS NOT NULL;
CREATE INDEX wish_by ON wish (controller, tag);
CREATE INDEX quarantine_by ON quarantine (controller, tag);
