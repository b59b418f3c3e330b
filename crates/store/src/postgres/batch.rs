//! Group commit: what waits is one batch, a batch is one transaction, and answers come after its COMMIT.
//!
//! A lane has a few workers. While the commit of one is under way, the next batch gathers; it goes beside the first
//! only when that is worth it, or the first takes long. What is given to a lane is done also when the one who gave it
//! goes away. A lane's queue is bounded: who gives more waits.
//! Invariants: a batch that the database refuses is halved and run again, down to single jobs, each then in a
//! transaction of its own; so a bad job hurts nobody but itself. When the database as a whole fails, everybody in the
//! batch is told.

use super::db::Fault;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex as Turn, Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Jobs that wait at most; who comes then, waits to give.
const WAITING_MAX: usize = 1_024;
/// Rows in one batch. The last job taken may be larger.
const ROWS_MAX: usize = 256;
/// Rows that are worth a second transaction beside one that is under way.
const ROWS_WORTH: usize = 64;
/// So long fewer of them wait for its end.
const PATIENCE: Duration = Duration::from_millis(10);
/// Octets in one batch. The last job taken may be larger.
const OCTETS_MAX: usize = 8 * 1024 * 1024;

/// How much a job is.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Size {
    /// Rows that it writes.
    pub(super) rows: usize,
    /// Octets that it carries, roughly.
    pub(super) octets: usize,
}

/// What a lane does.
pub(super) trait Work: Send + Sync + 'static {
    /// A job.
    type Job: Send + Sync + 'static;
    /// What it is answered.
    type Answer: Send + 'static;

    /// How much a job is.
    fn size(job: &Self::Job) -> Size;

    /// Runs jobs in one transaction and answers each, in order; or keeps nothing of any of them.
    fn together(&self, jobs: &[Self::Job]) -> impl Future<Output = Result<Vec<Self::Answer>, Fault>> + Send;
}

type Answered<W> = oneshot::Sender<Result<<W as Work>::Answer>>;
type Given<W> = (<W as Work>::Job, Answered<W>);

/// A lane.
pub(super) struct Lane<W: Work> {
    /// Gone when the lane is closed.
    entry: Mutex<Option<mpsc::Sender<Given<W>>>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl<W: Work> Lane<W> {
    /// Opens a lane with so many workers. Belongs to the runtime that it is opened on.
    pub(super) fn open(work: W, workers: usize) -> Self {
        let (entry, queue) = mpsc::channel(WAITING_MAX);
        let shared = Arc::new(Shared {
            work: Arc::new(work),
            queue: Turn::new(queue),
            under_way: AtomicUsize::new(0),
            ended: Notify::new(),
        });
        let workers = (0..workers).map(|_| tokio::spawn(serve(Arc::clone(&shared)))).collect();
        Self { entry: Mutex::new(Some(entry)), workers: Mutex::new(workers) }
    }

    /// Gives a job and waits for its answer.
    pub(super) async fn ask(&self, job: W::Job) -> Result<W::Answer> {
        let entry = self.entry.lock().clone().ok_or(Error::Closed)?;
        let (answer, answered) = oneshot::channel();
        entry.send((job, answer)).await.map_err(|_| Error::Closed)?;
        drop(entry);
        // Without an answer it fell over on the way, and nobody knows how far it came.
        answered.await.unwrap_or(Err(Error::Unknown))
    }

    /// Takes nothing more, does what was given, and ends.
    pub(super) async fn close(&self) {
        drop(self.entry.lock().take());
        let workers = std::mem::take(&mut *self.workers.lock());
        for worker in workers {
            // A worker that fell over has nothing left to do.
            drop(worker.await);
        }
    }
}

/// What the workers of a lane share.
struct Shared<W: Work> {
    work: Arc<W>,
    /// Whoever gathers holds it.
    queue: Turn<mpsc::Receiver<Given<W>>>,
    /// Batches that are under way.
    under_way: AtomicUsize,
    /// One of them ended.
    ended: Notify,
}

/// Jobs that go together.
struct Batch<W: Work> {
    jobs: Vec<W::Job>,
    answers: Vec<Answered<W>>,
    size: Size,
}

impl<W: Work> Batch<W> {
    const fn new() -> Self {
        Self { jobs: Vec::new(), answers: Vec::new(), size: Size { rows: 0, octets: 0 } }
    }

    fn push(&mut self, (job, answer): Given<W>) {
        let more = W::size(&job);
        self.size = Size { rows: self.size.rows + more.rows, octets: self.size.octets + more.octets };
        self.jobs.push(job);
        self.answers.push(answer);
    }

    const fn is_full(&self) -> bool {
        self.size.rows >= ROWS_MAX || self.size.octets >= OCTETS_MAX
    }

    const fn is_worth_it(&self) -> bool {
        self.size.rows >= ROWS_WORTH || self.size.octets >= OCTETS_MAX
    }

    fn fill(&mut self, queue: &mut mpsc::Receiver<Given<W>>) {
        while !self.is_full()
            && let Ok(given) = queue.try_recv()
        {
            self.push(given);
        }
    }
}

async fn serve<W: Work>(shared: Arc<Shared<W>>) {
    while let Some(batch) = gather(&shared).await {
        // A task of its own: a batch that falls over takes no worker along.
        drop(tokio::spawn(run(Arc::clone(&shared.work), batch)).await);
        shared.under_way.fetch_sub(1, Ordering::AcqRel);
        shared.ended.notify_one();
    }
}

/// The next batch. While another is under way, few jobs wait for its end, or for more of them: a commit costs the same
/// for one as for many.
async fn gather<W: Work>(shared: &Shared<W>) -> Option<Batch<W>> {
    let mut queue = shared.queue.lock().await;
    let mut batch = Batch::new();
    batch.push(queue.recv().await?);
    // Whoever is about to give a job may do so: the others of a burst are in this batch and not in the next.
    tokio::task::yield_now().await;
    batch.fill(&mut queue);
    let is_busy = || shared.under_way.load(Ordering::Acquire) > 0;
    if is_busy() {
        let mut patience = pin!(tokio::time::sleep(PATIENCE));
        while is_busy() && !batch.is_worth_it() {
            tokio::select! {
                biased;
                () = shared.ended.notified() => {}
                () = &mut patience => break,
                given = queue.recv() => match given {
                    Some(given) => batch.push(given),
                    None => break,
                },
            }
        }
        batch.fill(&mut queue);
    }
    shared.under_way.fetch_add(1, Ordering::AcqRel);
    Some(batch)
}

async fn run<W: Work>(work: Arc<W>, batch: Batch<W>) {
    let mut parts = vec![(batch.jobs, batch.answers)];
    while let Some((mut jobs, mut waiting)) = parts.pop() {
        match work.together(&jobs).await {
            Ok(answers) => {
                for (waiting, answer) in waiting.into_iter().zip(answers) {
                    tell(waiting, Ok(answer));
                }
            }
            Err(fault) if jobs.len() > 1 && lies_in_a_job(&fault) => {
                let half = jobs.len() / 2;
                let second = (jobs.split_off(half), waiting.split_off(half));
                parts.push(second);
                parts.push((jobs, waiting));
            }
            Err(fault) => {
                let error = fault.into_error();
                for waiting in waiting {
                    tell(waiting, Err(error.clone()));
                }
            }
        }
    }
}

/// Can it be that one job is to blame?
const fn lies_in_a_job(fault: &Fault) -> bool {
    match fault {
        Fault::Conflict => true,
        Fault::Final(error) => !matches!(error, Error::Full | Error::Closed | Error::Unknown),
        _ => false,
    }
}

fn tell<T>(waiting: oneshot::Sender<Result<T>>, answer: Result<T>) {
    // Whoever went away needs no answer.
    drop(waiting.send(answer));
}
