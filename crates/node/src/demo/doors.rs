//! The demo's eight listeners. The mailbox opens before delivery and closes after it; the others the other way round.

use super::mailbox::{DemoMailbox, MailboxDoor, Takes};
use super::sample::{DOMAIN, Sample};
use super::{Ports, certificates};
use crate::running::Running;
use anyhow::anyhow;
use mail::address::Domain;
use metrics_exporter_prometheus::PrometheusHandle;
use rustls::ServerConfig;
use smtpd::connections::Bounds;
use smtpd::throttle::Throttle;
use smtpd::{Connections, Kind, Listener as SmtpListener, Settings as SmtpSettings, SubmissionDoor};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use web::{Api, Drained, Listener as WebListener, Readiness};

/// The mailbox has nothing more to wait for when delivery has ended; its sessions are told to go.
const MAILBOX_DRAIN: Duration = Duration::from_secs(2);

/// What the listeners share.
pub(super) struct Shared {
    host: Domain,
    tls: Arc<ServerConfig>,
    connections: Arc<Connections>,
    ports: Ports,
}

impl Shared {
    pub(super) fn new(tls: Arc<ServerConfig>, ports: Ports) -> anyhow::Result<Self> {
        Ok(Self { host: Domain::parse("localhost")?, tls, connections: Connections::new(Bounds::default()), ports })
    }

    async fn smtp<D: smtpd::Door>(&self, kind: Kind, place: Place, door: D) -> anyhow::Result<SmtpListener> {
        let settings =
            SmtpSettings::new(kind, self.host.clone(), Some(Arc::clone(&self.tls)), Arc::clone(&self.connections));
        let address = self.ports.at(place.offset);
        SmtpListener::bind(address, settings, Arc::new(door)).await.map_err(|error| match error {
            smtpd::listener::Error::Bind { source, .. } => taken(place, address, &source),
            error => error.into(),
        })
    }

    async fn web(&self, place: Place, router: web::Router) -> anyhow::Result<WebListener> {
        let tls = (place.offset == HTTPS.offset).then(|| certificates::for_web(&self.tls));
        let address = self.ports.at(place.offset);
        let bound = WebListener::bind(address, router, tls).await;
        bound.map_err(|web::Error::Bind { source, .. }| taken(place, address, &source))
    }
}

/// A listener's place among the eight ports.
#[derive(Clone, Copy)]
struct Place {
    offset: u16,
    name: &'static str,
}

const HTTP: Place = Place { offset: 0, name: "the API (HTTP)" };
const SUBMISSION: Place = Place { offset: 1, name: "submission" };
const SUBMISSION_TLS: Place = Place { offset: 2, name: "submission with TLS" };
const TRUSTED: Place = Place { offset: 3, name: "trusted submission" };
const INBOUND: Place = Place { offset: 4, name: "inbound mail" };
const MAILBOX: Place = Place { offset: 5, name: "the mailbox (SMTP)" };
const MAILBOX_PAGES: Place = Place { offset: 6, name: "the mailbox's pages" };
const HTTPS: Place = Place { offset: 7, name: "the API (HTTPS)" };

fn taken(place: Place, address: SocketAddr, source: &std::io::Error) -> anyhow::Error {
    let Place { offset, name } = place;
    anyhow!(
        "{name} cannot listen on {address} (base port + {offset}): {source}; stop what uses the port, or choose eight \
         others with --base-port"
    )
}

/// Where the demo's mail arrives.
pub(super) struct Receiving {
    mailbox: Arc<DemoMailbox>,
    /// Not with a sink.
    listener: Option<SmtpListener>,
}

impl Receiving {
    pub(super) async fn open(
        shared: &Shared,
        data: &Path,
        store: &Arc<Store>,
        sample: &Sample,
        sink: bool,
    ) -> anyhow::Result<Self> {
        let mailbox = DemoMailbox::open(&data.join("mailbox"), Arc::clone(store), sample.dns_records(store))?;
        let door = MailboxDoor { mailbox: Arc::clone(&mailbox), takes: Takes::All };
        let listener = if sink { None } else { Some(shared.smtp(Kind::Open, MAILBOX, door).await?) };
        Ok(Self { mailbox, listener })
    }

    pub(super) async fn close(self) {
        if let Some(listener) = self.listener {
            listener.drain(MAILBOX_DRAIN).await;
        }
    }
}

/// All listeners of the demo but the mailbox's own.
pub(super) struct Doors {
    smtp: Vec<SmtpListener>,
    web: Vec<JoinHandle<Drained>>,
    stop: watch::Sender<bool>,
    readiness: Arc<Readiness>,
}

impl Doors {
    /// Opens all of them, or none.
    pub(super) async fn open(
        running: &Running,
        sample: &Sample,
        shared: &Shared,
        receiving: &Receiving,
        metrics: Option<PrometheusHandle>,
    ) -> anyhow::Result<Self> {
        let (stop, _) = watch::channel(false);
        let readiness = Arc::new(Readiness::default());
        let mut doors = Self { smtp: Vec::new(), web: Vec::new(), stop, readiness };
        match doors.fill(running, sample, shared, receiving, metrics).await {
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

    async fn fill(
        &mut self,
        running: &Running,
        sample: &Sample,
        shared: &Shared,
        receiving: &Receiving,
        metrics: Option<PrometheusHandle>,
    ) -> anyhow::Result<()> {
        let mailbox = &receiving.mailbox;
        if receiving.listener.is_some() {
            let pages = web::mailbox::router(Arc::clone(mailbox) as Arc<dyn web::mailbox::Mailbox>);
            self.serve(shared.web(MAILBOX_PAGES, pages).await?);
        }
        let takes = Takes::Reports(vec![DOMAIN.to_owned()]);
        let reports = MailboxDoor { mailbox: Arc::clone(mailbox), takes };
        self.smtp.push(shared.smtp(Kind::Open, INBOUND, reports).await?);
        let trusted = SubmissionDoor::trusted(
            Arc::clone(&running.submission),
            shared.host.clone(),
            sample.authority(&running.store)?.credential(),
            vec!["127.0.0.0/8".parse()?, "::1/128".parse()?],
        );
        self.smtp.push(shared.smtp(Kind::Trusted, TRUSTED, trusted).await?);
        let throttle = Arc::new(Throttle::default());
        for (kind, place) in [(Kind::Submission, SUBMISSION), (Kind::SubmissionTls, SUBMISSION_TLS)] {
            let door = SubmissionDoor::new(Arc::clone(&running.submission), shared.host.clone(), Arc::clone(&throttle));
            self.smtp.push(shared.smtp(kind, place, door).await?);
        }
        let (store, submission) = (Arc::clone(&running.store), Arc::clone(&running.submission));
        let base_url = format!("http://{}", shared.ports.at(HTTP.offset));
        let router = web::router(Api::new(store, submission, &base_url, metrics, Arc::clone(&self.readiness)));
        self.serve(shared.web(HTTPS, router.clone()).await?);
        self.serve(shared.web(HTTP, router).await?);
        Ok(())
    }

    fn serve(&mut self, listener: WebListener) {
        let mut stopped = self.stop.subscribe();
        self.web.push(tokio::spawn(listener.serve(async move {
            // Dropping the sender stops as well.
            let _ = stopped.changed().await;
        })));
    }

    /// No more mail comes in, and no listener is left, when this returns.
    pub(super) async fn close(self, grace: Duration) {
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
