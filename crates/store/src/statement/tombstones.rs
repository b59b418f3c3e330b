//! Statements of what must outlive a restore. Both engines run them through the general verbs.

use super::statements;

statements! { TOMBSTONE_TEXTS:
    /// The log that is kept, and how far what was written to it is known to be there.
    TOMBSTONE_LOG(0) = "SELECT id, shipped FROM tombstone_log";
    /// A log is kept from now on, unless one is.
    TOMBSTONE_LOG_BEGIN(1) = "INSERT INTO tombstone_log (one, id, shipped) VALUES (1, ?1, 0) \
        ON CONFLICT (one) DO NOTHING";
    /// None is kept any more.
    TOMBSTONE_LOG_END(0) = "DELETE FROM tombstone_log";
    /// The log is durable up to a record.
    TOMBSTONE_LOG_SHIPPED(1) = "UPDATE tombstone_log SET shipped = ?1 WHERE shipped < ?1";
    /// What stands of a person has to go into the log.
    TOMBSTONE_MARK(3) = "INSERT INTO tombstone (controller, tag, mark) VALUES (?1, ?2, ?3) \
        ON CONFLICT (controller, tag) DO UPDATE SET mark = excluded.mark";
    /// Of whom, the oldest first.
    TOMBSTONE_MARKS(1) = "SELECT controller, tag, mark FROM tombstone ORDER BY mark LIMIT ?1";
    /// It is there, unless he decided anew meanwhile.
    TOMBSTONE_UNMARK(3) = "DELETE FROM tombstone WHERE controller = ?1 AND tag = ?2 AND mark = ?3";
    /// Of nobody.
    TOMBSTONE_UNMARK_ALL(0) = "DELETE FROM tombstone";
    /// What waited when a copy was made may have been sent since: it is marked so in the timeline when it is sent.
    QUEUE_UNCERTAIN(0) = "UPDATE queue SET uncertain = 1";
}
