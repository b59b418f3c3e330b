//! Statements of explained decisions: what a message rested on, and the log of refusals. Both engines run them through
//! the general verbs, by one text each.

use super::statements;

statements! { DECISIONS:
    /// What is recorded of the decision that took a message in.
    DECIDED(2) = "SELECT stream, purpose, agreement, instruction, tag, block, slot, accepted, state, rule, event, \
        envelope, grounds FROM message WHERE id = ?2 AND controller = ?1";
    /// When the gate was asked about it since, and what came of that.
    DECIDED_AGAIN(2) = "SELECT attempt, started, ended, word, rule, event FROM attempt \
        WHERE message = ?2 AND controller = ?1 ORDER BY ended, attempt";
    /// Which version of the agreement that was.
    AGREEMENT_VERSION(2) = "SELECT version, state, starts, ends FROM agreement WHERE controller = ?1 AND id = ?2";
    /// Which version of the instruction that was.
    INSTRUCTION_VERSION(2) = "SELECT version, state, starts FROM instruction WHERE controller = ?1 AND id = ?2";
    /// Since when a person's data are only stored, or gone.
    RESTRICTED_SINCE(2) = "SELECT kind, since FROM restriction WHERE controller = ?1 AND tag = ?2";

    /// A refusal is kept. The same again is as good as once.
    REFUSAL_INSERT(14) = "INSERT INTO refusal (controller, id, at, credential, stream, purpose, agreement, \
        instruction, rule, tag, block, slot, epoch, sealed) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT (controller, id) DO NOTHING";
    /// GDPR Art. 5(1)(c): so many of a controller are kept, the newest.
    REFUSALS_TRIM(2) = "DELETE FROM refusal WHERE controller = ?1 AND id <= (SELECT older.id FROM refusal AS older \
        WHERE older.controller = ?1 ORDER BY older.id DESC LIMIT 1 OFFSET ?2)";
    /// GDPR Art. 5(1)(e): and for so long. Ids carry the time.
    REFUSALS_FORGET(2) = "DELETE FROM refusal WHERE controller = ?1 AND id < ?2";
    /// GDPR Art. 17: those of a person who is erased.
    REFUSALS_ERASE(2) = "DELETE FROM refusal WHERE controller = ?1 AND tag = ?2";
    /// One of them.
    REFUSAL(2) = "SELECT id, at, stream, purpose, agreement, instruction, rule, tag, block, slot, epoch, sealed \
        FROM refusal WHERE controller = ?1 AND id = ?2";
    /// Those of one person, newest first.
    REFUSALS_OF(3) = "SELECT id, at, stream, purpose, agreement, instruction, rule, tag, block, slot, epoch, sealed \
        FROM refusal WHERE controller = ?1 AND tag = ?2 ORDER BY id DESC LIMIT ?3";
}
