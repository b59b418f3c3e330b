//! Documents in the shape of RFC 8460 Appendix B, and what is not.

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::Write as _;

const SAMPLE: &str = include_str!("../../../../../tests/tls-reports/report.json");

fn plain(document: &Value) -> Option<Document> {
    read(&Attachment { packing: Packing::Plain, octets: document.to_string().into_bytes() })
}

fn packed(octets: &[u8]) -> Attachment {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(octets).unwrap();
    Attachment { packing: Packing::Gzip, octets: packed.finish().unwrap() }
}

fn sample() -> Value {
    serde_json::from_str(SAMPLE).unwrap()
}

#[test]
fn rfc8460_4_4_a_document_is_read_by_domain_policy_and_failure() {
    let read_back = read(&packed(SAMPLE.as_bytes())).unwrap();
    assert_eq!((read_back.id.as_str(), read_back.day), ("2027-01-14T00:00:00Z_shop.example", 20_832));
    let kinds: Vec<_> = read_back.kinds.iter().map(|kind| (kind.policy, kind.failure, kind.sessions)).collect();
    let expected = [
        ("sts", "", 5_326),
        ("sts", "certificate-expired", 100),
        ("sts", "other", 3),
        ("sts", "starttls-not-supported", 200),
        ("tlsa", "", 0),
    ];
    assert_eq!(kinds, expected);
    assert!(read_back.kinds.iter().all(|kind| kind.domain.as_str() == "bounce.shop.example"));
    assert_eq!(plain(&sample()), Some(read_back));
}

#[test]
fn rfc8460_4_4_what_lacks_a_part_or_contradicts_itself_is_none() {
    let change = |pointer: &str, value: Value| {
        let mut changed = sample();
        *changed.pointer_mut(pointer).unwrap() = value;
        plain(&changed)
    };
    assert!(change("/organization-name", json!(7)).is_some(), "what is not looked at does not matter");
    for (pointer, value) in [
        ("/report-id", json!("")),
        ("/report-id", json!("x".repeat(TEXT_OCTETS_MAX + 1))),
        ("/report-id", json!(7)),
        ("/date-range", json!({})),
        ("/date-range/start-datetime", json!("yesterday")),
        ("/date-range/start-datetime", json!("2027-13-01T00:00:00Z")),
        ("/policies", json!({})),
        ("/policies/0/policy/policy-type", json!("none")),
        ("/policies/0/policy/policy-domain", json!("not a name")),
        ("/policies/0/policy/policy-domain", json!("x".repeat(10_000))),
        ("/policies/0/summary/total-successful-session-count", json!(-1)),
        ("/policies/0/summary/total-successful-session-count", json!(u64::MAX)),
        ("/policies/0/summary/total-failure-session-count", json!(100)),
        ("/policies/0/failure-details/0/failed-session-count", json!("100")),
    ] {
        assert_eq!(change(pointer, value.clone()), None, "{pointer} {value}");
    }
}

#[test]
fn the_bounds_of_a_document_hold() {
    let policy = sample()["policies"][1].clone();
    let with = |count: usize| {
        json!({"report-id": "x", "date-range": {"start-datetime": "2027-01-14T00:00:00Z"},
        "policies": vec![policy.clone(); count]})
    };
    assert!(plain(&with(POLICIES_MAX)).is_some());
    assert_eq!(plain(&with(POLICIES_MAX + 1)), None);
    let detail = json!({"result-type": "other-thing", "failed-session-count": 1});
    let with = |count: usize| {
        let mut document = sample();
        document["policies"] = json!([sample()["policies"][1]]);
        document["policies"][0]["summary"]["total-failure-session-count"] = json!(count);
        document["policies"][0]["failure-details"] = json!(vec![detail.clone(); count]);
        plain(&document)
    };
    assert!(with(DETAILS_MAX).is_some());
    assert_eq!(with(DETAILS_MAX + 1), None);
}

#[test]
fn what_becomes_too_large_is_not_unpacked() {
    let limit = usize::try_from(OCTETS_MAX).unwrap();
    let mut text = SAMPLE.as_bytes().to_vec();
    text.resize(limit, b' ');
    assert!(read(&packed(&text)).is_some(), "as much as there may be");
    text.push(b' ');
    assert_eq!(read(&packed(&text)), None);
    let bomb = packed(&vec![b' '; 64 * limit]);
    assert!(bomb.octets.len() < 1024 * 1024);
    assert_eq!(read(&bomb), None);
    let cut = packed(SAMPLE.as_bytes());
    assert_eq!(read(&Attachment { octets: cut.octets[..cut.octets.len() / 2].to_vec(), ..cut }), None);
}

#[test]
fn rfc3339_5_6_days_are_counted() {
    let days = |date: &str| day_of_date(&format!("{date}T00:00:00Z"));
    assert_eq!((days("1970-01-01"), days("1970-12-31"), days("2000-02-29")), (Some(0), Some(364), Some(11_016)));
    assert_eq!((days("2024-03-01"), days("2026-01-01")), (Some(19_783), Some(20_454)));
    for wrong in ["", "2027-01-14", "2027-01-1éT00:00:00Z", "2027/01/14T00:00:00Z", "+027-01-14T00:00:00Z"] {
        assert_eq!(day_of_date(wrong), None, "{wrong}");
    }
}

proptest! {
    #[test]
    fn any_octets_are_read_without_harm(octets in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = read(&Attachment { packing: Packing::Plain, octets: octets.clone() });
        let _ = read(&packed(&octets));
        let _ = read(&Attachment { packing: Packing::Gzip, octets });
    }

    #[test]
    fn a_document_with_anything_in_one_place_is_read_without_harm(at in 0..SAMPLE.len(), octet in any::<u8>()) {
        let mut octets = SAMPLE.as_bytes().to_vec();
        octets[at] = octet;
        let _ = read(&Attachment { packing: Packing::Plain, octets });
    }

    #[test]
    fn any_date_is_read_without_harm(text in "\\PC{0,40}") {
        let _ = day_of_date(&text);
    }
}
