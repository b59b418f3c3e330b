//! The demo's eight listeners: opened after delivery, closed before it.

use super::mailbox::{DemoMailbox, MailboxDoor, Takes};
use super::sample::{DOMAIN, Sample};
use super::{Ports, certificates};
use crate::running::Running;
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
use tokio::sync::watch;
use tokio::task::JoinHandle;
use web::{Api, Drained, Listener as WebListener, Readiness};

/// All listeners of the demo.
pub(super) struct Doors {
    smtp: Vec<SmtpListener>,
    web: Vec<JoinHandle<Drained>>,
    stop: watch::Sender<bool>,
    readiness: Arc<Readiness>,
    mailbox: Option<SmtpListener>,
}

impl Doors {
    pub(super) async fn open(
        running: &Running,
        sample: &Sample,
        tls: &Arc<ServerConfig>,
        ports: Ports,
        sink: bool,
        data: &Path,
        metrics: Option<PrometheusHandle>,
    ) -> anyhow::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let readiness = Arc::new(Readiness::default());
        let smtp = Smtp {
            host: Domain::parse("localhost")?,
            tls: Arc::clone(tls),
            connections: Connections::new(Bounds::default()),
        };
        let mailbox =
            DemoMailbox::open(&data.join("mailbox"), Arc::clone(&running.store), sample.dns_records(&running.store))?;
        let mut doors =
            Self { smtp: Vec::new(), web: Vec::new(), stop, readiness: Arc::clone(&readiness), mailbox: None };
        if !sink {
            let door = MailboxDoor { mailbox: Arc::clone(&mailbox), takes: Takes::All };
            doors.mailbox = Some(smtp.open(Kind::Open, ports.at(5), door).await?);
            let pages = web::mailbox::router(Arc::clone(&mailbox) as Arc<dyn web::mailbox::Mailbox>);
            doors.serve(WebListener::bind(ports.at(6), pages, None).await?, &stopped);
        }
        let reports = MailboxDoor { mailbox, takes: Takes::Reports(vec![DOMAIN.to_owned()]) };
        doors.smtp.push(smtp.open(Kind::Open, ports.at(4), reports).await?);
        let trusted = SubmissionDoor::trusted(
            Arc::clone(&running.submission),
            smtp.host.clone(),
            sample.authority(&running.store)?.credential(),
            vec!["127.0.0.0/8".parse()?, "::1/128".parse()?],
        );
        doors.smtp.push(smtp.open(Kind::Trusted, ports.at(3), trusted).await?);
        let throttle = Arc::new(Throttle::default());
        for (kind, offset) in [(Kind::Submission, 1), (Kind::SubmissionTls, 2)] {
            let door = SubmissionDoor::new(Arc::clone(&running.submission), smtp.host.clone(), Arc::clone(&throttle));
            doors.smtp.push(smtp.open(kind, ports.at(offset), door).await?);
        }
        let (store, submission) = (Arc::clone(&running.store), Arc::clone(&running.submission));
        let base_url = format!("http://{}", ports.at(0));
        let router = web::router(Api::new(store, submission, &base_url, metrics, Arc::clone(&readiness)));
        let https = WebListener::bind(ports.at(7), router.clone(), Some(certificates::for_web(tls))).await?;
        doors.serve(https, &stopped);
        doors.serve(WebListener::bind(ports.at(0), router, None).await?, &stopped);
        readiness.open();
        Ok(doors)
    }

    fn serve(&mut self, listener: WebListener, stopped: &watch::Receiver<bool>) {
        let mut stopped = stopped.clone();
        self.web.push(tokio::spawn(listener.serve(async move {
            // Dropping the sender stops as well.
            let _ = stopped.changed().await;
        })));
    }

    /// No more mail comes in when this returns. The mailbox is given back still open: what is under way may
    /// yet arrive there.
    pub(super) async fn close(self, grace: Duration) -> Option<SmtpListener> {
        self.readiness.close();
        self.stop.send_replace(true);
        // All at once: each may take the whole grace.
        let draining: Vec<_> = self.smtp.into_iter().map(|listener| tokio::spawn(listener.drain(grace))).collect();
        for listener in draining {
            if listener.await.is_err() {
                tracing::warn!("an SMTP listener ended by a fault of ours");
            }
        }
        for listener in self.web {
            if listener.await.is_err() {
                tracing::warn!("an HTTP listener ended by a fault of ours");
            }
        }
        self.mailbox
    }
}

/// What the SMTP listeners share.
struct Smtp {
    host: Domain,
    tls: Arc<ServerConfig>,
    connections: Arc<Connections>,
}

impl Smtp {
    async fn open<D: smtpd::Door>(&self, kind: Kind, address: SocketAddr, door: D) -> anyhow::Result<SmtpListener> {
        let settings =
            SmtpSettings::new(kind, self.host.clone(), Some(Arc::clone(&self.tls)), Arc::clone(&self.connections));
        Ok(SmtpListener::bind(address, settings, Arc::new(door)).await?)
    }
}
