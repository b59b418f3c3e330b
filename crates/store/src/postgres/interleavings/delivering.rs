//! Starts: fenced by the lease, and each attempt once.

use super::*;

/// Two nodes; the first one holds the partition, and message 1 and 2 wait.
async fn ready() -> (Two, PartLease) {
    let two = Two::new().await;
    for id in 1..=2 {
        assert_eq!(two.one.accept(taking(id, 1)).await.unwrap(), AcceptOutcome::Done);
    }
    let lease = two.take(&two.one, two.seats[0]).await;
    (two, lease)
}

/// The first node is silent for long, and the second one takes what it held.
async fn take_over(two: &Two) -> PartLease {
    two.eye.say(&format!("UPDATE node SET seen = 0 WHERE incarnation = {}", two.seats[0].incarnation)).await;
    two.take(&two.two, two.seats[1]).await
}

async fn begun(engine: &PostgresEngine, id: i64, lease: PartLease) -> bool {
    engine.start(starting(id, 1, lease)).await.unwrap().begun
}

#[tokio::test]
async fn nothing_begins_without_the_lease() {
    let (two, lease) = ready().await;
    assert!(!begun(&two.two, 1, lease).await, "it is another's");
    assert!(!begun(&two.one, 1, PartLease { epoch: lease.epoch + 1, ..lease }).await);
    assert!(!begun(&two.one, 1, PartLease { epoch: lease.epoch - 1, ..lease }).await);
    assert!(!begun(&two.one, 1, PartLease { part: 1, ..lease }).await, "the row is in another partition");
    assert!(begun(&two.one, 1, lease).await);
    assert!(begun(&two.one, 1, lease).await, "said twice by the same node");
    assert!(two.one.started(Scope::default(), 10).await.unwrap().is_empty(), "it is alive, and knows of it");
    let later = take_over(&two).await;
    assert!(!begun(&two.one, 2, lease).await, "the lease is lost");
    assert!(begun(&two.two, 2, later).await);
}

#[tokio::test]
async fn a_start_before_the_take_is_found_by_whoever_takes() {
    let (two, lease) = ready().await;
    // The take is on its way, and not yet committed.
    let other = two.seats[1].incarnation;
    two.brake
        .say(&format!("BEGIN; UPDATE lease SET owner = {other}, epoch = epoch + 1 WHERE kind = 1 AND part = {PART}"))
        .await;
    assert!(begun(&two.one, 1, lease).await, "it is nobody else's yet");
    two.let_go().await;
    assert!(!begun(&two.one, 2, lease).await, "now it is");
    let later = PartLease { epoch: lease.epoch + 1, ..lease };
    assert!(!begun(&two.two, 1, later).await, "somebody is at it");
    assert!(begun(&two.two, 2, later).await);
    // While its node lives, it is that node's own; afterwards it is found.
    assert!(two.two.started(Scope::default(), 10).await.unwrap().is_empty());
    two.eye.say(&format!("UPDATE node SET seen = 0 WHERE incarnation = {}", two.seats[0].incarnation)).await;
    let found = |parts| {
        let engine = Arc::clone(&two.two);
        async move {
            let of = Scope { parts, from_id: 0 };
            engine.started(of, 10).await.unwrap().iter().map(|row| row.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(found(None).await, [1]);
    assert_eq!(found(Some(vec![PART])).await, [1]);
    assert!(found(Some(vec![PART + 1])).await.is_empty());
}

#[tokio::test]
async fn an_attempt_is_begun_by_one_node() {
    let (two, _) = ready().await;
    let later = take_over(&two).await;
    for (end, expected) in [("COMMIT", false), ("ROLLBACK", true)] {
        // A start of the first node from before the take, whose commit is late.
        let zombie = two.seats[0].incarnation;
        two.brake.say(&format!("BEGIN; UPDATE queue SET started = 1, starter = {zombie} WHERE id = 1")).await;
        let asking = tokio::spawn({
            let engine = Arc::clone(&two.two);
            async move { engine.start(starting(1, 1, later)).await }
        });
        two.until_waiting(1).await;
        two.brake.say(end).await;
        assert_eq!(asking.await.unwrap().unwrap().begun, expected, "{end}");
        two.eye.say("UPDATE queue SET started = NULL, starter = NULL").await;
    }
}

#[tokio::test]
async fn a_start_says_how_the_wishes_stand() {
    let (two, lease) = ready().await;
    let answer = |id| two.one.start(starting(id, 1, lease));
    assert_eq!(answer(1).await.unwrap().generation, None, "none was counted yet");
    let restricted = Change::Restrict { controller: SHOP, tag: [9; 16], kind: "restricted", at: at(1) };
    two.two.change(vec![(restricted, None)]).await.unwrap();
    assert_eq!(answer(2).await.unwrap(), StartAnswer { begun: true, generation: Some(1) });
    assert_eq!(answer(3).await.unwrap(), StartAnswer { begun: false, generation: None });
}

#[tokio::test]
async fn starts_of_a_burst_are_one_statement_and_each_gets_its_own_answer() {
    let (two, lease) = ready().await;
    let asked = tokio::join!(
        two.one.start(starting(2, 1, lease)),
        two.one.start(starting(2, 2, lease)),
        two.one.start(starting(1, 1, lease)),
        two.one.start(starting(9, 1, lease)),
    );
    let begun = [asked.0, asked.1, asked.2, asked.3].map(|answer| answer.unwrap().begun);
    assert_eq!(begun, [true, false, true, false]);
}
