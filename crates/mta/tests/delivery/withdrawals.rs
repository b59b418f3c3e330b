//! What is withdrawn between acceptance and delivery stops the message, down to the final dot.

use crate::house::{House, by_smarthost, pause};
use mail::address::Address;
use model::agreement::AgreementState;
use model::instruction::InstructionState;
use model::message::MessageState;
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use mta::submission::Answer;
use std::time::Duration;
use store::Homing;
use testkit::mx::{Conduct, Stage};
use testkit::{FakeMx, within};

const TO: &str = "ada@dest.example";
const MINUTE: Duration = Duration::from_secs(60);

async fn object(house: &House) {
    let address = Address::parse(TO).unwrap();
    let reason = SuppressionReason::Objection;
    house.store.suppress(house.controller, &address, SuppressionScope::All, reason).await.unwrap();
}

#[tokio::test]
async fn art21_3_objection_stops_a_deferred_message_before_mail() {
    let house = House::new(Homing::Smarthost).await;
    let mx = FakeMx::start().await.unwrap();
    mx.treat(TO, Conduct::defer(452, "4.3.1 busy"));
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let queued = house.send(TO).await;
    house.until_event(queued.id, "deferred", 1).await;
    object(&house).await;
    house.clock.advance(2 * MINUTE);
    let view = house.until_state(queued.id, MessageState::Stopped).await;
    assert_eq!(view.timeline.last().unwrap().rule.as_deref(), Some("objected"));
    assert_eq!(mx.counts().mails, 1, "no MAIL after the objection");
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn art21_3_objection_within_a_transaction_cuts_it_before_the_final_dot() {
    let house = House::new(Homing::Smarthost).await;
    let mx = FakeMx::start().await.unwrap();
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let hold = mx.hold(Stage::Data);
    let queued = house.send(TO).await;
    hold.reached(1).await;
    object(&house).await;
    hold.release();
    house.until_state(queued.id, MessageState::Stopped).await;
    assert!(mx.received().is_empty());
    // Negative twin: what concerns somebody else moves the generation too, and does not cut.
    let hold = mx.hold(Stage::Data);
    let other = house.send("bob@dest.example").await;
    hold.reached(1).await;
    let stranger = Address::parse("eve@dest.example").unwrap();
    let scope = SuppressionScope::All;
    house.store.suppress(house.controller, &stranger, scope, SuppressionReason::OptOut).await.unwrap();
    hold.release();
    house.until_state(other.id, MessageState::Delivered).await;
    assert_eq!(mx.received().len(), 1);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn art28_3_an_agreement_that_ended_stops_what_is_queued() {
    let house = House::new(Homing::Smarthost).await;
    let mx = FakeMx::start().await.unwrap();
    let queued = house.send(TO).await;
    house.store.set_agreement_state(house.controller, AgreementState::Ended).await.unwrap();
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let view = house.until_state(queued.id, MessageState::Stopped).await;
    assert_eq!(view.timeline.last().unwrap().rule.as_deref(), Some("agreement-not-in-force"));
    assert_eq!(mx.counts().mails, 0);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn art17_facts_of_one_recipient_are_never_taken_for_anothers() {
    let house = House::new(Homing::Smarthost).await;
    let mx = FakeMx::start().await.unwrap();
    mx.treat_others(Conduct::Accept);
    // All wait in the store, so that one connection takes them together. The content of the first does not open.
    let gone = house.send("gone@dest.example").await;
    let stopped = house.send(TO).await;
    let free = house.send("bob@dest.example").await;
    let address = Address::parse("gone@dest.example").unwrap();
    house.store.restrict(house.controller, &address, Restriction::Erased).await.unwrap();
    object(&house).await;
    let mut settings = by_smarthost(&mx);
    settings.shaping.connections_max = 1;
    let delivery = house.deliver(settings).await;
    house.until_state(free.id, MessageState::Delivered).await;
    house.until_state(stopped.id, MessageState::Stopped).await;
    let view = house.until_state(gone.id, MessageState::Stopped).await;
    assert_eq!(view.timeline.last().unwrap().rule.as_deref(), Some("recipient-erased"));
    let people: Vec<_> = mx.received().into_iter().flat_map(|message| message.to).collect();
    assert_eq!(people, ["bob@dest.example"]);
    assert_ne!(gone.id, free.id);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn art17_erasure_ends_a_deferred_message_whose_content_no_longer_opens() {
    let house = House::new(Homing::Smarthost).await;
    let mx = FakeMx::start().await.unwrap();
    mx.treat(TO, Conduct::defer(452, "4.3.1 busy"));
    let delivery = house.deliver(by_smarthost(&mx)).await;
    let queued = house.send(TO).await;
    house.until_event(queued.id, "deferred", 1).await;
    house.store.restrict(house.controller, &Address::parse(TO).unwrap(), Restriction::Erased).await.unwrap();
    house.clock.advance(2 * MINUTE);
    let view = house.until_state(queued.id, MessageState::Stopped).await;
    assert_eq!(view.timeline.last().unwrap().rule.as_deref(), Some("recipient-erased"));
    assert_eq!(mx.counts().mails, 1, "no MAIL after the erasure");
    assert!(house.rows().await.is_empty(), "nothing of him waits");
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn rfc5321_4_5_4_1_a_message_whose_content_is_lost_ends_when_its_time_is_over_and_not_before() {
    let house = House::new(Homing::Smarthost).await;
    let mx = FakeMx::start().await.unwrap();
    // Too large, and too little alike, to lie anywhere but in a file, which then is lost.
    let mut state = 1u64;
    let body: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{state:016x}{:016x}\r\n", state.rotate_left(29) ^ state.wrapping_mul(0x9e37_79b9))
    })
    .take(40_000)
    .collect();
    let Answer::Queued(lost) = house.send_body(TO, &body).await else { panic!("queued") };
    std::fs::remove_dir_all(house.dir.path().join("bodies")).unwrap();
    let other = house.send("bob@dest.example").await;
    let mut settings = by_smarthost(&mx);
    settings.shaping.connections_max = 1;
    let delivery = house.deliver(settings).await;
    house.until_state(other.id, MessageState::Delivered).await;
    assert_eq!(house.view(lost.id).await.state, MessageState::Queued, "the file may come back");
    house.clock.advance(25 * 60 * MINUTE);
    house.until_state(lost.id, MessageState::Expired).await;
    assert_eq!(mx.received().len(), 1);
    delivery.drain(MINUTE).await;
}

#[tokio::test]
async fn art28_3_held_mail_is_not_given_up_while_it_is_held() {
    let house = House::new(Homing::Smarthost).await;
    let mx = FakeMx::start().await.unwrap();
    let queued = house.send(TO).await;
    house.store.set_instruction_state(house.controller, InstructionState::Held).await.unwrap();
    let delivery = house.deliver(by_smarthost(&mx)).await;
    house.until_state(queued.id, MessageState::Held).await;
    // Twice over: past its time it is asked about, and held, as often as its turn comes.
    for hours in [25, 1] {
        let now = house.clock.advance(hours * 60 * MINUTE);
        within("the next look", async {
            while !house.rows().await.iter().any(|row| row.id == queued.id && row.due > now) {
                pause().await;
            }
        })
        .await;
        assert_eq!(house.view(queued.id).await.state, MessageState::Held);
    }
    assert_eq!(mx.counts().mails, 0);
    // Negative twin: nobody holds it any more.
    house.store.set_instruction_state(house.controller, InstructionState::InForce).await.unwrap();
    house.clock.advance(60 * MINUTE);
    house.until_state(queued.id, MessageState::Delivered).await;
    delivery.drain(MINUTE).await;
}
