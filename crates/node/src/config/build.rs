//! The settings of a node out of the values of its keys.

use super::key::Key;
use super::keys::{self, KEYS};
use super::values::{Origin, Values};
use crate::certificates::{Certificate, roots};
use crate::settings::{
    BodyArguments, CheckSettings, DoorSettings, Ports, Settings, StoreArguments, StorePlace, StoreSettings, StoreUrl,
    Trusted, smarthost,
};
use crate::tombstones::Tombstones;
use anyhow::{Context as _, anyhow, bail};
use duties::operator::Operator;
use mail::address::{Address, Domain};
use mta::Pages;
use mta::delivery::{
    Dnssec, Egress, EgressTexts, NoEgress, Settings as DeliverySettings, Shaping, SiteRule, TrustAnchors,
};
use mta::health::Sender;
use smtpd::Network;
use smtpd::connections::Bounds;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use store::{CreateKey, Roles};
use web::hosts::AcmeSettings;

/// The first of the ports when no door is named.
const BASE_PORT: u16 = 8025;
/// Where a DNS server listens.
const DNS_PORT: u16 = 53;

/// The settings that the values come to.
///
/// # Errors
/// When they do not go together; the sentence names where the value was given.
pub(crate) fn settings(values: &Values) -> anyhow::Result<Settings> {
    let roles = roles(values)?;
    let machine = machine_name();
    let hostname = hostname(values, &machine)?;
    let doors = doors(values, roles)?;
    let place = place(values)?;
    Ok(Settings {
        data: values.path(&keys::DATA).context("there is no data folder")?,
        name: values.text(&keys::NAME).map_or(machine, str::to_owned),
        roles,
        store: StoreSettings {
            bodies: bodies(values)?.placement(&place)?,
            place,
            master_key: values.path(&keys::MASTER_KEY),
            create_key: CreateKey::IfNew,
        },
        tombstones: values.text(&keys::TOMBSTONES).map(Tombstones::read),
        region: region(values)?,
        certificate: certificate(values, &hostname)?,
        public_url: values.text(&keys::PUBLIC_URL).map(str::to_owned),
        doors,
        operator_mail: values.path(&keys::OPERATOR_MAIL),
        delivery: delivery(values, &hostname)?,
        operator: values.path(&keys::OPERATOR).as_deref().map(operator).transpose()?,
        acme: acme(values)?,
        limits: limits(values)?,
        proxies: proxies(values)?,
        check: looked_at(values, &hostname)?,
        hostname,
    })
}

/// What `postern check` is told to look at.
fn looked_at(values: &Values, hostname: &Domain) -> anyhow::Result<CheckSettings> {
    let sender = |text: &String| {
        let (address, name) = text.split_once('=').unwrap_or((text, hostname.as_str()));
        let address = address.parse().with_context(|| format!("{address} is no network address"))?;
        Ok(Sender { address, name: Domain::parse(name).with_context(|| format!("{name} is no name"))?.to_string() })
    };
    let senders = values.list(&keys::CHECK_ADDRESSES).iter().map(sender).collect::<anyhow::Result<_>>();
    let list = |text: &String| Ok(Domain::parse(text).with_context(|| format!("{text} is no name"))?.to_string());
    let blocklists = values.list(&keys::CHECK_BLOCKLISTS).iter().map(list).collect::<anyhow::Result<_>>();
    Ok(CheckSettings {
        senders: senders.with_context(|| values.name(&keys::CHECK_ADDRESSES))?,
        blocklists: blocklists.with_context(|| values.name(&keys::CHECK_BLOCKLISTS))?,
        time_server: values.text(&keys::CHECK_TIME_SERVER).map(str::to_owned),
    })
}

/// How many SMTP clients there may be at once.
pub(crate) fn limits(values: &Values) -> anyhow::Result<Bounds> {
    let (node_max, network_max) = (values.number(&keys::SMTP_CONNECTIONS)?, values.number(&keys::NETWORK_CONNECTIONS)?);
    Ok(Bounds { node_max, network_max, ..Bounds::default() })
}

/// Who comes by way of a proxy.
fn proxies(values: &Values) -> anyhow::Result<Vec<Network>> {
    let parsed = values.list(&keys::PROXY_FROM).iter().map(|text| text.parse());
    parsed.collect::<Result<_, _>>().with_context(|| values.name(&keys::PROXY_FROM))
}

/// How hard delivery may press.
pub(crate) fn shaping(values: &Values) -> anyhow::Result<Shaping> {
    Ok(Shaping {
        connections_node_max: values.number(&keys::CONNECTIONS)?,
        connections_max: values.number(&keys::SITE_CONNECTIONS)?,
        ..Shaping::DEFAULT
    })
}

/// What single sites bear.
fn sites(values: &Values) -> anyhow::Result<Vec<SiteRule>> {
    let rule = |text: &String| text.parse::<SiteRule>().with_context(|| values.name(&keys::SITES));
    values.list(&keys::SITES).iter().map(rule).collect()
}

/// The addresses that mail leaves from.
fn egress(values: &Values, ehlo: &str) -> anyhow::Result<Egress> {
    let texts = EgressTexts {
        addresses: values.list(&keys::EGRESS_ADDRESSES),
        pools: values.list(&keys::EGRESS_POOLS),
        transactional: values.text(&keys::EGRESS_TRANSACTIONAL).unwrap_or_default(),
        marketing: values.text(&keys::EGRESS_MARKETING).unwrap_or_default(),
        ehlo,
    };
    Egress::read(texts).map_err(|error| {
        let key = match &error {
            NoEgress::Address(_) | NoEgress::Idle(_) => &keys::EGRESS_ADDRESSES,
            NoEgress::NoPool(name) if values.text(&keys::EGRESS_MARKETING) == Some(name) => &keys::EGRESS_MARKETING,
            NoEgress::NoPool(_) => &keys::EGRESS_TRANSACTIONAL,
            _ => &keys::EGRESS_POOLS,
        };
        anyhow!("{}: {error}", values.name(key))
    })
}

fn roles(values: &Values) -> anyhow::Result<Roles> {
    let name = || values.name(&keys::ROLES);
    let roles: Roles =
        values.list(&keys::ROLES).join(",").parse().map_err(|error| anyhow::anyhow!("{}: {error}", name()))?;
    if roles == Roles::NONE {
        bail!("{} names no role; a node has at least one of smtp, api, deliver, console", name());
    }
    Ok(roles)
}

fn hostname(values: &Values, machine: &str) -> anyhow::Result<Domain> {
    match values.text(&keys::EHLO) {
        Some(ehlo) => Domain::parse(ehlo).with_context(|| format!("{} {ehlo} is no name", values.name(&keys::EHLO))),
        None => Ok(Domain::parse(machine).or_else(|_| Domain::parse("localhost"))?),
    }
}

/// Those that are named, and with a base port those that the roles need.
fn doors(values: &Values, roles: Roles) -> anyhow::Result<DoorSettings> {
    let trusted = values.list(&keys::TRUSTED).iter().map(|text| text.parse::<Trusted>());
    let trusted = trusted.collect::<Result<Vec<_>, _>>().with_context(|| values.name(&keys::TRUSTED))?;
    let single = [keys::SUBMISSION, keys::SUBMISSION_TLS, keys::INBOUND, keys::HTTP, keys::HTTPS];
    let named = single.iter().any(|key| values.is_said(key)) || !trusted.is_empty();
    let ports = match values.parsed(&keys::BASE_PORT)? {
        None if named => None,
        base => Some(Ports::of(base.unwrap_or(BASE_PORT))?),
    };
    let door = |key: &Key, role: Roles, offset: u16| match values.parsed::<SocketAddr>(key)? {
        Some(_) if !roles.contains(role) => {
            bail!("{} goes with the role {role}, which --roles leaves out", values.name(key))
        }
        None if roles.contains(role) => Ok(ports.map(|ports| ports.at(offset))),
        given => Ok(given),
    };
    if !trusted.is_empty() && !roles.contains(Roles::SMTP) {
        bail!("{} goes with the role {}, which --roles leaves out", values.name(&keys::TRUSTED), Roles::SMTP);
    }
    let doors = DoorSettings {
        submission: door(&keys::SUBMISSION, Roles::SMTP, 1)?,
        submission_tls: door(&keys::SUBMISSION_TLS, Roles::SMTP, 2)?,
        inbound: door(&keys::INBOUND, Roles::SMTP, 4)?,
        trusted,
        // How a node is can be asked of every node.
        http: values.parsed(&keys::HTTP)?.or_else(|| ports.map(|ports| ports.at(0))),
        https: door(&keys::HTTPS, Roles::API, 7)?,
        metrics: values.parsed(&keys::METRICS)?,
    };
    apart(&doors)?;
    Ok(doors)
}

/// No two doors have one address.
fn apart(doors: &DoorSettings) -> anyhow::Result<()> {
    let mut seen: Vec<(&str, SocketAddr)> = Vec::new();
    for (name, address) in doors.named() {
        if let Some((other, _)) = seen.iter().find(|(_, taken)| *taken == address && address.port() != 0) {
            bail!("{name} and {other} have the same address, {address}; give each its own");
        }
        seen.push((name, address));
    }
    Ok(())
}

fn place(values: &Values) -> anyhow::Result<StorePlace> {
    let store = secret(values, &keys::STORE, &keys::STORE_FILE)?;
    let keys = secret(values, &keys::STORE_KEYS, &keys::STORE_KEYS_FILE)?;
    StoreArguments { store, keys, store_ca: values.path(&keys::STORE_CA) }.place()
}

/// A value, or what stands in the file that is named for it. Of both, what is stronger.
fn secret(values: &Values, key: &Key, file: &Key) -> anyhow::Result<Option<StoreUrl>> {
    let text = match (values.given(key), values.given(file)) {
        (_, None) => values.text(key).map(str::to_owned),
        (Some(by_value), Some(in_file)) if by_value.origin.rank() > in_file.origin.rank() => {
            values.text(key).map(str::to_owned)
        }
        (Some(by_value), Some(in_file)) if by_value.origin.rank() == in_file.origin.rank() => {
            bail!("{} and {} are both given; leave one out", values.name(key), values.name(file))
        }
        (_, Some(_)) => {
            let path = values.path(file).unwrap_or_default();
            let read = std::fs::read_to_string(&path);
            let text = read.with_context(|| format!("{}: cannot read {}", values.name(file), path.display()))?;
            Some(text.trim().to_owned())
        }
    };
    Ok(text.map(|text| {
        let Ok(url) = text.parse();
        url
    }))
}

/// What is said of bodies.
fn bodies(values: &Values) -> anyhow::Result<BodyArguments> {
    #[cfg(not(feature = "s3"))]
    {
        let bucket =
            [keys::BODIES_REGION, keys::BODIES_ENDPOINT, keys::BODIES_VIRTUAL_HOST, keys::BODIES_CA, keys::BODIES_KEYS];
        if let Some(key) = bucket.iter().find(|key| values.is_said(key)) {
            bail!(
                "{} is about a bucket, and this binary was built without: build it with --features s3",
                values.name(key)
            );
        }
    }
    Ok(BodyArguments {
        bodies: values.text(&keys::BODIES).unwrap_or_default().to_owned(),
        #[cfg(feature = "s3")]
        bucket: crate::settings::BucketArguments {
            bodies_region: values.text(&keys::BODIES_REGION).map(str::to_owned),
            bodies_endpoint: values.text(&keys::BODIES_ENDPOINT).map(str::to_owned),
            bodies_virtual_host: values.is_on(&keys::BODIES_VIRTUAL_HOST),
            bodies_ca: values.path(&keys::BODIES_CA),
            bodies_keys: values.path(&keys::BODIES_KEYS),
        },
    })
}

/// The store compares it with the regions that terms name.
fn region(values: &Values) -> anyhow::Result<Option<String>> {
    let Some(region) = values.text(&keys::REGION) else { return Ok(None) };
    if !model::region::is_region(region) {
        bail!("{}: {region:?} is neither EEA nor a country in two capital letters", values.name(&keys::REGION));
    }
    Ok(Some(region.to_owned()))
}

fn certificate(values: &Values, hostname: &Domain) -> anyhow::Result<Certificate> {
    match (values.path(&keys::CERTIFICATE), values.path(&keys::CERTIFICATE_KEY)) {
        (Some(chain), Some(key)) => Ok(Certificate::Files { chain, key }),
        (None, None) => {
            Ok(Certificate::Own { authority: "Postern node CA", names: vec![hostname.as_str().to_owned()] })
        }
        (Some(_), None) => bail!("{} needs tls.key (--key) beside it", values.name(&keys::CERTIFICATE)),
        (None, Some(_)) => {
            bail!("{} needs tls.certificate (--certificate) beside it", values.name(&keys::CERTIFICATE_KEY))
        }
    }
}

fn delivery(values: &Values, hostname: &Domain) -> anyhow::Result<DeliverySettings> {
    let mut delivery = DeliverySettings::new(hostname.as_str());
    delivery.egress = Arc::new(egress(values, hostname.as_str())?);
    delivery.resolver = resolver(values)?;
    delivery.mx_port = values.number(&keys::MX_PORT)?;
    delivery.dnssec = dnssec(values)?;
    delivery.allows_private = values.is_on(&keys::PRIVATE_EXCHANGERS);
    let authorities = values.path(&keys::EXCHANGER_CA).as_deref().map(roots).transpose();
    delivery.roots = authorities.with_context(|| values.name(&keys::EXCHANGER_CA))?.unwrap_or_default();
    delivery.shaping = shaping(values)?;
    delivery.sites = sites(values)?;
    delivery.smarthost = values.text(&keys::SINK).map(smarthost).transpose()?;
    delivery.pages = pages(values)?;
    delivery.tls_reports_by = values.text(&keys::TLS_REPORTS).map(str::to_owned);
    Ok(delivery)
}

/// How DNS is validated.
fn dnssec(values: &Values) -> anyhow::Result<Dnssec> {
    let (how, name) = (values.text(&keys::DNSSEC).unwrap_or_default(), values.name(&keys::DNSSEC));
    match (how, values.path(&keys::DNS_ANCHORS)) {
        ("off", None) => Ok(Dnssec::Off),
        ("off", Some(_)) => bail!("{} goes with {name} validate", values.name(&keys::DNS_ANCHORS)),
        ("validate", None) => Ok(Dnssec::Root),
        ("validate", Some(file)) => {
            let text = std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
            let anchors = TrustAnchors::parse(&text).map_err(|error| anyhow!("{}: {error}", file.display()))?;
            Ok(Dnssec::Anchors(anchors))
        }
        (other, _) => bail!("{name}: {other:?} is neither validate nor off"),
    }
}

/// Where the pages for recipients are. The address at which the node listens is no answer: what recipients can reach,
/// and by what name, only the operator knows.
fn pages(values: &Values) -> anyhow::Result<Option<Pages>> {
    match values.text(&keys::PAGES_URL) {
        Some(url) => Pages::parse(url).map(Some).with_context(|| format!("{} {url}", values.name(&keys::PAGES_URL))),
        None => Ok(values.text(&keys::PUBLIC_URL).and_then(|url| Pages::parse(url).ok())),
    }
}

/// What the operator says of himself.
pub(crate) fn operator(file: &Path) -> anyhow::Result<Operator> {
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let said: Operator = serde_json::from_slice(&text).with_context(|| {
        format!(
            "{} is not {{\"name\", \"address\", \"contact\", \"signatory\": {{\"name\", \"capacity\"}}}}",
            file.display()
        )
    })?;
    let blank = [&said.name, &said.address, &said.contact].into_iter().any(|text| text.trim().is_empty());
    if blank || !said.signatory.is_named() {
        bail!("{}: name, address, contact and the signatory's name and capacity are all needed", file.display());
    }
    Ok(said)
}

/// Whom to ask for certificates.
fn acme(values: &Values) -> anyhow::Result<Option<AcmeSettings>> {
    let Some(directory) = values.text(&keys::ACME_DIRECTORY) else {
        for key in [keys::ACME_CONTACT, keys::ACME_CA] {
            if values.is_said(&key) {
                bail!("{} needs acme.directory (--acme-directory) beside it", values.name(&key));
            }
        }
        return Ok(None);
    };
    let name = |key: &Key| values.name(key);
    if !directory.starts_with("https://") {
        bail!("{} {directory} is not an https address", name(&keys::ACME_DIRECTORY));
    }
    if values.list(&keys::ACME_CONTACT).is_empty() {
        bail!("{} needs acme.contact (--acme-contact) beside it", name(&keys::ACME_DIRECTORY));
    }
    let reached = |address: &String| {
        let address = address.strip_prefix("mailto:").unwrap_or(address);
        // The address is not repeated: it may be a person's.
        Address::parse(address).with_context(|| format!("{} is not an e-mail address", name(&keys::ACME_CONTACT)))?;
        Ok(format!("mailto:{address}"))
    };
    let contact = values.list(&keys::ACME_CONTACT).iter().map(reached).collect::<anyhow::Result<_>>()?;
    let ca = values.path(&keys::ACME_CA);
    let roots = ca.as_deref().map(roots).transpose().with_context(|| name(&keys::ACME_CA))?.unwrap_or_default();
    Ok(Some(AcmeSettings { directory: directory.to_owned(), contact, roots }))
}

fn resolver(values: &Values) -> anyhow::Result<Option<SocketAddr>> {
    let Some(text) = values.text(&keys::DNS) else { return Ok(None) };
    dns_server(text).map(Some).with_context(|| values.name(&keys::DNS))
}

/// `ADDRESS` or `ADDRESS:PORT` of a DNS server.
pub(crate) fn dns_server(text: &str) -> anyhow::Result<SocketAddr> {
    let alone = |_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    text.parse().or_else(alone).with_context(|| format!("{text} is not the address of a DNS server"))
}

/// Values that are secrets and stand in the file themselves: what to do instead.
pub(crate) fn secrets_in_file(values: &Values) -> Vec<String> {
    let in_file = |key: &&Key| matches!(values.given(key), Some(given) if matches!(given.origin, Origin::File { .. }));
    let has_password = |key: &&Key| {
        let (main, parameters) = values.text(key).map_or(("", ""), |text| text.split_once('?').unwrap_or((text, "")));
        // What is shown is without its password; a parameter may be one, too.
        let Ok(url): Result<StoreUrl, _> = main.parse();
        url.kind().is_some() && (url.to_string() != main || parameters.contains("password"))
    };
    let said = |key: &Key| {
        format!("{} holds a password: put it into a file, and name that in {}_file", values.name(key), key.name)
    };
    KEYS.iter().filter(|key| key.secret).filter(in_file).filter(has_password).map(said).collect()
}

/// What the machine calls itself.
fn machine_name() -> String {
    let read = |file| std::fs::read_to_string(file).ok().map(|name| name.trim().to_owned());
    let name = read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname")).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(test)]
mod tests;
