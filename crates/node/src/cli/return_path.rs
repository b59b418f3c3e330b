//! `postern return-path`: the name to which failures of a domain's mail return, once DNS leads it to this platform.
//!
//! Invariant: a name is kept only when an MX record of it was seen that names the platform's inbound host: a return
//! path that nobody answers gets mail refused, and failures lost (RFC 5321 §6.1).

use super::house::House;
use super::said::say;
use crate::config::build::dns_server;
use anyhow::{Context as _, bail};
use mail::address::Domain;
use mta::Names;
use mta::names::Found;

/// Arguments of `postern return-path`.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    house: House,
    /// The sending domain.
    #[arg(long, value_name = "DOMAIN")]
    domain: String,
    /// The name to which failures return: the domain, or one below it. Without it bounce.DOMAIN.
    #[arg(long, value_name = "NAME", conflicts_with = "clear")]
    name: Option<String>,
    /// The host of this platform that takes inbound mail: what the name's MX record must say.
    #[arg(long, value_name = "HOST", required_unless_present = "clear")]
    inbound_host: Option<String>,
    /// Failures return to the senders from now on.
    #[arg(long)]
    clear: bool,
    /// The DNS server to ask. Without it, those of the system.
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    dns: Option<String>,
}

/// Looks the name up and keeps it.
///
/// # Errors
/// When DNS does not lead it here, or the domain is not a verified one of the controller.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let domain = Domain::parse(&arguments.domain).context("--domain is no domain name")?;
    let name = match (&arguments.name, arguments.clear) {
        (_, true) => None,
        (Some(name), false) => Some(Domain::parse(name).context("--name is no domain name")?),
        (None, false) => Some(Domain::parse(&format!("bounce.{domain}")).context("--name is no domain name")?),
    };
    if let (Some(name), Some(host)) = (&name, &arguments.inbound_host) {
        let host = Domain::parse(host).context("--inbound-host is no host name")?;
        let names = Names::new(arguments.dns.as_deref().map(dns_server).transpose()?)?;
        leads_to(&names, name, &host).await?;
        if let Found::None = names.texts(name.as_str()).await {
            say(&format!("{name} has no TXT record; publish \"v=spf1 mx -all\" with the addresses mail leaves from"));
        }
    }
    let (store, controller) = arguments.house.open("return-path", "nobody: stop it for a moment").await?;
    let kept = store.name_return_path(controller, &domain, name.as_ref()).await;
    store.close().await;
    kept.with_context(|| format!("{domain} is not a verified domain of this controller, or the name is not below it"))?;
    match name {
        Some(name) => say(&format!("failures of mail from {domain} return to {name}")),
        None => say(&format!("failures of mail from {domain} return to its senders")),
    }
    Ok(())
}

async fn leads_to(names: &Names, name: &Domain, host: &Domain) -> anyhow::Result<()> {
    match names.exchangers(name.as_str()).await {
        Found::Some(hosts) if hosts.iter().any(|found| found.eq_ignore_ascii_case(host.as_str())) => Ok(()),
        Found::Some(_) | Found::None => {
            bail!("publish `{name}. MX 10 {host}.` and try again: it does not lead here yet")
        }
        Found::NoAnswer => bail!("DNS gave no answer about {name}; try again"),
    }
}
