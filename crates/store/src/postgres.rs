//! The engine of several nodes: PostgreSQL, two databases, transactions in batches.
//!
//! The same rows as on SQLite, by the same texts of the registry wherever both understand them; sets (`UNNEST`) where
//! a batch would otherwise be a loop. Invariants: READ COMMITTED is made correct by conditional writes whose row counts
//! are looked at; a start is fenced by the lease in the same statement; an outcome never is; no transaction waits for
//! anything but the database.
//! Never: an address, a body or a key in clear; the calendar of a node where nodes must agree (the database's is used).

mod accept;
mod accounts;
pub(crate) mod bare;
mod batch;
mod beside;
mod checks;
mod columns;
mod connect;
mod db;
mod entries;
mod facts;
mod general;
mod grants;
mod import;
#[cfg(test)]
mod interleavings;
mod keep;
mod ledger_rows;
mod migrate;
mod open;
mod pipeline;
mod queue;
mod read;
mod rows;
mod settle;
mod sharing;
mod starts;
#[cfg(test)]
mod tests;
mod tls;
mod translate;
mod vault;

use crate::cluster::TIME_TO_LIVE;
pub(crate) use beside::beside;
pub(crate) use sharing::look;

use crate::engine::*;
use crate::error::{Error, Result};
use crate::statement as sql;
use crate::value::Value;
use accept::Accepting;
use async_trait::async_trait;
use batch::Lane;
use db::{Db, Fault, Repeat, transact};
use facts::Asking;
use grants::Grants;
use model::Timestamp;
use open::Sizes;
use parking_lot::RwLock;
use settle::Settling;
use starts::Starting;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
#[cfg(feature = "s3")]
pub(crate) use tls::roots;
#[cfg(test)]
pub(crate) use translate::translate;

/// Connections of a node.
const SIZES: Sizes = Sizes { main: 16, keys: 4 };
/// Batches on their way at once: questions, acceptances, starts, outcomes.
const LANES: [usize; 4] = [2, 2, 2, 2];
/// Connections for heartbeats and news, which must not wait behind the work.
const PULSE_CONNECTIONS: usize = 2;

/// How to open the engine.
#[derive(Clone, Debug)]
pub(crate) struct EngineSettings {
    /// Of the main database.
    pub(crate) url: String,
    /// Of the keys database; without it, the main one's name and `_keys`, on the same server.
    pub(crate) keys_url: Option<String>,
    /// Who may sign the server's certificate.
    pub(crate) ca: Option<PathBuf>,
}

/// What the parts of the engine share.
struct Core {
    main: Arc<Db>,
    keys: Db,
    pulse: Db,
    /// Where this node sits.
    seat: RwLock<Option<Seat>>,
    told: OnceLock<OnChange>,
    /// Whoever tells a picture of the accounts holds it: pictures follow one another.
    telling: tokio::sync::Mutex<()>,
    /// Held by changes that are under way; closing waits for them.
    changing: Arc<tokio::sync::RwLock<()>>,
}

impl Core {
    fn tell(&self, changed: Changed) {
        if let Some(told) = self.told.get() {
            told(changed);
        }
    }
}

/// What a message passes on its way, in batches.
struct Lanes {
    grants: Arc<Grants>,
    persons: Lane<Asking>,
    accept: Lane<Accepting>,
    start: Lane<Starting>,
    settle: Lane<Settling>,
}

impl Lanes {
    fn open(core: &Arc<Core>) -> Self {
        let grants = Arc::new(Grants::new(Arc::clone(&core.main)));
        let accepting = Accepting { db: Arc::clone(&core.main), grants: Arc::clone(&grants) };
        let [persons, accept, start, settle] = LANES;
        Self {
            persons: Lane::open(Asking { db: Arc::clone(&core.main) }, persons),
            accept: Lane::open(accepting, accept),
            start: Lane::open(Starting { core: Arc::clone(core) }, start),
            settle: Lane::open(Settling { core: Arc::clone(core) }, settle),
            grants,
        }
    }

    /// Commits what was given.
    async fn close(&self) {
        tokio::join!(self.persons.close(), self.accept.close(), self.start.close(), self.settle.close());
        if let Err(fault) = self.grants.close().await {
            tracing::warn!(error = %fault.into_error(), "grants could not be given back: that much is lost to the day");
        }
    }
}

/// The engine.
pub(crate) struct PostgresEngine {
    core: Arc<Core>,
    lanes: Lanes,
}

impl PostgresEngine {
    /// Opens the databases, makes their tables where there are none, and says what to doubt.
    ///
    /// # Errors
    /// [`crate::Unfit`], [`Error::NewerSchema`], [`Error::Engine`].
    pub(crate) async fn open(settings: EngineSettings) -> Result<Self> {
        let EngineSettings { url, keys_url, ca } = settings;
        let pair = open::open(&url, keys_url.as_deref(), ca.as_deref(), SIZES).await?;
        checks::whole(&pair.main, &pair.main_at).await?;
        for doubt in checks::durability(&pair.main).await? {
            tracing::warn!("{doubt}");
        }
        let core = Arc::new(Core {
            pulse: pair.main_at.pool(PULSE_CONNECTIONS)?,
            main: Arc::new(pair.main),
            keys: pair.keys,
            seat: RwLock::default(),
            told: OnceLock::new(),
            telling: tokio::sync::Mutex::default(),
            changing: Arc::default(),
        });
        let filled: Result<i64, Fault> = transact!(core.main, Repeat::Safe, tx => {
            db::run(&tx, &sql::GENERATIONS_FILL, &[]).await?;
            read::scalar(&tx, &sql::DATABASE_TIME).await
        });
        let now = Timestamp::from_micros(filled.map_err(Fault::into_error)?);
        keep::make(&core.main, now, now).await?;
        Ok(Self { lanes: Lanes::open(&core), core })
    }
}

#[async_trait]
impl Engine for PostgresEngine {
    async fn policy(&self) -> Result<PolicyRows> {
        accounts::policy(&self.core.main).await
    }

    async fn change(&self, changes: Vec<(Change, Option<EntryRow>)>) -> Result<Vec<usize>> {
        let core = Arc::clone(&self.core);
        let under_way = Arc::clone(&core.changing).read_owned().await;
        // A task of its own: what changed is told also when the caller goes away.
        let changed = tokio::spawn(async move {
            let changed = accounts::change(&core, &changes).await;
            drop(under_way);
            changed
        });
        changed.await.map_err(|_| Error::Unknown)?
    }

    async fn change_bulk(&self, changes: Vec<(Change, Option<EntryRow>)>) -> Result<Vec<usize>> {
        // No lanes here: what is long keeps nobody else's connection.
        self.change(changes).await
    }

    fn on_change(&self, told: OnChange) {
        // Whoever was set first stays; the store sets one, when it opens.
        drop(self.core.told.set(told));
    }

    async fn find(&self, finding: Finding) -> Result<Vec<Vec<Value>>> {
        general::find(&self.core.main, &finding).await
    }

    async fn import_known(&self, controller: i64, tags: Vec<[u8; 16]>) -> Result<Vec<Option<KnownSubject>>> {
        import::known(&self.core.main, controller, &tags).await
    }

    async fn import(&self, rows: ImportRows) -> Result<Vec<ImportAnswer>> {
        import::import(&self.core.main, &rows).await
    }

    async fn bulk(&self, controller: i64, steps: Vec<Step>) -> Result<Vec<usize>> {
        let core = Arc::clone(&self.core);
        let under_way = Arc::clone(&core.changing).read_owned().await;
        // A task of its own: what changed is told also when the caller goes away.
        let changed = tokio::spawn(async move {
            let touched = import::bulk(&core, controller, &steps).await;
            drop(under_way);
            touched
        });
        changed.await.map_err(|_| Error::Unknown)?
    }

    async fn message(&self, controller: i64, id: i64) -> Result<Option<MessageRecord>> {
        read::message(&self.core.main, controller, id).await
    }

    async fn bodies_outside(&self, ids: Vec<i64>) -> Result<Vec<i64>> {
        read::bodies_outside(&self.core.main, &ids).await
    }

    async fn last_id(&self) -> Result<i64> {
        read::last_id(&self.core.main).await
    }

    async fn keep(&self, now: Timestamp) -> Result<()> {
        keep::keep(&self.core.main, now).await
    }

    async fn epochs_used(&self, before: i64) -> Result<Vec<i64>> {
        read::epochs_used(&self.core.main, before).await
    }

    async fn inbox(&self, groups: Option<Vec<u16>>, limit: usize) -> Result<Vec<(i64, EntryRow)>> {
        ledger_rows::inbox(&self.core.main, groups, limit).await
    }

    async fn append(&self, entries: Vec<EntryRow>) -> Result<()> {
        ledger_rows::append(&self.core.main, &entries).await
    }

    async fn sequence(&self, chunks: Vec<ChunkRow>, heads: Vec<HeadMove>, drained: Vec<i64>) -> Result<bool> {
        ledger_rows::sequence(&self.core.main, &chunks, &heads, &drained).await
    }

    async fn heads(&self) -> Result<Vec<HeadRow>> {
        ledger_rows::heads(&self.core.main).await
    }

    async fn chunks(&self, controller: i64, from: u64, limit: usize) -> Result<Vec<ChunkRow>> {
        ledger_rows::chunks(&self.core.main, controller, from, limit).await
    }

    async fn keys(&self) -> Result<Vec<KeyRow>> {
        vault::keys(&self.core.keys).await
    }

    async fn put_key(&self, key: KeyRow) -> Result<()> {
        vault::put_key(&self.core.keys, &key).await
    }

    async fn rewrap_keys(&self, keys: Vec<KeyRow>) -> Result<()> {
        vault::rewrap_keys(&self.core.keys, &keys).await
    }

    async fn destroy_key(&self, controller: i64, kind: u8, epoch: i64) -> Result<()> {
        vault::destroy_key(&self.core.keys, controller, kind, epoch).await
    }

    async fn put_block(&self, block: i64, controller: i64, sealed: Vec<u8>) -> Result<()> {
        vault::put_block(&self.core.keys, block, controller, &sealed).await
    }

    async fn put_blocks(&self, controller: i64, blocks: Vec<(i64, Vec<u8>)>) -> Result<()> {
        vault::put_blocks(&self.core.keys, controller, &blocks).await
    }

    async fn slots(&self, slots: Vec<SlotRef>) -> Result<Vec<Option<Vec<u8>>>> {
        vault::slots(&self.core.keys, &slots).await
    }

    async fn destroy_slots(&self, slots: Vec<SlotRef>) -> Result<()> {
        vault::destroy_slots(&self.core, &slots).await
    }

    async fn news(&self) -> Result<News> {
        read::news(&self.core.pulse).await
    }

    fn sharing(&self) -> Option<&dyn Sharing> {
        Some(self)
    }

    async fn close(&self) {
        // Changes that are under way end first, and none begins after this.
        let _all = self.core.changing.write().await;
        self.lanes.close().await;
        self.core.main.close();
        self.core.keys.close();
        self.core.pulse.close();
    }

    // What a message passes on its way.

    async fn persons(&self, queries: Vec<PersonQuery>) -> Result<Vec<PersonRow>> {
        self.lanes.persons.ask(queries).await
    }

    async fn quota_used(&self, controller: i64, day: i64) -> Result<u64> {
        self.lanes.grants.used(controller, day).await.map_err(Fault::into_error)
    }

    async fn accept(&self, rows: AcceptRows) -> Result<AcceptOutcome> {
        self.lanes.accept.ask(rows).await
    }

    async fn backlog(&self, of: Scope) -> Result<Vec<BacklogRow>> {
        queue::backlog(&self.core.main, &of).await.map_err(Fault::into_error)
    }

    async fn due(
        &self,
        site: &str,
        class: u8,
        controller: i64,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<QueuedRow>> {
        let lane = queue::Lane { site, class, controller };
        queue::due(&self.core.main, lane, now, limit).await.map_err(Fault::into_error)
    }

    async fn expired(&self, site: &str, now: Timestamp, before: i64, limit: usize) -> Result<Vec<QueuedRow>> {
        queue::expired(&self.core.main, site, now, before, limit).await.map_err(Fault::into_error)
    }

    async fn started(&self, of: Scope, limit: usize) -> Result<Vec<QueuedRow>> {
        let seat = *self.core.seat.read();
        queue::started(&self.core.main, seat, TIME_TO_LIVE, &of, limit).await.map_err(Fault::into_error)
    }

    async fn contents(&self, ids: Vec<i64>) -> Result<Vec<Option<ContentRow>>> {
        queue::contents(&self.core.main, &ids).await.map_err(Fault::into_error)
    }

    async fn start(&self, row: StartRow) -> Result<StartAnswer> {
        self.lanes.start.ask(row).await
    }

    async fn settle(&self, rows: Vec<SettleRow>) -> Result<Vec<i64>> {
        self.lanes.settle.ask(rows).await
    }

    async fn idempotency(&self, controller: i64, credential: i64, key: [u8; 16]) -> Result<Option<IdempotencyRecord>> {
        accept::idempotency(&self.core.main, controller, credential, &key).await.map_err(Fault::into_error)
    }

    async fn forget_idempotency(&self, before: Timestamp) -> Result<usize> {
        accept::forget(&self.core.main, before).await.map_err(Fault::into_error)
    }
}
