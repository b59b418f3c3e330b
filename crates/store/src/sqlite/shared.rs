//! What callers, the writer thread and the housekeeper of one database share: two lanes of jobs and some marks.
//!
//! Invariants: a lane holds no more jobs than it has permits; every job that entered a lane is answered; after the
//! end, nothing enters.

use crate::error::{Error, Result};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

/// Short jobs that may wait; further callers wait outside.
const SHORT_MAX: usize = 1024;
/// Bulk jobs that may wait.
const BULK_MAX: usize = 64;

/// Told when it is not known any more what is durable.
pub type OnPoison = Arc<dyn Fn() + Send + Sync>;

/// Which lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lane {
    /// Acceptance, starts, outcomes, withdrawals: somebody waits for the answer.
    Short,
    /// Import, the ledger's sequencer, forgetting: in slices of at most 5 ms, one per commit.
    Bulk,
}

/// Work for the writer. It may run more than once before it is answered.
pub(super) trait Job: Send {
    /// Does the work inside a transaction.
    fn run(&mut self, connection: &Connection) -> Result<()>;
    /// Tells the caller, after the commit or instead of it.
    fn answer(&mut self, outcome: Result<()>);
}

struct Task<T, F, A> {
    work: F,
    then: Option<A>,
    result: Option<T>,
    reply: Option<oneshot::Sender<Result<T>>>,
    _permit: OwnedSemaphorePermit,
}

impl<T, F, A> Job for Task<T, F, A>
where
    T: Send,
    F: FnMut(&Connection) -> Result<T> + Send,
    A: FnOnce(&mut T) + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<()> {
        self.result = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(&mut self, outcome: Result<()>) {
        let Some(reply) = self.reply.take() else { return };
        let mut answer = outcome.and_then(|()| self.result.take().ok_or(Error::Unknown));
        if let (Ok(result), Some(then)) = (&mut answer, self.then.take()) {
            then(result);
        }
        // A caller who went away is told nothing; what he asked for is done all the same.
        drop(reply.send(answer));
    }
}

/// The two lanes and what was asked of the writer beside them.
#[derive(Default)]
pub(super) struct Lanes {
    /// Short jobs.
    pub(super) short: VecDeque<Box<dyn Job>>,
    /// Bulk jobs.
    pub(super) bulk: VecDeque<Box<dyn Job>>,
    /// Empty the log (`wal_checkpoint(TRUNCATE)`) before the next batch.
    pub(super) truncate: bool,
    /// No more jobs; end when the lanes are empty.
    pub(super) closing: bool,
}

/// See the module.
pub(super) struct Shared {
    lanes: Mutex<Lanes>,
    wake: Condvar,
    short_room: Arc<Semaphore>,
    bulk_room: Arc<Semaphore>,
    poisoned: AtomicBool,
    on_poison: Option<OnPoison>,
    ended: watch::Sender<bool>,
    /// Pages in the log after the last commit.
    pub(super) log_pages: AtomicU64,
    /// Commits since the start.
    pub(super) commits: AtomicU64,
    /// Commits covered by the last emptying of the log.
    pub(super) emptied: AtomicU64,
    /// Passive checkpoints made since the start.
    pub(super) passes: AtomicU64,
    /// Something was erased: empty the log soon.
    pub(super) erased: AtomicBool,
}

impl Shared {
    /// Nothing waits.
    pub(super) fn new(on_poison: Option<OnPoison>) -> Self {
        Self {
            lanes: Mutex::new(Lanes::default()),
            wake: Condvar::new(),
            short_room: Arc::new(Semaphore::new(SHORT_MAX)),
            bulk_room: Arc::new(Semaphore::new(BULK_MAX)),
            poisoned: AtomicBool::new(false),
            on_poison,
            ended: watch::Sender::new(false),
            log_pages: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            emptied: AtomicU64::new(0),
            passes: AtomicU64::new(0),
            erased: AtomicBool::new(false),
        }
    }

    /// Has work done by the writer and waits for its commit.
    ///
    /// # Errors
    /// [`Error::Full`] and [`Error::Engine`]: nothing was kept. [`Error::Unknown`]: the process must end.
    /// [`Error::Closed`]: not begun. Those of the work itself.
    pub(super) async fn write<T, F>(&self, lane: Lane, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T> + Send + 'static,
    {
        self.write_then(lane, work, |_| ()).await
    }

    /// The same, with something short that must follow the commit: it runs on the writer's thread before the answer,
    /// in the order of the jobs, and also when the caller no longer waits.
    ///
    /// # Errors
    /// Those of [`Self::write`]: then nothing follows.
    pub(super) async fn write_then<T, F, A>(&self, lane: Lane, work: F, then: A) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T> + Send + 'static,
        A: FnOnce(&mut T) + Send + 'static,
    {
        let room = match lane {
            Lane::Short => &self.short_room,
            Lane::Bulk => &self.bulk_room,
        };
        let permit = Arc::clone(room).acquire_owned().await.map_err(|_| self.refusal())?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { work, then: Some(then), result: None, reply: Some(reply), _permit: permit });
        {
            let mut lanes = self.lanes.lock();
            if lanes.closing {
                return Err(self.refusal());
            }
            match lane {
                Lane::Short => lanes.short.push_back(job),
                Lane::Bulk => lanes.bulk.push_back(job),
            }
        }
        self.wake.notify_one();
        // The sender is dropped unanswered only when the writer thread fell over.
        answer.await.unwrap_or(Err(Error::Unknown))
    }

    fn refusal(&self) -> Error {
        if self.is_poisoned() { Error::Unknown } else { Error::Closed }
    }

    /// Waits until there is something to do and leaves it to `take`.
    pub(super) fn take_work<T>(&self, take: impl FnOnce(&mut Lanes) -> T) -> T {
        let mut lanes = self.lanes.lock();
        while lanes.short.is_empty() && lanes.bulk.is_empty() && !lanes.truncate && !lanes.closing {
            self.wake.wait(&mut lanes);
        }
        take(&mut lanes)
    }

    /// Jobs that wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        let lanes = self.lanes.lock();
        lanes.short.len() + lanes.bulk.len()
    }

    /// Was the writer asked to empty the log?
    #[cfg(test)]
    pub(super) fn take_truncate(&self) -> bool {
        std::mem::take(&mut self.lanes.lock().truncate)
    }

    /// Asks the writer to empty the log before its next batch.
    pub(super) fn ask_truncate(&self) {
        self.lanes.lock().truncate = true;
        self.wake.notify_one();
    }

    /// No more jobs are taken; the writer ends when it has done those that wait.
    pub(super) fn close(&self) {
        self.lanes.lock().closing = true;
        self.short_room.close();
        self.bulk_room.close();
        self.wake.notify_one();
    }

    /// It is not known any more what is durable: nothing is taken from now on, and the node is told to end.
    pub(super) fn poison(&self) {
        if self.poisoned.swap(true, Ordering::AcqRel) {
            return;
        }
        self.close();
        if let Some(tell) = &self.on_poison {
            tell();
        }
    }

    /// Is it over?
    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// The writer thread has ended, whatever the reason. Jobs that still wait are answered.
    pub(super) fn end(&self) {
        self.close();
        let (short, bulk) = {
            let mut lanes = self.lanes.lock();
            (std::mem::take(&mut lanes.short), std::mem::take(&mut lanes.bulk))
        };
        for mut job in short.into_iter().chain(bulk) {
            job.answer(Err(self.refusal()));
        }
        self.ended.send_replace(true);
    }

    /// Waits for the writer's end.
    pub(super) async fn ended(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        drop(self.ended.subscribe().wait_for(|ended| *ended).await);
    }
}
