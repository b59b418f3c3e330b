//! Where mail for a site goes: its exchangers in the order in which they are to be tried, and what is demanded of the
//! connection to each.
//!
//! Invariants: a domain with MX records is never reached by its own address records; one that says that it takes no
//! mail is never connected to; what DNS could not answer now is asked again later and never taken as a no; an exchanger
//! that its domain's policy does not name is not tried, nor one whose TLSA records cannot be had; nobody's DNS leads to
//! an address that is not on the public Internet, unless the operator allows it; the work for one route has a bound.
//! Never: DNS at acceptance; a socket of its own.
//! Standards: RFC 5321 §5.1, RFC 7505 (null MX), RFC 5891 (hosts are A-labels on the wire), RFC 7672 §2, RFC 8461 §4.

pub(crate) mod lookup;
pub(crate) mod public;
mod shown;

use super::security::dane::Dane;
use super::security::sts::{Mode, Policy, Sts};
use super::security::{Basis, Demand, tlsrpt};
use super::settings::{Settings, Smarthost, TlsPolicy};
use super::spread;
use super::tally::Tally;
use super::tls::TlsFailure;
use hickory_resolver::net::NetError;
use lookup::{Addresses, Dns, Exchangers, Located, Pinned, Texts};
use mail::reply::EnhancedCode;
use public::is_public;
pub use shown::{DomainSecurity, ExchangerSecurity, PolicySecurity};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::time::timeout;

#[cfg(test)]
mod tests;

/// One address to try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Hop {
    /// The exchanger's name in A-labels: what its certificate is held against.
    pub(crate) host: Arc<str>,
    pub(crate) address: SocketAddr,
    /// What the connection has to be.
    pub(crate) demand: Demand,
    /// Who says so.
    pub(crate) basis: Basis,
    /// What is wrong with it already, where that is only told and not acted upon: a policy in testing does not name it.
    pub(crate) lapse: Option<TlsFailure>,
    /// That it is the domain's exchanger is known by DNSSEC, by an enforced policy, or from the operator himself.
    pub(crate) is_found_securely: bool,
}

/// Where to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    /// Go there.
    Way(Way),
    /// No mail can ever be delivered there.
    Never(Never),
    /// DNS has no answer now.
    Later(&'static str),
}

/// The way to a domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Way {
    /// Try these in order; never empty.
    pub(crate) hops: Vec<Hop>,
    /// The exchangers of the best preference, sorted, whether they have addresses or not: who takes the domain's mail.
    pub(crate) exchangers: Arc<[String]>,
}

/// Why a domain takes no mail. DNS said so itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Never {
    /// RFC 7505 §3: a null MX.
    NullMx,
    /// The domain does not exist.
    NoDomain,
    /// It exists, and has neither exchanger nor address.
    NoHost,
    /// All its exchangers are at addresses that are nobody's on the public Internet.
    Private,
}

impl Never {
    /// The code for the record of the attempt.
    pub(crate) const fn enhanced(self) -> EnhancedCode {
        match self {
            // RFC 7505 §4.2.
            Self::NullMx => EnhancedCode::new(5, 1, 10),
            Self::NoDomain => EnhancedCode::new(5, 1, 2),
            Self::NoHost | Self::Private => EnhancedCode::new(5, 4, 4),
        }
    }

    /// A sentence without personal data.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::NullMx => "the recipient's domain says in DNS that it takes no mail (null MX)",
            Self::NoDomain => "the recipient's domain does not exist in DNS",
            Self::NoHost => "the recipient's domain has neither a mail exchanger nor an address in DNS",
            Self::Private => "the recipient's domain names only addresses that are not on the public Internet",
        }
    }

    /// A9 B2: an address in a domain that cannot receive does not work; where only a record is missing, it may again.
    pub(crate) const fn burns_recipient(self) -> bool {
        matches!(self, Self::NullMx | Self::NoDomain)
    }
}

/// RFC 5321 §5.1 asks for at least two addresses; more than these would hold up a connection for too long.
const HOPS_MAX: usize = 5;
/// Exchangers of one domain whose addresses are looked up.
const LOOKED_UP_MAX: usize = 12;
/// All questions about one site together: whoever answers slowly delays his own mail alone.
const ROUTE_MAX: Duration = Duration::from_secs(60);

const SLOW: &str = "DNS takes too long for the domain";

/// Finds the way. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Router {
    dns: Dns,
    sts: Option<Sts>,
    smarthost: Option<Smarthost>,
    tally: Tally,
    mx_port: u16,
    allows_private: bool,
}

/// Why there is no router.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoRouter {
    #[error(transparent)]
    Dns(#[from] NetError),
    #[error(transparent)]
    Roots(#[from] rustls::Error),
}

impl Router {
    /// # Errors
    /// The system's resolver configuration cannot be read, or a root certificate of the settings is none.
    pub(crate) fn new(settings: &Settings, store: Option<Arc<Store>>) -> Result<Self, NoRouter> {
        // A node that never encrypts speaks to a sink of its own, and asks nobody what he demands.
        let store = store.filter(|_| settings.tls != TlsPolicy::None);
        // Of the operator's own next hop no domain is told anything.
        let counts = settings.tls_reports.is_some() && settings.smarthost.is_none();
        let tally = if counts { Tally::counting() } else { Tally::default() };
        Ok(Self {
            dns: Dns::new(settings)?,
            sts: store.map(|store| Sts::new(settings, store, tally.clone())).transpose()?,
            smarthost: settings.smarthost.clone(),
            tally,
            mx_port: settings.mx_port,
            allows_private: settings.allows_private,
        })
    }

    /// Where a domain wants reports on TLS to go. Nothing when DNS did not answer.
    pub(crate) async fn report_places(&self, domain: &str) -> Option<Vec<tlsrpt::Place>> {
        match self.dns.texts(&format!("_smtp._tls.{domain}")).await {
            Texts::Some(texts) => Some(tlsrpt::places(&texts)),
            Texts::None => Some(Vec::new()),
            Texts::Fault => None,
        }
    }

    /// Hands a report to a host; was it taken?
    pub(crate) async fn post_report(&self, to: (&str, u16, &str), kind: &str, octets: &[u8]) -> bool {
        match &self.sts {
            Some(sts) => sts.fetcher().post(&self.dns, to, kind, octets).await,
            None => false,
        }
    }

    /// What is kept of a domain's policy of MTA-STS.
    pub(crate) async fn kept_policy(&self, domain: &str) -> Option<(String, Policy)> {
        self.sts.as_ref()?.kept(domain).await
    }

    pub(crate) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Says it when the resolver does not hand on what is needed to validate: all mail waits then.
    pub(crate) async fn warn_unproven(&self) {
        if self.smarthost.is_none() && self.dns.validates() && self.dns.proves().await == Some(false) {
            tracing::error!(
                "the DNS resolver gives no DNSSEC proofs of the root, and mail waits for them; name another resolver \
                 with --dns, or give DANE up with --dnssec off"
            );
        }
    }

    /// The way to a site. `seed` orders exchangers of equal preference.
    pub(crate) async fn route(&self, site: &str, seed: u64) -> Route {
        timeout(ROUTE_MAX, self.find(site, seed)).await.unwrap_or(Route::Later(SLOW))
    }

    async fn find(&self, site: &str, seed: u64) -> Route {
        if let Some(smarthost) = &self.smarthost {
            return self.to_smarthost(smarthost).await;
        }
        if site == store::SMARTHOST_SITE {
            // No domain of that name is meant: DNS would turn the mail away for good.
            return Route::Later("it was taken in for a smarthost, and this node has none");
        }
        match order(self.dns.exchangers(site).await, site, seed) {
            Order::Never(never) => Route::Never(never),
            Order::Later(why) => Route::Later(why),
            Order::Hosts { hosts, best, is_secure } => self.exchangers(site, &hosts, &best, is_secure).await,
            Order::Implicit => self.implicit(site).await,
        }
    }

    async fn to_smarthost(&self, smarthost: &Smarthost) -> Route {
        let host: Arc<str> = smarthost.host.as_str().into();
        let hop = |ip: IpAddr| Hop {
            host: Arc::clone(&host),
            address: SocketAddr::new(ip, smarthost.port),
            demand: Demand::Opportunistic,
            basis: Basis::NoPolicy,
            lapse: None,
            is_found_securely: true,
        };
        if let Ok(ip) = smarthost.host.parse::<IpAddr>() {
            return Route::Way(Way { hops: vec![hop(ip)], exchangers: Arc::new([smarthost.host.clone()]) });
        }
        match self.dns.addresses(&smarthost.host).await {
            Addresses::Some(found) => Route::Way(Way {
                hops: found.ips.into_iter().take(HOPS_MAX).map(hop).collect(),
                exchangers: Arc::new([smarthost.host.clone()]),
            }),
            // The operator's own setting: a mistake in it must not turn away anybody's mail for good.
            Addresses::None | Addresses::NoDomain => Route::Later("the smarthost has no address in DNS"),
            Addresses::Fault => Route::Later("DNS did not answer for the smarthost"),
        }
    }

    async fn exchangers(&self, site: &str, hosts: &[String], best: &[String], is_secure: bool) -> Route {
        let mut plan = Plan::new(self, site);
        for host in hosts.iter().take(LOOKED_UP_MAX) {
            match self.dns.addresses(host).await {
                Addresses::Some(found) => plan.add(host, found, is_secure).await,
                Addresses::None | Addresses::NoDomain | Addresses::Fault => {}
            }
            if plan.hops.len() >= HOPS_MAX {
                break;
            }
        }
        // RFC 5321 §5.1: its own address records must not be used then. The domain means to have mail, so this is
        // a mistake that somebody will mend: later.
        plan.route(best, Route::Later("no mail exchanger of the domain has an address in DNS"))
    }

    /// RFC 5321 §5.1: no MX records at all make the domain its own exchanger with preference 0.
    async fn implicit(&self, site: &str) -> Route {
        match self.dns.addresses(site).await {
            Addresses::Some(found) => {
                let mut plan = Plan::new(self, site);
                plan.add(site, found, true).await;
                plan.route(&[site.to_owned()], Route::Never(Never::NoHost))
            }
            Addresses::NoDomain => Route::Never(Never::NoDomain),
            Addresses::None if self.dns.is_circle(site).await => Route::Later("the domain's aliases lead nowhere"),
            Addresses::None => Route::Never(Never::NoHost),
            Addresses::Fault => Route::Later("DNS did not answer for the domain"),
        }
    }

    /// What DANE says of an exchanger whose addresses are known (RFC 7672 §2.2).
    async fn dane(&self, site: &str, host: &str, found: &Located) -> Result<Option<Demand>, ()> {
        for base in &found.bases {
            match self.dns.pinned(base, self.mx_port).await {
                Pinned::Fault => return Err(()),
                Pinned::None => {}
                Pinned::Some(records) => {
                    let names = [base.as_str(), host, site].map(str::to_owned).to_vec();
                    let dane = Dane::new(records, base, names).map(Arc::new);
                    return Ok(Some(dane.map_or(Demand::Encrypted, Demand::Dane)));
                }
            }
        }
        Ok(None)
    }
}

/// Hops as they come together, and why others did not.
struct Plan<'a> {
    router: &'a Router,
    site: &'a str,
    hops: Vec<Hop>,
    /// The domain's own policy, once it was asked for.
    policy: Option<Option<Policy>>,
    /// An exchanger was passed over that may be there another time.
    later: Option<&'static str>,
    is_private: bool,
}

impl<'a> Plan<'a> {
    fn new(router: &'a Router, site: &'a str) -> Self {
        Self { router, site, hops: Vec::new(), policy: None, later: None, is_private: false }
    }

    /// `is_secure`: that this is an exchanger of the domain is.
    async fn add(&mut self, host: &str, found: Located, is_secure: bool) {
        let dane = if is_secure && self.router.sts.is_some() {
            self.router.dane(self.site, host, &found).await
        } else {
            Ok(None)
        };
        let (demand, basis) = match dane {
            Err(()) => {
                // RFC 7672 §2.1.2: passed over, never reached without what its records would say.
                self.none(Basis::Tlsa, host, TlsFailure::Dnssec);
                self.later = Some("the TLSA records of the domain's exchangers cannot be had");
                return;
            }
            Ok(Some(demand)) => (demand, Basis::Tlsa),
            // RFC 8461 §2: DANE goes before, where it applies.
            Ok(None) => match self.by_policy(host).await {
                Some(demanded) => demanded,
                None => return,
            },
        };
        // RFC 8689 §4.2.1 (1). Without MX records the host is the domain itself: signed, or it is not known.
        let is_known = is_secure && (host != self.site || !found.bases.is_empty());
        let is_found_securely = is_known || (basis == Basis::Sts && demand == Demand::Named);
        let tested = self.policy.iter().flatten().any(|policy| policy.mode == Mode::Testing && !policy.names(host));
        let lapse = (basis == Basis::Sts && tested).then_some(TlsFailure::Other);
        let host: Arc<str> = host.into();
        for ip in found.ips.into_iter().take(HOPS_MAX) {
            if !self.router.allows_private && !is_public(ip) {
                self.is_private = true;
                continue;
            }
            let address = SocketAddr::new(ip, self.router.mx_port);
            let (host, demand) = (Arc::clone(&host), demand.clone());
            self.hops.push(Hop { host, address, demand, basis, lapse, is_found_securely });
        }
    }

    /// Nothing: the domain's policy does not let mail go there.
    async fn by_policy(&mut self, host: &str) -> Option<(Demand, Basis)> {
        if self.policy.is_none() {
            let Some(sts) = &self.router.sts else { return Some((Demand::Opportunistic, Basis::NoPolicy)) };
            match sts.of(&self.router.dns, self.site).await {
                Ok(policy) => self.policy = Some(policy),
                Err(_) => {
                    self.later = Some("whether the domain has a policy for TLS could not be read");
                    return None;
                }
            }
        }
        match self.policy.as_ref().and_then(Option::as_ref) {
            None => Some((Demand::Opportunistic, Basis::NoPolicy)),
            Some(policy) => match policy.mode {
                Mode::None => Some((Demand::Opportunistic, Basis::NoPolicy)),
                Mode::Testing => Some((Demand::Opportunistic, Basis::Sts)),
                Mode::Enforce if policy.names(host) => Some((Demand::Named, Basis::Sts)),
                Mode::Enforce => {
                    self.none(Basis::Sts, host, TlsFailure::Other);
                    self.later = Some("the domain's MTA-STS policy names none of its exchangers");
                    None
                }
            },
        }
    }

    /// It comes to no session there, and that is counted.
    fn none(&self, basis: Basis, host: &str, failure: TlsFailure) {
        if let Some(sts) = &self.router.sts {
            self.router.tally.none(sts.now(), self.site, basis, host, failure);
        }
    }

    /// `otherwise`: there was nothing to try at all.
    fn route(self, best: &[String], otherwise: Route) -> Route {
        let mut hops = self.hops;
        hops.truncate(HOPS_MAX);
        match (hops.is_empty(), self.later, self.is_private) {
            (false, ..) => Route::Way(Way { hops, exchangers: best.into() }),
            (true, Some(why), _) => Route::Later(why),
            (true, None, true) => Route::Never(Never::Private),
            (true, None, false) => otherwise,
        }
    }
}

/// What to do about them.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Order {
    /// Look up these, in this order. `best`: those of the lowest preference, sorted. `is_secure`: that they are the
    /// domain's exchangers is.
    Hosts {
        hosts: Vec<String>,
        best: Vec<String>,
        is_secure: bool,
    },
    /// The domain itself.
    Implicit,
    Never(Never),
    Later(&'static str),
}

/// RFC 5321 §5.1: by preference, lowest first; equal ones in a random order, to spread the load.
fn order(exchangers: Exchangers, site: &str, seed: u64) -> Order {
    let (mut records, is_secure) = match exchangers {
        Exchangers::Fault => return Order::Later("DNS did not answer for the domain"),
        Exchangers::NoDomain => return Order::Never(Never::NoDomain),
        Exchangers::None => return Order::Implicit,
        Exchangers::Some { records, is_secure } => (records, is_secure),
    };
    if records.is_empty() {
        return Order::Implicit;
    }
    // RFC 7505 §3: a single record with the root as its exchanger; beside others it means nothing.
    records.retain(|(_, host)| !host.is_empty());
    if records.is_empty() {
        return Order::Never(Never::NullMx);
    }
    records.retain(|(_, host)| is_host(host));
    if records.is_empty() {
        return Order::Later("no mail exchanger of the domain has a name that a host can have");
    }
    spread::shuffle(&mut records, spread::mix(seed ^ u64::try_from(site.len()).unwrap_or(0)));
    records.sort_by_key(|(preference, _)| *preference);
    let lowest = records.first().map(|(preference, _)| *preference);
    let mut best: Vec<String> =
        records.iter().filter(|(preference, _)| Some(*preference) == lowest).map(|(_, host)| host.clone()).collect();
    best.sort_unstable();
    best.dedup();
    let mut hosts: Vec<String> = Vec::with_capacity(records.len());
    for (_, host) in records {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    Order::Hosts { hosts, best, is_secure }
}

/// RFC 1123 §2.1, with the underscore that is seen. Labels of other octets come escaped, and no certificate has them.
fn is_host(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}
