//! Content outside ASCII for receivers that take it, and for those that do not.

use crate::house::{House, by_smarthost};
use model::message::MessageState;
use mta::submission::Answer;
use std::time::Duration;
use store::Homing;
use testkit::FakeMx;
use testkit::mx::Received;

const TO: &str = "ada@dest.example";
const MINUTE: Duration = Duration::from_secs(60);
const TEXT: &str = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                    Content-Transfer-Encoding: 8bit\r\n";
const GREETING: &str = "Gr\u{fc}\u{df}e aus K\u{f6}ln, mit einem Punkt:\r\n.\r\n..ende \r\n";

async fn set(eight_bit: bool) -> (House, FakeMx) {
    let mx = FakeMx::start().await.unwrap();
    mx.manners(|manners| manners.eight_bit = eight_bit);
    (House::new(Homing::Smarthost).await, mx)
}

async fn arrived(house: &House, mx: &FakeMx, fields: &str, body: &str) -> Received {
    let delivery = house.deliver(by_smarthost(mx)).await;
    let Answer::Queued(queued) = house.send_entity(TO, fields, body).await else { panic!("queued") };
    house.until_state(queued.id, MessageState::Delivered).await;
    delivery.drain(MINUTE).await;
    mx.wait_for(1).await.remove(0)
}

#[tokio::test]
async fn rfc6152_3_eight_bit_content_leaves_in_seven_bits_and_signed_so_where_the_server_takes_no_more() {
    let (house, mx) = set(false).await;
    let received = arrived(&house, &mx, TEXT, GREETING).await;
    assert!(received.content.is_ascii());
    assert!(!received.parameters.contains("8BITMIME"), "{}", received.parameters);
    let text = received.text();
    assert!(text.contains("Content-Transfer-Encoding: quoted-printable\r\n"), "{text}");
    assert!(text.ends_with("Gr=C3=BC=C3=9Fe aus K=C3=B6ln, mit einem Punkt:\r\n.\r\n..ende=20\r\n"), "{text}");
    assert_eq!(house.signatures_that_hold(&received.content), 2, "they are over what left");
}

#[tokio::test]
async fn twin_rfc6152_it_leaves_as_it_is_where_the_server_takes_it() {
    let (house, mx) = set(true).await;
    let received = arrived(&house, &mx, TEXT, GREETING).await;
    assert!(received.parameters.contains("BODY=8BITMIME"), "{}", received.parameters);
    assert!(received.text().ends_with(GREETING));
    assert_eq!(house.signatures_that_hold(&received.content), 2);
}

#[tokio::test]
async fn rfc6152_3_a_large_message_is_written_anew_as_well() {
    let (house, mx) = set(false).await;
    let received = arrived(&house, &mx, TEXT, &GREETING.repeat(8_000)).await;
    assert!(received.content.is_ascii() && received.content.len() > 400_000);
    assert_eq!(house.signatures_that_hold(&received.content), 2);
}

#[tokio::test]
async fn rfc1847_2_1_signed_content_in_eight_bits_is_not_altered_and_does_not_leave() {
    let (house, mx) = set(false).await;
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let fields = "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n";
    let body = format!("--b\r\n{TEXT}\r\n{GREETING}\r\n--b\r\n\r\nsignature\r\n--b--\r\n");
    let Answer::Queued(queued) = house.send_entity(TO, fields, &body).await else { panic!("queued") };
    let view = house.until_state(queued.id, MessageState::Bounced).await;
    assert_eq!(view.timeline.last().unwrap().enhanced.as_deref(), Some("5.6.3"));
    assert_eq!(mx.counts().mails, 0);
    delivery.drain(MINUTE).await;
}

/// What the receiver offers besides 8BITMIME.
async fn offering(keywords: Vec<&'static str>) -> (House, FakeMx) {
    let (house, mx) = set(true).await;
    mx.manners(|manners| manners.keywords = keywords);
    (house, mx)
}

const PERSON: &str = "jörg@dest.example";

#[tokio::test]
async fn rfc6531_3_4_an_address_outside_ascii_leaves_with_smtputf8_and_signed() {
    let (house, mx) = offering(vec!["SMTPUTF8"]).await;
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let Answer::Queued(queued) = house.send_entity(PERSON, TEXT, GREETING).await else { panic!("queued") };
    house.until_state(queued.id, MessageState::Delivered).await;
    let received = mx.wait_for(1).await.remove(0);
    assert_eq!(received.to, [PERSON]);
    assert!(received.parameters.contains("BODY=8BITMIME SMTPUTF8"), "{}", received.parameters);
    assert!(received.text().contains("To: <jörg@dest.example>\r\n"));
    // RFC 8616: the fields are signed as they are.
    assert_eq!(house.signatures_that_hold(&received.content), 2);
    // Twin: what needs nothing asks for nothing.
    house.send(TO).await;
    let received = mx.wait_for(2).await.remove(1);
    assert!(!received.parameters.contains("SMTPUTF8"), "{}", received.parameters);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn twin_rfc6531_3_2_it_does_not_leave_where_smtputf8_is_not_offered_and_nobody_is_suppressed() {
    let (house, mx) = offering(Vec::new()).await;
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let cases = [(PERSON, ""), (TO, "X-Shop: Läden\r\n")];
    for (to, fields) in cases {
        let Answer::Queued(queued) = house.send_entity(to, fields, "Hello.\r\n").await else { panic!("queued") };
        let view = house.until_state(queued.id, MessageState::Bounced).await;
        assert_eq!(view.timeline.last().unwrap().enhanced.as_deref(), Some("5.6.7"), "{to}");
        assert!(matches!(house.try_send(to).await, Answer::Queued(_)), "a next message is taken");
    }
    assert!(mx.received().iter().all(|received| received.to == [TO]));
    delivery.drain(MINUTE).await;
}
