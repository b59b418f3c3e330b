//! What must be true of a connection to an exchanger before mail goes over it, and who says so.
//!
//! The order (A5 T1): DANE, where the exchanger has TLSA records; else MTA-STS, where the domain enforces a policy;
//! else what the node asks of every site. What an instruction asks of single messages (`tls-floor`) is the gate's,
//! which learns how secure the connection became. A demand is never lowered: where it cannot be met, mail waits.
//! Standards: RFC 7672, RFC 8461, RFC 7435.

pub(crate) mod dane;
pub(crate) mod der;
pub(crate) mod sts;
pub(crate) mod tlsrpt;

use dane::Dane;
use std::sync::Arc;

/// What the connection to an exchanger has to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Demand {
    /// As good as the peer can (RFC 7435), and no worse than the node asks of all.
    Opportunistic,
    /// RFC 7672 §2.2: there are TLSA records and none can be used, so encrypted, to whoever answers.
    Encrypted,
    /// RFC 8461 §4.1: encrypted, with a certificate that holds for the exchanger's name.
    Named,
    /// RFC 7672 §3: encrypted, with a certificate that the TLSA records name.
    Dane(Arc<Dane>),
}

impl Demand {
    /// As a report has it, in lines (RFC 8460 §4.4, `policy-string`); nothing for what is kept elsewhere.
    pub(crate) fn stated(&self, octets_max: usize) -> String {
        match self {
            Self::Dane(dane) => dane.stated(octets_max),
            Self::Opportunistic | Self::Encrypted | Self::Named => String::new(),
        }
    }

    /// May mail go there in clear?
    pub(crate) const fn allows_clear(&self) -> bool {
        matches!(self, Self::Opportunistic)
    }
}

/// Who demands it: the words of RFC 8460 §4.4 for the type of a policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Basis {
    /// DNS says nothing that binds us.
    NoPolicy,
    /// MTA-STS.
    Sts,
    /// DANE.
    Tlsa,
}

impl Basis {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NoPolicy => "no-policy-found",
            Self::Sts => "sts",
            Self::Tlsa => "tlsa",
        }
    }
}
