//! The keys database: sealed keys, and blocks of sealed subject secrets.
//!
//! Invariants: a slot is destroyed where it lies, with zeros over its bytes; a slot of zeros is no secret.
//! Never: a key written over another.

use crate::engine::{KeyRow, SlotRef};
use crate::error::{Error, Result};
use crate::sqlite::facts::moment;
use crate::sqlite::query::{fault, is_conflict, many, one, prepared, run};
use crate::statement as sql;
use rusqlite::{Connection, OptionalExtension, params};
use std::io::{Seek, SeekFrom, Write};

/// Slots of a block.
const SLOTS: usize = 256;

/// See [`crate::engine::Engine::keys`].
pub(super) fn keys(connection: &Connection) -> Result<Vec<KeyRow>> {
    many(connection, &sql::KEYS, [], |row| {
        Ok(KeyRow {
            controller: row.get(0)?,
            kind: row.get(1)?,
            epoch: row.get(2)?,
            sealed: row.get(3)?,
            created: moment(row, 4)?,
        })
    })
}

/// See [`crate::engine::Engine::put_key`].
pub(super) fn put_key(connection: &Connection, key: &KeyRow) -> Result<()> {
    let values = params![key.controller, key.kind, key.epoch, key.sealed, key.created.micros()];
    match prepared(connection, &sql::KEY_INSERT)?.execute(values) {
        Ok(_) => Ok(()),
        Err(error) if is_conflict(&error) => Err(Error::Exists { what: "key" }),
        Err(error) => Err(fault(error)),
    }
}

/// See [`crate::engine::Engine::rewrap_keys`].
pub(super) fn rewrap_keys(connection: &Connection, keys: &[KeyRow]) -> Result<()> {
    keys.iter().try_for_each(|key| {
        let values = params![key.controller, key.kind, key.epoch, key.sealed];
        run(connection, &sql::KEY_REWRAP, values).map(drop)
    })
}

/// See [`crate::engine::Engine::destroy_key`].
pub(super) fn destroy_key(connection: &Connection, controller: i64, kind: u8, epoch: i64) -> Result<()> {
    run(connection, &sql::KEY_DELETE, params![controller, kind, epoch]).map(drop)
}

/// See [`crate::engine::Engine::put_block`].
pub(super) fn put_block(connection: &Connection, block: i64, controller: i64, sealed: &[u8]) -> Result<()> {
    if sealed.is_empty() || !sealed.len().is_multiple_of(SLOTS) {
        return Err(Error::Row { column: "subject_block.sealed" });
    }
    match prepared(connection, &sql::BLOCK_INSERT)?.execute(params![block, controller, sealed]) {
        Ok(_) => Ok(()),
        Err(error) if is_conflict(&error) => Err(Error::Exists { what: "block of subject secrets" }),
        Err(error) => Err(fault(error)),
    }
}

/// See [`crate::engine::Engine::slots`].
pub(super) fn slots(connection: &Connection, slots: &[SlotRef]) -> Result<Vec<Option<Vec<u8>>>> {
    let mut statement = prepared(connection, &sql::SLOT)?;
    let mut found = Vec::with_capacity(slots.len());
    for slot in slots {
        let sealed: Option<Vec<u8>> =
            statement.query_row(params![slot.block, slot.slot], |row| row.get(0)).optional().map_err(fault)?;
        found.push(sealed.filter(|sealed| sealed.iter().any(|byte| *byte != 0)));
    }
    Ok(found)
}

/// See [`crate::engine::Engine::destroy_slots`]. GDPR Art. 17: with the secret, everything sealed under it is gone.
pub(super) fn destroy_slot(connection: &Connection, slot: SlotRef) -> Result<()> {
    let size: Option<i64> = one(connection, &sql::BLOCK_SIZE, [slot.block], |row| row.get(0))?;
    let size = size.and_then(|size| usize::try_from(size).ok()).ok_or(Error::NotFound { what: "block" })?;
    let width = size / SLOTS;
    let offset = width as u64 * u64::from(slot.slot);
    let mut blob = connection.blob_open("main", "subject_block", "sealed", slot.block, false).map_err(fault)?;
    // A fault below comes as an I/O error that has lost its code; the transaction is rolled back on any.
    let written = blob.seek(SeekFrom::Start(offset)).and_then(|_| blob.write_all(&vec![0; width]));
    written.map_err(|error| Error::Engine(format!("a slot could not be overwritten: {error}")))?;
    blob.close().map_err(fault)
}
