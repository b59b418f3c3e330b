//! The listeners of a node: opened one after the other, closed all at once.
//!
//! Invariants: all of them are open, or none is; `/readyz` says yes only while all are; when [`Doors::close`] returns
//! nobody listens and no mail comes in.
//! Never: which doors a node has, and for whom. The demo and `serve` say that.

use crate::certificates::{self, Shown};
use crate::room::{self, Room};
use crate::running::Running;
use anyhow::anyhow;
use mail::address::Domain;
use metrics_exporter_prometheus::PrometheusHandle;
use model::CredentialId;
use mta::Names;
use mta::feedback::Feedback;
use rustls::ServerConfig;
use smtpd::Network;
use smtpd::connections::Bounds;
use smtpd::throttle::Throttle;
use smtpd::{
    Connections, Door, InboundDoor, Kind, Letters, Listener as SmtpListener, Settings as SmtpSettings, SubmissionDoor,
};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use web::hosts::{Certified, Keeper};
use web::operator::Operator;
use web::{Api, Drained, Listener as WebListener, OperatorListener, Readiness, Router};

/// Whether anything is due for a host name is looked so often.
const HOSTS_EVERY: Duration = Duration::from_secs(2);

/// What the listeners of a node share.
#[derive(Clone)]
pub(crate) struct Shared {
    host: Domain,
    certificate: Arc<Shown>,
    tls: Arc<ServerConfig>,
    connections: Arc<Connections>,
    throttle: Arc<Throttle>,
    proxies: Arc<[Network]>,
}

/// A listener's place.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// What an operator calls it.
    pub(crate) name: &'static str,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What there is to say about the address, in brackets; or nothing.
    pub(crate) note: String,
    /// What can be done when the address is taken, beside stopping what uses it.
    pub(crate) remedy: &'static str,
}

impl Place {
    fn taken(&self, source: &std::io::Error) -> anyhow::Error {
        let Self { name, address, note, remedy } = self;
        anyhow!("{name} cannot listen on {address}{note}: {source}; stop what uses the port, or {remedy}")
    }
}

impl Shared {
    /// For a node that calls itself `host` and shows this certificate.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(host: Domain, certificate: Arc<Shown>, bounds: Bounds) -> anyhow::Result<Self> {
        let tls = certificate.config()?;
        let (connections, throttle, proxies) = (Connections::new(bounds), Arc::default(), Arc::default());
        Ok(Self { host, certificate, tls, connections, throttle, proxies })
    }

    /// SMTP clients that connect from there come by way of a proxy.
    pub(crate) fn behind(self, proxies: &[Network]) -> Self {
        Self { proxies: proxies.into(), ..self }
    }

    /// The certificate that is shown now.
    pub(crate) fn certificate(&self) -> &Shown {
        &self.certificate
    }

    /// The SMTP connections that are open.
    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// A listener that is closed apart from the others.
    pub(crate) async fn smtp<D: Door>(&self, kind: Kind, place: &Place, door: D) -> anyhow::Result<SmtpListener> {
        let tls = Some(Arc::clone(&self.tls));
        let mut settings = SmtpSettings::new(kind, self.host.clone(), tls, Arc::clone(&self.connections));
        settings.proxies = Arc::clone(&self.proxies);
        SmtpListener::bind(place.address, settings, Arc::new(door)).await.map_err(|error| match error {
            smtpd::listener::Error::Bind { source, .. } => place.taken(&source),
            error => error.into(),
        })
    }
}

/// The open listeners of a node.
pub(crate) struct Doors {
    shared: Shared,
    smtp: Vec<SmtpListener>,
    web: Vec<JoinHandle<Drained>>,
    keepers: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    readiness: Arc<Readiness>,
}

impl Doors {
    /// Opens those that `fill` asks for, or none.
    pub(crate) async fn open(
        shared: &Shared,
        fill: impl AsyncFnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let (stop, _) = watch::channel(false);
        let (shared, readiness) = (shared.clone(), Arc::new(Readiness::default()));
        let mut doors = Self { shared, smtp: Vec::new(), web: Vec::new(), keepers: Vec::new(), stop, readiness };
        match fill(&mut doors).await {
            Ok(()) => {
                doors.readiness.open();
                Ok(doors)
            }
            Err(error) => {
                doors.close(Duration::ZERO).await;
                Err(error)
            }
        }
    }

    /// Clients that authenticate.
    pub(crate) async fn submission(&mut self, kind: Kind, place: &Place, running: &Running) -> anyhow::Result<()> {
        let (host, throttle) = (self.shared.host.clone(), Arc::clone(&self.shared.throttle));
        self.smtp(kind, place, SubmissionDoor::new(Arc::clone(&running.submission), host, throttle)).await
    }

    /// Clients that are known by their address, and speak with this credential.
    pub(crate) async fn trusted(
        &mut self,
        place: &Place,
        running: &Running,
        credential: CredentialId,
        networks: Vec<Network>,
    ) -> anyhow::Result<()> {
        let host = self.shared.host.clone();
        let door = SubmissionDoor::trusted(Arc::clone(&running.submission), host, credential, networks);
        self.smtp(Kind::Trusted, place, door).await
    }

    /// Whatever comes back about mail that left; reports on TLS, too, where `names` tells the keys of those who sign.
    pub(crate) async fn inbound(
        &mut self,
        place: &Place,
        running: &Running,
        letters: Arc<dyn Letters>,
        names: Option<Names>,
    ) -> anyhow::Result<()> {
        let feedback = Feedback::new(Arc::clone(&running.store), self.shared.host.clone());
        let feedback = match names {
            Some(names) => feedback.with_names(names),
            None => feedback,
        };
        self.smtp(Kind::Inbound, place, InboundDoor::new(feedback, letters)).await
    }

    /// Any other SMTP door.
    pub(crate) async fn smtp<D: Door>(&mut self, kind: Kind, place: &Place, door: D) -> anyhow::Result<()> {
        self.smtp.push(self.shared.smtp(kind, place, door).await?);
        Ok(())
    }

    /// What the routes of the HTTP doors are given; `base_url` is how clients reach them.
    pub(crate) fn api(&self, running: &Running, base_url: &str, metrics: Option<PrometheusHandle>) -> Api {
        let (store, submission) = (Arc::clone(&running.store), Arc::clone(&running.submission));
        self.readiness.ask(running.trouble());
        Api::new(store, submission, base_url, metrics, Arc::clone(&self.readiness)).with_sites(running.sites())
    }

    /// The operator's own door in the data folder. A node can serve without it.
    pub(crate) fn operator(&mut self, running: &Running, data: &Path, room: Option<Arc<Room>>) {
        let mut operator = Operator::new(Arc::clone(&running.store), running.sites()).with_demands(running.demands());
        if let Some(room) = room {
            operator = operator.with_room(Arc::new(move || room.told()));
        }
        let router = web::operator::router(operator);
        let listener = match OperatorListener::bind(data, router) {
            Ok(listener) => listener,
            Err(error) => {
                let why = "commands on the queue cannot reach this node: its socket cannot be made in the data folder";
                tracing::warn!(%error, "{why}");
                return;
            }
        };
        let mut stopped = self.stop.subscribe();
        self.keepers.push(tokio::spawn(listener.serve(async move {
            let _ = stopped.changed().await;
        })));
    }

    /// HTTP.
    pub(crate) async fn http(&mut self, place: &Place, router: Router) -> anyhow::Result<()> {
        self.web(place, router, None).await
    }

    /// HTTP within TLS, with the certificates of controllers' own host names beside the node's.
    pub(crate) async fn https(&mut self, place: &Place, running: &Running, router: Router) -> anyhow::Result<()> {
        let tls = certificates::for_web(&self.shared.tls, Certified::new(Arc::clone(&running.store)));
        self.web(place, router, Some(tls)).await
    }

    /// Looks after controllers' own host names for as long as the doors are open.
    pub(crate) fn keep_hosts(&mut self, mut keeper: Keeper) {
        let mut stopped = self.stop.subscribe();
        self.keepers.push(tokio::spawn(async move {
            let rounds = async {
                loop {
                    if let Err(error) = keeper.round().await {
                        tracing::warn!(%error, "host names could not be looked after; it is tried again");
                    }
                    tokio::time::sleep(HOSTS_EVERY).await;
                }
            };
            tokio::select! {
                // What is half done is taken up again after its lease.
                _ = stopped.changed() => {}
                () = rounds => {}
            }
        }));
    }

    /// Watches what runs out for as long as the doors are open.
    pub(crate) fn watch(&mut self, room: Arc<Room>, running: &Running) {
        let mut stopped = self.stop.subscribe();
        let watching = room::watch(room, Arc::clone(&self.shared.certificate), Arc::clone(&running.store));
        self.keepers.push(tokio::spawn(async move {
            tokio::select! {
                _ = stopped.changed() => {}
                () = watching => {}
            }
        }));
    }

    async fn web(&mut self, place: &Place, router: Router, tls: Option<Arc<ServerConfig>>) -> anyhow::Result<()> {
        let bound = WebListener::bind(place.address, router, tls).await;
        let listener = bound.map_err(|web::Error::Bind { source, .. }| place.taken(&source))?;
        let mut stopped = self.stop.subscribe();
        self.web.push(tokio::spawn(listener.serve(async move {
            // Dropping the sender stops as well.
            let _ = stopped.changed().await;
        })));
        Ok(())
    }

    /// No more mail comes in, and no listener is left, when this returns.
    pub(crate) async fn close(self, grace: Duration) {
        self.readiness.close();
        self.stop.send_replace(true);
        // All at once: each may take the whole grace.
        let draining: Vec<_> = self.smtp.into_iter().map(|listener| tokio::spawn(listener.drain(grace))).collect();
        for listener in draining {
            told("an SMTP listener", listener.await.map(|()| Drained::Whole));
        }
        for listener in self.web {
            told("an HTTP listener", listener.await);
        }
        for keeper in self.keepers {
            told("a keeper of names, or the operator's door,", keeper.await.map(|()| Drained::Whole));
        }
    }
}

/// Says how a listener ended, if not well.
fn told(listener: &str, ended: Result<Drained, JoinError>) {
    match ended {
        Ok(Drained::Whole) => {}
        Ok(Drained::Cut) => tracing::warn!("{listener} cut answers under way: they took too long"),
        Err(_) => tracing::warn!("{listener} ended by a fault of ours"),
    }
}
