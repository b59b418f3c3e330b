//! Where mail goes: RFC 5321 §5.1 and RFC 7505 against a DNS server.

use crate::house::{House, by_dns, pause};
use model::message::MessageState;
use mta::submission::Answer;
use std::net::SocketAddr;
use std::time::Duration;
use store::Homing;
use testkit::{FakeDns, FakeMx, within};

const TO: &str = "ada@dest.example";
const MINUTE: Duration = Duration::from_secs(60);

async fn set() -> (House, FakeDns, FakeMx) {
    (House::new(Homing::ByDomain).await, FakeDns::start().await.unwrap(), FakeMx::start().await.unwrap())
}

#[tokio::test]
async fn rfc5321_5_1_the_preferred_exchanger_is_tried_first_and_the_next_when_it_is_down() {
    let (house, dns, mx) = set().await;
    let port = mx.addr().port();
    let second = FakeMx::start_at(SocketAddr::from(([127, 0, 0, 2], port))).await.unwrap();
    dns.mx("dest.example", 10, "a.dest.example").mx("dest.example", 20, "xn--mx-fka.dest.example");
    dns.loopback("a.dest.example").address("xn--mx-fka.dest.example", [127, 0, 0, 2].into());
    let mut settings = by_dns(&dns, &mx);
    settings.shaping.messages_per_connection_max = 1;
    let delivery = house.deliver(settings).await;
    house.send(TO).await;
    mx.wait_for(1).await;
    mx.manners(|manners| manners.greeting = Some((421, "4.3.2 busy".to_owned())));
    house.send("bob@dest.example").await;
    second.wait_for(1).await;
    assert_eq!(mx.received().len(), 1);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn rfc7505_4_1_null_mx_bounces_without_a_connection_and_burns() {
    let (house, dns, mx) = set().await;
    dns.null_mx("dest.example").loopback("dest.example");
    let delivery = house.deliver(by_dns(&dns, &mx)).await;
    let queued = house.send(TO).await;
    let view = house.until_state(queued.id, MessageState::Bounced).await;
    assert_eq!(view.timeline.last().unwrap().enhanced.as_deref(), Some("5.1.10"));
    assert_eq!(mx.counts().connections, 0);
    assert!(matches!(house.try_send(TO).await, Answer::Refused(_)));
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn rfc5321_5_1_a_domain_that_does_not_exist_bounces_and_one_without_mx_is_its_own_exchanger() {
    let (house, dns, mx) = set().await;
    dns.loopback("plain.example");
    let delivery = house.deliver(by_dns(&dns, &mx)).await;
    let gone = house.send("ada@gone.example").await;
    let view = house.until_state(gone.id, MessageState::Bounced).await;
    assert_eq!(view.timeline.last().unwrap().enhanced.as_deref(), Some("5.1.2"));
    let plain = house.send("ada@plain.example").await;
    house.until_state(plain.id, MessageState::Delivered).await;
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn rfc5321_5_1_exchangers_without_address_never_make_the_domain_its_own() {
    let (house, dns, mx) = set().await;
    dns.mx("dest.example", 10, "nowhere.example").loopback("dest.example");
    let delivery = house.deliver(by_dns(&dns, &mx)).await;
    let queued = house.send(TO).await;
    let trouble = within("a back-off", async {
        loop {
            if let Some(trouble) = delivery.site_status("dest.example").and_then(|status| status.trouble) {
                return trouble;
            }
            pause().await;
        }
    })
    .await;
    assert!(trouble.contains("exchanger"), "{trouble}");
    assert_eq!(house.view(queued.id).await.state, MessageState::Queued);
    assert_eq!(mx.counts().connections, 0);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn servfail_is_temporary_and_mail_goes_when_dns_is_back() {
    let (house, dns, mx) = set().await;
    dns.servfail("dest.example");
    let delivery = house.deliver(by_dns(&dns, &mx)).await;
    let queued = house.send(TO).await;
    let until = within("a back-off", async {
        loop {
            if let Some(until) = delivery.site_status("dest.example").and_then(|status| status.backing_off_until) {
                return until;
            }
            pause().await;
        }
    })
    .await;
    assert_eq!(house.view(queued.id).await.state, MessageState::Queued);
    dns.clear("dest.example").mx("dest.example", 10, "mx.dest.example").loopback("mx.dest.example");
    house.clock.set(until);
    house.until_state(queued.id, MessageState::Delivered).await;
    delivery.drain(MINUTE).await;
}
