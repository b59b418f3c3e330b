//! Whole messages over HTTP, from the door to the receiver.

use super::house::{ADA, BOB, House, Tenant, Told, bearer, http_told, json_of};
use testkit::http::HttpAnswer;

async fn raw(house: &House, who: &Tenant, path: &str, to: &str, message: &str) -> HttpAnswer {
    let key = bearer(who);
    let fields = [("Authorization", key.as_str()), ("Content-Type", "message/rfc822"), ("Envelope-To", to)];
    house.http.request("POST", path, &fields, message.as_bytes()).await.unwrap()
}

fn receipt(house: &House) -> String {
    format!("From: Shop <{}>\nTo: {ADA}\nBcc: secret@dest.example\nX-Order: 17\n\n.\nThank you.\n", house.shop.from)
}

#[tokio::test]
async fn rfc5322_a_whole_message_arrives_as_it_was_composed_without_its_bcc() {
    let house = House::new().await;
    let told = http_told(&raw(&house, &house.shop, "/v1/messages/raw", BOB, &receipt(&house)).await);
    let message = house.until_state(&told.id(), "delivered").await;
    assert_eq!((&message["to"], &message["stream"]), (&BOB.into(), &"transactional".into()));
    let received = house.mx.wait_for(1).await.remove(0);
    let text = received.text();
    assert_eq!(received.to, [BOB], "the envelope says to whom");
    assert!(text.contains("\r\nX-Order: 17\r\n") && text.ends_with("\r\n\r\n.\r\nThank you.\r\n"), "{text}");
    assert!(text.contains("\r\nReceived: by ") && !text.to_lowercase().contains("bcc") && !text.contains("secret"));
    assert_eq!(text.matches("DKIM-Signature: ").count(), 2, "{text}");
}

#[tokio::test]
async fn art7_1_a_whole_message_passes_the_same_gate_and_strangers_mail_never_leaves() {
    let house = House::new().await;
    let path = "/v1/messages/raw?stream=newsletter";
    let refused = http_told(&raw(&house, &house.shop, path, ADA, &receipt(&house)).await);
    assert_eq!(refused, Told::Refused("no-basis".to_owned()));
    let other = house.admit("other", "other.example").await;
    let answer = raw(&house, &other, "/v1/messages/raw", ADA, &receipt(&house)).await;
    assert_eq!((answer.status, json_of(&answer)["rule"].as_str()), (403, Some("from-not-verified")));
    // Twin: with consent it goes, and carries its way out.
    house.consent(ADA).await;
    let taken = http_told(&raw(&house, &house.shop, path, ADA, &receipt(&house)).await).id();
    house.until_state(&taken, "delivered").await;
    let received = house.mx.wait_for(1).await;
    assert_eq!(received.len(), 1);
    assert!(received.first().unwrap().text().contains("\r\nList-Unsubscribe-Post: "));
}
