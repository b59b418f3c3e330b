//! What delivery would see, for who asks before any mail is there: a domain's own MTA-STS policy, and the resolver.

use super::route::lookup::Dns;
use super::security::sts::{Fetcher, Mode, Policy, id_of};
use super::settings::Settings;

/// A domain's own policy as a sender finds it (RFC 8461).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OwnPolicy {
    /// Its record in DNS says no id, or several say one (§3.1).
    NoId,
    /// Its host does not give it out (§3.3).
    Unreachable,
    /// It is none (§3.2).
    Unreadable,
    /// It is there.
    Read {
        /// The id in DNS.
        id: String,
        /// `enforce`, `testing` or `none`.
        mode: &'static str,
        /// Exchangers that it does not name, which senders then leave out (§4.1).
        unnamed: Vec<String>,
    },
}

/// Fetches the policy of a domain with these exchangers, whose record in DNS has these texts.
pub async fn own_policy(settings: &Settings, domain: &str, texts: &[String], exchangers: &[String]) -> OwnPolicy {
    let Some(id) = id_of(texts) else { return OwnPolicy::NoId };
    let (Ok(dns), Ok(fetcher)) = (Dns::new(settings), Fetcher::new(settings)) else { return OwnPolicy::Unreachable };
    let Some(body) = fetcher.fetch(&dns, domain).await else { return OwnPolicy::Unreachable };
    let Some(policy) = Policy::parse(&body) else { return OwnPolicy::Unreadable };
    let mode = match policy.mode {
        Mode::Enforce => "enforce",
        Mode::Testing => "testing",
        Mode::None => "none",
    };
    let unnamed = exchangers.iter().filter(|host| policy.mode != Mode::None && !policy.names(host)).cloned().collect();
    OwnPolicy::Read { id, mode, unnamed }
}

/// Whether what DNS answers can be validated here (RFC 4035 §4.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Validation {
    /// The operator gave it up.
    Off,
    /// The resolver hands on what is needed.
    Proven,
    /// It does not: mail waits.
    Unproven,
    /// It does not answer.
    NoAnswer,
}

/// Asks the resolver for the root, which is signed.
pub async fn validation(settings: &Settings) -> Validation {
    let Ok(dns) = Dns::new(settings) else { return Validation::NoAnswer };
    if !dns.validates() {
        return Validation::Off;
    }
    match dns.proves().await {
        Some(true) => Validation::Proven,
        Some(false) => Validation::Unproven,
        None => Validation::NoAnswer,
    }
}
