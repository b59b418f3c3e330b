//! A few connections that only read.
//!
//! They are used where they are called, on the runtime's own threads: a point read from the page cache takes
//! microseconds, less than handing it to another thread would. Verbs that walk a table go to a blocking thread
//! (`SqliteEngine::walk`). The pool is bounded; whoever finds it empty waits for a reader that is microseconds
//! from done.

use crate::error::{Error, Result};
use crate::sqlite::connect;
use crate::sqlite::query::read_fault;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::path::PathBuf;

/// The pool of one database.
pub(super) struct Readers {
    path: PathBuf,
    max: usize,
    pool: Mutex<Pool>,
    returned: Condvar,
}

struct Pool {
    idle: Vec<Connection>,
    open: usize,
    closed: bool,
}

impl Readers {
    /// Connections are opened when they are first needed, at most `max`.
    pub(super) const fn new(path: PathBuf, max: usize) -> Self {
        let pool = Pool { idle: Vec::new(), open: 0, closed: false };
        Self { path, max, pool: Mutex::new(pool), returned: Condvar::new() }
    }

    /// Reads with one of the connections.
    ///
    /// # Errors
    /// [`Error::Closed`], and those of the work; never [`Error::Unknown`].
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let lease = self.lease()?;
        match &lease.connection {
            Some(connection) => work(connection).map_err(read_fault),
            None => Err(Error::Closed),
        }
    }

    /// Reads several things as of one moment.
    pub(super) fn read_together<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.read(|connection| {
            // Prepared once a connection: parsing BEGIN and COMMIT anew would cost as much as the look-ups between.
            let bracket = |word| -> Result<()> {
                let mut statement = connection.prepare_cached(word).map_err(crate::sqlite::fault)?;
                statement.execute([]).map(drop).map_err(crate::sqlite::fault)
            };
            bracket("BEGIN")?;
            let done = work(connection);
            // Nothing was written: both endings are the same, and a failed work must not leave the bracket open.
            let ended = bracket("COMMIT");
            done.and_then(|value| ended.map(|()| value))
        })
    }

    /// Closes the idle connections now and the others when they come back.
    pub(super) fn close(&self) {
        let mut pool = self.pool.lock();
        pool.closed = true;
        pool.open -= pool.idle.len();
        pool.idle.clear();
        self.returned.notify_all();
    }

    fn lease(&self) -> Result<Lease<'_>> {
        let mut pool = self.pool.lock();
        loop {
            if pool.closed {
                return Err(Error::Closed);
            }
            if let Some(connection) = pool.idle.pop() {
                return Ok(Lease { readers: self, connection: Some(connection) });
            }
            if pool.open < self.max {
                pool.open += 1;
                break;
            }
            self.returned.wait(&mut pool);
        }
        drop(pool);
        // From here on the lease gives the place back, whether or not there is a connection in it.
        let mut lease = Lease { readers: self, connection: None };
        lease.connection = Some(connect::reader(&self.path).map_err(read_fault)?);
        Ok(lease)
    }
}

struct Lease<'r> {
    readers: &'r Readers,
    connection: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool.lock();
        match self.connection.take() {
            Some(connection) if !pool.closed => pool.idle.push(connection),
            _ => pool.open -= 1,
        }
        self.readers.returned.notify_one();
    }
}
