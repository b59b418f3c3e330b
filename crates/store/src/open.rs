//! Opening and closing a store; its settings.

mod shared;

pub use shared::PostgresSettings;

use crate::cluster::{Follower, Tenure};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::permission::Shelf;
use crate::policy::PolicyCache;
use crate::refusals::Refusals;
use crate::spool::QueueRow;
use crate::spool::{Bodies, BodyPlacement, Content, Intake, UnderWay};
use crate::sqlite::{SqliteEngine, SqliteSettings};
use crate::tombstones::Tombstones;
use crate::vault::{MasterKey, Vault};
use crate::waiting::Hurried;
use mail::address::Domain;
use model::ids::PublicKind;
use model::{Clock, ControllerId, MessageId, RecipientTag, Timestamp};
use parking_lot::{Mutex, RwLock};
use shared::Membership;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// May a missing master key be made?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CreateKey {
    /// Yes, when the folder holds no data yet.
    IfNew,
    /// No.
    Never,
}

/// Bits of an id below its microseconds.
const ID_SEAT_BITS: u32 = 10;

/// Which site a recipient's domain belongs to.
#[derive(Clone, Debug)]
pub enum Homing {
    /// The domain itself, until a table says otherwise.
    ByDomain,
    /// Everything goes to one next hop.
    Smarthost,
}

/// The site of everything that was taken in for one next hop.
pub const SMARTHOST_SITE: &str = "smarthost";

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// The node's clock.
    pub clock: Arc<dyn Clock>,
    /// Where the master key is.
    pub key_file: PathBuf,
    /// May it be made?
    pub create_key: CreateKey,
    /// Homing of destinations.
    pub homing: Homing,
    /// Where the node stands, as `model::region` says it; unknown when the operator did not say.
    pub region: Option<String>,
    /// Told when the engine no longer knows what is durable; the process must end (decision 4).
    pub on_poison: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Is it opened to put tags under a new key, or to bring that to its end? Otherwise a store whose tags are on their
    /// way is not opened.
    pub moves_tags: bool,
}

impl Options {
    /// The usual settings for a data folder.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, dir: &Path) -> Self {
        Self {
            clock,
            key_file: dir.join("master.key"),
            create_key: CreateKey::IfNew,
            homing: Homing::ByDomain,
            region: None,
            on_poison: None,
            moves_tags: false,
        }
    }
}

/// Called after each acceptance commit with what was queued and its content.
pub type Hint = Arc<dyn Fn(Vec<(QueueRow, Content)>) + Send + Sync>;

/// The store.
pub struct Store {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) policy: Arc<PolicyCache>,
    pub(crate) journal: Journal,
    pub(crate) refusals: Refusals,
    pub(crate) intake: Arc<Intake>,
    pub(crate) tenure: Arc<Tenure>,
    /// What others change; `None` where the node is alone.
    pub(crate) follower: Option<Arc<Follower>>,
    pub(crate) under_way: Arc<UnderWay>,
    /// What came in up to this moment was told (microseconds).
    pub(crate) arrivals_seen: AtomicI64,
    clock: Arc<dyn Clock>,
    homing: Homing,
    pub(crate) region: Option<String>,
    smarthost_site: Arc<str>,
    /// By the days that a timeline is kept: the id up to which there is nothing of it any more.
    pub(crate) forgotten: Mutex<HashMap<u32, i64>>,
    /// How far the look at persons of whom nothing may speak any more has come.
    pub(crate) left_after: Mutex<(i64, i64, Vec<u8>)>,
    /// The microsecond of the last id.
    last_id: AtomicI64,
    membership: Option<Membership>,
    /// Names in force for controllers' pages.
    pub(crate) shelf: Shelf,
    pub(crate) tombstones: Tombstones,
    /// Who is told that what waits is due at once.
    pub(crate) hurried: RwLock<Option<Hurried>>,
}

/// What a store is opened with, beside its settings.
struct Ground {
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    tenure: Arc<Tenure>,
    /// `None`: files of its own.
    bodies: Option<BodyPlacement>,
    keys_exist: bool,
}

impl Store {
    /// Opens or creates a store of one node on SQLite in `dir`.
    ///
    /// # Errors
    /// [`crate::Error::Locked`] when another process has the folder; the `MasterKey…` variants;
    /// [`crate::Error::NewerSchema`].
    pub async fn open_sqlite(dir: &Path, options: Options) -> Result<Arc<Self>> {
        Self::open_sqlite_with(dir, None, options).await
    }

    /// `bodies`: where several nodes would have them, for tests.
    pub(crate) async fn open_sqlite_with(
        dir: &Path,
        bodies: Option<BodyPlacement>,
        options: Options,
    ) -> Result<Arc<Self>> {
        let settings = SqliteSettings { on_poison: options.on_poison.clone() };
        let data_exists = dir.join("keys.db").exists();
        let engine: Arc<dyn Engine> = Arc::new(SqliteEngine::open(dir, settings)?);
        let opened = Self::open_alone(dir, Arc::clone(&engine), data_exists, bodies, options).await;
        if opened.is_err() {
            engine.close().await;
        }
        opened
    }

    async fn open_alone(
        dir: &Path,
        engine: Arc<dyn Engine>,
        data_exists: bool,
        bodies: Option<BodyPlacement>,
        options: Options,
    ) -> Result<Arc<Self>> {
        let ground = Ground {
            keys_exist: data_exists && !engine.keys().await?.is_empty(),
            clock: Arc::clone(&options.clock),
            tenure: Arc::new(Tenure::alone()),
            bodies,
            engine,
        };
        let moves_tags = options.moves_tags;
        let store = Self::open(dir, ground, options).await?;
        store.settle_in(moves_tags).await?;
        Ok(Arc::new(store))
    }

    async fn open(dir: &Path, ground: Ground, options: Options) -> Result<Self> {
        let Ground { engine, clock, tenure, bodies, keys_exist } = ground;
        let master = MasterKey::load(&options.key_file, options.create_key, keys_exist)?;
        let master = master.or_next(&engine.keys().await?)?;
        let vault = Arc::new(Vault::open(Arc::clone(&engine), master, clock.now()).await?);
        let policy = PolicyCache::open(&*engine, vault.keyring()).await?;
        let follower = match tenure.is_alone() {
            true => None,
            false => {
                let (engine, clock) = (Arc::clone(&engine), Arc::clone(&clock));
                Some(Follower::open(engine, Arc::clone(&vault), Arc::clone(&policy), clock).await?)
            }
        };
        let bodies = match bodies {
            None => Bodies::alone(dir, &*engine).await?,
            Some(placement) => Bodies::shared(placement, &vault, Arc::clone(&clock)).await?,
        };
        Ok(Self {
            journal: Journal::open(dir, &*engine).await?,
            intake: Arc::new(Intake::new(bodies)),
            refusals: Refusals::default(),
            smarthost_site: Arc::from(SMARTHOST_SITE),
            forgotten: Mutex::default(),
            left_after: Mutex::default(),
            last_id: AtomicI64::new(0),
            arrivals_seen: AtomicI64::new(clock.now().micros()),
            under_way: Arc::default(),
            membership: None,
            shelf: Shelf::default(),
            tombstones: Tombstones::default(),
            hurried: RwLock::default(),
            homing: options.homing,
            region: options.region,
            follower,
            tenure,
            clock,
            engine,
            vault,
            policy,
        })
    }

    /// What a new store lacks, and where ids go on. Among several nodes this one is seen by the others: whoever moves
    /// tags marks that first and looks for nodes then, so one of the two sees the other.
    async fn settle_in(&self, moves_tags: bool) -> Result<()> {
        if !moves_tags {
            self.refuse_tags_on_their_way().await?;
        }
        // Ids are larger than all that were given, wherever the clock stands.
        self.last_id.store(self.engine.last_id().await? >> ID_SEAT_BITS, Ordering::Relaxed);
        self.refresh_hosts().await?;
        self.refresh_tombstones().await?;
        if self.policy.current().controller(ControllerId::OPERATOR).is_some() {
            return Ok(());
        }
        match self.admit_controller(ControllerId::OPERATOR, "operator").await {
            // Another node was first.
            Err(Error::Exists { .. }) => self.catch_up().await,
            outcome => outcome,
        }
    }

    /// The node's clock; among several nodes put right by the database's.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What this node holds of the queue.
    #[must_use]
    pub const fn tenure(&self) -> &Arc<Tenure> {
        &self.tenure
    }

    /// Gives this node's share of the queue to the others at once, and takes none until the process starts again.
    /// Nothing happens where the node is alone.
    ///
    /// # Errors
    /// Those of the engine: nothing is begun here from now on all the same.
    pub async fn step_down(&self) -> Result<()> {
        match &self.membership {
            Some(membership) => membership.step_down().await,
            None => Ok(()),
        }
    }

    /// Writes what waits in memory (refusal counts, ledger places), gives back what the node holds, commits and stops.
    pub async fn close(&self) {
        if let Err(error) = self.flush().await {
            tracing::warn!(%error, "the last entries could not be written on closing");
        }
        if let Some(membership) = &self.membership {
            membership.end().await;
        }
        self.engine.close().await;
    }

    /// Work that is due from time to time: refusal counts, places in the ledger, old keys.
    ///
    /// # Errors
    /// Those of the engine; calling again later is safe.
    pub async fn flush(&self) -> Result<()> {
        self.flush_refusals().await?;
        self.flush_refusal_log().await?;
        while self.sequence().await? > 0 {}
        self.export_logs().await?;
        self.ship_tombstones().await
    }

    /// Removes what nothing needs any more: answers kept for repeats (24 hours), retired epoch keys, what is older than
    /// its class or its stream's terms allow, sign-ups that were never confirmed. Several nodes may do it at once.
    ///
    /// # Errors
    /// Those of the engine; calling again later is safe.
    pub async fn tidy(&self) -> Result<()> {
        let now = self.now();
        let day_ago = Timestamp::from_micros(now.micros().saturating_sub(86_400_000_000));
        self.engine.forget_idempotency(day_ago).await?;
        self.engine.keep(now).await?;
        self.forget(now).await?;
        self.forget_old_refusals().await?;
        self.collect_bodies();
        self.vault.retire_epochs(now).await
    }

    /// An id that no other has: microseconds in the upper bits, so that rows lie in order of time; below them the
    /// number of the node's seat.
    pub(crate) fn next_id(&self) -> i64 {
        let now = self.now().micros();
        let last = self.last_id.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some((last + 1).max(now)));
        let micros = (last.unwrap_or_default() + 1).max(now);
        (micros.saturating_mul(1 << ID_SEAT_BITS) & i64::MAX) | i64::from(self.tenure.number())
    }

    /// The first of the ids that are made at a moment.
    pub(crate) fn first_id_of(at: Timestamp) -> i64 {
        at.micros().max(0).saturating_mul(1 << ID_SEAT_BITS)
    }

    /// An id for a message that is about to be offered.
    #[must_use]
    pub fn new_message_id(&self) -> MessageId {
        MessageId(self.next_id())
    }

    /// The public form of an id.
    #[must_use]
    pub fn public_id<K: PublicKind>(&self, id: K) -> String {
        self.vault.show(id)
    }

    /// The id behind a public form, if it is one of ours.
    #[must_use]
    pub fn parse_public<K: PublicKind>(&self, text: &str) -> Option<K> {
        self.vault.read(text)
    }

    /// What a person is called where his address is not kept: `per_…`. A name that was given goes on being his when the
    /// controller's key of tags is changed.
    #[must_use]
    pub fn person_id(&self, controller: ControllerId, tag: RecipientTag) -> String {
        self.vault.show_person(controller, tag)
    }

    /// The person behind such a name. Whether he is one of the controller's is seen when he is looked for.
    #[must_use]
    pub fn parse_person(&self, controller: ControllerId, text: &str) -> Option<RecipientTag> {
        self.vault.read_person(controller, text)
    }

    /// The destination site of a domain. Never asks the DNS: homing is a table, repaired later
    /// by delivery (protocols-and-scale B3.2).
    #[must_use]
    pub fn site_of(&self, domain: &Domain) -> Arc<str> {
        match self.homing {
            Homing::ByDomain => Arc::from(domain.as_str()),
            Homing::Smarthost => Arc::clone(&self.smarthost_site),
        }
    }
}
