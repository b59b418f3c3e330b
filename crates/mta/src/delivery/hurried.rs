//! What somebody ordered about what waits: due at once, or at its end.
//!
//! What is held needs nothing here: the gate is asked before each attempt, and says so. What is ended is ended here, so
//! that it needs no connection: a site that nobody reaches is the usual reason for it. What is in hand at that moment
//! is left to its attempt, which the gate stops.
//! Called by the owner of the picture, between two plans: no read of the store is under way.

use super::engine::{Engine, entry, key_of};
use gate::Rule;
use model::{MessageId, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::{Outcome, OutcomeKind, PurgeOrder, QueueRow};

/// Rows of one look at what an order ends.
const PAGE: usize = 256;

/// Orders are looked for so often, while something waits.
const AGAIN: Duration = Duration::from_secs(60);

/// Does what was ordered since the last look. `look_at`: when it is looked for orders that came by another node.
pub(crate) async fn follow(engine: &Engine, look_at: &mut Timestamp, now: Timestamp) {
    if engine.ordered.swap(false, Ordering::AcqRel) || now >= *look_at {
        *look_at = now.plus(AGAIN);
        end(engine).await;
    }
    if engine.hurried.swap(false, Ordering::AcqRel) {
        hurry(engine).await;
    }
}

/// What became due is noted.
async fn hurry(engine: &Engine) {
    if let Err(error) = engine.load_backlog().await {
        engine.hurried.store(true, Ordering::Release);
        engine.store_failed(&error, "the backlog could not be read after an order");
    }
}

/// Ends what is ordered to end. What is in hand is looked at again when it is let go.
async fn end(engine: &Engine) {
    for order in engine.store.purges() {
        if let Err(error) = end_by(engine, &order).await {
            engine.store_failed(&error, "messages that were ended could not be read");
            return;
        }
    }
}

async fn end_by(engine: &Engine, order: &PurgeOrder) -> store::Result<()> {
    let mut after = Some(MessageId(0));
    while let Some(last) = after {
        let (rows, next) = engine.store.purged(order, last, PAGE).await?;
        for row in rows {
            end_one(engine, row).await;
        }
        after = next;
    }
    Ok(())
}

async fn end_one(engine: &Engine, row: QueueRow) {
    let now = engine.store.now();
    let (site, key, due) = (Arc::clone(&row.lane.site), key_of(&row.lane), row.due);
    let taken = engine.with(|picture| {
        // A site that nothing was due for is not in the picture yet.
        picture.note_waiting(&site, key, due);
        let queue = picture.queue_of(&site, key);
        picture.expired(&queue, vec![entry(row, None)], false, now)
    });
    if taken.is_empty() {
        engine.ordered.store(true, Ordering::Release);
    }
    for one in taken {
        let row = one.row.row;
        engine
            .settle(Outcome {
                attempt: row.attempts + 1,
                row,
                started_at: None,
                at: now,
                verdict: OutcomeKind::Stopped,
                code: None,
                enhanced: None,
                rule: Some(Rule::Purged),
                transcript: String::new(),
            })
            .await;
    }
}
