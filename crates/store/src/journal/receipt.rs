//! Receipts: proofs (C2SP tlog-proof) that events stand in a controller's log, made while the node is at work.
//!
//! Invariant: a receipt is made of the exported folder, under a checkpoint that was signed before.

use super::export::blocking;
use super::ledger_error;
use crate::error::Result;
use crate::open::Store;
use ledger::{Entry, Folder};
use model::ids::EventId;
use model::{ControllerId, Timestamp};
use std::path::Path;
use std::time::Duration;

/// Runs of the inbox drained before an event is looked for; each holds 2,048 entries at most.
const RUNS_MAX: usize = 64;
/// A leaf is made within so long of what it is about, by clocks that differ by less: where it is looked for first.
const SLACK_US: u64 = 120_000_000;
/// How often the log of another node is looked at, and how long between two looks: its sequencer is quicker.
const LOOKS: usize = 12;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

impl Store {
    /// The receipts of events, each with the moment at which it happened, in the order asked. Nothing for an event that
    /// is not in the log yet: another node gives it its place within a second or so, unless that node died.
    ///
    /// # Errors
    /// Those of the engine and of the log's folder.
    pub async fn receipts(
        &self,
        controller: ControllerId,
        events: &[(EventId, Timestamp)],
    ) -> Result<Vec<Option<String>>> {
        let mut found = self.look(controller, events).await?;
        for _ in 1..LOOKS {
            if self.tenure.is_alone() || found.iter().all(Option::is_some) {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            found = self.look(controller, events).await?;
        }
        Ok(found)
    }

    /// The public key of a controller's log.
    ///
    /// # Errors
    /// When the key is not there.
    pub fn log_verifier(&self, controller: ControllerId) -> Result<String> {
        Ok(self.log_key(controller)?.verifier().to_string())
    }

    async fn look(&self, controller: ControllerId, events: &[(EventId, Timestamp)]) -> Result<Vec<Option<String>>> {
        if self.tenure.keeps_ledger(controller.0) {
            for _ in 0..RUNS_MAX {
                if self.sequence().await? == 0 {
                    break;
                }
            }
            self.export_log(controller).await?;
        } else {
            self.follow_log(controller).await?;
        }
        let (path, events) = (self.log_path(controller), events.to_vec());
        blocking(move || {
            // A partial tile may be replaced by a longer one while it is looked for; then the folder is opened anew.
            receipts(&path, &events).or_else(|_| receipts(&path, &events)).map_err(|error| ledger_error(&error))
        })
        .await
    }
}

fn receipts(path: &Path, events: &[(EventId, Timestamp)]) -> Result<Vec<Option<String>>, ledger::Error> {
    let folder = Folder::open(path)?;
    let receipt = |(event, at): &(EventId, Timestamp)| {
        let index = find(&folder, &event.to_hex(), u64::try_from(at.micros()).unwrap_or_default())?;
        index.map(|index| folder.prove(index).map(|proof| proof.to_string())).transpose()
    };
    events.iter().map(receipt).collect()
}

/// Where an event stands: looked for about its time, then everywhere. Entries lie in the order of their commits, which
/// is nearly that of their times.
fn find(folder: &Folder, event: &str, at: u64) -> Result<Option<u64>, ledger::Error> {
    let (mut low, mut high) = (0, folder.size());
    while low < high {
        let middle = low + (high - low) / 2;
        if time_of(&folder.entry(middle)?) < at.saturating_sub(SLACK_US) { low = middle + 1 } else { high = middle }
    }
    match search(folder, low, event, at.saturating_add(SLACK_US))? {
        None => search(folder, 0, event, u64::MAX),
        found => Ok(found),
    }
}

fn search(folder: &Folder, first: u64, event: &str, until: u64) -> Result<Option<u64>, ledger::Error> {
    for (index, entry) in (first..).zip(folder.entries(first)?) {
        let entry = entry?;
        // Cheaper than to read each entry: the id is 32 random digits.
        let is_near = str::from_utf8(&entry).is_ok_and(|text| text.contains(event));
        if is_near && Entry::decode(&entry).is_ok_and(|entry| entry.id() == event) {
            return Ok(Some(index));
        }
        if until < u64::MAX && time_of(&entry) > until {
            return Ok(None);
        }
    }
    Ok(None)
}

fn time_of(entry: &[u8]) -> u64 {
    Entry::decode(entry).map_or(0, |entry| entry.time_us())
}
