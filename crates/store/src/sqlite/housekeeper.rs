//! The housekeeper: a thread that copies the main log into the database beside the writer, and sees to it that
//! what was erased does not linger in a log.
//!
//! Invariants: its checkpoints are passive, so they never stop the writer; the log of a database in which a key was
//! destroyed is emptied within 60 s (law: GDPR Art. 17; a certificate of erasure waits for it).

use crate::error::Error;
use crate::sqlite::fault;
use crate::sqlite::shared::Shared;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often it looks: under full load the log grows by 16 MiB in less than half a second.
const TICK: Duration = Duration::from_millis(100);
/// Ticks without a commit after which a log is emptied, and ticks after an erasure in which it is at the latest.
pub(super) const EMPTY_AFTER_TICKS: u32 = 100;
/// Pages added to the log since the last pass that are worth another (16 MiB).
const PASS_PAGES: u64 = 16 * 1024 * 1024 / super::connect::PAGE_BYTES as u64;

/// Tells the housekeeper to end.
#[derive(Default)]
pub(super) struct Bell {
    closing: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    /// Ends the housekeeper.
    pub(super) fn ring(&self) {
        *self.closing.lock() = true;
        self.rung.notify_all();
    }

    fn wait(&self) -> bool {
        let mut closing = self.closing.lock();
        if !*closing {
            self.rung.wait_for(&mut closing, TICK);
        }
        *closing
    }
}

/// See the module.
pub(super) struct Housekeeper {
    connection: Connection,
    main: Arc<Shared>,
    watches: [Watch; 2],
    passed: u64,
}

/// Sees to it that one log is emptied in time.
pub(super) struct Watch {
    shared: Arc<Shared>,
    commits: u64,
    quiet_ticks: u32,
    erased_ticks: u32,
}

impl Housekeeper {
    /// A housekeeper with a connection to the main database.
    pub(super) fn new(connection: Connection, main: Arc<Shared>, keys: Arc<Shared>) -> Self {
        let watches = [Watch::new(Arc::clone(&main)), Watch::new(keys)];
        Self { connection, main, watches, passed: 0 }
    }

    /// Works until the bell rings.
    pub(super) fn work(mut self, bell: &Bell) {
        while !bell.wait() {
            self.pass_when_due();
            self.watches.iter_mut().for_each(Watch::look);
        }
    }

    fn pass_when_due(&mut self) {
        let pages = self.main.log_pages.load(Ordering::Relaxed);
        if pages < self.passed {
            // The log was started anew.
            self.passed = 0;
        }
        if pages < self.passed + PASS_PAGES || self.main.is_poisoned() {
            return;
        }
        match self.connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE).map_err(fault) {
            Ok(_) => {
                self.passed = pages;
                self.main.passes.fetch_add(1, Ordering::Release);
            }
            // As in the writer: a flush that failed may have lost pages for good.
            Err(Error::Unknown) => self.main.poison(),
            Err(_) => {}
        }
    }
}

impl Watch {
    /// Nothing seen yet.
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, commits: 0, quiet_ticks: 0, erased_ticks: 0 }
    }

    /// Once a tick.
    pub(super) fn look(&mut self) {
        let commits = self.shared.commits.load(Ordering::Relaxed);
        let emptied = self.shared.emptied.load(Ordering::Acquire);
        self.quiet_ticks = if commits == self.commits { self.quiet_ticks.saturating_add(1) } else { 0 };
        self.commits = commits;
        self.erased_ticks = if self.shared.erased.load(Ordering::Acquire) { self.erased_ticks + 1 } else { 0 };
        let quiet = commits != emptied && self.quiet_ticks >= EMPTY_AFTER_TICKS;
        if quiet || self.erased_ticks >= EMPTY_AFTER_TICKS {
            // When a reader is in the way the marks stay, and the next look asks again after as many ticks.
            self.quiet_ticks = 0;
            self.erased_ticks = 0;
            self.shared.ask_truncate();
        }
    }
}
