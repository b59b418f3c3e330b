//! Reading the queue and a message's story; the mark that an attempt begins.

use crate::engine::{
    AttemptRecord, BacklogRow, BodyKey, BodyPlace, BodyRow, ContentRow, MessageRecord, QueuedRow, StartRow,
};
use crate::error::Result;
use crate::sqlite::facts::{moment, slot_at, unsigned};
use crate::sqlite::query::{fault, limit, many, one, prepared, run};
use crate::statement as sql;
use bytes::Bytes;
use model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// See [`crate::engine::Engine::backlog`].
pub(super) fn backlog(connection: &Connection) -> Result<Vec<BacklogRow>> {
    many(connection, &sql::BACKLOG, [], |row| {
        Ok(BacklogRow {
            site: row.get(0)?,
            class: row.get(1)?,
            controller: row.get(2)?,
            due: moment(row, 3)?,
            count: unsigned(row.get(4)?),
        })
    })
}

/// See [`crate::engine::Engine::due`].
pub(super) fn due(
    connection: &Connection,
    site: &str,
    class: u8,
    controller: i64,
    now: Timestamp,
    rows: usize,
) -> Result<Vec<QueuedRow>> {
    many(connection, &sql::DUE, params![site, class, controller, now.micros(), limit(rows)], queued)
}

/// See [`crate::engine::Engine::expired`].
pub(super) fn expired(
    connection: &Connection,
    site: &str,
    now: Timestamp,
    before: i64,
    rows: usize,
) -> Result<Vec<QueuedRow>> {
    many(connection, &sql::EXPIRED, params![site, now.micros(), before, limit(rows)], queued)
}

/// See [`crate::engine::Engine::started`].
pub(super) fn started(connection: &Connection, from_id: i64, rows: usize) -> Result<Vec<QueuedRow>> {
    many(connection, &sql::STARTED, params![from_id, limit(rows)], queued)
}

/// See [`crate::engine::Engine::contents`].
pub(super) fn contents(connection: &Connection, ids: &[i64]) -> Result<Vec<Option<ContentRow>>> {
    let mut statement = prepared(connection, &sql::CONTENT)?;
    let mut contents = Vec::with_capacity(ids.len());
    for id in ids {
        contents.push(statement.query_row([id], content).optional().map_err(fault)?);
    }
    Ok(contents)
}

/// See [`crate::engine::Engine::start`].
pub(super) fn start(connection: &Connection, row: StartRow) -> Result<bool> {
    Ok(run(connection, &sql::START, params![row.id, row.attempt, row.at.micros()])? == 1)
}

/// See [`crate::engine::Engine::message`].
pub(super) fn message(connection: &Connection, controller: i64, id: i64) -> Result<Option<MessageRecord>> {
    let found = one(connection, &sql::MESSAGE, params![id, controller], |row| {
        Ok(MessageRecord {
            id: row.get(0)?,
            stream: row.get(1)?,
            state: row.get(2)?,
            accepted: moment(row, 3)?,
            event: row.get(4)?,
            slot: slot_at(row, 5)?,
            envelope: row.get(7)?,
            rule: row.get(8)?,
            purpose: row.get(9)?,
            tag: row.get(10)?,
            attempts: Vec::new(),
        })
    })?;
    let Some(mut record) = found else { return Ok(None) };
    record.attempts = many(connection, &sql::ATTEMPTS, params![id, controller], |row| {
        Ok(AttemptRecord {
            // Below zero: held, which is no attempt.
            attempt: u32::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
            at: moment(row, 1)?,
            event_word: row.get(2)?,
            code: row.get(3)?,
            enhanced: row.get(4)?,
            rule: row.get(5)?,
            event: row.get(6)?,
            uncertain: row.get(7)?,
            transcript: row.get(8)?,
        })
    })?;
    Ok(Some(record))
}

/// See [`crate::engine::Engine::bodies_outside`].
pub(super) fn bodies_outside(connection: &Connection, ids: &[i64]) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    for id in ids {
        found.extend(one(connection, &sql::BODY_OUTSIDE, [id], |row| row.get::<_, i64>(0))?);
    }
    Ok(found)
}

fn queued(row: &Row<'_>) -> rusqlite::Result<QueuedRow> {
    Ok(QueuedRow {
        id: row.get(0)?,
        controller: row.get(1)?,
        stream: row.get(2)?,
        kind: row.get(3)?,
        site: row.get(4)?,
        tag: row.get(5)?,
        slot: slot_at(row, 6)?,
        domain: row.get(8)?,
        body: row.get(9)?,
        due: moment(row, 10)?,
        attempts: row.get(11)?,
        accepted: moment(row, 12)?,
        expires: moment(row, 13)?,
        uncertain: row.get(14)?,
        purpose: row.get(15)?,
    })
}

fn content(row: &Row<'_>) -> rusqlite::Result<ContentRow> {
    let key = match row.get::<_, Option<i64>>(6)? {
        Some(epoch) => BodyKey::Epoch(epoch),
        None => BodyKey::Subject(slot_at(row, 4)?),
    };
    let place = if row.get(7)? { BodyPlace::File } else { BodyPlace::Row };
    Ok(ContentRow {
        envelope: row.get(0)?,
        head: row.get(1)?,
        body: BodyRow {
            id: row.get(2)?,
            refs: row.get(3)?,
            key,
            wrapped: row.get(8)?,
            sealed: Bytes::from(row.get::<_, Vec<u8>>(9)?),
            place,
        },
    })
}
