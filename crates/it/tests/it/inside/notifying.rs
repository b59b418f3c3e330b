//! RFC 3461 from end to end: what a client asks to be told, what goes on to the next host, and what we tell ourselves.

use super::house::{ADA, HOUR, House, MINUTE, content};
use testkit::mx::{Conduct, Received};

/// One message from the shop, with these parameters of MAIL and RCPT; its public id.
async fn sent(house: &House, from: &str, mail: &str, rcpt: &str) -> String {
    let mut client = house.session(&house.shop.username, &house.shop.password).await.unwrap();
    assert_eq!(client.command(&format!("MAIL FROM:<{from}>{mail}")).await.unwrap().code, 250, "{mail}");
    assert_eq!(client.command(&format!("RCPT TO:<{ADA}>{rcpt}")).await.unwrap().code, 250, "{rcpt}");
    let reply = client.data(&content(&house.shop.from, ADA)).await.unwrap();
    reply.text.strip_prefix("queued as ").unwrap_or_else(|| panic!("{}", reply.text)).to_owned()
}

/// A house whose shop gets mail at the same receiver.
async fn house() -> House {
    let house = House::new().await;
    house.dns.mx("shop.example", 10, "mx.dest.example");
    house
}

/// The notification that the shop got.
async fn told(house: &House) -> Received {
    let from = house.shop.from.clone();
    house.mx.wait_for_recipient(&from, 1).await.pop().unwrap()
}

/// Nothing waits any more, and the shop was told so often.
async fn told_times(house: &House, times: usize) {
    house.until_empty().await;
    let to_shop = house.mx.received().iter().filter(|received| received.to == [house.shop.from.clone()]).count();
    assert_eq!(to_shop, times);
}

#[tokio::test]
async fn rfc3461_6_a_failure_is_told_to_the_sender_of_the_envelope() {
    let house = house().await;
    house.mx.treat(ADA, Conduct::reject(550, "5.1.1", "no such mailbox as secret@dest.example"));
    let from = house.shop.from.clone();
    let id = sent(&house, &from, " RET=HDRS ENVID=order+2B17", " ORCPT=rfc822;Ada@dest.example").await;
    let message = house.until_state(&id, "bounced").await;
    assert_eq!(message["envelope_id"], "order+17");
    let notification = told(&house).await;
    assert_eq!((notification.from.as_str(), notification.to.as_slice()), ("", [from].as_slice()), "the null path");
    let text = notification.text();
    for line in [
        "multipart/report",
        "report-type=delivery-status",
        "Auto-Submitted: auto-replied\r\n",
        "Original-Envelope-Id: order+17\r\n",
        "Original-Recipient: rfc822; Ada@dest.example\r\n",
        "Final-Recipient: rfc822; ada@dest.example\r\n",
        "Action: failed\r\n",
        "Status: 5.1.1\r\n",
        "Subject: Receipt\r\n",
        "DKIM-Signature:",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // GDPR Art. 5(1)(c): neither what the receiver said, nor the content.
    assert!(!text.contains("secret@") && !text.contains("Thank you."), "{text}");
    told_times(&house, 1).await;
}

#[tokio::test]
async fn rfc3461_4_3_ret_full_brings_the_message_back() {
    let house = house().await;
    house.mx.treat(ADA, Conduct::reject(550, "5.7.1", "no"));
    let from = house.shop.from.clone();
    sent(&house, &from, " RET=FULL", "").await;
    let text = told(&house).await.text();
    assert!(text.contains("Content-Type: message/rfc822\r\n") && text.contains("Thank you.\r\n"), "{text}");
}

#[tokio::test]
async fn rfc3461_4_1_nobody_is_told_who_did_not_ask_or_has_no_verified_address() {
    let cases = [("shop@shop.example", " NOTIFY=NEVER"), ("", ""), ("eve@elsewhere.example", " NOTIFY=FAILURE")];
    for (from, rcpt) in cases {
        let house = house().await;
        house.dns.mx("elsewhere.example", 10, "mx.dest.example");
        house.mx.treat(ADA, Conduct::reject(550, "5.1.1", "no such mailbox"));
        let id = sent(&house, from, "", rcpt).await;
        house.until_state(&id, "bounced").await;
        house.until_empty().await;
        assert!(house.mx.received().is_empty(), "{from} {rcpt}");
    }
}

#[tokio::test]
async fn rfc3461_6_1_a_notification_that_bounces_is_told_to_nobody() {
    let house = house().await;
    let from = house.shop.from.clone();
    house.mx.treat(ADA, Conduct::reject(550, "5.1.1", "no such mailbox"));
    house.mx.treat(&from, Conduct::reject(550, "5.1.1", "no such mailbox"));
    let id = sent(&house, &from, "", "").await;
    house.until_state(&id, "bounced").await;
    house.mx.wait_for_attempts(&from, 1).await;
    told_times(&house, 0).await;
    assert_eq!(house.mx.counts().recipients[&from], 1, "one notification, and none about it");
}

#[tokio::test]
async fn rfc3461_5_2_2_success_is_told_where_the_peer_tells_nobody() {
    let house = house().await;
    let from = house.shop.from.clone();
    let id = sent(&house, &from, " ENVID=x", " NOTIFY=SUCCESS").await;
    house.until_state(&id, "delivered").await;
    let text = told(&house).await.text();
    assert!(text.contains("Action: relayed\r\n") && text.contains("Original-Envelope-Id: x\r\n"), "{text}");
    told_times(&house, 1).await;
}

#[tokio::test]
async fn rfc3461_5_2_1_a_peer_that_offers_dsn_gets_what_was_asked_and_we_tell_nobody() {
    let house = house().await;
    let from = house.shop.from.clone();
    house.mx.manners(|manners| manners.keywords = vec!["DSN"]);
    let id = sent(&house, &from, " RET=HDRS ENVID=y", " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@dest.example").await;
    house.until_state(&id, "delivered").await;
    told_times(&house, 0).await;
    let received = house.mx.received().pop().unwrap();
    assert!(received.parameters.contains("RET=HDRS ENVID=y"), "{}", received.parameters);
    assert_eq!(received.to_parameters, ["NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@dest.example"]);
}

#[tokio::test]
async fn rfc3461_4_1_a_delay_is_told_once_and_only_to_who_asked() {
    for (rcpt, times) in [(" NOTIFY=DELAY", 1), (" NOTIFY=FAILURE", 0)] {
        let house = house().await;
        let from = house.shop.from.clone();
        house.mx.treat(ADA, Conduct::defer(451, "4.2.0 later"));
        let id = sent(&house, &from, "", rcpt).await;
        for count in 1..=9 {
            house.until_event(&id, "deferred", count).await;
            house.clock.advance(HOUR + 30 * MINUTE);
        }
        let to_shop = house.mx.received().into_iter().filter(|received| received.to == [from.clone()]);
        let texts: Vec<String> = to_shop.map(|received| received.text()).collect();
        assert_eq!(texts.len(), times, "{rcpt}");
        for text in texts {
            assert!(text.contains("Action: delayed\r\n") && text.contains("Will-Retry-Until: "), "{text}");
            assert!(text.contains("Status: 4.2.0\r\n"), "{text}");
        }
    }
}
