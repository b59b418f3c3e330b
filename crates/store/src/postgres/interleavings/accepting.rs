//! Two acceptances, and an acceptance with an erasure.

use super::*;
use crate::conformance::rows::{QUOTA, question, slot, tag};
use model::Timestamp;

#[tokio::test]
async fn a_person_gets_one_secret_from_two_acceptances() {
    let two = Two::new().await;
    two.hold_acceptances().await;
    let first = accepting(&two.one, taking(1, 1));
    two.until_waiting(1).await;
    let mut other = taking(2, 1);
    other.messages[0].slot = slot(77);
    let second = accepting(&two.two, other);
    let third = accepting(&two.one, taking(3, 1));
    two.until_waiting(3).await;
    two.let_go().await;
    assert_eq!(first.await.unwrap().unwrap(), AcceptOutcome::Done);
    assert_eq!(second.await.unwrap().unwrap(), AcceptOutcome::SlotTaken);
    assert_eq!(third.await.unwrap().unwrap(), AcceptOutcome::Done, "the same secret is no clash");
    assert_eq!(two.one.persons(vec![question(SHOP, 1)]).await.unwrap()[0].slot, Some(slot(1)));
    assert_eq!((two.rows("message").await, two.rows("body").await, two.rows("ledger_inbox").await), (2, 2, 2));
    assert_eq!(two.two.quota_used(SHOP, DAY).await.unwrap(), 2);
}

#[tokio::test]
async fn a_secret_that_was_not_kept_is_no_clash() {
    let two = Two::new().await;
    two.hold_acceptances().await;
    // The first one finds in the end that the allowance is used up, and keeps nothing.
    let mut none_left = taking(1, 1);
    none_left.quota_max = 0;
    none_left.messages[0].slot = slot(77);
    let first = accepting(&two.one, none_left);
    two.until_waiting(1).await;
    let second = accepting(&two.two, taking(2, 1));
    two.until_waiting(2).await;
    two.let_go().await;
    assert_eq!(first.await.unwrap().unwrap(), AcceptOutcome::Quota);
    assert_eq!(second.await.unwrap().unwrap(), AcceptOutcome::Done);
    assert_eq!(two.one.persons(vec![question(SHOP, 1)]).await.unwrap()[0].slot, Some(slot(1)));
}

fn keyed(id: i64, at: Timestamp) -> AcceptRows {
    let idempotency =
        IdempotencyRow { credential: 4, key: [6; 16], request: [7; 32], answer: vec![u8::try_from(id).unwrap()] };
    let mut rows = taking(id, u8::try_from(id).unwrap());
    (rows.idempotency, rows.at) = (Some(idempotency), at);
    rows
}

/// Seconds from the midnight that begins the story's day, with one key from two nodes at once.
async fn same_key(first: i64, second: i64) -> (AcceptOutcome, AcceptOutcome) {
    let two = Two::new().await;
    two.hold_acceptances().await;
    let earlier = accepting(&two.one, keyed(1, at(first)));
    two.until_waiting(1).await;
    let later = accepting(&two.two, keyed(2, at(second)));
    two.until_waiting(2).await;
    two.let_go().await;
    let outcomes = (earlier.await.unwrap().unwrap(), later.await.unwrap().unwrap());
    let kept = two.one.idempotency(SHOP, 4, [6; 16]).await.unwrap().unwrap();
    assert_eq!(kept.answer, [1], "the answer is the first one's, never a guard's");
    outcomes
}

#[tokio::test]
async fn a_key_is_used_once_also_by_two_nodes_and_over_midnight() {
    let once = (AcceptOutcome::Done, AcceptOutcome::Repeated);
    assert_eq!(same_key(50_000, 50_001).await, once);
    assert_eq!(same_key(-1, 1).await, once, "before midnight, then after");
    assert_eq!(same_key(1, -1).await, once, "after midnight, then by a clock that is behind");
    assert_eq!(same_key(3_599, -1).await, once, "so long it is guarded");
}

#[tokio::test]
async fn a_key_is_found_a_day_later_and_not_for_ever() {
    let two = Two::new().await;
    let day = 86_400;
    assert_eq!(two.one.accept(keyed(1, at(5_000))).await.unwrap(), AcceptOutcome::Done);
    assert_eq!(two.two.accept(keyed(2, at(5_000 + day - 1))).await.unwrap(), AcceptOutcome::Repeated);
    assert_eq!(two.two.accept(keyed(3, at(2 * day - 1))).await.unwrap(), AcceptOutcome::Repeated);
    assert_eq!(two.two.accept(keyed(4, at(2 * day))).await.unwrap(), AcceptOutcome::Done);
}

fn erasure(n: u8) -> Change {
    Change::Restrict { controller: SHOP, tag: tag(n), kind: "erased", at: at(1) }
}

#[tokio::test]
async fn gdpr_17_an_erasure_waits_for_acceptances_and_they_for_it() {
    let two = Two::new().await;
    two.hold_acceptances().await;
    let before = accepting(&two.one, taking(1, 1));
    two.until_waiting(1).await;
    let erased = changing(&two.two, erasure(1));
    two.until_waiting(2).await;
    // Whoever comes after the erasure stands behind it, also while acceptances before it are under way.
    let after = accepting(&two.one, taking(2, 1));
    two.until_waiting(3).await;
    assert!(two.one.message(SHOP, 1).await.unwrap().is_none());
    two.let_go().await;
    assert_eq!(before.await.unwrap().unwrap(), AcceptOutcome::Done);
    assert_eq!(erased.await.unwrap().unwrap(), [1]);
    assert_eq!(after.await.unwrap().unwrap(), AcceptOutcome::Erased);
    assert_eq!(two.rows("message").await, 1);
}

#[tokio::test]
async fn a_wish_does_not_wait_for_acceptances() {
    let two = Two::new().await;
    two.hold_acceptances().await;
    let held = accepting(&two.one, taking(1, 1));
    two.until_waiting(1).await;
    // However busy a sender is: only an erasure waits for what he sends.
    let (scope, reason) = ("all".to_owned(), "objection".to_owned());
    let row = SuppressionRow { controller: SHOP, tag: tag(1), scope, reason, since: at(1), until: None, address: None };
    assert_eq!(two.two.change(vec![(Change::Suppress(row), None)]).await.unwrap(), [1]);
    let restricted = Change::Restrict { controller: SHOP, tag: tag(1), kind: "restricted", at: at(1) };
    assert_eq!(two.two.change(vec![(restricted, None)]).await.unwrap(), [1]);
    assert!(!held.is_finished());
    two.let_go().await;
    assert_eq!(held.await.unwrap().unwrap(), AcceptOutcome::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_allowance_is_never_passed_by_two_nodes() {
    let two = Two::new().await;
    let asking = (1..=20_u8).map(|n| {
        let engine = if n % 2 == 0 { &two.one } else { &two.two };
        let rows = AcceptRows { quota_max: QUOTA, ..taking(n.into(), n) };
        accepting(engine, rows)
    });
    let mut done = 0;
    for asked in asking.collect::<Vec<_>>() {
        match asked.await.unwrap().unwrap() {
            AcceptOutcome::Done => done += 1,
            outcome => assert_eq!(outcome, AcceptOutcome::Quota),
        }
    }
    assert_eq!(done, QUOTA);
    assert_eq!(two.rows("message").await, 6);
    for engine in [&two.one, &two.two] {
        assert_eq!(engine.quota_used(SHOP, DAY).await.unwrap(), QUOTA);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_allowance_is_used_up_by_two_nodes_and_never_passed() {
    let two = Two::new().await;
    let left: usize = 300;
    let allowed = 20_000;
    two.eye.say(&format!("UPDATE quota SET used = {allowed} - {left}")).await;
    let mut done = 0;
    for round in 0..10_i64 {
        let asking = (0..40_i64).map(|n| {
            let engine = if n % 2 == 0 { &two.one } else { &two.two };
            let mut rows = taking(round * 100 + n + 1, 1);
            // The clock goes on: grants grow with the pace.
            (rows.quota_max, rows.at) = (allowed, at(round));
            accepting(engine, rows)
        });
        for asked in asking.collect::<Vec<_>>() {
            done += usize::from(asked.await.unwrap().unwrap() == AcceptOutcome::Done);
        }
        let used = two.eye.count("SELECT used FROM quota").await;
        assert!(used <= i64::try_from(allowed).unwrap() && done <= left);
    }
    // Each node asks once more, so that neither keeps what the other lacks for want of an occasion.
    two.one.close().await;
    for id in 5_000..5_000 + i64::try_from(left).unwrap() {
        let mut rows = taking(id, 1);
        rows.quota_max = allowed;
        if two.two.accept(rows).await.unwrap() == AcceptOutcome::Quota {
            break;
        }
        done += 1;
    }
    assert_eq!(done, left, "to the last one");
    assert_eq!(two.two.quota_used(SHOP, DAY).await.unwrap(), allowed);
}

#[tokio::test]
async fn a_grant_is_had_at_once_counts_as_unused_and_goes_back() {
    let two = Two::new().await;
    let large = |id: i64, at, day| {
        let mut rows = taking(id, 1);
        (rows.quota_max, rows.at, rows.day) = (1_000_000, at, day);
        rows
    };
    for id in 1..=5 {
        assert_eq!(two.one.accept(large(id, at(0), DAY)).await.unwrap(), AcceptOutcome::Done);
    }
    let granted = two.eye.count("SELECT used FROM quota").await;
    assert!(granted > 5, "{granted}");
    assert_eq!(two.one.quota_used(SHOP, DAY).await.unwrap(), 5, "by whoever holds it");
    assert_eq!(two.two.quota_used(SHOP, DAY).await.unwrap(), u64::try_from(granted).unwrap(), "by the others");
    // A refusal gives back what it took.
    let mut taken = large(5, at(0), DAY);
    taken.messages[0].event = [99; 16];
    assert!(two.one.accept(taken).await.is_err());
    assert_eq!(two.one.quota_used(SHOP, DAY).await.unwrap(), 5);
    // So does the next day, and closing.
    assert_eq!(two.one.accept(large(6, at(86_400), DAY + 1)).await.unwrap(), AcceptOutcome::Done);
    assert_eq!(two.eye.count(&format!("SELECT used FROM quota WHERE day = {DAY}")).await, 5);
    assert_eq!(two.one.accept(large(7, at(86_399), DAY)).await.unwrap(), AcceptOutcome::Done, "a straggler");
    assert_eq!(two.eye.count(&format!("SELECT used FROM quota WHERE day = {DAY}")).await, 6);
    assert_eq!(two.one.accept(large(8, at(86_400), DAY + 1)).await.unwrap(), AcceptOutcome::Done);
    assert!(two.eye.count(&format!("SELECT used FROM quota WHERE day = {DAY} + 1")).await > 2);
    two.one.close().await;
    assert_eq!(two.eye.count(&format!("SELECT used FROM quota WHERE day = {DAY} + 1")).await, 2);
}

/// Marketing for one person, counted over a version.
fn counted(id: i64, version: i64) -> AcceptRows {
    let (times, ends) = (vec![u8::try_from(id).unwrap(); 16], at(1_000));
    let row = MailedRow { controller: SHOP, tag: tag(1), version, times, ends };
    AcceptRows { mailed: vec![row], ..taking(id, 1) }
}

#[tokio::test]
async fn art28_3_a_two_nodes_never_count_two_messages_as_one() {
    let two = Two::new().await;
    two.hold_acceptances().await;
    let first = accepting(&two.one, counted(1, 1));
    two.until_waiting(1).await;
    let second = accepting(&two.two, counted(2, 1));
    two.until_waiting(2).await;
    two.let_go().await;
    assert_eq!(first.await.unwrap().unwrap(), AcceptOutcome::Done);
    assert_eq!(second.await.unwrap().unwrap(), AcceptOutcome::Mailed);
    let kept = || async { two.one.persons(vec![question(SHOP, 1)]).await.unwrap().remove(0).mailed };
    assert_eq!(kept().await, Some((1, vec![1; 16])));
    // Two that come together on one node are no better; over the version that is there one is counted.
    let (third, fourth) = (accepting(&two.one, counted(3, 2)), accepting(&two.one, counted(4, 2)));
    let mut outcomes = [third.await.unwrap().unwrap(), fourth.await.unwrap().unwrap()];
    outcomes.sort_by_key(|outcome| *outcome != AcceptOutcome::Done);
    assert_eq!(outcomes, [AcceptOutcome::Done, AcceptOutcome::Mailed]);
    assert_eq!((kept().await.unwrap().0, two.rows("message").await), (2, 2));
}
