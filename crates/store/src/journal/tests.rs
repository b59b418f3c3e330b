//! What is signed is what the store holds, whatever lies in the folder.

use super::LogFolder;
use crate::conformance::place::Place;
use crate::error::Error;
use crate::open::Store;
use ledger::{Audit, Folder, SigningKey, VerifierKey};
use model::{ControllerId, StreamKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

async fn shop(place: &Place) -> (Arc<Store>, ControllerId, PathBuf) {
    let store = place.open().await.unwrap();
    let shop = store.create_controller("Shop").await.unwrap();
    store.flush().await.unwrap();
    let dir = LogFolder::path(place.path(), &store.public_id(shop));
    (store, shop, dir)
}

fn entries(dir: &Path, key: &VerifierKey) -> Result<u64, ledger::Error> {
    let audit = Audit { log: key, witnesses: &[], earlier: &[] };
    ledger::folder::verify(dir, &audit).map(|_| Folder::open(dir).unwrap().size())
}

/// More runs of entries than are read at once.
async fn many_runs(store: &Store, shop: ControllerId, round: usize) {
    for n in 0..super::export::CHUNKS_AT_ONCE * 2 + 1 {
        for m in 0..2 {
            store.create_stream(shop, &format!("s{round}x{n}x{m}"), StreamKind::Marketing, "x").await.unwrap();
        }
        store.sequence().await.unwrap();
    }
}

#[tokio::test]
async fn c2sp_a_folder_follows_the_store_and_can_be_made_anew() {
    let place = Place::new();
    let (store, shop, dir) = shop(&place).await;
    let key = LogFolder::key(&dir).unwrap();
    assert_eq!(entries(&dir, &key).unwrap(), 1);
    many_runs(&store, shop, 0).await;
    store.flush().await.unwrap();
    let grown = entries(&dir, &key).unwrap();
    assert_eq!(grown, 35);
    many_runs(&store, shop, 1).await;
    store.close().await;
    drop(store);

    // A witness cosigned meanwhile; whoever only starts again does not take that away.
    let witness = SigningKey::witness("witness.example", &[9; 32]).unwrap();
    let published = dir.join("checkpoint");
    let mut signed = ledger::SignedCheckpoint::parse(&std::fs::read(&published).unwrap()).unwrap();
    signed.cosign(&witness, 1_800_000_000).unwrap();
    std::fs::write(&published, signed.to_string()).unwrap();
    let store = place.open().await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(std::fs::read_to_string(&published).unwrap(), signed.to_string());

    many_runs(&store, shop, 2).await;
    store.flush().await.unwrap();
    assert_eq!(entries(&dir, &key).unwrap(), 103);
    std::fs::remove_dir_all(dir.join("tile")).unwrap();
    assert!(entries(&dir, &key).is_err());
    many_runs(&store, shop, 3).await;
    assert_eq!(store.rebuild_log(shop).await.unwrap(), 137);
    assert_eq!(entries(&dir, &key).unwrap(), 137);
    store.create_stream(shop, "one more", StreamKind::Marketing, "x").await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(entries(&dir, &key).unwrap(), 138);
}

/// Puts another tree into the folder, under a checkpoint by this key.
fn forge(dir: &Path, key: &SigningKey, size: u64) {
    std::fs::remove_dir_all(dir).unwrap();
    std::fs::create_dir_all(dir).unwrap();
    let mut folder = Folder::open(dir).unwrap();
    let lies: Vec<Vec<u8>> = (0..size).map(|n| format!("lie {n}").into_bytes()).collect();
    folder.extend(0, &lies).unwrap();
    let signed = ledger::checkpoint::sign(key, folder.size(), folder.root()).unwrap();
    folder.write_checkpoint(&signed).unwrap();
}

#[tokio::test]
async fn c2sp_the_log_key_never_signs_a_tree_that_the_store_does_not_hold() {
    let place = Place::new();
    let (store, shop, dir) = shop(&place).await;
    let (key, origin) = (LogFolder::key(&dir).unwrap(), store.log_origin(shop));
    let foreign = SigningKey::log(&origin, &[7; 32]).unwrap();
    // Our own signature over another tree, as a store has it that was set back to an older copy: shorter, longer.
    let own = SigningKey::log(&origin, &store.vault.log_seed(shop.0).unwrap()).unwrap();
    store.close().await;
    drop(store);
    for (n, (forger, size)) in [(&foreign, 1), (&own, 1), (&own, 50)].into_iter().enumerate() {
        forge(&dir, forger, size);
        let before = std::fs::read(dir.join("checkpoint")).unwrap();
        let store = place.open().await.unwrap();
        store.create_stream(shop, &format!("s{n}"), StreamKind::Marketing, "x").await.unwrap();
        let flushed = store.flush().await;
        assert!(matches!(flushed, Err(Error::LogContradicts { .. })), "{flushed:?}");
        assert!(matches!(store.export_logs().await, Err(Error::LogContradicts { .. })), "asked again, refused again");
        assert_eq!(std::fs::read(dir.join("checkpoint")).unwrap(), before, "nothing was signed over it");
        store.close().await;
    }
    // Out of the way, the folder is made from the store.
    std::fs::remove_dir_all(&dir).unwrap();
    let store = place.open().await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(entries(&dir, &key).unwrap(), 4);
}
