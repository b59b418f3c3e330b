//! Asking DNS: the resolver as the operator set it, and records by which somebody shows that a name is his.
//!
//! Invariants: names are asked for with their final dot, so that no search list of the system applies; what DNS could
//! not answer now is never taken as a no.
//! Never: a socket of its own (the resolver's are hickory's); an answer kept for later, where a proof is asked for.

use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};
use std::net::{IpAddr, SocketAddr};

/// Records of one name that are looked at.
const TEXTS_MAX: usize = 64;
/// Octets of a record that are looked at.
const TEXT_OCTETS_MAX: usize = 1_024;

/// Asks DNS about names that somebody says are his. Cheap to clone.
#[derive(Clone)]
pub struct Names {
    resolver: TokioResolver,
}

/// DNS cannot be asked at all.
#[derive(Debug, thiserror::Error)]
#[error("the system's DNS settings cannot be read: {0}")]
pub struct NamesError(String);

/// What DNS says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found<T> {
    /// This.
    Some(T),
    /// The name does not exist, or has nothing of that kind.
    None,
    /// No answer: SERVFAIL, a timeout, a bogus signature.
    NoAnswer,
}

impl Names {
    /// Asks `server`, or without one those of the system. Nothing is remembered from one question to the next.
    ///
    /// # Errors
    /// The system's resolver configuration cannot be read.
    pub fn new(server: Option<SocketAddr>) -> Result<Self, NamesError> {
        let built = resolver(server).and_then(|mut builder| {
            options(&mut builder).cache_size = 0;
            builder.build()
        });
        built.map(|resolver| Self { resolver }).map_err(|error| NamesError(error.to_string()))
    }

    /// The texts of a name (RFC 1035 §3.3.14), each with its parts joined.
    pub async fn texts(&self, name: &str) -> Found<Vec<String>> {
        match self.resolver.lookup(absolute(name).as_str(), RecordType::TXT).await {
            Ok(answer) => {
                let texts = answer.answers().iter().filter_map(|record| match &record.data {
                    RData::TXT(text) => {
                        let octets: Vec<u8> = text.txt_data.concat();
                        let octets = octets.get(..octets.len().min(TEXT_OCTETS_MAX)).unwrap_or_default();
                        Some(String::from_utf8_lossy(octets).into_owned())
                    }
                    _ => None,
                });
                let texts: Vec<String> = texts.take(TEXTS_MAX).collect();
                if texts.is_empty() { Found::None } else { Found::Some(texts) }
            }
            Err(error) => absent(&error),
        }
    }

    /// The mail exchangers of a name, without their final dots.
    pub async fn exchangers(&self, name: &str) -> Found<Vec<String>> {
        let answer = self.resolver.lookup(absolute(name).as_str(), RecordType::MX).await;
        self::hosts(answer, |data| match data {
            RData::MX(exchanger) => Some(exchanger.exchange.to_ascii()),
            _ => None,
        })
    }

    /// The names of an address (PTR), without their final dots.
    pub async fn names_of(&self, address: IpAddr) -> Found<Vec<String>> {
        self::hosts(self.resolver.reverse_lookup(address).await, |data| match data {
            RData::PTR(name) => Some(name.0.to_ascii()),
            _ => None,
        })
    }

    /// The addresses of a name.
    pub async fn addresses(&self, name: &str) -> Found<Vec<IpAddr>> {
        match self.resolver.lookup_ip(absolute(name).as_str()).await {
            Ok(answer) => {
                let addresses: Vec<IpAddr> = answer.iter().take(TEXTS_MAX).collect();
                if addresses.is_empty() { Found::None } else { Found::Some(addresses) }
            }
            Err(error) => absent(&error),
        }
    }

    /// Has a name an address?
    pub async fn address(&self, name: &str) -> Found<()> {
        match self.resolver.lookup_ip(absolute(name).as_str()).await {
            Ok(answer) => answer.iter().next().map_or(Found::None, |_| Found::Some(())),
            Err(error) => absent(&error),
        }
    }
}

/// Names in an answer.
fn hosts(answer: Result<Lookup, NetError>, read: impl Fn(&RData) -> Option<String>) -> Found<Vec<String>> {
    match answer {
        Ok(answer) => {
            let found = answer.answers().iter().filter_map(|record| read(&record.data));
            let found: Vec<String> = found.take(TEXTS_MAX).map(|name| name.trim_end_matches('.').to_owned()).collect();
            if found.is_empty() { Found::None } else { Found::Some(found) }
        }
        Err(error) => absent(&error),
    }
}

fn absent<T>(error: &NetError) -> Found<T> {
    match absence(error) {
        Absence::NoDomain | Absence::NoRecords => Found::None,
        Absence::Unknown => Found::NoAnswer,
    }
}

/// A resolver that asks `server`, or those of the system.
pub(crate) fn resolver(server: Option<SocketAddr>) -> Result<ResolverBuilder<TokioRuntimeProvider>, NetError> {
    let mut builder = match server {
        None => TokioResolver::builder_tokio()?,
        Some(address) => {
            let at_port = |mut connection: ConnectionConfig| {
                connection.port = address.port();
                connection
            };
            let connections = vec![at_port(ConnectionConfig::udp()), at_port(ConnectionConfig::tcp())];
            let server = NameServerConfig::new(address.ip(), true, connections);
            let config = ResolverConfig::from_name_servers(vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    options(&mut builder).ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    Ok(builder)
}

/// Its options.
pub(crate) fn options(builder: &mut ResolverBuilder<TokioRuntimeProvider>) -> &mut ResolverOpts {
    builder.options_mut()
}

/// Why there is no answer.
pub(crate) enum Absence {
    NoDomain,
    NoRecords,
    Unknown,
}

/// Only a clean negative answer is one. A SERVFAIL or a bogus signature is a fault of the moment.
pub(crate) fn absence(error: &NetError) -> Absence {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Absence::NoDomain,
            ResponseCode::NoError => Absence::NoRecords,
            _ => Absence::Unknown,
        },
        _ => Absence::Unknown,
    }
}

/// With its final dot, so that no search list of the system applies.
pub(crate) fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}
