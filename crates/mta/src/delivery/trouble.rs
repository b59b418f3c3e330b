//! A store that cannot be reached: nothing begins for a moment, and it is said once and not a thousand times.
//!
//! Invariants: a rest is never longer than [`REST_MAX`], so that delivery goes on soon after the store is back; the
//! first success ends it; each kind of failure is logged at most once in [`SAID_EVERY`], with how many there were.
//! Pure but for the log: moments come in. Called by `engine`.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The rest after a first failure; doubled with each that follows.
const REST_FIRST: Duration = Duration::from_millis(50);
/// The longest rest.
pub(crate) const REST_MAX: Duration = Duration::from_secs(1);
/// The same failure is said again after so long.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// What is known of the store's failures.
#[derive(Default)]
pub(crate) struct Trouble {
    /// Microseconds until when nothing begins; 0 while all is well.
    until: AtomicU64,
    /// The last rest, in microseconds.
    rest: AtomicU64,
    /// When each kind was last said, and how many were not since.
    said: Mutex<HashMap<&'static str, (Duration, u64)>>,
}

impl Trouble {
    /// The store failed at `now`.
    pub(crate) fn failed(&self, now: Duration) {
        if self.rest(now).is_some() {
            // The other connections of the same failure.
            return;
        }
        let rest = self.rest.load(Ordering::Relaxed).saturating_mul(2).clamp(micros(REST_FIRST), micros(REST_MAX));
        self.rest.store(rest, Ordering::Relaxed);
        self.until.store(micros(now).saturating_add(rest), Ordering::Relaxed);
    }

    /// The store answered.
    pub(crate) fn succeeded(&self) {
        if self.rest.load(Ordering::Relaxed) != 0 {
            self.rest.store(0, Ordering::Relaxed);
            self.until.store(0, Ordering::Relaxed);
        }
    }

    /// How long nothing is to begin.
    pub(crate) fn rest(&self, now: Duration) -> Option<Duration> {
        let left = self.until.load(Ordering::Relaxed).saturating_sub(micros(now));
        (left > 0).then(|| Duration::from_micros(left))
    }

    /// Is it time to say this? Then how often it was not said since the last time.
    pub(crate) fn is_to_be_said(&self, what: &'static str, now: Duration) -> Option<u64> {
        let mut said = self.said.lock();
        match said.get_mut(what) {
            Some((at, unsaid)) if now.saturating_sub(*at) < SAID_EVERY => {
                *unsaid += 1;
                None
            }
            Some((at, unsaid)) => {
                *at = now;
                Some(std::mem::take(unsaid))
            }
            None => {
                said.insert(what, (now, 0));
                Some(0)
            }
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(1_000_000 + millis)
    }

    #[test]
    fn rests_grow_to_their_end_and_a_success_ends_them() {
        let trouble = Trouble::default();
        assert_eq!(trouble.rest(at(0)), None);
        trouble.failed(at(0));
        assert_eq!(trouble.rest(at(0)), Some(REST_FIRST));
        trouble.failed(at(10));
        assert_eq!(trouble.rest(at(10)), Some(Duration::from_millis(40)), "many failures at once are one");
        let mut now = 50;
        for _ in 0..10 {
            assert_eq!(trouble.rest(at(now)), None);
            trouble.failed(at(now));
            now += 1_000;
        }
        trouble.failed(at(now));
        assert_eq!(trouble.rest(at(now)), Some(REST_MAX));
        trouble.succeeded();
        assert_eq!(trouble.rest(at(now)), None);
        trouble.failed(at(now));
        assert_eq!(trouble.rest(at(now)), Some(REST_FIRST), "and the next begins small");
    }

    #[test]
    fn a_flood_of_one_failure_is_said_once_and_counted_and_hides_no_other() {
        let trouble = Trouble::default();
        assert_eq!(trouble.is_to_be_said("read", at(0)), Some(0));
        for millis in 1..1_000 {
            assert_eq!(trouble.is_to_be_said("read", at(millis)), None);
        }
        assert_eq!(trouble.is_to_be_said("start", at(5)), Some(0));
        assert_eq!(trouble.is_to_be_said("read", at(10_000)), Some(999));
        assert_eq!(trouble.is_to_be_said("read", at(20_000)), Some(0));
    }
}
