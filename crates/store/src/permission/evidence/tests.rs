//! What was kept before statements said about whom they are still opens its leaf; what is kept now says so.

use super::*;
use crate::accounts::{NewBasis, Verified};
use crate::conformance::place::Place;
use model::basis::Evidence;
use model::instruction::Operation;
use model::{StreamId, StreamKind};
use serde_json::Value as Json;
use std::sync::Arc;

const CONTRACT: NewBasis =
    NewBasis { kind: BasisKind::Contract, confirmed: Verified::No, evidence: Evidence::Unverified, expires: None };

async fn shop(place: &Place) -> (Arc<Store>, ControllerId, StreamId) {
    let store = place.open().await.unwrap();
    let shop = store.create_controller("Shop").await.unwrap();
    store.sign_agreement(shop, None).await.unwrap();
    let news = store.create_stream(shop, "news", StreamKind::Marketing, "news").await.unwrap();
    store.issue_instruction(shop, &Operation::ALL, &[news], 100).await.unwrap();
    (store, shop, news)
}

#[tokio::test]
async fn art7_1_old_evidence_gives_its_first_statement_and_new_evidence_says_about_whom_and_what() {
    let place = Place::new();
    let (store, shop, news) = shop(&place).await;
    let (purpose, ada) = (PurposeId::of_stream(news), Address::parse("ada@dest.example").unwrap());
    store.record_basis(shop, purpose, &ada, CONTRACT, &Act { details: "{}", ..Act::by(Method::Paper) }).await.unwrap();
    let tag = store.tag_of(shop, &ada).unwrap();
    let subject = store.evidence_subject(shop, tag).await.unwrap().unwrap();
    let acts = store.consent_acts(shop, tag).await.unwrap();
    let said: Json = serde_json::from_slice(&acts[0].opening.statement).unwrap();
    assert_eq!((&said["v"], &said["by"], &said["basis"]), (&2.into(), &"controller".into(), &"contract".into()));
    assert_eq!((&said["confirmed"], said["subject"].as_str()), (&false.into(), Some(subject.as_str())));
    assert!(said["decisions"][0]["words"].as_str().is_some_and(|words| words.len() == 64));

    // A row as the version before kept it.
    let secret = store.secret_of(shop, tag).await.unwrap().unwrap();
    let (id, event, at) = (store.next_id(), EventId([7; 16]), store.now());
    let sealed = crypto::seal(&secret.wrap, &first_context(id), b"{\"till\":4}").unwrap();
    let values = vec![
        id.into(),
        shop.0.into(),
        tag.0.into(),
        purpose.0.into(),
        "given".into(),
        at.into(),
        "paper".into(),
        Value::Null,
        Value::Null,
        Value::Null,
        event.0.into(),
        sealed.into(),
    ];
    let steps = vec![Step::new(&sql::CONSENT_EVENT_INSERT, values)];
    let writes = crate::permission::consents::rows(shop, tag, event, [0; 32], steps);
    store.act(EventType::BasisRecorded, writes).await.unwrap();
    let old = store.consent_acts(shop, tag).await.unwrap().into_iter().find(|act| act.event == event).unwrap();
    assert_eq!(old.facts, None);
    let expected = format!(
        "{{\"at\":{},\"controller\":\"{}\",\"decisions\":[{{\"decision\":\"given\",\"purpose\":\"{}\"}}],\
         \"details\":\"{{\\\"till\\\":4}}\",\"event\":\"{}\",\"method\":\"paper\",\"v\":1}}",
        at.micros(),
        store.public_id(shop),
        store.public_id(purpose),
        event.to_hex()
    );
    assert_eq!(String::from_utf8(old.opening.statement).unwrap(), expected);
}
