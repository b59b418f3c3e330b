//! What is withdrawn, suppressed, ended or restricted between acceptance and delivery stops the message, down to the
//! final dot; what concerns somebody else does not.

use super::house::{ADA, BOB, HOUR, House, MINUTE, address, content, last};
use model::agreement::AgreementState;
use model::instruction::InstructionState;
use model::person::Restriction;
use testkit::mx::{Conduct, Stage};

/// What takes a permission away.
#[derive(Clone, Copy, Debug)]
enum Taken {
    Consent,
    Suppression,
    Objection,
    Agreement,
    Instruction,
    Restriction,
    Erasure,
}

impl Taken {
    const ALL: [Self; 7] = [
        Self::Consent,
        Self::Suppression,
        Self::Objection,
        Self::Agreement,
        Self::Instruction,
        Self::Restriction,
        Self::Erasure,
    ];

    const fn rule(self) -> &'static str {
        match self {
            Self::Consent => "suppressed",
            Self::Suppression => "suppressed",
            Self::Objection => "objected",
            Self::Agreement => "agreement-not-in-force",
            Self::Instruction => "instruction-missing",
            Self::Restriction => "recipient-restricted",
            Self::Erasure => "recipient-erased",
        }
    }

    async fn away(self, house: &House, to: &str) {
        let (store, controller) = (&house.store, house.shop.controller);
        match self {
            Self::Consent => house.withdraw(to).await,
            Self::Suppression => house.suppress(&house.shop, to, "all", "opt-out").await,
            Self::Objection => house.suppress(&house.shop, to, "marketing", "objection").await,
            Self::Agreement => store.set_agreement_state(controller, AgreementState::Ended).await.unwrap(),
            Self::Instruction => {
                store.set_instruction_state(controller, InstructionState::Superseded).await.unwrap();
            }
            Self::Restriction => store.restrict(controller, &address(to), Restriction::Restricted).await.unwrap(),
            Self::Erasure => store.restrict(controller, &address(to), Restriction::Erased).await.unwrap(),
        }
    }
}

/// A newsletter to a consenting person, deferred once; then the permission goes, or not, and the retry is due.
async fn deferred_then(taken: Option<Taken>) {
    let house = House::new().await;
    house.consent(ADA).await;
    house.mx.treat_next(ADA, Conduct::defer(451, "4.3.0 busy"));
    let id = house.send("newsletter", ADA).await;
    house.until_event(&id, "deferred", 1).await;
    if let Some(taken) = taken {
        taken.away(&house, ADA).await;
    }
    house.clock.advance(HOUR);
    match taken {
        Some(taken) => {
            let message = house.until_state(&id, "stopped").await;
            assert_eq!(last(&message)["rule"], taken.rule(), "{taken:?}");
            assert_eq!((house.mx.counts().mails, house.mx.received().len()), (1, 0), "{taken:?}: no further MAIL");
        }
        None => {
            house.until_state(&id, "delivered").await;
            assert_eq!((house.mx.counts().mails, house.mx.received().len()), (2, 1));
        }
    }
    house.until_empty().await;
}

#[tokio::test]
async fn art7_3_consent_withdrawn_after_acceptance_stops_the_retry() {
    deferred_then(Some(Taken::Consent)).await;
}

#[tokio::test]
async fn art7_3_twin_without_a_withdrawal_the_retry_delivers() {
    deferred_then(None).await;
}

#[tokio::test]
async fn art21_3_suppression_or_objection_after_acceptance_stops_the_retry() {
    deferred_then(Some(Taken::Suppression)).await;
    deferred_then(Some(Taken::Objection)).await;
}

#[tokio::test]
async fn art28_3_agreement_or_instruction_ended_after_acceptance_stops_the_retry() {
    deferred_then(Some(Taken::Agreement)).await;
    deferred_then(Some(Taken::Instruction)).await;
}

#[tokio::test]
async fn art18_restriction_after_acceptance_stops_the_retry() {
    deferred_then(Some(Taken::Restriction)).await;
}

#[tokio::test]
async fn art17_erasure_after_acceptance_stops_the_retry() {
    deferred_then(Some(Taken::Erasure)).await;
}

#[tokio::test]
async fn art21_3_a_suppression_of_other_streams_does_not_stop_a_receipt() {
    let house = House::new().await;
    house.mx.treat_next(ADA, Conduct::defer(451, "4.3.0 busy"));
    let id = house.send("transactional", ADA).await;
    house.until_event(&id, "deferred", 1).await;
    house.suppress(&house.shop, ADA, "marketing", "objection").await;
    house.suppress(&house.shop, ADA, "stream:newsletter", "opt-out").await;
    house.clock.advance(HOUR);
    house.until_state(&id, "delivered").await;
}

/// The receiver keeps a reply of the open transaction back; meanwhile the permission goes, or something else changes.
async fn held_at(stage: Stage, taken: Option<Taken>) {
    let house = House::new().await;
    house.consent(ADA).await;
    let hold = house.mx.hold(stage);
    let id = house.send("newsletter", ADA).await;
    hold.reached(1).await;
    match taken {
        Some(taken) => taken.away(&house, ADA).await,
        // It moves the generation too.
        None => house.suppress(&house.shop, "eve@dest.example", "all", "opt-out").await,
    }
    hold.release();
    match taken {
        Some(taken) => {
            let message = house.until_state(&id, "stopped").await;
            assert_eq!(last(&message)["rule"], taken.rule(), "{stage:?} {taken:?}");
            // RFC 5321 §4.1.1.4: without a final dot the receiver has no message; the connection is cut, not closed.
            house.mx.wait_until("the cut", |_, counts| (counts.open == 0).then_some(())).await;
            assert!(house.mx.received().is_empty(), "{stage:?} {taken:?}");
        }
        None => {
            house.until_state(&id, "delivered").await;
            assert_eq!(house.mx.received().len(), 1);
        }
    }
}

#[tokio::test]
async fn art7_3_withdrawal_while_data_is_awaited_cuts_before_the_final_dot() {
    for taken in Taken::ALL {
        held_at(Stage::Data, Some(taken)).await;
    }
}

#[tokio::test]
async fn art7_3_withdrawal_while_mail_or_rcpt_is_awaited_cuts_before_the_final_dot() {
    held_at(Stage::Mail, Some(Taken::Consent)).await;
    held_at(Stage::Recipient, Some(Taken::Suppression)).await;
}

#[tokio::test]
async fn art7_3_twin_an_unrelated_suppression_within_the_transaction_cuts_nothing() {
    for stage in [Stage::Mail, Stage::Recipient, Stage::Data] {
        held_at(stage, None).await;
    }
}

#[tokio::test]
async fn art7_3_withdrawal_while_the_greeting_is_awaited_stops_before_mail() {
    let house = House::new().await;
    house.consent(ADA).await;
    house.consent(BOB).await;
    let hold = house.mx.hold(Stage::Greeting);
    let stopped = house.send("newsletter", ADA).await;
    let goes = house.send("newsletter", BOB).await;
    hold.reached(1).await;
    house.withdraw(ADA).await;
    hold.release();
    house.until_state(&stopped, "stopped").await;
    house.until_state(&goes, "delivered").await;
    assert_eq!((house.mx.counts().mails, house.mx.counts().recipients.get(ADA)), (1, None));
}

#[tokio::test]
async fn rfc5321_6_1_a_withdrawal_after_the_final_dot_is_too_late_and_said_so() {
    let house = House::new().await;
    house.consent(ADA).await;
    let hold = house.mx.hold(Stage::EndOfData);
    let id = house.send("newsletter", ADA).await;
    hold.reached(1).await;
    house.withdraw(ADA).await;
    hold.release();
    // The receiver has it: the timeline tells the truth, and the next one is refused.
    house.until_state(&id, "delivered").await;
    let shop = &house.shop;
    assert_eq!(house.by_http(shop, Some("newsletter"), &shop.from, ADA).await.rule(), "suppressed");
}

#[tokio::test]
async fn art28_3_a_held_instruction_holds_and_its_confirmation_lets_go() {
    let house = House::new().await;
    let (store, controller) = (&house.store, house.shop.controller);
    store.set_instruction_state(controller, InstructionState::Held).await.unwrap();
    let id = house.send("transactional", ADA).await;
    assert_eq!(house.message(&id).await["state"], "held");
    store.set_instruction_state(controller, InstructionState::InForce).await.unwrap();
    house.clock.advance(20 * MINUTE);
    house.until_state(&id, "delivered").await;
}

#[tokio::test]
async fn art28_3_twin_a_held_instruction_goes_on_holding_what_was_queued_before() {
    let house = House::new().await;
    let (store, controller) = (&house.store, house.shop.controller);
    house.mx.treat_next(ADA, Conduct::defer(451, "4.3.0 busy"));
    let id = house.send("transactional", ADA).await;
    house.until_event(&id, "deferred", 1).await;
    store.set_instruction_state(controller, InstructionState::Held).await.unwrap();
    house.clock.advance(10 * MINUTE);
    let message = house.until_state(&id, "held").await;
    assert_eq!(last(&message)["rule"], "instruction-infringing");
    house.clock.advance(20 * MINUTE);
    // Held on is no event: the timeline says it once.
    house.until_event(&id, "held", 1).await;
    assert_eq!(house.mx.counts().mails, 1);
    store.set_instruction_state(controller, InstructionState::InForce).await.unwrap();
    house.clock.advance(20 * MINUTE);
    house.until_state(&id, "delivered").await;
}

#[tokio::test]
async fn rfc3463_a_hard_bounce_stops_what_else_waits_for_that_mailbox() {
    let house = House::new().await;
    house.mx.treat_next(ADA, Conduct::defer(451, "4.3.0 busy"));
    let first = house.send("transactional", ADA).await;
    house.until_event(&first, "deferred", 1).await;
    house.mx.treat_next(ADA, Conduct::reject(550, "5.1.1", "no such mailbox"));
    let second = house.send("transactional", ADA).await;
    house.until_state(&second, "bounced").await;
    house.clock.advance(HOUR);
    assert_eq!(last(&house.until_state(&first, "stopped").await)["rule"], "suppressed");
    assert_eq!(house.mx.counts().recipients[ADA], 2);
}

#[tokio::test]
async fn art7_3_withdrawal_between_rcpt_and_the_final_dot_of_submission_is_refused_there() {
    let house = House::new().await;
    let shop = &house.shop;
    house.consent(ADA).await;
    house.consent(BOB).await;
    let login = format!("{}+newsletter", shop.username);
    let mut client = house.session(&login, &shop.password).await.unwrap();
    for (withdrawn, to) in [(true, ADA), (false, BOB)] {
        assert_eq!(client.command(&format!("MAIL FROM:<{}>", shop.from)).await.unwrap().code, 250);
        assert_eq!(client.command(&format!("RCPT TO:<{to}>")).await.unwrap().code, 250);
        assert_eq!(client.command("DATA").await.unwrap().code, 354);
        client.raw(&content(&shop.from, to)).await.unwrap();
        if withdrawn {
            house.withdraw(to).await;
        }
        client.raw(b".\r\n").await.unwrap();
        let reply = client.reply().await.unwrap();
        assert_eq!(reply.code, if withdrawn { 550 } else { 250 }, "{}", reply.text);
        assert_eq!(reply.text.starts_with("suppressed "), withdrawn);
    }
    house.mx.wait_for_recipient(BOB, 1).await;
    house.until_empty().await;
    assert_eq!(house.mx.counts().recipients.get(ADA), None);
}

#[tokio::test]
async fn art29_a_credential_revoked_within_a_session_sends_no_more() {
    let house = House::new().await;
    let shop = &house.shop;
    let mut client = house.session(&shop.username, &shop.password).await.unwrap();
    assert_eq!(client.send(&shop.from, &[ADA], &content(&shop.from, ADA)).await.unwrap().code, 250);
    assert_eq!(client.command(&format!("MAIL FROM:<{}>", shop.from)).await.unwrap().code, 250);
    assert_eq!(client.command(&format!("RCPT TO:<{ADA}>")).await.unwrap().code, 250);
    house.store.revoke_credential(shop.controller, shop.credential).await.unwrap();
    let reply = client.data(&content(&shop.from, ADA)).await.unwrap();
    assert!(reply.text.starts_with("credential-scope "), "{} {}", reply.code, reply.text);
    let reply = client.command(&format!("MAIL FROM:<{}>", shop.from)).await.unwrap();
    assert!(reply.text.starts_with("credential-scope "), "{} {}", reply.code, reply.text);
    // What was taken in before stays taken in: the credential spoke at acceptance.
    house.mx.wait_for(1).await;
    house.until_empty().await;
    assert_eq!(house.mx.received().len(), 1);
}
