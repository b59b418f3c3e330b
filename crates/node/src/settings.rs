//! Everything a node is built from. [`crate::config`] fills it; nothing is asked besides.

mod bodies;
mod store;
mod store_url;

pub use bodies::BodyArguments;
#[cfg(feature = "s3")]
pub use bodies::BucketArguments;
pub use store::{Joining, StoreArguments, StorePlace, StoreSettings};
pub use store_url::{StoreKind, StoreUrl};

use crate::certificates::Certificate;
use crate::tombstones::Tombstones;
use ::store::{Homing, Roles};
use anyhow::{Context as _, bail};
use duties::operator::Operator;
use mail::address::Domain;
use mta::delivery::{Settings as DeliverySettings, Smarthost};
use mta::health::Sender;
use smtpd::Network;
use smtpd::connections::Bounds;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use web::hosts::AcmeSettings;

/// A node.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its own folder: no other process may use it.
    pub data: PathBuf,
    /// What an operator calls it.
    pub name: String,
    /// What it does.
    pub roles: Roles,
    /// Where everything is kept.
    pub store: StoreSettings,
    /// Where what must outlive a restore is kept, when that was said.
    pub tombstones: Option<Tombstones>,
    /// Its name in greetings.
    pub hostname: Domain,
    /// Where it stands, if the operator said so: a country in two capital letters, or EEA.
    pub region: Option<String>,
    /// How clients know that it is the one.
    pub certificate: Certificate,
    /// How clients reach its HTTP door; without it, the address at which it listens.
    pub public_url: Option<String>,
    /// Where it listens.
    pub doors: DoorSettings,
    /// Where mail to postmaster and abuse is kept; without it, in its own folder.
    pub operator_mail: Option<PathBuf>,
    /// How it delivers, where it has that role.
    pub delivery: DeliverySettings,
    /// Who runs it, when that is said anew.
    pub operator: Option<Operator>,
    /// How many SMTP clients there may be at once.
    pub limits: Bounds,
    /// SMTP clients that connect from there come by way of a proxy.
    pub proxies: Vec<Network>,
    /// From whom controllers' own host names have their certificates; without it, they have none.
    pub acme: Option<AcmeSettings>,
    /// What `postern check` looks at beyond what it knows by itself.
    pub check: CheckSettings,
}

/// What `postern check` is told.
#[derive(Clone, Default, Debug)]
pub struct CheckSettings {
    /// Addresses that mail leaves from, with the names in EHLO; without any, those of the node's name in DNS.
    pub senders: Vec<Sender>,
    /// Block lists to ask.
    pub blocklists: Vec<String>,
    /// `HOST` or `HOST:PORT` that tells the time.
    pub time_server: Option<String>,
}

/// Where a node listens. A door without an address is not opened.
#[derive(Clone, Default, Debug)]
pub struct DoorSettings {
    /// Submission with STARTTLS.
    pub submission: Option<SocketAddr>,
    /// Submission with TLS from the first octet.
    pub submission_tls: Option<SocketAddr>,
    /// What comes back: return paths, complaints, opt-outs by mail, postmaster and abuse.
    pub inbound: Option<SocketAddr>,
    /// Submission without login.
    pub trusted: Vec<Trusted>,
    /// HTTP: the API where the node has that role, and in any case how the node is.
    pub http: Option<SocketAddr>,
    /// HTTPS: the API.
    pub https: Option<SocketAddr>,
    /// HTTP for figures alone, for whoever can reach it; without it, `http` shows them to this machine.
    pub metrics: Option<SocketAddr>,
}

impl DoorSettings {
    /// The open ones, each with what an operator calls it.
    pub(crate) fn named(&self) -> Vec<(&'static str, SocketAddr)> {
        let single = [
            ("submission", self.submission),
            ("submission with TLS", self.submission_tls),
            ("inbound mail", self.inbound),
            ("HTTP", self.http),
            ("HTTPS", self.https),
            ("figures", self.metrics),
        ];
        let open = single.into_iter().filter_map(|(name, address)| Some((name, address?)));
        open.chain(self.trusted.iter().map(|trusted| ("trusted submission", trusted.address))).collect()
    }
}

/// A door for clients that can neither TLS nor AUTH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trusted {
    /// Where it listens.
    pub address: SocketAddr,
    /// SMTP name of the credential with which they speak.
    pub username: String,
    /// Where they may come from.
    pub networks: Vec<Network>,
}

impl std::str::FromStr for Trusted {
    type Err = anyhow::Error;

    /// `ADDRESS=USERNAME+NETWORK…`
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (address, rest) = text.split_once('=').context("it is not ADDRESS=USERNAME+NETWORK")?;
        let address = address.parse().with_context(|| format!("{address} is not an address with a port"))?;
        let mut words = rest.split('+');
        let username = words.next().filter(|name| !name.is_empty()).context("it names no credential")?.to_owned();
        let network = |word: &str| word.parse().map_err(|error| anyhow::anyhow!("{word}: {error}"));
        let networks: Vec<Network> = words.map(network).collect::<anyhow::Result<_>>()?;
        if networks.is_empty() {
            bail!("it names no network from which clients may come, such as +127.0.0.0/8");
        }
        Ok(Self { address, username, networks })
    }
}

/// What the sites of a node's queue rows are: every node of a store must say the same.
pub(crate) const fn homing(delivery: &DeliverySettings) -> Homing {
    match delivery.smarthost {
        Some(_) => Homing::Smarthost,
        None => Homing::ByDomain,
    }
}

/// Eight ports on 127.0.0.1 from the base port on (`architecture.md` §10).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    base: u16,
}

impl Ports {
    pub(crate) fn of(base: u16) -> anyhow::Result<Self> {
        if base == 0 || base.checked_add(7).is_none() {
            bail!("--base-port {base} leaves no room for eight ports; choose one from 1 to 65528");
        }
        Ok(Self { base })
    }

    pub(crate) const fn at(self, offset: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.base + offset)
    }
}

/// The argument of `--sink`.
pub(crate) fn smarthost(text: &str) -> anyhow::Result<Smarthost> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trusted_door_names_its_credential_and_at_least_one_network() {
        let trusted: Trusted = "127.0.0.1:25=shop+127.0.0.0/8+::1".parse().unwrap();
        assert_eq!((trusted.address.port(), trusted.username.as_str()), (25, "shop"));
        assert_eq!(trusted.networks, ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        for wrong in [
            "127.0.0.1:25",
            "127.0.0.1=shop+::1",
            "127.0.0.1:25=",
            "127.0.0.1:25=shop",
            "127.0.0.1:25=+::1",
            "127.0.0.1:25=shop+there",
            "127.0.0.1:25=shop+127.0.0.0/33",
        ] {
            assert!(wrong.parse::<Trusted>().is_err(), "{wrong}");
        }
    }
}
