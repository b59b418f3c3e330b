//! Facts about persons that were read a moment ago and are still true.
//!
//! One message asks about its recipient three times (RCPT, end of data, before MAIL). Every verb that changes
//! what is known of a person bumps the controller's generation after its commit and before its answer, so facts
//! read under the present generation are the present facts. Invariant: an entry is used only under the very
//! generation that was read **before** the facts were; a withdrawal that was answered is never overlooked.
//! Bounded; forgetting costs one read.

use super::{Person, Whom};
use crate::engine::SlotRef;
use parking_lot::Mutex;
use std::collections::HashMap;

/// Persons remembered; about 8 MiB.
const PERSONS_MAX: usize = 32_768;

/// The memory.
#[derive(Default)]
pub(crate) struct FactsCache {
    persons: Mutex<HashMap<Whom, (u64, Person)>>,
}

impl FactsCache {
    /// What is known under this generation.
    pub(super) fn get(&self, who: Whom, generation: u64) -> Option<Person> {
        let persons = self.persons.lock();
        persons.get(&who).filter(|(read_under, _)| *read_under == generation).map(|(_, person)| person.clone())
    }

    /// Remembers facts and the generation that was read before them.
    pub(super) fn put(&self, who: Whom, generation: u64, person: &Person) {
        let mut persons = self.persons.lock();
        if persons.len() >= PERSONS_MAX && !persons.contains_key(&who) {
            persons.clear();
        }
        persons.insert(who, (generation, person.clone()));
    }

    /// A person got his secret, which bumps no generation.
    pub(crate) fn set_slot(&self, who: Whom, slot: SlotRef) {
        if let Some((_, person)) = self.persons.lock().get_mut(&who) {
            (person.slot, person.leaving) = (Some(slot), None);
        }
    }

    /// What is known is doubtful: read it anew.
    pub(crate) fn forget(&self, who: Whom) {
        self.persons.lock().remove(&who);
    }
}
