//! `postern demo`: a whole node on loopback with a sample controller and a mailbox to look into.

mod doors;
mod guide;
mod mailbox;
mod sample;
mod sample_form;

use crate::certificates::Certificate;
use crate::doors::Shared;
use crate::files;
use crate::running::{DRAIN, Running, stop_signal};
use crate::settings::{BodyArguments, Joining, Ports, StoreArguments, StoreSettings, homing, smarthost};
use crate::telling::Telling;
use crate::tombstones::{self, Tombstones};
use anyhow::Context as _;
use doors::Receiving;
use mail::address::Domain;
use mta::Pages;
use mta::delivery::{Settings as DeliverySettings, Smarthost, TlsPolicy};
use sample::Sample;
use smtpd::connections::Bounds;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{CreateKey, Roles, Store};

pub use mailbox::DemoMailbox;

/// The arguments of `postern demo`.
#[derive(clap::Args, Clone, Debug)]
pub struct Arguments {
    /// Folder for everything the demo keeps; made when it is not there. A second start goes on where the first ended.
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    pub data: PathBuf,
    /// First of eight ports on 127.0.0.1: HTTP, submission, submission with TLS, trusted, inbound, mailbox,
    /// mailbox pages, HTTPS.
    #[arg(long, value_name = "N", default_value_t = 8025)]
    pub base_port: u16,
    /// Deliver everything there, over SMTP, instead of into the built-in mailbox, which is then not started.
    #[arg(long, value_name = "HOST:PORT")]
    pub sink: Option<String>,
    /// Write addresses and credentials there as JSON, readable by you alone, once everything listens.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Where everything is kept.
    #[command(flatten)]
    pub store: StoreArguments,
    /// Where large bodies lie.
    #[command(flatten)]
    pub bodies: BodyArguments,
    /// The key over all keys, the same on every node of a store. Without it, master.key in the data folder.
    #[arg(long, value_name = "FILE")]
    pub master_key: Option<PathBuf>,
    /// A folder for the log of what must outlive a restore, as `postern serve` keeps it; `none` ends it.
    #[arg(long, value_name = "DIR")]
    pub tombstones: Option<String>,
    /// Print and log nothing, unless POSTERN_LOG says what to log; only a failure to start or to stop is told.
    #[arg(long)]
    pub quiet: bool,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When something cannot be opened; the sentence says what to do.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let plan = Plan::of(&arguments)?;
    files::data_folder(&arguments.data)?;
    let data = arguments.data.canonicalize().context("cannot find the data folder")?;
    let stop = stop_signal()?;
    let telling = Telling { json: arguments.json, quiet: arguments.quiet };
    telling.forget()?;

    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().ok();
    let store = plan.open(&data).await?;
    let (shared, sample, receiving, running) = match begin(&plan, &data, &store).await {
        Ok(begun) => begun,
        Err(error) => {
            // Nothing runs on it: no other node shall wait for what this one holds.
            store.close().await;
            return Err(error);
        }
    };
    let served = async {
        let doors = doors::open(&shared, plan.ports, &running, &sample, (&receiving, &data), metrics).await?;
        let told = telling.tell(&guide::describe(&data, &plan, &store, &sample), guide::text);
        if told.is_ok() {
            stop.await;
            telling.stopping();
        }
        doors.close(DRAIN).await;
        told
    };
    let served = served.await;
    // The mailbox last: what is under way may yet arrive there.
    running.stop().await;
    receiving.close().await;
    served
}

/// What the arguments come to.
struct Plan {
    ports: Ports,
    /// Instead of the mailbox.
    sink: Option<Smarthost>,
    store: StoreSettings,
    /// Was a store named?
    names_store: bool,
    tombstones: Option<Tombstones>,
}

impl Plan {
    fn of(arguments: &Arguments) -> anyhow::Result<Self> {
        let place = arguments.store.place()?;
        let store = StoreSettings {
            bodies: arguments.bodies.placement(&place)?,
            place,
            master_key: arguments.master_key.clone(),
            create_key: CreateKey::IfNew,
        };
        Ok(Self {
            ports: Ports::of(arguments.base_port)?,
            sink: arguments.sink.as_deref().map(smarthost).transpose()?,
            store,
            names_store: arguments.store.store.is_some(),
            tombstones: arguments.tombstones.as_deref().map(Tombstones::read),
        })
    }

    /// As one of several nodes, should others share the store.
    async fn open(&self, data: &Path) -> anyhow::Result<Arc<Store>> {
        let name = format!("demo-{}", self.ports.at(0).port());
        // The sample's instruction wants its data in the EEA; the demo is where it says it is.
        let region = Some("EEA".to_owned());
        self.store.open(data, Joining { name, roles: Roles::ALL, homing: homing(&self.delivery()), region }).await
    }

    fn delivery(&self) -> DeliverySettings {
        let mut settings = DeliverySettings::new("localhost");
        let mailbox = || Smarthost { host: "127.0.0.1".into(), port: self.ports.at(5).port() };
        settings.smarthost = Some(self.sink.clone().unwrap_or_else(mailbox));
        settings.tls = TlsPolicy::Opportunistic;
        // Of loopback: the demo's recipients are on this machine.
        settings.pages = Pages::parse(&format!("https://{}", self.ports.at(7))).ok();
        settings
    }
}

/// Everything over an open store, but for the doors.
async fn begin(plan: &Plan, data: &Path, store: &Arc<Store>) -> anyhow::Result<(Shared, Sample, Receiving, Running)> {
    tombstones::keep(store, plan.tombstones.as_ref(), data).await?;
    let sample = sample::load_or_make(data, store).await?;
    let certificate = Certificate::Own { authority: "Postern demo CA", names: Vec::new() };
    let shared = Shared::new(Domain::parse("localhost")?, certificate.load(data)?, Bounds::default())?;
    // Before delivery: what waits from an earlier run must find our mailbox at that port, and nobody else.
    let receiving = Receiving::open(&shared, plan, data, store, &sample).await?;
    let running = Running::start(Arc::clone(store), plan.delivery()).await?;
    Ok((shared, sample, receiving, running))
}
