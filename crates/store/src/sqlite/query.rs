//! Running statements of the registry, and the translation of SQLite's faults into ours.
//!
//! Never: a value of a row in an error's text.

use crate::error::{Error, Result};
use crate::statement::Statement;
use rusqlite::{CachedStatement, Connection, ErrorCode, Params, Row};

/// What a fault of SQLite means.
///
/// `Unknown` stands for every fault after which the file may not be what the connection thinks it is: the writer
/// stops on it. A reader turns it into a plain failure ([`read_fault`]).
pub(super) fn fault(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full,
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            // Extended codes say which call failed; they are numbers and names no one.
            tracing::error!(code = error.sqlite_error().map(|fault| fault.extended_code), "the database file failed");
            Error::Unknown
        }
        // SQLite's own words name tables and columns, never values.
        _ => Error::Engine(error.to_string()),
    }
}

/// A reader wrote nothing, so nothing is unknown.
pub(super) fn read_fault(error: Error) -> Error {
    match error {
        Error::Unknown => Error::Engine("the file could not be read".to_owned()),
        other => other,
    }
}

/// Was it a key that is there already?
pub(super) fn is_conflict(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// A statement, prepared once per connection.
pub(super) fn prepared<'c>(connection: &'c Connection, statement: &Statement) -> Result<CachedStatement<'c>> {
    connection.prepare_cached(statement.text).map_err(|error| match fault(error) {
        Error::Engine(words) => Error::Engine(format!("{}: {words}", statement.name)),
        other => other,
    })
}

/// Runs a statement and answers how many rows it touched.
pub(super) fn run(connection: &Connection, statement: &Statement, params: impl Params) -> Result<usize> {
    prepared(connection, statement)?.execute(params).map_err(fault)
}

/// The first row, if there is one.
pub(super) fn one<T>(
    connection: &Connection,
    statement: &Statement,
    params: impl Params,
    map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>> {
    match prepared(connection, statement)?.query_row(params, map) {
        Ok(value) => Ok(Some(value)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(fault(error)),
    }
}

/// Every row. Statements with many rows take a limit as a parameter.
pub(super) fn many<T>(
    connection: &Connection,
    statement: &Statement,
    params: impl Params,
    map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut prepared = prepared(connection, statement)?;
    prepared.query_map(params, map).map_err(fault)?.collect::<rusqlite::Result<Vec<T>>>().map_err(fault)
}

/// A count or index as SQLite keeps it.
pub(super) fn signed(value: u64, column: &'static str) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::Row { column })
}

/// A limit as SQLite takes it.
pub(super) fn limit(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
