//! DANE for SMTP: is this the certificate that the exchanger's TLSA records name?
//!
//! Invariants: usages 2 and 3 alone; usage 3 looks at the certificate or its key, never at names or times; usage 2 at
//! the chain up to the authority that the record names, and at names and times; no public authority has a say.
//! Pure. Standards: RFC 6698 §2.1, RFC 7671, RFC 7672 §3.

use super::der::public_key;
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use std::fmt;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// RFC 6698 §2.1.1: a certificate authority that the domain names itself.
const USAGE_TA: u8 = 2;
/// The certificate of the server itself.
const USAGE_EE: u8 = 3;
const SELECTOR_WHOLE: u8 = 0;
const SELECTOR_KEY: u8 = 1;
const MATCHING_ITSELF: u8 = 0;
const MATCHING_SHA256: u8 = 1;
const MATCHING_SHA512: u8 = 2;

/// One TLSA record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tlsa {
    pub(crate) usage: u8,
    pub(crate) selector: u8,
    pub(crate) matching: u8,
    pub(crate) data: Vec<u8>,
}

impl fmt::Display for Tlsa {
    /// As zone files have it (RFC 6698 §2.2).
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} {} ", self.usage, self.selector, self.matching)?;
        self.data.iter().try_for_each(|octet| write!(out, "{octet:02x}"))
    }
}

impl Tlsa {
    /// RFC 7672 §3.1.3: PKIX usages are of no use to SMTP, and neither is what nobody has defined, or cannot match.
    pub(crate) fn is_usable(&self) -> bool {
        let length_fits = match self.matching {
            MATCHING_ITSELF => !self.data.is_empty(),
            MATCHING_SHA256 => self.data.len() == 32,
            MATCHING_SHA512 => self.data.len() == 64,
            _ => false,
        };
        matches!(self.usage, USAGE_TA | USAGE_EE)
            && matches!(self.selector, SELECTOR_WHOLE | SELECTOR_KEY)
            && length_fits
    }

    fn names(&self, certificate: &CertificateDer<'_>) -> bool {
        let selected = match self.selector {
            SELECTOR_WHOLE => certificate.as_ref(),
            _ => match public_key(certificate) {
                Some(key) => key.info,
                None => return false,
            },
        };
        let digest = |algorithm| aws_lc_rs::digest::digest(algorithm, selected);
        match self.matching {
            MATCHING_ITSELF => self.data == selected,
            MATCHING_SHA256 => self.data == digest(&aws_lc_rs::digest::SHA256).as_ref(),
            MATCHING_SHA512 => self.data == digest(&aws_lc_rs::digest::SHA512).as_ref(),
            _ => false,
        }
    }
}

/// What DANE says of one exchanger: only records that can be used, and at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Dane {
    records: Vec<Tlsa>,
    /// The name that is asked for in TLS: where the records are (RFC 7672 §8.1).
    pub(crate) base: Arc<str>,
    /// RFC 7672 §3.2.2: names that a certificate below an authority may have.
    names: Vec<String>,
}

impl Dane {
    /// Nothing when no record can be used.
    pub(crate) fn new(records: Vec<Tlsa>, base: &str, names: Vec<String>) -> Option<Self> {
        let records: Vec<Tlsa> = records.into_iter().filter(Tlsa::is_usable).collect();
        (!records.is_empty()).then(|| Self { records, base: base.into(), names })
    }

    /// Its records, a line for each, as many as there is room for.
    pub(crate) fn stated(&self, octets_max: usize) -> String {
        let mut stated = String::new();
        for record in &self.records {
            let line = record.to_string();
            if stated.len() + line.len() >= octets_max {
                break;
            }
            if !stated.is_empty() {
                stated.push('\n');
            }
            stated.push_str(&line);
        }
        stated
    }

    /// Does a record name this server? `chain`: what it sent after its own certificate.
    pub(crate) fn holds(
        &self,
        server: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> bool {
        // RFC 7672 §3.1.1: neither names nor times; the record is all there is to say, and it is fresh.
        let itself = self.records.iter().any(|record| record.usage == USAGE_EE && record.names(server));
        itself || self.holds_below(server, chain, now, algorithms)
    }

    fn holds_below(
        &self,
        server: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> bool {
        let of_authority = || self.records.iter().filter(|record| record.usage == USAGE_TA);
        let mut roots = RootCertStore::empty();
        for certificate in chain.iter().filter(|certificate| of_authority().any(|record| record.names(certificate))) {
            // What is no certificate is no authority.
            let _ = roots.add(certificate.clone().into_owned());
        }
        // RFC 7671 §5.2.1: an authority that the record holds whole need not be sent.
        for record in of_authority() {
            if record.selector == SELECTOR_WHOLE && record.matching == MATCHING_ITSELF {
                let _ = roots.add(CertificateDer::from(record.data.clone()));
            }
        }
        let Ok(parsed) = ParsedCertificate::try_from(server) else { return false };
        let chains = !roots.is_empty()
            && verify_server_cert_signed_by_trust_anchor(&parsed, &roots, chain, now, algorithms.all).is_ok();
        let is_named = |name: &String| {
            ServerName::try_from(name.as_str()).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
        };
        chains && self.names.iter().any(is_named)
    }
}
