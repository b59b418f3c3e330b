//! Statements that put a controller's tags under a new key. Both engines run them through the general verbs, while no
//! node serves.

use super::statements;

/// For each table that holds tags: collecting those it has, and putting the new ones in their place within a range.
macro_rules! tables_with_tags {
    ($($table:literal: $collect:ident, $replace:ident;)+) => {
        statements! { TAGS_TEXTS:
            /// A rotation begins: from now on no node starts.
            TAG_MOVE_BEGIN(2) = "INSERT INTO tag_move (controller, old_tag, new_tag) VALUES (?1, ?2, ?2) \
                ON CONFLICT (controller, old_tag) DO NOTHING";
            /// Whose tags are on their way.
            TAG_MOVES(1) = "SELECT controller FROM tag_move WHERE old_tag = ?1 ORDER BY controller LIMIT 1";
            /// Tags without a new one, after a tag.
            TAG_MOVE_OPEN(3) = "SELECT old_tag FROM tag_move WHERE controller = ?1 AND old_tag > ?2 \
                AND new_tag IS NULL ORDER BY old_tag LIMIT ?3";
            /// A tag's new one.
            TAG_MOVE_SET(3) = "UPDATE tag_move SET new_tag = ?3 WHERE controller = ?1 AND old_tag = ?2";
            /// How many there are, with the mark.
            TAG_MOVE_COUNT(1) = "SELECT COUNT(*) FROM tag_move WHERE controller = ?1";
            /// The controller's tags are under the next key. Not, when they are already.
            TAG_NUMBER_RAISE(3) = "UPDATE controller SET tag_number = ?3 WHERE id = ?1 AND tag_number = ?2";
            /// It is done.
            TAG_MOVE_END(1) = "DELETE FROM tag_move WHERE controller = ?1";
            $(
            #[doc = concat!("The tags in ", $table, ".")]
            $collect(1) = concat!("INSERT INTO tag_move (controller, old_tag) SELECT DISTINCT controller, tag FROM ",
                $table, " WHERE controller = ?1 AND tag IS NOT NULL ON CONFLICT (controller, old_tag) DO NOTHING");
            #[doc = concat!("New tags in ", $table, ", from one to before another.")]
            $replace(3) = concat!("UPDATE ", $table, " SET tag = (SELECT moved.new_tag FROM tag_move AS moved \
                WHERE moved.controller = ?1 AND moved.old_tag = ", $table, ".tag) \
                WHERE controller = ?1 AND tag >= ?2 AND tag < ?3 AND EXISTS (SELECT 1 FROM tag_move AS moved \
                WHERE moved.controller = ?1 AND moved.old_tag = ", $table, ".tag)");
            )+
        }
    };
}

tables_with_tags! {
    "subject": SUBJECT_TAGS, SUBJECT_NEST;
    "suppression": SUPPRESSION_TAGS, SUPPRESSION_NEST;
    "restriction": RESTRICTION_TAGS, RESTRICTION_NEST;
    "basis": BASIS_TAGS, BASIS_NEST;
    "consent_event": CONSENT_EVENT_TAGS, CONSENT_EVENT_NEST;
    "confirmation": CONFIRMATION_TAGS, CONFIRMATION_NEST;
    "preference": PREFERENCE_TAGS, PREFERENCE_NEST;
    "wish": WISH_TAGS, WISH_NEST;
    "quarantine": QUARANTINE_TAGS, QUARANTINE_NEST;
    "mailed": MAILED_TAGS, MAILED_NEST;
    "refusal": REFUSAL_TAGS, REFUSAL_NEST;
    "failing": FAILING_TAGS, FAILING_NEST;
    "tombstone": TOMBSTONE_TAGS, TOMBSTONE_NEST;
    "message": MESSAGE_TAGS, MESSAGE_NEST;
    "queue": QUEUE_TAGS, QUEUE_NEST;
}
