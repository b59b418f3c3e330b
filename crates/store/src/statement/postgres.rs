//! Texts that PostgreSQL alone understands: sets (`UNNEST`) where SQLite runs a prepared text in a loop.
//!
//! Invariants: a batch takes the same number of statements however many rows it has; each array of a statement is as
//! long as the others; rows are sorted by their keys before they come here, so that two batches never wait for each
//! other in a ring; every table is reached by its keys (connections are set to plan no other way: a plan made while
//! the tables were empty is kept for long after they are full).

use super::{queued, statements, suppress};

statements! { POSTGRES:
    /// Acceptances hold this lock together; an erasure holds the one below alone. Locks on tables are given in the
    /// order in which they are asked for, so neither waits for ever. (A shared lock on a row lets later sharers pass
    /// those who wait to change it: a wish then waits for seconds beside a busy sender.)
    INTAKE_SHARE(0) = "LOCK TABLE cluster IN ROW SHARE MODE";
    /// GDPR Art. 17: an erasure waits for the acceptances that are under way, and those that follow wait for it.
    INTAKE_ALONE(0) = "LOCK TABLE cluster IN EXCLUSIVE MODE";
    /// Keeps answers. No row for one whose key is there already, that day or the day before.
    IDEMPOTENCY_KEEP(8) = "INSERT INTO idempotency (controller, credential, key, request, made, answer, day) SELECT \
        wanted.controller, wanted.credential, wanted.key, wanted.request, wanted.made, wanted.answer, wanted.day FROM \
        UNNEST(?1::BIGINT[], ?2::BIGINT[], ?3::BYTEA[], ?4::BYTEA[], ?5::BIGINT[], ?6::BYTEA[], ?7::BIGINT[], \
        ?8::BIGINT[]) AS wanted (controller, credential, key, request, made, answer, day, before) WHERE NOT EXISTS \
        (SELECT 1 FROM idempotency AS kept WHERE kept.controller = wanted.controller AND kept.credential = \
        wanted.credential AND kept.key = wanted.key AND kept.day = wanted.before) ON CONFLICT (controller, \
        credential, key, day) DO NOTHING";
    /// An earlier request and its answer. A guard row under the day before never hides the row that holds the answer.
    IDEMPOTENCY_NEWEST(3) = "SELECT request, answer FROM idempotency WHERE controller = ?1 AND credential = ?2 AND \
        key = ?3 ORDER BY day DESC LIMIT 1";
    /// Forgets old answers that came when their day's partition was not there; the others go with theirs. Answers how
    /// many, guard rows not counted.
    IDEMPOTENCY_FORGET_REST(1) = "WITH forgotten AS (DELETE FROM idempotency_rest WHERE made < ?1 RETURNING made, day) \
        SELECT COUNT(*) FROM forgotten WHERE forgotten.day = forgotten.made / 86400000000";
    /// Persons get secrets. No row for one who has another already; the same one again is as good as new.
    SUBJECTS_KEEP(5) = "INSERT INTO subject (controller, tag, block, slot, normaliser) SELECT wanted.controller, \
        wanted.tag, wanted.block, wanted.slot, wanted.normaliser FROM UNNEST(?1::BIGINT[], ?2::BYTEA[], ?3::BIGINT[], \
        ?4::BIGINT[], ?5::BIGINT[]) AS wanted (controller, tag, block, slot, normaliser) \
        ON CONFLICT (controller, tag) DO UPDATE SET slot = subject.slot \
        WHERE subject.block = excluded.block AND subject.slot = excluded.slot";
    /// Where an import stands; nobody undoes it until the transaction ends.
    BATCH_HELD(2) = "SELECT state FROM batch WHERE controller = ?1 AND id = ?2 FOR SHARE";
    /// Secrets of persons, whether their addresses are kept, and since when nothing may speak of them any more.
    SUBJECTS_KEPT(2) = "SELECT asked.number, subject.block, subject.slot, \
        CAST(subject.address IS NOT NULL AS INTEGER)::BIGINT, subject.leaving FROM UNNEST(?2::BYTEA[]) WITH ORDINALITY \
        AS asked (tag, number) JOIN subject ON subject.controller = ?1 AND subject.tag = asked.tag";
    /// Wishes and restrictions of persons who come with an import.
    STANDING_OF(2) = "SELECT asked.number, restriction.kind, suppression.scope, suppression.reason, suppression.ends \
        FROM UNNEST(?2::BYTEA[]) WITH ORDINALITY AS asked (tag, number) LEFT JOIN restriction \
        ON restriction.controller = ?1 AND restriction.tag = asked.tag LEFT JOIN suppression \
        ON suppression.controller = ?1 AND suppression.tag = asked.tag";
    /// Persons come with an import, or their addresses do. No row for one who has another secret by now.
    SUBJECTS_IMPORT(7) = "INSERT INTO subject (controller, tag, block, slot, normaliser, address, batch) SELECT \
        ?1, wanted.tag, wanted.block, wanted.slot, ?2, wanted.address, wanted.batch FROM UNNEST(?3::BYTEA[], \
        ?4::BIGINT[], ?5::BIGINT[], ?6::BYTEA[], ?7::BIGINT[]) AS wanted (tag, block, slot, address, batch) \
        ON CONFLICT (controller, tag) DO UPDATE \
        SET batch = CASE WHEN subject.address IS NULL THEN excluded.batch ELSE subject.batch END, \
        address = COALESCE(subject.address, excluded.address) \
        WHERE subject.block = excluded.block AND subject.slot = excluded.slot RETURNING tag";
    /// Bases come with an import, where there are none. What is recorded already stands before what a file says.
    BASES_IMPORT(11) = "INSERT INTO basis (controller, batch, tag, purpose, kind, given, confirmed, evidence, notice, \
        origin, inform) SELECT ?1, ?2, wanted.tag, wanted.purpose, wanted.kind, wanted.given, wanted.confirmed, \
        wanted.evidence, wanted.notice, wanted.origin, wanted.inform FROM UNNEST(?3::BYTEA[], ?4::BIGINT[], \
        ?5::TEXT[], ?6::BIGINT[], ?7::BIGINT[], ?8::TEXT[], ?9::BIGINT[], ?10::BYTEA[], ?11::BIGINT[]) AS wanted (tag, \
        purpose, kind, given, confirmed, evidence, notice, origin, inform) \
        ON CONFLICT (controller, tag, purpose) DO NOTHING RETURNING tag";
    /// Rows wait for their provenance.
    QUARANTINES_IMPORT(6) = "INSERT INTO quarantine (batch, controller, line, tag, missing, sealed) SELECT ?1, ?2, \
        UNNEST(?3::BIGINT[]), UNNEST(?4::BYTEA[]), UNNEST(?5::TEXT[]), UNNEST(?6::BYTEA[]) \
        ON CONFLICT (batch, line) DO NOTHING";
    /// How many of these persons were erased.
    ERASED_AMONG(2) = "SELECT COUNT(*) FROM UNNEST(?1::BIGINT[], ?2::BYTEA[]) AS person (controller, tag) JOIN \
        restriction ON restriction.controller = person.controller AND restriction.tag = person.tag WHERE \
        restriction.kind = 'erased'";
    /// Counts what is accepted for persons. No row for one of whom it is not the version it was made from.
    MAILED_KEEP(5) = "INSERT INTO mailed (controller, tag, version, times, ends) SELECT UNNEST(?1::BIGINT[]), \
        UNNEST(?2::BYTEA[]), UNNEST(?3::BIGINT[]), UNNEST(?4::BYTEA[]), UNNEST(?5::BIGINT[]) \
        ON CONFLICT (controller, tag) DO UPDATE SET version = excluded.version, times = excluded.times, \
        ends = excluded.ends WHERE mailed.version = excluded.version - 1";
    /// Takes from allowances, each with its own bound. No row for one that has not enough left.
    QUOTAS_TAKE(4) = "INSERT INTO quota (controller, day, used) SELECT wanted.controller, wanted.day, wanted.taken \
        FROM UNNEST(?1::BIGINT[], ?2::BIGINT[], ?3::BIGINT[]) AS wanted (controller, day, taken) ON CONFLICT \
        (controller, day) DO UPDATE SET used = quota.used + excluded.used WHERE quota.used + excluded.used <= (SELECT \
        bound.allowed FROM UNNEST(?1::BIGINT[], ?2::BIGINT[], ?4::BIGINT[]) AS bound (controller, day, allowed) WHERE \
        bound.controller = quota.controller AND bound.day = quota.day) RETURNING controller, day, used";
    /// Gives the unused part of a grant back.
    QUOTA_GIVE(3) = "UPDATE quota SET used = used - ?3 WHERE controller = ?1 AND day = ?2 AND used >= ?3";
    /// Takes bodies in.
    BODIES_INSERT(8) = "INSERT INTO body (id, refs, block, slot, epoch, place, wrapped, sealed) SELECT \
        UNNEST(?1::BIGINT[]), UNNEST(?2::BIGINT[]), UNNEST(?3::BIGINT[]), UNNEST(?4::BIGINT[]), UNNEST(?5::BIGINT[]), \
        UNNEST(?6::BIGINT[]), UNNEST(?7::BYTEA[]), UNNEST(?8::BYTEA[])";
    /// Takes messages in.
    MESSAGES_INSERT(19) = "INSERT INTO message (id, controller, stream, credential, agreement, instruction, domain, \
        tag, block, slot, accepted, state, rule, event, body, envelope, head, purpose, grounds) SELECT \
        UNNEST(?1::BIGINT[]), \
        UNNEST(?2::BIGINT[]), UNNEST(?3::BIGINT[]), UNNEST(?4::BIGINT[]), UNNEST(?5::BIGINT[]), UNNEST(?6::BIGINT[]), \
        UNNEST(?7::BIGINT[]), UNNEST(?8::BYTEA[]), UNNEST(?9::BIGINT[]), UNNEST(?10::BIGINT[]), \
        UNNEST(?11::BIGINT[]), UNNEST(?12::TEXT[]), UNNEST(?13::TEXT[]), UNNEST(?14::BYTEA[]), UNNEST(?15::BIGINT[]), \
        UNNEST(?16::BYTEA[]), UNNEST(?17::BYTEA[]), UNNEST(?18::BIGINT[]), \
        UNNEST(?19::TEXT[])";
    /// Gives messages their places in the queue.
    QUEUES_INSERT(16) = "INSERT INTO queue (id, site, class, controller, due, stream, kind, tag, block, slot, domain, \
        body, attempts, accepted, expires, uncertain, part, purpose) SELECT UNNEST(?1::BIGINT[]), UNNEST(?2::TEXT[]), \
        UNNEST(?3::BIGINT[]), UNNEST(?4::BIGINT[]), UNNEST(?5::BIGINT[]), UNNEST(?6::BIGINT[]), UNNEST(?7::TEXT[]), \
        UNNEST(?8::BYTEA[]), UNNEST(?9::BIGINT[]), UNNEST(?10::BIGINT[]), UNNEST(?11::BIGINT[]), \
        UNNEST(?12::BIGINT[]), 0, UNNEST(?13::BIGINT[]), UNNEST(?14::BIGINT[]), 0, UNNEST(?15::BIGINT[]), \
        UNNEST(?16::BIGINT[])";
    /// Entries wait for their places. Always the last statement of its transaction: an entry's number is taken after
    /// everything that it rests on was read.
    INBOX_INSERT_ALL(3) = "INSERT INTO ledger_inbox (controller, entry, part) SELECT UNNEST(?1::BIGINT[]), \
        UNNEST(?2::BYTEA[]), UNNEST(?3::BIGINT[])";
    /// Is this the very acceptance that was tried before, and kept?
    ACCEPTED(2) = "SELECT id FROM message WHERE id = ?1 AND event = ?2";

    /// Attempts begin, each if it is the one expected, nobody else began it, and the partition is held under that
    /// epoch. Beside each the controller's permission generation.
    STARTS(6) = "UPDATE queue SET started = begun.at, starter = ?6 FROM UNNEST(?1::BIGINT[], ?2::BIGINT[], \
        ?3::BIGINT[], ?4::BIGINT[], ?5::BIGINT[]) AS begun (id, attempt, at, part, epoch) \
        WHERE queue.id = begun.id AND queue.attempts = begun.attempt - 1 AND queue.part = begun.part \
        AND (queue.started IS NULL OR queue.starter = ?6) AND (SELECT lease.owner FROM lease WHERE lease.kind = 1 \
        AND lease.part = begun.part AND lease.epoch = begun.epoch) = ?6 RETURNING queue.id, begun.attempt, \
        (SELECT generation.value FROM generation WHERE generation.controller = queue.controller)";

    /// Permission generations rise.
    GENERATIONS_RAISE(1) = "INSERT INTO generation (controller, value) SELECT UNNEST(?1::BIGINT[]), 1 ON CONFLICT \
        (controller) DO UPDATE SET value = generation.value + 1";
    /// Records attempts, each once. Answers the messages of those that were not recorded before.
    ATTEMPTS_INSERT(12) = "INSERT INTO attempt (message, attempt, controller, started, ended, word, code, enhanced, \
        rule, event, uncertain, transcript) SELECT UNNEST(?1::BIGINT[]), UNNEST(?2::BIGINT[]), UNNEST(?3::BIGINT[]), \
        UNNEST(?4::BIGINT[]), UNNEST(?5::BIGINT[]), UNNEST(?6::TEXT[]), UNNEST(?7::BIGINT[]), UNNEST(?8::TEXT[]), \
        UNNEST(?9::TEXT[]), UNNEST(?10::BYTEA[]), UNNEST(?11::BIGINT[]), UNNEST(?12::BYTEA[]) ON CONFLICT (message, \
        attempt) DO NOTHING RETURNING message";
    /// Attempts that were taken for lost tell their ends after all. They stay marked: sent twice, perhaps.
    ATTEMPTS_AMEND(10) = "UPDATE attempt SET started = late.started, ended = late.ended, word = late.word, code = \
        late.code, enhanced = late.enhanced, rule = late.rule, event = late.event, uncertain = 1, transcript = \
        late.transcript FROM UNNEST(?1::BIGINT[], ?2::BIGINT[], ?3::BIGINT[], ?4::BIGINT[], ?5::TEXT[], ?6::BIGINT[], \
        ?7::TEXT[], ?8::TEXT[], ?9::BYTEA[], ?10::BYTEA[]) AS late (message, attempt, started, ended, word, code, \
        enhanced, rule, event, transcript) WHERE attempt.message = late.message AND attempt.attempt = late.attempt \
        AND attempt.word = 'uncertain' RETURNING attempt.message";
    /// Attempts are recorded, but their messages still wait for them. See `QUEUE_REJOIN`.
    QUEUES_REJOIN(4) = "UPDATE queue SET due = late.due, attempts = late.attempt, started = NULL, uncertain = 1 FROM \
        UNNEST(?1::BIGINT[], ?2::BIGINT[], ?3::BIGINT[], ?4::BIGINT[]) AS late (id, controller, due, attempt) WHERE \
        queue.id = late.id AND queue.controller = late.controller AND queue.attempts < late.attempt";
    /// Messages end: they leave the queue, keep no header block (GDPR Art. 5(1)(e)), and take along the bodies that
    /// nobody else needs; a mailbox that took one is not failing any more. Answers the bodies of those that had not
    /// ended before, and then the bodies that went, with their places.
    MESSAGES_END(5) = "WITH told AS (SELECT * FROM UNNEST(?1::BIGINT[], ?2::BIGINT[], ?3::TEXT[], ?4::BIGINT[], \
        ?5::BIGINT[]) AS told (id, controller, state, at, body)), gone AS (DELETE FROM queue USING told WHERE \
        queue.id = told.id AND queue.controller = told.controller RETURNING told.id, told.controller, told.state, \
        told.at, told.body, queue.tag), recovered AS (DELETE FROM failing USING gone WHERE gone.state = 'delivered' \
        AND failing.controller = gone.controller AND failing.tag = gone.tag), finished AS (UPDATE message SET state = \
        gone.state, finished = gone.at, head = NULL FROM gone WHERE message.id = gone.id AND message.controller \
        = gone.controller), freed AS (DELETE FROM body USING \
        (SELECT gone.body, COUNT(*) AS users FROM gone GROUP BY gone.body) AS given WHERE body.id = given.body AND \
        body.refs <= given.users RETURNING body.id, body.place) SELECT gone.body, NULL::BIGINT FROM gone UNION ALL \
        SELECT freed.id, freed.place FROM freed";
    /// Fewer messages need these bodies.
    BODIES_UNREF(2) = "UPDATE body SET refs = body.refs - given.users FROM UNNEST(?1::BIGINT[], ?2::BIGINT[]) AS \
        given (id, users) WHERE body.id = given.id RETURNING body.id, body.refs";
    /// Bodies that nobody needs any more go, with their wrapped keys.
    BODIES_RELEASE(1) = "DELETE FROM body WHERE id = ANY(?1::BIGINT[]) AND refs <= 0 RETURNING id, place";
    /// Messages wait for their next attempts.
    MESSAGES_DEFER(5) = "WITH waiting AS (UPDATE queue SET due = told.due, attempts = told.attempt, started = NULL, \
        uncertain = told.uncertain FROM UNNEST(?1::BIGINT[], ?2::BIGINT[], ?3::BIGINT[], ?4::BIGINT[], ?5::BIGINT[]) \
        AS told (id, controller, due, attempt, uncertain) WHERE queue.id = told.id AND queue.controller = \
        told.controller RETURNING queue.id, queue.controller) UPDATE message SET state = 'queued' FROM waiting WHERE \
        message.id = waiting.id AND message.controller = waiting.controller AND message.state <> 'queued'";
    /// Messages are held. See `QUEUE_HOLD` and `HOLD_INSERT`. Answers those for which that is news.
    MESSAGES_HOLD(11) = "WITH told AS (SELECT * FROM UNNEST(?1::BIGINT[], ?2::BIGINT[], ?3::BIGINT[], ?4::BIGINT[], \
        ?5::BIGINT[], ?6::BIGINT[], ?7::TEXT[], ?8::TEXT[], ?9::BYTEA[], ?10::BIGINT[], ?11::BYTEA[]) AS told (id, \
        controller, due, attempt, until, at, word, rule, event, uncertain, transcript)), held AS (UPDATE queue SET \
        due = told.due, started = NULL, expires = GREATEST(queue.expires, told.until) FROM told WHERE queue.id = \
        told.id AND queue.controller = told.controller AND queue.attempts = told.attempt - 1 RETURNING queue.id, \
        queue.controller), stepped AS (UPDATE message SET state = 'held' FROM held WHERE message.id = held.id AND \
        message.controller = held.controller AND message.state <> 'held' RETURNING message.id) INSERT INTO attempt \
        (message, attempt, controller, started, ended, word, code, enhanced, rule, event, uncertain, transcript) \
        SELECT told.id, COALESCE((SELECT MIN(before.attempt) FROM attempt AS before WHERE before.message = told.id \
        AND before.attempt < 0), 0) - 1, told.controller, NULL, told.at, told.word, NULL, NULL, told.rule, \
        told.event, told.uncertain, told.transcript FROM told JOIN stepped ON stepped.id = told.id RETURNING message";
    /// Suppresses persons in scopes. See `SUPPRESS`. Answers those for whom that changed anything.
    SUPPRESS_ALL(7) = suppress!("SELECT UNNEST(?1::BIGINT[]), UNNEST(?2::BYTEA[]), UNNEST(?3::TEXT[]), \
        UNNEST(?4::TEXT[]), UNNEST(?5::BIGINT[]), UNNEST(?6::BIGINT[]), UNNEST(?7::BYTEA[])",
        " RETURNING controller, tag, scope");

    /// All that is recorded about persons, as of one moment: a row for each of a person's suppressions, at least one.
    PERSONS(3) = "SELECT asked.number, subject.block, subject.slot, restriction.kind, basis.kind, basis.given, \
        basis.confirmed, basis.withdrawn, basis.expires, suppression.scope, suppression.reason, suppression.since, \
        suppression.ends, basis.evidence, basis.notice, basis.batch, preference.paused, preference.frequency, \
        mailed.version, mailed.times, subject.leaving, \
        CASE WHEN batch.informed IS NULL THEN basis.inform END FROM UNNEST(?1::BIGINT[], \
        ?2::BYTEA[], ?3::BIGINT[]) WITH ORDINALITY AS asked (controller, tag, purpose, number) \
        LEFT JOIN subject ON subject.controller = asked.controller AND subject.tag = asked.tag \
        LEFT JOIN restriction ON restriction.controller = asked.controller AND restriction.tag = asked.tag LEFT JOIN \
        basis ON basis.controller = asked.controller AND basis.tag = asked.tag AND basis.purpose = asked.purpose LEFT \
        JOIN batch ON batch.id = basis.batch LEFT JOIN preference ON preference.controller = asked.controller \
        AND preference.tag = asked.tag LEFT JOIN \
        mailed ON mailed.controller = asked.controller AND mailed.tag = asked.tag LEFT JOIN \
        suppression ON suppression.controller = asked.controller AND suppression.tag = asked.tag ORDER BY \
        asked.number, suppression.scope";
    /// Sealed contents of messages that are not yet at their ends.
    CONTENTS(1) = "SELECT message.id, message.envelope, message.head, body.id, body.refs, body.block, body.slot, \
        body.epoch, body.place, body.wrapped, body.sealed FROM message JOIN body ON body.id = message.body WHERE \
        message.id = ANY(?1::BIGINT[]) AND message.head IS NOT NULL";
    /// What waits in these partitions (all of them when none are named), by lane.
    BACKLOG_OF(2) = "SELECT site, class, controller, MIN(due), COUNT(*) FROM queue WHERE id >= ?1 AND (?2::BIGINT[] \
        IS NULL OR part = ANY(?2::BIGINT[])) GROUP BY site, class, controller ORDER BY site, class, controller";
    /// Rows that were started by nodes that are not alive any more, and have no outcome.
    STARTED_OF(5) = queued!("WHERE started IS NOT NULL AND id >= ?1 AND (?2::BIGINT[] IS NULL OR part = \
        ANY(?2::BIGINT[])) AND starter IS DISTINCT FROM ?3 AND NOT EXISTS (SELECT 1 FROM node WHERE node.incarnation \
        = queue.starter AND node.seen >= ?4) ORDER BY id LIMIT ?5");
}
