//! Outcomes: each counts once, whoever tells it, and bodies go with the last message.

use super::*;
use crate::conformance::rows::{deferred, ended};

/// Messages `ids` that share a body in a file.
async fn sharing(two: &Two, ids: &[i64]) {
    let messages = ids.iter().map(|id| message(*id, u8::try_from(*id).unwrap(), ids[0])).collect();
    let mut rows = AcceptRows { quota_max: 1_000, ..acceptance(messages) };
    rows.body.place = BodyPlace::File;
    assert_eq!(two.one.accept(rows).await.unwrap(), AcceptOutcome::Done);
}

fn lost(id: i64) -> SettleRow {
    SettleRow { event_word: "uncertain", uncertain: true, code: None, ..deferred(id, id, 1) }
}

async fn words(two: &Two, id: i64) -> Vec<(String, bool)> {
    let record = two.two.message(SHOP, id).await.unwrap().unwrap();
    record.attempts.into_iter().map(|attempt| (attempt.event_word, attempt.uncertain)).collect()
}

#[tokio::test]
async fn an_outcome_told_by_two_counts_once() {
    let two = Two::new().await;
    sharing(&two, &[1]).await;
    two.brake.say("BEGIN; SELECT refs FROM body FOR UPDATE").await;
    let first = settling(&two.one, vec![ended(1, 1, 1, "delivered")]);
    two.until_waiting(1).await;
    let second = settling(&two.two, vec![ended(1, 1, 1, "delivered")]);
    two.until_waiting(2).await;
    two.let_go().await;
    assert_eq!(first.await.unwrap().unwrap(), [1]);
    assert!(second.await.unwrap().unwrap().is_empty());
    assert_eq!(two.said().await, ["accepted 1", "deferred 1"]);
    assert_eq!((two.rows("attempt").await, two.rows("queue").await, two.rows("body").await), (1, 0, 0));
}

#[tokio::test]
async fn an_outcome_whose_session_dies_is_told_again_and_counts_once() {
    let two = Two::new().await;
    sharing(&two, &[1]).await;
    two.brake.say("BEGIN; SELECT refs FROM body FOR UPDATE").await;
    let telling = settling(&two.one, vec![ended(1, 1, 1, "delivered")]);
    two.until_waiting(1).await;
    let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
        AND datname = current_database()";
    two.eye.say(waiting).await;
    // It comes again, by another session.
    two.until_waiting(1).await;
    two.let_go().await;
    assert_eq!(telling.await.unwrap().unwrap(), [1]);
    assert_eq!(two.said().await, ["accepted 1", "deferred 1"]);
}

#[tokio::test]
async fn whoever_was_taken_for_dead_puts_right_what_was_recorded_for_him() {
    let two = Two::new().await;
    sharing(&two, &[1]).await;
    // Somebody records the attempt as lost, while its node tells the end after all.
    two.brake.say("BEGIN; SELECT id FROM queue FOR UPDATE").await;
    let recovery = settling(&two.two, vec![lost(1)]);
    two.until_waiting(1).await;
    let zombie = settling(&two.one, vec![ended(1, 1, 1, "delivered")]);
    two.until_waiting(2).await;
    two.let_go().await;
    assert!(recovery.await.unwrap().unwrap().is_empty());
    assert_eq!(zombie.await.unwrap().unwrap(), [1]);
    assert_eq!(words(&two, 1).await, [("delivered".to_owned(), true)], "marked: it may have been sent twice");
    assert_eq!(two.two.message(SHOP, 1).await.unwrap().unwrap().state, "delivered");
    assert_eq!((two.rows("queue").await, two.rows("body").await), (0, 0));
    assert_eq!(two.said().await.len(), 3, "both are said");
}

#[tokio::test]
async fn what_was_told_in_time_is_not_taken_for_lost() {
    let two = Two::new().await;
    sharing(&two, &[1]).await;
    two.brake.say("BEGIN; SELECT id FROM queue FOR UPDATE").await;
    let told = settling(&two.one, vec![deferred(1, 1, 1)]);
    two.until_waiting(1).await;
    let recovery = settling(&two.two, vec![lost(1)]);
    two.until_waiting(2).await;
    two.let_go().await;
    told.await.unwrap().unwrap();
    recovery.await.unwrap().unwrap();
    assert_eq!(words(&two, 1).await, [("deferred".to_owned(), false)]);
    assert_eq!(two.eye.say("SELECT attempts || ' ' || uncertain || ' ' || due FROM queue").await.unwrap(), {
        format!("1 0 {}", at(100).micros())
    });
    assert_eq!(two.said().await, ["accepted 1", "deferred 1"]);
}

#[tokio::test]
async fn a_body_goes_with_the_last_message_also_when_two_end_at_once() {
    let two = Two::new().await;
    sharing(&two, &[1, 2, 3, 4]).await;
    two.brake.say("BEGIN; SELECT refs FROM body FOR UPDATE").await;
    let first = settling(&two.one, vec![ended(1, 1, 1, "delivered"), ended(2, 1, 1, "bounced")]);
    let second = settling(&two.two, vec![ended(3, 1, 1, "delivered"), ended(4, 1, 1, "delivered")]);
    two.until_waiting(2).await;
    assert_eq!(two.rows("body").await, 1);
    two.let_go().await;
    let freed = (first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
    assert!(matches!((freed.0.as_slice(), freed.1.as_slice()), ([1], []) | ([], [1])), "{freed:?}");
    assert_eq!(two.rows("body").await, 0);
}

#[tokio::test]
async fn a_body_that_somebody_needs_stays() {
    let two = Two::new().await;
    sharing(&two, &[1, 2, 3]).await;
    two.brake.say("BEGIN; SELECT refs FROM body FOR UPDATE").await;
    let first = settling(&two.one, vec![ended(1, 1, 1, "delivered")]);
    let second = settling(&two.two, vec![ended(2, 1, 1, "delivered")]);
    two.until_waiting(2).await;
    two.let_go().await;
    assert!(first.await.unwrap().unwrap().is_empty() && second.await.unwrap().unwrap().is_empty());
    assert_eq!(two.eye.count("SELECT refs FROM body").await, 1);
    assert_eq!(two.one.settle(vec![ended(3, 1, 1, "delivered")]).await.unwrap(), [1]);
}

#[tokio::test]
async fn a_hold_told_by_two_is_one_event() {
    let two = Two::new().await;
    sharing(&two, &[1]).await;
    let held =
        || SettleRow { event_word: "held", held_until: Some(at(2_000)), rule: Some("case-open"), ..deferred(1, 1, 1) };
    two.brake.say("BEGIN; SELECT id FROM message FOR UPDATE").await;
    let first = settling(&two.one, vec![held()]);
    let second = settling(&two.two, vec![held()]);
    two.until_waiting(2).await;
    two.let_go().await;
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(words(&two, 1).await, [("held".to_owned(), false)]);
    assert_eq!(two.said().await, ["accepted 1", "deferred 1"]);
}
