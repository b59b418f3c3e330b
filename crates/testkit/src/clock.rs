//! Clocks: one that tests move, and the system's.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::{Clock, Timestamp};

/// Stands still until it is told to move. Shared by cloning the `Arc`.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(start.micros())))
    }

    /// A clock that shows noon of 15 January 2027 UTC: far from the ends of a day, a month and a year.
    #[must_use]
    pub fn start() -> Arc<Self> {
        Self::at(Timestamp::from_seconds(1_800_014_400))
    }

    /// Shows another moment, earlier ones too.
    pub fn set(&self, moment: Timestamp) {
        self.0.store(moment.micros(), Ordering::SeqCst);
    }

    /// Moves forward and says what it shows then.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.0.fetch_add(micros, Ordering::SeqCst).saturating_add(micros))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    /// Real time goes on: leases and deadlines are kept by it.
    fn monotonic(&self) -> Duration {
        running()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is a clock")]
fn running() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    Instant::now().saturating_duration_since(*START)
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is a clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        running()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::start();
        let before = clock.now();
        assert_eq!(clock.now(), before);
        assert_eq!(clock.advance(Duration::from_secs(2)), clock.now());
        assert_eq!(clock.now().since(before), Duration::from_secs(2));
        clock.set(Timestamp::from_seconds(5));
        assert_eq!(clock.now().seconds(), 5);
    }

    #[test]
    fn the_system_clock_is_later_than_this_file() {
        assert!(SystemClock.now() > Timestamp::from_seconds(1_790_000_000));
    }
}
