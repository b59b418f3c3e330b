//! What is looked at before a database is used: refused where it cannot be, warned about where it keeps less than
//! its answers promise.
//!
//! Invariants: every refusal and every warning is a sentence that says what to do; nothing is written before the
//! pooler and the server have been looked at.

use super::connect::{Target, quoted};
use super::db::{Db, Fault, Repeat, column, glance, one, transact};
use crate::error::{Error, Result, Unfit};
use crate::statement as sql;
use crate::vault::crypto;
use deadpool_postgres::{Object, Transaction};
use std::time::Duration;
use tokio_postgres::SimpleQueryMessage;

/// `server_version_num` of the oldest that will do.
const VERSION_MIN: i64 = 150_000;
/// Rounds of the question whether a pooler changes the session between transactions.
const POOLER_ROUNDS: usize = 3;
/// A pooler with one connection lets the second client wait.
const POOLER_WAIT_MAX: Duration = Duration::from_secs(5);

/// A server that keeps less than its answers promise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Doubt {
    #[error(
        "PostgreSQL runs with fsync off: a crash of its machine loses acknowledged mail or damages the database; set \
         fsync = on"
    )]
    Fsync,
    #[error(
        "PostgreSQL runs with full_page_writes off: a crash of its machine can damage the database; set \
         full_page_writes = on, unless the file system promises whole pages"
    )]
    FullPageWrites,
    #[error(
        "PostgreSQL answers a commit before it is on the disk (synchronous_commit = off): a crash loses acknowledged \
         mail; set synchronous_commit = on for this role"
    )]
    Unsynchronous,
    #[error(
        "PostgreSQL has standbys to wait for, but does not wait for them (synchronous_commit = local): a loss of the \
         primary loses acknowledged mail; set synchronous_commit = on for this role"
    )]
    LocalOnly,
    #[error(
        "PostgreSQL has no standby that a commit waits for: a loss of the primary loses acknowledged mail; add \
         standbys and name them in synchronous_standby_names, for example 'ANY 1 (b, c)'"
    )]
    NoStandby,
    #[error(
        "the standby of PostgreSQL is asynchronous: after a fail-over to it, mail that was acknowledged and opt-outs \
         that were recorded may be missing; name it in synchronous_standby_names, for example 'ANY 1 (b, c)'"
    )]
    Asynchronous,
}

/// Is it one that can be used, and may we?
pub(super) async fn server(db: &Db, target: &Target) -> Result<()> {
    let read: Result<(), Fault> = glance!(db, tx => {
        let Some(row) = one(&tx, &sql::SERVER, &[]).await? else {
            return Err(Error::Engine("PostgreSQL says nothing about itself".to_owned()).into());
        };
        let (number, version): (i64, String) = (column(&row, 0, "server_version")?, column(&row, 1, "server_version")?);
        let (encoding, is_standby): (String, bool) = (column(&row, 2, "encoding")?, column(&row, 3, "recovery")?);
        let (role, schema): (String, Option<String>) = (column(&row, 4, "role")?, column(&row, 5, "schema")?);
        let may_create: bool = column(&row, 6, "privilege")?;
        let (hosts, database) = (target.hosts.clone(), target.database.clone());
        let unfit = if number < VERSION_MIN {
            Unfit::Version { hosts, found: version, needed: 15 }
        } else if is_standby {
            Unfit::Standby { hosts }
        } else if encoding != "UTF8" {
            Unfit::Encoding { database, found: encoding }
        } else if !may_create {
            let schema = schema.unwrap_or_else(|| "public".to_owned());
            let line = format!("GRANT USAGE, CREATE ON SCHEMA {} TO {}", quoted(&schema), quoted(&role));
            Unfit::Rights { role, what: "make tables", database, line }
        } else if let Some(owner) = foreign_owner(&tx).await? {
            let line = format!("GRANT {} TO {}", quoted(&owner), quoted(&role));
            Unfit::Rights { role, what: "alter its tables", database, line }
        } else {
            return Ok(());
        };
        Err(Error::from(unfit).into())
    });
    read.map_err(Fault::into_error)
}

async fn foreign_owner(tx: &Transaction<'_>) -> Result<Option<String>, Fault> {
    one(tx, &sql::FOREIGN_OWNER, &[]).await?.map(|row| column(&row, 0, "owner")).transpose()
}

/// Is it no half of a copy?
pub(super) async fn whole(db: &Db, target: &Target) -> Result<()> {
    let read: Result<_, Fault> = glance!(db, tx => { Ok(tx.query_opt(crate::copy::UNFINISHED, &[]).await?.is_none()) });
    if read.map_err(Fault::into_error)? {
        return Ok(());
    }
    Err(Unfit::HalfCopied { database: target.database.clone() }.into())
}

/// What the server's answers are worth.
pub(super) async fn durability(db: &Db) -> Result<Vec<Doubt>> {
    let read: Result<_, Fault> = glance!(db, tx => {
        let Some(row) = one(&tx, &sql::DURABILITY, &[]).await? else { return Ok(Vec::new()) };
        let text = |at| column::<String>(&row, at, "setting");
        let standbys: i64 = column(&row, 4, "standbys")?;
        Ok(doubts([&text(0)?, &text(1)?, &text(2)?, &text(3)?], standbys))
    });
    read.map_err(Fault::into_error)
}

fn doubts([fsync, full_page_writes, synchronous_commit, named]: [&str; 4], standbys: i64) -> Vec<Doubt> {
    let none_named = named.trim().is_empty();
    let found = [
        (fsync == "off", Doubt::Fsync),
        (full_page_writes == "off", Doubt::FullPageWrites),
        (synchronous_commit == "off", Doubt::Unsynchronous),
        (synchronous_commit == "local" && !none_named, Doubt::LocalOnly),
        (none_named && standbys == 0, Doubt::NoStandby),
        (none_named && standbys > 0, Doubt::Asynchronous),
    ];
    found.into_iter().filter(|(is_so, _)| *is_so).map(|(_, doubt)| doubt).collect()
}

/// Does something between us and the server change the session with each transaction? Prepared statements and
/// settings would then be another's. While one connection is in a transaction, the other must have kept its session.
pub(super) async fn pooler(db: &Db, target: &Target) -> Result<()> {
    let refusal = || Error::from(Unfit::Pooler { hosts: target.hosts.clone() });
    let (first, second) = (connection(db, target).await?, connection(db, target).await?);
    for _ in 0..POOLER_ROUNDS {
        let probed = tokio::time::timeout(POOLER_WAIT_MAX, async {
            let before = session(&first).await?;
            second.simple_query("BEGIN; SELECT 1").await?;
            let after = session(&first).await;
            second.simple_query("ROLLBACK").await?;
            Ok::<_, Fault>((before, after?))
        });
        let (before, after) = probed.await.map_err(|_| refusal())?.map_err(Fault::into_error)?;
        if before.is_none() || before != after {
            return Err(refusal());
        }
    }
    Ok(())
}

async fn connection(db: &Db, target: &Target) -> Result<Object> {
    db.reach().await.map_err(|error| target.refusal(&error))
}

async fn session(connection: &Object) -> Result<Option<String>, Fault> {
    let rows = connection.simple_query("SELECT pg_backend_pid()").await?;
    Ok(rows.iter().find_map(|row| match row {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

/// Do the two databases belong together? Two new ones are made to. The keys database gets its identity first: it is
/// written ahead of the main one always.
pub(super) async fn pair((main, main_at): (&Db, &Target), (keys, keys_at): (&Db, &Target)) -> Result<()> {
    let names = || (main_at.database.clone(), keys_at.database.clone());
    // Other nodes may be doing the same: what is written first is read last.
    let (mut of_keys, has_keys) = (identity(keys).await?, has_keys(keys).await?);
    let of_main = identity(main).await?;
    if of_keys.is_none() {
        of_keys = match of_main {
            Some(_) => identity(keys).await?,
            None => Some(found(keys, crypto::random()?).await?),
        };
    }
    let Some(of_keys) = of_keys else {
        let (main, keys) = names();
        return Err(Unfit::KeysMissing { main, keys }.into());
    };
    if of_main.is_none() && has_keys {
        // Its own main database would have been written before any key was.
        let (main, keys) = names();
        return Err(Unfit::OtherInstallation { main, keys }.into());
    }
    let of_main = match of_main {
        Some(identity) => identity,
        None => found(main, of_keys).await?,
    };
    if of_main != of_keys {
        let (main, keys) = names();
        return Err(Unfit::OtherInstallation { main, keys }.into());
    }
    Ok(())
}

async fn identity(db: &Db) -> Result<Option<[u8; 16]>> {
    let read: Result<_, Fault> = glance!(db, tx => { read_identity(&tx).await });
    read.map_err(Fault::into_error)
}

async fn read_identity(tx: &Transaction<'_>) -> Result<Option<[u8; 16]>, Fault> {
    let row = one(tx, &sql::CLUSTER_IDENTITY, &[]).await?;
    row.map(|row| super::rows::octets(&row, 0, "cluster.identity")).transpose()
}

async fn has_keys(db: &Db) -> Result<bool> {
    let read: Result<_, Fault> = glance!(db, tx => {
        let row = one(&tx, &sql::KEY_ANY, &[]).await?;
        Ok(row.map(|row| column::<i64>(&row, 0, "key")).transpose()?.unwrap_or(0) > 0)
    });
    read.map_err(Fault::into_error)
}

/// Says which installation this is, unless another node was first; answers what stands.
async fn found(db: &Db, identity: [u8; 16]) -> Result<[u8; 16]> {
    let written: Result<_, Fault> = transact!(db, Repeat::Safe, tx => {
        super::db::run(&tx, &sql::CLUSTER_FOUND, &[&identity.as_slice()]).await?;
        read_identity(&tx).await
    });
    written.map_err(Fault::into_error)?.ok_or(Error::Row { column: "cluster.identity" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_acknowledged_commit_is_worth_is_said() {
        let safe = ["on", "on", "on", "ANY 1 (b, c)"];
        assert_eq!(doubts(safe, 2), []);
        assert_eq!(doubts(["off", "off", "on", "b"], 1), [Doubt::Fsync, Doubt::FullPageWrites]);
        assert_eq!(doubts(["on", "on", "off", "b"], 1), [Doubt::Unsynchronous]);
        assert_eq!(doubts(["on", "on", "local", "b"], 1), [Doubt::LocalOnly]);
        assert_eq!(doubts(["on", "on", "on", " "], 0), [Doubt::NoStandby]);
        assert_eq!(doubts(["on", "on", "local", ""], 1), [Doubt::Asynchronous]);
    }
}
