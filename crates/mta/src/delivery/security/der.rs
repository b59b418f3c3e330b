//! As much of a certificate's DER as DANE and opportunistic TLS need: its public key, whatever else is odd about it.
//!
//! RFC 7672 §3.1.1 has the certificate of usage 3 judged by its key alone, so a certificate that no validator would
//! take must still be readable. Invariants: nothing outside the given octets is looked at; lengths are definite and
//! minimal, as DER has them (X.690 §10.1).

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xA0;

/// One element: its tag, its content, all of it with tag and length, and what follows.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
    rest: &'a [u8],
}

fn element(octets: &[u8]) -> Option<Element<'_>> {
    let (&tag, after) = octets.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, header) = if first < 0x80 {
        (usize::from(first), 2)
    } else {
        let count = usize::from(first & 0x7F);
        // Certificates are no longer than four octets can say.
        if !(1..=4).contains(&count) {
            return None;
        }
        let digits = after.get(..count)?;
        let length =
            digits.iter().try_fold(0_usize, |sum, digit| sum.checked_mul(256)?.checked_add((*digit).into()))?;
        if digits.first() == Some(&0) || length < 0x80 {
            return None;
        }
        (length, 2 + count)
    };
    let end = header.checked_add(length)?;
    Some(Element { tag, content: octets.get(header..end)?, whole: octets.get(..end)?, rest: octets.get(end..)? })
}

fn sequence(octets: &[u8]) -> Option<Element<'_>> {
    element(octets).filter(|element| element.tag == SEQUENCE)
}

/// A subject's public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PublicKey<'a> {
    /// RFC 5280 §4.1.2.7: the whole SubjectPublicKeyInfo, as selector 1 of TLSA means it.
    pub(crate) info: &'a [u8],
    /// The content of its AlgorithmIdentifier.
    pub(crate) algorithm: &'a [u8],
    /// The key itself.
    pub(crate) key: &'a [u8],
}

/// The public key of a certificate (RFC 5280 §4.1).
pub(crate) fn public_key(certificate: &[u8]) -> Option<PublicKey<'_>> {
    let tbs = sequence(sequence(certificate)?.content)?;
    let first = element(tbs.content)?;
    // Version 1 leaves its number out; the serial number follows.
    let after_serial = if first.tag == VERSION { element(first.rest)?.rest } else { first.rest };
    // Signature algorithm, issuer, validity, subject.
    let mut rest = after_serial;
    for _ in 0..4 {
        rest = sequence(rest)?.rest;
    }
    let info = sequence(rest)?;
    let algorithm = sequence(info.content)?;
    let bits = element(algorithm.rest).filter(|bits| bits.tag == BIT_STRING)?;
    // No key has bits that are not used.
    let (&0, key) = bits.content.split_first()? else { return None };
    Some(PublicKey { info: info.whole, algorithm: algorithm.content, key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustls::pki_types::CertificateDer;
    use testkit::tls::TestCa;

    fn certificate() -> CertificateDer<'static> {
        TestCa::new().leaf(&["mx.dest.example"]).chain.remove(0)
    }

    #[test]
    fn rfc5280_4_1_2_7_the_key_is_the_one_that_others_read() {
        let der = certificate();
        let parsed = rustls::server::ParsedCertificate::try_from(&der).unwrap();
        let key = public_key(&der).unwrap();
        assert_eq!(key.info, parsed.subject_public_key_info().as_ref());
        assert!(key.info.ends_with(key.key));
    }

    #[test]
    fn what_is_cut_short_or_no_certificate_has_no_key_that_is_not_its_own() {
        let der = certificate();
        let whole = public_key(&der).unwrap();
        for end in 0..der.len() {
            assert_eq!(public_key(&der[..end]), None);
        }
        assert_eq!(public_key(&[&der[..], b"after"].concat()).map(|key| key.key.to_vec()), Some(whole.key.to_vec()));
        assert_eq!(public_key(&[0x30, 0x80]), None, "an indefinite length is no DER");
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_harm(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(key) = public_key(&octets) {
                prop_assert!(key.info.len() <= octets.len());
            }
        }

        #[test]
        fn a_changed_certificate_is_read_without_harm(at in 0_usize..400, to in any::<u8>()) {
            let mut der = certificate().to_vec();
            let at = at % der.len();
            der[at] = to;
            let _ = public_key(&der);
        }
    }
}
