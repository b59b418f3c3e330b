//! Statements on accounts and on what is recorded about persons. Every one on a person names the controller.

use super::{statements, suppress};

statements! { POLICY:
    /// All controllers.
    CONTROLLERS(0) = "SELECT id, name, shown, tag_number FROM controller ORDER BY id";
    /// All agreements, oldest version first.
    AGREEMENTS(0) = "SELECT id, controller, version, state, starts, ends, document FROM agreement \
        ORDER BY controller, version";
    /// All instructions, oldest version first.
    INSTRUCTIONS(0) = "SELECT id, controller, version, state, starts, operations, streams, messages_per_day_max \
        FROM instruction ORDER BY controller, version";
    /// All streams.
    STREAMS(0) = "SELECT id, controller, name, kind, purpose, purposes, terms FROM stream ORDER BY id";
    /// All purposes and the lists below them.
    PURPOSES(0) = "SELECT id, controller, name, kind, parent, bases, reference, texts, ended FROM purpose ORDER BY id";
    /// All sending domains.
    DOMAINS(0) = "SELECT id, controller, name, verified, rsa_selector, rsa_key, ed25519_selector, ed25519_key, \
        return_path FROM domain ORDER BY id";
    /// All credentials.
    CREDENTIALS(0) = "SELECT id, controller, username, password, key_name, key, default_stream, streams, expires, \
        revoked, scram, scopes, note, made FROM credential ORDER BY id";

    /// What is ordered for what waits.
    QUEUE_ORDERS(0) = "SELECT controller, kind, given_by, site, stream, message, made, reason FROM queue_order \
        ORDER BY controller, kind, given_by, site, stream, message";

    /// A new controller.
    CONTROLLER_INSERT(3) = "INSERT INTO controller (id, name, created) VALUES (?1, ?2, ?3)";
    /// A new agreement.
    AGREEMENT_INSERT(7) = "INSERT INTO agreement (id, controller, version, state, starts, ends, document) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    /// The newest agreement's state; an end that is known stays when none is given.
    AGREEMENT_STATE(3) = "UPDATE agreement SET state = ?2, ends = COALESCE(?3, ends) WHERE controller = ?1 \
        AND version = (SELECT MAX(newest.version) FROM agreement AS newest WHERE newest.controller = ?1 \
        AND newest.state <> 'signed')";
    /// Every earlier instruction gives way to the new one.
    INSTRUCTION_SUPERSEDE(1) = "UPDATE instruction SET state = 'superseded' \
        WHERE controller = ?1 AND state <> 'superseded'";
    /// A new instruction.
    INSTRUCTION_INSERT(8) = "INSERT INTO instruction (id, controller, version, state, starts, operations, streams, \
        messages_per_day_max) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    /// The current instruction's state.
    INSTRUCTION_STATE(2) = "UPDATE instruction SET state = ?2 WHERE controller = ?1 AND state <> 'superseded'";
    /// A new stream.
    STREAM_INSERT(7) = "INSERT INTO stream (id, controller, name, kind, purpose, purposes, terms) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    /// A new purpose, or a list below one.
    PURPOSE_INSERT(9) = "INSERT INTO purpose (id, controller, name, kind, parent, bases, reference, texts, made, \
        ended) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL)";
    /// A new sending domain.
    DOMAIN_INSERT(8) = "INSERT INTO domain (id, controller, name, verified, rsa_selector, rsa_key, ed25519_selector, \
        ed25519_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    /// A new credential.
    CREDENTIAL_INSERT(14) = "INSERT INTO credential (id, controller, username, password, key_name, key, \
        default_stream, streams, expires, revoked, scram, scopes, note, made) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    /// A credential is revoked once.
    CREDENTIAL_REVOKE(3) = "UPDATE credential SET revoked = ?3 WHERE controller = ?1 AND id = ?2 AND revoked IS NULL";

    /// Suppresses in a scope.
    SUPPRESS(7) = suppress!("VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", "");
    /// Restricts a person. Erasure is final: nothing weaker replaces it.
    RESTRICT(4) = "INSERT INTO restriction (controller, tag, kind, since) VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT (controller, tag) DO UPDATE SET kind = excluded.kind, since = excluded.since \
        WHERE restriction.kind <> 'erased'";
    /// What a day's allowance has lost already: of a controller's own mail, or by a number below zero of what the
    /// platform writes for him.
    QUOTA(2) = "SELECT used FROM quota WHERE controller = ?1 AND day = ?2";
    /// What nobody asks for any more: a row a controller and day.
    QUOTA_FORGET(1) = "DELETE FROM quota WHERE day < ?1";
}

// A row at a time, where PostgreSQL takes sets.
statements! { POLICY_SQLITE:
    /// A person's secret, and since when nothing may speak of him any more.
    SUBJECT(2) = "SELECT block, slot, leaving FROM subject WHERE controller = ?1 AND tag = ?2";
    /// A person gets a secret; the first one stays.
    SUBJECT_INSERT(5) = "INSERT INTO subject (controller, tag, block, slot, normaliser) VALUES (?1, ?2, ?3, ?4, ?5) \
        ON CONFLICT (controller, tag) DO NOTHING";
    /// Where an import stands.
    BATCH_STATE(2) = "SELECT state FROM batch WHERE controller = ?1 AND id = ?2";
    /// A person's secret, whether his address is kept, and since when nothing may speak of him any more.
    SUBJECT_KEPT(2) = "SELECT block, slot, address IS NOT NULL, leaving FROM subject \
        WHERE controller = ?1 AND tag = ?2";
    /// A person comes with an import, or his address does. No row for one who has another secret by now.
    SUBJECT_IMPORT(7) = "INSERT INTO subject (controller, tag, block, slot, normaliser, address, batch) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (controller, tag) DO UPDATE \
        SET batch = CASE WHEN subject.address IS NULL THEN excluded.batch ELSE subject.batch END, \
        address = COALESCE(subject.address, excluded.address) \
        WHERE subject.block = excluded.block AND subject.slot = excluded.slot";
    /// A basis comes with an import, where there is none. What is recorded already stands before what a file says.
    BASIS_IMPORT(11) = "INSERT INTO basis (controller, tag, purpose, kind, given, confirmed, evidence, notice, batch, \
        origin, inform) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
        ON CONFLICT (controller, tag, purpose) DO NOTHING";
    /// A row waits for its provenance.
    QUARANTINE_IMPORT(6) = "INSERT INTO quarantine (batch, line, controller, tag, missing, sealed) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (batch, line) DO NOTHING";
    /// Every scope in which a person is suppressed.
    SUPPRESSIONS(2) = "SELECT scope, reason, since, ends FROM suppression WHERE controller = ?1 AND tag = ?2 \
        ORDER BY scope";
    /// What restricts a person.
    RESTRICTION(2) = "SELECT kind FROM restriction WHERE controller = ?1 AND tag = ?2";
    /// A person's basis for a purpose.
    BASIS(3) = "SELECT basis.kind, basis.given, basis.confirmed, basis.withdrawn, basis.expires, basis.evidence, \
        basis.notice, basis.batch, CASE WHEN batch.informed IS NULL THEN basis.inform END FROM basis \
        LEFT JOIN batch ON batch.id = basis.batch \
        WHERE basis.controller = ?1 AND basis.tag = ?2 AND basis.purpose = ?3";
    /// The marketing that was accepted for a person.
    MAILED(2) = "SELECT version, times FROM mailed WHERE controller = ?1 AND tag = ?2";
    /// Counts what is accepted for a person. No row touched means that it is not the version it was made from.
    MAILED_PUT(5) = "INSERT INTO mailed (controller, tag, version, times, ends) VALUES (?1, ?2, ?3, ?4, ?5) \
        ON CONFLICT (controller, tag) DO UPDATE SET version = excluded.version, times = excluded.times, \
        ends = excluded.ends WHERE mailed.version = excluded.version - 1";
    /// Until when a person wants no marketing, and how often otherwise.
    PAUSED(2) = "SELECT paused, frequency FROM preference WHERE controller = ?1 AND tag = ?2";
    /// Takes from a day's allowance; no row touched means that there is not enough left.
    QUOTA_TAKE(4) = "INSERT INTO quota (controller, day, used) VALUES (?1, ?2, ?3) \
        ON CONFLICT (controller, day) DO UPDATE SET used = quota.used + excluded.used \
        WHERE quota.used + excluded.used <= ?4";
}
