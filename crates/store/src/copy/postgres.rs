//! The side of a copy that is two databases on PostgreSQL.
//!
//! Invariants: no node is alive when it begins, and none can join while it lasts: a connection of its own holds a lock
//! on the table of nodes, in a transaction that the server ends when this process does. A page and the record of it
//! are one commit. Nothing is tried again here: a copy that fails goes on when it is begun again.
//! Never: a lock that outlives the process; the server's words about a row in an error.

use super::bodies::{Folder, get_outside, put_outside};
use super::side::{PageLimit, Result, Side};
use super::state::{self, Progress, Stage, Step};
use super::tables::{BODY, Database, IDEMPOTENCY, KEY, Kind, SUBJECT_BLOCK, TABLES, Table};
use super::value::{self, Row, Value};
use super::{Refused, StorePlace, blocks};
use crate::error::Error;
use crate::postgres::bare::{Bare, fault_of};
use crate::statement::GENERATIONS_FILL;
use async_trait::async_trait;
use deadpool_postgres::{ClientWrapper, Object};
use model::Timestamp;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

/// A node that was heard of so lately may be alive: twice the time to live of its leases.
const ALIVE: &str = "SELECT name FROM node WHERE \
    seen > CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) - 10000000 ORDER BY name LIMIT 1";
/// Nobody joins, and nobody else copies, until the transaction ends; it may take as long as it wants.
const ALONE: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = '2s'; \
    LOCK TABLE node IN EXCLUSIVE MODE";
/// A count of a large table takes its time. Pages go by keys, also before the server knows how large a table is.
const SETTINGS: &str = "SET statement_timeout = 0; SET enable_seqscan = off; SET enable_sort = off";

/// A key of zeros is none: it was being destroyed when its node went down.
const NOT_BLANK: &str = "sealed <> decode(repeat('00', octet_length(sealed)), 'hex')";

/// Two databases.
pub(super) struct PostgresSide {
    bare: Bare,
    place: String,
    main: Mutex<Object>,
    keys: Mutex<Object>,
    alone: Mutex<Option<ClientWrapper>>,
    bodies: Option<Arc<Folder>>,
}

impl PostgresSide {
    /// Takes two databases, made and brought to the newest form; nobody joins from now on.
    pub(super) async fn open(place: &StorePlace, bodies: Option<&Path>) -> Result<Self> {
        let StorePlace::Postgres { url, keys_url, ca } = place else { return Err(Refused::Place) };
        let bodies = bodies.map(Folder::shared).transpose()?.map(Arc::new);
        let bare = Bare::open(url, keys_url.as_deref(), ca.as_deref()).await?;
        let place = bare.place();
        let alone = take(Object::take(bare.main().await?), &place).await?;
        let (main, keys) = (bare.main().await?, bare.keys().await?);
        for object in [&main, &keys] {
            object.batch_execute(SETTINGS).await.map_err(failed)?;
        }
        Ok(Self { bare, place, main: Mutex::new(main), keys: Mutex::new(keys), alone: Mutex::new(Some(alone)), bodies })
    }

    const fn on(&self, database: Database) -> &Mutex<Object> {
        match database {
            Database::Main => &self.main,
            Database::Keys => &self.keys,
        }
    }
}

/// Takes the lock that keeps nodes away; first without it, so that a node that is alive is not held up.
async fn take(client: ClientWrapper, place: &str) -> Result<ClientWrapper> {
    alive(&client, place).await?;
    client.batch_execute(ALONE).await.map_err(|error| match error.code() {
        Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE) => Refused::Busy,
        _ => failed(error),
    })?;
    alive(&client, place).await?;
    Ok(client)
}

async fn alive(client: &ClientWrapper, place: &str) -> Result<()> {
    match client.query_opt(ALIVE, &[]).await.map_err(failed)? {
        Some(row) => Err(Refused::NodeAlive { place: place.to_owned(), name: row.try_get(0).map_err(failed)? }),
        None => Ok(()),
    }
}

#[async_trait]
impl Side for PostgresSide {
    fn place(&self) -> &str {
        &self.place
    }

    async fn count(&self, table: &'static Table) -> Result<u64> {
        let text = match table.name {
            IDEMPOTENCY => format!("SELECT COUNT(*) FROM (SELECT DISTINCT {} FROM {}) AS kept", key(table), table.name),
            KEY => format!("SELECT COUNT(*) FROM {KEY} WHERE {NOT_BLANK}"),
            name => format!("SELECT COUNT(*) FROM {name}"),
        };
        let client = self.on(table.database).lock().await;
        let row = client.query_one(&text, &[]).await.map_err(failed)?;
        Ok(u64::try_from(row.try_get::<_, i64>(0).map_err(failed)?).unwrap_or(0))
    }

    async fn page(&self, table: &'static Table, after: &[Value], limit: PageLimit) -> Result<Vec<Row>> {
        let (rows, octets) = match table.name {
            // Whole blocks.
            SUBJECT_BLOCK => (limit.rows.div_ceil(blocks::SLOTS).max(1) * blocks::SLOTS, usize::MAX),
            _ => (limit.rows, limit.octets),
        };
        let bounds = [rows, octets].map(|bound| i64::try_from(bound).unwrap_or(i64::MAX));
        let mut params: Vec<&(dyn ToSql + Sync)> = after.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        params.extend(bounds.iter().map(|bound| bound as &(dyn ToSql + Sync)));
        let client = self.on(table.database).lock().await;
        let prepared = client.prepare_cached(&page_text(table, after.len())).await.map_err(failed)?;
        let found = client.query(&prepared, &params).await.map_err(failed)?;
        let read = |row: tokio_postgres::Row| (0..table.columns.len()).map(|at| row.try_get(at)).collect();
        let page: Vec<Row> = found.into_iter().map(read).collect::<Result<_, _>>().map_err(failed)?;
        if table.name != BODY || !is_any_outside(table, &page)? {
            return Ok(page);
        }
        let folder = self.bodies.as_ref().ok_or_else(|| Refused::Bodies { place: self.place.clone() })?;
        Ok(folder.with(move |folder| get_outside(table, page, folder, limit.octets)).await?)
    }

    async fn progress(&self, database: Database) -> Result<Vec<Progress>> {
        let client = self.on(database).lock().await;
        let found = client.query(state::PROGRESS, &[]).await.map_err(failed)?;
        let read = |row: tokio_postgres::Row| {
            Ok(Progress {
                name: row.try_get(0).map_err(failed)?,
                source: row.try_get(1).map_err(failed)?,
                copied: row.try_get(2).map_err(failed)?,
                last: row.try_get(3).map_err(failed)?,
                stage: Progress::stage_of(row.try_get(4).map_err(failed)?)?,
            })
        };
        found.into_iter().map(read).collect()
    }

    async fn begin(&self, database: Database, source: [u8; 32]) -> Result<()> {
        let mut client = self.on(database).lock().await;
        let tx = client.transaction().await.map_err(failed)?;
        for table in Table::of(database) {
            tx.execute(&numbered(state::BEGIN), &[&table.name, &source.as_slice()]).await.map_err(failed)?;
        }
        tx.commit().await.map_err(failed)
    }

    async fn make_room(&self, from: Timestamp, now: Timestamp) -> Result<()> {
        Ok(self.bare.make_room(from, now).await?)
    }

    async fn write(&self, table: &'static Table, mut rows: Vec<Row>, step: Step) -> Result<()> {
        if table.name == BODY && is_any_outside(table, &rows)? {
            rows = match &self.bodies {
                Some(folder) => folder.with(move |folder| put_outside(table, rows, folder)).await?,
                None => into_rows(table, rows)?,
            };
        }
        let mut client = self.on(table.database).lock().await;
        let tx = client.transaction().await.map_err(failed)?;
        if !rows.is_empty() {
            let names = table.names(|column| column.name.to_owned());
            let text = format!("COPY {} ({names}) FROM STDIN (FORMAT binary)", table.name);
            let kinds: Vec<Type> = table.columns.iter().map(|column| kind(column.kind)).collect();
            let mut writer = pin!(BinaryCopyInWriter::new(tx.copy_in(&text).await.map_err(failed)?, &kinds));
            for row in &rows {
                let fits = row.len() == kinds.len();
                writer
                    .as_mut()
                    .write_raw(fits.then_some(row).ok_or(Error::Row { column: "row" })?)
                    .await
                    .map_err(failed)?;
            }
            writer.finish().await.map_err(failed)?;
        }
        let stage = step.stage as i64;
        let params: [&(dyn ToSql + Sync); 5] = [&table.name, &step.copied, &step.last, &stage, &step.before];
        if tx.execute(&numbered(state::STEP), &params).await.map_err(failed)? != 1 {
            return Err(Refused::Busy);
        }
        tx.commit().await.map_err(failed)
    }

    async fn record(&self, database: Database, stage: Stage) -> Result<()> {
        let client = self.on(database).lock().await;
        client.execute(&numbered(state::CONFIRM), &[&(stage as i64)]).await.map_err(failed)?;
        Ok(())
    }

    async fn last_entry(&self) -> Result<i64> {
        let text = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ledger_inbox_id_seq";
        let row = self.main.lock().await.query_one(text, &[]).await.map_err(failed)?;
        row.try_get(0).map_err(failed)
    }

    async fn settle(&self, last_entry: i64) -> Result<()> {
        let client = self.main.lock().await;
        // An id is never given twice, also not one that left the inbox long ago.
        let text = "SELECT setval('ledger_inbox_id_seq', GREATEST($1, last_value)) FROM ledger_inbox_id_seq";
        client.query_one(text, &[&last_entry.max(1)]).await.map_err(failed)?;
        // An acceptance and a wish meet at their controller's counter, so each has one.
        client.execute(GENERATIONS_FILL.text, &[]).await.map_err(failed)?;
        for table in TABLES.iter().filter(|table| table.database == Database::Main) {
            client.batch_execute(&format!("ANALYZE {}", table.name)).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn still_alone(&self) -> Result<()> {
        let alone = self.alone.lock().await;
        let client = alone.as_ref().ok_or(Refused::NotAlone)?;
        client.simple_query("SELECT 1").await.map_err(|_| Refused::NotAlone)?;
        Ok(())
    }

    async fn close(&self) {
        // With the connection goes the lock.
        self.alone.lock().await.take();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: tokio_postgres::Error) -> Refused {
    Refused::Store(fault_of(&error))
}

const fn kind(kind: Kind) -> Type {
    match kind {
        Kind::Integer => Type::INT8,
        Kind::Text => Type::TEXT,
        Kind::Octets => Type::BYTEA,
    }
}

fn is_any_outside(table: &'static Table, rows: &[Row]) -> Result<bool> {
    for row in rows {
        if value::integer(table, row, "place")? == 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// No folder is shared: a body lies in its row, however large it is.
fn into_rows(table: &'static Table, mut rows: Vec<Row>) -> Result<Vec<Row>> {
    for row in &mut rows {
        value::set(table, row, "place", Value::Integer(0))?;
    }
    Ok(rows)
}

fn key(table: &Table) -> String {
    table.key().iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// Parameters as PostgreSQL counts them. The texts of a copy hold no quotes.
fn numbered(text: &str) -> String {
    text.replace('?', "$")
}

/// Rows above a key, in the order of the keys: so many, and no more octets (the row that passes the bound is the
/// last one).
fn page_text(table: &Table, after: usize) -> String {
    let (name, key) = (table.name, key(table));
    let columns = table.names(|column| column.name.to_owned());
    let octets = table.columns.iter().filter(|column| column.kind == Kind::Octets);
    let octets = octets.map(|column| format!("COALESCE(OCTET_LENGTH({}), 0)", column.name)).collect::<Vec<_>>();
    let weight = if octets.is_empty() { "0".to_owned() } else { octets.join(" + ") };
    let marks = (1..=after).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
    let mut conditions = Vec::new();
    if after > 0 {
        conditions.push(format!("({key}) > ({marks})"));
    }
    if name == KEY {
        conditions.push(NOT_BLANK.to_owned());
    }
    let above = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    // An answer may be kept twice, under its day and as a guard under the day before; the newest is the one.
    let (distinct, newest) = match name {
        IDEMPOTENCY => (format!("DISTINCT ON ({key}) "), ", day DESC"),
        _ => (String::new(), ""),
    };
    let (rows, bound) = (after + 1, after + 2);
    format!(
        "SELECT {columns} FROM (SELECT {columns}, SUM(weight) OVER (ORDER BY {key} ROWS UNBOUNDED PRECEDING) - weight \
         AS before FROM (SELECT {distinct}{columns}, {weight} AS weight FROM {name}{above} ORDER BY {key}{newest} \
         LIMIT ${rows}) AS page) AS weighed WHERE before < ${bound} ORDER BY {key}"
    )
}
