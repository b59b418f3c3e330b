//! The side of a copy that is a folder with SQLite in it.
//!
//! Invariants: the folder's lock is held; a page and the record of it are one commit; a body file is durable before
//! the commit that refers to it, and one that nothing refers to is written over when the page is written again.

use super::blocks;
use super::bodies::{Folder, put_outside};
use super::side::{PageLimit, Result, Side};
use super::state::{self, Progress, Stage, Step};
use super::tables::{BODY, Database, IDEMPOTENCY, SUBJECT_BLOCK, Table};
use super::value::{self, Row, Value, weight};
use super::{Refused, filled};
use crate::error::Error;
use crate::sqlite::bare::{self, Bare, fault_of};
use async_trait::async_trait;
use model::Timestamp;
use parking_lot::Mutex;
use rusqlite::{Connection, params, params_from_iter};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// A folder.
pub(super) struct SqliteSide {
    place: String,
    main: Arc<Mutex<Connection>>,
    keys: Arc<Mutex<Connection>>,
    bodies: Arc<Folder>,
    lock: Mutex<Option<File>>,
}

impl SqliteSide {
    /// Takes a folder; makes it when it is not there.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let Bare { main, keys, lock } = bare::open(dir)?;
        Ok(Self {
            place: format!("sqlite:{}", dir.display()),
            main: Arc::new(Mutex::new(main)),
            keys: Arc::new(Mutex::new(keys)),
            bodies: Arc::new(Folder::own(&dir.join("bodies"))?),
            lock: Mutex::new(Some(lock)),
        })
    }

    async fn on<T, F>(&self, database: Database, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    {
        let connection = Arc::clone(match database {
            Database::Main => &self.main,
            Database::Keys => &self.keys,
        });
        let worked = tokio::task::spawn_blocking(move || work(&mut connection.lock())).await;
        worked.map_err(|_| Error::Closed)?
    }
}

#[async_trait]
impl Side for SqliteSide {
    fn place(&self) -> &str {
        &self.place
    }

    async fn count(&self, table: &'static Table) -> Result<u64> {
        let rows = self
            .on(table.database, move |connection| {
                let text = format!("SELECT COUNT(*) FROM {}", table.name);
                let rows: i64 = connection.query_row(&text, [], |row| row.get(0)).map_err(fault_of)?;
                Ok(u64::try_from(rows).unwrap_or(0))
            })
            .await?;
        Ok(if table.name == SUBJECT_BLOCK { rows * blocks::SLOTS as u64 } else { rows })
    }

    async fn page(&self, table: &'static Table, after: &[Value], limit: PageLimit) -> Result<Vec<Row>> {
        let (after, bodies) = (after.to_vec(), Arc::clone(&self.bodies));
        self.on(table.database, move |connection| {
            if table.name == SUBJECT_BLOCK {
                return blocks::page(connection, &after, limit);
            }
            page(connection, table, &after, limit, &bodies)
        })
        .await
    }

    async fn progress(&self, database: Database) -> Result<Vec<Progress>> {
        self.on(database, |connection| {
            let mut statement = connection.prepare(state::PROGRESS).map_err(fault_of)?;
            let mut rows = statement.query([]).map_err(fault_of)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next().map_err(fault_of)? {
                found.push(Progress {
                    name: row.get(0).map_err(fault_of)?,
                    source: row.get(1).map_err(fault_of)?,
                    copied: row.get(2).map_err(fault_of)?,
                    last: row.get(3).map_err(fault_of)?,
                    stage: Progress::stage_of(row.get(4).map_err(fault_of)?)?,
                });
            }
            Ok(found)
        })
        .await
    }

    async fn begin(&self, database: Database, source: [u8; 32]) -> Result<()> {
        self.on(database, move |connection| {
            let tx = connection.transaction().map_err(fault_of)?;
            for table in Table::of(database) {
                tx.execute(state::BEGIN, params![table.name, source]).map_err(fault_of)?;
            }
            Ok(tx.commit().map_err(fault_of)?)
        })
        .await
    }

    async fn make_room(&self, _: Timestamp, _: Timestamp) -> Result<()> {
        Ok(())
    }

    async fn write(&self, table: &'static Table, rows: Vec<Row>, step: Step) -> Result<()> {
        let bodies = Arc::clone(&self.bodies);
        self.on(table.database, move |connection| {
            let tx = connection.transaction().map_err(fault_of)?;
            match table.name {
                SUBJECT_BLOCK => blocks::write(&tx, &rows)?,
                BODY => insert(&tx, table, &mut put_outside(table, rows, &bodies)?.into_iter())?,
                _ => insert(&tx, table, &mut rows.into_iter())?,
            }
            let values = params![table.name, step.copied, step.last, step.stage as i64, step.before];
            if tx.execute(state::STEP, values).map_err(fault_of)? != 1 {
                return Err(Refused::Busy);
            }
            Ok(tx.commit().map_err(fault_of)?)
        })
        .await
    }

    async fn record(&self, database: Database, stage: Stage) -> Result<()> {
        self.on(database, move |connection| {
            connection.execute(state::CONFIRM, [stage as i64]).map_err(fault_of)?;
            Ok(bare::empty_log(connection)?)
        })
        .await
    }

    async fn last_entry(&self) -> Result<i64> {
        self.on(Database::Main, |connection| {
            let text = "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'ledger_inbox'";
            Ok(connection.query_row(text, [], |row| row.get(0)).map_err(fault_of)?)
        })
        .await
    }

    async fn settle(&self, last_entry: i64) -> Result<()> {
        // An id is never given twice, also not one that left the inbox long ago.
        self.on(Database::Main, move |connection| {
            let tx = connection.transaction().map_err(fault_of)?;
            let raised = "UPDATE sqlite_sequence SET seq = MAX(seq, ?1) WHERE name = 'ledger_inbox'";
            if tx.execute(raised, [last_entry]).map_err(fault_of)? == 0 {
                let made = "INSERT INTO sqlite_sequence (name, seq) VALUES ('ledger_inbox', ?1)";
                tx.execute(made, [last_entry]).map_err(fault_of)?;
            }
            Ok(tx.commit().map_err(fault_of)?)
        })
        .await
    }

    async fn still_alone(&self) -> Result<()> {
        // The kernel keeps the lock as long as the process lives.
        Ok(())
    }

    async fn close(&self) {
        for database in Database::ALL {
            let emptied = self.on(database, |connection| Ok(bare::empty_log(connection)?)).await;
            if let Err(error) = emptied {
                tracing::warn!(%error, "a database's log was not emptied; the next start does it");
            }
        }
        self.lock.lock().take();
    }
}

/// Rows in the order of their keys, until the limit is reached.
fn page(
    connection: &Connection,
    table: &'static Table,
    after: &[Value],
    limit: PageLimit,
    bodies: &Folder,
) -> Result<Vec<Row>> {
    let columns = table.names(|column| match column.postgres_only {
        true => "NULL".to_owned(),
        false => column.name.to_owned(),
    });
    let key = table.key().iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
    let marks = (1..=after.len()).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ");
    let above = if after.is_empty() { String::new() } else { format!(" WHERE ({key}) > ({marks})") };
    let text = format!("SELECT {columns} FROM {}{above} ORDER BY {key}", table.name);
    let mut statement = connection.prepare_cached(&text).map_err(fault_of)?;
    let mut rows = statement.query(params_from_iter(after)).map_err(fault_of)?;
    let (mut found, mut octets) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(fault_of)? {
        let values: rusqlite::Result<Row> = (0..table.columns.len()).map(|at| row.get(at)).collect();
        let mut values = values.map_err(fault_of)?;
        match table.name {
            BODY if value::integer(table, &values, "place")? == 1 => {
                let body = bodies.read(value::integer(table, &values, "id")?)?;
                value::set(table, &mut values, "sealed", Value::Octets(body))?;
            }
            // SQLite has no such column: it follows from the row.
            IDEMPOTENCY => filled(table, &mut values)?,
            _ => {}
        }
        octets += weight(&values);
        found.push(values);
        if found.len() >= limit.rows || octets >= limit.octets {
            break;
        }
    }
    Ok(found)
}

fn insert(connection: &Connection, table: &'static Table, rows: &mut dyn Iterator<Item = Row>) -> Result<()> {
    let here = || table.columns.iter().enumerate().filter(|(_, column)| !column.postgres_only);
    let names = here().map(|(_, column)| column.name).collect::<Vec<_>>().join(", ");
    let marks = (1..=here().count()).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ");
    let text = format!("INSERT INTO {} ({names}) VALUES ({marks})", table.name);
    let mut statement = connection.prepare_cached(&text).map_err(fault_of)?;
    for row in rows {
        let values = here().filter_map(|(at, _)| row.get(at));
        statement.execute(params_from_iter(values)).map_err(fault_of)?;
    }
    Ok(())
}
