//! Taking messages in.

use super::rows::{DAY, OTHER, QUOTA, SHOP, acceptance, at, message, question, slot, tag};
use crate::engine::*;

#[expect(clippy::cognitive_complexity, reason = "assertions in a row, each expanded by its macro")]
pub(super) async fn tell(engine: &dyn Engine) {
    let before = engine.inbox(None, 100).await.unwrap().len();
    let mut first = acceptance(vec![message(101, 1, 101)]);
    first.idempotency =
        Some(IdempotencyRow { credential: 4, key: [6; 16], request: [7; 32], answer: b"sealed answer".to_vec() });
    assert_eq!(engine.accept(first.clone()).await.unwrap(), AcceptOutcome::Done);

    let person = engine.persons(vec![question(SHOP, 1)]).await.unwrap();
    assert_eq!(person[0].slot, Some(slot(1)));
    assert_eq!(engine.quota_used(SHOP, DAY).await.unwrap(), 1);
    assert_eq!(engine.quota_used(SHOP, DAY + 1).await.unwrap(), 0);
    assert_eq!(engine.inbox(None, 100).await.unwrap().len(), before + 1);
    let kept = engine.idempotency(SHOP, 4, [6; 16]).await.unwrap().unwrap();
    assert_eq!((kept.request, kept.answer.as_slice()), ([7; 32], &b"sealed answer"[..]));
    assert!(engine.idempotency(OTHER, 4, [6; 16]).await.unwrap().is_none());

    // The same key again: nothing kept, not even for another message.
    first.messages = vec![message(102, 2, 102)];
    assert_eq!(engine.accept(first).await.unwrap(), AcceptOutcome::Repeated);
    assert!(engine.message(SHOP, 102).await.unwrap().is_none());
    assert_eq!(engine.persons(vec![question(SHOP, 2)]).await.unwrap()[0].slot, None);

    let content = engine.contents(vec![101, 102]).await.unwrap();
    let content = (content[0].as_ref().unwrap(), content[1].is_none());
    assert_eq!((content.0.envelope.as_slice(), content.0.head.as_slice()), (&[1, 1][..], &[2, 1][..]));
    assert_eq!((content.0.body.key, content.0.body.refs), (BodyKey::Subject(slot(1)), 1));
    assert_eq!(&content.0.body.sealed[..], b"sealed body 101");
    assert!(content.1);
    let record = engine.message(SHOP, 101).await.unwrap().unwrap();
    assert_eq!((record.state.as_str(), record.slot, record.attempts.len()), ("queued", slot(1), 0));
    assert!(engine.message(OTHER, 101).await.unwrap().is_none());
}

/// Slots, quota and ids that clash.
#[expect(clippy::cognitive_complexity, reason = "assertions in a row, each expanded by its macro")]
pub(super) async fn tell_of_races(engine: &dyn Engine) {
    // Person 1 got slot 1; another acceptance believed he had none and took slot 77 for him.
    let mut late = message(103, 1, 103);
    late.slot = slot(77);
    let pair = acceptance(vec![message(104, 3, 104), late]);
    assert_eq!(engine.accept(pair).await.unwrap(), AcceptOutcome::SlotTaken);
    assert!(engine.message(SHOP, 104).await.unwrap().is_none());
    assert_eq!(engine.persons(vec![question(SHOP, 3)]).await.unwrap()[0].slot, None);
    assert_eq!(engine.quota_used(SHOP, DAY).await.unwrap(), 1);

    // A shared body in a file, one recipient of it known already.
    let mut known = message(106, 1, 105);
    known.slot_is_new = false;
    let mut shared = acceptance(vec![message(105, 4, 105), known]);
    shared.body.place = BodyPlace::File;
    shared.body.sealed = bytes::Bytes::new();
    assert_eq!(engine.accept(shared).await.unwrap(), AcceptOutcome::Done);
    assert_eq!(engine.bodies_outside(vec![101, 105, 999]).await.unwrap(), [105]);
    assert_eq!(engine.contents(vec![106]).await.unwrap()[0].as_ref().unwrap().body.key, BodyKey::Epoch(11));

    // The last of the day's allowance, and one more.
    let held = MessageRow { state: "held", rule: Some("reputation-hold"), due: at(500), ..message(107, 5, 107) };
    let bulk = MessageRow { class: 1, due: at(5), expires: at(60), ..message(108, 6, 107) };
    assert_eq!(engine.accept(acceptance(vec![held, bulk])).await.unwrap(), AcceptOutcome::Done);
    let pair = acceptance(vec![message(109, 7, 109), message(110, 8, 109)]);
    assert_eq!(engine.accept(pair).await.unwrap(), AcceptOutcome::Quota);
    assert_eq!(engine.quota_used(SHOP, DAY).await.unwrap(), QUOTA - 1);
    assert_eq!(engine.accept(acceptance(vec![message(111, 9, 111)])).await.unwrap(), AcceptOutcome::Done);
    assert_eq!(engine.accept(acceptance(vec![message(112, 9, 112)])).await.unwrap(), AcceptOutcome::Quota);
    let mut none = acceptance(vec![message(112, 9, 112)]);
    (none.quota_max, none.day) = (0, DAY + 5);
    assert_eq!(engine.accept(none).await.unwrap(), AcceptOutcome::Quota);
    assert_eq!(engine.quota_used(SHOP, DAY).await.unwrap(), QUOTA);

    // GDPR Art. 17: for a person erased meanwhile nothing is kept.
    let erased = Change::Restrict { controller: SHOP, tag: tag(20), kind: "erased", at: at(1) };
    engine.change(vec![(erased, None)]).await.unwrap();
    let pair = AcceptRows { day: DAY + 9, ..acceptance(vec![message(230, 22, 230), message(220, 20, 230)]) };
    assert_eq!(engine.accept(pair).await.unwrap(), AcceptOutcome::Erased);
    assert!(engine.message(SHOP, 220).await.unwrap().is_none() && engine.message(SHOP, 230).await.unwrap().is_none());
    assert_eq!(engine.quota_used(SHOP, DAY + 9).await.unwrap(), 0);

    // An id that is there already is a fault, and keeps nothing.
    let mut clash = acceptance(vec![message(111, 10, 113)]);
    (clash.body.id, clash.quota_max) = (113, QUOTA + 1);
    assert!(engine.accept(clash).await.is_err());
    assert_eq!(engine.quota_used(SHOP, DAY).await.unwrap(), QUOTA);
    assert_eq!(engine.persons(vec![question(SHOP, 10)]).await.unwrap()[0].slot, None);
}
