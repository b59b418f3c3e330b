//! Statements of the registry that both engines run by one text, with values and rows as both keep them.

use crate::engine::{Finding, Writes};
use crate::error::Result;
use crate::sqlite::policy::insert;
use crate::sqlite::query::{fault, prepared};
use crate::value::Value;
use rusqlite::{Connection, params_from_iter};

/// See [`crate::engine::Engine::find`]. The connection is in a transaction.
pub(super) fn find(connection: &Connection, finding: &Finding) -> Result<Vec<Vec<Value>>> {
    let mut statement = prepared(connection, finding.statement)?;
    let columns = statement.column_count();
    let rows = statement.query_map(params_from_iter(&finding.values), |row| {
        (0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<Vec<Value>>>()
    });
    rows.and_then(Iterator::collect).map_err(fault)
}

/// The steps in order. What the first one touched is the answer; when that is nothing, the others are not done.
pub(super) fn write(connection: &Connection, writes: &Writes) -> Result<usize> {
    let mut touched = None;
    for step in &writes.steps {
        let rows = insert(connection, step.statement, writes.what, params_from_iter(&step.values))?;
        if *touched.get_or_insert(rows) == 0 {
            break;
        }
    }
    Ok(touched.unwrap_or(0))
}
