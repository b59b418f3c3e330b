-- What is kept of a password for SCRAM-SHA-256: salt, iterations, StoredKey, ServerKey (RFC 5802 §3). Credentials from
-- before have none until their next login with the password itself.
ALTER TABLE credential ADD COLUMN scram BLOB;
