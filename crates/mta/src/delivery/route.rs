//! Where mail for a site goes: its exchangers in the order in which they are to be tried.
//!
//! Invariants: a domain with MX records is never reached by its own address records; one that says that it takes no
//! mail is never connected to; what DNS could not answer now is asked again later and never taken as a no.
//! Never: DNS at acceptance; a socket of its own (the resolver's are hickory's).
//! Standards: RFC 5321 §5.1, RFC 7505 (null MX), RFC 5891 (hosts are A-labels on the wire).

use super::settings::{Settings, Smarthost};
use super::spread;
use crate::names::{Absence, absence, absolute, options, resolver};
use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::{RData, RecordType};
use mail::reply::EnhancedCode;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// One address to try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Hop {
    /// The exchanger's name in A-labels: what its certificate is held against.
    pub(crate) host: Arc<str>,
    pub(crate) address: SocketAddr,
}

/// Where to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    /// Try these in order; never empty.
    Hops(Vec<Hop>),
    /// No mail can ever be delivered there.
    Never(Never),
    /// DNS has no answer now.
    Later(&'static str),
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
}

impl Never {
    /// The code for the record of the attempt.
    pub(crate) const fn enhanced(self) -> EnhancedCode {
        match self {
            // RFC 7505 §4.2.
            Self::NullMx => EnhancedCode::new(5, 1, 10),
            Self::NoDomain => EnhancedCode::new(5, 1, 2),
            Self::NoHost => EnhancedCode::new(5, 4, 4),
        }
    }

    /// A sentence without personal data.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::NullMx => "the recipient's domain says in DNS that it takes no mail (null MX)",
            Self::NoDomain => "the recipient's domain does not exist in DNS",
            Self::NoHost => "the recipient's domain has neither a mail exchanger nor an address in DNS",
        }
    }

    /// A9 B2: an address in a domain that cannot receive does not work; where only a record is missing, it may again.
    pub(crate) const fn burns_recipient(self) -> bool {
        matches!(self, Self::NullMx | Self::NoDomain)
    }
}

/// RFC 5321 §5.1 asks for at least two addresses; more than these would hold up a connection for too long.
const HOPS_MAX: usize = 5;
/// Exchangers of one domain that are looked at.
const EXCHANGERS_MAX: usize = 32;
/// Answers kept by the resolver.
const CACHE_ANSWERS_MAX: u64 = 16_384;

/// Asks DNS. Cheap to clone; the cache is the resolver's, by the records' own TTL.
#[derive(Clone)]
pub(crate) struct Router {
    resolver: TokioResolver,
    smarthost: Option<Smarthost>,
    mx_port: u16,
}

impl Router {
    /// # Errors
    /// The system's resolver configuration cannot be read.
    pub(crate) fn new(settings: &Settings) -> Result<Self, NetError> {
        let mut builder = resolver(settings.resolver)?;
        options(&mut builder).cache_size = CACHE_ANSWERS_MAX;
        Ok(Self { resolver: builder.build()?, smarthost: settings.smarthost.clone(), mx_port: settings.mx_port })
    }

    /// The way to a site. `seed` orders exchangers of equal preference.
    pub(crate) async fn route(&self, site: &str, seed: u64) -> Route {
        if let Some(smarthost) = &self.smarthost {
            return self.to_smarthost(smarthost).await;
        }
        if site == store::SMARTHOST_SITE {
            // No domain of that name is meant: DNS would turn the mail away for good.
            return Route::Later("it was taken in for a smarthost, and this node has none");
        }
        match order(self.exchangers(site).await, site, seed) {
            Order::Never(never) => Route::Never(never),
            Order::Later(why) => Route::Later(why),
            Order::Hosts(hosts) => self.hops(&hosts).await,
            Order::Implicit => self.implicit(site).await,
        }
    }

    async fn to_smarthost(&self, smarthost: &Smarthost) -> Route {
        let host: Arc<str> = smarthost.host.as_str().into();
        if let Ok(ip) = smarthost.host.parse::<IpAddr>() {
            return Route::Hops(vec![Hop { host, address: SocketAddr::new(ip, smarthost.port) }]);
        }
        match self.addresses(&smarthost.host).await {
            Addresses::Some(ips) => Route::Hops(hops_of(&host, &ips, smarthost.port)),
            // The operator's own setting: a mistake in it must not turn away anybody's mail for good.
            Addresses::None | Addresses::NoDomain => Route::Later("the smarthost has no address in DNS"),
            Addresses::Fault => Route::Later("DNS did not answer for the smarthost"),
        }
    }

    async fn hops(&self, hosts: &[String]) -> Route {
        let mut hops = Vec::new();
        let mut fault = false;
        for host in hosts {
            if let Addresses::Some(ips) = self.addresses(host).await {
                hops.extend(hops_of(&host.as_str().into(), &ips, self.mx_port));
            } else {
                fault = true;
            }
            if hops.len() >= HOPS_MAX {
                break;
            }
        }
        hops.truncate(HOPS_MAX);
        match (hops.is_empty(), fault) {
            (false, _) => Route::Hops(hops),
            // RFC 5321 §5.1: its own address records must not be used then. The domain means to have mail, so this is
            // a mistake that somebody will mend: later.
            (true, _) => Route::Later("no mail exchanger of the domain has an address in DNS"),
        }
    }

    /// RFC 5321 §5.1: no MX records at all make the domain its own exchanger with preference 0.
    async fn implicit(&self, site: &str) -> Route {
        match self.addresses(site).await {
            Addresses::Some(ips) => Route::Hops(hops_of(&site.into(), &ips, self.mx_port)),
            Addresses::NoDomain => Route::Never(Never::NoDomain),
            Addresses::None => Route::Never(Never::NoHost),
            Addresses::Fault => Route::Later("DNS did not answer for the domain"),
        }
    }

    async fn exchangers(&self, domain: &str) -> Exchangers {
        match self.resolver.lookup(absolute(domain).as_str(), RecordType::MX).await {
            Ok(answer) => {
                let records = answer.answers().iter().filter_map(|record| match &record.data {
                    RData::MX(mx) => Some((mx.preference, plain_name(&mx.exchange.to_ascii()))),
                    _ => None,
                });
                Exchangers::Some(records.take(EXCHANGERS_MAX).collect())
            }
            Err(error) => match absence(&error) {
                Absence::NoDomain => Exchangers::NoDomain,
                Absence::NoRecords => Exchangers::None,
                Absence::Unknown => Exchangers::Fault,
            },
        }
    }

    async fn addresses(&self, host: &str) -> Addresses {
        match self.resolver.lookup_ip(absolute(host).as_str()).await {
            Ok(answer) => {
                // One family first, not a race: receivers judge them differently (A4 C8).
                let (mut ips, six): (Vec<IpAddr>, Vec<IpAddr>) = answer.iter().partition(IpAddr::is_ipv4);
                ips.extend(six);
                if ips.is_empty() { Addresses::None } else { Addresses::Some(ips) }
            }
            Err(error) => match absence(&error) {
                Absence::NoDomain => Addresses::NoDomain,
                Absence::NoRecords => Addresses::None,
                Absence::Unknown => Addresses::Fault,
            },
        }
    }
}

/// What DNS says about a domain's exchangers.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Exchangers {
    /// Preference and name; the root is the empty name.
    Some(Vec<(u16, String)>),
    /// The domain exists and has no MX record.
    None,
    /// The domain does not exist.
    NoDomain,
    /// No answer: SERVFAIL, a timeout, a bogus signature.
    Fault,
}

enum Addresses {
    Some(Vec<IpAddr>),
    None,
    NoDomain,
    Fault,
}

/// What to do about them.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Order {
    /// Look up these, in this order.
    Hosts(Vec<String>),
    /// The domain itself.
    Implicit,
    Never(Never),
    Later(&'static str),
}

/// RFC 5321 §5.1: by preference, lowest first; equal ones in a random order, to spread the load.
fn order(exchangers: Exchangers, site: &str, seed: u64) -> Order {
    let mut records = match exchangers {
        Exchangers::Fault => return Order::Later("DNS did not answer for the domain"),
        Exchangers::NoDomain => return Order::Never(Never::NoDomain),
        Exchangers::None => return Order::Implicit,
        Exchangers::Some(records) => records,
    };
    if records.is_empty() {
        return Order::Implicit;
    }
    // RFC 7505 §3: a single record with the root as its exchanger; beside others it means nothing.
    records.retain(|(_, host)| !host.is_empty());
    if records.is_empty() {
        return Order::Never(Never::NullMx);
    }
    spread::shuffle(&mut records, spread::mix(seed ^ u64::try_from(site.len()).unwrap_or(0)));
    records.sort_by_key(|(preference, _)| *preference);
    let mut hosts: Vec<String> = Vec::with_capacity(records.len());
    for (_, host) in records {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    Order::Hosts(hosts)
}

fn hops_of(host: &Arc<str>, ips: &[IpAddr], port: u16) -> Vec<Hop> {
    let hop = |ip: &IpAddr| Hop { host: Arc::clone(host), address: SocketAddr::new(*ip, port) };
    ips.iter().take(HOPS_MAX).map(hop).collect()
}

/// Without its final dot, lower case.
fn plain_name(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
