//! The engine of one node: SQLite in a folder, two databases, one writer thread each.
//!
//! `main.db` holds everything but keys. `keys.db` is written ahead of it and rarely; SQLite does not commit two
//! logs atomically, so nothing depends on that. Each has its own writer, so that a block of new secrets does not
//! wait behind a batch of acceptances.
//! Invariants: a verb is one transaction; its answer comes after the commit (`synchronous=FULL`); a commit whose
//! fate is not known ends the process; one process per folder.
//! Never: an address, a body or a key in clear; a clock; a verb that scans a table on the runtime's threads.

mod accept;
pub(crate) mod bare;
mod beside;
mod connect;
mod facts;
mod housekeeper;
mod import;
mod ledger_rows;
mod migrate;
mod policy;
mod query;
mod queue;
mod readers;
mod rows;
mod settle;
mod shared;
pub(crate) mod snapshot;
#[cfg(test)]
mod tests;
mod vault;
mod writer;

use crate::engine::*;
use crate::error::{Error, Result};
use crate::statement as sql;
use crate::value::Value;
use async_trait::async_trait;
pub(crate) use beside::beside;
use housekeeper::{Bell, Housekeeper};
use model::Timestamp;
use parking_lot::Mutex;
use query::fault;
use readers::Readers;
use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;
use shared::{Lane, Shared};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use tokio::sync::Semaphore;
use writer::{Limits, Writer};

pub use shared::OnPoison;

/// Connections that read the main database.
const MAIN_READERS_MAX: usize = 4;
/// Connections that read the keys database.
const KEYS_READERS_MAX: usize = 1;
/// Questions about persons that are answered on the caller's thread; more go to a blocking one.
const PERSONS_INLINE_MAX: usize = 64;
/// Rows forgotten in one commit: a slice of bulk work takes at most about 5 ms.
const FORGET_SLICE: usize = 256;
/// The main log: the housekeeper copies it from 16 MiB on; the writer starts it anew at 64 MiB, or waits at 128.
const MAIN_LIMITS: Limits = Limits { restart: 64 * MIB, force: 128 * MIB, empty_when_erased: false };
/// The keys log: nobody waits long for a checkpoint that small.
const KEYS_LIMITS: Limits = Limits { restart: 4 * MIB, force: 4 * MIB, empty_when_erased: true };
const MIB: u64 = 1024 * 1024;

/// How to open the engine.
#[derive(Clone, Default)]
pub struct SqliteSettings {
    /// Called once, from the writer's thread, when it is not known any more what is durable. The process must end;
    /// what was answered is in the files.
    pub on_poison: Option<OnPoison>,
}

/// The engine.
pub struct SqliteEngine {
    main: Arc<Shared>,
    keys: Arc<Shared>,
    main_readers: Arc<Readers>,
    keys_readers: Arc<Readers>,
    /// Threads that walk at a time: more would only stand in line for a connection, each with memory of its own.
    walks: Arc<Semaphore>,
    told: Arc<OnceLock<OnChange>>,
    bell: Arc<Bell>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
}

impl SqliteEngine {
    /// Opens or creates the databases in a folder and takes the folder's lock.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::NewerSchema`], [`Error::File`], [`Error::Full`], [`Error::Engine`].
    pub fn open(dir: &Path, settings: SqliteSettings) -> Result<Self> {
        let lock = connect::take_folder(dir)?;
        snapshot::sweep(dir)?;
        let (main_path, keys_path) = (dir.join("main.db"), dir.join("keys.db"));
        let main = Arc::new(Shared::new(settings.on_poison.clone()));
        let keys = Arc::new(Shared::new(settings.on_poison));
        let keys_writer = open_writer(&keys_path, migrate::KEYS, &keys, KEYS_LIMITS)?;
        let main_writer = open_writer(&main_path, migrate::MAIN, &main, MAIN_LIMITS)?;
        bare::whole(&main_path)?;
        let housekeeper = Housekeeper::new(connect::checkpointer(&main_path)?, Arc::clone(&main), Arc::clone(&keys));
        let engine = Self {
            main,
            keys,
            main_readers: Arc::new(Readers::new(main_path, MAIN_READERS_MAX)),
            keys_readers: Arc::new(Readers::new(keys_path, KEYS_READERS_MAX)),
            walks: Arc::new(Semaphore::new(MAIN_READERS_MAX)),
            told: Arc::default(),
            bell: Arc::new(Bell::default()),
            threads: Mutex::new(Vec::new()),
            lock: Mutex::new(Some(lock)),
        };
        // Names have at most 15 bytes, the kernel's limit.
        engine.spawn("store-main", move || main_writer.work())?;
        engine.spawn("store-keys", move || keys_writer.work())?;
        let bell = Arc::clone(&engine.bell);
        engine.spawn("store-keeper", move || housekeeper.work(&bell))?;
        Ok(engine)
    }

    fn spawn(&self, name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = Builder::new().name(name.to_owned()).spawn(work);
        let thread = thread.map_err(|error| Error::Engine(format!("thread {name} could not start: {error}")))?;
        self.threads.lock().push(thread);
        Ok(())
    }

    fn ask_to_end(&self) {
        self.bell.ring();
        self.main.close();
        self.keys.close();
    }

    /// Short work.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T> + Send + 'static,
    {
        self.main.write(Lane::Short, work).await
    }

    /// Bulk work.
    async fn write_bulk<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T> + Send + 'static,
    {
        self.main.write(Lane::Bulk, work).await
    }

    /// A read that may take milliseconds, on a thread where that hurts nobody.
    async fn walk<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let turn = Arc::clone(&self.walks).acquire_owned().await.map_err(|_| Error::Closed)?;
        let readers = Arc::clone(&self.main_readers);
        let walked = tokio::task::spawn_blocking(move || {
            let read = readers.read_together(work);
            drop(turn);
            read
        });
        walked.await.map_err(|_| Error::Closed)?
    }

    /// Erases in the keys database; both logs are emptied, at once there and within 60 s in the main one.
    async fn destroy<F>(&self, mut work: F) -> Result<()>
    where
        F: FnMut(&Connection) -> Result<()> + Send + 'static,
    {
        let (main, keys) = (Arc::clone(&self.main), Arc::clone(&self.keys));
        // The marks are set by the work itself: they must stand even when the caller stops waiting.
        self.keys
            .write(Lane::Short, move |connection| {
                work(connection)?;
                main.erased.store(true, Ordering::Release);
                keys.erased.store(true, Ordering::Release);
                Ok(())
            })
            .await
    }
}

fn open_writer(path: &Path, steps: &[migrate::Migration], shared: &Arc<Shared>, limits: Limits) -> Result<Writer> {
    let connection = connect::writer(path)?;
    migrate::run(&connection, steps)?;
    // What a killed process left in the log goes into the database before the work begins.
    connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::TRUNCATE).map_err(fault)?;
    Writer::new(connection, Arc::clone(shared), limits)
}

fn tell(told: &OnceLock<OnChange>, changed: Changed) {
    if let Some(told) = told.get() {
        told(changed);
    }
}

impl Drop for SqliteEngine {
    fn drop(&mut self) {
        // Without `close` the same happens, but the dropping thread waits for it.
        self.ask_to_end();
        for thread in self.threads.get_mut().drain(..) {
            // A thread that fell over has poisoned its database; there is nobody left to tell here.
            drop(thread.join());
        }
    }
}

impl SqliteEngine {
    async fn change_on(&self, lane: Lane, changes: Vec<(Change, Option<EntryRow>)>) -> Result<Vec<usize>> {
        let moving = changes.iter().filter(|(change, _)| change.moves_permission());
        let controllers = moving.map(|(change, _)| change.controller()).collect();
        let is_account = changes.iter().any(|(change, _)| change.is_account());
        let told = Arc::clone(&self.told);
        let work = move |connection: &Connection| {
            let touched = policy::change_all(connection, &changes)?;
            // In the same transaction: what is told is what this very commit made of the accounts.
            let rows = if is_account { Some(policy::read(connection)?) } else { None };
            Ok((touched, rows))
        };
        let then = move |(_, rows): &mut (Vec<usize>, Option<PolicyRows>)| {
            tell(&told, Changed { controllers, policy: rows.take() });
        };
        self.main.write_then(lane, work, then).await.map(|(touched, _)| touched)
    }
}

#[async_trait]
impl Engine for SqliteEngine {
    async fn policy(&self) -> Result<PolicyRows> {
        self.main_readers.read_together(policy::read)
    }

    async fn change(&self, changes: Vec<(Change, Option<EntryRow>)>) -> Result<Vec<usize>> {
        self.change_on(Lane::Short, changes).await
    }

    async fn change_bulk(&self, changes: Vec<(Change, Option<EntryRow>)>) -> Result<Vec<usize>> {
        self.change_on(Lane::Bulk, changes).await
    }

    fn on_change(&self, told: OnChange) {
        // Whoever was set first stays; the store sets one, when it opens.
        drop(self.told.set(told));
    }

    async fn persons(&self, queries: Vec<PersonQuery>) -> Result<Vec<PersonRow>> {
        if queries.len() > PERSONS_INLINE_MAX {
            return self.walk(move |connection| facts::persons(connection, &queries)).await;
        }
        self.main_readers.read_together(|connection| facts::persons(connection, &queries))
    }

    async fn find(&self, finding: Finding) -> Result<Vec<Vec<Value>>> {
        self.walk(move |connection| rows::find(connection, &finding)).await
    }

    async fn import_known(&self, controller: i64, tags: Vec<[u8; 16]>) -> Result<Vec<Option<KnownSubject>>> {
        self.walk(move |connection| import::known(connection, controller, &tags)).await
    }

    async fn import(&self, rows: ImportRows) -> Result<Vec<ImportAnswer>> {
        self.write_bulk(move |connection| import::import(connection, &rows)).await
    }

    async fn bulk(&self, controller: i64, steps: Vec<Step>) -> Result<Vec<usize>> {
        let told = Arc::clone(&self.told);
        let work = move |connection: &Connection| import::bulk(connection, &steps);
        let then = move |_: &mut Vec<usize>| tell(&told, Changed { controllers: vec![controller], policy: None });
        self.main.write_then(Lane::Bulk, work, then).await
    }

    async fn quota_used(&self, controller: i64, day: i64) -> Result<u64> {
        self.main_readers.read(|connection| facts::quota_used(connection, controller, day))
    }

    async fn accept(&self, rows: AcceptRows) -> Result<AcceptOutcome> {
        self.write(move |connection| accept::accept(connection, &rows)).await
    }

    async fn backlog(&self, _: Scope) -> Result<Vec<BacklogRow>> {
        // A node that is alone holds every partition, and is told of what comes in.
        self.walk(queue::backlog).await
    }

    async fn due(
        &self,
        site: &str,
        class: u8,
        controller: i64,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<QueuedRow>> {
        self.main_readers.read(|connection| queue::due(connection, site, class, controller, now, limit))
    }

    async fn expired(&self, site: &str, now: Timestamp, before: i64, limit: usize) -> Result<Vec<QueuedRow>> {
        let site = site.to_owned();
        self.walk(move |connection| queue::expired(connection, &site, now, before, limit)).await
    }

    async fn started(&self, of: Scope, limit: usize) -> Result<Vec<QueuedRow>> {
        self.walk(move |connection| queue::started(connection, of.from_id, limit)).await
    }

    async fn contents(&self, ids: Vec<i64>) -> Result<Vec<Option<ContentRow>>> {
        self.main_readers.read_together(|connection| queue::contents(connection, &ids))
    }

    async fn start(&self, row: StartRow) -> Result<StartAnswer> {
        let begun = self.write(move |connection| queue::start(connection, row)).await?;
        Ok(StartAnswer { begun, generation: None })
    }

    async fn settle(&self, rows: Vec<SettleRow>) -> Result<Vec<i64>> {
        let suppressed: Vec<i64> = rows
            .iter()
            .filter_map(|row| row.suppress.as_ref())
            .map(|(suppression, _)| suppression.controller)
            .collect();
        let told = Arc::clone(&self.told);
        let work = move |connection: &Connection| settle::settle(connection, &rows);
        let then = move |_: &mut Vec<i64>| {
            if !suppressed.is_empty() {
                tell(&told, Changed { controllers: suppressed, policy: None });
            }
        };
        self.main.write_then(Lane::Short, work, then).await
    }

    async fn message(&self, controller: i64, id: i64) -> Result<Option<MessageRecord>> {
        self.main_readers.read_together(|connection| queue::message(connection, controller, id))
    }

    async fn bodies_outside(&self, ids: Vec<i64>) -> Result<Vec<i64>> {
        self.walk(move |connection| queue::bodies_outside(connection, &ids)).await
    }

    async fn last_id(&self) -> Result<i64> {
        let last = |connection: &Connection| query::one(connection, &sql::LAST_ID, [], |row| row.get(0));
        Ok(self.main_readers.read(last)?.unwrap_or(0))
    }

    async fn keep(&self, now: Timestamp) -> Result<()> {
        let yesterday = now.utc_day() - 1;
        self.write_bulk(move |connection| query::run(connection, &sql::QUOTA_FORGET, [yesterday]).map(drop)).await
    }

    async fn epochs_used(&self, before: i64) -> Result<Vec<i64>> {
        self.walk(move |connection| query::many(connection, &sql::EPOCHS_USED, [before], |row| row.get(0))).await
    }

    async fn idempotency(&self, controller: i64, credential: i64, key: [u8; 16]) -> Result<Option<IdempotencyRecord>> {
        self.main_readers.read(|connection| accept::idempotency(connection, controller, credential, &key))
    }

    async fn forget_idempotency(&self, before: Timestamp) -> Result<usize> {
        let mut forgotten = 0;
        loop {
            let slice = self.write_bulk(move |connection| accept::forget(connection, before, FORGET_SLICE)).await?;
            forgotten += slice;
            if slice < FORGET_SLICE {
                return Ok(forgotten);
            }
        }
    }

    async fn inbox(&self, _: Option<Vec<u16>>, limit: usize) -> Result<Vec<(i64, EntryRow)>> {
        self.walk(move |connection| ledger_rows::inbox(connection, limit)).await
    }

    async fn append(&self, entries: Vec<EntryRow>) -> Result<()> {
        self.write_bulk(move |connection| ledger_rows::append(connection, &entries)).await
    }

    async fn sequence(&self, chunks: Vec<ChunkRow>, heads: Vec<HeadMove>, drained: Vec<i64>) -> Result<bool> {
        self.write_bulk(move |connection| ledger_rows::sequence(connection, &chunks, &heads, &drained)).await
    }

    async fn heads(&self) -> Result<Vec<HeadRow>> {
        self.main_readers.read(ledger_rows::heads)
    }

    async fn chunks(&self, controller: i64, from: u64, limit: usize) -> Result<Vec<ChunkRow>> {
        self.walk(move |connection| ledger_rows::chunks(connection, controller, from, limit)).await
    }

    async fn keys(&self) -> Result<Vec<KeyRow>> {
        self.keys_readers.read(vault::keys)
    }

    async fn put_key(&self, key: KeyRow) -> Result<()> {
        self.keys.write(Lane::Short, move |connection| vault::put_key(connection, &key)).await
    }

    async fn rewrap_keys(&self, keys: Vec<KeyRow>) -> Result<()> {
        self.destroy(move |connection| vault::rewrap_keys(connection, &keys)).await
    }

    async fn destroy_key(&self, controller: i64, kind: u8, epoch: i64) -> Result<()> {
        self.destroy(move |connection| vault::destroy_key(connection, controller, kind, epoch)).await
    }

    async fn put_block(&self, block: i64, controller: i64, sealed: Vec<u8>) -> Result<()> {
        self.keys.write(Lane::Short, move |connection| vault::put_block(connection, block, controller, &sealed)).await
    }

    async fn put_blocks(&self, controller: i64, blocks: Vec<(i64, Vec<u8>)>) -> Result<()> {
        let work = move |connection: &Connection| {
            blocks.iter().try_for_each(|(block, sealed)| vault::put_block(connection, *block, controller, sealed))
        };
        self.keys.write(Lane::Bulk, work).await
    }

    async fn slots(&self, slots: Vec<SlotRef>) -> Result<Vec<Option<Vec<u8>>>> {
        self.keys_readers.read_together(|connection| vault::slots(connection, &slots))
    }

    async fn destroy_slots(&self, slots: Vec<SlotRef>) -> Result<()> {
        self.destroy(move |connection| slots.iter().try_for_each(|slot| vault::destroy_slot(connection, *slot))).await
    }

    async fn news(&self) -> Result<News> {
        Ok(News::default())
    }

    fn sharing(&self) -> Option<&dyn Sharing> {
        None
    }

    async fn close(&self) {
        self.ask_to_end();
        self.main.ended().await;
        self.keys.ended().await;
        self.main_readers.close();
        self.keys_readers.close();
        // The folder is free for the next process.
        self.lock.lock().take();
    }
}

/// A migrated main database without an engine.
#[cfg(test)]
pub(crate) fn open_main_for_tests(dir: &Path) -> Result<Connection> {
    let connection = connect::writer(&dir.join("main.db"))?;
    migrate::run(&connection, migrate::MAIN).map(|()| connection)
}

/// A migrated keys database without an engine.
#[cfg(test)]
pub(crate) fn open_keys_for_tests(dir: &Path) -> Result<Connection> {
    let connection = connect::writer(&dir.join("keys.db"))?;
    migrate::run(&connection, migrate::KEYS).map(|()| connection)
}
