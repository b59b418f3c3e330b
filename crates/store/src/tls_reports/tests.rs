//! What is counted of a day, and who tells of it.

use super::*;
use crate::conformance::place::Place;

#[tokio::test]
async fn rfc8460_4_sessions_add_up_and_a_domain_has_a_bound_of_kinds() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    let one = sample(store.now());
    let failed = TlsSessions { failure: "tlsa-invalid".into(), sessions: 3, ..one.clone() };
    store.add_tls_sessions(&[one.clone(), failed.clone()]).await.unwrap();
    store.add_tls_sessions(std::slice::from_ref(&one)).await.unwrap();
    let found = store.tls_sessions(one.day, &one.domain).await.unwrap();
    assert_eq!(found, [TlsSessions { sessions: 4, ..one.clone() }, failed.clone()]);
    let many: Vec<TlsSessions> =
        (0..100).map(|number| TlsSessions { host: format!("mx{number:03}.dest.example"), ..one.clone() }).collect();
    store.add_tls_sessions(&many).await.unwrap();
    store.add_tls_sessions(std::slice::from_ref(&failed)).await.unwrap();
    let found = store.tls_sessions(one.day, &one.domain).await.unwrap();
    assert_eq!(found.len(), usize::try_from(KINDS_MAX).unwrap());
    let failed = found.iter().find(|kind| kind.failure == failed.failure).unwrap();
    assert_eq!(failed.sessions, 6, "what is there goes on being counted");
    assert_eq!(store.tls_sessions(one.day, "other.example").await.unwrap(), []);
}

#[tokio::test]
async fn rfc8460_4_1_a_day_is_in_one_pair_of_hands_and_told_once() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    let one = sample(store.now());
    let other = TlsSessions { domain: "a.example".into(), ..one.clone() };
    store.add_tls_sessions(&[one.clone(), other]).await.unwrap();
    assert_eq!(store.tls_reports_open(one.day, "").await.unwrap(), ["a.example", "dest.example"]);
    assert_eq!(store.tls_reports_open(one.day, "a.example").await.unwrap(), ["dest.example"]);
    let until = store.now().plus(std::time::Duration::from_secs(1_800));
    assert!(store.claim_tls_report(one.day, &one.domain, until).await.unwrap());
    assert!(!store.claim_tls_report(one.day, &one.domain, until).await.unwrap(), "another node");
    assert_eq!(store.tls_reports_open(one.day, "").await.unwrap(), ["a.example"]);
    // It fell meanwhile.
    place.wait_hours(1);
    assert_eq!(store.tls_reports_open(one.day, "").await.unwrap(), ["a.example", "dest.example"]);
    assert!(store.claim_tls_report(one.day, &one.domain, store.now()).await.unwrap());
    store.end_tls_report(one.day, &one.domain).await.unwrap();
    place.wait_hours(1);
    assert!(!store.claim_tls_report(one.day, &one.domain, store.now()).await.unwrap(), "told");
    assert_eq!(store.tls_reports_open(one.day, "").await.unwrap(), ["a.example"]);
    store.forget_tls_sessions().await.unwrap();
    assert_eq!(store.tls_sessions(one.day, &one.domain).await.unwrap().len(), 1);
    place.wait_hours(24 * (DAYS_KEPT + 1));
    store.forget_tls_sessions().await.unwrap();
    assert_eq!(store.tls_sessions(one.day, &one.domain).await.unwrap(), []);
    assert!(store.claim_tls_report(one.day, &one.domain, store.now()).await.unwrap(), "nothing is left of it");
}

#[tokio::test]
async fn rfc8460_what_others_report_counts_once_and_has_bounds() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    let shop = store.create_controller("Shop").await.unwrap();
    let other = store.create_controller("Other").await.unwrap();
    let counts = async |controller: ControllerId| -> Vec<i64> {
        let values = vec![controller.0.into(), "shop.example".into(), "shop.example".into(), 100_000_i64.into()];
        let rows = store.found(&sql::TLS_REPORTED, values).await.unwrap();
        rows.into_iter().map(|mut row| row.number().unwrap()).collect()
    };
    let one = sample_reported(store.now());
    let kinds: Vec<_> =
        (0..600).map(|number| TlsReported { failure: format!("kind {number:03}"), ..one.clone() }).collect();
    assert!(store.add_tls_reported(shop, "first", &kinds[..2]).await.unwrap());
    assert!(!store.add_tls_reported(shop, "first", &kinds[2..4]).await.unwrap(), "the same report");
    let by_another = TlsReported { submitter: "second.example".into(), ..one.clone() };
    assert!(store.add_tls_reported(shop, "first", &[by_another]).await.unwrap(), "his ids are his own");
    assert!(store.add_tls_reported(other, "first", &kinds[..2]).await.unwrap(), "each controller's are his own");
    assert_eq!((counts(shop).await.len(), counts(other).await.len()), (3, 2));
    // A day has its bound, and what is beyond it drives out no other day's.
    for report in ["second", "third"] {
        assert!(store.add_tls_reported(shop, report, &kinds).await.unwrap());
    }
    let full = counts(shop).await.len();
    assert!((490..=500).contains(&full), "{full}");
    // The oldest go.
    for back in 1..=41 {
        let kinds: Vec<_> =
            kinds[..500].iter().map(|kind| TlsReported { day: one.day - back, ..kind.clone() }).collect();
        assert!(store.add_tls_reported(shop, &format!("{back} days before"), &kinds).await.unwrap());
    }
    let days = counts(shop).await;
    assert!(days.len() <= 20_000 && days.first() == Some(&one.day), "{}", days.len());
    assert_eq!(days.last(), Some(&(one.day - 39)), "the newest 40 days are full");
    assert_eq!(counts(other).await.len(), 2);
    assert_eq!(store.tls_reported(shop, &mail::address::Domain::parse("shop.example").unwrap()).await.unwrap(), None);
}
