//! The ledger's rows: inbox, heads, chunks.
//!
//! Invariants: an entry's number is taken by the last statement of its transaction, so what an event saw stands before
//! it; heads move by comparison, and before anything else, so of two sequencers one keeps everything and the other
//! nothing.

use super::db::{Db, Fault, Param, Repeat, column, glance, many, run, transact};
use super::rows::{limit, number, signed};
use crate::cluster::ledger_part;
use crate::engine::{ChunkRow, EntryRow, HeadMove, HeadRow};
use crate::error::{Error, Result};
use crate::statement as sql;
use deadpool_postgres::Transaction;

/// Entries wait for their place, in this order.
pub(super) async fn add(tx: &Transaction<'_>, entries: &[&EntryRow]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let controllers: Vec<i64> = entries.iter().map(|entry| entry.controller).collect();
    let octets: Vec<&[u8]> = entries.iter().map(|entry| entry.bytes.as_slice()).collect();
    let parts: Vec<i64> = entries.iter().map(|entry| i64::from(ledger_part(entry.controller))).collect();
    run(tx, &sql::INBOX_INSERT_ALL, &[&controllers, &octets, &parts]).await.map(drop)
}

/// See [`crate::engine::Engine::append`]. After a COMMIT that was not answered nothing says whether they are there, so
/// the caller is told so.
pub(super) async fn append(db: &Db, entries: &[EntryRow]) -> Result<()> {
    let entries: Vec<&EntryRow> = entries.iter().collect();
    let added: Result<(), Fault> = transact!(db, Repeat::Never, tx => { add(&tx, &entries).await });
    added.map_err(Fault::into_error)
}

/// See [`crate::engine::Engine::inbox`].
pub(super) async fn inbox(db: &Db, groups: Option<Vec<u16>>, rows: usize) -> Result<Vec<(i64, EntryRow)>> {
    let groups: Option<Vec<i64>> = groups.map(|groups| groups.into_iter().map(i64::from).collect());
    let read: Result<_, Fault> = glance!(db, tx => {
        let rows = match &groups {
            Some(groups) => many(&tx, &sql::INBOX_OF, &[groups, &limit(rows)]).await?,
            None => many(&tx, &sql::INBOX, &[&limit(rows)]).await?,
        };
        rows.iter()
            .map(|row| {
                let controller = column(row, 1, "ledger_inbox.controller")?;
                let bytes = column(row, 2, "ledger_inbox.entry")?;
                Ok((column(row, 0, "ledger_inbox.id")?, EntryRow { controller, bytes }))
            })
            .collect::<Result<Vec<_>, Fault>>()
    });
    read.map_err(Fault::into_error)
}

/// See [`crate::engine::Engine::sequence`]. A second run after a COMMIT that was not answered finds the heads moved
/// and says false: the caller reads them anew, and finds that it was itself.
pub(super) async fn sequence(db: &Db, chunks: &[ChunkRow], heads: &[HeadMove], drained: &[i64]) -> Result<bool> {
    let outcome: Result<(), Fault> = transact!(db, Repeat::Safe, tx => {
        if move_heads(&tx, heads).await? != heads.len() {
            return Err(Fault::Conflict);
        }
        if run(&tx, &sql::INBOX_DRAIN_ALL, &[&drained]).await? != drained.len() {
            return Err(Fault::Conflict);
        }
        insert_chunks(&tx, chunks).await
    });
    match outcome {
        Ok(()) => Ok(true),
        Err(Fault::Conflict) => Ok(false),
        Err(fault) => Err(fault.into_error()),
    }
}

async fn move_heads(tx: &Transaction<'_>, heads: &[HeadMove]) -> Result<usize, Fault> {
    let controllers: Vec<i64> = heads.iter().map(|step| step.head.controller).collect();
    let index = |value| signed(value, "ledger_head.size");
    let sizes = heads.iter().map(|step| index(step.head.size)).collect::<Result<Vec<_>, _>>()?;
    let frontiers: Vec<&[u8]> = heads.iter().map(|step| step.head.frontier.as_slice()).collect();
    let were = heads.iter().map(|step| index(step.was)).collect::<Result<Vec<_>, _>>()?;
    run(tx, &sql::HEADS_MOVE, &[&controllers, &sizes, &frontiers, &were]).await
}

async fn insert_chunks(tx: &Transaction<'_>, chunks: &[ChunkRow]) -> Result<(), Fault> {
    let controllers: Vec<i64> = chunks.iter().map(|chunk| chunk.controller).collect();
    let firsts = chunks.iter().map(|chunk| signed(chunk.first, "ledger_chunk.first_index"));
    let firsts = firsts.collect::<Result<Vec<_>, _>>()?;
    let spans: Vec<i64> = chunks.iter().map(|chunk| i64::from(chunk.count)).collect();
    let entries: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.entries.as_slice()).collect();
    match run(tx, &sql::CHUNKS_INSERT, &[&controllers, &firsts, &spans, &entries]).await {
        // The heads said that there was room: this is damage, and no race.
        Err(Fault::Conflict) => {
            Err(Error::Engine("a run of ledger entries is there already, beyond its head".to_owned()).into())
        }
        outcome => outcome.map(drop),
    }
}

/// See [`crate::engine::Engine::heads`].
pub(super) async fn heads(db: &Db) -> Result<Vec<HeadRow>> {
    let read: Result<_, Fault> = glance!(db, tx => {
        let rows = many(&tx, &sql::HEADS, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(HeadRow {
                    controller: column(row, 0, "ledger_head.controller")?,
                    size: number(row, 1, "ledger_head.size")?,
                    frontier: column(row, 2, "ledger_head.frontier")?,
                })
            })
            .collect::<Result<Vec<_>, Fault>>()
    });
    read.map_err(Fault::into_error)
}

/// See [`crate::engine::Engine::chunks`].
pub(super) async fn chunks(db: &Db, controller: i64, from: u64, rows: usize) -> Result<Vec<ChunkRow>> {
    let read: Result<_, Fault> = glance!(db, tx => {
        let params: [Param<'_>; 3] = [&controller, &signed(from, "ledger_chunk.first_index")?, &limit(rows)];
        let rows = many(&tx, &sql::CHUNKS, &params).await?;
        rows.iter()
            .map(|row| {
                Ok(ChunkRow {
                    controller: column(row, 0, "ledger_chunk.controller")?,
                    first: number(row, 1, "ledger_chunk.first_index")?,
                    entries: column(row, 2, "ledger_chunk.entries")?,
                    count: number(row, 3, "ledger_chunk.span")?,
                })
            })
            .collect::<Result<Vec<_>, Fault>>()
    });
    read.map_err(Fault::into_error)
}
