//! A look and a short write beside running nodes: joins nothing, makes no tables, one transaction.

use super::connect::Target;
use super::db::{Db, Fault, Repeat, transact};
use super::general;
use super::open::reach;
use crate::engine::{Finding, Writes};
use crate::error::{Error, Result};
use crate::sites::{Beside, missing};
use std::path::Path;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// How long it may take.
const TURN_MAX: Duration = Duration::from_secs(10);

/// Writes, and then finds.
///
/// # Errors
/// [`crate::Unfit`] when the database cannot be reached, [`Error::NotFound`] when it holds no store with these tables.
pub(crate) async fn beside<const LOOKS: usize>(
    url: &str,
    ca: Option<&Path>,
    writes: Option<&Writes>,
    looks: &[Finding; LOOKS],
) -> Result<Beside<LOOKS>> {
    let target = Target::of(url, ca)?;
    let db = target.pool(1)?;
    reach(&db, &target).await?;
    let done = turn(&db, writes, looks).await;
    db.close();
    match done {
        Err(Error::Engine(words)) if words.ends_with(SqlState::UNDEFINED_TABLE.code()) => Err(missing()),
        done => done,
    }
}

async fn turn<const LOOKS: usize>(db: &Db, writes: Option<&Writes>, looks: &[Finding; LOOKS]) -> Result<Beside<LOOKS>> {
    let touched = match writes {
        None => 0,
        Some(writes) => {
            let written: Result<usize, Fault> = transact!(db, Repeat::Safe, within TURN_MAX, tx => {
                general::write(&tx, writes).await
            });
            written.map_err(Fault::into_error)?
        }
    };
    let mut found = [const { Vec::new() }; LOOKS];
    for (rows, look) in found.iter_mut().zip(looks) {
        *rows = general::find(db, look).await?;
    }
    Ok((touched, found))
}
