//! What an operator may settle about delivery. Values only; read once at the start.

use super::egress::Egress;
use super::shaping::Shaping;
use super::shaping::book::SiteRule;
use crate::notices::Notices;
use crate::tls_reports::TlsReports;
use crate::way_out::Pages;
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Settings of [`super::Delivery`]. `Settings::new` has the defaults of a node on the open Internet.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name given in EHLO: the PTR name of the address that mail leaves from (RFC 5321 §4.1.4).
    pub ehlo_name: String,
    /// The addresses that mail leaves from, each with the name that it says, in pools.
    pub egress: Arc<Egress>,
    /// The DNS resolver; `None` asks those of the system.
    pub resolver: Option<SocketAddr>,
    /// Whether what DNS answers is validated, and from which keys on (RFC 4035). DANE needs it.
    pub dnssec: Dnssec,
    /// The port of mail exchangers: 25, but for tests.
    pub mx_port: u16,
    /// The port of the hosts that give out MTA-STS policies: 443, but for tests.
    pub policy_port: u16,
    /// May DNS lead to exchangers and policy hosts that are not on the public Internet? Where it may, anybody can have
    /// this node speak to what is beside it.
    pub allows_private: bool,
    /// Where everything goes instead of to the recipients' exchangers.
    pub smarthost: Option<Smarthost>,
    /// Certificate authorities trusted beside the built-in ones, for exchangers and for policy hosts.
    pub roots: Vec<CertificateDer<'static>>,
    /// Transport security to every site.
    pub tls: TlsPolicy,
    /// Connections of the node, and what sites bear of which nobody says anything.
    pub shaping: Shaping,
    /// What single sites bear.
    pub sites: Vec<SiteRule>,
    /// How long a peer may be silent.
    pub timeouts: Timeouts,
    /// Wait after the first failure to reach a site; later waits are its multiples.
    pub site_retry_first: Duration,
    /// Where the pages for recipients are. Without them no marketing leaves (ePrivacy Art. 13(4)).
    pub pages: Option<Pages>,
    /// Who tells clients what became of their mail (RFC 3461). Without, nobody does.
    pub notices: Option<Notices>,
    /// In whose name reports on TLS leave: a controller, the operator's own account.
    pub tls_reports_by: Option<String>,
    /// Who writes reports on TLS to receiving domains (RFC 8460). Without, nobody does, and nothing is counted.
    pub tls_reports: Option<TlsReports>,
}

impl Settings {
    /// The defaults, for a node that calls itself `ehlo_name`.
    #[must_use]
    pub fn new(ehlo_name: impl Into<String>) -> Self {
        let ehlo_name = ehlo_name.into();
        Self {
            egress: Arc::new(Egress::plain(&ehlo_name)),
            ehlo_name,
            resolver: None,
            dnssec: Dnssec::Root,
            mx_port: 25,
            policy_port: 443,
            allows_private: false,
            smarthost: None,
            roots: Vec::new(),
            tls: TlsPolicy::Opportunistic,
            shaping: Shaping::default(),
            sites: Vec::new(),
            timeouts: Timeouts::default(),
            site_retry_first: Duration::from_secs(5),
            pages: None,
            notices: None,
            tls_reports_by: None,
            tls_reports: None,
        }
    }
}

/// Validation of DNS.
#[derive(Clone, Debug, Default)]
pub enum Dnssec {
    /// None: DANE is never used, and answers are taken as they come.
    Off,
    /// From the keys of the root, as IANA publishes them.
    #[default]
    Root,
    /// From these keys.
    Anchors(TrustAnchors),
}

/// Keys that DNS is validated from.
#[derive(Clone)]
pub struct TrustAnchors(pub(super) Arc<hickory_resolver::proto::dnssec::TrustAnchors>);

impl TrustAnchors {
    /// The keys of a text of DNSKEY records (RFC 4034 §2.2), of the root or of any zone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(|anchors| Self(Arc::new(anchors))).map_err(|error| format!("{error}"))
    }
}

impl fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustAnchors").finish_non_exhaustive()
    }
}

/// One host that takes everything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Smarthost {
    /// A network address or a name.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What is asked of the connection to a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsPolicy {
    /// Encrypted where the peer offers it, whoever he is (RFC 7435 §3); in clear where he does not.
    Opportunistic,
    /// Encrypted to a host whose certificate holds for its name, or not at all.
    Required,
    /// Never encrypted: a sink on this machine.
    None,
}

/// How long to wait for the peer. The defaults are the minima of RFC 5321 §4.5.3.2, but for connecting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// For the TCP connection to one address.
    pub connect: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// RFC 5321 §4.5.3.2.1: the greeting.
    pub greeting: Duration,
    /// RFC 5321 §4.5.3.2.2, §4.5.3.2.3: EHLO, MAIL, RCPT.
    pub command: Duration,
    /// RFC 5321 §4.5.3.2.4: the answer to DATA.
    pub data: Duration,
    /// RFC 5321 §4.5.3.2.5: one block of content leaves.
    pub block: Duration,
    /// RFC 5321 §4.5.3.2.6: the answer to the final dot. Shorter ones make duplicates.
    pub final_dot: Duration,
    /// For QUIT: nothing depends on its answer.
    pub quit: Duration,
    /// RFC 8461 §3.3: for an MTA-STS policy, from its first question to DNS on.
    pub policy: Duration,
    /// Between two looks at which reports on TLS are due.
    pub reports: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            handshake: Duration::from_secs(60),
            greeting: Duration::from_secs(300),
            command: Duration::from_secs(300),
            data: Duration::from_secs(120),
            block: Duration::from_secs(180),
            final_dot: Duration::from_secs(600),
            quit: Duration::from_secs(2),
            policy: Duration::from_secs(20),
            reports: Duration::from_secs(60),
        }
    }
}
