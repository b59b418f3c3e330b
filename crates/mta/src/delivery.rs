//! Delivery: what was accepted goes to its receivers, with a clearance for each message, and its outcome is recorded.
//!
//! Parts, in the order in which a message meets them: `scheduler` (whose turn it is) → `worker` (one connection) →
//! `route` (where to) → `send` (the socket) → `attempt` (the gate, the start, the final dot) → `outcome` (what became
//! of it); `shaping` says how hard a site may be pressed, `engine` owns the picture and reads the store, `tenancy`
//! knows of other nodes, `orders` of the operator's for sites, `hurried`
//! of what was ordered for what waits, `trouble` of a store that is away, `seen` tells whoever asks before any mail.
//! Invariants: nothing leaves without a clearance; a final dot leaves only after its start is durable; a site is
//! delivered to only by the node that holds its partition; all that is held in memory has a bound.
//! Never: an answer to a client, a list, a campaign; `submission` is not imported.
//! `security` says what a connection must be, `tls` makes it so.
//! Standards: RFC 5321, 7505, 3207, 2920, 3463, 7672, 8461; protocols-and-scale A4, A5, A10.

mod attempt;
mod egress;
mod engine;
mod hurried;
mod orders;
mod outcome;
mod reports;
mod required;
mod route;
mod scheduler;
mod security;
mod seen;
mod send;
mod settings;
mod shaping;
mod signing;
mod spread;
mod tally;
mod tenancy;
mod tls;
mod trouble;
mod worker;

pub use egress::warming::{BASE as WARM_UP_BASE, cap as warm_up_cap, is_group as is_warm_up_group};
pub use egress::{DEFAULT as DEFAULT_POOL, Egress, EgressAddress, EgressTexts, NoEgress, is_name as is_egress_name};
pub use route::{DomainSecurity, ExchangerSecurity, PolicySecurity};
pub use scheduler::{ReceiverStatus, SiteStatus};
pub use seen::{OwnPolicy, Validation, own_policy, validation};
pub use settings::{Dnssec, Settings, Smarthost, Timeouts, TlsPolicy, TrustAnchors};
pub use shaping::Shaping;
pub use shaping::book::{Limits, NoRule, SiteOrder, SiteRule, site_name};
pub use shaping::providers::{PROVIDERS, Provider, VERSION as PROVIDERS_VERSION, table_markdown as providers_table};
pub use shaping::throttling::{Follows, ROWS as THROTTLING, Row as Throttling};

use crate::Error;
use engine::Engine;
use model::ControllerId;
use model::stream::Class;
use outcome::Note;
use route::Router;
use scheduler::{Bounds, LaneKey, Picture};
use send::Dialer;
use shaping::book::Book;
use signing::{Busy, Signing};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// What will be known.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How a drain ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drained {
    /// Every transaction came to its end, and every outcome is durable.
    Completely,
    /// Time was over: transactions were cut. Those after their final dot are uncertain at the next start.
    ByForce,
}

/// The delivery engine of a node.
pub struct Delivery {
    engine: Arc<Engine>,
    owner: JoinHandle<()>,
    recorder: JoinHandle<()>,
    /// Those that follow other nodes and the operator. They end by themselves when delivery stops, or with this.
    tenancy: JoinSet<()>,
}

impl Delivery {
    /// Recovers what a crash left, learns what waits, and begins. Among other nodes, sites come when their partitions
    /// do. Within a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Delivery`] when the resolver or TLS cannot be set up, [`Error::Store`] when the queue cannot be read;
    /// nothing runs then.
    pub async fn start(store: Arc<Store>, settings: Settings) -> Result<Self, Error> {
        let router = Router::new(&settings, Some(Arc::clone(&store)))
            .map_err(|error| Error::Delivery(format!("the DNS resolver cannot be set up: {error}; name one")))?;
        let dialer = Dialer::new(&settings)
            .map_err(|error| Error::Delivery(format!("TLS cannot be set up: {error}; look at the extra roots")))?;
        let intake = Arc::downgrade(&store);
        let busy: Busy = Arc::new(move || intake.upgrade().is_some_and(|store| store.is_accepting()));
        let signing = Signing::start(&busy)
            .map_err(|error| Error::Delivery(format!("no threads for signing: {error}; look at the process limits")))?;
        let (notes, inbox) = mpsc::channel(outcome::WAITING_MAX);
        let book = Book::new(settings.sites.clone());
        let mut picture = Picture::new(Bounds::default(), settings.shaping, settings.site_retry_first)
            .with_book(book)
            .with_egress(Arc::clone(&settings.egress));
        let is_alone = store.tenure().is_alone();
        if !is_alone {
            picture.share();
        }
        let engine = Arc::new(Engine::new(store, settings, router, dialer, signing, notes, picture));
        for (id, address) in engine.settings.egress.ids() {
            if address.address.is_some_and(|own| !send::is_ours(own)) {
                engine.bar(id);
            }
        }
        // Recovery first: what it finds is in the backlog then. The hint before the backlog: what is accepted in
        // between is in one of them, and what is in both is in hand once.
        let recovered = engine.store.recover().await?;
        if recovered > 0 {
            tracing::warn!(
                messages = recovered,
                "outcomes were lost in a crash; the messages are sent again and marked"
            );
        }
        let hinted = Arc::downgrade(&engine);
        engine.store.set_hint(Arc::new(move |rows| {
            if let Some(engine) = hinted.upgrade() {
                engine.hint(rows);
            }
        }));
        // Before anything leaves: what is stopped stays.
        orders::read(&engine).await?;
        let ordered = Arc::downgrade(&engine);
        engine.store.set_hurried(Arc::new(move |at| {
            if let Some(engine) = ordered.upgrade() {
                engine.look_again(at);
            }
        }));
        let mut tenancy = JoinSet::new();
        tenancy.spawn(orders::follow(Arc::clone(&engine)));
        if let Some(writer) = engine.settings.tls_reports.clone() {
            tenancy.spawn(reports::run(Arc::clone(&engine), writer));
        }
        let router = engine.router.clone();
        tenancy.spawn(async move { router.warn_unproven().await });
        if is_alone {
            engine.load_backlog().await?;
        } else {
            tenancy.spawn(tenancy::watch(Arc::clone(&engine)));
            tenancy.spawn(tenancy::poll(Arc::clone(&engine)));
        }
        let recorder = tokio::spawn(outcome::record(Arc::clone(&engine), inbox));
        let owner = tokio::spawn(engine::run(Arc::clone(&engine)));
        Ok(Self { engine, owner, recorder, tenancy })
    }

    /// Tells at any time whether delivery still runs.
    pub fn watch(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let parts = [self.owner.abort_handle(), self.recorder.abort_handle()];
        move || parts.iter().all(|part| !part.is_finished())
    }

    /// What the node and single sites bear from now on. Connections that are open stay until they close by themselves.
    /// Ages and counts of a connection are those of its opening.
    pub fn reshape(&self, shaping: Shaping, sites: Vec<SiteRule>) {
        let now = self.engine.store.now();
        self.engine.with(|picture| {
            picture.rebook(now, |book| book.rule(sites));
            picture.reshape(shaping, now);
        });
    }

    /// Receivers of which there is something to tell, those in trouble first; at most so many.
    #[must_use]
    pub fn receivers(&self, at_most: usize) -> Vec<ReceiverStatus> {
        let now = self.engine.store.now();
        self.engine.with(|picture| picture.receivers(now, at_most))
    }

    /// Tells at any time how domains stand for the mail of a controller and class.
    pub fn sites(&self) -> impl Fn(&str, ControllerId, Class) -> Option<SiteStatus> + Send + Sync + use<> {
        let engine = Arc::downgrade(&self.engine);
        move |site, controller, class| {
            let engine = engine.upgrade()?;
            let now = engine.store.now();
            engine.with(|picture| picture.lane_status(site, LaneKey { class, controller }, now))
        }
    }

    /// Tells at any time what a domain, in A-labels, says of its transport security.
    pub fn demands(&self) -> impl Fn(String) -> BoxFuture<Option<DomainSecurity>> + Send + Sync + use<> {
        let engine = Arc::downgrade(&self.engine);
        move |domain| {
            let engine = engine.clone();
            Box::pin(async move {
                let router = engine.upgrade()?.router.clone();
                Some(router.security(&domain).await)
            })
        }
    }

    /// How a domain stands; `None` when nothing goes there.
    #[must_use]
    pub fn site_status(&self, site: &str) -> Option<SiteStatus> {
        let now = self.engine.store.now();
        self.engine.with(|picture| picture.status(site, now))
    }

    /// Takes no more rows, gives its partitions to other nodes at once, lets transactions under way come to their end
    /// for at most `patience`, and makes every outcome durable. What was not begun stays in the queue, and so does what
    /// had not come to its final dot when its partition went.
    pub async fn drain(self, patience: Duration) -> Drained {
        let Self { engine, mut owner, recorder, tenancy } = self;
        // Before anything is awaited: what is given away is not begun.
        engine.stop();
        let gentle = async {
            // The owner ends when its last connection has.
            let (stepped_down, _) = tokio::join!(engine.store.step_down(), &mut owner);
            if let Err(error) = stepped_down {
                tracing::warn!(%error, "partitions could not be given back; others take them when this node is gone");
            }
            flush(&engine).await;
            orders::give_back(&engine).await;
        };
        let drained = match tokio::time::timeout(patience, gentle).await {
            Ok(()) => Drained::Completely,
            Err(_) => {
                // Dropping the owner's set of connections cuts them: without a final dot nothing was sent.
                owner.abort();
                let _ = tokio::time::timeout(FLUSH_MAX, flush(&engine)).await;
                Drained::ByForce
            }
        };
        recorder.abort();
        drop(tenancy);
        // What was counted last.
        let _ = tokio::time::timeout(FLUSH_MAX, engine.router.tally().keep(&engine.store)).await;
        drained
    }
}

/// Longest wait for outcomes to be written after a drain by force.
const FLUSH_MAX: Duration = Duration::from_secs(2);

async fn flush(engine: &Engine) {
    let (done, written) = oneshot::channel();
    if engine.notes.send(Note::Flush(done)).await.is_ok() {
        // An error means that the recorder is gone, and nothing is left to wait for.
        let _ = written.await;
    }
}
