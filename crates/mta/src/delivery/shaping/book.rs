//! Which limits hold for whom: the table of providers, what the settings say, what the operator ordered meanwhile.
//!
//! A site is who takes mail for a domain. Its name is, in this order: the longest name in an order or in the settings
//! that all preferred exchangers of the domain have or lie below; the provider whose they all are; they themselves.
//! Invariants: an order stands before the settings, these before the table, that before the node's default, each limit
//! by itself; an order whose time is over is none; nobody joins another's site by his own DNS but by handing all his
//! mail to the same exchangers.
//! Pure. Standards: RFC 5321 §5.1 (preference).

use super::providers::{PROVIDERS, Provider, is_of, provider_of};
use super::rate::Most;
use crate::delivery::spread::mix;
use model::Timestamp;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Limits of a site; what is nothing is left to whoever stands behind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: Option<u32>,
    /// Messages over one connection.
    pub messages_per_connection: Option<u32>,
    /// Messages in any minute.
    pub per_minute: Option<u32>,
    /// Messages in any hour.
    pub per_hour: Option<u32>,
}

impl Limits {
    /// These, and where they say nothing, those.
    #[must_use]
    pub fn or(self, behind: Self) -> Self {
        Self {
            connections: self.connections.or(behind.connections),
            messages_per_connection: self.messages_per_connection.or(behind.messages_per_connection),
            per_minute: self.per_minute.or(behind.per_minute),
            per_hour: self.per_hour.or(behind.per_hour),
        }
    }

    /// Does nothing stand here?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the settings say of a site: `NAME connections=N messages_per_connection=N per_minute=N per_hour=N`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteRule {
    /// A provider's id, or the name of exchangers.
    pub name: String,
    /// Its limits.
    pub limits: Limits,
}

/// Why a text is no rule for a site.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoRule {
    /// The name is neither.
    #[error("{0:?} is neither a provider of docs/sites.md nor the name of an exchanger")]
    Name(String),
    /// A word is not `key=number`.
    #[error("{0:?} is none of connections=N, messages_per_connection=N, per_minute=N, per_hour=N, with N from 1 on")]
    Limit(String),
    /// Nothing is limited.
    #[error("no limit is named for {0}")]
    Empty(String),
}

/// The name of a site as people write it, in small letters.
///
/// # Errors
/// [`NoRule::Name`].
pub fn site_name(text: &str) -> Result<String, NoRule> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    let is_provider = PROVIDERS.iter().any(|provider| provider.id == name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
    };
    let is_host = name.contains('.') && name.len() <= 253 && name.split('.').all(is_label);
    if is_provider || is_host { Ok(name) } else { Err(NoRule::Name(text.to_owned())) }
}

impl FromStr for SiteRule {
    type Err = NoRule;

    fn from_str(text: &str) -> Result<Self, NoRule> {
        let mut words = text.split_whitespace();
        let name = site_name(words.next().unwrap_or_default())?;
        let mut limits = Limits::default();
        for word in words {
            let wrong = || NoRule::Limit(word.to_owned());
            let (key, number) = word.split_once('=').ok_or_else(wrong)?;
            let number: u32 = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
            let limit = match key {
                "connections" => &mut limits.connections,
                "messages_per_connection" => &mut limits.messages_per_connection,
                "per_minute" => &mut limits.per_minute,
                "per_hour" => &mut limits.per_hour,
                _ => return Err(wrong()),
            };
            *limit = Some(number);
        }
        if limits.is_empty() { Err(NoRule::Empty(name)) } else { Ok(Self { name, limits }) }
    }
}

impl fmt::Display for SiteRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let Limits { connections, messages_per_connection, per_minute, per_hour } = self.limits;
        for (key, limit) in [
            ("connections", connections),
            ("messages_per_connection", messages_per_connection),
            ("per_minute", per_minute),
            ("per_hour", per_hour),
        ] {
            if let Some(limit) = limit {
                write!(f, " {key}={limit}")?;
            }
        }
        Ok(())
    }
}

/// What the operator ordered while nodes run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteOrder {
    /// Of which site.
    pub rule: SiteRule,
    /// Nothing goes there as long as it holds.
    pub stop: bool,
    /// Until when it holds; nothing: until it is taken back.
    pub until: Option<Timestamp>,
}

impl SiteOrder {
    /// Does it hold?
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// What holds for one site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bears {
    pub(crate) connections: u32,
    pub(crate) messages_per_connection: u32,
    pub(crate) most: Most,
    /// Messages are counted: they are limited, or somebody has named the site.
    pub(crate) is_counted: bool,
    /// Nothing goes there, by order.
    pub(crate) stopped: bool,
}

/// Who takes mail for a domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    pub(crate) name: Arc<str>,
    /// Its preferred exchangers, in order, as DNS says them of this domain.
    pub(crate) exchangers: Arc<[String]>,
}

/// All that is said of sites.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Book {
    rules: Vec<SiteRule>,
    orders: Vec<SiteOrder>,
    /// Nodes among which the limits of sites with a name are parted.
    nodes: u32,
}

/// Exchangers that are named in full in the name of a site.
const SPELT_MAX: usize = 3;

impl Book {
    pub(crate) fn new(rules: Vec<SiteRule>) -> Self {
        Self { rules, orders: Vec::new(), nodes: 1 }
    }

    /// The settings were read again. Did anything change?
    pub(crate) fn rule(&mut self, rules: Vec<SiteRule>) -> bool {
        let changed = self.rules != rules;
        self.rules = rules;
        changed
    }

    /// The operator's orders were read, of which only those that hold count. Did anything change?
    pub(crate) fn order(&mut self, orders: Vec<SiteOrder>, nodes: u32, now: Timestamp) -> bool {
        let orders: Vec<SiteOrder> = orders.into_iter().filter(|order| order.holds(now)).collect();
        let changed = self.orders != orders || self.nodes != nodes.max(1);
        (self.orders, self.nodes) = (orders, nodes.max(1));
        changed
    }

    fn said(&self) -> impl Iterator<Item = &SiteRule> {
        self.orders.iter().map(|order| &order.rule).chain(&self.rules)
    }

    /// The name of the site with these exchangers, all of the best preference.
    pub(crate) fn name(&self, exchangers: &Arc<[String]>) -> Named {
        let fits = |rule: &&SiteRule| exchangers.iter().all(|host| is_of(host, &rule.name));
        let said = self.said().filter(fits).map(|rule| rule.name.as_str()).max_by_key(|name| name.len());
        let known = said.or_else(|| provider_of(exchangers).map(|provider| provider.id));
        let name: Arc<str> = known.map_or_else(|| spelt(exchangers), Arc::from);
        Named { name, exchangers: Arc::clone(exchangers) }
    }

    /// Is this host one of the site's own? What it says counts against the site; what others say does not.
    pub(crate) fn is_own(&self, site: &Named, host: &str) -> bool {
        let of_provider = |provider: &Provider| provider.exchangers.iter().any(|name| is_of(host, name));
        let provider = PROVIDERS.iter().find(|provider| provider.id == &*site.name);
        site.exchangers.iter().any(|own| own == host)
            || provider.is_some_and(of_provider)
            || self.said().any(|rule| rule.name == *site.name && is_of(host, &rule.name))
    }

    /// What holds for a site. `default`: for those of which nobody says anything.
    pub(crate) fn bears(&self, site: &str, default: Limits) -> Bears {
        let of = |rule: &SiteRule| if rule.name == *site { rule.limits } else { Limits::default() };
        let ordered = self.orders.iter().find(|order| order.rule.name == *site);
        let ruled = self.rules.iter().rev().map(of).fold(Limits::default(), Limits::or);
        let provider = PROVIDERS.iter().find(|provider| provider.id == site);
        let said = ordered.map_or(Limits::default(), |order| order.rule.limits).or(ruled);
        let limits = said.or(provider.map_or(Limits::default(), |provider| provider.limits));
        // Domains of a site with a name lie in partitions of several nodes; those of others mostly in one.
        let is_named = provider.is_some() || self.said().any(|rule| rule.name == *site);
        let parts = if is_named { self.nodes.max(1) } else { 1 };
        let parted = |limit: u32| (limit / parts).max(1);
        let whole = limits.or(default);
        Bears {
            connections: limits.connections.map_or(whole.connections.unwrap_or(1), parted).max(1),
            messages_per_connection: whole.messages_per_connection.unwrap_or(1).max(1),
            most: Most { per_minute: limits.per_minute.map(parted), per_hour: limits.per_hour.map(parted) },
            is_counted: is_named,
            stopped: ordered.is_some_and(|order| order.stop),
        }
    }
}

/// The name of a site that nobody named: its exchangers.
fn spelt(exchangers: &[String]) -> Arc<str> {
    let mut hosts: Vec<&str> = exchangers.iter().map(String::as_str).collect();
    hosts.sort_unstable();
    if hosts.len() > SPELT_MAX {
        // Two sets that begin alike are two sites all the same.
        let digest =
            hosts.iter().flat_map(|host| host.bytes().chain([0])).fold(0, |sum, octet| mix(sum ^ u64::from(octet)));
        let spelt: Vec<&str> = hosts.iter().copied().take(SPELT_MAX).collect();
        return format!("{}+{digest:016x}", spelt.join("+")).into();
    }
    match hosts.as_slice() {
        // A host of one label is not taken for a provider's id.
        [only] if !only.contains('.') => format!("{only}.").into(),
        _ => hosts.join("+").into(),
    }
}

#[cfg(test)]
mod tests;
