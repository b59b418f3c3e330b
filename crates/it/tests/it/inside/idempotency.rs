//! A request that is repeated under its Idempotency-Key is done once.

use super::house::{ADA, BOB, HOUR, House, bearer, http_told, json_of, letter};
use serde_json::Value;
use testkit::http::HttpAnswer;

async fn post(house: &House, key: &str, body: &str) -> HttpAnswer {
    let authorization = bearer(&house.shop);
    let headers = [("Authorization", authorization.as_str()), ("Idempotency-Key", key)];
    house.http.post_json("/v1/messages", &headers, body).await.unwrap()
}

fn body(house: &House, to: &[&str]) -> String {
    letter(None, &house.shop.from, to).to_string()
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_answer_and_one_message() {
    let house = House::new().await;
    let body = body(&house, &[ADA, BOB]);
    let first = post(&house, "order-17", &body).await;
    let again = post(&house, "order-17", &body).await;
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.body, again.body);
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), (None, Some("true")));
    // Twin: another key is another request. It also shows that the engine had time to send the repeat.
    http_told(&post(&house, "order-18", &body).await).id();
    house.mx.wait_for(4).await;
    house.until_empty().await;
    assert_eq!(house.mx.received().len(), 4);
}

#[tokio::test]
async fn another_body_under_the_same_key_is_a_conflict_and_sends_nothing() {
    let house = House::new().await;
    http_told(&post(&house, "order-17", &body(&house, &[ADA])).await).id();
    let answer = post(&house, "order-17", &body(&house, &[BOB])).await;
    assert_eq!((answer.status, json_of(&answer)["rule"].as_str()), (409, Some("idempotency-conflict")));
    house.mx.wait_for_recipient(ADA, 1).await;
    house.until_empty().await;
    assert_eq!(house.mx.counts().recipients.get(BOB), None);
    // The key is free again after a day.
    house.clock.advance(25 * HOUR);
    house.store.tidy().await.unwrap();
    http_told(&post(&house, "order-17", &body(&house, &[BOB])).await).id();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_at_the_same_moment_make_one_message() {
    let house = House::new().await;
    let body = body(&house, &[ADA]);
    for round in 0..5 {
        let key = format!("order-{round}");
        let answers = tokio::join!(
            post(&house, &key, &body),
            post(&house, &key, &body),
            post(&house, &key, &body),
            post(&house, &key, &body)
        );
        let answers = [answers.0, answers.1, answers.2, answers.3];
        let ids: std::collections::BTreeSet<String> =
            answers.iter().filter(|answer| answer.status == 202).map(|answer| http_told(answer).id()).collect();
        assert_eq!(ids.len(), 1, "one message, however often it is told");
        for answer in answers.iter().filter(|answer| answer.status != 202) {
            assert_eq!((answer.status, &json_of(answer)["rule"]), (409, &Value::from("idempotency-in-progress")));
        }
    }
    house.mx.wait_for(5).await;
    house.until_empty().await;
    assert_eq!(house.mx.received().len(), 5);
}

#[tokio::test]
async fn a_refused_message_keeps_no_answer_and_is_decided_anew() {
    let house = House::new().await;
    let body = letter(Some("newsletter"), &house.shop.from, &[ADA]).to_string();
    assert_eq!(http_told(&post(&house, "issue-1", &body).await).rule(), "no-basis");
    house.consent(ADA).await;
    http_told(&post(&house, "issue-1", &body).await).id();
    house.withdraw(ADA).await;
    // What was taken in is told again, though it would be refused now.
    let again = post(&house, "issue-1", &body).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (202, Some("true")));
}

#[tokio::test]
async fn a_batch_is_repeated_message_by_message() {
    let house = House::new().await;
    let one = letter(None, &house.shop.from, &[ADA]);
    let two = letter(Some("newsletter"), &house.shop.from, &[BOB]);
    let body = serde_json::json!({"messages": [one, two]}).to_string();
    let first = json_of(&post(&house, "batch-1", &body).await);
    assert_eq!(first["results"][1]["problem"]["rule"], "no-basis");
    house.consent(BOB).await;
    let second = json_of(&post(&house, "batch-1", &body).await);
    assert_eq!(first["results"][0], second["results"][0], "what was taken in is not sent again");
    assert_eq!(second["results"][1]["results"][0]["status"], "queued");
    house.mx.wait_for(2).await;
    house.until_empty().await;
    assert_eq!(house.mx.received().len(), 2);
}
