//! A folder, a clock that a test moves, and a store on them.

use crate::open::{Options, Store};
use model::{Clock, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;

/// A clock that stands until it is moved.
pub(crate) struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Where a store lives.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    clock: Arc<Hands>,
}

impl Place {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        let start = Timestamp::from_seconds(1_800_000_000).micros();
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(Hands(AtomicI64::new(start))) }
    }

    /// Opens the store, a second later than the last time: ids are made of the time.
    pub(crate) async fn open(&self) -> crate::Result<Arc<Store>> {
        self.clock.0.fetch_add(1_000_000, Ordering::Relaxed);
        Store::open_sqlite(self.path(), self.options()).await
    }

    /// With the clock that is moved.
    pub(crate) fn options(&self) -> Options {
        Options::new(Arc::clone(&self.clock) as Arc<dyn Clock>, self.path())
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn wait_hours(&self, hours: i64) {
        self.clock.0.fetch_add(hours * 3_600_000_000, Ordering::Relaxed);
    }
}
