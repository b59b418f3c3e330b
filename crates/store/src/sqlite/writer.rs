//! The writer: one thread that owns the one connection that writes, and commits in groups.
//!
//! A batch is all short jobs that wait (at most 256) and at most one bulk job. It is one transaction: while one
//! commit is being flushed the next batch gathers, so the dearer the flush the larger the batch.
//! Invariants: an answer is given after the commit that holds it; a bad job hurts only itself; what a commit did
//! is known, or the writer stops for good.
//! Never: a savepoint (a full disk may roll back the whole transaction under it); work that is not SQL.

use crate::error::{Error, Result};
use crate::sqlite::shared::{Job, Lanes, Shared};
use crate::sqlite::{connect, fault};
use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Short jobs in a batch.
const BATCH_MAX: usize = 256;
/// Batches after which bulk work gets its turn even when short work fills every batch.
const BULK_PATIENCE: u32 = 8;

/// When the log is copied into the database, in bytes of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// From here on, the writer starts the log anew right after a pass of the housekeeper.
    pub(super) restart: u64,
    /// From here on, it does so at once.
    pub(super) force: u64,
    /// Is the log emptied right after a commit that erased?
    pub(super) empty_when_erased: bool,
}

/// The writer of one database.
pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    limits: Limits,
    passes_seen: u64,
    bulk_passed_over: u32,
}

/// Work taken from the lanes.
struct Batch {
    jobs: Vec<Box<dyn Job>>,
    truncate: bool,
    last: bool,
}

/// Ends the sharing when the thread ends, also when it unwinds.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison();
        }
        self.0.end();
    }
}

impl Writer {
    /// A writer on a connection that is set up and migrated.
    pub(super) fn new(mut connection: Connection, shared: Arc<Shared>, limits: Limits) -> Result<Self> {
        let marks = Arc::clone(&shared);
        let hook = move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            marks.log_pages.store(u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(hook)).map_err(fault)?;
        Ok(Self { connection, shared, limits, passes_seen: 0, bulk_passed_over: 0 })
    }

    /// Works until it is closed or does not know what is durable.
    pub(super) fn work(mut self) {
        let end = End(Arc::clone(&self.shared));
        let mut jobs = Vec::with_capacity(BATCH_MAX + 1);
        loop {
            let mut batch = self.next_batch(jobs);
            if batch.truncate && !self.shared.is_poisoned() {
                self.empty_log();
            }
            if !batch.jobs.is_empty() && !self.shared.is_poisoned() {
                self.commit_batch(&mut batch.jobs);
                self.keep_log_short();
            }
            if self.shared.is_poisoned() {
                // Whoever was not answered yet is answered here, and not by another commit.
                batch.jobs.iter_mut().for_each(|job| job.answer(Err(Error::Unknown)));
                break;
            }
            batch.jobs.clear();
            if batch.last {
                self.empty_log();
                break;
            }
            jobs = batch.jobs;
        }
        // The connection closes before anyone hears of the end.
        drop(self);
        drop(end);
    }

    fn next_batch(&mut self, jobs: Vec<Box<dyn Job>>) -> Batch {
        let passed_over = &mut self.bulk_passed_over;
        self.shared.take_work(|lanes| {
            let mut batch = Batch { jobs, truncate: std::mem::take(&mut lanes.truncate), last: false };
            take_jobs(lanes, &mut batch.jobs, passed_over);
            batch.last = lanes.closing && lanes.short.is_empty() && lanes.bulk.is_empty();
            batch
        })
    }

    /// Commits a batch, or each of its jobs by itself when one of them spoils it.
    fn commit_batch(&self, jobs: &mut [Box<dyn Job>]) {
        let outcome = self.commit(jobs);
        match outcome {
            Err(Error::Unknown) => self.shared.poison(),
            Err(error) if jobs.len() > 1 => {
                if matches!(error, Error::Full) {
                    // A log that starts anew writes over its own length: outcomes, which free pages, may still fit.
                    self.checkpoint(CheckpointMode::RESTART);
                }
                for job in jobs {
                    let single = self.commit(std::slice::from_mut(job));
                    if matches!(single, Err(Error::Unknown)) {
                        return self.shared.poison();
                    }
                    job.answer(single);
                }
            }
            outcome => jobs.iter_mut().for_each(|job| job.answer(outcome.clone())),
        }
    }

    /// One transaction. `Unknown` is answered whenever it is not sure that all or nothing was kept.
    fn commit(&self, jobs: &mut [Box<dyn Job>]) -> Result<()> {
        self.step("BEGIN IMMEDIATE").map_err(fault)?;
        for job in jobs {
            if let Err(error) = job.run(&self.connection) {
                self.roll_back()?;
                return Err(error);
            }
        }
        match self.step("COMMIT").map_err(fault) {
            Ok(()) => {
                self.shared.commits.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            // A full disk is found while the log is written, before the frame that commits; everything else
            // (above all a flush that failed) leaves open what is on the disk.
            Err(Error::Full) => self.roll_back().and(Err(Error::Full)),
            Err(_) => Err(Error::Unknown),
        }
    }

    fn roll_back(&self) -> Result<()> {
        // SQLite rolls back by itself on some faults, a full disk among them.
        if !self.connection.is_autocommit() {
            self.step("ROLLBACK").map_err(|_| Error::Unknown)?;
        }
        if self.connection.is_autocommit() { Ok(()) } else { Err(Error::Unknown) }
    }

    fn step(&self, text: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(text)?.execute([]).map(drop)
    }

    /// Starts the log anew when it is long. The file keeps its length: writing over it is cheaper than growing it.
    fn keep_log_short(&mut self) {
        if self.limits.empty_when_erased && self.shared.erased.load(Ordering::Acquire) {
            self.empty_log();
        }
        let bytes = self.shared.log_pages.load(Ordering::Relaxed) * u64::from(connect::PAGE_BYTES);
        let passes = self.shared.passes.load(Ordering::Acquire);
        let fresh_pass = passes != self.passes_seen;
        if bytes >= self.limits.force || (bytes >= self.limits.restart && fresh_pass) {
            self.passes_seen = passes;
            self.checkpoint(CheckpointMode::RESTART);
        }
    }

    /// Empties the log, so that nothing deleted is left in it.
    fn empty_log(&self) {
        if self.checkpoint(CheckpointMode::TRUNCATE) {
            self.shared.erased.store(false, Ordering::Release);
            self.shared.emptied.store(self.shared.commits.load(Ordering::Relaxed), Ordering::Release);
        }
    }

    fn checkpoint(&self, mode: CheckpointMode) -> bool {
        match self.connection.wal_checkpoint_v2(None::<&str>, mode).map_err(fault) {
            Ok(_) => {
                self.shared.log_pages.store(0, Ordering::Relaxed);
                true
            }
            Err(error) => {
                // A reader in the way, or a full disk: the log stays and it is tried again. A flush that failed
                // may have lost pages for good while the log was still whole, so it stops the writer.
                if matches!(error, Error::Unknown) {
                    self.shared.poison();
                }
                false
            }
        }
    }
}

fn take_jobs(lanes: &mut Lanes, jobs: &mut Vec<Box<dyn Job>>, passed_over: &mut u32) {
    let short = lanes.short.len().min(BATCH_MAX);
    jobs.extend(lanes.short.drain(..short));
    if lanes.bulk.is_empty() {
        *passed_over = 0;
    } else if short < BATCH_MAX || *passed_over >= BULK_PATIENCE {
        *passed_over = 0;
        jobs.extend(lanes.bulk.pop_front());
    } else {
        *passed_over += 1;
    }
}
