//! Delivery among other nodes: what came to this node and went from it, and what others queued for it.
//!
//! Two tasks. One takes every change of tenure over into the picture at once, whatever the store does. The other reads
//! the store: on a gain, attempts of dead nodes are recorded as uncertain and then the whole backlog of what was gained
//! is read; every 200 ms what was newly accepted, by whatever node; every five seconds attempts of dead nodes again;
//! every minute the whole backlog, which also finds what a node that lost its tenure recorded late.
//! Invariants: nothing is noted for a site that is not held; what could not be read is read again; both tasks end when
//! delivery stops. Not started where a node is alone.

use super::engine::{Engine, key_of};
use model::{MessageId, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// New rows are looked for so often: how long an acceptance by another node waits at most.
const ARRIVALS_EVERY: Duration = Duration::from_millis(200);
/// Attempts of nodes that died are looked for so often.
const RECOVER_EVERY: Duration = Duration::from_secs(5);
/// The whole backlog is read so often.
const BACKLOG_EVERY: Duration = Duration::from_secs(60);
/// Rows accepted since so long ago are certainly among the arrivals: these reach back for ten seconds and more.
const CERTAIN_FOR: Duration = Duration::from_secs(5);

/// Takes changes of tenure over as they come.
pub(crate) async fn watch(engine: Arc<Engine>) {
    let mut told = engine.store.tenure().subscribe();
    loop {
        engine.follow_tenure();
        tokio::select! {
            told = told.changed() => if told.is_err() { return },
            () = engine.stopped() => return,
        }
    }
}

/// Reads what is new.
pub(crate) async fn poll(engine: Arc<Engine>) {
    let mut told = engine.store.tenure().subscribe();
    let mut turns = Turns { recover_at: Duration::ZERO, backlog_at: engine.store.clock().monotonic() + BACKLOG_EVERY };
    while !engine.is_draining() {
        engine.follow_tenure();
        turns.take(&engine).await;
        tokio::select! {
            () = tokio::time::sleep(ARRIVALS_EVERY) => {}
            told = told.changed() => if told.is_err() { return },
            () = engine.stopped() => return,
        }
    }
}

/// When what is due. In moments of the monotonic clock.
struct Turns {
    recover_at: Duration,
    backlog_at: Duration,
}

impl Turns {
    async fn take(&mut self, engine: &Engine) {
        if engine.store.tenure().remaining().is_zero() {
            // Past the deadline the store tells nothing of what is held, and that is no answer.
            return;
        }
        let now = engine.store.clock().monotonic();
        let (held, mut fresh) = engine.with(|picture| (picture.held(), picture.fresh()));
        if held.is_empty() {
            return;
        }
        if !fresh.is_empty() || now >= self.recover_at {
            match engine.store.recover().await {
                Ok(0) => {}
                Ok(messages) => {
                    tracing::warn!(messages, "attempts of a node that is gone have no outcome; they are made again");
                    // They are due again, and too old to be among the arrivals.
                    fresh.clone_from(&held);
                }
                Err(error) => return engine.store_failed(&error, "lost attempts could not be looked for"),
            }
            self.recover_at = now + RECOVER_EVERY;
        }
        if now >= self.backlog_at {
            self.backlog_at = now + BACKLOG_EVERY;
            fresh = held;
        }
        if fresh.is_empty() { arrivals(engine).await } else { self.backlog(engine, &fresh).await }
    }

    async fn backlog(&mut self, engine: &Engine, parts: &[u16]) {
        match engine.store.backlog_of(parts).await {
            Ok(lanes) => {
                engine.store_answered();
                engine.note(&lanes);
                engine.with(|picture| picture.are_read(parts));
            }
            Err(error) => {
                // Whatever it was read for, all of it is read again at the next turn.
                self.backlog_at = Duration::ZERO;
                engine.store_failed(&error, "the backlog could not be read");
            }
        }
    }
}

async fn arrivals(engine: &Engine) {
    let since = engine.store.now().micros().saturating_sub(i64::try_from(CERTAIN_FOR.as_micros()).unwrap_or(i64::MAX));
    let mark = engine.with(|picture| picture.mark(first_id_of(Timestamp::from_micros(since))));
    match engine.store.arrivals().await {
        Ok(lanes) => {
            engine.store_answered();
            for site in lanes.chunk_by(|one, next| one.lane.site == next.lane.site) {
                let Some(first) = site.first() else { continue };
                let found: Vec<_> = site.iter().map(|at| (key_of(&at.lane), at.next_due, at.count)).collect();
                engine.with(|picture| picture.note_arrivals(&first.lane.site, &found, mark));
            }
        }
        Err(error) => engine.store_failed(&error, "newly accepted messages could not be looked for"),
    }
}

/// Ids carry microseconds in their upper bits.
fn first_id_of(moment: Timestamp) -> MessageId {
    MessageId(moment.micros().saturating_mul(1_024))
}
