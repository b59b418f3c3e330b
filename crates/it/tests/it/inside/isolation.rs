//! What belongs to one controller is not there for another (GDPR Art. 28(3)(a), 32(1)(b)).

use super::house::{ADA, BOB, House, Tenant, http_told, json_of, letter};
use serde_json::json;
use testkit::http::HttpAnswer;

async fn two() -> (House, Tenant) {
    let house = House::new().await;
    let other = house.admit("other", "other.example").await;
    (house, other)
}

/// What of an answer could tell two cases apart: everything but the date.
fn visible(answer: &HttpAnswer) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
    (answer.status, headers, answer.text())
}

#[tokio::test]
async fn art32_a_foreign_message_is_answered_like_one_that_does_not_exist() {
    let (house, other) = two().await;
    let id = house.send("transactional", ADA).await;
    let path = format!("/v1/messages/{id}");
    assert_eq!(house.get(&house.shop, &path).await.status, 200, "its own controller sees it");
    let foreign = house.get(&other, &path).await;
    assert_eq!(foreign.status, 404);
    // An id that is well-formed and was never given, one that is not ours, and one of another kind.
    let never = house.store.public_id(house.store.new_message_id());
    let controller = house.store.public_id(house.shop.controller);
    for unknown in [never.as_str(), "msg_0000000000000000", "msg_", "x", &controller] {
        let answer = house.get(&other, &format!("/v1/messages/{unknown}")).await;
        assert_eq!(visible(&answer), visible(&foreign), "{unknown}");
    }
}

#[tokio::test]
async fn art28_a_suppression_counts_for_its_own_controller_alone() {
    let (house, other) = two().await;
    let shop = &house.shop;
    house.suppress(shop, ADA, "all", "opt-out").await;
    assert_eq!(house.by_http(shop, None, &shop.from, ADA).await.rule(), "suppressed");
    house.by_http(&other, None, &other.from, ADA).await.id();
    house.by_smtp(&other, None, &other.from, ADA).await.id();
    let received = house.mx.wait_for(2).await;
    assert!(received.iter().all(|message| message.text().contains("other.example")));
    // A hard bounce of one controller's mail says nothing to another.
    house.mx.treat_next(BOB, testkit::mx::Conduct::reject(550, "5.1.1", "no such mailbox"));
    let id = house.send("transactional", BOB).await;
    house.until_state(&id, "bounced").await;
    assert_eq!(house.by_http(shop, None, &shop.from, BOB).await.rule(), "suppressed");
    house.by_http(&other, None, &other.from, BOB).await.id();
}

#[tokio::test]
async fn art28_a_consent_counts_for_its_own_controller_alone() {
    let (house, other) = two().await;
    house.consent(ADA).await;
    house.send("newsletter", ADA).await;
    assert_eq!(house.by_http(&other, Some("newsletter"), &other.from, ADA).await.rule(), "no-basis");
    // Twin: withdrawing it there, where none was given, changes nothing here.
    let body = json!({"email": ADA, "stream": "newsletter"});
    let answer = house.post(&other, "/v1/consents/withdraw", &body).await;
    assert_eq!(json_of(&answer)["state"], "absent");
    house.send("newsletter", ADA).await;
}

#[tokio::test]
async fn idempotency_keys_of_two_controllers_do_not_meet() {
    let (house, other) = two().await;
    let mut ids = Vec::new();
    for who in [&house.shop, &other] {
        let headers = [("Authorization", format!("Bearer {}", who.key)), ("Idempotency-Key", "order-17".to_owned())];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = letter(None, &who.from, &[ADA]).to_string();
        let answer = house.http.post_json("/v1/messages", &headers, &body).await.unwrap();
        assert_eq!(answer.header("idempotency-replayed"), None);
        ids.push(http_told(&answer).id());
    }
    assert_ne!(ids.first(), ids.last());
    assert_eq!(house.mx.wait_for(2).await.len(), 2);
}

#[tokio::test]
async fn art29_a_credential_uses_neither_the_streams_nor_the_domains_of_another_controller() {
    let (house, other) = two().await;
    let shop = &house.shop;
    let kind = model::StreamKind::Transactional;
    let special = house.store.create_stream(other.controller, "special", kind, "other's own").await.unwrap();
    let streams = [other.transactional, other.newsletter, special];
    let operations = model::instruction::Operation::ALL;
    house.store.issue_instruction(other.controller, &operations, &streams, 1_000).await.unwrap();
    // At its own controller the stream exists; the credential was made before it.
    assert_eq!(house.by_http(&other, Some("special"), &other.from, ADA).await.rule(), "credential-scope");
    // Here it does not exist, at either door; nor in a scope.
    assert_eq!(house.by_http(shop, Some("special"), &shop.from, ADA).await.rule(), "operation-not-instructed");
    assert_eq!(house.by_smtp(shop, Some("special"), &shop.from, ADA).await, super::house::Told::NotAuthenticated);
    let body = json!({"email": ADA, "scope": "stream:special"});
    assert_eq!(house.post(shop, "/v1/suppressions", &body).await.status, 400);
    for told in [
        house.by_http(shop, None, &other.from, ADA).await,
        house.by_smtp(shop, None, &other.from, ADA).await,
        house.by_trust(&other.from, ADA).await,
    ] {
        assert_eq!(told.rule(), "from-not-verified");
    }
    // Names of streams are each controller's own: `newsletter` of one is not `newsletter` of the other.
    house.suppress(&other, ADA, "stream:transactional", "opt-out").await;
    house.by_http(shop, Some("transactional"), &shop.from, ADA).await.id();
    assert_eq!(house.mx.wait_for(1).await.len(), 1);
}

#[tokio::test]
async fn art28_the_end_of_one_agreement_stops_one_controller() {
    let (house, other) = two().await;
    let shop = &house.shop;
    let ended = model::agreement::AgreementState::Ended;
    house.store.set_agreement_state(shop.controller, ended).await.unwrap();
    assert_eq!(house.by_http(shop, None, &shop.from, ADA).await.rule(), "agreement-not-in-force");
    house.by_http(&other, None, &other.from, ADA).await.id();
    assert_eq!(house.mx.wait_for(1).await.len(), 1);
}
