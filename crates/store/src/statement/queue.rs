//! Statements on the queue as people look at it and order it about. Both engines run them through the general verbs, by
//! one text each. An empty site, and 0 for a stream or a message, stand for all of them.

use super::{queued, statements};

statements! { QUEUE_TEXTS:
    /// What waits, by site, class, controller and stream: the largest groups first.
    QUEUE_GROUPS(2) = "SELECT queue.site, queue.class, queue.controller, queue.stream, COUNT(*), \
        COUNT(CASE WHEN message.state = 'held' THEN 1 END), COUNT(queue.started), MIN(queue.accepted), \
        MIN(queue.due), MAX(queue.attempts) FROM queue JOIN message ON message.id = queue.id \
        WHERE ?1 = CAST(0 AS BIGINT) OR queue.controller = ?1 \
        GROUP BY queue.site, queue.class, queue.controller, queue.stream \
        ORDER BY COUNT(*) DESC, queue.site, queue.class, queue.controller, queue.stream LIMIT ?2";
    /// What became of a group last, among those of its messages that wait longest from now: the others were tried
    /// before them.
    QUEUE_LAST(5) = "SELECT ended, word, code, enhanced, rule FROM attempt WHERE controller = ?3 AND message IN \
        (SELECT waits.id FROM queue AS waits WHERE waits.site = ?1 AND waits.class = ?2 AND waits.controller = ?3 \
        AND waits.stream = ?4 ORDER BY waits.due DESC LIMIT ?5) ORDER BY ended DESC, attempt DESC LIMIT 1";
    /// What waits is due now.
    QUEUE_HURRY(6) = "UPDATE queue SET due = ?5 WHERE id IN (SELECT waits.id FROM queue AS waits \
        WHERE waits.controller = ?1 AND (?2 = '' OR waits.site = ?2) AND (?3 = CAST(0 AS BIGINT) OR waits.stream = ?3) \
        AND (?4 = CAST(0 AS BIGINT) OR waits.id = ?4) AND waits.due > ?5 AND waits.started IS NULL \
        ORDER BY waits.due, waits.id LIMIT ?6)";
    /// What an order ends: accepted up to its moment, and not under way.
    QUEUE_ENDED(7) = queued!("WHERE controller = ?1 AND (?2 = '' OR site = ?2) \
        AND (?3 = CAST(0 AS BIGINT) OR stream = ?3) AND (?4 = CAST(0 AS BIGINT) OR id = ?4) AND accepted <= ?5 \
        AND id > ?6 AND started IS NULL ORDER BY id LIMIT ?7");
    /// An order. The same again is said anew.
    QUEUE_ORDERED(8) = "INSERT INTO queue_order (controller, kind, given_by, site, stream, message, made, reason) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (controller, kind, given_by, site, stream, message) \
        DO UPDATE SET made = excluded.made, reason = excluded.reason";
    /// What is held is let go by whoever holds it.
    QUEUE_RELEASED(5) = "DELETE FROM queue_order WHERE controller = ?1 AND kind = 'hold' AND given_by = ?2 \
        AND site = ?3 AND stream = ?4 AND message = ?5";
    /// GDPR Art. 5(1)(e): what was ended is told of for a time.
    QUEUE_ORDERS_FORGET(2) = "DELETE FROM queue_order WHERE (controller, kind, given_by, site, stream, message) IN \
        (SELECT old.controller, old.kind, old.given_by, old.site, old.stream, old.message FROM queue_order AS old \
        WHERE old.kind = 'purge' AND old.made < ?1 ORDER BY old.made LIMIT ?2)";
}
