//! What receivers say, and what their controller reads about it.

use super::house::{ADA, BOB, HOUR, House, MINUTE, events, last, letter};
use std::collections::HashSet;
use testkit::mx::{Conduct, Outcome, Stage, StartTls};

#[tokio::test]
async fn rfc5321_4_2_1_a_transient_refusal_is_tried_again_and_delivered() {
    let house = House::new().await;
    house.mx.treat_next(ADA, Conduct::defer(452, "4.3.1 busy"));
    let id = house.send("transactional", ADA).await;
    let message = house.until_event(&id, "deferred", 1).await;
    assert_eq!((&message["state"], &last(&message)["enhanced"]), (&"queued".into(), &"4.3.1".into()));
    // Twin: before its time it is left alone, though the engine is at work.
    house.clock.advance(MINUTE / 2);
    let other = house.send("transactional", BOB).await;
    house.until_state(&other, "delivered").await;
    assert_eq!(house.mx.counts().recipients[ADA], 1);
    house.clock.advance(MINUTE);
    let message = house.until_state(&id, "delivered").await;
    assert_eq!(last(&message)["attempt"], 2);
    assert_eq!(house.mx.counts().recipients[ADA], 2);
}

#[tokio::test]
async fn rfc3463_an_unknown_mailbox_suppresses_at_both_doors() {
    let house = House::new().await;
    let shop = &house.shop;
    house.mx.treat(ADA, Conduct::reject(550, "5.1.1", "no such mailbox"));
    let id = house.send("transactional", ADA).await;
    let message = house.until_state(&id, "bounced").await;
    assert_eq!((&last(&message)["code"], &last(&message)["enhanced"]), (&550.into(), &"5.1.1".into()));
    assert_eq!(house.by_http(shop, None, &shop.from, ADA).await.rule(), "suppressed");
    assert_eq!(house.by_smtp(shop, None, &shop.from, ADA).await.rule(), "suppressed");
    assert_eq!(house.mx.counts().recipients[ADA], 1);
}

#[tokio::test]
async fn rfc3463_policy_and_full_mailbox_and_late_refusals_do_not_suppress() {
    let house = House::new().await;
    for (to, conduct) in [
        ("policy@dest.example", Conduct::reject(550, "5.7.1", "not from you")),
        ("full@dest.example", Conduct::reject(552, "5.2.2", "mailbox full")),
        ("late@dest.example", Conduct::reject(550, "5.1.1", "no such mailbox").at(Stage::EndOfData)),
    ] {
        house.mx.treat_next(to, conduct);
        let id = house.send("transactional", to).await;
        house.until_state(&id, "bounced").await;
        let again = house.send("transactional", to).await;
        house.until_state(&again, "delivered").await;
    }
}

#[tokio::test]
async fn rfc5321_6_1_a_cut_after_the_final_dot_is_uncertain_and_repeated_under_one_message_id() {
    let house = House::new().await;
    house.mx.treat_next(ADA, Conduct::CutAfterDot);
    let id = house.send("transactional", ADA).await;
    let message = house.until_event(&id, "uncertain", 1).await;
    assert_eq!((&message["state"], &last(&message)["uncertain"]), (&"queued".into(), &true.into()));
    house.clock.advance(10 * MINUTE);
    let message = house.until_state(&id, "delivered").await;
    assert_eq!(last(&message)["uncertain"], true, "still marked: the receiver may have it twice");
    let received = house.mx.received();
    assert_eq!(received.iter().map(|one| one.outcome).collect::<Vec<_>>(), [Outcome::Cut, Outcome::Accepted]);
    let ids: HashSet<String> = received.iter().map(|one| field(&one.text(), "Message-ID")).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(received.iter().map(|one| &one.from).collect::<HashSet<_>>().len(), 1, "one return path");
    // Twin: nobody else's message is marked.
    let other = house.send("transactional", BOB).await;
    assert_eq!(last(&house.until_state(&other, "delivered").await)["uncertain"], false);
}

#[tokio::test]
async fn rfc5321_4_5_4_1_a_receipt_expires_after_a_day_and_a_newsletter_after_three() {
    let house = House::new().await;
    house.mx.treat_others(Conduct::defer(451, "4.3.0 busy"));
    house.consent(BOB).await;
    let receipt = house.send("transactional", ADA).await;
    let newsletter = house.send("newsletter", BOB).await;
    house.until_event(&receipt, "deferred", 1).await;
    house.until_event(&newsletter, "deferred", 1).await;
    house.clock.advance(23 * HOUR);
    house.until_event(&receipt, "deferred", 2).await;
    house.clock.advance(2 * HOUR);
    house.until_state(&receipt, "expired").await;
    assert_eq!(house.message(&newsletter).await["state"], "queued", "it has three days");
    house.clock.advance(46 * HOUR);
    house.until_event(&newsletter, "deferred", 2).await;
    house.clock.advance(2 * HOUR);
    let message = house.until_state(&newsletter, "expired").await;
    assert_eq!(last(&message)["enhanced"], "4.4.7");
    house.until_empty().await;
}

#[tokio::test]
async fn rfc3207_starttls_is_used_where_offered_and_a_broken_one_keeps_nothing_back() {
    for (offer, tls) in
        [(StartTls::Off, false), (StartTls::On, true), (StartTls::Refused, false), (StartTls::Broken, false)]
    {
        let house = House::new().await;
        house.mx.manners(|manners| manners.starttls = offer);
        let id = house.send("transactional", ADA).await;
        house.until_state(&id, "delivered").await;
        let received = house.mx.received();
        assert_eq!(received.iter().map(|one| one.tls).collect::<Vec<_>>(), [tls], "{offer:?}");
    }
}

#[tokio::test]
async fn many_messages_share_few_connections_and_each_arrives_once() {
    let house = House::built(|plan| plan.delivery.shaping.connections_max = 2).await;
    let people: Vec<String> = (0..100).map(|number| format!("r{number}@dest.example")).collect();
    let to: Vec<&str> = people.iter().map(String::as_str).collect();
    let answer = house.post(&house.shop, "/v1/messages", &letter(None, &house.shop.from, &to)).await;
    assert_eq!(answer.status, 202);
    let received = house.mx.wait_for(100).await;
    let unique: HashSet<String> = received.iter().flat_map(|one| one.to.clone()).collect();
    assert_eq!((received.len(), unique.len()), (100, 100));
    let counts = house.mx.counts();
    assert!(counts.connections <= 4 && counts.open_at_once <= 2, "{counts:?}");
    house.until_empty().await;
}

#[tokio::test]
async fn receivers_without_pipelining_eight_bit_or_ehlo_are_served() {
    let house = House::built(|plan| plan.delivery.shaping.messages_per_connection_max = 1).await;
    let mut sent = 0;
    for (pipelining, eight_bit, extended) in
        [(false, true, true), (true, false, true), (false, false, true), (false, false, false)]
    {
        house.mx.manners(|manners| {
            (manners.pipelining, manners.eight_bit, manners.extended) = (pipelining, eight_bit, extended);
        });
        let mut body = letter(None, &house.shop.from, &[ADA]);
        body["text"] = "Grüße\r\n.\r\n..zwei\r\nEnde".into();
        let answer = house.post(&house.shop, "/v1/messages", &body).await;
        let id = super::house::http_told(&answer).id();
        house.until_state(&id, "delivered").await;
        sent += 1;
        assert_eq!(house.mx.received().len(), sent);
    }
}

#[tokio::test]
async fn a_connection_cut_before_the_final_dot_is_no_uncertainty() {
    let house = House::new().await;
    house.mx.treat_next(ADA, Conduct::CutBeforeDot);
    let mut body = letter(None, &house.shop.from, &[ADA]);
    body["text"] = "a line of a very long message\r\n".repeat(300_000).into();
    let answer = house.post(&house.shop, "/v1/messages", &body).await;
    let id = super::house::http_told(&answer).id();
    let message = house.until_event(&id, "deferred", 1).await;
    assert_eq!(events(&message, "uncertain"), 0);
    house.clock.advance(10 * MINUTE);
    house.until_state(&id, "delivered").await;
    assert_eq!(house.mx.received().len(), 1);
}

fn field(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.to_ascii_lowercase().starts_with(&name.to_ascii_lowercase()));
    line.unwrap_or_else(|| panic!("no {name}")).to_owned()
}
