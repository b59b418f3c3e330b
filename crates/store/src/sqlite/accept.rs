//! Taking a message in: everything that one acceptance commits together.
//!
//! Invariant: all reading comes before all writing, and the first write is the only one that may find that it is
//! not allowed; so an acceptance that is not `Done` has kept nothing, without a savepoint.

use crate::engine::{
    AcceptOutcome, AcceptRows, BodyKey, BodyPlace, BodyRow, IdempotencyRecord, IdempotencyRow, MessageRow, SlotRef,
};
use crate::error::Result;
use crate::facts::write_restriction;
use crate::sqlite::facts;
use crate::sqlite::ledger_rows;
use crate::sqlite::query::{limit, one, run, signed};
use crate::statement as sql;
use mail::address::NORMALISER_VERSION;
use model::Timestamp;
use model::person::Restriction;
use rusqlite::{Connection, params};

/// See [`crate::engine::Engine::accept`].
pub(super) fn accept(connection: &Connection, rows: &AcceptRows) -> Result<AcceptOutcome> {
    if let Some(key) = &rows.idempotency
        && idempotency(connection, rows.controller, key.credential, &key.key)?.is_some()
    {
        return Ok(AcceptOutcome::Repeated);
    }
    for message in rows.messages.iter().filter(|message| message.slot_is_new) {
        let held: Option<SlotRef> = facts::subject(connection, message.controller, &message.tag)?;
        if held.is_some_and(|slot| slot != message.slot) {
            return Ok(AcceptOutcome::SlotTaken);
        }
    }
    for message in &rows.messages {
        // GDPR Art. 17: the writer does one thing after the other, so nobody is erased between here and the commit.
        let values = params![message.controller, message.tag];
        let restriction: Option<String> = one(connection, &sql::RESTRICTION, values, |row| row.get(0))?;
        if restriction.is_some_and(|word| word == write_restriction(Restriction::Erased)) {
            return Ok(AcceptOutcome::Erased);
        }
    }
    for row in &rows.mailed {
        // The writer does one thing after the other: what is right here is right at the commit.
        let found: Option<i64> = one(connection, &sql::MAILED, params![row.controller, row.tag], |found| found.get(0))?;
        if found.is_some_and(|version| version != row.version - 1) {
            return Ok(AcceptOutcome::Mailed);
        }
    }
    if !take_quota(connection, rows)? {
        return Ok(AcceptOutcome::Quota);
    }
    insert_body(connection, &rows.body)?;
    for message in &rows.messages {
        insert_message(connection, message)?;
    }
    for row in &rows.mailed {
        let values = params![row.controller, row.tag, row.version, row.times, row.ends.micros()];
        run(connection, &sql::MAILED_PUT, values)?;
    }
    ledger_rows::append(connection, &rows.entries)?;
    if let Some(key) = &rows.idempotency {
        keep_answer(connection, rows.controller, key, rows.at)?;
    }
    Ok(AcceptOutcome::Done)
}

fn take_quota(connection: &Connection, rows: &AcceptRows) -> Result<bool> {
    let wanted = rows.messages.len() as u64;
    if wanted > rows.quota_max {
        return Ok(false);
    }
    let max = i64::try_from(rows.quota_max).unwrap_or(i64::MAX);
    let touched =
        run(connection, &sql::QUOTA_TAKE, params![rows.account, rows.day, signed(wanted, "quota.used")?, max])?;
    Ok(touched == 1)
}

fn insert_body(connection: &Connection, body: &BodyRow) -> Result<()> {
    let (slot, epoch) = match body.key {
        BodyKey::Subject(slot) => (Some(slot), None),
        BodyKey::Epoch(epoch) => (None, Some(epoch)),
    };
    let in_file = body.place == BodyPlace::File;
    run(
        connection,
        &sql::BODY_INSERT,
        params![
            body.id,
            body.refs,
            slot.map(|slot| slot.block),
            slot.map(|slot| slot.slot),
            epoch,
            in_file,
            body.wrapped,
            &body.sealed[..],
        ],
    )?;
    Ok(())
}

fn insert_message(connection: &Connection, row: &MessageRow) -> Result<()> {
    if row.slot_is_new {
        run(
            connection,
            &sql::SUBJECT_INSERT,
            params![row.controller, row.tag, row.slot.block, row.slot.slot, NORMALISER_VERSION],
        )?;
    }
    run(
        connection,
        &sql::MESSAGE_INSERT,
        params![
            row.id,
            row.controller,
            row.stream,
            row.credential,
            row.agreement,
            row.instruction,
            row.domain,
            row.tag,
            row.slot.block,
            row.slot.slot,
            row.accepted.micros(),
            row.state,
            row.rule,
            row.event,
            row.body,
            row.envelope,
            row.head,
            row.purpose,
            row.grounds,
        ],
    )?;
    run(
        connection,
        &sql::QUEUE_INSERT,
        params![
            row.id,
            &*row.site,
            row.class,
            row.controller,
            row.due.micros(),
            row.stream,
            row.kind,
            row.tag,
            row.slot.block,
            row.slot.slot,
            row.domain,
            row.body,
            row.accepted.micros(),
            row.expires.micros(),
            row.part,
            row.purpose,
        ],
    )?;
    Ok(())
}

fn keep_answer(connection: &Connection, controller: i64, row: &IdempotencyRow, at: Timestamp) -> Result<()> {
    let values = params![controller, row.credential, row.key, row.request, at.micros(), row.answer];
    run(connection, &sql::IDEMPOTENCY_INSERT, values).map(drop)
}

/// See [`crate::engine::Engine::idempotency`].
pub(super) fn idempotency(
    connection: &Connection,
    controller: i64,
    credential: i64,
    key: &[u8; 16],
) -> Result<Option<IdempotencyRecord>> {
    one(connection, &sql::IDEMPOTENCY, params![controller, credential, key], |row| {
        Ok(IdempotencyRecord { request: row.get(0)?, answer: row.get(1)? })
    })
}

/// Forgets a slice of the answers made before a moment.
pub(super) fn forget(connection: &Connection, before: Timestamp, slice: usize) -> Result<usize> {
    run(connection, &sql::IDEMPOTENCY_FORGET, params![before.micros(), limit(slice)])
}
