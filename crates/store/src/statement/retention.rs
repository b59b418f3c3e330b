//! Statements that take away what was kept for a time. Both engines run them through the general verbs.

use super::statements;

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
    /// The address of one of them, if nothing else came to be known meanwhile.
    SIGN_UP_ADDRESS(3) = concat!("UPDATE subject SET address = NULL WHERE controller = ?1 AND tag = ?2 \
        AND address IS NOT NULL AND batch IS NULL", alone!("subject", "?3"));
    /// What he had asked for.
    SIGN_UP_EVENTS(2) = "DELETE FROM consent_event WHERE controller = ?1 AND tag = ?2 \
        AND what IN ('requested', 'refused')";
    /// Requests that nobody answered and that keep nobody from being asked any more, a slice at a time.
    CONFIRMATIONS_FORGET(2) = "DELETE FROM confirmation WHERE id IN (SELECT old.id FROM confirmation AS old \
        WHERE old.id < ?1 AND old.done IS NULL ORDER BY old.id LIMIT ?2)";

    /// Rights that were exercised since an id, and of which their controllers have not been told by mail.
    WISHES_WAITING(2) = "SELECT id, controller, tag, kind, at, sealed FROM wish WHERE id > ?1 AND forwarded IS NULL \
        ORDER BY id LIMIT ?2";
    /// How many of them there are in a range of ids.
    WISHES_LATE(2) = "SELECT COUNT(*) FROM wish WHERE id > ?1 AND id <= ?2 AND forwarded IS NULL";
}
