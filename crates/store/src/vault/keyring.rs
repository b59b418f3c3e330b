//! The keys in memory, opened. Shared with whoever must open something and may not hold the engine.

use super::KeyKind;
use super::crypto::{self, Key};
use crate::error::{Error, Result};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// Controller, kind, which of its kind.
pub(super) type Place = (i64, u8, i64);

/// The keys.
#[derive(Default)]
pub(crate) struct Keyring {
    keys: RwLock<HashMap<Place, Arc<Key>>>,
    /// By controller: how often its tags were nested, where that is not never.
    tag_numbers: RwLock<HashMap<i64, i64>>,
}

impl Keyring {
    pub(super) fn put(&self, place: Place, key: Arc<Key>) {
        self.keys.write().insert(place, key);
    }

    pub(super) fn remove(&self, place: Place) {
        self.keys.write().remove(&place);
    }

    pub(super) fn get(&self, controller: i64, kind: KeyKind, which: i64) -> Result<Arc<Key>> {
        self.keys.read().get(&(controller, kind as u8, which)).cloned().ok_or(Error::Sealed { what: "key" })
    }

    pub(super) fn has(&self, place: Place) -> bool {
        self.keys.read().contains_key(&place)
    }

    /// Tags are made as the accounts say from now on.
    pub(crate) fn set_tag_numbers(&self, numbers: impl Iterator<Item = (i64, i64)>) {
        *self.tag_numbers.write() = numbers.filter(|(_, number)| *number > 0).collect();
    }

    /// How often a controller's tags were nested.
    pub(super) fn tag_number(&self, controller: i64) -> i64 {
        self.tag_numbers.read().get(&controller).copied().unwrap_or(0)
    }

    /// What is there.
    pub(super) fn places(&self) -> Vec<Place> {
        self.keys.read().keys().copied().collect()
    }

    /// Opens what [`super::Vault::seal_for_controller`] sealed.
    pub(crate) fn open_for_controller(&self, controller: i64, label: &'static str, sealed: &[u8]) -> Result<Vec<u8>> {
        let key = crypto::derive(&*self.get(controller, KeyKind::Wrap, 0)?, label);
        crypto::open(&key, label.as_bytes(), sealed, label)
    }
}
