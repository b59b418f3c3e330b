//! `postern serve`: a node for real use, alone or one of several on a shared store.
//!
//! Invariants: built from [`Settings`] alone; a node has the doors that its roles need and no others; delivery runs
//! where the node has that role.

use crate::doors::{Doors, Place, Shared};
use crate::operator_mail::OperatorMail;
use crate::reload::{Changeable, Live};
use crate::room::Room;
use crate::running::{DRAIN, Running, reload_signal, stop_signal};
use crate::settings::{Joining, Settings, homing};
use crate::telling::Telling;
use crate::{files, notify, tombstones};
use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;
use mta::{Names, Pages};
use serde_json::{Value, json};
use smtpd::Kind;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use store::{Roles, Store};
use web::hosts::{Acme, Hosts, Keeper, Strangers, host_of_url};

/// Runs until SIGTERM or SIGINT. With each SIGHUP the settings are read again.
///
/// # Errors
/// When something cannot be opened; the sentence says what to do.
pub(crate) async fn run(settings: Settings, mut live: Live, telling: &Telling) -> anyhow::Result<()> {
    files::data_folder(&settings.data)?;
    let data = settings.data.canonicalize().context("cannot find the data folder")?;
    let (stop, mut reload) = (stop_signal()?, reload_signal()?);
    telling.forget()?;
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder().ok();
    let shared = Shared::new(settings.hostname.clone(), settings.certificate.load(&data)?, settings.limits)?
        .behind(&settings.proxies);
    let joining = Joining {
        name: settings.name.clone(),
        roles: settings.roles,
        homing: homing(&settings.delivery),
        region: settings.region.clone(),
    };
    let store = settings.store.open(&data, joining).await?;
    if let Err(error) = tombstones::keep(&store, settings.tombstones.as_ref(), &data).await {
        store.close().await;
        return Err(error);
    }
    if let Some(operator) = &settings.operator {
        duties::operator::keep(&store, operator).await.context("cannot keep what --operator says")?;
    }
    let running = start(&settings, store).await?;
    let served = async {
        let doors = Doors::open(&shared, async |doors| fill(doors, &settings, &running, metrics).await).await?;
        let told = telling.tell(&describe(&settings, &data), text);
        if told.is_ok() {
            notify::tell(notify::State::Ready);
            let mut stop = pin!(stop);
            loop {
                tokio::select! {
                    () = &mut stop => break,
                    Some(()) = reload.recv() => {
                        notify::tell(notify::State::Reloading);
                        live.again(&Changeable {
                            data: &data,
                            certificate: shared.certificate(),
                            connections: shared.connections(),
                            running: &running,
                        });
                        notify::tell(notify::State::Ready);
                    }
                }
            }
            notify::tell(notify::State::Stopping);
            telling.stopping();
        }
        doors.close(DRAIN).await;
        told
    };
    let served = served.await;
    running.stop().await;
    served
}

/// A store that nothing runs on is left at once, so that no other node waits for its leases.
async fn start(settings: &Settings, store: Arc<Store>) -> anyhow::Result<Running> {
    if settings.delivery.pages.is_none() {
        tracing::warn!(
            "marketing is refused, and what waits of it does not leave: its recipients need pages on which to stop it; \
             name their https address with --pages-url (or --public-url)"
        );
    }
    if !settings.roles.contains(Roles::DELIVER) {
        return Ok(Running::without_delivery(store, settings.delivery.pages.clone()));
    }
    let started = Running::start(Arc::clone(&store), settings.delivery.clone()).await;
    if started.is_err() {
        store.close().await;
    }
    started
}

fn place(name: &'static str, address: SocketAddr, remedy: &'static str) -> Place {
    Place { name, address, note: String::new(), remedy }
}

async fn fill(
    doors: &mut Doors,
    settings: &Settings,
    running: &Running,
    metrics: Option<PrometheusHandle>,
) -> anyhow::Result<()> {
    let addresses = &settings.doors;
    for trusted in &addresses.trusted {
        let place = place("trusted submission", trusted.address, "choose another address with --trusted");
        let authority = running.store.authority_named(&trusted.username).with_context(|| {
            format!("--trusted {}: there is no credential of the name {}", trusted.address, trusted.username)
        })?;
        doors.trusted(&place, running, authority.credential(), trusted.networks.clone()).await?;
    }
    if let Some(address) = addresses.submission {
        let place = place("submission", address, "choose another address with --submission");
        doors.submission(Kind::Submission, &place, running).await?;
    }
    if let Some(address) = addresses.submission_tls {
        let place = place("submission with TLS", address, "choose another address with --submission-tls");
        doors.submission(Kind::SubmissionTls, &place, running).await?;
    }
    if let Some(address) = addresses.inbound {
        let folder = settings.operator_mail.clone().unwrap_or_else(|| settings.data.join("operator-mail"));
        let letters = OperatorMail::open(&folder, Arc::clone(&running.store))?;
        let place = place("inbound mail", address, "choose another address with --inbound");
        let names = Names::new(settings.delivery.resolver).context("nobody's signature can be checked")?;
        doors.inbound(&place, running, letters, Some(names)).await?;
    }
    let elsewhere = addresses.metrics.and(metrics.clone());
    if let (Some(address), Some(figures)) = (addresses.metrics, elsewhere) {
        let place = place("figures", address, "choose another address with --metrics");
        let api = doors.api(running, "", Some(figures));
        doors.http(&place, web::router::figures(api)).await?;
    }
    let room = Arc::new(Room::of(settings));
    doors.watch(Arc::clone(&room), running);
    doors.operator(running, &settings.data, Some(room));
    let mut api = doors.api(running, &base_url(settings), metrics.filter(|_| addresses.metrics.is_none()));
    if let Some(pages) = &settings.delivery.pages {
        api = api.with_pages(pages.base());
    }
    if settings.roles.contains(Roles::API) {
        let hosts = hosts(settings)?;
        let (store, names) = (Arc::clone(&running.store), hosts.names().clone());
        let acme = settings.acme.clone().map(|acme| Acme::new(acme, Arc::clone(&store), names.clone()));
        doors.keep_hosts(Keeper::new(store, names, acme.transpose().context("--acme-ca")?));
        api = api.with_hosts(hosts);
    }
    let router = if settings.roles.contains(Roles::API) { web::router(api) } else { web::router::health(api) };
    if let Some(address) = addresses.https {
        doors.https(&place("HTTPS", address, "choose another address with --https"), running, router.clone()).await?;
    }
    if let Some(address) = addresses.http {
        doors.http(&place("HTTP", address, "choose another address with --http"), router).await?;
    }
    Ok(())
}

/// What the routes know about host names: what the node itself is called is no controller's.
fn hosts(settings: &Settings) -> anyhow::Result<Hosts> {
    let pages = settings.delivery.pages.as_ref().map(Pages::base);
    let base_url = base_url(settings);
    let urls = [Some(base_url.as_str()), pages].into_iter().flatten().filter_map(host_of_url);
    let own = urls.chain([settings.hostname.as_str().to_owned(), settings.name.clone()]).collect();
    // Without certificates nobody is led here by a name that is not the node's.
    let strangers = if settings.acme.is_some() { Strangers::NotFound } else { Strangers::Welcome };
    Hosts::new(settings.delivery.resolver, own, strangers).context("host names cannot be verified")
}

/// How clients reach the API.
fn base_url(settings: &Settings) -> String {
    let listening = || match (settings.doors.https, settings.doors.http) {
        (_, Some(http)) => format!("http://{http}"),
        (Some(https), None) => format!("https://{https}"),
        (None, None) => String::new(),
    };
    settings.public_url.clone().unwrap_or_else(listening)
}

/// The file for programs. Doors that are not open are null.
fn describe(settings: &Settings, data: &Path) -> Value {
    let doors = &settings.doors;
    let url = |scheme: &str, address: Option<SocketAddr>| address.map(|address| format!("{scheme}://{address}"));
    json!({
        "name": settings.name,
        "roles": settings.roles.to_string(),
        "data": data,
        "store": settings.store.place.to_string(),
        "http": url("http", doors.http),
        "https": url("https", doors.https),
        "metrics": url("http", doors.metrics),
        "submission": doors.submission,
        "submission_tls": doors.submission_tls,
        "inbound": doors.inbound,
        "trusted": doors.trusted.iter().map(|trusted| trusted.address).collect::<Vec<_>>(),
        "ca": settings.certificate.authority(data),
    })
}

/// The page for people.
fn text(described: &Value) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: &str| lines.push(format!("  {name:<14}{value}"));
    for (name, key) in [("Roles", "roles"), ("Store", "store"), ("Data", "data")] {
        line(name, described[key].as_str().unwrap_or_default());
    }
    for (name, key, note) in [
        ("HTTP", "http", ""),
        ("HTTPS", "https", ""),
        ("Submission", "submission", " (STARTTLS)"),
        ("Submission", "submission_tls", " (TLS)"),
        ("Inbound", "inbound", ""),
        ("Authority", "ca", ""),
    ] {
        if let Some(value) = described[key].as_str() {
            line(name, &format!("{value}{note}"));
        }
    }
    for trusted in described["trusted"].as_array().into_iter().flatten() {
        line("Trusted", trusted.as_str().unwrap_or_default());
    }
    let name = described["name"].as_str().unwrap_or_default();
    format!("\nPostern node {name} is running.\n\n{}\n\nStop with Ctrl-C.\n", lines.join("\n"))
}
