//! Forward-only migrations: numbered texts, embedded, each run once and remembered with its SHA-256.
//!
//! Invariants: a step and its record are one transaction; several nodes may start at once, one of them runs the step
//! and the others find it done; a text that has run is never altered.
//! Never: a step back; work on a database made by a newer version, or on one that holds something else.

use super::connect::Target;
use super::db::{Db, Fault, Param, RUN_MAX, Repeat, column, transact};
use crate::error::{Error, Result, Unfit};
use aws_lc_rs::digest;
use deadpool_postgres::Transaction;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// One step. Its number is its place in the list, from 1.
pub(super) struct Step {
    /// File name, for the record.
    pub(super) name: &'static str,
    /// What it does.
    pub(super) text: &'static str,
}

/// Steps of the main database.
pub(super) const MAIN: &[Step] = &[
    Step { name: "main_0001", text: include_str!("migrations/main_0001.sql") },
    Step { name: "main_0002", text: include_str!("migrations/main_0002.sql") },
    Step { name: "main_0003", text: include_str!("migrations/main_0003.sql") },
    Step { name: "main_0004", text: include_str!("migrations/main_0004.sql") },
    Step { name: "main_0005", text: include_str!("migrations/main_0005.sql") },
    Step { name: "main_0006", text: include_str!("migrations/main_0006.sql") },
    Step { name: "main_0007", text: include_str!("migrations/main_0007.sql") },
    Step { name: "main_0008", text: include_str!("migrations/main_0008.sql") },
    Step { name: "main_0009", text: include_str!("migrations/main_0009.sql") },
    Step { name: "main_0010", text: include_str!("migrations/main_0010.sql") },
    Step { name: "main_0011", text: include_str!("migrations/main_0011.sql") },
    Step { name: "main_0012", text: include_str!("migrations/main_0012.sql") },
    Step { name: "main_0013", text: include_str!("migrations/main_0013.sql") },
    Step { name: "main_0014", text: include_str!("migrations/main_0014.sql") },
    Step { name: "main_0015", text: include_str!("migrations/main_0015.sql") },
    Step { name: "main_0016", text: include_str!("migrations/main_0016.sql") },
    Step { name: "main_0017", text: include_str!("migrations/main_0017.sql") },
    Step { name: "main_0018", text: include_str!("migrations/main_0018.sql") },
    Step { name: "main_0019", text: include_str!("migrations/main_0019.sql") },
    Step { name: "main_0020", text: include_str!("migrations/main_0020.sql") },
    Step { name: "main_0021", text: include_str!("migrations/main_0021.sql") },
    Step { name: "main_0022", text: include_str!("migrations/main_0022.sql") },
    Step { name: "main_0023", text: include_str!("migrations/main_0023.sql") },
    Step { name: "main_0024", text: include_str!("migrations/main_0024.sql") },
    Step { name: "main_0025", text: include_str!("migrations/main_0025.sql") },
    Step { name: "main_0026", text: include_str!("migrations/main_0026.sql") },
    Step { name: "main_0027", text: include_str!("migrations/main_0027.sql") },
    Step { name: "main_0028", text: include_str!("migrations/main_0028.sql") },
];

/// Steps of the keys database.
pub(super) const KEYS: &[Step] = &[Step { name: "keys_0001", text: include_str!("migrations/keys_0001.sql") }];

const RECORD: &str = "CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY, \
    name TEXT COLLATE \"C\" NOT NULL, sha256 BYTEA NOT NULL)";
/// Only one node at a time; another's step may take long.
const ALONE: &str = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; \
    LOCK TABLE migration IN ACCESS EXCLUSIVE MODE";
const DONE: &str = "SELECT number, name, sha256 FROM migration ORDER BY number";
const REMEMBER: &str = "INSERT INTO migration (number, name, sha256) VALUES ($1, $2, $3)";
/// How long a step may take.
const STEP_MAX: Duration = Duration::from_secs(3_600);
/// Two nodes that make the same table at once: one of them is told so, and looks again.
const RECORD_RUNS_MAX: u32 = 10;

/// Brings a database to the newest form.
///
/// # Errors
/// [`Error::NewerSchema`] when a newer version made it; [`Unfit::OtherSchema`], [`Unfit::OtherStep`].
pub(super) async fn run(db: &Db, target: &Target, steps: &'static [Step]) -> Result<()> {
    make_record(db).await?;
    loop {
        let is_done: Result<bool, Fault> = transact!(db, Repeat::Safe, within STEP_MAX, tx => {
            tx.batch_execute(ALONE).await?;
            step(&tx, &target.database, steps).await
        });
        if is_done.map_err(Fault::into_error)? {
            return Ok(());
        }
    }
}

async fn make_record(db: &Db) -> Result<()> {
    let mut runs = 0;
    loop {
        runs += 1;
        let connection = db.connection().await.map_err(Fault::into_error)?;
        let made = tokio::time::timeout(RUN_MAX, connection.batch_execute(RECORD)).await;
        let Err(error) = made.map_err(|_| Error::Engine("PostgreSQL did not answer in time".to_owned()))? else {
            return Ok(());
        };
        // `IF NOT EXISTS` is no promise against another that makes it at this very moment.
        let is_race = matches!(
            error.code(),
            Some(&SqlState::UNIQUE_VIOLATION | &SqlState::DUPLICATE_TABLE | &SqlState::DUPLICATE_OBJECT)
        );
        if !is_race || runs >= RECORD_RUNS_MAX {
            return Err(Fault::of(&error).into_error());
        }
    }
}

/// Compares what has run, and runs the next step. True when there is none.
async fn step(tx: &Transaction<'_>, database: &str, steps: &[Step]) -> Result<bool, Fault> {
    let rows = tx.query(DONE, &[]).await?;
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let found: i64 = rows.last().map(|row| column(row, 0, "migration.number")).transpose()?.unwrap_or(0);
    for (row, step) in rows.iter().zip(steps) {
        let (name, hash): (&str, &[u8]) = (column(row, 1, "migration.name")?, column(row, 2, "migration.sha256")?);
        let database = database.to_owned();
        if name != step.name {
            let found = name.to_owned();
            return Err(Error::from(Unfit::OtherSchema { database, found, expected: step.name }).into());
        }
        if hash != sha256(step) {
            return Err(Error::from(Unfit::OtherStep { database, name: step.name }).into());
        }
    }
    if found > known {
        return Err(Error::NewerSchema { found, known }.into());
    }
    let Some(next) = usize::try_from(found).ok().and_then(|found| steps.get(found)) else { return Ok(true) };
    tx.batch_execute(next.text).await?;
    let params: [Param<'_>; 3] = [&(found + 1), &next.name, &sha256(next)];
    tx.execute(REMEMBER, &params).await?;
    Ok(false)
}

fn sha256(step: &Step) -> Vec<u8> {
    digest::digest(&digest::SHA256, step.text.as_bytes()).as_ref().to_vec()
}
