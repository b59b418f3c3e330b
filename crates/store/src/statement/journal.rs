//! Statements of the ledger: inbox, heads and chunks.

use super::statements;

statements! { JOURNAL:
    /// What waits, in order.
    INBOX(1) = "SELECT id, controller, entry FROM ledger_inbox ORDER BY id LIMIT ?1";
    /// The heads of all logs.
    HEADS(0) = "SELECT controller, size, frontier FROM ledger_head ORDER BY controller";
    /// Runs of a log from the one that holds an index. The inner query finds it without walking the log.
    CHUNKS(3) = "SELECT controller, first_index, entries, span FROM ledger_chunk WHERE controller = ?1 \
        AND first_index >= COALESCE((SELECT MAX(held.first_index) FROM ledger_chunk AS held \
        WHERE held.controller = ?1 AND held.first_index <= ?2), 0) \
        AND first_index + span > ?2 ORDER BY first_index LIMIT ?3";
}

// A row at a time, where PostgreSQL takes sets.
statements! { JOURNAL_SQLITE:
    /// An entry waits for its place.
    INBOX_INSERT(3) = "INSERT INTO ledger_inbox (controller, entry, part) VALUES (?1, ?2, ?3)";
    /// An entry that has its place now leaves the inbox.
    INBOX_DRAIN(1) = "DELETE FROM ledger_inbox WHERE id = ?1";
    /// Moves a head. A log only grows: no row touched means that another sequencer was here.
    HEAD_PUT(4) = "INSERT INTO ledger_head (controller, size, frontier) VALUES (?1, ?2, ?3) \
        ON CONFLICT (controller) DO UPDATE SET size = excluded.size, frontier = excluded.frontier \
        WHERE ledger_head.size = ?4";
    /// How many entries a log has.
    HEAD_SIZE(1) = "SELECT size FROM ledger_head WHERE controller = ?1";
    /// Adds a run of entries.
    CHUNK_INSERT(4) = "INSERT INTO ledger_chunk (controller, first_index, span, entries) VALUES (?1, ?2, ?3, ?4)";
}
