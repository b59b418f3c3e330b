//! Several statements of one transaction on their way at once.
//!
//! Each is sent when it is first polled, and the server runs them one after the other, in the order in which they
//! were sent: `tokio::join!(biased; …)` of these, with statements that were made ready before, is that order. Each
//! reads what was committed before it began (READ COMMITTED). The results are looked at in the same order: after one
//! that failed, the others only say that the transaction is over.

use super::columns::Set;
use super::db::Fault;
use super::translate::translated;
use crate::statement::Statement;
use deadpool_postgres::Transaction;
use tokio_postgres::{Row, Statement as Ready};

/// Makes a statement ready. Known already on most connections.
pub(super) async fn ready(tx: &Transaction<'_>, statement: &Statement) -> Result<Ready, Fault> {
    Ok(tx.prepare_cached(&translated(statement)).await?)
}

/// Writes a set and answers how many rows it touched. An empty set needs no statement.
pub(super) async fn touch(tx: &Transaction<'_>, ready: &Ready, set: &impl Set) -> Result<usize, Fault> {
    if set.rows() == 0 {
        return Ok(0);
    }
    Ok(usize::try_from(tx.execute(ready, &set.params()).await?).unwrap_or(usize::MAX))
}

/// Writes or reads a set and answers what comes back. An empty set needs no statement.
pub(super) async fn fetch(tx: &Transaction<'_>, ready: &Ready, set: &impl Set) -> Result<Vec<Row>, Fault> {
    if set.rows() == 0 {
        return Ok(Vec::new());
    }
    Ok(tx.query(ready, &set.params()).await?)
}
