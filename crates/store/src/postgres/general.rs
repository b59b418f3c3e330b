//! Statements of the registry that both engines run by one text, with values and rows as both keep them.

use super::accounts::insert;
use super::db::{Db, Fault, Param, column, glance, many};
use crate::engine::{Finding, Writes};
use crate::error::Result;
use crate::value::Value;
use deadpool_postgres::Transaction;

/// See [`crate::engine::Engine::find`].
pub(super) async fn find(db: &Db, finding: &Finding) -> Result<Vec<Vec<Value>>> {
    let found: Result<_, Fault> = glance!(db, tx => {
        let rows = many(&tx, finding.statement, &params(&finding.values)).await?;
        let read = |row: &tokio_postgres::Row| {
            (0..row.len()).map(|at| column(row, at, finding.statement.name)).collect::<Result<Vec<Value>, Fault>>()
        };
        rows.iter().map(read).collect::<Result<Vec<_>, Fault>>()
    });
    found.map_err(Fault::into_error)
}

/// The steps in order. What the first one touched is the answer; when that is nothing, the others are not done.
pub(super) async fn write(tx: &Transaction<'_>, writes: &Writes) -> Result<usize, Fault> {
    let mut touched = None;
    for step in &writes.steps {
        let rows = insert(tx, step.statement, writes.what, &params(&step.values)).await?;
        if *touched.get_or_insert(rows) == 0 {
            break;
        }
    }
    Ok(touched.unwrap_or(0))
}

fn params(values: &[Value]) -> Vec<Param<'_>> {
    values.iter().map(|value| -> Param<'_> { value }).collect()
}
