//! The keys database: sealed keys, and persons' sealed secrets, a row a slot.
//!
//! Invariants: what is destroyed is first written over with zeros, and only then, if at all, removed; a row of zeros
//! is no key and no secret. An UPDATE leaves the old row in its page until VACUUM moves the rows below over it, so
//! each destruction ends with one; what else keeps old octets, and for how long, is in decision 18.
//! Never: a key written over another.

use super::Core;
use super::accounts::{ERASURES, raise};
use super::db::{Db, Fault, Repeat, column, glance, many, one, run, transact};
use super::rows::{moment, number};
use super::translate::translated;
use crate::engine::{KeyRow, SlotRef};
use crate::error::{Error, Result};
use crate::statement as sql;
use deadpool_postgres::{Object, Transaction};
use std::time::Duration;

/// Slots of a block.
const SLOTS: usize = 256;
/// How often it is looked whether somebody still sees the rows of before …
const LOOKS_MAX: usize = 50;
/// … and the pause between.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
const VACUUM_SETTINGS: &str = "SET statement_timeout = 0; SET lock_timeout = '30s'";
/// Takes out what nobody sees any more. Indexes and the file's length are left to the server's own vacuum.
const VACUUM_SLOTS: &str = "VACUUM (INDEX_CLEANUP OFF, TRUNCATE OFF) subject_block";
const VACUUM_KEYS: &str = "VACUUM (INDEX_CLEANUP OFF, TRUNCATE OFF) key";

/// See [`crate::engine::Engine::keys`].
pub(super) async fn keys(db: &Db) -> Result<Vec<KeyRow>> {
    let read: Result<Vec<KeyRow>, Fault> = glance!(db, tx => {
        let rows = many(&tx, &sql::KEYS, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(KeyRow {
                    controller: column(row, 0, "key.controller")?,
                    kind: number(row, 1, "key.kind")?,
                    epoch: column(row, 2, "key.epoch")?,
                    sealed: column(row, 3, "key.sealed")?,
                    created: moment(row, 4, "key.created")?,
                })
            })
            .collect()
    });
    let mut keys = read.map_err(Fault::into_error)?;
    // Zeros: it was being destroyed when its node went down.
    keys.retain(|key| is_something(&key.sealed));
    Ok(keys)
}

/// See [`crate::engine::Engine::put_key`].
pub(super) async fn put_key(db: &Db, key: &KeyRow) -> Result<()> {
    let (kind, created) = (i64::from(key.kind), key.created.micros());
    let mut runs = 0;
    let written: Result<(), Fault> = transact!(db, Repeat::Safe, tx => {
        runs += 1;
        if runs > 1 && let Some(row) = one(&tx, &sql::KEY_READ, &[&key.controller, &kind, &key.epoch]).await? {
            // Sealed octets are never the same twice: it is ours, of a COMMIT that was not answered.
            let there: &[u8] = column(&row, 0, "key.sealed")?;
            return if there == key.sealed { Ok(()) } else { Err(Fault::Conflict) };
        }
        run(&tx, &sql::KEY_INSERT, &[&key.controller, &kind, &key.epoch, &key.sealed, &created]).await.map(drop)
    });
    exists(written, "key")
}

/// See [`crate::engine::Engine::rewrap_keys`].
pub(super) async fn rewrap_keys(db: &Db, keys: &[KeyRow]) -> Result<()> {
    let number: Result<_, Fault> = transact!(db, Repeat::Safe, tx => {
        for key in keys {
            let kind = i64::from(key.kind);
            run(&tx, &sql::KEY_REWRAP, &[&key.controller, &kind, &key.epoch, &key.sealed]).await?;
        }
        number_of(&tx).await
    });
    vacuum(db, VACUUM_KEYS, &number.map_err(Fault::into_error)?).await
}

/// See [`crate::engine::Engine::destroy_key`].
///
/// Crash between the steps ⇒ zeros are left, which are no key; a second call goes on.
pub(super) async fn destroy_key(db: &Db, controller: i64, kind: u8, epoch: i64) -> Result<()> {
    let kind = i64::from(kind);
    let blanked: Result<_, Fault> = transact!(db, Repeat::Safe, tx => {
        let touched = run(&tx, &sql::KEY_BLANK, &[&controller, &kind, &epoch]).await?;
        Ok((touched, number_of(&tx).await?))
    });
    let (touched, number) = blanked.map_err(Fault::into_error)?;
    if touched == 0 {
        return Ok(());
    }
    vacuum(db, VACUUM_KEYS, &number).await?;
    let removed: Result<usize, Fault> =
        transact!(db, Repeat::Safe, tx => { run(&tx, &sql::KEY_DELETE, &[&controller, &kind, &epoch]).await });
    removed.map(drop).map_err(Fault::into_error)
}

/// See [`crate::engine::Engine::put_block`].
pub(super) async fn put_block(db: &Db, block: i64, controller: i64, sealed: &[u8]) -> Result<()> {
    put_blocks(db, controller, &[(block, sealed.to_vec())]).await
}

/// See [`crate::engine::Engine::put_blocks`].
pub(super) async fn put_blocks(db: &Db, controller: i64, blocks: &[(i64, Vec<u8>)]) -> Result<()> {
    if blocks.iter().any(|(_, sealed)| sealed.is_empty() || !sealed.len().is_multiple_of(SLOTS)) {
        return Err(Error::Row { column: "subject_block.sealed" });
    }
    let mut runs = 0;
    let written: Result<(), Fault> = transact!(db, Repeat::Safe, tx => {
        runs += 1;
        for (block, sealed) in blocks {
            let slots = sealed.chunks_exact(sealed.len() / SLOTS);
            let (numbers, slots): (Vec<i64>, Vec<&[u8]>) = (0_i64..).zip(slots).unzip();
            let first = slots.first().copied().unwrap_or_default();
            let row = match runs {
                1 => None,
                _ => one(&tx, &sql::SLOTS, &[&[*block].as_slice(), &[0_i64].as_slice()]).await?,
            };
            match row {
                // Sealed octets are never the same twice: it is ours, of a COMMIT that was not answered.
                Some(row) if column::<&[u8]>(&row, 1, "subject_block.sealed")? == first => {}
                Some(_) => return Err(Fault::Conflict),
                None => run(&tx, &sql::BLOCK_WRITE, &[block, &controller, &numbers, &slots]).await.map(drop)?,
            }
        }
        Ok(())
    });
    exists(written, "block of subject secrets")
}

/// See [`crate::engine::Engine::slots`]: one query.
pub(super) async fn slots(db: &Db, slots: &[SlotRef]) -> Result<Vec<Option<Vec<u8>>>> {
    let blocks: Vec<i64> = slots.iter().map(|slot| slot.block).collect();
    let numbers: Vec<i64> = slots.iter().map(|slot| i64::from(slot.slot)).collect();
    let read: Result<_, Fault> = glance!(db, tx => {
        let mut found = vec![None; slots.len()];
        for row in many(&tx, &sql::SLOTS, &[&blocks, &numbers]).await? {
            let place: usize = number(&row, 0, "subject_block.place")?;
            let sealed: Vec<u8> = column(&row, 1, "subject_block.sealed")?;
            if let Some(slot) = place.checked_sub(1).and_then(|place| found.get_mut(place)) {
                *slot = Some(sealed).filter(|sealed| is_something(sealed));
            }
        }
        Ok(found)
    });
    read.map_err(Fault::into_error)
}

/// See [`crate::engine::Engine::destroy_slots`]. GDPR Art. 17: with the secret, everything sealed under it is gone.
///
/// Crash before the counter is raised ⇒ the slots are zeros, but other nodes may still know the secret: the caller has
/// had no answer and asks again. Each step may be done twice.
pub(super) async fn destroy_slots(core: &Core, slots: &[SlotRef]) -> Result<()> {
    let blanked: Result<_, Fault> = transact!(core.keys, Repeat::Safe, tx => {
        let mut touched = 0;
        for slot in slots {
            touched += run(&tx, &sql::SLOT_BLANK, &[&slot.block, &i64::from(slot.slot)]).await?;
        }
        Ok((touched, number_of(&tx).await?))
    });
    let (touched, number) = blanked.map_err(Fault::into_error)?;
    if touched < slots.len() {
        return Err(Error::NotFound { what: "block" });
    }
    let raised: Result<(), Fault> = transact!(core.main, Repeat::Safe, tx => { raise(&tx, &[ERASURES]).await });
    raised.map_err(Fault::into_error)?;
    vacuum(&core.keys, VACUUM_SLOTS, &number).await
}

/// Outside a transaction, for as long as it takes, and when nobody sees the rows of before any more, if that is soon.
async fn vacuum(db: &Db, text: &'static str, done_by: &str) -> Result<()> {
    let connection = db.connection().await.map_err(Fault::into_error)?;
    let outcome = vacuum_on(&connection, text, done_by).await;
    // Its settings are not those of the others.
    drop(Object::take(connection));
    outcome.map_err(Fault::into_error)
}

async fn vacuum_on(connection: &Object, text: &'static str, done_by: &str) -> Result<(), Fault> {
    connection.batch_execute(VACUUM_SETTINGS).await?;
    let looking = connection.prepare_cached(&translated(&sql::SEEN_BEFORE)).await?;
    for _ in 0..LOOKS_MAX {
        let row = connection.query_one(&looking, &[&done_by]).await?;
        if column::<i64>(&row, 0, "snapshots")? == 0 {
            break;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    Ok(connection.batch_execute(text).await?)
}

/// The number of the transaction, as `xid` writes it.
async fn number_of(tx: &Transaction<'_>) -> Result<String, Fault> {
    let row = one(tx, &sql::TRANSACTION_NUMBER, &[]).await?;
    Ok(row.map(|row| column(&row, 0, "transaction")).transpose()?.unwrap_or_default())
}

fn is_something(sealed: &[u8]) -> bool {
    sealed.iter().any(|octet| *octet != 0)
}

fn exists(written: Result<(), Fault>, what: &'static str) -> Result<()> {
    match written {
        Err(Fault::Conflict) => Err(Error::Exists { what }),
        outcome => outcome.map_err(Fault::into_error),
    }
}
