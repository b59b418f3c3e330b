//! What became of attempts, written down in batches.
//!
//! A client who asked to be told is told first ([`crate::Notices`]).
//! Write order: an outcome is a fact the moment the reply came; it is durable when `settle` returns; only then is the
//! row let go. A crash between the two leaves a start without outcome, which the next start of the node records as
//! uncertain. While the store fails, outcomes wait here, the bounded channel fills, and no further message is taken.
//! Called by `attempt` (through a bounded channel) and nobody else.

pub(crate) mod reply;
#[cfg(test)]
mod tests;

use super::engine::Engine;
use super::scheduler::LaneKey;
use metrics::counter;
use model::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use store::{Outcome, OutcomeKind, Temper};
use tokio::sync::{mpsc, oneshot};

/// Outcomes that wait to be written; then the connections wait.
pub(crate) const WAITING_MAX: usize = 1_024;
/// Outcomes in one commit.
const BATCH_MAX: usize = 256;
/// When the store fails, it is asked again after so long.
const RETRY: Duration = Duration::from_secs(1);

/// What the recorder is told.
pub(crate) enum Note {
    /// An outcome.
    Settled(Box<Outcome>),
    /// Tell when everything before this is durable.
    Flush(oneshot::Sender<()>),
}

/// Writes outcomes down until the channel closes. What comes while one batch is being written makes up the next: the
/// commit itself is the pause, so that a lone outcome waits for nothing and a crowd shares a commit.
pub(crate) async fn record(engine: Arc<Engine>, mut notes: mpsc::Receiver<Note>) {
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    while notes.recv_many(&mut waiting, BATCH_MAX).await > 0 {
        let mut outcomes = Vec::with_capacity(waiting.len());
        let mut flushes = Vec::new();
        for note in waiting.drain(..) {
            match note {
                Note::Settled(outcome) => outcomes.push(*outcome),
                Note::Flush(done) => flushes.push(done),
            }
        }
        if !outcomes.is_empty() {
            settle(&engine, outcomes).await;
        }
        for done in flushes {
            // Whoever asked may have given up.
            let _ = done.send(());
        }
    }
}

async fn settle(engine: &Engine, outcomes: Vec<Outcome>) {
    if let Some(notices) = &engine.settings.notices {
        notices.tell(&engine.settings.ehlo_name, &outcomes).await;
    }
    let freed: Vec<Freed> = outcomes.iter().map(Freed::of).collect();
    count(&outcomes);
    loop {
        // The store takes what it is given; a copy is kept until it has said that it is durable.
        match engine.store.settle(outcomes.clone()).await {
            Ok(()) => {
                engine.store_answered();
                break;
            }
            Err(error) if error.temper() == Temper::Temporary => {
                engine.store_failed(&error, "outcomes cannot be written down yet; they wait");
                tokio::time::sleep(RETRY).await;
            }
            Err(_) => {
                settle_singly(engine, outcomes).await;
                break;
            }
        }
    }
    let now = engine.store.now();
    engine.with(|picture| {
        for row in &freed {
            picture.release(&row.site, row.key, row.id, row.again, now);
        }
    });
}

/// One outcome that can never be written (its person was erased meanwhile) must not take the others with it.
async fn settle_singly(engine: &Engine, outcomes: Vec<Outcome>) {
    for outcome in outcomes {
        let id = outcome.row.id.0;
        loop {
            match engine.store.settle(vec![outcome.clone()]).await {
                Ok(()) => break,
                Err(error) if error.temper() == Temper::Temporary => tokio::time::sleep(RETRY).await,
                Err(error) => {
                    tracing::warn!(%error, message = id, "an outcome could not be written down");
                    break;
                }
            }
        }
    }
}

/// What is left in memory of a row whose outcome is being written.
struct Freed {
    site: Arc<str>,
    key: LaneKey,
    id: model::MessageId,
    again: Option<Timestamp>,
}

impl Freed {
    fn of(outcome: &Outcome) -> Self {
        let lane = &outcome.row.lane;
        Self {
            site: Arc::clone(&lane.site),
            key: LaneKey { class: lane.class, controller: lane.controller },
            id: outcome.row.id,
            again: match outcome.verdict {
                OutcomeKind::Deferred { due } | OutcomeKind::Uncertain { due } | OutcomeKind::Held { due } => Some(due),
                OutcomeKind::Delivered
                | OutcomeKind::Bounced { .. }
                | OutcomeKind::Stopped
                | OutcomeKind::Expired
                | OutcomeKind::Sandboxed => None,
            },
        }
    }
}

/// Counts by kind: no address, no domain, no controller in any label.
fn count(outcomes: &[Outcome]) {
    const WORDS: [&str; 8] =
        ["delivered", "deferred", "uncertain", "bounced", "stopped", "expired", "held", "sandboxed"];
    let mut counts = [0u64; WORDS.len()];
    for outcome in outcomes {
        let word = match outcome.verdict {
            OutcomeKind::Delivered => 0,
            OutcomeKind::Deferred { .. } => 1,
            OutcomeKind::Uncertain { .. } => 2,
            OutcomeKind::Bounced { .. } => 3,
            OutcomeKind::Stopped => 4,
            OutcomeKind::Expired => 5,
            OutcomeKind::Held { .. } => 6,
            OutcomeKind::Sandboxed => 7,
        };
        counts[word] += 1;
    }
    for (word, number) in WORDS.into_iter().zip(counts) {
        if number > 0 {
            counter!("postern_delivery_outcomes_total", "outcome" => word).increment(number);
        }
    }
}
