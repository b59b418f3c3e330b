//! Statements of the spool: what is taken in, waits, is tried and ends.

use super::{queued, statements};

statements! { SPOOL:
    /// Due rows of a lane that no attempt is running for.
    DUE(5) = queued!("WHERE site = ?1 AND class = ?2 AND controller = ?3 AND due <= ?4 AND started IS NULL \
        ORDER BY due, id LIMIT ?5");
    /// Rows past their time. Ids rise with time, so `before` bounds the rows looked at; the empty text keeps the
    /// planner from walking the whole site by the lane index instead.
    EXPIRED(4) = queued!("WHERE site || '' = ?1 AND expires <= ?2 AND id < ?3 AND started IS NULL \
        ORDER BY id LIMIT ?4");

    /// The largest id given so far, in every table whose ids the application makes.
    LAST_ID(0) = "SELECT COALESCE(MAX(tops.top), 0) FROM (SELECT MAX(id) AS top FROM message \
        UNION ALL SELECT MAX(id) FROM body UNION ALL SELECT MAX(id) FROM controller \
        UNION ALL SELECT MAX(id) FROM agreement UNION ALL SELECT MAX(id) FROM instruction \
        UNION ALL SELECT MAX(id) FROM stream UNION ALL SELECT MAX(id) FROM domain \
        UNION ALL SELECT MAX(id) FROM credential) AS tops";

    /// Epochs that still wrap a body. Ids carry the time, so the bound keeps the walk to the few that are old.
    EPOCHS_USED(1) = "SELECT DISTINCT epoch FROM body WHERE id < ?1 AND epoch IS NOT NULL ORDER BY epoch";

    /// One message of one controller.
    MESSAGE(2) = "SELECT id, stream, state, accepted, event, block, slot, envelope, rule, purpose, tag FROM message \
        WHERE id = ?1 AND controller = ?2";
    /// Its attempts, when it was held, and what came back: of two at one moment, that is the later one.
    ATTEMPTS(2) = "SELECT attempt, ended, word, code, enhanced, rule, event, uncertain, transcript FROM attempt \
        WHERE message = ?1 AND controller = ?2 \
        ORDER BY ended, CASE WHEN attempt < 0 AND word <> 'held' THEN 1000000 - attempt ELSE attempt END";
}

// A row at a time, where PostgreSQL takes sets.
statements! { SPOOL_SQLITE:
    /// Takes a body in.
    BODY_INSERT(8) = "INSERT INTO body (id, refs, block, slot, epoch, place, wrapped, sealed) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    /// Takes a message in.
    MESSAGE_INSERT(19) = "INSERT INTO message (id, controller, stream, credential, agreement, instruction, domain, \
        tag, block, slot, accepted, state, rule, event, body, envelope, head, purpose, grounds) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
    /// Gives a message its place in the queue.
    QUEUE_INSERT(16) = "INSERT INTO queue (id, site, class, controller, due, stream, kind, tag, block, slot, domain, \
        body, attempts, accepted, expires, uncertain, part, purpose) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, ?13, ?14, 0, ?15, ?16)";
    /// An earlier request and its answer.
    IDEMPOTENCY(3) = "SELECT request, answer FROM idempotency WHERE controller = ?1 AND credential = ?2 AND key = ?3";
    /// Keeps an answer.
    IDEMPOTENCY_INSERT(6) = "INSERT INTO idempotency (controller, credential, key, request, made, answer) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    /// Forgets old answers, a slice at a time.
    IDEMPOTENCY_FORGET(2) = "DELETE FROM idempotency WHERE (controller, credential, key) IN \
        (SELECT old.controller, old.credential, old.key FROM idempotency AS old WHERE old.made < ?1 \
        ORDER BY old.made LIMIT ?2)";

    /// What waits, by lane.
    BACKLOG(0) = "SELECT site, class, controller, MIN(due), COUNT(*) FROM queue GROUP BY site, class, controller";
    /// Rows that were started and have no outcome.
    STARTED(2) = queued!("WHERE started IS NOT NULL AND id >= ?1 ORDER BY id LIMIT ?2");
    /// The sealed content of a message that is not yet at its end.
    CONTENT(1) = "SELECT message.envelope, message.head, body.id, body.refs, body.block, body.slot, body.epoch, \
        body.place, body.wrapped, body.sealed FROM message JOIN body ON body.id = message.body \
        WHERE message.id = ?1 AND message.head IS NOT NULL";
    /// An attempt begins, if it is the one expected.
    START(3) = "UPDATE queue SET started = ?3 WHERE id = ?1 AND attempts = ?2 - 1";

    /// Records an attempt once.
    ATTEMPT_INSERT(12) = "INSERT INTO attempt (message, attempt, controller, started, ended, word, code, enhanced, \
        rule, event, uncertain, transcript) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
        ON CONFLICT (message, attempt) DO NOTHING";
    /// An attempt that was taken for lost tells its end after all. It stays marked: it may have been sent twice.
    ATTEMPT_AMEND(10) = "UPDATE attempt SET started = ?3, ended = ?4, word = ?5, code = ?6, enhanced = ?7, rule = ?8, \
        event = ?9, uncertain = 1, transcript = ?10 WHERE message = ?1 AND attempt = ?2 AND word = 'uncertain'";
    /// Records that a message is held, under a number below zero: it is no attempt and uses none up.
    HOLD_INSERT(8) = "INSERT INTO attempt (message, attempt, controller, started, ended, word, code, enhanced, rule, \
        event, uncertain, transcript) SELECT ?1, COALESCE(MIN(held.attempt), 0) - 1, ?2, NULL, ?3, ?4, NULL, NULL, \
        ?5, ?6, ?7, ?8 FROM attempt AS held WHERE held.message = ?1 AND held.controller = ?2 AND held.attempt < 0";
    /// The message leaves the queue.
    QUEUE_DELETE(2) = "DELETE FROM queue WHERE id = ?1 AND controller = ?2";
    /// It arrived: the mailbox is not full any more.
    FAILING_CLEAR(2) = "DELETE FROM failing WHERE (controller, tag) IN (SELECT message.controller, message.tag \
        FROM message WHERE message.id = ?1 AND message.controller = ?2)";
    /// The message waits for its next attempt.
    QUEUE_WAIT(5) = "UPDATE queue SET due = ?3, attempts = ?4, started = NULL, uncertain = ?5 \
        WHERE id = ?1 AND controller = ?2";
    /// The message is held: it is asked about again later, and what waits for a human does not run out meanwhile.
    QUEUE_HOLD(5) = "UPDATE queue SET due = ?3, started = NULL, \
        expires = CASE WHEN expires < ?5 THEN ?5 ELSE expires END \
        WHERE id = ?1 AND controller = ?2 AND attempts = ?4 - 1";
    /// An attempt is recorded, but its message still waits for it: the next one gets the next number, and the
    /// receiving system may have the message.
    QUEUE_REJOIN(4) = "UPDATE queue SET due = ?3, attempts = ?4, started = NULL, uncertain = 1 \
        WHERE id = ?1 AND controller = ?2 AND attempts < ?4";
    /// GDPR Art. 5(1)(e): at its end a message keeps no header block.
    MESSAGE_FINISH(4) = "UPDATE message SET state = ?3, finished = ?4, head = NULL WHERE id = ?1 AND controller = ?2";
    /// The state of a message that waits.
    MESSAGE_WAIT(3) = "UPDATE message SET state = ?3 WHERE id = ?1 AND controller = ?2 AND state <> ?3";
    /// GDPR Art. 5(1)(e): the last message that needs a body takes it along, with its wrapped key.
    BODY_RELEASE(1) = "DELETE FROM body WHERE id = ?1 AND refs <= 1 RETURNING place";
    /// One message fewer needs the body.
    BODY_UNREF(1) = "UPDATE body SET refs = refs - 1 WHERE id = ?1 AND refs > 1";
    /// Is this the id of a body outside the rows that is referred to?
    BODY_OUTSIDE(1) = "SELECT id FROM body WHERE id = ?1 AND place = 1";
}
