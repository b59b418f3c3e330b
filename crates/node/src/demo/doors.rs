//! The demo's eight listeners. The mailbox opens before delivery and closes after it; the others the other way round.

use super::Plan;
use super::mailbox::{DemoMailbox, MailboxDoor};
use super::sample::Sample;
use crate::doors::{Doors, Place, Shared};
use crate::running::Running;
use crate::settings::Ports;
use metrics_exporter_prometheus::PrometheusHandle;
use smtpd::{Kind, Letters, Listener as SmtpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use web::hosts::{Hosts, Strangers};

/// The mailbox has nothing more to wait for when delivery has ended; its sessions are told to go.
const MAILBOX_DRAIN: Duration = Duration::from_secs(2);

impl Ports {
    /// The place of a listener among the eight ports.
    fn place(self, offset: u16, name: &'static str) -> Place {
        Place {
            name,
            address: self.at(offset),
            note: format!(" (base port + {offset})"),
            remedy: "choose eight others with --base-port",
        }
    }
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
        plan: &Plan,
        data: &Path,
        store: &Arc<Store>,
        sample: &Sample,
    ) -> anyhow::Result<Self> {
        let mailbox = DemoMailbox::open(&data.join("mailbox"), Arc::clone(store), sample.dns_records(store))?;
        let door = MailboxDoor { mailbox: Arc::clone(&mailbox) };
        let place = plan.ports.place(5, "the mailbox (SMTP)");
        let listener = match plan.sink {
            Some(_) => None,
            None => Some(shared.smtp(Kind::Open, &place, door).await?),
        };
        Ok(Self { mailbox, listener })
    }

    pub(super) async fn close(self) {
        if let Some(listener) = self.listener {
            listener.drain(MAILBOX_DRAIN).await;
        }
    }
}

/// Opens all listeners of the demo but the mailbox's own, or none.
pub(super) async fn open(
    shared: &Shared,
    ports: Ports,
    running: &Running,
    sample: &Sample,
    (receiving, data): (&Receiving, &Path),
    metrics: Option<PrometheusHandle>,
) -> anyhow::Result<Doors> {
    Doors::open(shared, async |doors| {
        let mailbox = &receiving.mailbox;
        if receiving.listener.is_some() {
            let pages = web::mailbox::router(Arc::clone(mailbox) as Arc<dyn web::mailbox::Mailbox>);
            doors.http(&ports.place(6, "the mailbox's pages"), pages).await?;
        }
        let letters = Arc::clone(mailbox) as Arc<dyn Letters>;
        doors.inbound(&ports.place(4, "inbound mail"), running, letters, None).await?;
        let credential = sample.authority(&running.store)?.credential();
        let networks = vec!["127.0.0.0/8".parse()?, "::1/128".parse()?];
        doors.trusted(&ports.place(3, "trusted submission"), running, credential, networks).await?;
        doors.submission(Kind::Submission, &ports.place(1, "submission"), running).await?;
        doors.submission(Kind::SubmissionTls, &ports.place(2, "submission with TLS"), running).await?;
        doors.operator(running, data, None);
        let api = doors.api(running, &format!("http://{}", ports.at(0)), metrics);
        // RFC 8058 §3.1: the way out is an https: address.
        let api = api.with_pages(&format!("https://{}", ports.at(7)));
        // No authority certifies names for a demo; they can be claimed and verified.
        let router = web::router(api.with_hosts(Hosts::new(None, Vec::new(), Strangers::Welcome)?));
        doors.https(&ports.place(7, "the API (HTTPS)"), running, router.clone()).await?;
        doors.http(&ports.place(0, "the API (HTTP)"), router).await
    })
    .await
}
