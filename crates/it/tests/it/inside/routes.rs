//! Where mail goes: RFC 5321 §5.1, RFC 7505 and RFC 5891, from the HTTP door to the receiver.

use super::house::{ADA, BOB, HOUR, House, last};
use std::net::SocketAddr;
use std::time::Duration;
use testkit::dns::RecordType;
use testkit::wait::breathe;
use testkit::{FakeMx, within};

#[tokio::test]
async fn rfc5321_5_1_the_preferred_exchanger_comes_first_whatever_the_order_of_records() {
    let house = House::new().await;
    let second = beside(&house, 2).await;
    house.dns.mx("twice.example", 20, "b.twice.example").mx("twice.example", 10, "a.twice.example");
    house.dns.loopback("a.twice.example").address("b.twice.example", [127, 0, 0, 2].into());
    let id = house.send("transactional", "ada@twice.example").await;
    house.until_state(&id, "delivered").await;
    assert_eq!((house.mx.received().len(), second.received().len()), (1, 0));
}

#[tokio::test]
async fn rfc5321_5_1_the_second_exchanger_is_used_when_the_first_refuses_the_connection() {
    let house = House::new().await;
    let second = beside(&house, 2).await;
    // Nobody listens on the port of 127.0.0.3.
    house.dns.mx("twice.example", 10, "a.twice.example").address("a.twice.example", [127, 0, 0, 3].into());
    house.dns.mx("twice.example", 20, "b.twice.example").address("b.twice.example", [127, 0, 0, 2].into());
    let id = house.send("transactional", "ada@twice.example").await;
    house.until_state(&id, "delivered").await;
    assert_eq!((house.mx.received().len(), second.received().len()), (0, 1));
}

#[tokio::test]
async fn rfc7505_4_1_null_mx_bounces_without_a_connection() {
    let house = House::new().await;
    house.dns.null_mx("null.example").loopback("null.example");
    let id = house.send("transactional", "ada@null.example").await;
    let message = house.until_state(&id, "bounced").await;
    assert_eq!(last(&message)["enhanced"], "5.1.10");
    assert_eq!(house.mx.counts().connections, 0);
    // Twin: beside another exchanger the root means nothing (RFC 7505 §3).
    house.dns.null_mx("half.example").mx("half.example", 10, "mx.dest.example");
    let id = house.send("transactional", "ada@half.example").await;
    house.until_state(&id, "delivered").await;
}

#[tokio::test]
async fn rfc5321_5_1_a_domain_that_does_not_exist_bounces_and_one_without_mx_is_its_own_exchanger() {
    let house = House::new().await;
    house.dns.loopback("plain.example");
    let gone = house.send("transactional", "ada@gone.example").await;
    let plain = house.send("transactional", "ada@plain.example").await;
    let message = house.until_state(&gone, "bounced").await;
    assert_eq!(last(&message)["enhanced"], "5.1.2");
    house.until_state(&plain, "delivered").await;
    assert_eq!(house.mx.received().len(), 1);
}

#[tokio::test]
async fn rfc5321_5_1_a_failing_dns_loses_nothing_and_keeps_nobody_else_waiting() {
    let house = House::new().await;
    house.dns.servfail("broken.example");
    let id = house.send("transactional", "ada@broken.example").await;
    within("a question", async {
        while house.dns.queries("broken.example", RecordType::Mx) == 0 {
            breathe().await;
        }
    })
    .await;
    let other = house.send("transactional", ADA).await;
    house.until_state(&other, "delivered").await;
    assert_eq!(house.message(&id).await["state"], "queued");
    house.dns.clear("broken.example").mx("broken.example", 10, "mx.dest.example");
    house.clock.advance(HOUR);
    house.until_state(&id, "delivered").await;
    assert_eq!(house.mx.received().len(), 2);
}

#[tokio::test]
async fn a_receiver_that_is_away_loses_nothing_and_its_messages_keep_their_attempts() {
    let house = House::new().await;
    house.mx.manners(|manners| manners.greeting = Some((421, "4.3.2 busy".to_owned())));
    let ids = [house.send("transactional", ADA).await, house.send("transactional", BOB).await];
    house.mx.wait_until("a visit", |_, counts| (counts.connections > 0).then_some(())).await;
    house.mx.manners(|manners| manners.greeting = None);
    within("both messages", async {
        // The node may take the 421 in only after the clock was moved, so the clock goes on until the site is tried.
        while house.mx.received().len() < ids.len() {
            house.clock.advance(Duration::from_secs(10));
            breathe().await;
        }
    })
    .await;
    for id in ids {
        let message = house.until_state(&id, "delivered").await;
        assert_eq!(last(&message)["attempt"], 1);
    }
}

#[tokio::test]
async fn rfc5891_a_domain_in_u_labels_goes_to_its_a_labels() {
    let house = House::new().await;
    house.dns.mx("xn--bcher-kva.example", 10, "mx.dest.example");
    let id = house.send("transactional", "ada@Bücher.example").await;
    house.until_state(&id, "delivered").await;
    let received = house.mx.received().remove(0);
    assert_eq!(received.to, ["ada@xn--bcher-kva.example"]);
    assert!(received.content.is_ascii(), "no octet above 127 leaves without SMTPUTF8");
    assert!(!received.parameters.contains("SMTPUTF8"));
}

/// A receiver on the same port of another address.
async fn beside(house: &House, last: u8) -> FakeMx {
    FakeMx::start_at(SocketAddr::from(([127, 0, 0, last], house.mx.addr().port()))).await.unwrap()
}
