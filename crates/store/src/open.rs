//! Opening and closing a store; its settings.

use crate::engine::Engine;
use crate::error::Result;
use crate::journal::Journal;
use crate::policy::PolicyCache;
use crate::refusals::Refusals;
use crate::spool::QueueRow;
use crate::spool::{BodyFiles, Content, Intake};
use crate::sqlite::{SqliteEngine, SqliteSettings};
use crate::vault::{MasterKey, Vault};
use mail::address::Domain;
use model::ids::PublicKind;
use model::{Clock, ControllerId, MessageId, Timestamp};
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

/// Which site a recipient's domain belongs to.
#[derive(Clone, Debug)]
pub enum Homing {
    /// The domain itself, until a table says otherwise.
    ByDomain,
    /// Everything goes to one next hop.
    Smarthost,
}

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
    /// Told when the engine no longer knows what is durable; the process must end (decision 4).
    pub on_poison: Option<Arc<dyn Fn() + Send + Sync>>,
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
            on_poison: None,
        }
    }
}

/// Called after each acceptance commit with what was queued and its content.
pub type Hint = Arc<dyn Fn(Vec<(QueueRow, Content)>) + Send + Sync>;

/// The store.
pub struct Store {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) vault: Vault,
    pub(crate) policy: Arc<PolicyCache>,
    pub(crate) journal: Journal,
    pub(crate) refusals: Refusals,
    pub(crate) intake: Arc<Intake>,
    clock: Arc<dyn Clock>,
    homing: Homing,
    smarthost_site: Arc<str>,
    last_id: AtomicI64,
}

impl Store {
    /// Opens or creates a store of one node on SQLite in `dir`.
    ///
    /// # Errors
    /// [`crate::Error::Locked`] when another process has the folder; the `MasterKey…` variants;
    /// [`crate::Error::NewerSchema`].
    pub async fn open_sqlite(dir: &Path, options: Options) -> Result<Arc<Self>> {
        let settings = SqliteSettings { on_poison: options.on_poison.clone() };
        let data_exists = dir.join("keys.db").exists();
        let engine: Arc<dyn Engine> = Arc::new(SqliteEngine::open(dir, settings)?);
        let opened = Self::open(dir, Arc::clone(&engine), data_exists, options).await;
        if opened.is_err() {
            engine.close().await;
        }
        opened
    }

    async fn open(dir: &Path, engine: Arc<dyn Engine>, data_exists: bool, options: Options) -> Result<Arc<Self>> {
        let keys_exist = data_exists && !engine.keys().await?.is_empty();
        let master = MasterKey::load(&options.key_file, options.create_key, keys_exist)?;
        let now = options.clock.now();
        let vault = Vault::open(Arc::clone(&engine), master, now).await?;
        let policy = PolicyCache::open(&*engine, vault.keyring()).await?;
        let store = Arc::new(Self {
            journal: Journal::open(dir, &*engine).await?,
            intake: Arc::new(Intake::new(BodyFiles::open(dir, &*engine).await?)),
            refusals: Refusals::default(),
            smarthost_site: Arc::from("smarthost"),
            last_id: AtomicI64::new(0),
            clock: options.clock,
            homing: options.homing,
            engine,
            vault,
            policy,
        });
        if store.policy.current().controller(ControllerId::OPERATOR).is_none() {
            store.admit_controller(ControllerId::OPERATOR, "operator").await?;
        }
        Ok(store)
    }

    /// The node's clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Writes what waits in memory (refusal counts, ledger places), commits and stops.
    pub async fn close(&self) {
        if let Err(error) = self.flush().await {
            tracing::warn!(%error, "the last entries could not be written on closing");
        }
        self.engine.close().await;
    }

    /// Work that is due from time to time: refusal counts, places in the ledger, old keys.
    ///
    /// # Errors
    /// Those of the engine; calling again later is safe.
    pub async fn flush(&self) -> Result<()> {
        self.flush_refusals().await?;
        while self.sequence().await? > 0 {}
        self.export_logs().await
    }

    /// Removes what nothing needs any more: answers kept for repeats (24 hours), retired epoch keys.
    ///
    /// # Errors
    /// Those of the engine; calling again later is safe.
    pub async fn tidy(&self) -> Result<()> {
        let now = self.now();
        let day_ago = Timestamp::from_micros(now.micros().saturating_sub(86_400_000_000));
        self.engine.forget_idempotency(day_ago).await?;
        self.vault.retire_epochs(now).await
    }

    /// An id that no other has: microseconds in the upper bits, so that rows lie in order of time.
    pub(crate) fn next_id(&self) -> i64 {
        let floor = self.now().micros().saturating_mul(1_024) & i64::MAX;
        let last = self.last_id.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some((last + 1).max(floor)));
        (last.unwrap_or_default() + 1).max(floor)
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
