//! Statements of the keys database.

use super::statements;

statements! { VAULT:
    /// All sealed keys.
    KEYS(0) = "SELECT controller, kind, epoch, sealed, created FROM key ORDER BY controller, kind, epoch";
    /// Writes a key, once.
    KEY_INSERT(5) = "INSERT INTO key (controller, kind, epoch, sealed, created) VALUES (?1, ?2, ?3, ?4, ?5)";
    /// A key is sealed under another.
    KEY_REWRAP(4) = "UPDATE key SET sealed = ?4 WHERE controller = ?1 AND kind = ?2 AND epoch = ?3";
    /// Removes a key.
    KEY_DELETE(3) = "DELETE FROM key WHERE controller = ?1 AND kind = ?2 AND epoch = ?3";
}

// A row at a time, where PostgreSQL takes sets.
statements! { VAULT_SQLITE:
    /// Writes a block of 256 slots of one size.
    BLOCK_INSERT(3) = "INSERT INTO subject_block (block, controller, sealed) VALUES (?1, ?2, ?3)";
    /// One slot's bytes.
    SLOT(2) = "SELECT substr(sealed, ?2 * (length(sealed) / 256) + 1, length(sealed) / 256) FROM subject_block \
        WHERE block = ?1";
    /// The size of a block.
    BLOCK_SIZE(1) = "SELECT length(sealed) FROM subject_block WHERE block = ?1";
}
