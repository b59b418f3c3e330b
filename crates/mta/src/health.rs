//! What an operator can see of his own mail from his own chair: names of addresses, and what his domains publish.
//!
//! Invariants: what DNS could not answer is said so, and is never a fault of the domain; each finding names the value
//! that was seen and what to do; no look ends later than a bound of its own; nobody but the named resolver is asked,
//! and block lists only where the operator names them.
//! Never: an address of a person, the store, mail itself.
//! Standards: RFC 1912 §2.1 and RFC 8601 §2.7.3 (names of addresses), RFC 7208 (SPF), RFC 6376 and 8463 (DKIM), RFC
//! 9989 (DMARC), RFC 8461 (MTA-STS), RFC 8460 (TLSRPT), RFC 5782 (block lists).

mod blocklist;
mod dkim;
mod dmarc;
mod reverse;
mod spf;
mod transport;

pub use blocklist::listed;
pub use dkim::published as key_published;
pub use dmarc::{Aligned, policy};
pub use reverse::{named as names_of_senders, senders as senders_of};
pub use spf::{greeting, record as spf_record};
pub use transport::{reports as transport_reports, resolver, transport_policy};

use std::net::IpAddr;

/// With what it is told that DNS said neither yes nor no.
const UNANSWERED: &str = "DNS gave no answer about";

/// How a thing stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// As it should be.
    Good,
    /// Worth to know; nothing has to be done.
    Note,
    /// Mail goes, and some receiver will mind sooner or later.
    Warning,
    /// Receivers refuse mail for it, or it cannot go.
    Wrong,
}

impl Level {
    /// The word that stands before it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How it stands.
    pub level: Level,
    /// What it is about: an address, a name, a path.
    pub about: String,
    /// What was seen.
    pub what: String,
    /// What to do; nothing when nothing has to be done.
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well with it.
    pub fn good(about: impl ToString, what: impl Into<String>) -> Self {
        Self { level: Level::Good, about: about.to_string(), what: what.into(), remedy: None }
    }

    /// Worth to know.
    pub fn note(about: impl ToString, what: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::good(about, what) }
    }

    /// It should be otherwise.
    pub fn warning(about: impl ToString, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warning, remedy: Some(remedy.into()), ..Self::good(about, what) }
    }

    /// It must be otherwise.
    pub fn wrong(about: impl ToString, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Wrong, ..Self::warning(about, what, remedy) }
    }

    /// Did DNS say neither yes nor no?
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.what.starts_with(UNANSWERED)
    }

    /// DNS said neither yes nor no.
    fn unanswered(about: impl ToString, question: &str) -> Self {
        let what = format!("{UNANSWERED} {question}");
        Self::warning(about, what, "try again; if it stays so, see that the zone's servers and the resolver answer")
    }
}

/// An address that mail leaves from, and what it calls itself there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender {
    /// As receivers see it.
    pub address: IpAddr,
    /// The name in EHLO.
    pub name: String,
}

#[cfg(test)]
mod tests;
