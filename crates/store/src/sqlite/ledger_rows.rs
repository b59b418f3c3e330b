//! The ledger's rows: inbox, chunks, heads.

use crate::cluster::ledger_part;
use crate::engine::{ChunkRow, EntryRow, HeadMove, HeadRow};
use crate::error::{Error, Result};
use crate::sqlite::facts::unsigned;
use crate::sqlite::query::{limit, many, one, run, signed};
use crate::statement as sql;
use rusqlite::{Connection, params};

/// Entries wait for their place. The inbox's id is given after the transaction's reads, so what an event saw
/// always stands before it.
pub(super) fn append(connection: &Connection, entries: &[EntryRow]) -> Result<()> {
    for entry in entries {
        run(connection, &sql::INBOX_INSERT, params![entry.controller, entry.bytes, ledger_part(entry.controller)])?;
    }
    Ok(())
}

/// See [`crate::engine::Engine::inbox`].
pub(super) fn inbox(connection: &Connection, rows: usize) -> Result<Vec<(i64, EntryRow)>> {
    many(connection, &sql::INBOX, params![limit(rows)], |row| {
        Ok((row.get(0)?, EntryRow { controller: row.get(1)?, bytes: row.get(2)? }))
    })
}

/// See [`crate::engine::Engine::sequence`]. Everything is looked at before the first write, so `false` kept nothing.
pub(super) fn sequence(
    connection: &Connection,
    chunks: &[ChunkRow],
    heads: &[HeadMove],
    drained: &[i64],
) -> Result<bool> {
    for step in heads {
        let size: Option<i64> = one(connection, &sql::HEAD_SIZE, [step.head.controller], |row| row.get(0))?;
        if unsigned(size.unwrap_or(0)) != step.was {
            return Ok(false);
        }
    }
    for chunk in chunks {
        let first = signed(chunk.first, "ledger_chunk.first_index")?;
        run(connection, &sql::CHUNK_INSERT, params![chunk.controller, first, chunk.count, chunk.entries])?;
    }
    for HeadMove { was, head } in heads {
        let (size, was) = (signed(head.size, "ledger_head.size")?, signed(*was, "ledger_head.size")?);
        run(connection, &sql::HEAD_PUT, params![head.controller, size, head.frontier, was])?;
    }
    for id in drained {
        // The writer does one thing after the other: an entry that is gone was drained by nobody but us.
        if run(connection, &sql::INBOX_DRAIN, [id])? == 0 {
            return Err(Error::Engine("an entry of the ledger left the inbox twice".to_owned()));
        }
    }
    Ok(true)
}

/// See [`crate::engine::Engine::heads`].
pub(super) fn heads(connection: &Connection) -> Result<Vec<HeadRow>> {
    many(connection, &sql::HEADS, [], |row| {
        Ok(HeadRow { controller: row.get(0)?, size: unsigned(row.get(1)?), frontier: row.get(2)? })
    })
}

/// See [`crate::engine::Engine::chunks`].
pub(super) fn chunks(connection: &Connection, controller: i64, from: u64, rows: usize) -> Result<Vec<ChunkRow>> {
    let from = signed(from, "ledger_chunk.first_index")?;
    many(connection, &sql::CHUNKS, params![controller, from, limit(rows)], |row| {
        Ok(ChunkRow { controller: row.get(0)?, first: unsigned(row.get(1)?), entries: row.get(2)?, count: row.get(3)? })
    })
}
