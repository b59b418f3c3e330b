//! Statements of permission: documents, forms, evidence, what people decided. Both engines run them through the
//! general verbs (`find`, `change` with rows), by one text each. Every one on a person names the controller.

use super::{statements, suppress};

statements! { PERMISSION:
    /// Keeps a document; one that is there stays as it is.
    DOCUMENT_INSERT(9) = "INSERT INTO document (id, controller, kind, name, version, language, hash, made, sealed) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    /// One document of one controller.
    DOCUMENT(2) = "SELECT id, kind, name, version, language, hash, made, sealed FROM document \
        WHERE controller = ?1 AND id = ?2";
    /// The hash of one document.
    DOCUMENT_HASH(2) = "SELECT hash FROM document WHERE controller = ?1 AND id = ?2";
    /// Documents of a kind without their octets, oldest first.
    DOCUMENTS(2) = "SELECT id, kind, name, version, language, hash, made FROM document \
        WHERE controller = ?1 AND kind = ?2 ORDER BY id";

    /// Both sides sign once.
    SIGNATURE_INSERT(7) = "INSERT INTO signature (id, controller, document, side, at, method, sealed) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    /// Who signed a document.
    SIGNATURES(2) = "SELECT side, at, method, sealed FROM signature WHERE controller = ?1 AND document = ?2 \
        ORDER BY side";

    /// The controller is told something.
    CONTROLLER_NOTICE_INSERT(6) = "INSERT INTO controller_notice (id, controller, kind, about, at, seen, sealed) \
        VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6)";
    /// What a controller was told, newest first, below an id.
    CONTROLLER_NOTICES(3) = "SELECT id, kind, about, at, seen, sealed FROM controller_notice \
        WHERE controller = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

    /// A person gets a secret and his address is kept under it. No row is touched when he has another secret by now.
    SUBJECT_CLAIM(7) = "INSERT INTO subject (controller, tag, block, slot, normaliser, address, batch) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (controller, tag) DO UPDATE \
        SET address = COALESCE(excluded.address, subject.address) \
        WHERE subject.block = excluded.block AND subject.slot = excluded.slot";
    /// A person's secret, address and import.
    SUBJECT_OF(2) = "SELECT block, slot, address, batch FROM subject WHERE controller = ?1 AND tag = ?2";

    /// A step of a consent is kept as evidence.
    CONSENT_EVENT_INSERT(12) = "INSERT INTO consent_event (id, controller, tag, purpose, what, at, method, notice, \
        form, batch, event, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    /// A person's evidence, oldest first.
    CONSENT_EVENTS(2) = "SELECT id, purpose, what, at, method, notice, form, batch, event, sealed FROM consent_event \
        WHERE controller = ?1 AND tag = ?2 ORDER BY id";
    /// The same, so many after one.
    CONSENT_EVENTS_AFTER(4) = "SELECT id, purpose, what, at, method, notice, form, batch, event, sealed \
        FROM consent_event WHERE controller = ?1 AND tag = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
    /// Did the person say by a link since a moment that he leaves this?
    LEFT_SINCE(4) = "SELECT id FROM consent_event WHERE controller = ?1 AND tag = ?2 AND purpose = ?3 \
        AND what = 'withdrawn' AND method IN ('page', 'one-click') AND at > ?4 \
        ORDER BY id LIMIT 1";
    /// A person's bases.
    BASES_OF(2) = "SELECT purpose, kind, given, confirmed, withdrawn, expires, evidence, notice, batch FROM basis \
        WHERE controller = ?1 AND tag = ?2 ORDER BY purpose";
    /// Records a basis in the place of the one before, on the controller's word: not while the person's own wish stands
    /// against it, in the purpose's scope (?12), for all marketing (?13; empty for other mail) or for everything; nor
    /// in the place of what he did himself on a page of ours, as long as that is whole and has not run out.
    BASIS_PUT(13) = "INSERT INTO basis (controller, tag, purpose, kind, given, confirmed, withdrawn, expires, \
        evidence, notice, batch) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 WHERE NOT EXISTS (SELECT 1 FROM \
        suppression AS wish WHERE wish.controller = ?1 AND wish.tag = ?2 AND wish.scope IN (?12, ?13, 'all') \
        AND wish.reason IN ('opt-out', 'complaint', 'objection', 'erasure')) \
        ON CONFLICT (controller, tag, purpose) DO UPDATE \
        SET kind = excluded.kind, given = excluded.given, confirmed = excluded.confirmed, \
        withdrawn = excluded.withdrawn, expires = excluded.expires, evidence = excluded.evidence, \
        notice = excluded.notice, batch = excluded.batch, origin = excluded.origin, inform = NULL \
        WHERE basis.withdrawn IS NULL AND NOT (basis.evidence = 'complete' AND basis.confirmed IS NOT NULL \
        AND (basis.expires IS NULL OR basis.expires > excluded.given) AND EXISTS (SELECT 1 FROM consent_event AS own \
        WHERE own.controller = basis.controller AND own.tag = basis.tag AND own.purpose = basis.purpose \
        AND own.at = basis.given AND own.what = 'given' AND own.method IN ('double-opt-in', 'page')))";
    /// The person himself consents (anew): in the place of whatever was before. An older word never replaces a newer,
    /// nor an opt-out (from the purpose, ?12, or from all marketing) that is later than it.
    BASIS_RENEW(12) = "INSERT INTO basis (controller, tag, purpose, kind, given, confirmed, withdrawn, expires, \
        evidence, notice, batch) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 WHERE NOT EXISTS (SELECT 1 FROM \
        suppression AS wish WHERE wish.controller = ?1 AND wish.tag = ?2 AND wish.scope IN (?12, 'marketing', 'all') \
        AND wish.reason IN ('opt-out', 'complaint', 'objection', 'erasure') AND wish.since > ?5) \
        ON CONFLICT (controller, tag, purpose) DO UPDATE \
        SET kind = excluded.kind, given = excluded.given, confirmed = excluded.confirmed, \
        withdrawn = excluded.withdrawn, expires = excluded.expires, evidence = excluded.evidence, \
        notice = excluded.notice, batch = excluded.batch, origin = excluded.origin, inform = NULL \
        WHERE basis.withdrawn IS NULL OR basis.withdrawn <= excluded.given";
    /// What withdraws nothing is still evidence: no row is needed.
    BASIS_LEAVE(4) = "UPDATE basis SET withdrawn = ?4 \
        WHERE controller = ?1 AND tag = ?2 AND purpose = ?3 AND withdrawn IS NULL";
    /// Withdraws all of a person's consents.
    BASIS_LEAVE_ALL(3) = "UPDATE basis SET withdrawn = ?3 WHERE controller = ?1 AND tag = ?2 AND withdrawn IS NULL";

    /// The person opts out in a scope. Of two opt-outs the later time counts: no consent between them lifts it.
    OPT_OUT(7) = suppress!("VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        " OR (suppression.reason = 'opt-out' AND excluded.reason = 'opt-out' AND excluded.since > suppression.since)");
    /// The person himself takes an opt-out back by what he said at a moment (?4): in this scope alone, none that is
    /// later, and none that he made by complaint or objection.
    OPT_OUT_LIFT(4) = "DELETE FROM suppression WHERE controller = ?1 AND tag = ?2 AND scope = ?3 \
        AND reason = 'opt-out' AND since <= ?4";
    /// The person himself takes back, by what he asked for at a moment (?3), his objection or complaint, and none that
    /// is later: he has left what it was about, until he comes back to it.
    OBJECTION_BACK(3) = "UPDATE suppression SET reason = 'opt-out' WHERE controller = ?1 AND tag = ?2 \
        AND reason IN ('objection', 'complaint') AND since <= ?3";
    /// The controller takes back what he or a bounce said; never what a person wished.
    SUPPRESSION_LIFT(3) = "DELETE FROM suppression WHERE controller = ?1 AND tag = ?2 AND scope = ?3 \
        AND reason IN ('controller', 'hard-bounce')";
    /// Every scope in which a person is suppressed.
    SUPPRESSIONS_OF(2) = "SELECT scope, reason, since, ends FROM suppression WHERE controller = ?1 AND tag = ?2 \
        ORDER BY scope";
    /// A controller's suppressions from a person and scope on, of a scope and a reason where they are named, with the
    /// secret under which the address lies, and the address that is kept of the person himself.
    SUPPRESSIONS_FROM(6) = "SELECT suppression.tag, suppression.scope, suppression.reason, suppression.since, \
        suppression.ends, suppression.address, subject.block, subject.slot, subject.address \
        FROM suppression LEFT JOIN subject \
        ON subject.controller = suppression.controller AND subject.tag = suppression.tag \
        WHERE suppression.controller = ?1 AND (suppression.tag > ?2 OR (suppression.tag = ?2 \
        AND suppression.scope > ?3)) AND (?5 = '' OR suppression.scope = ?5) AND (?6 = '' OR suppression.reason = ?6) \
        ORDER BY suppression.tag, suppression.scope LIMIT ?4";

    /// A request to confirm, unless one was sent to this person since a moment.
    CONFIRMATION_INSERT(10) = "INSERT INTO confirmation (id, controller, tag, form, purposes, notice, asked, ends, \
        done, back) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL, ?10 WHERE NOT EXISTS (SELECT 1 FROM \
        confirmation AS earlier WHERE earlier.controller = ?2 AND earlier.tag = ?3 AND earlier.asked > ?9)";
    /// A request to confirm.
    CONFIRMATION(2) = "SELECT tag, form, purposes, notice, asked, ends, done, back FROM confirmation \
        WHERE controller = ?1 AND id = ?2";
    /// It is answered, once and in time, and not while the person's objection or complaint stands, but where that is
    /// what he takes back (?5 is 1).
    CONFIRMATION_DONE(5) = "UPDATE confirmation SET done = ?4 WHERE controller = ?1 AND id = ?2 AND tag = ?3 \
        AND done IS NULL AND ends > ?4 \
        AND (CAST(?5 AS BIGINT) = 1 OR NOT EXISTS (SELECT 1 FROM suppression AS wish \
        WHERE wish.controller = ?1 AND wish.tag = ?3 AND wish.scope IN ('marketing', 'all') \
        AND wish.reason IN ('complaint', 'objection', 'erasure')))";

    /// An import begins.
    BATCH_INSERT(6) = "INSERT INTO batch (id, controller, at, state, contacts, quarantined, blocked, hash, event, \
        sealed) VALUES (?1, ?2, ?3, 'running', 0, 0, 0, ?4, ?5, ?6)";
    /// It has come to its end.
    BATCH_DONE(7) = "UPDATE batch SET state = 'done', contacts = ?3, quarantined = ?4, blocked = ?5, hash = ?6, \
        inform = ?7 \
        WHERE controller = ?1 AND id = ?2 AND state = 'running'";
    /// From now on nothing comes in with it.
    BATCH_UNDOING(2) = "UPDATE batch SET state = 'undoing' WHERE controller = ?1 AND id = ?2 AND state <> 'undone'";
    /// How many of its rows wait still.
    BATCH_WAITING(2) = "UPDATE batch SET quarantined = (SELECT count(*) FROM quarantine \
        WHERE quarantine.controller = ?1 AND quarantine.batch = ?2) WHERE controller = ?1 AND id = ?2";
    /// What came with it is gone.
    BATCH_UNDONE(2) = "UPDATE batch SET state = 'undone' WHERE controller = ?1 AND id = ?2 AND state = 'undoing'";
    /// What its controller says of how its people were informed (GDPR Art. 14). No row where nobody is to be informed.
    BATCH_INFORMED(4) = "UPDATE batch SET informed = ?3, information = ?4 WHERE controller = ?1 AND id = ?2 \
        AND state = 'done' AND inform IS NOT NULL";
    /// An import.
    BATCH(2) = "SELECT id, at, state, contacts, quarantined, blocked, hash, event, sealed, inform, informed, \
        information FROM batch \
        WHERE controller = ?1 AND id = ?2";
    /// Imports, newest first, below an id.
    BATCHES(3) = "SELECT id, at, state, contacts, quarantined, blocked, hash, event, sealed, inform, informed, \
        information FROM batch \
        WHERE controller = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    /// What waits of an import, from a line on, with the secret under which it lies.
    QUARANTINE_FROM(4) = "SELECT quarantine.line, quarantine.missing, quarantine.sealed, subject.block, subject.slot \
        FROM quarantine JOIN subject ON subject.controller = quarantine.controller AND subject.tag = quarantine.tag \
        WHERE quarantine.controller = ?1 AND quarantine.batch = ?2 AND quarantine.line > ?3 \
        ORDER BY quarantine.line LIMIT ?4";
    /// What imported bases of a person rest on.
    IMPORTED(2) = "SELECT basis.purpose, basis.batch, basis.origin, batch.sealed FROM basis JOIN batch \
        ON batch.id = basis.batch WHERE basis.controller = ?1 AND basis.tag = ?2 ORDER BY basis.purpose";
    /// Persons of a controller, in order, after one.
    SUBJECTS_AFTER(3) = "SELECT tag FROM subject WHERE controller = ?1 AND tag > ?2 ORDER BY tag LIMIT ?3";
    /// Lines that wait, in order, after one.
    LINES_AFTER(4) = "SELECT line FROM quarantine WHERE controller = ?1 AND batch = ?2 AND line > ?3 \
        ORDER BY line LIMIT ?4";
    /// Bases that came with an import and are still what they were then. What was renewed since names no import; what
    /// was withdrawn stays.
    UNDO_BASES(4) = "DELETE FROM basis WHERE controller = ?1 AND tag > ?2 AND tag <= ?3 AND batch = ?4 \
        AND withdrawn IS NULL";
    /// Addresses that came with an import, of persons whom nothing else is recorded of.
    UNDO_ADDRESSES(5) = "UPDATE subject SET address = NULL, batch = NULL, leaving = ?5 \
        WHERE controller = ?1 AND tag > ?2 AND tag <= ?3 AND batch = ?4 \
        AND NOT EXISTS (SELECT 1 FROM basis WHERE basis.controller = subject.controller AND basis.tag = subject.tag) \
        AND NOT EXISTS (SELECT 1 FROM consent_event WHERE consent_event.controller = subject.controller \
        AND consent_event.tag = subject.tag) \
        AND NOT EXISTS (SELECT 1 FROM suppression WHERE suppression.controller = subject.controller \
        AND suppression.tag = subject.tag)";
    /// Persons who are known by what waited alone may be forgotten.
    UNDO_STRANGERS(5) = "UPDATE subject SET leaving = ?5 WHERE controller = ?1 AND address IS NULL \
        AND leaving IS NULL AND tag IN (SELECT quarantine.tag FROM quarantine WHERE quarantine.controller = ?1 \
        AND quarantine.batch = ?2 AND quarantine.line > ?3 AND quarantine.line <= ?4)";
    /// What waited.
    UNDO_QUARANTINE(4) = "DELETE FROM quarantine WHERE controller = ?1 AND batch = ?2 AND line > ?3 AND line <= ?4";

    /// A person's preferences.
    PREFERENCE_PUT(7) = "INSERT INTO preference (controller, tag, language, frequency, tracking, paused, since) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (controller, tag) DO UPDATE \
        SET language = excluded.language, frequency = excluded.frequency, tracking = excluded.tracking, \
        paused = excluded.paused, since = excluded.since";
    /// A person's preferences.
    PREFERENCE(2) = "SELECT language, frequency, tracking, paused FROM preference WHERE controller = ?1 AND tag = ?2";

    /// A person exercises a right, unless he did so since a moment.
    WISH_INSERT(8) = "INSERT INTO wish (id, controller, tag, kind, at, forwarded, event, sealed) \
        SELECT ?1, ?2, ?3, ?4, ?5, NULL, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM wish AS earlier \
        WHERE earlier.controller = ?2 AND earlier.tag = ?3 AND earlier.kind = ?4 AND earlier.at > ?8)";
    /// A right that a person exercised since a moment.
    WISH_BEFORE(4) = "SELECT id FROM wish WHERE controller = ?1 AND tag = ?2 AND kind = ?3 AND at > ?4 \
        ORDER BY id DESC LIMIT 1";
    /// The controller has it; the first time counts.
    WISH_FORWARDED(3) = "UPDATE wish SET forwarded = ?3 WHERE controller = ?1 AND id = ?2 AND forwarded IS NULL";
    /// One node tells the controller by mail, unless he was told, or another node is at it.
    WISH_CLAIM(4) = "UPDATE wish SET claimed = ?4 WHERE controller = ?1 AND id = ?2 AND forwarded IS NULL \
        AND (claimed IS NULL OR claimed <= ?3)";
    /// Wishes of a controller's people, newest first, below an id.
    WISHES(3) = "SELECT id, tag, kind, at, forwarded, sealed FROM wish WHERE controller = ?1 AND id < ?2 \
        ORDER BY id DESC LIMIT ?3";

    /// A version of a form.
    FORM_INSERT(9) = "INSERT INTO form (id, controller, name, version, state, made, purposes, notices, terms) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    /// Every other version of a form is out of use.
    FORM_RETIRE(3) = "UPDATE form SET state = 'retired' WHERE controller = ?1 AND name = ?2 AND id <> ?3 \
        AND state = 'published'";
    /// All versions of a controller's forms.
    FORMS(1) = "SELECT id, name, version, state, made, purposes, notices, terms FROM form WHERE controller = ?1 \
        ORDER BY name, version";
}
