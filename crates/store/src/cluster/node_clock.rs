//! The clock of a node among others: its own, put right by the database's.
//!
//! Nodes whose clocks differ make ids and times that must lie together. Each heartbeat tells what the database's clock
//! showed between two moments of ours; the correction is changed only as far as it contradicts that, so it does not
//! tremble with the network.

use model::{Clock, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A correction that changes by more than this is told to the operator.
const TOLD_FROM_MICROS: i64 = 1_000_000;

/// Whose calendar counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockSource {
    /// The database's: the node's clock is corrected by it at each heartbeat.
    Database,
    /// The clock that was given, as it is. For tests that move it.
    Given,
}

/// The clock.
pub(crate) struct NodeClock {
    given: Arc<dyn Clock>,
    source: ClockSource,
    /// Microseconds that are added.
    offset: AtomicI64,
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let offset = self.offset.load(Ordering::Relaxed);
        Timestamp::from_micros(self.given.now().micros().saturating_add(offset))
    }

    fn monotonic(&self) -> Duration {
        self.given.monotonic()
    }
}

impl NodeClock {
    pub(crate) fn new(given: Arc<dyn Clock>, source: ClockSource) -> Self {
        Self { given, source, offset: AtomicI64::new(0) }
    }

    /// The calendar as it was given: what [`Self::observe`] compares.
    pub(super) fn uncorrected(&self) -> Timestamp {
        self.given.now()
    }

    /// The database's clock showed `theirs` at some moment between two of ours.
    pub(super) fn observe(&self, sent: Timestamp, theirs: Timestamp, answered: Timestamp) {
        if self.source == ClockSource::Given {
            return;
        }
        let least = theirs.micros().saturating_sub(answered.micros().max(sent.micros()));
        let most = theirs.micros().saturating_sub(sent.micros());
        let before = self.offset.load(Ordering::Relaxed);
        let offset = before.clamp(least, most);
        if offset.abs_diff(before) >= TOLD_FROM_MICROS.unsigned_abs() {
            let seconds = offset / TOLD_FROM_MICROS;
            tracing::warn!(seconds, "this node's clock differs from the database's, whose time is used; set the clock");
        }
        self.offset.store(offset, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch_of_tests::Watch;
    use super::*;

    #[test]
    fn the_correction_moves_only_as_far_as_it_must() {
        let watch = Watch::at(Duration::from_secs(1_000));
        let clock = NodeClock::new(watch.clone(), ClockSource::Database);
        let at = |millis: i64| Timestamp::from_micros(millis * 1_000);
        let shown = || clock.now().micros() / 1_000;
        // Five minutes ahead of us; the answer took 40 ms.
        clock.observe(at(1_000_000), at(1_300_000), at(1_000_040));
        assert_eq!(shown(), 1_299_960);
        // A quicker answer says more, and another slow one nothing.
        clock.observe(at(1_000_000), at(1_300_000), at(1_000_002));
        assert_eq!(shown(), 1_299_998);
        clock.observe(at(1_000_000), at(1_300_000), at(1_000_040));
        assert_eq!(shown(), 1_299_998);
        // Ours is set back while an answer is under way: what cannot be is not believed.
        clock.observe(at(1_000_000), at(1_300_000), at(900_000));
        assert_eq!(shown(), 1_300_000);
        // Behind us.
        clock.observe(at(1_000_000), at(700_000), at(1_000_000));
        assert_eq!((shown(), clock.uncorrected(), clock.monotonic()), (700_000, at(1_000_000), watch.monotonic()));
    }

    #[test]
    fn a_given_clock_is_left_as_it_is() {
        let clock = NodeClock::new(Watch::at(Duration::from_secs(5)), ClockSource::Given);
        clock.observe(Timestamp::from_seconds(5), Timestamp::from_seconds(500), Timestamp::from_seconds(5));
        assert_eq!(clock.now(), Timestamp::from_seconds(5));
    }
}
