//! Group commit: what waits is one batch, a batch is one transaction, and answers come after its COMMIT.
//!
//! A lane has a few workers. While the commit of one is under way, the next batch gathers. What is given to a lane is
//! done also when the one who gave it goes away. A lane's queue is bounded: who gives more waits.
//! Invariants: a batch that the database refuses is halved and run again, down to single jobs, each then in a
//! transaction of its own; so a bad job hurts nobody but itself. When the database as a whole fails, everybody in the
//! batch is told.

use super::db::Fault;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::{Mutex as Turn, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Jobs that wait at most; who comes then, waits to give.
const WAITING_MAX: usize = 1_024;
/// Rows in one batch. The last job taken may be larger.
const ROWS_MAX: usize = 256;
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

type Answers<W> = Vec<oneshot::Sender<Result<<W as Work>::Answer>>>;
type Given<W> = (<W as Work>::Job, oneshot::Sender<Result<<W as Work>::Answer>>);
type Queue<W> = Turn<mpsc::Receiver<Given<W>>>;

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
        let (work, queue) = (Arc::new(work), Arc::new(Turn::new(queue)));
        let workers = (0..workers).map(|_| tokio::spawn(serve(Arc::clone(&work), Arc::clone(&queue)))).collect();
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

async fn serve<W: Work>(work: Arc<W>, queue: Arc<Queue<W>>) {
    while let Some((jobs, answers)) = next::<W>(&queue).await {
        // A task of its own: a batch that falls over takes no worker along.
        drop(tokio::spawn(run(Arc::clone(&work), jobs, answers)).await);
    }
}

/// The next batch. One worker gathers at a time.
async fn next<W: Work>(queue: &Queue<W>) -> Option<(Vec<W::Job>, Answers<W>)> {
    let mut queue = queue.lock().await;
    let (job, answer) = queue.recv().await?;
    // Whoever is about to give a job may do so: the others of a burst are in this batch and not in the next.
    tokio::task::yield_now().await;
    let mut size = W::size(&job);
    let (mut jobs, mut answers) = (vec![job], vec![answer]);
    while size.rows < ROWS_MAX
        && size.octets < OCTETS_MAX
        && let Ok((job, answer)) = queue.try_recv()
    {
        let more = W::size(&job);
        size = Size { rows: size.rows + more.rows, octets: size.octets + more.octets };
        jobs.push(job);
        answers.push(answer);
    }
    Some((jobs, answers))
}

async fn run<W: Work>(work: Arc<W>, jobs: Vec<W::Job>, answers: Answers<W>) {
    let mut parts = vec![(jobs, answers)];
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
