//! Refusals at the doors, counted: one ledger leaf per credential, rule and minute, so that someone
//! hammering at a door cannot flood the log. A leaf says nothing about a recipient; who was refused stands in a log of
//! its own (`log.rs`), bounded and sealed.

pub(crate) mod log;
#[cfg(test)]
mod tests;

use crate::engine::EntryRow;
use crate::error::Result;
use crate::journal::SystemEvent;
use crate::open::Store;
use gate::Rule;
use model::event::EventType;
use model::{ControllerId, CredentialId};
use parking_lot::Mutex;
use std::collections::HashMap;

/// Different (credential, rule) pairs counted in a minute at most; further ones are not counted.
const PAIRS_MAX: usize = 10_000;

/// Counts since the last flush.
#[derive(Default)]
pub(crate) struct Refusals {
    counts: Mutex<HashMap<(ControllerId, CredentialId, Rule), u64>>,
    waiting: Mutex<log::Waiting>,
    writing: tokio::sync::Mutex<()>,
}

impl Store {
    /// Counts a refusal at a door.
    pub fn count_refusal(&self, controller: ControllerId, credential: CredentialId, rule: Rule) {
        let mut counts = self.refusals.counts.lock();
        if counts.len() >= PAIRS_MAX && !counts.contains_key(&(controller, credential, rule)) {
            return;
        }
        *counts.entry((controller, credential, rule)).or_default() += 1;
    }

    /// Writes the counts to the ledger. Called every minute and on closing.
    ///
    /// # Errors
    /// Those of the engine; the counts are kept for the next time.
    pub async fn flush_refusals(&self) -> Result<()> {
        let counts = std::mem::take(&mut *self.refusals.counts.lock());
        if counts.is_empty() {
            return Ok(());
        }
        let mut entries = Vec::with_capacity(counts.len());
        for ((controller, credential, rule), count) in &counts {
            let bytes = self.system_entry(&SystemEvent {
                event: None,
                kind: EventType::Refused,
                controller: *controller,
                agreement: None,
                instruction: None,
                counts: &[(rule.id(), *count)],
                detail: self.public_id(*credential).as_bytes(),
                commitment: None,
                secret: None,
            })?;
            entries.push(EntryRow { controller: controller.0, bytes });
        }
        let written = self.engine.append(entries).await;
        if written.is_err() {
            let mut kept = self.refusals.counts.lock();
            for (key, count) in counts {
                *kept.entry(key).or_default() += count;
            }
        }
        written
    }
}
