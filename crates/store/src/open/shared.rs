//! Opening a store that several nodes share, and what this node does there as long as it is open.
//!
//! Order of opening: the folder, the database, the keys, the accounts; only then a seat, so that a node which cannot
//! serve never takes a share. Order of closing: what waits is written, the tasks end, the leases are given back, the
//! engine closes.

use super::{Ground, Options, Store};
use crate::cluster::{ClockSource, Follower, Member, NodeClock, Roles, Tenure};
use crate::engine::{Engine, NodeCard, Sharing};
use crate::error::Result;
use crate::folder;
use crate::postgres::{EngineSettings, PostgresEngine};
use crate::spool::BodyPlacement;
use model::Clock;
use parking_lot::Mutex;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How a store on PostgreSQL is opened. Addresses may hold passwords: it is not shown.
#[derive(Clone)]
pub struct PostgresSettings {
    /// Address of the main database.
    pub url: String,
    /// That of the keys database, when it is not beside the main one.
    pub keys_url: Option<String>,
    /// Certificates of the authorities that may have signed the server's, in the place of the usual ones.
    pub ca: Option<PathBuf>,
    /// What the operator calls this node.
    pub name: String,
    /// What it does.
    pub roles: Roles,
    /// Whose calendar counts.
    pub clock: ClockSource,
    /// Where bodies over 256 KiB are: the same for all nodes.
    pub bodies: BodyPlacement,
}

/// This node among the others.
pub(super) struct Membership {
    member: Arc<Member>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// The folder's lock, for as long as the node uses its identity.
    folder: Mutex<Option<File>>,
}

impl Membership {
    /// A member whose heartbeat and follower run from now on.
    fn begin(member: Arc<Member>, follower: Option<&Arc<Follower>>, folder: File) -> Self {
        let stop = watch::Sender::new(false);
        let mut tasks = vec![tokio::spawn(Arc::clone(&member).work(stop.subscribe()))];
        tasks.extend(follower.map(|follower| tokio::spawn(Arc::clone(follower).work(stop.subscribe()))));
        Self { member, stop, tasks: Mutex::new(tasks), folder: Mutex::new(Some(folder)) }
    }

    pub(super) async fn step_down(&self) -> Result<()> {
        self.member.step_down().await
    }

    /// The tasks end, and the others get the leases.
    pub(super) async fn end(&self) {
        self.end_tasks().await;
        self.member.leave().await;
        self.folder.lock().take();
    }

    async fn end_tasks(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            // One that fell over has ended too.
            drop(task.await);
        }
    }
}

/// A node on its way into a store.
struct Joining {
    engine: Arc<dyn Engine>,
    sharing: Arc<dyn Sharing>,
    card: NodeCard,
    clock: ClockSource,
    bodies: BodyPlacement,
    folder: File,
}

impl Store {
    /// Opens or creates a store on PostgreSQL, which several nodes may share. `dir` is this node's own: who it is, its
    /// export of the ledger, and, unless the settings say otherwise, the master key, which is the same on all nodes.
    ///
    /// # Errors
    /// [`crate::Error::Locked`] when another process has the folder; [`crate::Unfit`] when the database cannot be used
    /// as it is; the `MasterKey…` variants; [`crate::Error::NewerSchema`].
    pub async fn open_postgres(dir: &Path, settings: PostgresSettings, options: Options) -> Result<Arc<Self>> {
        let PostgresSettings { url, keys_url, ca, name, roles, clock, bodies } = settings;
        let folder = folder::take(dir)?;
        let release = env!("CARGO_PKG_VERSION").to_owned();
        let card = NodeCard { identity: folder::identity(dir)?, name, roles: roles.bits(), release };
        let engine = Arc::new(PostgresEngine::open(EngineSettings { url, keys_url, ca }).await?);
        let sharing = Arc::clone(&engine) as Arc<dyn Sharing>;
        let joining = Joining { engine, sharing, card, clock, bodies, folder };
        Self::open_joining(dir, joining, options).await
    }

    async fn open_joining(dir: &Path, joining: Joining, options: Options) -> Result<Arc<Self>> {
        let engine = Arc::clone(&joining.engine);
        let opened = Self::join(dir, joining, options).await;
        if opened.is_err() {
            engine.close().await;
        }
        opened
    }

    async fn join(dir: &Path, joining: Joining, options: Options) -> Result<Arc<Self>> {
        let Joining { engine, sharing, card, clock, bodies, folder } = joining;
        let clock = Arc::new(NodeClock::new(Arc::clone(&options.clock), clock));
        let tenure = Arc::new(Tenure::shared(Arc::clone(&clock) as Arc<dyn Clock>));
        let member = Arc::new(Member::new(sharing, Arc::clone(&clock), Arc::clone(&tenure), card));
        // Before anything is dated.
        member.find_time().await?;
        let ground =
            Ground { keys_exist: !engine.keys().await?.is_empty(), bodies: Some(bodies), clock, tenure, engine };
        let moves_tags = options.moves_tags;
        let mut store = Self::open(dir, ground, options).await?;
        // The seat before the ids: whoever had it has made his last by then.
        let settled = async {
            member.arrive().await?;
            store.settle_in(moves_tags).await
        };
        if let Err(error) = settled.await {
            member.leave().await;
            return Err(error);
        }
        store.membership = Some(Membership::begin(member, store.follower.as_ref(), folder));
        Ok(Arc::new(store))
    }

    /// As a process that is killed goes: nothing is given back.
    #[cfg(test)]
    pub(crate) async fn vanish(&self) {
        if let Some(membership) = &self.membership {
            membership.end_tasks().await;
            membership.folder.lock().take();
        }
    }
}
