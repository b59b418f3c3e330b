//! Statements that take away what was kept for a time. Both engines run them through the general verbs.

use super::{statements, suppress};

/// Persons of whom nothing is known but a sign-up that was never confirmed: no basis, wish or evidence of anything
/// else, no other request that still can be answered, no import that brought them.
macro_rules! alone {
    ($table:literal, $now:literal) => {
        concat!(
            " AND NOT EXISTS (SELECT 1 FROM basis WHERE basis.controller = ",
            $table,
            ".controller ",
            "AND basis.tag = ",
            $table,
            ".tag) ",
            "AND NOT EXISTS (SELECT 1 FROM suppression WHERE suppression.controller = ",
            $table,
            ".controller ",
            "AND suppression.tag = ",
            $table,
            ".tag) ",
            "AND NOT EXISTS (SELECT 1 FROM preference WHERE preference.controller = ",
            $table,
            ".controller ",
            "AND preference.tag = ",
            $table,
            ".tag) ",
            "AND NOT EXISTS (SELECT 1 FROM consent_event WHERE consent_event.controller = ",
            $table,
            ".controller ",
            "AND consent_event.tag = ",
            $table,
            ".tag AND consent_event.what NOT IN ('requested', 'refused')) ",
            "AND NOT EXISTS (SELECT 1 FROM confirmation AS other WHERE other.controller = ",
            $table,
            ".controller ",
            "AND other.tag = ",
            $table,
            ".tag AND (other.done IS NOT NULL OR other.ends > ",
            $now,
            "))"
        )
    };
}

/// Bases that ended by a moment: withdrawn, run out, or of a person who was erased; but none of a person whose data are
/// restricted (GDPR Art. 18(1)(c)).
macro_rules! ended {
    ($until:literal) => {
        concat!(
            "(basis.withdrawn <= ",
            $until,
            " OR (basis.withdrawn IS NULL AND basis.expires <= ",
            $until,
            ") OR EXISTS (SELECT 1 FROM restriction AS erased WHERE erased.controller = basis.controller ",
            "AND erased.tag = basis.tag AND erased.kind = 'erased' AND erased.since <= ",
            $until,
            ")) AND NOT EXISTS (SELECT 1 FROM restriction AS kept WHERE kept.controller = basis.controller ",
            "AND kept.tag = basis.tag AND kept.kind <> 'erased')"
        )
    };
}

/// Nothing is kept of a person by his tag but messages, of which it is known otherwise. A table that comes to hold tags
/// has its line here, or a person is forgotten of whom it speaks: a test compares them with `statement/tags.rs`.
macro_rules! unmentioned {
    ($($table:literal),+) => {
        concat!(
            "subject.address IS NULL",
            $(
                " AND NOT EXISTS (SELECT 1 FROM ",
                $table,
                " WHERE ",
                $table,
                ".controller = subject.controller AND ",
                $table,
                ".tag = subject.tag)",
            )+
        )
    };
    () => {
        unmentioned!(
            "basis", "suppression", "restriction", "preference", "consent_event", "confirmation", "wish",
            "quarantine", "mailed", "failing", "refusal", "tombstone"
        )
    };
}

statements! { RETENTION:
    /// What nobody counts any more of the marketing that persons got, a slice at a time.
    MAILED_FORGET(2) = "DELETE FROM mailed WHERE (controller, tag) IN (SELECT old.controller, old.tag FROM mailed \
        AS old WHERE old.ends <= ?1 ORDER BY old.ends LIMIT ?2)";

    /// Messages of a time, after an id and below another, and when they came to their end.
    MESSAGES_BETWEEN(3) = "SELECT id, controller, stream, finished FROM message WHERE id > ?1 AND id < ?2 \
        ORDER BY id LIMIT ?3";
    /// Those of one stream among them that ended long enough ago.
    MESSAGES_FORGET(5) = "DELETE FROM message WHERE id >= ?1 AND id <= ?2 AND controller = ?3 AND stream = ?4 \
        AND finished <= ?5";
    /// What happened to messages that are gone.
    ATTEMPTS_FORGET(3) = "DELETE FROM attempt WHERE message >= ?1 AND message <= ?2 AND controller = ?3 \
        AND NOT EXISTS (SELECT 1 FROM message WHERE message.id = attempt.message)";

    /// Persons who signed up and never confirmed, and of whom nothing else is known, by the id of the request.
    SIGN_UPS_LAPSED(4) = concat!("SELECT confirmation.id, confirmation.controller, confirmation.tag FROM confirmation \
        JOIN subject ON subject.controller = confirmation.controller AND subject.tag = confirmation.tag \
        WHERE confirmation.id > ?1 AND confirmation.ends <= ?2 AND confirmation.done IS NULL \
        AND subject.address IS NOT NULL AND subject.batch IS NULL", alone!("confirmation", "?2"),
        " AND ?3 < confirmation.asked ORDER BY confirmation.id LIMIT ?4");
    /// The address of one of them, if nothing else came to be known meanwhile: from then on he may be forgotten.
    SIGN_UP_ADDRESS(4) = concat!("UPDATE subject SET address = NULL, leaving = ?4 WHERE controller = ?1 AND tag = ?2 \
        AND address IS NOT NULL AND batch IS NULL", alone!("subject", "?3"));
    /// What he had asked for.
    SIGN_UP_EVENTS(2) = "DELETE FROM consent_event WHERE controller = ?1 AND tag = ?2 \
        AND what IN ('requested', 'refused')";
    /// Requests that nobody answered and that keep nobody from being asked any more, a slice at a time.
    CONFIRMATIONS_FORGET(2) = "DELETE FROM confirmation WHERE id IN (SELECT old.id FROM confirmation AS old \
        WHERE old.id < ?1 AND old.done IS NULL ORDER BY old.id LIMIT ?2)";

    /// Persons of whom nothing may speak any more since a moment or longer, after one, and whether nothing does but
    /// messages.
    SUBJECTS_LEAVING(5) = concat!("SELECT leaving, controller, tag, block, slot, CAST(CASE WHEN ", unmentioned!(),
        " THEN 1 ELSE 0 END AS BIGINT) FROM subject WHERE leaving <= ?1 \
        AND (leaving, controller, tag) > (?2, ?3, ?4) ORDER BY leaving, controller, tag LIMIT ?5");
    /// Messages below an id, and whose they are.
    MESSAGES_OLDEST(2) = "SELECT id, controller, tag FROM message WHERE id < ?1 ORDER BY id LIMIT ?2";
    /// One of them is being forgotten, if nobody needed his secret and nothing came to be known meanwhile.
    SUBJECT_ENDS(3) = concat!("UPDATE subject SET leaving = 0 WHERE controller = ?1 AND tag = ?2 AND leaving = ?3 AND ",
        unmentioned!());
    /// He stays a while: somebody needs his secret now. No row for one who is being forgotten.
    SUBJECT_STAYS(5) = "UPDATE subject SET leaving = ?5 WHERE controller = ?1 AND tag = ?2 AND block = ?3 \
        AND slot = ?4 AND leaving > 0";
    /// His secret is destroyed: he is not known any more.
    SUBJECT_GONE(4) = "DELETE FROM subject WHERE controller = ?1 AND tag = ?2 AND block = ?3 AND slot = ?4 \
        AND leaving = 0";

    /// Rights that were exercised since an id, and of which their controllers have not been told by mail.
    WISHES_WAITING(2) = "SELECT id, controller, tag, kind, at, sealed FROM wish WHERE id > ?1 AND forwarded IS NULL \
        ORDER BY id LIMIT ?2";
    /// How many of them there are in a range of ids.
    WISHES_LATE(2) = "SELECT COUNT(*) FROM wish WHERE id > ?1 AND id <= ?2 AND forwarded IS NULL";

    /// Persons who withdrew what carried a purpose, by a moment.
    EVIDENCE_WITHDRAWN(4) = concat!("SELECT tag FROM basis WHERE controller = ?1 AND purpose = ?2 \
        AND withdrawn <= ?3 AND ", ended!("?3"), " ORDER BY withdrawn LIMIT ?4");
    /// Those for whom it ran out.
    EVIDENCE_EXPIRED(4) = concat!("SELECT tag FROM basis WHERE controller = ?1 AND purpose = ?2 \
        AND withdrawn IS NULL AND expires <= ?3 AND ", ended!("?3"), " ORDER BY expires LIMIT ?4");
    /// Those who were erased.
    EVIDENCE_ERASED(4) = "SELECT basis.tag FROM restriction JOIN basis ON basis.controller = restriction.controller \
        AND basis.tag = restriction.tag WHERE restriction.controller = ?1 AND restriction.kind = 'erased' \
        AND basis.purpose = ?2 AND restriction.since <= ?3 ORDER BY basis.tag LIMIT ?4";
    /// Is the first of a slice still one of them?
    EVIDENCE_BEGIN(4) = concat!("UPDATE basis SET notice = NULL WHERE controller = ?1 AND tag = ?2 AND purpose = ?3 \
        AND ", ended!("?4"));
    /// What was withdrawn stands as the wish that it is.
    EVIDENCE_WISH(5) = suppress!("SELECT basis.controller, basis.tag, ?5, 'opt-out', basis.withdrawn, NULL, NULL \
        FROM basis WHERE basis.controller = ?1 AND basis.tag = ?2 AND basis.purpose = ?3 \
        AND basis.withdrawn <= ?4", "");
    /// What shows it goes.
    EVIDENCE_EVENTS(4) = concat!("DELETE FROM consent_event WHERE controller = ?1 AND tag = ?2 AND purpose = ?3 \
        AND at <= ?4 AND EXISTS (SELECT 1 FROM basis WHERE basis.controller = ?1 AND basis.tag = ?2 \
        AND basis.purpose = ?3 AND ", ended!("?4"), ")");
    /// And itself.
    EVIDENCE_BASIS(4) = concat!("DELETE FROM basis WHERE controller = ?1 AND tag = ?2 AND purpose = ?3 AND ",
        ended!("?4"));
    /// What was said of all marketing, once no basis of the person is left.
    EVIDENCE_REST(3) = "DELETE FROM consent_event WHERE controller = ?1 AND tag = ?2 AND purpose = 0 AND at <= ?3 \
        AND NOT EXISTS (SELECT 1 FROM basis WHERE basis.controller = ?1 AND basis.tag = ?2)";
    /// Bounces that have run out.
    BOUNCES_OVER(2) = "SELECT controller, tag, scope FROM suppression WHERE ends <= ?1 AND reason = 'hard-bounce' \
        ORDER BY ends LIMIT ?2";
    /// One of them goes, if it was not renewed. Never what a person wished.
    BOUNCE_FORGET(4) = "DELETE FROM suppression WHERE controller = ?1 AND tag = ?2 AND scope = ?3 \
        AND reason = 'hard-bounce' AND ends <= ?4";
    /// A credential that ended before a moment is forgotten.
    CREDENTIAL_FORGET(3) = "DELETE FROM credential WHERE controller = ?1 AND id = ?2 \
        AND (revoked <= ?3 OR expires <= ?3)";
}
