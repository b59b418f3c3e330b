//! Slots are given back however an acceptance ends; what is destroyed is not remembered; damage stays where it is.

use super::super::{MasterKey, Vault};
use super::{BLOCK, Blocks, Secret, crypto};
use crate::engine::{Engine, SlotRef};
use crate::open::CreateKey;
use crate::sqlite::{SqliteEngine, SqliteSettings};
use model::{ControllerId, RecipientTag, Timestamp};
use std::path::Path;
use std::sync::Arc;

const SHOP: i64 = 7;

async fn vault(dir: &Path) -> Vault {
    let engine: Arc<dyn Engine> = Arc::new(SqliteEngine::open(dir, SqliteSettings::default()).unwrap());
    let master = MasterKey::load(&dir.join("master.key"), CreateKey::IfNew, false).unwrap();
    let vault = Vault::open(engine, master, Timestamp::default()).await.unwrap();
    vault.admit(ControllerId(SHOP), Timestamp::default()).await.unwrap();
    vault
}

fn pending(vault: &Vault) -> usize {
    vault.blocks.pending.lock().len()
}

#[tokio::test]
async fn a_slot_is_given_back_when_the_last_acceptance_that_uses_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let vault = vault(dir.path()).await;
    let (ada, bob) = (RecipientTag([1; 16]), RecipientTag([2; 16]));
    let first = vault.new_slot(SHOP, ada, 1).await.unwrap();
    let second = vault.new_slot(SHOP, ada, 2).await.unwrap();
    let other = vault.new_slot(SHOP, bob, 3).await.unwrap();
    assert_eq!(first.0, second.0, "one person, one slot");
    assert_ne!(first.0, other.0);
    assert_eq!(pending(&vault), 2);
    drop((first, other));
    assert_eq!(pending(&vault), 1, "one acceptance still uses it");
    assert_eq!(vault.new_slot(SHOP, ada, 4).await.unwrap().0, second.0);
    drop(second);
    assert_eq!(pending(&vault), 0);
}

#[test]
fn gdpr_17_what_was_read_before_a_destruction_is_not_remembered_after_it() {
    let blocks = Blocks::default();
    let slot = |slot| SlotRef { block: 1, slot };
    let secret = Secret::of(&crypto::new_key().unwrap());
    let known = |slot| blocks.cache.lock().known.contains_key(&slot);
    let as_of = blocks.cache.lock().destroyed;
    // The twin: nothing was destroyed since.
    blocks.remember(slot(1), &secret, as_of);
    assert!(known(slot(1)));
    blocks.forget(slot(1));
    blocks.remember(slot(1), &secret, as_of);
    assert!(!known(slot(1)));
    let as_of = blocks.cache.lock().destroyed;
    blocks.remember(slot(2), &secret, as_of);
    assert!(known(slot(2)), "what is read from now on is");
}

#[tokio::test]
async fn art32_one_damaged_slot_is_one_persons_loss() {
    let dir = tempfile::tempdir().unwrap();
    let whole = vault(dir.path()).await;
    let (slot, ..) = whole.new_slot(SHOP, RecipientTag([1; 16]), 5).await.unwrap();
    whole.engine.close().await;
    drop(whole);
    let keys = rusqlite::Connection::open(dir.path().join("keys.db")).unwrap();
    let mut sealed: Vec<u8> =
        keys.query_row("SELECT sealed FROM subject_block WHERE block = 5", [], |row| row.get(0)).unwrap();
    let width = sealed.len() / BLOCK;
    sealed[width * usize::from(slot.slot) + width / 2] ^= 1;
    keys.execute("UPDATE subject_block SET sealed = ?1 WHERE block = 5", [sealed]).unwrap();
    drop(keys);

    let vault = vault(dir.path()).await;
    let beside = SlotRef { slot: slot.slot ^ 1, ..slot };
    let secrets = vault.secrets(&[(SHOP, beside), (SHOP, slot), (SHOP, beside)]).await.unwrap();
    assert_eq!(secrets.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
}
