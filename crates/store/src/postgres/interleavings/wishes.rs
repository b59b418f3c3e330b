//! What is recorded about a person, by two at once.

use super::*;
use crate::conformance::rows::{deferred, question, tag};

const ENDING: i64 = 90;

fn suppression(reason: &str) -> SuppressionRow {
    let until = (reason == "hard-bounce").then(|| at(ENDING));
    let (scope, reason) = ("delivery".to_owned(), reason.to_owned());
    SuppressionRow { controller: SHOP, tag: tag(1), scope, reason, since: at(11), until, address: None }
}

fn bounced(id: i64) -> SettleRow {
    SettleRow { suppress: Some((suppression("hard-bounce"), b"bounce".to_vec())), ..deferred(id, id, 1) }
}

async fn reason(two: &Two) -> String {
    let person = two.one.persons(vec![question(SHOP, 1)]).await.unwrap().remove(0);
    assert_eq!(person.suppressions.len(), 1);
    person.suppressions[0].reason.clone()
}

#[tokio::test]
async fn gdpr_21_an_objection_is_stronger_than_a_bounce_whoever_is_first() {
    for wish_first in [true, false] {
        let two = Two::new().await;
        assert_eq!(two.one.accept(taking(1, 1)).await.unwrap(), AcceptOutcome::Done);
        two.eye.say(&format!("INSERT INTO generation VALUES ({SHOP}, 5)")).await;
        // Both raise the counter before anything else: that is where the second one waits.
        two.brake.say(&format!("BEGIN; SELECT value FROM generation WHERE controller = {SHOP} FOR UPDATE")).await;
        let wish = Change::Suppress(suppression("objection"));
        let (changed, settled) = if wish_first {
            let changed = changing(&two.one, wish);
            two.until_waiting(1).await;
            (changed, settling(&two.two, vec![bounced(1)]))
        } else {
            let settled = settling(&two.two, vec![bounced(1)]);
            two.until_waiting(1).await;
            (changing(&two.one, wish), settled)
        };
        two.until_waiting(2).await;
        two.let_go().await;
        assert_eq!(changed.await.unwrap().unwrap(), [1]);
        settled.await.unwrap().unwrap();
        assert_eq!(reason(&two).await, "objection");
        let said = two.said().await;
        assert_eq!(said.contains(&"bounce".to_owned()), !wish_first, "the ledger says what was done: {said:?}");
        assert_eq!(two.one.news().await.unwrap().generations, [(SHOP, 7)]);
    }
}

#[tokio::test]
async fn two_bounces_of_one_person_are_one_suppression() {
    let two = Two::new().await;
    for id in 1..=4 {
        assert_eq!(two.one.accept(taking(id, 1)).await.unwrap(), AcceptOutcome::Done);
    }
    // In one batch, and in two at once.
    two.brake.say(&format!("BEGIN; INSERT INTO generation VALUES ({SHOP}, 5)")).await;
    let first = settling(&two.one, vec![bounced(1), bounced(2)]);
    let second = settling(&two.two, vec![bounced(3), bounced(4)]);
    two.until_waiting(2).await;
    two.let_go().await;
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(reason(&two).await, "hard-bounce");
    let said = two.said().await;
    assert_eq!(said.iter().filter(|entry| *entry == "bounce").count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|entry| entry.starts_with("deferred")).count(), 4, "{said:?}");
}

#[tokio::test]
async fn gdpr_7_3_a_basis_that_is_being_withdrawn_is_not_put_back() {
    let two = Two::new().await;
    let basis = BasisRow {
        controller: SHOP,
        tag: tag(1),
        purpose: 3,
        evidence: "complete".into(),
        notice: None,
        batch: None,
        kind: "consent".to_owned(),
        given: at(1),
        confirmed: None,
        withdrawn: None,
        expires: None,
    };
    let withdraw = Change::Rows(crate::permission::leave_basis(SHOP, tag(1), 3, at(3)));
    let put = |confirmed| Change::Rows(crate::permission::put_basis(&BasisRow { confirmed, ..basis.clone() }, true));
    assert_eq!(two.one.change(vec![(put(None), None)]).await.unwrap(), [1]);
    // The withdrawal is in its transaction, the row not yet written.
    two.brake.say("BEGIN; SELECT 1 FROM basis FOR UPDATE").await;
    let withdrawn = changing(&two.one, withdraw.clone());
    two.until_waiting(1).await;
    let again = changing(&two.two, put(Some(at(9))));
    let twice = changing(&two.two, withdraw);
    two.until_waiting(3).await;
    two.let_go().await;
    assert_eq!(withdrawn.await.unwrap().unwrap(), [1]);
    assert_eq!(again.await.unwrap().unwrap(), [0]);
    assert_eq!(twice.await.unwrap().unwrap(), [0], "the first withdrawal stays");
    let person = two.two.persons(vec![question(SHOP, 1)]).await.unwrap().remove(0);
    assert_eq!(person.basis.map(|basis| (basis.confirmed, basis.withdrawn)), Some((None, Some(at(3)))));
}

#[tokio::test]
async fn gdpr_17_what_is_erased_meanwhile_is_not_merely_restricted() {
    let two = Two::new().await;
    let restrict = |kind| Change::Restrict { controller: SHOP, tag: tag(1), kind, at: at(1) };
    two.eye.say(&format!("INSERT INTO restriction VALUES ({SHOP}, '\\x{}', 'restricted', 1)", "01".repeat(16))).await;
    two.brake.say("BEGIN; SELECT 1 FROM restriction FOR UPDATE").await;
    let erased = changing(&two.one, restrict("erased"));
    two.until_waiting(1).await;
    let restricted = changing(&two.two, restrict("case-open"));
    two.until_waiting(2).await;
    two.let_go().await;
    assert_eq!((erased.await.unwrap().unwrap(), restricted.await.unwrap().unwrap()), (vec![1], vec![0]));
    let person = two.two.persons(vec![question(SHOP, 1)]).await.unwrap().remove(0);
    assert_eq!(person.restriction.as_deref(), Some("erased"));
}
