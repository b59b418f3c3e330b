//! What goes by days that a stream's terms name: the evidence of consent after it ended, and bounces; beside each what
//! does not age.

use super::house::{ADA, BOB, House, MINUTE, Tenant, address};
use super::ledger::entries;
use model::basis::{BasisKind, Evidence};
use model::instruction::Operation;
use model::person::{Restriction, SuppressionReason};
use model::stream::Terms;
use model::{PurposeId, StreamKind};
use std::time::Duration;
use store::permission::{Act, Method, SuppressionCursor, SuppressionFilter};
use store::{CredentialPlan, ForStreams, NewBasis, NewPurpose, NewStream, Scope, Scopes, Verified};
use testkit::mx::Conduct;

const DAY: Duration = Duration::from_secs(86_400);
const CAM: &str = "cam@dest.example";
const DAN: &str = "dan@dest.example";
const EVE: &str = "eve@dest.example";
const FAY: &str = "fay@dest.example";

fn kept(class: &str, days: u32) -> Terms {
    Terms { retention_days: [(class.to_owned(), days)].into(), ..Terms::default() }
}

/// A count of every leaf that says that something of this kind was deleted.
async fn deleted(house: &House, what: &str) -> Vec<u64> {
    let log = house.log(&house.shop).await;
    let leaves = entries(&log).into_iter().filter(|entry| entry.kind() == "data.deleted");
    leaves
        .inspect(|leaf| assert!(leaf.subject_ref().is_none()))
        .filter_map(|leaf| leaf.counts().get(what).copied())
        .collect()
}

async fn consents(house: &House, purpose: PurposeId, to: &str, expires: Option<Duration>) {
    let expires = expires.map(|after| house.store.now().plus(after));
    let basis = NewBasis { kind: BasisKind::Consent, confirmed: Verified::Yes, evidence: Evidence::Complete, expires };
    let by = Act::by(Method::Api);
    house.store.record_basis(house.shop.controller, purpose, &address(to), basis, &by).await.unwrap();
}

async fn withdraws(house: &House, purpose: PurposeId, to: &str) {
    let by = Act::by(Method::Api);
    house.store.withdraw_basis(house.shop.controller, purpose, &address(to), &by).await.unwrap();
}

/// How many pieces of evidence are kept of each.
async fn evidence<const N: usize>(house: &House, of: [&str; N]) -> [usize; N] {
    let mut counts = [0; N];
    for (to, count) in of.into_iter().zip(&mut counts) {
        let tag = house.store.tag_of(house.shop.controller, &address(to)).unwrap();
        *count = house.store.consent_events(house.shop.controller, tag).await.unwrap().len();
    }
    counts
}

/// For what reason a person is suppressed.
async fn reasons(house: &House, to: &str) -> Vec<SuppressionReason> {
    let tag = house.store.tag_of(house.shop.controller, &address(to)).unwrap();
    let (filter, from) = (SuppressionFilter { scope: None, reason: None }, SuppressionCursor::default());
    let (all, _) = house.store.suppressions(house.shop.controller, filter, &from, 500).await.unwrap();
    all.into_iter().filter(|one| one.tag == tag).map(|one| one.reason).collect()
}

#[tokio::test]
async fn art5_1_e_evidence_of_consent_goes_when_its_days_after_the_end_are_over_and_never_before() {
    let house = House::new().await;
    let controller = house.shop.controller;
    let new = NewPurpose::usual("club", StreamKind::Marketing, "news of the club");
    let club = house.store.create_purpose(controller, &new).await.unwrap();
    let (kind, purposes) = (StreamKind::Marketing, [club]);
    let stream = NewStream { name: "club", kind, about: "club", purposes: &purposes, terms: kept("evidence", 30) };
    house.store.create_stream_for(controller, &stream).await.unwrap();
    let newsletter = PurposeId::of_stream(house.shop.newsletter);
    for to in [ADA, BOB, EVE] {
        consents(&house, club, to, None).await;
    }
    consents(&house, club, CAM, Some(10 * DAY)).await;
    consents(&house, newsletter, FAY, None).await;
    for (purpose, to) in [(club, ADA), (club, EVE), (newsletter, FAY)] {
        withdraws(&house, purpose, to).await;
    }
    house.store.restrict(controller, &address(EVE), Restriction::Restricted).await.unwrap();
    let all = [ADA, BOB, CAM, EVE, FAY];
    assert_eq!(evidence(&house, all).await, [2, 1, 1, 2, 2]);

    house.clock.advance(30 * DAY - MINUTE);
    house.store.tidy().await.unwrap();
    assert_eq!(evidence(&house, all).await, [2, 1, 1, 2, 2], "not before");
    house.clock.advance(MINUTE);
    house.store.tidy().await.unwrap();
    // Who consents still, whose data are restricted, and what nobody bounded, stay.
    assert_eq!(evidence(&house, all).await, [0, 1, 1, 2, 2]);
    assert_eq!(deleted(&house, "evidence").await, [1]);
    assert_eq!(reasons(&house, ADA).await, [SuppressionReason::OptOut], "the wish stands (GDPR Art. 7(3))");
    // What ran out by itself is kept for as long after its end.
    house.clock.advance(10 * DAY);
    house.store.tidy().await.unwrap();
    assert_eq!(evidence(&house, all).await, [0, 1, 0, 2, 2]);
    assert_eq!((deleted(&house, "evidence").await, reasons(&house, CAM).await), (vec![1, 1], vec![]));
    // A person who is gone: what is left of him is kept for as long after that.
    house.store.restrict(controller, &address(BOB), Restriction::Erased).await.unwrap();
    house.clock.advance(30 * DAY - MINUTE);
    house.store.tidy().await.unwrap();
    assert_eq!(evidence(&house, [BOB]).await, [1]);
    house.clock.advance(MINUTE);
    house.store.tidy().await.unwrap();
    assert_eq!(evidence(&house, all).await, [0, 0, 0, 2, 2]);
    // Nothing is counted twice.
    house.store.tidy().await.unwrap();
    assert_eq!(deleted(&house, "evidence").await, [1, 1, 1]);
}

#[tokio::test]
async fn art21_3_a_bounce_runs_out_by_the_days_of_its_stream_and_a_wish_does_not() {
    let mut house = House::new().await;
    let controller = house.shop.controller;
    let purposes = [PurposeId::of_stream(house.shop.transactional)];
    let (kind, terms) = (StreamKind::Transactional, kept("suppression", 20));
    let stream = NewStream { name: "short", kind, about: "receipts", purposes: &purposes, terms };
    house.store.create_stream_for(controller, &stream).await.unwrap();
    let streams: Vec<_> = house.store.streams(controller).iter().map(|stream| stream.id).collect();
    house.store.issue_instruction(controller, &Operation::ALL, &streams, 1_000_000).await.unwrap();
    let scopes = Scopes::from([Scope::Api]);
    let plan = CredentialPlan { streams: ForStreams::All, scopes, mode: store::Mode::Live, note: String::new() };
    let key = house.store.make_credential(controller, &plan).await.unwrap().api_key;
    house.shop = Tenant { key, ..house.shop.clone() };
    house.suppress(&house.shop, DAN, "marketing", "objection").await;
    for (stream, to) in [("short", BOB), ("transactional", CAM)] {
        house.mx.treat_next(to, Conduct::reject(550, "5.1.1", "no such mailbox"));
        let id = house.send(stream, to).await;
        house.until_state(&id, "bounced").await;
    }
    let told = async |to: &str| house.by_http(&house.shop, Some("transactional"), &house.shop.from, to).await;
    house.clock.advance(20 * DAY - MINUTE);
    house.store.tidy().await.unwrap();
    for to in [BOB, CAM] {
        assert_eq!(told(to).await.rule(), "suppressed");
    }
    house.clock.advance(MINUTE);
    told(BOB).await.id();
    assert_eq!(told(CAM).await.rule(), "suppressed", "of its stream nothing is said");
    house.store.tidy().await.unwrap();
    assert_eq!((deleted(&house, "bounces").await, reasons(&house, BOB).await), (vec![1], vec![]));
    house.clock.advance(400 * DAY);
    house.store.tidy().await.unwrap();
    assert_eq!(deleted(&house, "bounces").await, [1, 1]);
    assert_eq!(reasons(&house, DAN).await, [SuppressionReason::Objection], "GDPR Art. 21(3)");
}
