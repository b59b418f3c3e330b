//! A node at work: store, delivery and housekeeping, and the order in which they stop.

use crate::housekeeping;
use anyhow::Context as _;
use mta::delivery::{Delivery, Settings as DeliverySettings, Shaping, SiteRule};
use mta::submission::Submission;
use mta::{Notices, Pages, TlsReports};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Transactions under way are given this long when the node stops.
pub const DRAIN: Duration = Duration::from_secs(20);

/// Who reports on TLS, where that is set. It names who runs the platform, and cannot without.
async fn reports(
    store: &Arc<Store>,
    submission: &Arc<Submission>,
    by: Option<&str>,
) -> anyhow::Result<Option<TlsReports>> {
    let Some(by) = by else { return Ok(None) };
    let operator = duties::operator::load(store).await.context("who runs the platform could not be read")?;
    let operator =
        operator.context("delivery.tls_reports needs to know who runs the platform; say it with --operator")?;
    Ok(Some(TlsReports::new(Arc::clone(submission), by, &operator.name, &operator.contact)))
}

/// Store, housekeeping, and delivery where the node has that role.
pub struct Running {
    /// The store.
    pub store: Arc<Store>,
    /// The one way in.
    pub submission: Arc<Submission>,
    delivery: Option<Delivery>,
    stop: watch::Sender<bool>,
    /// The store did what was wanted of it last.
    answers: Arc<AtomicBool>,
    housekeeping: JoinHandle<()>,
}

impl Running {
    /// Starts delivery and housekeeping over an open store. The doors come after, so that what they take
    /// in finds its way out.
    ///
    /// # Errors
    /// When the backlog cannot be read. The store is as it was.
    pub async fn start(store: Arc<Store>, settings: DeliverySettings) -> anyhow::Result<Self> {
        let submission = Arc::new(Submission::new(Arc::clone(&store)).with_pages(settings.pages.clone()));
        let tls_reports = reports(&store, &submission, settings.tls_reports_by.as_deref()).await?;
        let notices = Some(Notices::new(Arc::clone(&submission)));
        let settings = DeliverySettings { notices, tls_reports, ..settings };
        let delivery = Delivery::start(Arc::clone(&store), settings).await.context("delivery cannot begin")?;
        Ok(Self::with(store, Some(delivery), submission))
    }

    /// The same on a node that delivers nothing: what it takes in is delivered by others.
    #[must_use]
    pub fn without_delivery(store: Arc<Store>, pages: Option<Pages>) -> Self {
        let submission = Arc::new(Submission::new(Arc::clone(&store)).with_pages(pages));
        Self::with(store, None, submission)
    }

    fn with(store: Arc<Store>, delivery: Option<Delivery>, submission: Arc<Submission>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let answers = Arc::new(AtomicBool::new(true));
        let work = housekeeping::run(Arc::clone(&store), Arc::clone(&submission), Arc::clone(&answers), stopped);
        Self { store, submission, delivery, stop, answers, housekeeping: tokio::spawn(work) }
    }

    /// Asks what is wrong now with what this node needs; nothing when all is well.
    pub(crate) fn trouble(&self) -> impl Fn() -> Option<&'static str> + Send + Sync + use<> {
        let answers = Arc::clone(&self.answers);
        let delivers = self.delivery.as_ref().map(Delivery::watch);
        move || {
            if !answers.load(Ordering::Acquire) {
                return Some("the store does not answer as it should");
            }
            delivers.as_ref().filter(|delivers| !delivers()).map(|_| "delivery has ended")
        }
    }

    /// Tells how destination sites stand, where the node delivers.
    #[must_use]
    pub fn sites(&self) -> Option<web::operator::Sites> {
        let delivery = self.delivery.as_ref()?;
        Some(Arc::new(delivery.sites()))
    }

    /// Tells what domains say of their transport security, where the node delivers.
    #[must_use]
    pub fn demands(&self) -> Option<web::operator::Demands> {
        let delivery = self.delivery.as_ref()?;
        Some(Arc::new(delivery.demands()))
    }

    /// Delivery presses so hard from now on, where the node delivers.
    pub fn reshape(&self, shaping: Shaping, sites: Vec<SiteRule>) {
        if let Some(delivery) = &self.delivery {
            delivery.reshape(shaping, sites);
        }
    }

    /// Ends what is under way, writes what waits in memory, closes the store. The doors must be closed before.
    pub async fn stop(self) {
        if let Some(delivery) = self.delivery {
            // Its leases go to the other nodes as soon as nothing of it is under way.
            delivery.drain(DRAIN).await;
        }
        self.stop.send_replace(true);
        if self.housekeeping.await.is_err() {
            tracing::warn!("housekeeping ended by a fault of ours");
        }
        self.store.close().await;
    }
}

/// Tells of each SIGHUP.
///
/// # Errors
/// When the system refuses to tell.
pub fn reload_signal() -> anyhow::Result<tokio::signal::unix::Signal> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::hangup()).context("cannot listen for SIGHUP")
}

/// Ready when the process is asked to end.
///
/// # Errors
/// When the system refuses to tell.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
