//! Idempotency keys of requests that are being done at this moment: two requests with one key, sent at once, must
//! not both send mail. What was done is remembered by the store, in the same commit as the mail.
//!
//! Invariants: an entry lives exactly as long as its [`Held`]; there are at most [`KEYS_MAX`].

use std::collections::HashSet;
use std::sync::Arc;

use model::CredentialId;
use parking_lot::Mutex;

use crate::problem::Problem;
use crate::router::Fault;

/// Requests with a key at once; more than connections can carry.
pub(crate) const KEYS_MAX: usize = 100_000;

type Entry = (CredentialId, String);

/// The keys in flight. The lock is held for one look-up, never over an await.
#[derive(Clone, Default)]
pub(crate) struct Keys(Arc<Mutex<HashSet<Entry>>>);

/// One key in flight; dropping it lets the next request with it through.
pub(crate) struct Held {
    keys: Keys,
    entry: Entry,
}

impl Keys {
    /// Takes the key, unless a request with it is being done.
    pub(crate) fn hold(&self, credential: CredentialId, key: &str) -> Result<Held, Problem> {
        let entry = (credential, key.to_owned());
        let mut keys = self.0.lock();
        if keys.len() >= KEYS_MAX {
            return Err(Problem::of(Fault::Busy));
        }
        if !keys.insert(entry.clone()) {
            return Err(Problem::of(Fault::IdempotencyInProgress));
        }
        drop(keys);
        Ok(Held { keys: self.clone(), entry })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keys.0.lock().remove(&self.entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_held_once_and_by_its_own_credential() {
        let keys = Keys::default();
        let first = keys.hold(CredentialId(1), "order-17").unwrap();
        assert_eq!(keys.hold(CredentialId(1), "order-17").err().unwrap().status().as_u16(), 409);
        assert!(keys.hold(CredentialId(2), "order-17").is_ok(), "another credential's keys are its own");
        assert!(keys.hold(CredentialId(1), "order-18").is_ok());
        drop(first);
        assert!(keys.hold(CredentialId(1), "order-17").is_ok(), "free again when the first is done");
    }
}
