//! Moving a store between SQLite and PostgreSQL: every row of both databases, offline, compared at the end.
//!
//! Invariants: nobody else uses either store meanwhile; rows go in pages by primary key, each page in one commit with
//! the record of how far the copy has come, so that a copy that was cut short goes on where it stopped; a target is
//! whole only when both sides were read back and had the same counts and hashes, and each ledger's tree, computed from
//! its entries, the root of its head. Texts of SQL are made here of the names in [`tables`] and of nothing else.
//! Never: a row written into a store that holds other rows; a node on a store that is not whole; more in memory than
//! two pages a side.

mod blocks;
mod bodies;
mod compare;
mod place;
mod postgres;
mod side;
mod sqlite;
mod state;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod value;

pub use compare::{ComparedTable, CopyReport};
pub use place::StorePlace;
pub(crate) use state::UNFINISHED;

use crate::cluster::{ledger_part, queue_part};
use crate::error::Error;
use crate::vault::KeyKind;
use aws_lc_rs::digest;
use model::{ControllerId, Timestamp};
use side::{PageLimit, Result, Side};
use state::{Progress, Stage, Step};
use std::path::PathBuf;
use tables::{Database, IDEMPOTENCY, KEY, LEDGER_INBOX, MESSAGE, QUEUE, TABLES, Table};
use value::{Row, Value, key_from_octets, key_to_octets};

/// Rows and octets of a page: a commit of some milliseconds, and memory that nobody misses.
const PAGE: PageLimit = PageLimit { rows: 4_096, octets: 8 * 1024 * 1024 };

/// What is older soon goes.
const PLACE_KEPT_MICROS: i64 = 90 * 86_400_000_000;

/// Why nothing was copied, or not all.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// A store failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// A place is none.
    #[error("a store is named sqlite:FOLDER or postgres://ROLE@HOST/DATABASE; one of the two is neither")]
    Place,
    /// Nothing to move.
    #[error("one of the two stores must be on SQLite and the other on PostgreSQL")]
    SameEngine,
    /// No store there.
    #[error("there is no store at {place}: nothing was ever kept there")]
    NoSource {
        /// Where.
        place: String,
    },
    /// The source is half a store.
    #[error("the store at {place} is the target of a copy that was not finished; finish that one first")]
    SourceUnfinished {
        /// Where.
        place: String,
    },
    /// The target holds something else.
    #[error("the store at {place} is not empty: its table {table} has rows; copy into an empty one")]
    NotEmpty {
        /// Where.
        place: String,
        /// The first table with rows.
        table: &'static str,
    },
    /// The target is a copy of something else.
    #[error("the store at {place} holds a copy of another store; copy into an empty one")]
    OtherSource {
        /// Where.
        place: String,
    },
    /// A node works there.
    #[error("the node {name} is alive on {place}; stop all nodes, wait ten seconds, and copy then")]
    NodeAlive {
        /// Where.
        place: String,
        /// Its name.
        name: String,
    },
    /// Somebody else copies.
    #[error("another copy works on one of the two stores, or a node is just starting there")]
    Busy,
    /// The lock was lost.
    #[error(
        "the connection that kept nodes away from PostgreSQL was lost; look that no node runs, and give the same \
         command again: it goes on where it stopped"
    )]
    NotAlone,
    /// Bodies are elsewhere.
    #[error("the store at {place} keeps large bodies outside its rows; name their folder with --bodies")]
    Bodies {
        /// Where.
        place: String,
    },
    /// A test wanted it so.
    #[error("the copy was cut short; give the same command again: it goes on where it stopped")]
    CutShort,
}

/// What to copy.
#[derive(Clone, Debug)]
pub struct CopyPlan {
    /// From where.
    pub from: StorePlace,
    /// To where. Made when it is not there.
    pub to: StorePlace,
    /// The folder of large bodies that the nodes on PostgreSQL share, if they share one.
    pub bodies: Option<PathBuf>,
    /// The present moment.
    pub now: Timestamp,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyStep {
    /// So many rows are to be copied, and so many were, by a copy that was cut short.
    Copying {
        /// All rows.
        rows: u64,
        /// Those that are there.
        done: u64,
    },
    /// So many rows are to be read back, on both sides together.
    Comparing {
        /// All rows.
        rows: u64,
    },
    /// A table is begun.
    Table(&'static str),
    /// So many rows more.
    Rows(u64),
}

/// Is told how far it is.
pub type Tell<'t> = &'t (dyn Fn(CopyStep) + Send + Sync);

/// Copies a store and compares the two. A copy that was cut short goes on; one that was finished is compared again.
///
/// # Errors
/// [`Refused`]. That the two differ is no error of this function: the report says it.
pub async fn copy_store(plan: &CopyPlan, tell: Tell<'_>) -> Result<CopyReport> {
    let (from, to) = place::open_both(plan).await?;
    let copied = copy_between(&*from, &*to, Manner { page: PAGE, pages_max: u64::MAX, now: plan.now }, tell).await;
    from.close().await;
    to.close().await;
    copied
}

/// How a copy is made.
#[derive(Clone, Copy)]
struct Manner {
    page: PageLimit,
    /// For tests: pages after which it is cut short.
    pages_max: u64,
    now: Timestamp,
}

async fn copy_between(from: &dyn Side, to: &dyn Side, manner: Manner, tell: Tell<'_>) -> Result<CopyReport> {
    let source = identity(from).await?;
    for database in Database::ALL {
        if from.progress(database).await?.iter().any(|table| table.stage < Stage::Confirmed) {
            return Err(Refused::SourceUnfinished { place: from.place().to_owned() });
        }
    }
    // The main database's record first: it is the one that keeps nodes away.
    let main = begun(to, Database::Main, source).await?;
    let keys = begun(to, Database::Keys, source).await?;
    let progress: Vec<Progress> = keys.into_iter().chain(main).collect();
    let work = Work { from, to, page: manner.page, tell };
    let total = work.announce(&progress).await?;
    if progress.iter().any(|table| table.stage < Stage::Confirmed) {
        to.make_room(oldest(from, manner.now).await?, manner.now).await?;
        let mut pages_left = manner.pages_max;
        for table in TABLES {
            let done = progress.iter().find(|done| done.name == table.name);
            let done = done.ok_or(Error::Row { column: "copy_state.name" })?;
            work.table(table, done, &mut pages_left).await?;
        }
        to.settle(from.last_entry().await?).await?;
    }
    let report = compare::both(&work, total).await?;
    from.still_alone().await?;
    to.still_alone().await?;
    if report.is_same() {
        // The main database last: with it, nodes may start.
        for database in Database::ALL {
            to.record(database, Stage::Confirmed).await?;
        }
    }
    Ok(report)
}

/// What a store is a copy of, or is: the sealed text by which a master key is known, which no two stores share.
async fn identity(from: &dyn Side) -> Result<[u8; 32]> {
    let missing = || Refused::NoSource { place: from.place().to_owned() };
    let table = TABLES.iter().find(|table| table.name == KEY).ok_or_else(missing)?;
    let check = [Value::Integer(ControllerId::OPERATOR.0), Value::Integer(KeyKind::Check as i64)];
    let mut after = Vec::new();
    loop {
        let rows = from.page(table, &after, PAGE).await?;
        after = key_of(table, rows.last().ok_or_else(missing)?);
        if let Some(row) = rows.iter().find(|row| row.starts_with(&check)) {
            let hash = digest::digest(&digest::SHA256, value::octets(table, row, "sealed")?);
            let mut identity = [0; 32];
            identity.copy_from_slice(hash.as_ref());
            return Ok(identity);
        }
    }
}

/// When the oldest message was made that is worth a place of its own in the target.
async fn oldest(from: &dyn Side, now: Timestamp) -> Result<Timestamp> {
    let one = PageLimit { rows: 1, octets: 1 };
    let earliest = now.micros().saturating_sub(PLACE_KEPT_MICROS);
    for table in TABLES.iter().filter(|table| table.name == MESSAGE) {
        if let Some(row) = from.page(table, &[], one).await?.first() {
            // Ids carry microseconds in their upper bits.
            let made = value::integer(table, row, "id")? / 1_024;
            return Ok(Timestamp::from_micros(made.clamp(earliest, now.micros().max(earliest))));
        }
    }
    Ok(now)
}

/// The record of a copy in a target; made, if the target is empty.
async fn begun(to: &dyn Side, database: Database, source: [u8; 32]) -> Result<Vec<Progress>> {
    let found = to.progress(database).await?;
    if !found.is_empty() {
        return match found.iter().all(|table| table.source == source) {
            true => Ok(found),
            false => Err(Refused::OtherSource { place: to.place().to_owned() }),
        };
    }
    for table in Table::of(database) {
        if to.count(table).await? > 0 {
            return Err(Refused::NotEmpty { place: to.place().to_owned(), table: table.name });
        }
    }
    to.begin(database, source).await?;
    to.progress(database).await
}

/// The two stores, and who is told.
struct Work<'w> {
    from: &'w dyn Side,
    to: &'w dyn Side,
    page: PageLimit,
    tell: Tell<'w>,
}

impl Work<'_> {
    /// Tells how much there is to do. Answers all rows of the source.
    async fn announce(&self, progress: &[Progress]) -> Result<u64> {
        let mut rows = 0;
        for table in TABLES {
            rows += self.from.count(table).await?;
        }
        let done = progress.iter().map(|table| u64::try_from(table.copied).unwrap_or(0)).sum();
        (self.tell)(CopyStep::Copying { rows, done });
        Ok(rows)
    }

    /// Copies what is missing of a table. While a page is written, the next one is read.
    async fn table(&self, table: &'static Table, done: &Progress, pages_left: &mut u64) -> Result<()> {
        if done.stage >= Stage::Copied {
            return Ok(());
        }
        (self.tell)(CopyStep::Table(table.name));
        let mut copied = done.copied;
        let mut after = key_from_octets(done.last.as_deref().unwrap_or_default())?;
        let mut rows = self.from.page(table, &after, self.page).await?;
        while let Some(last) = rows.last() {
            *pages_left = pages_left.checked_sub(1).ok_or(Refused::CutShort)?;
            after = key_of(table, last);
            let count = rows.len() as u64;
            let now = copied.saturating_add_unsigned(count);
            let step = Step { before: copied, copied: now, last: Some(key_to_octets(&after)), stage: Stage::Copying };
            let carried = carried(table, rows)?;
            let next = self.from.page(table, &after, self.page);
            (rows, ()) = tokio::try_join!(next, self.to.write(table, carried, step))?;
            copied = now;
            (self.tell)(CopyStep::Rows(count));
        }
        // The key says nothing any more, and may be a person's.
        let whole = Step { before: copied, copied, last: None, stage: Stage::Copied };
        self.to.write(table, Vec::new(), whole).await
    }
}

fn key_of(table: &Table, row: &[Value]) -> Vec<Value> {
    row.iter().take(table.keys).cloned().collect()
}

/// Rows of the source as the target shall have them.
fn carried(table: &'static Table, mut rows: Vec<Row>) -> Result<Vec<Row>> {
    for row in &mut rows {
        match table.name {
            QUEUE => {
                let part = queue_part(value::text(table, row, "site")?);
                value::set(table, row, "part", Value::Integer(part.into()))?;
                // Whoever began an attempt is not there: the next start finds it, and records it as uncertain.
                value::set(table, row, "starter", Value::Null)?;
            }
            LEDGER_INBOX => {
                let part = ledger_part(value::integer(table, row, "controller")?);
                value::set(table, row, "part", Value::Integer(part.into()))?;
            }
            IDEMPOTENCY => filled(table, row)?,
            _ => {}
        }
    }
    Ok(rows)
}

/// The UTC day of an answer, which is its partition on PostgreSQL.
fn filled(table: &'static Table, row: &mut Row) -> Result<()> {
    let made = Timestamp::from_micros(value::integer(table, row, "made")?);
    Ok(value::set(table, row, "day", Value::Integer(made.utc_day()))?)
}
