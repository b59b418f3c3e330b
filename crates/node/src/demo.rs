//! `postern demo`: a whole node on loopback with a sample controller and a mailbox to look into.

mod certificates;
mod doors;
mod files;
mod guide;
mod mailbox;
mod sample;

use crate::clock::SystemClock;
use crate::running::{DRAIN, Running};
use anyhow::{Context as _, bail};
use doors::{Doors, Receiving, Shared};
use mta::delivery::{Settings as DeliverySettings, Smarthost, TlsPolicy};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Homing, Options, Store};

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
    /// Print and log nothing, unless POSTERN_LOG says what to log; only a failure to start or to stop is told.
    #[arg(long)]
    pub quiet: bool,
}

/// Ports from the base port on (`architecture.md` §10).
#[derive(Clone, Copy, Debug)]
struct Ports {
    base: u16,
}

impl Ports {
    fn of(base: u16) -> anyhow::Result<Self> {
        if base == 0 || base.checked_add(7).is_none() {
            bail!("--base-port {base} leaves no room for eight ports; choose one from 1 to 65528");
        }
        Ok(Self { base })
    }

    const fn at(self, offset: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.base + offset)
    }
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When something cannot be opened; the sentence says what to do.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let ports = Ports::of(arguments.base_port)?;
    let sink = arguments.sink.as_deref().map(smarthost).transpose()?;
    files::data_folder(&arguments.data)?;
    let data = arguments.data.canonicalize().context("cannot find the data folder")?;
    let stop = stop_signal()?;
    // Whoever waits for the file must not read the one of an earlier start.
    if let Some(file) = &arguments.json
        && let Err(error) = std::fs::remove_file(file)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error).with_context(|| format!("cannot replace {}", file.display()));
    }

    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().ok();
    let store = Store::open_sqlite(&data, options(&data)).await?;
    let sample = sample::load_or_make(&data, &store).await?;
    let shared = Shared::new(certificates::load_or_make(&data)?, ports)?;
    // Before delivery: what waits from an earlier run must find our mailbox at that port, and nobody else.
    let receiving = Receiving::open(&shared, &data, &store, &sample, sink.is_some()).await?;
    let next_hop = sink.clone().unwrap_or(Smarthost { host: "127.0.0.1".into(), port: ports.at(5).port() });
    let running = Running::start(Arc::clone(&store), delivery(next_hop, sink.is_some())).await?;
    let served = async {
        let doors = Doors::open(&running, &sample, &shared, &receiving, metrics).await?;
        let told = tell(&arguments, &guide::describe(&data, ports, sink.is_some(), &store, &sample));
        if told.is_ok() {
            stop.await;
            if !arguments.quiet {
                guide::print_stopping();
            }
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

fn tell(arguments: &Arguments, described: &serde_json::Value) -> anyhow::Result<()> {
    if let Some(file) = &arguments.json {
        guide::write(file, described)?;
    }
    if !arguments.quiet {
        guide::print(described);
    }
    Ok(())
}

fn options(data: &Path) -> Options {
    let mut options = Options::new(Arc::new(SystemClock), data);
    options.homing = Homing::Smarthost;
    options.on_poison = Some(Arc::new(|| {
        tracing::error!("it is not known whether the last commit took place; ending, to recover from the file");
        std::process::exit(crate::cli::EXIT_POISONED);
    }));
    options
}

fn delivery(next_hop: Smarthost, is_sink: bool) -> DeliverySettings {
    let mut settings = DeliverySettings::new("localhost");
    settings.smarthost = Some(next_hop);
    if is_sink {
        settings.tls = TlsPolicy::Opportunistic;
    }
    settings
}

fn smarthost(text: &str) -> anyhow::Result<Smarthost> {
    let Some((host, port)) = text.rsplit_once(':') else {
        bail!("--sink {text} is not HOST:PORT, such as localhost:2525");
    };
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() {
        bail!("--sink {text} names no host; give HOST:PORT");
    }
    let port = port.parse().with_context(|| format!("--sink {text}: {port} is no port number"))?;
    Ok(Smarthost { host: host.to_owned(), port })
}

/// Ready when the process is asked to end.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
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
