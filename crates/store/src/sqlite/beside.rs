//! A look and a short write beside a node that has the folder: no lock of the folder, no migration, one transaction.

use super::{connect, rows};
use crate::engine::{Finding, Writes};
use crate::error::Result;
use crate::sites::{Beside, missing};
use crate::sqlite::fault;
use rusqlite::TransactionBehavior;
use std::path::Path;

/// Writes, and then finds. `table`: the newest of those that are needed.
///
/// # Errors
/// [`crate::Error::NotFound`] when the folder holds no database with these tables.
pub(crate) fn beside<const LOOKS: usize>(
    folder: &Path,
    table: &str,
    writes: Option<&Writes>,
    looks: &[Finding; LOOKS],
) -> Result<Beside<LOOKS>> {
    let path = folder.join("main.db");
    if !path.is_file() {
        return Err(missing());
    }
    let mut connection = match writes {
        Some(_) => connect::writer(&path)?,
        None => connect::reader(&path)?,
    };
    let present: i64 = connection
        .query_row("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?1", [table], |row| row.get(0))
        .map_err(fault)?;
    if present == 0 {
        return Err(missing());
    }
    let behavior = if writes.is_some() { TransactionBehavior::Immediate } else { TransactionBehavior::Deferred };
    let transaction = connection.transaction_with_behavior(behavior).map_err(fault)?;
    let touched = writes.map_or(Ok(0), |writes| rows::write(&transaction, writes))?;
    let mut found = [const { Vec::new() }; LOOKS];
    for (rows, look) in found.iter_mut().zip(looks) {
        *rows = rows::find(&transaction, look)?;
    }
    transaction.commit().map_err(fault)?;
    Ok((touched, found))
}
