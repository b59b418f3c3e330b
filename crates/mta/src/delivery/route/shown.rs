//! What a domain says of its transport security, and what would be demanded of a connection to it, for an operator to
//! look at.
//!
//! Invariants: found as the way of a message is found, by the same resolver and the same kept policies, so that what is
//! shown is what holds; nothing is connected to but the domain's policy host, as for a message.
//! Never: an address of a person (the places of a TLS-RPT record are the domain's own words in DNS).
//! Standards: RFC 7672, RFC 8461, RFC 8460 §3, RFC 8689 §4.2.1.

use super::lookup::{Addresses, Exchangers, Pinned, Texts};
use super::{Basis, Demand, Mode, Order, Plan, Policy, Router, order};
use crate::delivery::security::tlsrpt;
use std::time::Duration;
use tokio::time::timeout;

/// Exchangers that are shown.
const SHOWN_MAX: usize = 12;
/// For the whole look.
const LOOK_MAX: Duration = Duration::from_secs(25);

/// What a domain says.
#[derive(Clone, Debug)]
pub struct DomainSecurity {
    /// In A-labels.
    pub domain: String,
    /// Whether DNS is validated on this node at all.
    pub validates: bool,
    /// Where mail goes on, in words: `mx`, `implicit` (RFC 5321 §5.1), `smarthost`, or why nowhere.
    pub way: String,
    /// Whether DNSSEC shows that these are the exchangers.
    pub is_secure: bool,
    /// In the order of their preferences; at most 12.
    pub exchangers: Vec<ExchangerSecurity>,
    /// The policy of MTA-STS that holds.
    pub policy: Option<PolicySecurity>,
    /// Whether it could be read whether there is one.
    pub policy_is_known: bool,
    /// Where reports on TLS are asked for (RFC 8460 §3), as the record names the places.
    pub reports: Vec<String>,
}

/// An exchanger.
#[derive(Clone, Debug)]
pub struct ExchangerSecurity {
    /// Its name.
    pub host: String,
    /// RFC 5321 §5.1.
    pub preference: u16,
    /// How many addresses it has.
    pub addresses: usize,
    /// Whether DNSSEC shows that they are its own.
    pub is_secure: bool,
    /// Its TLSA records as zone files have them; nothing when they could not be had.
    pub tlsa: Option<Vec<String>>,
    /// What would be demanded: `opportunistic`, `encrypted`, `certificate by name` or `certificate by DANE`; or why
    /// mail does not go there.
    pub demand: String,
    /// Who demands it: `tlsa`, `sts` or `no-policy-found`.
    pub basis: &'static str,
    /// Whether mail with REQUIRETLS might go there, should the exchanger announce it.
    pub may_require_tls: bool,
}

/// A policy of MTA-STS.
#[derive(Clone, Debug)]
pub struct PolicySecurity {
    /// `enforce`, `testing` or `none`.
    pub mode: &'static str,
    /// Names of exchangers, or patterns.
    pub mx: Vec<String>,
    /// How long it holds after it was fetched.
    pub max_age_s: u64,
}

impl PolicySecurity {
    fn of(policy: &Policy) -> Self {
        Self { mode: policy.mode.as_str(), mx: policy.patterns.clone(), max_age_s: policy.max_age.as_secs() }
    }
}

impl Router {
    /// What a domain says; `domain` in A-labels.
    pub(crate) async fn security(&self, domain: &str) -> DomainSecurity {
        let mut shown = DomainSecurity {
            domain: domain.to_owned(),
            validates: self.dns.validates(),
            way: String::new(),
            is_secure: false,
            exchangers: Vec::new(),
            policy: None,
            policy_is_known: true,
            reports: Vec::new(),
        };
        if timeout(LOOK_MAX, self.look(&mut shown)).await.is_err() {
            "DNS or the policy host takes too long; what is shown is not all".clone_into(&mut shown.way);
        }
        shown
    }

    async fn look(&self, shown: &mut DomainSecurity) {
        let domain = shown.domain.clone();
        if let Texts::Some(texts) = self.dns.texts(&format!("_smtp._tls.{domain}")).await {
            shown.reports = tlsrpt::named(&texts);
        }
        if let Some(sts) = &self.sts {
            match sts.of(&self.dns, &domain).await {
                Ok(policy) => shown.policy = policy.as_ref().map(PolicySecurity::of),
                Err(_) => shown.policy_is_known = false,
            }
        }
        if self.smarthost.is_some() {
            "smarthost".clone_into(&mut shown.way);
            return;
        }
        let exchangers = self.dns.exchangers(&domain).await;
        let preferences = match &exchangers {
            Exchangers::Some { records, .. } => records.clone(),
            Exchangers::None | Exchangers::NoDomain | Exchangers::Fault => Vec::new(),
        };
        let hosts = match order(exchangers, &domain, 0) {
            Order::Never(never) => return never.sentence().clone_into(&mut shown.way),
            Order::Later(why) => return why.clone_into(&mut shown.way),
            Order::Implicit => {
                "implicit".clone_into(&mut shown.way);
                vec![domain.clone()]
            }
            Order::Hosts { hosts, is_secure, .. } => {
                "mx".clone_into(&mut shown.way);
                shown.is_secure = is_secure;
                hosts
            }
        };
        let is_implicit = shown.way == "implicit";
        for host in hosts.into_iter().take(SHOWN_MAX) {
            let preference =
                preferences.iter().find(|(_, named)| *named == host).map_or(0, |(preference, _)| *preference);
            let exchanger = self.exchanger(&domain, host, preference, shown.is_secure || is_implicit).await;
            if is_implicit {
                shown.is_secure = exchanger.is_secure;
            }
            shown.exchangers.push(exchanger);
        }
    }

    async fn exchanger(&self, domain: &str, host: String, preference: u16, is_secure: bool) -> ExchangerSecurity {
        let mut shown = ExchangerSecurity {
            host,
            preference,
            addresses: 0,
            is_secure: false,
            tlsa: Some(Vec::new()),
            demand: String::new(),
            basis: Basis::NoPolicy.as_str(),
            may_require_tls: false,
        };
        let found = match self.dns.addresses(&shown.host).await {
            Addresses::Some(found) => found,
            Addresses::None | Addresses::NoDomain => {
                "nothing goes there: it has no address".clone_into(&mut shown.demand);
                return shown;
            }
            Addresses::Fault => {
                "nothing goes there now: DNS does not answer".clone_into(&mut shown.demand);
                return shown;
            }
        };
        (shown.addresses, shown.is_secure) = (found.ips.len(), !found.bases.is_empty());
        for base in &found.bases {
            match self.dns.pinned(base, self.mx_port).await {
                Pinned::None => {}
                Pinned::Fault => {
                    shown.tlsa = None;
                    break;
                }
                Pinned::Some(records) => {
                    shown.tlsa = Some(records.iter().map(ToString::to_string).collect());
                    break;
                }
            }
        }
        // As a message finds it.
        let mut plan = Plan::new(self, domain);
        plan.add(&shown.host, found, is_secure).await;
        match (plan.hops.first(), plan.later) {
            (Some(hop), _) => {
                let said = match &hop.demand {
                    Demand::Opportunistic => "opportunistic",
                    Demand::Encrypted => "encrypted",
                    Demand::Named => "certificate by name",
                    Demand::Dane(_) => "certificate by DANE",
                };
                said.clone_into(&mut shown.demand);
                (shown.basis, shown.may_require_tls) = (hop.basis.as_str(), hop.is_found_securely);
            }
            (None, Some(why)) => shown.demand = format!("nothing goes there: {why}"),
            (None, None) => "nothing goes there: its addresses are not public".clone_into(&mut shown.demand),
        }
        shown
    }
}

impl Mode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}
