//! RFC 7672 §3 against certificates of a test's own authority.

use super::*;
use proptest::prelude::*;
use std::time::Duration;
use testkit::tls::{Leaf, TestCa};

fn algorithms() -> WebPkiSupportedAlgorithms {
    rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms
}

fn sha256(octets: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, octets).as_ref().to_vec()
}

fn key_of(leaf: &Leaf) -> Vec<u8> {
    public_key(&leaf.chain[0]).unwrap().info.to_vec()
}

fn tlsa(usage: u8, selector: u8, matching: u8, data: Vec<u8>) -> Tlsa {
    Tlsa { usage, selector, matching, data }
}

fn dane(records: Vec<Tlsa>, names: &[&str]) -> Option<Dane> {
    Dane::new(records, "mx.dest.example", names.iter().map(|name| (*name).to_owned()).collect())
}

/// At a moment so many seconds from now.
fn holds(dane: &Dane, leaf: &Leaf, chain: &[CertificateDer<'_>], after: u64) -> bool {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs() + after));
    dane.holds(&leaf.chain[0], chain, now, algorithms())
}

#[test]
fn rfc7672_3_1_1_usage_3_looks_at_the_key_alone_and_neither_at_names_nor_at_times() {
    let leaf = TestCa::new().leaf(&["another.example"]);
    let by_key = dane(vec![tlsa(3, 1, 1, sha256(&key_of(&leaf)))], &["mx.dest.example"]).unwrap();
    assert!(holds(&by_key, &leaf, &[], 0));
    assert!(holds(&by_key, &leaf, &[], 5_000 * 365 * 86_400), "expired for long");
    let whole = dane(vec![tlsa(3, 0, 0, leaf.chain[0].to_vec())], &[]).unwrap();
    assert!(holds(&whole, &leaf, &[], 0));
    let other = TestCa::new().leaf(&["mx.dest.example"]);
    assert!(!holds(&by_key, &other, &[], 0) && !holds(&whole, &other, &[], 0));
}

#[test]
fn rfc7672_3_1_2_usage_2_wants_the_authority_the_names_and_the_times() {
    let ca = TestCa::new();
    let authority = ca.certificate();
    let record = tlsa(2, 0, 1, sha256(&authority));
    let dane_of = |names: &[&str]| dane(vec![record.clone()], names).unwrap();
    let leaf = ca.leaf(&["mx.dest.example"]);
    assert!(holds(&dane_of(&["mx.dest.example"]), &leaf, std::slice::from_ref(&authority), 0));
    assert!(holds(&dane_of(&["dest.example", "mx.dest.example"]), &leaf, std::slice::from_ref(&authority), 0));
    assert!(!holds(&dane_of(&["mx.other.example"]), &leaf, std::slice::from_ref(&authority), 0), "another name");
    assert!(!holds(&dane_of(&["mx.dest.example"]), &leaf, &[], 0), "the authority was not sent");
    let whole = dane(vec![tlsa(2, 0, 0, authority.to_vec())], &["mx.dest.example"]).unwrap();
    assert!(holds(&whole, &leaf, &[], 0), "the record has it whole");
    let stranger = TestCa::new().leaf(&["mx.dest.example"]);
    assert!(!holds(&whole, &stranger, std::slice::from_ref(&authority), 0));
    assert!(!holds(&whole, &leaf, &[], 5_000 * 365 * 86_400), "expired");
}

#[test]
fn rfc7672_3_1_3_pkix_usages_and_what_nobody_defined_are_unusable() {
    for record in [
        tlsa(0, 1, 1, vec![0; 32]),
        tlsa(1, 1, 1, vec![0; 32]),
        tlsa(4, 1, 1, vec![0; 32]),
        tlsa(255, 1, 1, vec![0; 32]),
        tlsa(3, 2, 1, vec![0; 32]),
        tlsa(3, 1, 3, vec![0; 32]),
        tlsa(3, 1, 1, vec![0; 31]),
        tlsa(3, 1, 2, vec![0; 32]),
        tlsa(3, 0, 0, Vec::new()),
    ] {
        assert_eq!(dane(vec![record], &[]), None);
    }
    assert!(dane(vec![tlsa(1, 1, 1, vec![0; 32]), tlsa(3, 1, 2, vec![0; 64])], &[]).is_some());
}

proptest! {
    #[test]
    fn records_of_any_octets_name_nobody(
        usage in any::<u8>(), selector in any::<u8>(), matching in any::<u8>(),
        data in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let leaf = TestCa::new().leaf(&["mx.dest.example"]);
        if let Some(dane) = dane(vec![tlsa(usage, selector, matching, data)], &["mx.dest.example"]) {
            prop_assert!(!holds(&dane, &leaf, &[], 0));
        }
    }
}
