//! Starts, outcomes, recovery. In the queue at the beginning: 101 (alone), 105 and 106 (one body in a file),
//! 107 (held) and 108 (bulk; one body), 111.

use super::rows::{OTHER, SHOP, at, deferred, ended, question, tag};
use crate::engine::*;
use model::Timestamp;

const SITE: &str = "dest.example";

fn ids(rows: &[QueuedRow]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

/// The gate holds a message that is under way.
fn held(id: i64, attempt: u32) -> SettleRow {
    SettleRow {
        event_word: "held",
        held_until: Some(at(2_000)),
        rule: Some("case-open"),
        due: at(40),
        ..deferred(id, id, attempt)
    }
}

async fn start(engine: &dyn Engine, id: i64, attempt: u32) -> bool {
    let lease = super::lease(engine).await;
    engine.start(StartRow { id, attempt, at: at(10), lease }).await.unwrap().begun
}

#[expect(clippy::cognitive_complexity, reason = "assertions in a row, each expanded by its macro")]
pub(super) async fn tell_of_attempts(engine: &dyn Engine) {
    let backlog = engine.backlog(Scope::default()).await.unwrap();
    let lanes: Vec<_> = backlog.iter().map(|row| (row.class, row.controller, row.due, row.count)).collect();
    assert_eq!(lanes, [(0, SHOP, at(0), 5), (1, SHOP, at(5), 1)]);

    let due = engine.due(SITE, 0, SHOP, at(1), 10).await.unwrap();
    assert_eq!(ids(&due), [101, 105, 106, 111]);
    assert_eq!((due[0].attempts, due[0].uncertain, due[0].kind.as_str()), (0, false, "transactional"));
    assert_eq!((due[0].accepted, due[0].expires, due[0].tag), (at(0), at(1_000), tag(1)));
    assert_eq!(ids(&engine.due(SITE, 0, SHOP, at(1), 2).await.unwrap()), [101, 105]);
    assert_eq!(ids(&engine.due(SITE, 0, SHOP, at(600), 10).await.unwrap()), [101, 105, 106, 111, 107]);
    assert_eq!(ids(&engine.due(SITE, 1, SHOP, at(5), 10).await.unwrap()), [108]);
    assert!(engine.due(SITE, 0, OTHER, at(600), 10).await.unwrap().is_empty());
    assert!(engine.due("other.example", 0, SHOP, at(600), 10).await.unwrap().is_empty());

    assert_eq!(ids(&engine.expired(SITE, at(60), 200, 10).await.unwrap()), [108]);
    assert!(engine.expired(SITE, at(59), 200, 10).await.unwrap().is_empty());
    assert!(engine.expired(SITE, at(60), 108, 10).await.unwrap().is_empty());
    assert_eq!(ids(&engine.expired(SITE, at(1_000), 200, 2).await.unwrap()), [101, 105]);

    assert!(!start(engine, 101, 2).await, "the second attempt cannot begin before the first");
    assert!(!start(engine, 999, 1).await, "there is no such message");
    assert!(start(engine, 101, 1).await);
    assert_eq!(ids(&engine.due(SITE, 0, SHOP, at(1), 10).await.unwrap()), [105, 106, 111]);
    assert!(engine.settle(vec![deferred(101, 101, 1)]).await.unwrap().is_empty());
    assert!(!start(engine, 101, 1).await, "the first attempt is over");
    let row = &engine.due(SITE, 0, SHOP, at(100), 10).await.unwrap()[3];
    assert_eq!((row.id, row.attempts, row.due), (101, 1, at(100)));
    assert!(engine.started(Scope::default(), 10).await.unwrap().is_empty());

    // Two attempts are on their way when the node goes down.
    assert!(start(engine, 101, 2).await && start(engine, 105, 1).await);
}

pub(super) async fn tell_of_recovery(engine: &dyn Engine) {
    assert_eq!(ids(&engine.started(Scope::default(), 10).await.unwrap()), [101, 105]);
    assert_eq!(ids(&engine.started(Scope::default(), 1).await.unwrap()), [101]);
    let before = engine.inbox(None, 100).await.unwrap().len();
    let uncertain = SettleRow {
        event_word: "uncertain",
        due: at(20),
        started: None,
        code: None,
        enhanced: None,
        uncertain: true,
        ..deferred(101, 101, 2)
    };
    let held = held(105, 1);
    engine.settle(vec![uncertain.clone(), held.clone()]).await.unwrap();
    // Said twice, counted once.
    engine.settle(vec![uncertain, held]).await.unwrap();
    assert_eq!(engine.inbox(None, 100).await.unwrap().len(), before + 2);
    assert!(engine.started(Scope::default(), 10).await.unwrap().is_empty());
    let due = engine.due(SITE, 0, SHOP, at(20), 10).await.unwrap();
    assert_eq!(
        due.iter().map(|row| (row.id, row.attempts, row.uncertain)).collect::<Vec<_>>(),
        [(106, 0, false), (111, 0, false), (101, 2, true)]
    );
    assert_eq!(engine.message(SHOP, 105).await.unwrap().unwrap().state, "held");
    let record = engine.message(SHOP, 101).await.unwrap().unwrap();
    let attempts: Vec<_> =
        record.attempts.iter().map(|row| (row.attempt, row.event_word.as_str(), row.code, row.uncertain)).collect();
    assert_eq!(attempts, [(1, "deferred", Some(451), false), (2, "uncertain", None, true)]);
    assert_eq!(record.attempts[0].transcript, [5; 30]);
    assert_eq!(record.attempts[0].enhanced.as_deref(), Some("4.3.0"));
}

/// A hold is no attempt, and only the first in a row is an event. 105 is held.
#[expect(clippy::cognitive_complexity, reason = "assertions in a row, each expanded by its macro")]
pub(super) async fn tell_of_holds(engine: &dyn Engine) {
    let events = async || {
        let record = engine.message(SHOP, 105).await.unwrap().unwrap();
        record.attempts.iter().map(|row| (row.attempt, row.event_word.clone())).collect::<Vec<_>>()
    };
    let row = async || engine.due(SITE, 0, SHOP, at(500), 10).await.unwrap().into_iter().find(|row| row.id == 105);
    let before = engine.inbox(None, 100).await.unwrap().len();
    let first = row().await.unwrap();
    assert_eq!((first.attempts, first.due, first.expires), (0, at(40), at(2_000)), "no attempt, and it lives on");
    assert_eq!(events().await, [(0, "held".to_owned())]);

    let again = SettleRow { due: at(60), held_until: Some(at(1_500)), ..held(105, 1) };
    assert!(start(engine, 105, 1).await, "the number was not used up");
    engine.settle(vec![again]).await.unwrap();
    let second = row().await.unwrap();
    assert_eq!((second.attempts, second.due, second.expires), (0, at(60), at(2_000)), "never given up sooner");
    assert!(engine.started(Scope::default(), 10).await.unwrap().is_empty());
    assert_eq!(
        (events().await.len(), engine.inbox(None, 100).await.unwrap().len()),
        (1, before),
        "held on is no event"
    );

    // It goes on, and is held once more; a hold said late does not undo what came after it.
    let went_on = SettleRow { at: at(12), ..deferred(105, 105, 1) };
    engine.settle(vec![went_on, SettleRow { at: at(13), ..held(105, 2) }, held(105, 1)]).await.unwrap();
    let words = [(0, "held".to_owned()), (1, "deferred".to_owned()), (0, "held".to_owned())];
    assert_eq!(events().await, words);
    assert_eq!((row().await.unwrap().attempts, row().await.unwrap().due), (1, at(40)));
    assert_eq!(engine.inbox(None, 100).await.unwrap().len(), before + 2);
    assert_eq!(engine.message(SHOP, 105).await.unwrap().unwrap().state, "held");
}

/// An attempt whose number is taken cannot keep its message under way for ever.
pub(super) async fn tell_of_a_taken_number(engine: &dyn Engine) {
    // The first outcome comes after the second and sets the count back; then the second begins once more.
    engine.settle(vec![deferred(111, 111, 2)]).await.unwrap();
    engine.settle(vec![deferred(111, 111, 1)]).await.unwrap();
    assert!(start(engine, 111, 2).await);
    engine.settle(vec![deferred(111, 111, 2)]).await.unwrap();
    assert!(engine.started(Scope::default(), 10).await.unwrap().is_empty());
    let row = engine.due(SITE, 0, SHOP, at(500), 10).await.unwrap().into_iter().find(|row| row.id == 111).unwrap();
    assert_eq!((row.attempts, row.uncertain), (2, true), "the receiving system may have it");
    // The twin: an outcome that is only said twice changes nothing, also while the next attempt is under way.
    assert!(start(engine, 111, 3).await);
    engine.settle(vec![deferred(111, 111, 2)]).await.unwrap();
    // (Not among the started that are asked for: its node is alive, and several of them may share the rows.)
    let due = engine.due(SITE, 0, SHOP, at(500), 10).await.unwrap();
    assert!(due.iter().all(|row| row.id != 111), "it is under way still");
    engine.settle(vec![deferred(111, 111, 3)]).await.unwrap();
}

fn suppression(until: Option<Timestamp>) -> SuppressionRow {
    let (scope, reason) = ("delivery".to_owned(), "hard-bounce".to_owned());
    SuppressionRow { controller: SHOP, tag: tag(4), scope, reason, since: at(11), until, address: None }
}

#[expect(clippy::cognitive_complexity, reason = "assertions in a row, each expanded by its macro")]
pub(super) async fn tell_of_ends(engine: &dyn Engine) {
    let bounced = |until| SettleRow {
        suppress: Some((suppression(until), b"suppressed 4".to_vec())),
        code: Some(550),
        ..ended(105, 105, 2, "bounced")
    };
    // The body in a file is free only when the second of its messages has ended.
    let free = engine.settle(vec![ended(101, 101, 3, "delivered"), bounced(Some(at(90)))]).await.unwrap();
    assert!(free.is_empty());
    assert_eq!(engine.bodies_outside(vec![105]).await.unwrap(), [105]);
    let again = engine.settle(vec![bounced(None)]).await.unwrap();
    assert!(again.is_empty(), "an outcome said twice gives no body back twice");
    let person = &engine.persons(vec![question(SHOP, 4)]).await.unwrap()[0];
    assert_eq!(person.suppressions[0].until, Some(at(90)), "nor does it suppress twice");
    let said = engine.inbox(None, 1_000).await.unwrap();
    assert_eq!(said.iter().filter(|(_, row)| row.bytes == b"suppressed 4").count(), 1);
    // Another bounce adds nothing to the entry that stands, and the ledger says nothing of it.
    let another =
        SettleRow { suppress: Some((suppression(Some(at(99))), b"no news".to_vec())), ..deferred(111, 111, 4) };
    engine.settle(vec![another]).await.unwrap();
    assert!(engine.inbox(None, 1_000).await.unwrap().iter().all(|(_, row)| row.bytes != b"no news"));
    assert_eq!(engine.settle(vec![ended(106, 105, 1, "delivered")]).await.unwrap(), [105]);
    assert!(engine.bodies_outside(vec![105]).await.unwrap().is_empty());

    let contents = engine.contents(vec![101, 105, 106, 111]).await.unwrap();
    assert_eq!(contents.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, true]);
    let record = engine.message(SHOP, 105).await.unwrap().unwrap();
    assert_eq!((record.state.as_str(), record.attempts.len()), ("bounced", 4));
    assert_eq!(record.envelope, [1, 4], "the envelope stays for the timeline");
    assert!(!start(engine, 105, 3).await, "what has ended does not begin again");

    // An outcome that comes after the end is recorded, and changes nothing else.
    let free = engine.settle(vec![ended(106, 105, 9, "stopped")]).await.unwrap();
    assert!(free.is_empty());
    let record = engine.message(SHOP, 106).await.unwrap().unwrap();
    assert_eq!((record.state.as_str(), record.attempts.len()), ("delivered", 2));

    // Two messages on one body, ended in one commit; one stays in the queue.
    let rows = vec![ended(107, 107, 1, "stopped"), ended(108, 107, 1, "expired")];
    assert!(engine.settle(rows).await.unwrap().is_empty());
    let backlog = engine.backlog(Scope::default()).await.unwrap();
    assert_eq!(backlog.iter().map(|row| row.count).collect::<Vec<_>>(), [1]);
}
