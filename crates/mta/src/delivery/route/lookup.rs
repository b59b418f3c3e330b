//! Questions to DNS about a domain's exchangers, with what is proven of the answers.
//!
//! Invariants: a clean negative answer alone is a no; SERVFAIL, a timeout, a circle of aliases and a signature that
//! does not hold are faults of the moment; what is called secure was validated here, by DNSSEC from the node's own
//! trust anchors, and never because a resolver said so (RFC 7672 §2.1.1); what is kept of an answer has a bound.
//! Never: a socket of its own (the resolver's are hickory's).
//! Standards: RFC 1034 §3.6.2, RFC 2308, RFC 4035 §4.3, RFC 7672 §2.

use super::HOPS_MAX;
use crate::delivery::security::dane::Tlsa;
use crate::delivery::settings::{Dnssec, Settings};
use crate::names::{Absence, absence, absolute, options, resolver};
use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Answers kept by the resolver.
const CACHE_ANSWERS_MAX: u64 = 16_384;
/// Exchangers of one domain that are looked at: the best ones.
pub(super) const EXCHANGERS_MAX: usize = 32;
/// TLSA records of one name that are looked at.
const TLSA_MAX: usize = 32;
/// Octets of one TLSA record that are looked at: a whole certificate has room.
const TLSA_OCTETS_MAX: usize = 16 * 1024;
/// One question with all that follows from it, such as aliases and keys. The resolver has no such bound of its own.
const QUESTION_MAX: Duration = Duration::from_secs(12);
/// Aliases of one name that are followed.
const ALIASES_MAX: usize = 8;
/// Texts of one name that are looked at, and the octets of each.
const TEXTS_MAX: usize = 16;
const TEXT_OCTETS_MAX: usize = 512;

/// Asks DNS. Cheap to clone; the cache is the resolver's, by the records' own TTL.
#[derive(Clone)]
pub(crate) struct Dns {
    resolver: TokioResolver,
    validates: bool,
}

/// What DNS says about a domain's exchangers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Exchangers {
    /// Preference and name; the root is the empty name.
    Some { records: Vec<(u16, String)>, is_secure: bool },
    /// The domain exists and has no MX record.
    None,
    /// The domain does not exist.
    NoDomain,
    /// No answer: SERVFAIL, a timeout, a bogus signature.
    Fault,
}

/// What DNS says about a host's addresses.
pub(crate) enum Addresses {
    Some(Located),
    None,
    NoDomain,
    Fault,
}

/// Where a host is.
pub(crate) struct Located {
    pub(crate) ips: Vec<IpAddr>,
    /// Names under which its TLSA records may be, in the order in which they are asked for (RFC 7672 §2.2.2). Empty:
    /// its addresses are not secure, and DANE does not apply.
    pub(crate) bases: Vec<String>,
}

/// What DNS says about a host's TLSA records.
pub(crate) enum Pinned {
    /// Secure, and never empty.
    Some(Vec<Tlsa>),
    /// There are none, or not securely.
    None,
    Fault,
}

/// What DNS says about a name's texts.
pub(crate) enum Texts {
    Some(Vec<String>),
    None,
    Fault,
}

impl Dns {
    /// # Errors
    /// The system's resolver configuration cannot be read.
    pub(crate) fn new(settings: &Settings) -> Result<Self, NetError> {
        let mut builder = resolver(settings.resolver)?;
        options(&mut builder).cache_size = CACHE_ANSWERS_MAX;
        let validates = match &settings.dnssec {
            Dnssec::Off => false,
            Dnssec::Root => true,
            Dnssec::Anchors(anchors) => {
                builder = builder.with_trust_anchor(Arc::clone(&anchors.0));
                true
            }
        };
        options(&mut builder).validate = validates;
        // Whether a chain of aliases is secure depends on every link.
        options(&mut builder).preserve_intermediates = true;
        Ok(Self { resolver: builder.build()?, validates })
    }

    pub(crate) const fn validates(&self) -> bool {
        self.validates
    }

    /// Does the resolver hand on what is needed to validate? Asked of the root, which is signed. Nothing when it does
    /// not answer at all.
    pub(crate) async fn proves(&self) -> Option<bool> {
        match self.resolver.lookup(".", RecordType::SOA).await {
            Ok(answer) => Some(self.is_secure(answer.answers())),
            Err(NetError::Dns(_)) => Some(false),
            Err(_) => None,
        }
    }

    pub(super) async fn exchangers(&self, domain: &str) -> Exchangers {
        match self.ask(domain, RecordType::MX).await {
            Ok(answers) => {
                let mx = answers.iter().filter_map(|record| match &record.data {
                    RData::MX(mx) => Some((mx.preference, plain_name(&mx.exchange.to_ascii()))),
                    _ => None,
                });
                let mut records: Vec<(u16, String)> = mx.collect();
                // The best of a set that is made to be huge, not its first.
                records.sort();
                records.dedup();
                records.truncate(EXCHANGERS_MAX);
                Exchangers::Some { records, is_secure: self.is_secure(&answers) }
            }
            Err(Absence::NoDomain) => Exchangers::NoDomain,
            Err(Absence::NoRecords) => Exchangers::None,
            Err(Absence::Unknown) => Exchangers::Fault,
        }
    }

    /// Both families are asked, and one that faults never makes the other's absence final.
    pub(crate) async fn addresses(&self, host: &str) -> Addresses {
        let (four, six) = tokio::join!(self.ask(host, RecordType::A), self.ask(host, RecordType::AAAA));
        let mut found: Vec<Record> = Vec::new();
        let (mut fault, mut no_domain) = (false, false);
        // One family first, not a race: receivers judge them differently (A4 C8).
        for answer in [four, six] {
            match answer {
                Ok(records) => found.extend(records),
                Err(Absence::NoDomain) => no_domain = true,
                Err(Absence::NoRecords) => {}
                Err(Absence::Unknown) => fault = true,
            }
        }
        let ips: Vec<IpAddr> = found.iter().filter_map(|record| record.data.ip_addr()).take(2 * HOPS_MAX).collect();
        match (ips.is_empty(), fault, no_domain) {
            (false, ..) => Addresses::Some(Located { ips, bases: self.bases(host, &found) }),
            (true, true, _) => Addresses::Fault,
            (true, false, true) => Addresses::NoDomain,
            (true, false, false) => Addresses::None,
        }
    }

    /// RFC 7672 §2.2.2: at the end of a secure chain of aliases first, then at its beginning; where the chain leads out
    /// of what is signed, at its beginning alone.
    fn bases(&self, host: &str, records: &[Record]) -> Vec<String> {
        let is_alias = |record: &&Record| matches!(record.data, RData::CNAME(_));
        let first = plain_name(host);
        let end = records.iter().find(|record| record.data.ip_addr().is_some());
        let Some(end) = end.map(|record| plain_name(&record.name.to_ascii())) else { return Vec::new() };
        if self.is_secure(records) {
            return if end == first { vec![first] } else { vec![end, first] };
        }
        let named_first: Vec<Record> = records
            .iter()
            .filter(is_alias)
            .filter(|record| plain_name(&record.name.to_ascii()) == first)
            .cloned()
            .collect();
        if self.is_secure(&named_first) { vec![first] } else { Vec::new() }
    }

    /// The TLSA records for SMTP on a port of a host (RFC 7672 §2.2).
    pub(crate) async fn pinned(&self, base: &str, port: u16) -> Pinned {
        match self.ask(&format!("_{port}._tcp.{base}"), RecordType::TLSA).await {
            Ok(answers) if self.is_secure(&answers) => {
                let records = answers.iter().filter_map(|record| match &record.data {
                    RData::TLSA(tlsa) => Some(Tlsa {
                        usage: tlsa.cert_usage.into(),
                        selector: tlsa.selector.into(),
                        matching: tlsa.matching.into(),
                        data: tlsa.cert_data.iter().copied().take(TLSA_OCTETS_MAX).collect(),
                    }),
                    _ => None,
                });
                let records: Vec<Tlsa> = records.take(TLSA_MAX).collect();
                if records.is_empty() { Pinned::None } else { Pinned::Some(records) }
            }
            Ok(_) | Err(Absence::NoDomain | Absence::NoRecords) => Pinned::None,
            Err(Absence::Unknown) => Pinned::Fault,
        }
    }

    /// The texts of a name (RFC 1035 §3.3.14), each with its parts joined.
    pub(crate) async fn texts(&self, name: &str) -> Texts {
        match self.ask(name, RecordType::TXT).await {
            Ok(answers) => {
                let texts = answers.iter().filter_map(|record| match &record.data {
                    RData::TXT(text) => Some(text.txt_data.concat()),
                    _ => None,
                });
                let bounded = texts.filter(|octets| octets.len() <= TEXT_OCTETS_MAX).take(TEXTS_MAX);
                Texts::Some(bounded.map(|octets| String::from_utf8_lossy(&octets).into_owned()).collect())
            }
            Err(Absence::NoDomain | Absence::NoRecords) => Texts::None,
            Err(Absence::Unknown) => Texts::Fault,
        }
    }

    /// The records of an answer, aliases among them, without signatures.
    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, Absence> {
        let name = absolute(name);
        let answer = match timeout(QUESTION_MAX, self.resolver.lookup(name.as_str(), kind)).await {
            Ok(answer) => answer.map_err(|error| absence(&error))?,
            Err(_) => return Err(Absence::Unknown),
        };
        let answers = answer.answers().iter().filter(|record| record.record_type() != RecordType::RRSIG);
        let answers: Vec<Record> = answers.cloned().collect();
        let undecided = |record: &Record| matches!(record.proof, Proof::Bogus | Proof::Indeterminate);
        if self.validates && answers.iter().any(undecided) {
            return Err(Absence::Unknown);
        }
        if answers.iter().any(|record| record.record_type() == kind) {
            return Ok(answers);
        }
        Err(Absence::NoRecords)
    }

    /// Do the aliases of a name lead nowhere? The resolver gives up on a circle as if there were no records.
    pub(super) async fn is_circle(&self, name: &str) -> bool {
        let mut at = plain_name(name);
        for _ in 0..ALIASES_MAX {
            let target = match self.ask(&at, RecordType::CNAME).await {
                Ok(records) => records.iter().find_map(|record| match &record.data {
                    RData::CNAME(target) => Some(plain_name(&target.0.to_ascii())),
                    _ => None,
                }),
                Err(Absence::NoDomain | Absence::NoRecords) => return false,
                Err(Absence::Unknown) => return true,
            };
            let Some(target) = target else { return false };
            at = target;
        }
        true
    }

    fn is_secure(&self, records: &[Record]) -> bool {
        let mut signed = records.iter().filter(|record| record.record_type() != RecordType::RRSIG).peekable();
        self.validates && signed.peek().is_some() && signed.all(|record| record.proof == Proof::Secure)
    }
}

/// Without its final dot, lower case.
pub(super) fn plain_name(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
