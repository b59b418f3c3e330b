//! Statements of what comes back: return paths, late reports, mailboxes that stay full. Both engines run them through
//! the general verbs.

use super::statements;

statements! { FEEDBACK:
    /// Where a domain's failures return from now on.
    DOMAIN_RETURN_PATH(3) = "UPDATE domain SET return_path = ?3 WHERE controller = ?1 AND id = ?2 \
        AND verified IS NOT NULL";

    /// A line in the timeline that is no attempt, under a number below zero; each word once.
    REPORT_INSERT(8) = "INSERT INTO attempt (message, attempt, controller, started, ended, word, code, enhanced, rule, \
        event, uncertain, transcript) SELECT message.id, (SELECT COALESCE(MIN(earlier.attempt), 0) - 1 \
        FROM attempt AS earlier WHERE earlier.message = ?1 AND earlier.attempt < 0), message.controller, NULL, ?3, ?4, \
        ?5, ?6, NULL, ?7, 0, ?8 FROM message WHERE message.id = ?1 AND message.controller = ?2 \
        AND NOT EXISTS (SELECT 1 FROM attempt AS said WHERE said.message = ?1 AND said.attempt < 0 AND said.word = ?4)";
    /// What had arrived came back.
    MESSAGE_RETURNED(2) = "UPDATE message SET state = 'bounced' WHERE id = ?1 AND controller = ?2 \
        AND state = 'delivered'";

    /// A mailbox refuses for its state: counted from anew after a long time, and once in a day.
    FAILING_COUNT(5) = "INSERT INTO failing (controller, tag, times, since, latest) VALUES (?1, ?2, 1, ?3, ?3) \
        ON CONFLICT (controller, tag) DO UPDATE SET \
        times = CASE WHEN failing.latest < ?4 THEN 1 ELSE failing.times + 1 END, \
        since = CASE WHEN failing.latest < ?4 THEN excluded.since ELSE failing.since END, \
        latest = excluded.latest WHERE failing.latest <= ?5";
    /// How often it did, and since when.
    FAILING(2) = "SELECT times, since, latest FROM failing WHERE controller = ?1 AND tag = ?2";
    /// Mailboxes that nobody counts any more, a slice at a time.
    FAILING_FORGET(2) = "DELETE FROM failing WHERE (controller, tag) IN (SELECT old.controller, old.tag FROM failing \
        AS old WHERE old.latest <= ?1 ORDER BY old.latest LIMIT ?2)";
}
