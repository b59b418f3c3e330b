//! Peers that take chunks, and peers that say how much they take on a connection.

use super::house::{ADA, BOB, House, last, letter};
use serde_json::json;
use std::collections::HashMap;
use testkit::mx::Stage;

fn with_chunks(house: &House, pipelining: bool) {
    house.mx.manners(|manners| {
        manners.keywords = vec!["CHUNKING"];
        manners.pipelining = pipelining;
    });
}

/// A letter whose text is several blocks long.
fn long_letter(house: &House, to: &str) -> serde_json::Value {
    let mut letter = letter(Some("newsletter"), &house.shop.from, &[to]);
    letter["text"] = json!(".a line that begins with a dot\n".repeat(10_000));
    letter
}

#[tokio::test]
async fn rfc3030_2_messages_of_every_size_go_in_chunks_octet_by_octet() {
    for pipelining in [true, false] {
        let house = House::new().await;
        house.consent(ADA).await;
        house.consent(BOB).await;
        with_chunks(&house, pipelining);
        house.send("transactional", ADA).await;
        let sent = house.post(&house.shop, "/v1/messages", &long_letter(&house, BOB)).await;
        assert_eq!(sent.status, 202);
        let received = house.mx.wait_for(2).await;
        let long = received.iter().find(|received| received.to == [BOB]).unwrap().text();
        assert_eq!(long.matches("\r\n.a line that begins with a dot").count(), 10_000, "{pipelining}");
        assert!(!long.contains("\r\n.."), "nothing is stuffed within chunks");
    }
}

#[tokio::test]
async fn art7_3_withdrawal_before_the_last_chunk_cuts_and_nothing_arrives() {
    let house = House::new().await;
    house.consent(ADA).await;
    with_chunks(&house, true);
    let hold = house.mx.hold(Stage::Recipient);
    let id = house.send("newsletter", ADA).await;
    hold.reached(1).await;
    house.withdraw(ADA).await;
    hold.release();
    let message = house.until_state(&id, "stopped").await;
    assert_eq!(last(&message)["rule"], "suppressed");
    house.mx.wait_until("the cut", |_, counts| (counts.open == 0).then_some(())).await;
    assert_eq!((house.mx.received().len(), house.mx.counts().contents), (0, 0), "no BDAT left at all");
}

#[tokio::test]
async fn art7_3_withdrawal_between_two_chunks_cuts_before_the_last_one() {
    let house = House::new().await;
    house.consent(ADA).await;
    // Without pipelining each chunk waits for the reply to the one before.
    with_chunks(&house, false);
    let hold = house.mx.hold(Stage::Data);
    let sent = house.post(&house.shop, "/v1/messages", &long_letter(&house, ADA)).await;
    let id = super::house::json_of(&sent)["results"][0]["id"].as_str().unwrap().to_owned();
    hold.reached(1).await;
    house.withdraw(ADA).await;
    hold.release();
    house.until_state(&id, "stopped").await;
    house.mx.wait_until("the cut", |_, counts| (counts.open == 0).then_some(())).await;
    assert_eq!((house.mx.received().len(), house.mx.counts().contents), (0, 1), "chunks left, the message did not");
}

#[tokio::test]
async fn art7_3_twin_an_unrelated_suppression_between_two_chunks_cuts_nothing() {
    let house = House::new().await;
    house.consent(ADA).await;
    with_chunks(&house, false);
    let hold = house.mx.hold(Stage::Data);
    let sent = house.post(&house.shop, "/v1/messages", &long_letter(&house, ADA)).await;
    assert_eq!(sent.status, 202);
    hold.reached(1).await;
    house.suppress(&house.shop, "eve@dest.example", "all", "opt-out").await;
    hold.release();
    assert_eq!(house.mx.wait_for(1).await.len(), 1);
}

#[tokio::test]
async fn rfc9422_4_1_no_more_messages_on_a_connection_than_the_peer_says() {
    let house = House::new().await;
    house.mx.manners(|manners| manners.keywords = vec!["LIMITS MAILMAX=2 RCPTMAX=1"]);
    for number in 0..7 {
        house.send("transactional", &format!("reader{number}@dest.example")).await;
    }
    let mut by_connection = HashMap::new();
    for received in house.mx.wait_for(7).await {
        *by_connection.entry(received.connection).or_insert(0) += 1;
    }
    assert!(by_connection.values().all(|count| *count <= 2), "{by_connection:?}");
}
