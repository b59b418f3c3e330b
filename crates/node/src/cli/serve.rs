//! The arguments of `postern serve`, and the settings that they make.

use crate::certificates::{Certificate, roots};
use crate::settings::{
    BodyArguments, DoorSettings, Ports, Settings, StoreArguments, StoreSettings, Trusted, smarthost,
};
use crate::telling::Telling;
use anyhow::{Context as _, anyhow, bail};
use duties::operator::Operator;
use mail::address::{Address, Domain};
use mta::Pages;
use mta::delivery::{Dnssec, Settings as DeliverySettings, Shaping, TrustAnchors};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use store::{CreateKey, Roles};
use web::hosts::AcmeSettings;

/// The first of the ports when no door is named.
const BASE_PORT: u16 = 8025;
/// Where a DNS server listens.
const DNS_PORT: u16 = 53;

/// The arguments of `postern serve`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Arguments {
    /// The node's own folder; made when it is not there. No two nodes may have the same.
    #[arg(long, value_name = "DIR", default_value = "postern-data")]
    data: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    bodies: BodyArguments,
    /// The key over all keys, the same on every node of a store. Without it, master.key in the data folder.
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// What an operator calls the node. Without it, the name of the machine.
    #[arg(long)]
    name: Option<String>,
    /// What the node does: any of smtp, api, deliver, console, with commas between.
    #[arg(long, default_value_t = Roles::ALL)]
    roles: Roles,
    /// First of eight ports on 127.0.0.1, for doors without an address of their own: HTTP at N, submission at N+1,
    /// submission with TLS at N+2, HTTPS at N+7. 8025 when no door has an address; without it only doors that have
    /// one are opened.
    #[arg(long, value_name = "N")]
    base_port: Option<u16>,
    /// Submission with STARTTLS.
    #[arg(long, value_name = "ADDRESS:PORT")]
    submission: Option<SocketAddr>,
    /// Submission with TLS from the first octet.
    #[arg(long, value_name = "ADDRESS:PORT")]
    submission_tls: Option<SocketAddr>,
    /// Submission without login, from these networks, with this credential. May be given several times.
    #[arg(long, value_name = "ADDRESS:PORT=USERNAME+NETWORK…")]
    trusted: Vec<Trusted>,
    /// HTTP. Without the role api only /healthz, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<SocketAddr>,
    /// HTTPS.
    #[arg(long, value_name = "ADDRESS:PORT")]
    https: Option<SocketAddr>,
    /// How clients reach the API: links in answers begin with it.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Where recipients reach the public pages, by https: the links in marketing lead there. The same on every node of
    /// a store. Without it, --public-url where that is https; without both, marketing is refused.
    #[arg(long, value_name = "URL", env = "POSTERN_PAGES_URL")]
    pages_url: Option<String>,
    /// Certificate with its chain, as PEM. Without it the node makes an authority of its own.
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The certificate's key, as PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Order certificates for controllers' own host names from the authority with this ACME directory, such as
    /// https://acme-v02.api.letsencrypt.org/directory; by that you agree to its terms. Requests for host names that
    /// nobody has are then not found. Without it such names have no certificates and are not linked to.
    #[arg(long, value_name = "URL", env = "POSTERN_ACME_DIRECTORY", requires = "acme_contact")]
    acme_directory: Option<String>,
    /// Where that authority reaches you. May be given several times.
    #[arg(
        long,
        value_name = "EMAIL",
        env = "POSTERN_ACME_CONTACT",
        value_delimiter = ',',
        requires = "acme_directory"
    )]
    acme_contact: Vec<String>,
    /// Authorities to trust for the connection to it, as PEM, beside the usual ones.
    #[arg(long, value_name = "FILE", env = "POSTERN_ACME_CA", requires = "acme_directory")]
    acme_ca: Option<PathBuf>,
    /// Deliver everything there instead of to the recipients' exchangers. Every node of a store needs the same.
    #[arg(long, value_name = "HOST:PORT")]
    sink: Option<String>,
    /// The DNS server to ask. Without it, those of the system.
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    dns: Option<String>,
    /// The port of mail exchangers.
    #[arg(long, value_name = "N", default_value_t = 25)]
    mx_port: u16,
    /// Whether what DNS answers is validated: DANE needs it. With `validate`, a server that hands on no proofs lets no
    /// mail leave; with `off`, answers are taken as they come, and DANE is not used.
    #[arg(long, value_name = "HOW", default_value = "validate", value_parser = ["validate", "off"])]
    dnssec: String,
    /// Keys to validate from instead of those of the root, as DNSKEY records.
    #[arg(long, value_name = "FILE")]
    dns_anchors: Option<PathBuf>,
    /// Let DNS lead to exchangers that are not on the public Internet. Anybody who can name a recipient can then have
    /// this node speak to what is beside it.
    #[arg(long)]
    private_exchangers: bool,
    /// Authorities to trust for exchangers and for hosts of MTA-STS policies, as PEM, beside the usual ones.
    #[arg(long, value_name = "FILE")]
    exchanger_ca: Option<PathBuf>,
    /// Connections to exchangers at once, from this node to all sites together: as many as its address may have.
    #[arg(long, value_name = "N", default_value_t = Shaping::DEFAULT.connections_node_max, value_parser = at_least_one)]
    connections: u32,
    /// Connections to one site at once. A site is served by one node at a time. It has fewer while it complains.
    #[arg(long, value_name = "N", default_value_t = Shaping::DEFAULT.connections_max, value_parser = at_least_one)]
    site_connections: u32,
    /// The node's name in greetings, which the address that mail leaves from should have in DNS. Without it, the name
    /// of the machine.
    #[arg(long, value_name = "NAME")]
    ehlo: Option<String>,
    /// Who runs this platform, as JSON: name, address, contact, and signatory with name and capacity. That is the
    /// processor in every agreement. Kept in the store: it is needed once, and again when it changes.
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
    /// Where the node stands, and with it what it keeps: a country in two capital letters, or EEA. Streams whose terms
    /// name regions are served only where the node lies in one of them; the same on every node of a store.
    #[arg(long, value_name = "REGION", env = "POSTERN_REGION", value_parser = region)]
    region: Option<String>,
    /// Write addresses there as JSON, once everything listens.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print and log nothing, unless POSTERN_LOG says what to log; only a failure to start or to stop is told.
    #[arg(long)]
    pub(super) quiet: bool,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When the arguments do not go together, or something cannot be opened.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let telling = Telling { json: arguments.json.clone(), quiet: arguments.quiet };
    crate::serve::run(arguments.settings()?, &telling).await
}

impl Arguments {
    fn settings(self) -> anyhow::Result<Settings> {
        if self.roles == Roles::NONE {
            bail!("--roles names no role; a node has at least one of smtp, api, deliver, console");
        }
        let machine = machine_name();
        let ehlo = self.ehlo.clone().unwrap_or_else(|| machine.clone());
        let hostname = match Domain::parse(&ehlo) {
            Ok(name) => name,
            Err(_) if self.ehlo.is_none() => Domain::parse("localhost")?,
            Err(error) => return Err(error).with_context(|| format!("--ehlo {ehlo} is no name")),
        };
        let doors = self.doors()?;
        let mut delivery = DeliverySettings::new(hostname.as_str());
        delivery.resolver = self.dns.as_deref().map(resolver).transpose()?;
        delivery.mx_port = self.mx_port;
        delivery.dnssec = dnssec(&self.dnssec, self.dns_anchors.as_deref())?;
        delivery.allows_private = self.private_exchangers;
        delivery.roots =
            self.exchanger_ca.as_deref().map(roots).transpose().context("--exchanger-ca")?.unwrap_or_default();
        delivery.shaping.connections_node_max = self.connections;
        delivery.shaping.connections_max = self.site_connections;
        delivery.smarthost = self.sink.as_deref().map(smarthost).transpose()?;
        delivery.pages = pages(self.pages_url.as_deref(), self.public_url.as_deref())?;
        let certificate = match (self.certificate, self.key) {
            (Some(chain), Some(key)) => Certificate::Files { chain, key },
            _ => Certificate::Own { authority: "Postern node CA", names: vec![hostname.as_str().to_owned()] },
        };
        let acme = acme(self.acme_directory.as_deref(), &self.acme_contact, self.acme_ca.as_deref())?;
        let place = self.store.place()?;
        let operator = self.operator.as_deref().map(operator).transpose()?;
        Ok(Settings {
            data: self.data,
            name: self.name.unwrap_or(machine),
            roles: self.roles,
            store: StoreSettings {
                bodies: self.bodies.placement(&place)?,
                place,
                master_key: self.master_key,
                create_key: CreateKey::IfNew,
            },
            hostname,
            region: self.region,
            certificate,
            public_url: self.public_url,
            doors,
            delivery,
            operator,
            acme,
        })
    }

    /// Those that are named, and with a base port those that the roles need.
    fn doors(&self) -> anyhow::Result<DoorSettings> {
        let named = [self.submission, self.submission_tls, self.http, self.https].iter().any(Option::is_some)
            || !self.trusted.is_empty();
        let ports = match self.base_port {
            None if named => None,
            base => Some(Ports::of(base.unwrap_or(BASE_PORT))?),
        };
        let door = |flag: &str, given: Option<SocketAddr>, role: Roles, offset: u16| match given {
            Some(_) if !self.roles.contains(role) => {
                bail!("{flag} goes with the role {role}, which --roles leaves out")
            }
            None if self.roles.contains(role) => Ok(ports.map(|ports| ports.at(offset))),
            given => Ok(given),
        };
        if !self.trusted.is_empty() && !self.roles.contains(Roles::SMTP) {
            bail!("--trusted goes with the role {}, which --roles leaves out", Roles::SMTP);
        }
        Ok(DoorSettings {
            submission: door("--submission", self.submission, Roles::SMTP, 1)?,
            submission_tls: door("--submission-tls", self.submission_tls, Roles::SMTP, 2)?,
            trusted: self.trusted.clone(),
            // How a node is can be asked of every node.
            http: self.http.or_else(|| ports.map(|ports| ports.at(0))),
            https: door("--https", self.https, Roles::API, 7)?,
        })
    }
}

/// How DNS is validated.
fn dnssec(how: &str, anchors: Option<&Path>) -> anyhow::Result<Dnssec> {
    match (how, anchors) {
        ("off", None) => Ok(Dnssec::Off),
        ("off", Some(_)) => bail!("--dns-anchors goes with --dnssec validate"),
        (_, None) => Ok(Dnssec::Root),
        (_, Some(file)) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
            let anchors = TrustAnchors::parse(&text).map_err(|error| anyhow!("{}: {error}", file.display()))?;
            Ok(Dnssec::Anchors(anchors))
        }
    }
}

/// The store compares it with the regions that terms name.
fn region(text: &str) -> anyhow::Result<String> {
    model::region::is_region(text)
        .then(|| text.to_owned())
        .context("it is neither EEA nor a country in two capital letters")
}

/// A node without connections would keep all mail for ever.
fn at_least_one(text: &str) -> anyhow::Result<u32> {
    text.parse().ok().filter(|count| *count > 0).context("it is not a number of connections, at least 1")
}

/// Where the pages for recipients are. The address at which the node listens is no answer: what recipients can reach,
/// and by what name, only the operator knows.
fn pages(named: Option<&str>, public: Option<&str>) -> anyhow::Result<Option<Pages>> {
    match named {
        Some(url) => Pages::parse(url).map(Some).with_context(|| format!("--pages-url {url}")),
        None => Ok(public.and_then(|url| Pages::parse(url).ok())),
    }
}

/// What the operator says of himself.
fn operator(file: &Path) -> anyhow::Result<Operator> {
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
fn acme(directory: Option<&str>, contact: &[String], ca: Option<&Path>) -> anyhow::Result<Option<AcmeSettings>> {
    let Some(directory) = directory else { return Ok(None) };
    if !directory.starts_with("https://") {
        bail!("--acme-directory {directory} is not an https address");
    }
    let reached = |address: &String| {
        let address = address.strip_prefix("mailto:").unwrap_or(address);
        // The address is not repeated: it may be a person's.
        Address::parse(address).context("--acme-contact is not an e-mail address")?;
        Ok(format!("mailto:{address}"))
    };
    let contact = contact.iter().map(reached).collect::<anyhow::Result<_>>()?;
    let roots = ca.map(roots).transpose().context("--acme-ca")?.unwrap_or_default();
    Ok(Some(AcmeSettings { directory: directory.to_owned(), contact, roots }))
}

fn resolver(text: &str) -> anyhow::Result<SocketAddr> {
    let alone = |_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    text.parse().or_else(alone).with_context(|| format!("--dns {text} is not the address of a DNS server"))
}

/// What the machine calls itself.
fn machine_name() -> String {
    let read = |file| std::fs::read_to_string(file).ok().map(|name| name.trim().to_owned());
    let name = read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname")).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8058_3_1_the_pages_are_named_or_follow_from_a_public_address_by_https() {
        let named = |url: &str| Some(Pages::parse(url).unwrap());
        let own = Some("https://mail.example");
        assert_eq!(pages(own, None).unwrap(), named("https://mail.example"));
        assert_eq!(pages(own, Some("https://api.example")).unwrap(), named("https://mail.example"));
        assert_eq!(pages(None, Some("https://api.example/")).unwrap(), named("https://api.example"));
        // Twins: what recipients could not reach safely is none, and a wrong name is told.
        assert_eq!(pages(None, Some("http://api.example")).unwrap(), None);
        assert_eq!(pages(None, None).unwrap(), None);
        let wrong = pages(Some("http://mail.example"), own).unwrap_err();
        assert!(format!("{wrong:#}").starts_with("--pages-url http://mail.example: "), "{wrong:#}");
    }

    #[test]
    fn rfc8555_an_authority_is_asked_over_https_and_knows_whom_to_write_to() {
        let contact = ["Ops@node.example".to_owned(), "mailto:two@node.example".to_owned()];
        let asked = acme(Some("https://acme.example/dir"), &contact, None).unwrap().unwrap();
        assert_eq!(asked.contact, ["mailto:Ops@node.example", "mailto:two@node.example"]);
        assert!(acme(None, &[], None).unwrap().is_none());
        let refused = |directory, contact: &str, ca: Option<&str>| {
            let refused = acme(Some(directory), &[contact.to_owned()], ca.map(Path::new)).unwrap_err();
            format!("{refused:#}")
        };
        let told = refused("http://acme.example/dir", "ops@node.example", None);
        assert_eq!(told, "--acme-directory http://acme.example/dir is not an https address");
        let told = refused("https://acme.example/dir", "nobody", None);
        assert!(told.starts_with("--acme-contact is not an e-mail address") && !told.contains("nobody"), "{told}");
        let told = refused("https://acme.example/dir", "ops@node.example", Some("not-there.pem"));
        assert!(told.starts_with("--acme-ca: not-there.pem cannot be read"), "{told}");
    }
}
