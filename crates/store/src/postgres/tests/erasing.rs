//! GDPR Art. 17: what is destroyed is not in the table's file any more.

use super::{PostgresEngine, open, say};
use crate::engine::{Engine as _, KeyRow, SlotRef};
use model::Timestamp;
use testkit::postgres::database;

const WIDTH: usize = 60;

/// 256 slots, each of octets that occur nowhere else.
fn block(seed: u8) -> Vec<u8> {
    let slot = |n: u8| (0..WIDTH).map(move |at| u8::try_from(at).unwrap() ^ n ^ seed.wrapping_mul(31)).chain([]);
    (0..=255)
        .flat_map(|n| {
            let mut octets: Vec<u8> = slot(n).collect();
            (octets[0], octets[1], octets[2]) = (n, seed, 0xA5);
            octets
        })
        .collect()
}

fn slot(block: &[u8], n: u8) -> &[u8] {
    &block[usize::from(n) * WIDTH..][..WIDTH]
}

/// The table's file, as it is on the disk.
async fn file(engine: &PostgresEngine, table: &str) -> Vec<u8> {
    let text = format!("CHECKPOINT; SELECT encode(pg_read_binary_file(pg_relation_filepath('{table}')), 'hex')");
    let hex = say(&engine.core.keys, &text).await.unwrap();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.as_bytes().chunks(2).map(octet).collect()
}

fn holds(file: &[u8], octets: &[u8]) -> bool {
    file.windows(octets.len()).any(|window| window == octets)
}

#[tokio::test]
async fn gdpr_17_a_destroyed_secret_is_not_in_the_file() {
    let database = database().await;
    let engine = open(&database).await;
    for seed in 1..=4 {
        engine.put_block(i64::from(seed), 7, block(seed)).await.unwrap();
    }
    let before = file(&engine, "subject_block").await;
    // The first and the last of a block, the last of all, and some between: where a row lies in its page must not
    // matter.
    let destroyed: Vec<(u8, u8)> = [0, 1, 63, 64, 65, 66, 67, 68, 69, 70, 71, 127, 200, 254, 255]
        .into_iter()
        .flat_map(|n| [(1, n), (4, n)])
        .collect();
    for (seed, n) in &destroyed {
        assert!(holds(&before, slot(&block(*seed), *n)));
        engine.destroy_slots(vec![SlotRef { block: i64::from(*seed), slot: *n }]).await.unwrap();
    }
    let after = file(&engine, "subject_block").await;
    let left: Vec<_> = destroyed.iter().filter(|(seed, n)| holds(&after, slot(&block(*seed), *n))).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(holds(&after, slot(&block(1), 2)) && holds(&after, slot(&block(2), 0)));
    let slots = engine.slots(vec![SlotRef { block: 4, slot: 255 }, SlotRef { block: 4, slot: 253 }]).await.unwrap();
    assert_eq!(slots, [None, Some(slot(&block(4), 253).to_vec())]);
    assert_eq!(engine.news().await.unwrap().erasures, 30);
}

#[tokio::test]
async fn gdpr_17_a_destroyed_key_is_not_in_the_file() {
    let database = database().await;
    let engine = open(&database).await;
    let key = |epoch: i64| KeyRow {
        controller: 7,
        kind: 1,
        epoch,
        sealed: (0..60).map(|at| at ^ u8::try_from(epoch).unwrap() ^ 0x5A).collect(),
        created: Timestamp::from_micros(0),
    };
    for epoch in 1..=5 {
        engine.put_key(key(epoch)).await.unwrap();
    }
    for epoch in [5, 1, 3] {
        engine.destroy_key(7, 1, epoch).await.unwrap();
    }
    let after = file(&engine, "key").await;
    for epoch in 1..=5 {
        assert_eq!(holds(&after, &key(epoch).sealed), [2, 4].contains(&epoch), "{epoch}");
    }
    assert_eq!(engine.keys().await.unwrap().iter().map(|key| key.epoch).collect::<Vec<_>>(), [2, 4]);
    // A node that went down between the steps leaves zeros: they are no key, and can be removed.
    say(&engine.core.keys, "UPDATE key SET sealed = '\\x0000' WHERE epoch = 4").await;
    assert_eq!(engine.keys().await.unwrap().len(), 1);
    engine.destroy_key(7, 1, 4).await.unwrap();
    assert_eq!(say(&engine.core.keys, "SELECT COUNT(*) FROM key").await.as_deref(), Some("1"));
}
