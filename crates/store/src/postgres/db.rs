//! Connections to one database, and the loop in which every transaction runs.
//!
//! Invariants: a transaction that fails keeps nothing and is tried again when the failure says that this helps (a
//! serialisation failure, a deadlock, a server that goes away); every verb in the loop may run twice, also after a
//! COMMIT whose fate is not known, so each is idempotent or says that it is not; a run has an end, also when the
//! server says nothing any more.
//! Never: the server's words about a row in an error (they may hold values); a prepared text outside the registry.
//! Source: PostgreSQL appendix A (SQLSTATE classes 08, 40, 53, 57).

use crate::error::{Error, Result};
use crate::postgres::translate::translated;
use crate::statement::Statement;
use deadpool_postgres::{Object, Pool, PoolError, Transaction};
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row};

/// A parameter.
pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// First pause before a transaction runs again; doubled each time.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// Runs of a transaction, pauses included about 12 seconds: longer than a fail-over, shorter than a client's patience.
const RUNS_MAX: u32 = 30;
/// What a run counts for that has waited long already.
const SLOW_RUN: u32 = 10;
/// How long a run may take. The server gives up a statement sooner; this is for a server that says nothing at all.
/// A COMMIT that waits for a standby ends here too: what became of it is then not known.
pub(super) const RUN_MAX: Duration = Duration::from_secs(35);

/// The connections to one database.
pub(super) struct Db {
    pool: Pool,
}

/// May a verb run again after a COMMIT that was not answered?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Repeat {
    /// Yes: a second run finds what the first did.
    Safe,
    /// No: the caller is told that it is not known.
    Never,
}

impl Db {
    pub(super) const fn new(pool: Pool) -> Self {
        Self { pool }
    }

    /// A connection, or what the driver says: for the start, where an operator reads it.
    pub(super) async fn reach(&self) -> Result<Object, PoolError> {
        self.pool.get().await
    }

    /// A connection.
    pub(super) async fn connection(&self) -> Result<Object, Fault> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => Fault::of(&error),
            PoolError::Closed => Fault::Final(Error::Closed),
            _ => Fault::Lost("no connection to PostgreSQL was free in time"),
        })
    }

    /// No connection is given any more.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// A failure, and what it means for the transaction.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing was kept; another run may do better.
    Again(&'static str),
    /// Nothing was kept, and it took long to learn that; another run may do better.
    Slow(&'static str),
    /// The connection is gone. Before COMMIT nothing was kept.
    Lost(&'static str),
    /// Patience is over. Whatever else is asked of the server would fare no better.
    Spent(&'static str),
    /// A key is there already.
    Conflict,
    /// Another run would fail the same way.
    Final(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::of(&error)
    }
}

impl Fault {
    /// What an error of the server or of the connection means.
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(state) = error.code() else {
            if error.is_closed() || std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>()) {
                return Self::Lost("the connection to PostgreSQL was lost");
            }
            // A value that does not fit its column, or an answer that was not understood: our own fault.
            return Self::Final(Error::Engine(format!("PostgreSQL: {error}")));
        };
        match *state {
            SqlState::UNIQUE_VIOLATION | SqlState::EXCLUSION_VIOLATION => Self::Conflict,
            SqlState::T_R_SERIALIZATION_FAILURE => Self::Again("a serialisation failure"),
            SqlState::T_R_DEADLOCK_DETECTED => Self::Again("a deadlock"),
            SqlState::DISK_FULL | SqlState::OUT_OF_MEMORY | SqlState::INSUFFICIENT_RESOURCES => {
                Self::Final(Error::Full)
            }
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::Lost("PostgreSQL is a standby here"),
            SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
                Self::Lost("PostgreSQL ended the session")
            }
            _ if state.code().starts_with("57P") || state.code().starts_with("08") => {
                Self::Lost("PostgreSQL is going away or starting")
            }
            SqlState::TOO_MANY_CONNECTIONS => Self::Again("PostgreSQL has no connection left"),
            SqlState::LOCK_NOT_AVAILABLE => Self::Slow("a lock of PostgreSQL was not had in time"),
            SqlState::QUERY_CANCELED => Self::Slow("a statement of PostgreSQL was cancelled or took too long"),
            // The code alone: the server's words may hold what was in a row.
            _ => Self::Final(Error::Engine(format!("PostgreSQL answered SQLSTATE {}", state.code()))),
        }
    }

    /// As an error, where nothing is run again.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Again(why) | Self::Slow(why) | Self::Lost(why) | Self::Spent(why) => Error::Engine(why.to_owned()),
            Self::Conflict => Error::Engine("a key is there already".to_owned()),
            Self::Final(error) => error,
        }
    }
}

/// Counts the runs of a transaction.
pub(super) struct Runs {
    left: u32,
    pause: Duration,
}

impl Runs {
    pub(super) const fn new() -> Self {
        Self { left: RUNS_MAX, pause: PAUSE_FIRST }
    }

    /// Waits before the next run; gives the failure back when there is none.
    pub(super) async fn pause(&mut self, fault: Fault) -> Result<(), Fault> {
        let (why, cost) = match fault {
            Fault::Again(why) | Fault::Lost(why) => (why, 1),
            Fault::Slow(why) => (why, SLOW_RUN),
            fault => return Err(fault),
        };
        self.left = self.left.saturating_sub(cost);
        if self.left == 0 {
            return Err(Fault::Spent(why));
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }
}

/// Begins a transaction that reads one picture of several tables.
pub(super) async fn picture(connection: &mut Object) -> Result<Transaction<'_>, Fault> {
    let begun = connection.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    Ok(begun.start().await?)
}

/// Runs a statement of the registry and answers how many rows it touched.
pub(super) async fn run(tx: &Transaction<'_>, statement: &Statement, params: &[Param<'_>]) -> Result<usize, Fault> {
    let prepared = tx.prepare_cached(&translated(statement)).await?;
    let touched = tx.execute(&prepared, params).await?;
    Ok(usize::try_from(touched).unwrap_or(usize::MAX))
}

/// Every row. Statements with many rows take a limit as a parameter.
pub(super) async fn many(tx: &Transaction<'_>, statement: &Statement, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
    let prepared = tx.prepare_cached(&translated(statement)).await?;
    Ok(tx.query(&prepared, params).await?)
}

/// The first row, if there is one.
pub(super) async fn one(
    tx: &Transaction<'_>,
    statement: &Statement,
    params: &[Param<'_>],
) -> Result<Option<Row>, Fault> {
    let prepared = tx.prepare_cached(&translated(statement)).await?;
    Ok(tx.query_opt(&prepared, params).await?)
}

/// A column, or the error that names it.
pub(super) fn column<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    at: usize,
    name: &'static str,
) -> Result<T, Fault> {
    row.try_get(at).map_err(|_| Fault::Final(Error::Row { column: name }))
}

/// Runs a block in a transaction, again and again while that helps, and commits.
///
/// `transact!(db, Repeat::Safe, tx => { …; Ok(value) })`: the block gives `Result<T, Fault>` and may run several times;
/// the whole gives `Result<T, Fault>`, where another run is of no use any more. `within LIMIT` after `repeat` bounds a
/// run more tightly than [`RUN_MAX`].
macro_rules! transact {
    ($db:expr, $repeat:expr, $tx:ident => $block:block) => {
        crate::postgres::db::transact!($db, $repeat, within crate::postgres::db::RUN_MAX, $tx => $block)
    };
    ($db:expr, $repeat:expr, within $limit:expr, $tx:ident => $block:block) => {
        crate::postgres::db::again!(async {
            let mut connection = $db.connection().await?;
            let mut committing = false;
            let run = async {
                let $tx = connection.transaction().await?;
                let outcome: Result<_, crate::postgres::db::Fault> = async { $block }.await;
                let value = outcome?;
                committing = true;
                match $tx.commit().await {
                    Ok(()) => Ok(value),
                    Err(error) => Err(crate::postgres::db::uncertain(&error, $repeat)),
                }
            };
            match tokio::time::timeout($limit, run).await {
                Ok(outcome) => outcome,
                Err(_) => Err(crate::postgres::db::silent(connection, committing && $repeat == Repeat::Never)),
            }
        })
    };
}
pub(super) use transact;

/// Reads one picture of several tables, again and again while that helps: `glance!(db, tx => { …; Ok(value) })`.
macro_rules! glance {
    ($db:expr, $tx:ident => $block:block) => {
        crate::postgres::db::glance!($db, within crate::postgres::db::RUN_MAX, $tx => $block)
    };
    ($db:expr, within $limit:expr, $tx:ident => $block:block) => {
        crate::postgres::db::again!(async {
            let mut connection = $db.connection().await?;
            let run = async {
                let $tx = crate::postgres::db::picture(&mut connection).await?;
                let outcome: Result<_, crate::postgres::db::Fault> = async { $block }.await;
                outcome
            };
            match tokio::time::timeout($limit, run).await {
                Ok(outcome) => outcome,
                Err(_) => Err(crate::postgres::db::silent(connection, false)),
            }
        })
    };
}
pub(super) use glance;

/// Runs something again and again while that helps.
macro_rules! again {
    ($run:expr) => {{
        let mut runs = crate::postgres::db::Runs::new();
        loop {
            let outcome: Result<_, crate::postgres::db::Fault> = $run.await;
            match outcome {
                Ok(value) => break Ok(value),
                Err(fault) => {
                    if let Err(fault) = runs.pause(fault).await {
                        break Err(fault);
                    }
                }
            }
        }
    }};
}
pub(super) use again;

/// A COMMIT that failed: with a connection that is gone nobody knows whether it took place.
pub(super) fn uncertain(error: &tokio_postgres::Error, repeat: Repeat) -> Fault {
    match Fault::of(error) {
        Fault::Lost(_) if repeat == Repeat::Never => Fault::Final(Error::Unknown),
        fault => fault,
    }
}

/// The server said nothing for too long. The connection is closed: the next one would wait behind what is under way.
pub(super) fn silent(connection: Object, is_unknown: bool) -> Fault {
    drop(Object::take(connection));
    if is_unknown { Fault::Final(Error::Unknown) } else { Fault::Spent("PostgreSQL did not answer in time") }
}

/// Runs one statement that is a transaction by itself, again and again while that helps; every row. It may take place
/// twice: a COMMIT that was not answered is tried once more.
pub(super) async fn alone(db: &Db, statement: &Statement, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
    again!(async {
        let connection = db.connection().await?;
        let run = async {
            let prepared = connection.prepare_cached(&translated(statement)).await?;
            Ok(connection.query(&prepared, params).await?)
        };
        match tokio::time::timeout(RUN_MAX, run).await {
            Ok(outcome) => outcome,
            Err(_) => Err(silent(connection, false)),
        }
    })
}
