-- What a credential may do, what it is for (sealed under the controller's key), and when it was made.
ALTER TABLE credential ADD COLUMN scopes TEXT COLLATE "C" NOT NULL DEFAULT 'smtp,api';
ALTER TABLE credential ADD COLUMN note BYTEA;
ALTER TABLE credential ADD COLUMN made BIGINT;
