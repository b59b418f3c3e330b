//! What a copy needs of an engine: pages of rows in the order of their keys, and pages written with the record of them.

use super::Refused;
use super::state::{Progress, Stage, Step};
use super::tables::{Database, Table};
use super::value::{Row, Value};
use async_trait::async_trait;
use model::Timestamp;

/// The copy's result.
pub(super) type Result<T, E = Refused> = std::result::Result<T, E>;

/// How much is carried at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageLimit {
    /// Rows. Whole blocks of secrets, at least one, where the table is that of the blocks.
    pub(super) rows: usize,
    /// Octets, about; a single row may be larger.
    pub(super) octets: usize,
}

/// One of the two stores. It is nobody else's while this value lives.
#[async_trait]
pub(super) trait Side: Send + Sync {
    /// What it is called in sentences.
    fn place(&self) -> &str;
    /// How many rows a table has.
    async fn count(&self, table: &'static Table) -> Result<u64>;
    /// Rows whose key is above this one (all, if it is empty), in the order of their keys; the body of a message with
    /// its octets, wherever they lie. No row means the end.
    async fn page(&self, table: &'static Table, after: &[Value], limit: PageLimit) -> Result<Vec<Row>>;
    /// What is recorded of a copy into this store.
    async fn progress(&self, database: Database) -> Result<Vec<Progress>>;
    /// Records that a copy of this source begins, in one commit.
    async fn begin(&self, database: Database, source: [u8; 32]) -> Result<()>;
    /// Makes room for rows from a moment until some time after the present one.
    async fn make_room(&self, from: Timestamp, now: Timestamp) -> Result<()>;
    /// Writes rows and the record of them, in one commit.
    async fn write(&self, table: &'static Table, rows: Vec<Row>, step: Step) -> Result<()>;
    /// Records a stage for all tables of a database.
    async fn record(&self, database: Database, stage: Stage) -> Result<()>;
    /// The largest id that the ledger's inbox ever gave.
    async fn last_entry(&self) -> Result<i64>;
    /// Sets up what is not carried, after all rows are there. May be done twice.
    async fn settle(&self, last_entry: i64) -> Result<()>;
    /// Fails when somebody else could have come to the store since it was opened.
    async fn still_alone(&self) -> Result<()>;
    /// Gives the store back.
    async fn close(&self);
}
