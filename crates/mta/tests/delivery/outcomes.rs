//! What receivers answer, and what becomes of the message.

use crate::house::{BODY, House, by_smarthost, events, pause};
use model::message::MessageState;
use mta::delivery::{Drained, TlsPolicy};
use mta::submission::Answer;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::collections::HashSet;
use std::time::Duration;
use store::{Homing, Uncertain};
use testkit::mx::{Conduct, Stage, StartTls};
use testkit::{FakeMx, within};

const TO: &str = "ada@dest.example";
const MINUTE: Duration = Duration::from_secs(60);

async fn set() -> (House, FakeMx) {
    (House::new(Homing::Smarthost).await, FakeMx::start().await.unwrap())
}

#[tokio::test]
async fn a_message_arrives_signed_twice_with_a_return_path_of_its_own() {
    let (house, mx) = set().await;
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let queued = house.send(TO).await;
    let received = mx.wait_for(1).await.remove(0);
    let text = received.text();
    assert_eq!(text.matches("DKIM-Signature:").count(), 2);
    assert!(text.contains("a=rsa-sha256") && text.contains("a=ed25519-sha256"));
    assert!(text.ends_with(BODY), "content as it was: {text}");
    let token = queued.public_id.strip_prefix("msg_").unwrap();
    assert!(received.from.starts_with(&format!("b+{token}")), "{}", received.from);
    assert!(received.from.ends_with("@bounce.sample.example") && received.from.len() == 54 + 22, "{}", received.from);
    assert_eq!(received.to, [TO]);
    assert_eq!(received.hello, "node.sample.example");
    let view = house.until_state(queued.id, MessageState::Delivered).await;
    let last = view.timeline.last().unwrap();
    assert_eq!((last.event.as_str(), last.attempt, last.code), ("delivered", 1, Some(250)));
    assert_eq!(last.uncertain, Uncertain::No);
    assert_eq!(delivery.drain(MINUTE).await, Drained::Completely);
}

#[tokio::test]
async fn many_messages_share_connections_and_each_arrives_once() {
    let (house, mx) = set().await;
    let mut settings = by_smarthost(&mx);
    settings.shaping.connections_max = 4;
    settings.shaping.messages_per_connection_max = 50;
    let delivery = house.deliver(settings).await;
    for number in 0..300 {
        house.send(&format!("r{number}@dest.example")).await;
    }
    let received = mx.wait_for(300).await;
    let people: HashSet<_> = received.iter().flat_map(|message| message.to.clone()).collect();
    assert_eq!((received.len(), people.len()), (300, 300));
    let counts = mx.counts();
    assert!(counts.open_at_once <= 4, "{counts:?}");
    assert!((6..60).contains(&counts.connections), "reused, and closed after 50: {}", counts.connections);
    assert_eq!(delivery.drain(MINUTE).await, Drained::Completely);
    assert!(house.store.backlog().await.unwrap().is_empty());
}

#[tokio::test]
async fn rfc5321_4_2_1_a_transient_refusal_is_tried_again_by_the_plan() {
    let (house, mx) = set().await;
    mx.treat_next(TO, Conduct::defer(452, "4.3.1 busy"));
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let queued = house.send(TO).await;
    let view = house.until_event(queued.id, "deferred", 1).await;
    assert_eq!(view.timeline.last().unwrap().enhanced.as_deref(), Some("4.3.1"));
    house.clock.advance(Duration::from_secs(40));
    // A look at another message shows that the engine had time to do wrong.
    let other = house.send("bob@dest.example").await;
    house.until_state(other.id, MessageState::Delivered).await;
    assert_eq!(mx.counts().recipients[TO], 1, "not before its time");
    house.clock.advance(Duration::from_secs(40));
    house.until_state(queued.id, MessageState::Delivered).await;
    assert_eq!(mx.counts().recipients[TO], 2);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn rfc3463_an_unknown_mailbox_bounces_and_suppresses_a_policy_refusal_does_not() {
    let (house, mx) = set().await;
    mx.treat(TO, Conduct::reject(550, "5.1.1", "no such mailbox"));
    mx.treat("bob@dest.example", Conduct::reject(550, "5.7.1", "not from you"));
    mx.treat("eve@dest.example", Conduct::reject(550, "5.1.1", "late").at(Stage::EndOfData));
    let delivery = house.deliver(by_smarthost(&mx)).await;
    for (person, burnt) in [(TO, true), ("bob@dest.example", false), ("eve@dest.example", false)] {
        let queued = house.send(person).await;
        house.until_state(queued.id, MessageState::Bounced).await;
        if burnt {
            // The gate hears of it right after the commit.
            within("a refusal", async {
                while !matches!(house.try_send(person).await, Answer::Refused(_)) {
                    pause().await;
                }
            })
            .await;
        } else {
            assert!(matches!(house.try_send(person).await, Answer::Queued(_)), "{person}");
        }
    }
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn rfc5321_6_1_a_connection_cut_after_the_final_dot_is_uncertain_and_sent_again_marked() {
    let (house, mx) = set().await;
    mx.treat_next(TO, Conduct::CutAfterDot);
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let queued = house.send(TO).await;
    let view = house.until_event(queued.id, "uncertain", 1).await;
    assert_eq!(view.state, MessageState::Queued);
    house.clock.advance(2 * MINUTE);
    let view = house.until_state(queued.id, MessageState::Delivered).await;
    assert_eq!(view.timeline.last().unwrap().uncertain, Uncertain::Yes, "still marked");
    let ids: Vec<_> = mx.received().iter().map(|message| message.text().contains("<1@sample.example>")).collect();
    assert_eq!(ids, [true, true], "twice, under one Message-ID");
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn a_connection_cut_before_the_final_dot_is_no_uncertainty() {
    let (house, mx) = set().await;
    mx.treat_next(TO, Conduct::CutBeforeDot);
    let delivery = house.deliver(by_smarthost(&mx)).await;
    // More than the sockets of this machine hold, so that the cut is seen before the last block.
    let body = "a line of a very long message\r\n".repeat(300_000);
    let Answer::Queued(queued) = house.send_body(TO, &body).await else { panic!("queued") };
    let view = house.until_event(queued.id, "deferred", 1).await;
    assert_eq!(events(&view, "uncertain"), 0);
    house.clock.advance(2 * MINUTE);
    house.until_state(queued.id, MessageState::Delivered).await;
    assert_eq!(mx.received().len(), 1);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn a4_c7_a_server_that_ends_connections_with_421_loses_no_attempt() {
    let (house, mx) = set().await;
    mx.manners(|manners| manners.messages_max = 3);
    let mut settings = by_smarthost(&mx);
    settings.shaping.connections_max = 1;
    let delivery = house.deliver(settings).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(house.send(&format!("r{number}@dest.example")).await.id);
    }
    mx.wait_for(20).await;
    for id in ids {
        let view = house.until_state(id, MessageState::Delivered).await;
        assert_eq!(view.timeline.last().unwrap().attempt, 1);
    }
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn a10_a_site_that_cannot_be_reached_backs_off_and_touches_no_message() {
    let (house, mx) = set().await;
    mx.manners(|manners| manners.greeting = Some((421, "4.3.2 busy".to_owned())));
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let queued = house.send(TO).await;
    let until = within("a back-off", async {
        loop {
            if let Some(until) = delivery.site_status("smarthost").and_then(|status| status.backing_off_until) {
                return until;
            }
            pause().await;
        }
    })
    .await;
    let view = house.view(queued.id).await;
    assert_eq!((view.state, view.timeline.len()), (MessageState::Queued, 1), "its row is as it was");
    assert!(delivery.site_status("smarthost").unwrap().trouble.is_some());
    mx.manners(|manners| manners.greeting = None);
    house.clock.set(until);
    let view = house.until_state(queued.id, MessageState::Delivered).await;
    assert_eq!(view.timeline.last().unwrap().attempt, 1);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn rfc5321_4_5_4_1_a_message_expires_while_its_site_is_away() {
    let (house, mx) = set().await;
    mx.manners(|manners| manners.greeting = Some((554, "5.3.2 no".to_owned())));
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let queued = house.send(TO).await;
    within("a back-off", async {
        while delivery.site_status("smarthost").is_none_or(|status| status.failures == 0) {
            pause().await;
        }
    })
    .await;
    house.clock.advance(Duration::from_secs(25 * 3_600));
    house.until_state(queued.id, MessageState::Expired).await;
    assert_eq!(mx.counts().mails, 0);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn rfc3207_tls_is_used_where_offered_and_a_broken_one_does_not_keep_mail_back() {
    for (offer, encrypted) in [(StartTls::On, true), (StartTls::Refused, false), (StartTls::Broken, false)] {
        let (house, mx) = set().await;
        mx.manners(|manners| manners.starttls = offer);
        let delivery = house.deliver(by_smarthost(&mx)).await;
        house.send(TO).await;
        assert_eq!(mx.wait_for(1).await[0].tls, encrypted, "{offer:?}");
        delivery.drain(MINUTE).await;
    }
}

#[tokio::test]
async fn a5_required_tls_needs_a_certificate_that_holds() {
    for trusted in [true, false] {
        let (house, mx) = set().await;
        mx.manners(|manners| manners.starttls = StartTls::On);
        let mut settings = by_smarthost(&mx);
        settings.tls = TlsPolicy::Required;
        if trusted {
            settings.roots.push(CertificateDer::from_pem_slice(mx.ca().pem().as_bytes()).unwrap());
        }
        let delivery = house.deliver(settings).await;
        let queued = house.send(TO).await;
        if trusted {
            assert!(mx.wait_for(1).await[0].tls);
            house.until_state(queued.id, MessageState::Delivered).await;
        } else {
            within("a back-off", async {
                while delivery.site_status("smarthost").is_none_or(|status| status.failures == 0) {
                    pause().await;
                }
            })
            .await;
            assert_eq!(mx.counts().mails, 0, "never in clear");
        }
        delivery.drain(MINUTE).await;
    }
}

#[tokio::test]
async fn what_waits_survives_a_restart_and_is_delivered_once() {
    let (house, mx) = set().await;
    let queued = house.send(TO).await;
    let house = house.restart().await;
    let delivery = house.deliver(by_smarthost(&mx)).await;
    house.until_state(queued.id, MessageState::Delivered).await;
    assert_eq!(mx.received().len(), 1);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn a_drain_lets_the_open_transaction_end_and_begins_no_other() {
    let (house, mx) = set().await;
    let mut settings = by_smarthost(&mx);
    settings.shaping.connections_max = 1;
    let delivery = house.deliver(settings).await;
    let hold = mx.hold(Stage::EndOfData);
    let first = house.send(TO).await;
    hold.reached(1).await;
    let second = house.send("bob@dest.example").await;
    let draining = tokio::spawn(delivery.drain(MINUTE));
    within("the drain to begin", async {
        // The hold is what keeps it from ending.
        pause().await;
    })
    .await;
    assert!(!draining.is_finished());
    hold.release();
    assert_eq!(within("the drain", draining).await.unwrap(), Drained::Completely);
    assert_eq!(house.view(first.id).await.state, MessageState::Delivered);
    assert_eq!(house.view(second.id).await.state, MessageState::Queued);
    let house = house.restart().await;
    let delivery = house.deliver(by_smarthost(&mx)).await;
    house.until_state(second.id, MessageState::Delivered).await;
    assert_eq!(mx.received().len(), 2);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn a_drain_by_force_leaves_what_was_after_its_dot_uncertain() {
    let (house, mx) = set().await;
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let hold = mx.hold(Stage::EndOfData);
    let queued = house.send(TO).await;
    hold.reached(1).await;
    assert_eq!(delivery.drain(Duration::from_millis(50)).await, Drained::ByForce);
    hold.release();
    let house = house.restart().await;
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let view = house.until_state(queued.id, MessageState::Delivered).await;
    assert_eq!(events(&view, "uncertain"), 1);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn a_message_of_many_blocks_arrives_whole() {
    let (house, mx) = set().await;
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let body: String = (0..20_000).map(|line| format!("..line {line} of a long message\r\n")).collect();
    house.send_body(TO, &body).await;
    let received = mx.wait_for(1).await.remove(0);
    assert!(received.text().ends_with(&body));
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_server_that_says_nothing() {
    let (house, mx) = set().await;
    let hold = mx.hold(Stage::Greeting);
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let queued = house.send(TO).await;
    hold.reached(1).await;
    assert_eq!(delivery.drain(MINUTE).await, Drained::Completely);
    assert_eq!(house.view(queued.id).await.state, MessageState::Queued);
}
