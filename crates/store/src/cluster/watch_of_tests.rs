//! A clock whose hands a test moves, the monotonic one too.

use model::{Clock, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Shows the same as calendar and as monotonic time.
pub(crate) struct Watch(AtomicU64);

impl Watch {
    pub(crate) fn at(start: Duration) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(u64::try_from(start.as_micros()).unwrap())))
    }

    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(i64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst))
    }
}
