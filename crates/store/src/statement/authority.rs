//! Statements on what both sides hold to: agreements that were concluded, instructions that were given, and what an
//! instruction says of purposes and streams. Both engines run them through the general verbs.

use super::statements;

statements! { AUTHORITY:
    /// Both sides have signed (GDPR Art. 28(3), (9)). Not as long as the operator has stopped what went before, unless
    /// he signed this one by his own hand after that.
    AGREEMENT_CONCLUDED(10) = "INSERT INTO agreement (id, controller, version, state, starts, ends, document, paper, \
        review, moved_by, moved) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL, NULL WHERE NOT EXISTS (SELECT 1 \
        FROM agreement AS stopped WHERE stopped.controller = ?2 AND stopped.moved_by = 'processor' \
        AND (stopped.state = 'suspended' OR (stopped.state = 'ended' AND stopped.version = (SELECT MAX(newest.version) \
        FROM agreement AS newest WHERE newest.controller = ?2))) \
        AND COALESCE(stopped.moved, stopped.starts) >= COALESCE(CAST(?10 AS BIGINT), CAST(0 AS BIGINT)))";
    /// What a version that is in force replaces, is over.
    AGREEMENTS_REPLACED(3) = "UPDATE agreement SET state = 'ended', \
        ends = CASE WHEN ends IS NULL OR ends > ?3 THEN ?3 ELSE ends END \
        WHERE controller = ?1 AND version < ?2 AND state <> 'ended'";
    /// The day of its beginning has come. What the operator suspended is not taken up again by a later one.
    AGREEMENT_BEGUN(3) = "UPDATE agreement SET state = 'in-force' \
        WHERE controller = ?1 AND id = ?2 AND state = 'signed' AND starts <= ?3 AND NOT EXISTS (SELECT 1 \
        FROM agreement AS stopped WHERE stopped.controller = ?1 AND stopped.state = 'suspended' \
        AND stopped.moved_by = 'processor')";
    /// One side moves it from one state to another; an end that is known stays when none is given. What the operator
    /// suspended stays stopped by him, whoever ends it, or whatever day.
    AGREEMENT_MOVED(7) = "UPDATE agreement SET state = ?4, ends = COALESCE(?6, ends), \
        moved_by = CASE WHEN state = 'suspended' AND moved_by = 'processor' AND ?4 = 'ended' THEN moved_by \
        ELSE ?5 END, \
        moved = CASE WHEN state = 'suspended' AND moved_by = 'processor' AND ?4 = 'ended' THEN moved ELSE ?7 END \
        WHERE controller = ?1 AND id = ?2 AND state = ?3";
    /// What waits for its day is over with what the operator ended.
    AGREEMENTS_WAITING_END(3) = "UPDATE agreement SET state = 'ended', moved_by = ?2, ends = ?3, moved = ?3 \
        WHERE controller = ?1 AND state = 'signed'";
    /// Those whose day has come: of beginning, or of ending.
    AGREEMENTS_DUE(1) = "SELECT id, controller, version, state FROM agreement \
        WHERE (state = 'signed' AND starts <= ?1 AND NOT EXISTS (SELECT 1 FROM agreement AS stopped \
        WHERE stopped.controller = agreement.controller AND stopped.state = 'suspended' \
        AND stopped.moved_by = 'processor')) OR (state IN ('in-force', 'suspended') AND ends <= ?1) ORDER BY id";
    /// Those in force that should have been looked at again, and of which nobody was reminded.
    AGREEMENT_REVIEWS(1) = "SELECT id, controller FROM agreement WHERE state = 'in-force' AND review <= ?1 \
        AND NOT EXISTS (SELECT 1 FROM controller_notice AS told WHERE told.controller = agreement.controller \
        AND told.kind = 'agreement-review' AND told.about = agreement.id) ORDER BY id";
    /// The same of instructions.
    INSTRUCTION_REVIEWS(1) = "SELECT id, controller FROM instruction WHERE state = 'in-force' AND review <= ?1 \
        AND NOT EXISTS (SELECT 1 FROM controller_notice AS told WHERE told.controller = instruction.controller \
        AND told.kind = 'instruction-review' AND told.about = instruction.id) ORDER BY id";
    /// A controller's agreements, oldest first.
    AGREEMENTS_OF(1) = "SELECT id, version, state, starts, ends, document, paper, review, moved_by FROM agreement \
        WHERE controller = ?1 ORDER BY version";

    /// The controller has given an instruction (GDPR Art. 28(3)(a)), as long as no later one is in force and the
    /// agreement under which it was looked at is.
    INSTRUCTION_GIVEN(12) = "INSERT INTO instruction (id, controller, version, state, starts, operations, streams, \
        messages_per_day_max, paper, review, document) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 \
        WHERE NOT EXISTS (SELECT 1 FROM instruction AS later WHERE later.controller = ?2 AND later.version > ?3 \
        AND later.state = 'in-force') AND EXISTS (SELECT 1 FROM agreement AS under WHERE under.controller = ?2 \
        AND under.id = ?12 AND under.state = 'in-force')";
    /// One that was held comes into force, under the same conditions.
    INSTRUCTION_CONFIRMED(7) = "UPDATE instruction SET state = 'in-force', starts = ?3, operations = ?4, streams = ?5, \
        messages_per_day_max = ?6 WHERE controller = ?1 AND id = ?2 AND state = 'held' \
        AND NOT EXISTS (SELECT 1 FROM instruction AS later WHERE later.controller = ?1 \
        AND later.version > instruction.version AND later.state = 'in-force') AND EXISTS (SELECT 1 \
        FROM agreement AS under WHERE under.controller = ?1 AND under.id = ?7 AND under.state = 'in-force')";
    /// One in force is held: what it rests on has changed.
    INSTRUCTION_HELD(2) = "UPDATE instruction SET state = 'held' \
        WHERE controller = ?1 AND id = ?2 AND state = 'in-force'";
    /// All earlier ones give way to the one in force.
    INSTRUCTIONS_REPLACED(2) = "UPDATE instruction SET state = 'superseded' \
        WHERE controller = ?1 AND state <> 'superseded' AND version < (SELECT known.version \
        FROM instruction AS known WHERE known.controller = ?1 AND known.id = ?2)";
    /// A credential gets its keys for SCRAM once.
    CREDENTIAL_SCRAM(3) = "UPDATE credential SET scram = ?3 WHERE controller = ?1 AND id = ?2 AND scram IS NULL";
    /// The name that people are told from now on.
    CONTROLLER_SHOWN(2) = "UPDATE controller SET shown = ?2 WHERE id = ?1";
    /// A controller's instructions, oldest first.
    INSTRUCTIONS_OF(1) = "SELECT id, version, state, starts, streams, messages_per_day_max, paper, review, document \
        FROM instruction WHERE controller = ?1 ORDER BY version";
    /// What an instruction says of a purpose. Its kind never changes.
    PURPOSE_SAID(8) = "INSERT INTO purpose (id, controller, name, kind, parent, bases, reference, texts, made, ended) \
        VALUES (?1, ?2, ?3, ?4, NULL, ?5, ?6, ?7, ?8, NULL) ON CONFLICT (controller, name) DO UPDATE \
        SET bases = excluded.bases, reference = excluded.reference, texts = excluded.texts \
        WHERE purpose.kind = excluded.kind AND purpose.parent IS NULL";
    /// What an instruction says of a stream. Its kind never changes.
    STREAM_SAID(7) = "INSERT INTO stream (id, controller, name, kind, purpose, purposes, terms) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (controller, name) DO UPDATE \
        SET purpose = excluded.purpose, purposes = excluded.purposes, terms = excluded.terms \
        WHERE stream.kind = excluded.kind";
}
