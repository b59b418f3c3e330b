//! Group commit: who shares a transaction, and who is left alone.

use super::*;
use crate::conformance::rows::ended;
use crate::error::Error;

/// Brakes the lane of the first node, so that what follows gathers in one batch.
async fn gathered(two: &Two, follow: Vec<AcceptRows>) -> Vec<Result<AcceptOutcome>> {
    two.hold_acceptances().await;
    // One job for each worker.
    let mut holders = Vec::new();
    for (id, worker) in (900..).zip(1..=2) {
        holders.push(accepting(&two.one, taking(id, u8::try_from(90 + worker).unwrap())));
        two.until_waiting(worker).await;
    }
    let asked: Vec<_> = follow.into_iter().map(|rows| accepting(&two.one, rows)).collect();
    // They are in the lane when their tasks have run.
    breathe().await;
    two.let_go().await;
    for holder in holders {
        assert_eq!(holder.await.unwrap().unwrap(), AcceptOutcome::Done);
    }
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(asked.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn a_bad_job_hurts_only_itself() {
    let two = Two::new().await;
    assert_eq!(two.two.accept(taking(5, 50)).await.unwrap(), AcceptOutcome::Done);
    let mut follow: Vec<AcceptRows> = (1..=9).map(|id| taking(id, u8::try_from(id).unwrap())).collect();
    // Number 5 has an id that is taken, 7 a key that was used, 8 wants too much, 9 another secret than 1 gives.
    follow[6].idempotency = Some(IdempotencyRow { credential: 4, key: [6; 16], request: [7; 32], answer: vec![1] });
    let mut used = taking(60, 60);
    used.idempotency.clone_from(&follow[6].idempotency);
    assert_eq!(two.two.accept(used).await.unwrap(), AcceptOutcome::Done);
    follow[7].quota_max = 0;
    follow[8].messages[0].tag = follow[0].messages[0].tag;
    let answers = gathered(&two, follow).await;
    let outcome = |n: usize| answers[n - 1].as_ref().map(|outcome| *outcome);
    for good in [1, 2, 3, 4, 6] {
        assert_eq!(outcome(good).unwrap(), AcceptOutcome::Done, "{good}");
    }
    assert!(matches!(outcome(5), Err(Error::Engine(words)) if words.contains("there already")));
    assert_eq!(outcome(7).unwrap(), AcceptOutcome::Repeated);
    assert_eq!(outcome(8).unwrap(), AcceptOutcome::Quota);
    assert_eq!(outcome(9).unwrap(), AcceptOutcome::SlotTaken);
    // Two of the second node, two holders, five good ones.
    assert_eq!((two.rows("message").await, two.rows("queue").await, two.rows("body").await), (9, 9, 9));
    assert_eq!((two.one.quota_used(SHOP, DAY).await.unwrap(), two.said().await.len()), (9, 9));
}

#[tokio::test]
async fn what_is_accepted_twice_by_the_same_rows_is_accepted_once() {
    // So a second run finds what the first one did, whose COMMIT was not answered.
    let two = Two::new().await;
    let mut rows = AcceptRows { quota_max: 1_000, ..acceptance(vec![message(1, 1, 1), message(2, 2, 1)]) };
    rows.idempotency = Some(IdempotencyRow { credential: 4, key: [6; 16], request: [7; 32], answer: vec![1] });
    for _ in 0..2 {
        assert_eq!(two.one.accept(rows.clone()).await.unwrap(), AcceptOutcome::Done);
    }
    let answers = gathered(&two, vec![rows, taking(3, 3)]).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(AcceptOutcome::Done))), "{answers:?}");
    assert_eq!((two.rows("message").await, two.said().await.len()), (5, 5));
    assert_eq!(two.one.quota_used(SHOP, DAY).await.unwrap(), 5);
}

#[tokio::test]
async fn a_session_that_dies_in_its_commit_is_run_again() {
    let two = Two::new().await;
    // The first COMMIT ends its own session: a deferred check does it, and remembers by what is never rolled back.
    two.eye
        .say(
            "CREATE SEQUENCE falls; CREATE FUNCTION fall() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN IF nextval(''falls'') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; \
             RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER fall AFTER INSERT ON queue DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION fall()",
        )
        .await;
    assert_eq!(two.one.accept(taking(1, 1)).await.unwrap(), AcceptOutcome::Done);
    assert_eq!(two.eye.count("SELECT last_value FROM falls").await, 2);
    assert_eq!((two.rows("message").await, two.one.quota_used(SHOP, DAY).await.unwrap()), (1, 1));
}

#[tokio::test]
async fn what_was_given_is_done_also_when_nobody_waits_and_before_closing() {
    let two = Two::new().await;
    two.hold_acceptances().await;
    let given = accepting(&two.one, taking(1, 1));
    two.until_waiting(1).await;
    given.abort();
    assert!(given.await.unwrap_err().is_cancelled());
    let closing = tokio::spawn({
        let engine = Arc::clone(&two.one);
        async move { engine.close().await }
    });
    breathe().await;
    assert!(!closing.is_finished());
    two.let_go().await;
    within("the end", closing).await.unwrap();
    assert_eq!(two.rows("message").await, 1);
    assert!(matches!(two.one.accept(taking(2, 2)).await, Err(Error::Closed)));
    assert!(matches!(two.one.settle(vec![ended(1, 1, 1, "delivered")]).await, Err(Error::Closed)));
    let lease = PartLease { part: 0, epoch: 1 };
    assert!(matches!(two.one.start(starting(1, 1, lease)).await, Err(Error::Closed)));
}
