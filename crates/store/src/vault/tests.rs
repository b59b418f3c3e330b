//! Sealing binds bytes to their place; public ids are one spelling and one kind; keys are made once and destroyed when
//! nothing needs them.

use super::KeyKind;
use super::crypto::{self, Key};
use super::public_id::PublicIds;
use crate::conformance::place::Place;
use crate::conformance::rows::{SHOP, acceptance, ended, message};
use crate::engine::{BodyKey, Engine};
use crate::error::Error;
use crate::sqlite::{SqliteEngine, SqliteSettings};
use model::{ControllerId, MessageId};
use std::os::unix::fs::PermissionsExt as _;

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

#[test]
fn art32_sealed_bytes_open_only_with_their_key_and_in_their_place() {
    let sealed = crypto::seal(&key(1), b"row 7", b"a secret").unwrap();
    assert_eq!(crypto::open(&key(1), b"row 7", &sealed, "x").unwrap(), b"a secret");
    assert!(!sealed.windows(8).any(|window| window == b"a secret"));
    assert!(crypto::open(&key(2), b"row 7", &sealed, "x").is_err(), "another key");
    assert!(crypto::open(&key(1), b"row 8", &sealed, "x").is_err(), "another place");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(crypto::open(&key(1), b"row 7", &changed, "x").is_err(), "octet {at} changed");
    }
    assert!(crypto::open(&key(1), b"row 7", &sealed[..10], "x").is_err(), "cut short");
}

#[test]
fn sealing_the_same_twice_gives_different_bytes() {
    let seal = || crypto::seal(&key(1), b"", b"same").unwrap();
    assert_ne!(seal(), seal());
}

#[test]
fn public_ids_come_back_and_do_not_mix() {
    let ids = PublicIds::new(&[7; 16]).unwrap();
    for raw in [0, 1, -1, i64::MAX, i64::MIN, 1_800_000_000_000_000] {
        let shown = ids.show(MessageId(raw));
        assert_eq!(shown.len(), 4 + 26);
        assert_eq!(ids.read(&shown), Some(MessageId(raw)));
        assert_eq!(
            ids.read(&shown.to_uppercase().replace("MSG_", "msg_")),
            Some(MessageId(raw)),
            "case is lost on the way"
        );
        assert_eq!(ids.read::<ControllerId>(&shown.replace("msg_", "ctl_")), None, "another kind");
    }
    let other = PublicIds::new(&[8; 16]).unwrap();
    assert_eq!(other.read::<MessageId>(&ids.show(MessageId(5))), None, "another installation's id");
    for text in ["", "msg_", "msg_aaaa", "msg_ä", &"msg_".repeat(9), "msg_aaaaaaaaaaaaaaaaaaaaaaaaa1"] {
        assert_eq!(ids.read::<MessageId>(text), None);
    }
}

#[test]
fn a_changed_public_id_is_nobodys() {
    let ids = PublicIds::new(&[7; 16]).unwrap();
    let shown = ids.show(MessageId(42));
    for (at, letter) in shown.char_indices().skip(4) {
        let mut changed = shown.clone().into_bytes();
        changed[at] = if letter == 'a' { b'b' } else { b'a' };
        assert_eq!(ids.read::<MessageId>(&String::from_utf8(changed).unwrap()), None);
    }
}

/// Opens the keys without a store, and destroys those of these kinds.
async fn lose_keys(place: &Place, lost: impl Fn(u8) -> bool) {
    let engine = SqliteEngine::open(place.path(), SqliteSettings::default()).unwrap();
    for row in engine.keys().await.unwrap().into_iter().filter(|row| lost(row.kind)) {
        engine.destroy_key(row.controller, row.kind, row.epoch).await.unwrap();
    }
    engine.close().await;
}

#[tokio::test]
async fn a_first_start_cut_short_is_continued_and_a_lost_key_is_not_replaced() {
    for made in 1..=super::FIRST.len() {
        let place = Place::new();
        place.open().await.unwrap().close().await;
        // As a kill between two keys leaves it: nothing but the first few.
        let kept: Vec<u8> = super::FIRST[..made].iter().map(|kind| *kind as u8).collect();
        lose_keys(&place, |kind| !kept.contains(&kind)).await;
        for file in ["main.db", "main.db-wal", "main.db-shm"] {
            drop(std::fs::remove_file(place.path().join(file)));
        }
        let again = place.open().await;
        assert!(again.is_ok(), "{made} keys were made: {:?}", again.err());
        let id = again.as_ref().unwrap().public_id(ControllerId(5));
        again.unwrap().close().await;
        assert_eq!(place.open().await.unwrap().public_id(ControllerId(5)), id);
    }
    for lost in [KeyKind::PublicIds, KeyKind::Pepper] {
        let place = Place::new();
        place.open().await.unwrap().close().await;
        lose_keys(&place, |kind| kind == lost as u8).await;
        assert!(matches!(place.open().await.err(), Some(Error::Sealed { what: "key" })), "{lost:?}");
    }
}

#[tokio::test]
async fn a_master_key_half_written_by_a_start_cut_short_does_not_keep_the_node_down() {
    let place = Place::new();
    let (file, beside) = (place.path().join("master.key"), place.path().join("master.key.new"));
    std::fs::write(&beside, "half").unwrap();
    place.open().await.unwrap().close().await;
    assert!(!beside.exists());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // The twin: a file in its own place is believed, and a damaged one is told.
    std::fs::write(&file, "half").unwrap();
    assert!(matches!(place.open().await.err(), Some(Error::MasterKeyMalformed { .. })));
}

#[tokio::test]
async fn gdpr_17_an_epoch_key_is_destroyed_when_no_body_needs_it_and_not_before() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    store.admit_controller(ControllerId(SHOP), "Shop").await.unwrap();
    let (unused, _) = store.vault.epoch(SHOP, store.now()).await.unwrap();
    place.wait_hours(2);
    let (epoch, _) = store.vault.epoch(SHOP, store.now()).await.unwrap();
    let id = store.next_id();
    let mut rows = acceptance(vec![message(id, 1, id), message(id + 1, 2, id)]);
    rows.body.key = BodyKey::Epoch(epoch);
    store.engine.accept(rows).await.unwrap();
    let there = |epoch| store.vault.key(SHOP, KeyKind::Epoch, epoch).is_ok();

    place.wait_hours(79);
    store.tidy().await.unwrap();
    assert!(!there(unused) && there(epoch), "79 hours");
    place.wait_hours(1_000);
    store.tidy().await.unwrap();
    assert!(there(epoch), "two messages need it");
    store.engine.settle(vec![ended(id, id, 1, "expired")]).await.unwrap();
    store.tidy().await.unwrap();
    assert!(there(epoch), "one message needs it");
    store.engine.settle(vec![ended(id + 1, id, 1, "expired")]).await.unwrap();
    store.tidy().await.unwrap();
    assert!(!there(epoch));
    assert!(store.engine.keys().await.unwrap().iter().all(|row| row.kind != KeyKind::Epoch as u8));
}
