//! A person is being forgotten while somebody begins to use his secret: one of the two finds that it is too late.

use super::*;
use crate::conformance::rows::{slot, tag};
use model::{ControllerId, RecipientTag, Timestamp};

const SINCE: i64 = 1_000;

fn ends() -> Change {
    let since = Timestamp::from_micros(SINCE);
    Change::Rows(crate::permission::ending(ControllerId(SHOP), RecipientTag(tag(1)), since))
}

fn stays() -> Change {
    Change::Rows(crate::permission::staying(ControllerId(SHOP), RecipientTag(tag(1)), slot(1), at(7)))
}

/// A person of whom nothing may speak any more; his row is held.
async fn left(two: &Two) {
    let slot = slot(1);
    let row = format!("{SHOP}, '\\x{}', {}, {}, 1, {SINCE}", "01".repeat(16), slot.block, slot.slot);
    two.eye
        .say(&format!("INSERT INTO subject (controller, tag, block, slot, normaliser, leaving) VALUES ({row})"))
        .await;
    two.brake.say("BEGIN; SELECT 1 FROM subject FOR UPDATE").await;
}

#[tokio::test]
async fn art5_1_e_whose_secret_is_needed_first_is_not_forgotten() {
    let two = Two::new().await;
    left(&two).await;
    let needed = changing(&two.one, stays());
    two.until_waiting(1).await;
    let forgotten = changing(&two.two, ends());
    two.until_waiting(2).await;
    two.let_go().await;
    assert_eq!((needed.await.unwrap().unwrap(), forgotten.await.unwrap().unwrap()), (vec![1], vec![0]));
    assert_eq!(two.eye.count("SELECT leaving FROM subject").await, at(7).micros());
}

#[tokio::test]
async fn art5_1_e_who_is_forgotten_first_has_no_secret_to_be_used() {
    let two = Two::new().await;
    left(&two).await;
    let forgotten = changing(&two.two, ends());
    two.until_waiting(1).await;
    let needed = changing(&two.one, stays());
    two.until_waiting(2).await;
    two.let_go().await;
    assert_eq!((needed.await.unwrap().unwrap(), forgotten.await.unwrap().unwrap()), (vec![0], vec![1]));
    assert_eq!(two.eye.count("SELECT leaving FROM subject").await, 0);
}

#[tokio::test]
async fn art5_1_e_of_two_that_forget_a_person_one_does() {
    let two = Two::new().await;
    left(&two).await;
    let (first, second) = (changing(&two.one, ends()), changing(&two.two, ends()));
    two.until_waiting(2).await;
    two.let_go().await;
    let mut touched = [first.await.unwrap().unwrap(), second.await.unwrap().unwrap()].concat();
    touched.sort_unstable();
    assert_eq!(touched, [0, 1], "and the ledger says it once");
}
