//! Decisions whose ground moves while a message is taken in, and allowances that are used up to the last message.

use super::house::{BODY, House};
use bytes::Bytes;
use gate::Rule;
use mail::address::Address;
use model::instruction::Operation;
use model::message::{Draft, Heads};
use model::person::{SuppressionReason, SuppressionScope};
use mta::submission::{Answer, Submission};
use std::sync::Arc;
use store::Homing;
use tokio::runtime::Handle;
use tokio::task::{JoinSet, block_in_place};

fn draft(house: &House, to: &str) -> Draft {
    Draft {
        stream: house.stream,
        purpose: model::PurposeId::of_stream(house.stream),
        from: Address::parse("shop@sample.example").unwrap(),
        reverse_path: None,
        recipients: vec![Address::parse(to).unwrap()],
        heads: Heads::Same(Bytes::from_static(b"From: <shop@sample.example>\r\nSubject: Receipt\r\n\r\n")),
        body: Bytes::from_static(BODY.as_bytes()),
        metadata: String::new(),
        notices: Vec::new(),
    }
}

/// Somebody objects after the decision and before the commit; answers how often it was decided.
async fn taken_while_objecting(
    house: &House,
    objector: impl Fn(usize) -> Option<String> + Send + Sync,
) -> (usize, Result<Vec<Answer>, mta::Error>) {
    let mut decided = 0;
    let keep = |_: &[Answer]| {
        if let Some(address) = objector(decided) {
            let address = Address::parse(&address).unwrap();
            let (scope, reason) = (SuppressionScope::All, SuppressionReason::Objection);
            let objecting = house.store.suppress(house.controller, &address, scope, reason);
            block_in_place(|| Handle::current().block_on(objecting)).unwrap();
        }
        decided += 1;
        None
    };
    let ids = vec![house.store.new_message_id()];
    let answer = house.submission.accept_as(&house.authority, draft(house, "ada@dest.example"), ids, keep).await;
    (decided, answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gdpr_21_3_an_objection_between_decision_and_commit_is_heeded() {
    let house = House::new(Homing::Smarthost).await;
    let objector = |decided| (decided == 0).then(|| "ada@dest.example".to_owned());
    let (decided, answer) = taken_while_objecting(&house, objector).await;
    let answer = answer.unwrap().remove(0);
    assert!(matches!(answer, Answer::Refused(ref refusal) if refusal.rule() == Rule::Objected), "{answer:?}");
    assert_eq!(decided, 2);
    assert!(house.store.backlog().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twin_another_persons_objection_only_has_it_decided_anew() {
    let house = House::new(Homing::Smarthost).await;
    let objector = |decided| (decided == 0).then(|| "bob@dest.example".to_owned());
    let (decided, answer) = taken_while_objecting(&house, objector).await;
    assert!(matches!(answer.unwrap()[0], Answer::Queued(_)));
    assert_eq!(decided, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_never_rest_are_a_temporary_failure() {
    let house = House::new(Homing::Smarthost).await;
    let (_, answer) = taken_while_objecting(&house, |decided| Some(format!("p{decided}@dest.example"))).await;
    assert!(matches!(answer, Err(error) if error.temper() == mta::Temper::Temporary));
    assert!(house.store.backlog().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowance_can_be_used_up_by_many_at_once_to_the_last_message() {
    const ALLOWED: u64 = 24;
    let house = House::new(Homing::Smarthost).await;
    house.store.issue_instruction(house.controller, &Operation::ALL, &[house.stream], ALLOWED).await.unwrap();
    let mut sending = JoinSet::new();
    for number in 0..ALLOWED {
        let submission = Submission::new(Arc::clone(&house.store));
        let (authority, draft) = (house.authority.clone(), draft(&house, &format!("p{number}@dest.example")));
        sending.spawn(async move { submission.accept(&authority, draft, None).await.unwrap().remove(0) });
    }
    while let Some(answer) = sending.join_next().await {
        let answer = answer.unwrap();
        assert!(matches!(answer, Answer::Queued(_)), "{answer:?}");
    }
    let answer = house.try_send("late@dest.example").await;
    assert!(matches!(answer, Answer::Refused(ref refusal) if refusal.rule() == Rule::Quota), "{answer:?}");
}
