-- Until when one node is at it to tell a controller of a wish by mail.
ALTER TABLE wish ADD COLUMN claimed INTEGER;
