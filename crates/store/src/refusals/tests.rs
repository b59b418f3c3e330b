//! The bounds of what is kept of refusals: a flood costs the oldest their place, and the ledger counts all of it.

use super::*;
use crate::accounts::NewCredential;
use crate::conformance::place::Place;
use crate::refusals::log::{KEPT_MAX, TurnedAway};
use ledger::Entry;
use model::{PurposeId, StreamKind};

#[tokio::test]
async fn gdpr_5_1_c_a_flood_of_refusals_trims_the_oldest_and_the_ledger_counts_them_all() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    let shop = store.create_controller("Shop").await.unwrap();
    let stream = store.create_stream(shop, "news", StreamKind::Marketing, "news").await.unwrap();
    let new = NewCredential { username: "shop", default_stream: stream, streams: &[stream], expires: None };
    let credential = store.create_credential(shop, new).await.unwrap().id;
    let authority = store.authority_of(credential).unwrap();
    let purpose = PurposeId::of_stream(stream);
    let (sender, _) = store.sender_facts(&authority, stream, purpose);
    let rule = Rule::AgreementNotInForce;
    let turned = TurnedAway { authority: &authority, stream, purpose, rule, sender: &sender, person: None };
    let refuse = || {
        store.count_refusal(shop, credential, rule);
        store.keep_refusal(&turned)
    };
    let most = usize::try_from(KEPT_MAX).unwrap();
    let mut ids = Vec::new();
    for number in 1..=most + 300 {
        ids.push(refuse().expect("there is room"));
        if number % 2_000 == 0 {
            store.flush_refusal_log().await.unwrap();
        }
    }
    store.flush_refusal_log().await.unwrap();
    for (place, is_kept) in [(0, false), (299, false), (300, true), (most + 299, true)] {
        let found = store.decision_of_refusal(shop, ids[place]).await.unwrap();
        assert_eq!(found.is_some(), is_kept, "number {place} of {}", ids.len());
    }
    // What finds no room in memory is not kept, and whoever refused knows; it is counted all the same.
    let mut refused = ids.len();
    let unkept = loop {
        refused += 1;
        assert!(refused < 2 * most, "memory is bounded");
        if refuse().is_none() {
            break refused - ids.len();
        }
    };
    assert!(unkept > 1, "some found room");
    store.flush_refusals().await.unwrap();
    let (_, row) = store.engine.inbox(None, 1_000).await.unwrap().pop().unwrap();
    let leaf = Entry::decode(&row.bytes).unwrap();
    assert_eq!(leaf.counts().get(rule.id()).copied(), u64::try_from(refused).ok());
}
