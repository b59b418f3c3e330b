//! A pair of databases, looked at, brought to the newest form, and found to belong together.
//!
//! Invariants: what cannot be used is refused before anything is written; the keys database is made where it is not
//! there and we may; of several nodes that do all this at once, each finds the same in the end.

use super::connect::{Target, quoted};
use super::db::{Db, Fault};
use super::{checks, migrate};
use crate::error::{Error, Result, Unfit};
use std::path::Path;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// How often a server is asked for that does not answer, or is starting.
const REACHES_MAX: u32 = 8;
/// The first pause between; doubled each time.
const REACH_PAUSE: Duration = Duration::from_millis(20);

/// Connections to each.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// To the main database.
    pub(super) main: usize,
    /// To the keys database.
    pub(super) keys: usize,
}

/// Two databases that belong together.
pub(super) struct Pair {
    /// The main database.
    pub(super) main: Db,
    /// The way to it.
    pub(super) main_at: Target,
    /// The keys database.
    pub(super) keys: Db,
}

/// Opens them.
///
/// # Errors
/// [`Unfit`], [`Error::NewerSchema`]; [`Error::Engine`] when the server fails meanwhile.
pub(super) async fn open(url: &str, keys_url: Option<&str>, ca: Option<&Path>, sizes: Sizes) -> Result<Pair> {
    let main_at = Target::of(url, ca)?;
    let keys_at = match keys_url {
        Some(url) => Target::of(url, ca)?,
        None => main_at.sibling(&format!("{}_keys", main_at.database)),
    };
    if (&main_at.hosts, &main_at.database) == (&keys_at.hosts, &keys_at.database) {
        return Err(Unfit::SameDatabase { database: main_at.database }.into());
    }
    let (main, keys) = (main_at.pool(sizes.main)?, keys_at.pool(sizes.keys)?);
    reach(&main, &main_at).await?;
    match reach(&keys, &keys_at).await {
        Err(Error::Unfit(Unfit::NoDatabase { .. })) if keys_url.is_none() => {
            make(&main, &keys_at).await?;
            reach(&keys, &keys_at).await?;
        }
        outcome => outcome?,
    }
    for (db, at) in [(&main, &main_at), (&keys, &keys_at)] {
        checks::pooler(db, at).await?;
        checks::server(db, at).await?;
    }
    // Keys first, as always: what refers to them comes after.
    migrate::run(&keys, &keys_at, migrate::KEYS).await?;
    migrate::run(&main, &main_at, migrate::MAIN).await?;
    checks::pair((&main, &main_at), (&keys, &keys_at)).await?;
    Ok(Pair { main, main_at, keys })
}

/// Asks until the server answers, or says why it does not.
pub(super) async fn reach(db: &Db, target: &Target) -> Result<()> {
    let mut pause = REACH_PAUSE;
    for runs in 1.. {
        let Err(error) = db.reach().await else { break };
        let refusal = target.refusal(&error);
        if runs >= REACHES_MAX || !matches!(refusal, Error::Unfit(Unfit::Unreachable { .. })) {
            return Err(refusal);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Ok(())
}

/// Makes the keys database beside the main one, if we may and nobody else just did.
async fn make(main: &Db, keys_at: &Target) -> Result<()> {
    let connection = main.connection().await.map_err(Fault::into_error)?;
    let text = format!("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0", quoted(&keys_at.database));
    let Err(error) = connection.batch_execute(&text).await else { return Ok(()) };
    match error.code() {
        Some(&SqlState::DUPLICATE_DATABASE | &SqlState::UNIQUE_VIOLATION) => Ok(()),
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Err(Unfit::NoDatabase {
            hosts: keys_at.hosts.clone(),
            database: keys_at.database.clone(),
            line: keys_at.creation(),
        }
        .into()),
        _ => Err(Fault::of(&error).into_error()),
    }
}
