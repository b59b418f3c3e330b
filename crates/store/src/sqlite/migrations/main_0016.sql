-- What a credential may do, what it is for (sealed under the controller's key), and when it was made.
ALTER TABLE credential ADD COLUMN scopes TEXT NOT NULL DEFAULT 'smtp,api';
ALTER TABLE credential ADD COLUMN note BLOB;
ALTER TABLE credential ADD COLUMN made INTEGER;
