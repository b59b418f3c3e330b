//! Keys and the ledger.

use super::rows::{DAY, OTHER, SHOP, at, slot};
use crate::engine::*;
use crate::error::Error;

const WIDTH: usize = 60;

fn key(kind: u8, epoch: i64) -> KeyRow {
    KeyRow { controller: SHOP, kind, epoch, sealed: vec![kind; 60], created: at(epoch) }
}

fn block() -> Vec<u8> {
    (0..=255_u8).flat_map(|n| [n.max(1); WIDTH]).collect()
}

pub(super) async fn tell_of_keys(engine: &dyn Engine) {
    assert!(engine.keys().await.unwrap().is_empty());
    for row in [key(1, 1), key(1, 2), key(2, 1)] {
        engine.put_key(row).await.unwrap();
    }
    assert!(matches!(engine.put_key(key(1, 1)).await, Err(Error::Exists { what: "key" })));
    engine.destroy_key(SHOP, 1, 1).await.unwrap();
    engine.destroy_key(OTHER, 2, 1).await.unwrap();
    let keys = engine.keys().await.unwrap();
    assert_eq!(keys.iter().map(|row| (row.kind, row.epoch)).collect::<Vec<_>>(), [(1, 2), (2, 1)]);
    assert_eq!((keys[0].sealed.as_slice(), keys[0].created), (&[1; 60][..], at(2)));

    engine.put_block(1, SHOP, block()).await.unwrap();
    assert!(matches!(engine.put_block(1, SHOP, block()).await, Err(Error::Exists { .. })));
    assert!(engine.put_block(2, SHOP, vec![1; 255]).await.is_err(), "256 slots do not fit in 255 bytes");
    engine.destroy_slots(vec![slot(255)]).await.unwrap();
    let missing = SlotRef { block: 9, slot: 0 };
    assert!(engine.destroy_slots(vec![missing]).await.is_err());
    let slots = engine.slots(vec![slot(254), slot(255), missing, slot(0), slot(254)]).await.unwrap();
    let full = |n: u8| Some(vec![n; WIDTH]);
    assert_eq!(slots, [full(254), None, None, full(1), full(254)]);
}

#[expect(clippy::cognitive_complexity, reason = "assertions in a row, each expanded by its macro")]
pub(super) async fn tell_of_the_ledger(engine: &dyn Engine) {
    let inbox = engine.inbox(None, 100).await.unwrap();
    assert!(inbox.windows(2).all(|pair| pair[0].0 < pair[1].0), "in the order of their ids");
    assert!(inbox.iter().any(|(_, row)| row.bytes == b"accepted 101"));
    assert_eq!(engine.inbox(None, 2).await.unwrap().len(), 2);
    let drained: Vec<i64> = inbox.iter().map(|(id, _)| *id).collect();
    let last = drained[drained.len() - 1];
    // An entry that comes in after the sequencer has read stays.
    engine.append(vec![EntryRow { controller: SHOP, bytes: b"later".to_vec() }]).await.unwrap();

    let chunk = |first, count: u8| ChunkRow { controller: SHOP, first, entries: vec![count; 9], count: count.into() };
    let head = |was, size| vec![HeadMove { was, head: HeadRow { controller: SHOP, size, frontier: vec![3; 32] } }];
    assert!(engine.sequence(vec![chunk(0, 10)], head(0, 10), drained).await.unwrap());
    let left = engine.inbox(None, 100).await.unwrap();
    assert_eq!(left.iter().map(|(_, row)| row.bytes.as_slice()).collect::<Vec<_>>(), [b"later"]);
    assert!(left[0].0 > last);

    assert!(engine.sequence(vec![chunk(10, 5), chunk(15, 1)], head(10, 16), vec![left[0].0]).await.unwrap());
    // A second sequencer with an older head is refused whole, and so is a chunk that is there already.
    assert!(!engine.sequence(vec![chunk(16, 1)], head(10, 11), Vec::new()).await.unwrap());
    assert!(!engine.sequence(vec![chunk(16, 1)], head(0, 1), Vec::new()).await.unwrap());
    assert!(engine.sequence(vec![chunk(10, 1)], head(16, 17), Vec::new()).await.is_err());
    assert_eq!(engine.heads().await.unwrap().len(), 1);

    let first = |rows: Vec<ChunkRow>| rows.iter().map(|row| (row.first, row.count)).collect::<Vec<_>>();
    assert_eq!(first(engine.chunks(SHOP, 0, 10).await.unwrap()), [(0, 10), (10, 5), (15, 1)]);
    assert_eq!(first(engine.chunks(SHOP, 9, 2).await.unwrap()), [(0, 10), (10, 5)]);
    assert_eq!(first(engine.chunks(SHOP, 12, 10).await.unwrap()), [(10, 5), (15, 1)]);
    assert!(engine.chunks(SHOP, 16, 10).await.unwrap().is_empty());
    assert!(engine.chunks(OTHER, 0, 10).await.unwrap().is_empty());
}

pub(super) async fn tell_what_lasted(engine: &dyn Engine) {
    let heads = engine.heads().await.unwrap();
    assert_eq!((heads[0].controller, heads[0].size, heads[0].frontier.as_slice()), (SHOP, 16, &[3; 32][..]));
    // Ids of the inbox are never given twice, not even when it was emptied before a restart.
    assert!(engine.inbox(None, 100).await.unwrap().is_empty());
    engine.append(vec![EntryRow { controller: SHOP, bytes: b"after".to_vec() }]).await.unwrap();
    assert!(engine.inbox(None, 100).await.unwrap()[0].0 > 1);
    assert_eq!(engine.slots(vec![slot(255)]).await.unwrap(), [None]);

    assert_eq!(engine.forget_idempotency(at(0)).await.unwrap(), 0);
    assert!(engine.idempotency(SHOP, 4, [6; 16]).await.unwrap().is_some());
    assert_eq!(engine.forget_idempotency(at(1)).await.unwrap(), 1);
    assert!(engine.idempotency(SHOP, 4, [6; 16]).await.unwrap().is_none());

    // A day's allowance is kept until nobody can ask for it.
    let of_day = async |now| {
        engine.keep(at(now)).await.unwrap();
        engine.quota_used(SHOP, DAY).await.unwrap()
    };
    assert_ne!(of_day(86_400).await, 0);
    assert_eq!(of_day(2 * 86_400).await, 0);
}
