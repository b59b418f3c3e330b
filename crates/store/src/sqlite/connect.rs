//! Connections with their settings.
//!
//! Invariants: files are readable by the owner alone; every connection erases what it deletes (`secure_delete`).
//! Never: a connection whose settings were not asked back.

pub(super) use crate::folder::take as take_folder;

use crate::error::{Error, Result};
use crate::folder::private_file;
use crate::sqlite::fault;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// Bytes of a page. Measured with 4 KiB incompressible bodies, 50 callers, accepted, started and settled: 19 KB are
/// written a message, against 29 KB with pages of 8 KiB (a page holds one body and is half empty) and 40 KB with
/// 16 KiB; CPU time is the same.
pub(super) const PAGE_BYTES: u32 = 4096;
/// Statements kept prepared on a connection.
const STATEMENTS_MAX: usize = 128;
/// KiB of page cache of the writer.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// KiB of page cache of each other connection.
const OTHER_CACHE_KIB: i64 = 4 * 1024;
/// How long a connection waits for another one's lock. Readers hold theirs for milliseconds.
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// The connection that writes. Creates the database when it is not there.
pub(super) fn writer(path: &Path) -> Result<Connection> {
    private_file(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_timeout(BUSY_WAIT).map_err(fault)?;
    // These two count only before the first table is made.
    pragma(&connection, "page_size", PAGE_BYTES)?;
    pragma(&connection, "auto_vacuum", "INCREMENTAL")?;
    expect_text(&connection, "journal_mode", "WAL", "wal")?;
    settle_in(&connection, WRITER_CACHE_KIB)?;
    // 250 is answered after the commit, so the commit must outlive a power cut.
    expect_number(&connection, "synchronous", "FULL", 2)?;
    // Checkpoints are made by us: SQLite's own would stop the writer in the middle of a batch.
    pragma(&connection, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// A connection that copies the log into the database beside the writer.
pub(super) fn checkpointer(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_timeout(BUSY_WAIT).map_err(fault)?;
    settle_in(&connection, OTHER_CACHE_KIB)?;
    expect_number(&connection, "synchronous", "FULL", 2)?;
    pragma(&connection, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_timeout(BUSY_WAIT).map_err(fault)?;
    pragma(&connection, "cache_size", -OTHER_CACHE_KIB)?;
    pragma(&connection, "temp_store", "MEMORY")?;
    pragma(&connection, "query_only", "ON")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

fn settle_in(connection: &Connection, cache_kib: i64) -> Result<()> {
    // GDPR Art. 17: what is deleted is overwritten with zeros, not only unlinked.
    expect_number(connection, "secure_delete", "ON", 1)?;
    pragma(connection, "foreign_keys", "OFF")?;
    pragma(connection, "temp_store", "MEMORY")?;
    pragma(connection, "cache_size", -cache_kib)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

fn pragma(connection: &Connection, name: &str, value: impl rusqlite::ToSql) -> Result<()> {
    // Some settings answer with a row, some with none; both are fine here.
    connection.pragma_update(None, name, value).map_err(fault)
}

fn expect_text(connection: &Connection, name: &'static str, value: &str, expected: &str) -> Result<()> {
    pragma(connection, name, value)?;
    let found: String = connection.pragma_query_value(None, name, |row| row.get(0)).map_err(fault)?;
    if found == expected { Ok(()) } else { Err(Error::Engine(format!("it kept {name} at {found}"))) }
}

fn expect_number(connection: &Connection, name: &'static str, value: &str, expected: i64) -> Result<()> {
    pragma(connection, name, value)?;
    let found: i64 = connection.pragma_query_value(None, name, |row| row.get(0)).map_err(fault)?;
    if found == expected { Ok(()) } else { Err(Error::Engine(format!("it kept {name} at {found}"))) }
}
