//! Collecting bodies that nothing refers to: left by a crash between object and transaction, or by a removal that
//! failed.
//!
//! Two conditions, and several nodes may look for them at once: the object's id is older than a day, which no
//! acceptance takes between its object and its commit; and the engine, asked after that, knows no row that refers to
//! it. Ids are given once, so nothing will refer to it later.

use super::{Bodies, BodyStore};
use crate::engine::Engine;
use crate::error::Result;
use crate::open::Store;
use model::Timestamp;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Objects younger than this may belong to an acceptance that is under way, on a node whose clock is wrong.
const COLLECTED_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// A node looks no more often than this.
const ROUND_EVERY: Duration = Duration::from_secs(3_600);
/// Ids that the engine is asked for at once.
const PAGE: usize = 1_000;

/// When this node looked last, and whether it is still looking.
pub(super) struct Rounds {
    last: Mutex<Option<Timestamp>>,
    pub(super) one: Arc<Semaphore>,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { last: Mutex::new(None), one: Arc::new(Semaphore::new(1)) }
    }
}

impl Store {
    /// Begins a round, if one is due. In a task of its own: a slow place for bodies holds nothing up.
    pub(crate) fn collect_bodies(&self) {
        let now = self.now();
        let Some(place) = self.intake.bodies.due(now) else { return };
        let Ok(round) = Arc::clone(&self.intake.bodies.rounds.one).try_acquire_owned() else { return };
        let engine = Arc::clone(&self.engine);
        tokio::spawn(async move {
            match collect(&*place, &*engine, now).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "bodies that nothing refers to were removed"),
                Err(error) => tracing::warn!(%error, "bodies that nothing refers to could not be looked for"),
            }
            drop(round);
        });
    }
}

impl Bodies {
    fn due(&self, now: Timestamp) -> Option<Arc<dyn BodyStore>> {
        let place = self.outside.as_ref()?;
        let mut last = self.rounds.last.lock();
        // A clock that was set back is no reason to wait.
        if last.is_some_and(|last| last <= now && now.since(last) < ROUND_EVERY) {
            return None;
        }
        *last = Some(now);
        Some(Arc::clone(place))
    }
}

/// Removes what is old and not referred to. Answers how many.
pub(super) async fn collect(place: &dyn BodyStore, engine: &dyn Engine, now: Timestamp) -> Result<usize> {
    let day = i64::try_from(COLLECTED_AFTER.as_micros()).unwrap_or(i64::MAX);
    // Ids carry microseconds in their upper bits.
    let before = now.micros().saturating_sub(day).saturating_mul(1_024);
    let (mut after, mut removed) = (0, 0);
    loop {
        let mut page = place.list(after, before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(removed) };
        after = *last;
        // Listed first, asked for second: what is not known now is known never.
        let known: HashSet<i64> = engine.bodies_outside(page.clone()).await?.into_iter().collect();
        page.retain(|id| !known.contains(id));
        removed += page.len();
        if !page.is_empty() {
            place.remove(page).await?;
        }
    }
}
