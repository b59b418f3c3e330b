//! The two databases of a folder without an engine's threads: for work on a store that no node uses.
//!
//! Invariants: the folder's lock is held as long as the value lives; both databases have the newest form.

use super::{connect, migrate};
use crate::copy::UNFINISHED;
use crate::error::{Error, Result};
use crate::sqlite::fault;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, OptionalExtension};
use std::fs::File;
use std::path::Path;

/// Pages in a log before it is copied into the database without being asked: nobody waits for that here.
const CHECKPOINT_PAGES: u32 = 4_096;

/// A folder.
pub(crate) struct Bare {
    /// `main.db`.
    pub(crate) main: Connection,
    /// `keys.db`.
    pub(crate) keys: Connection,
    /// The folder's lock.
    pub(crate) lock: File,
}

/// Opens or creates a folder's databases and takes its lock.
///
/// # Errors
/// [`crate::Error::Locked`], [`crate::Error::NewerSchema`], and those of files and SQLite.
pub(crate) fn open(dir: &Path) -> Result<Bare> {
    let lock = connect::take_folder(dir)?;
    let keys = database(&dir.join("keys.db"), migrate::KEYS)?;
    let main = database(&dir.join("main.db"), migrate::MAIN)?;
    Ok(Bare { main, keys, lock })
}

fn database(path: &Path, steps: &[migrate::Migration]) -> Result<Connection> {
    let connection = connect::writer(path)?;
    migrate::run(&connection, steps)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(fault)?;
    Ok(connection)
}

/// Is the main database whole? A copy into it that was cut short is finished first.
pub(super) fn whole(path: &Path) -> Result<()> {
    let connection = connect::reader(path)?;
    let table = connection.query_row(UNFINISHED, [], |row| row.get(0)).optional().map_err(fault)?;
    table.map_or(Ok(()), |table| Err(Error::HalfCopied { table }))
}

/// Empties a database's log.
pub(crate) fn empty_log(connection: &Connection) -> Result<()> {
    connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE).map_err(fault).map(drop)
}

/// What a fault of SQLite means.
pub(crate) fn fault_of(error: rusqlite::Error) -> crate::Error {
    fault(error)
}
