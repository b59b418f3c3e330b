//! What must outlive a restore: opt-outs, objections, withdrawals, restrictions and erasures, shipped to a log on
//! another path (`architecture.md` §3, law.md R45).
//!
//! A decision marks its person in the same commit. About every second what stands of those who are marked is appended
//! to the log, made durable there, and the marks are taken back. A store knows how far the log has come by its own
//! rows: one that finds more in the log was restored from an older copy, or was cut short before the last marks went,
//! and makes up for it before any door opens (GDPR Art. 7(3), 17, 21(3)).
//! Invariant: a record only takes away, so reading it twice, or on a newer store, changes nothing.
//! Never: a store opened for service beside a log that it cannot read to its end.

mod log;
mod person;
mod replay;
#[cfg(test)]
mod tests;

pub use replay::Replayed;

use crate::engine::{Change, Reach, Step, Writes};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::statement as sql;
use crate::value::Value;
use crate::vault::{Key, KeyKind, crypto};
use log::Log;
use model::event::EventType;
use model::ids::hex;
use model::{ControllerId, RecipientTag};
use parking_lot::Mutex;
use person::{Record, Stone};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Persons in one record.
const AT_ONCE: i64 = 500;
const KEY_USE: &str = "log of tombstones";

/// What the node holds of it.
#[derive(Default)]
pub(crate) struct Tombstones {
    /// A log is kept of this store, by this node or another: decisions mark their persons.
    is_kept: AtomicBool,
    /// Where this node ships to.
    log: Mutex<Option<Arc<Mutex<Log>>>>,
}

impl Store {
    /// Keeps the log in a folder from now on, and first makes up for everything in it that this store does not know.
    ///
    /// # Errors
    /// [`Error::Tombstones`] when it is not there, is another's, is damaged, or does not reach back far enough: then
    /// nothing may be served. Those of files and of the engine.
    pub async fn keep_tombstones(&self, dir: &Path) -> Result<Replayed> {
        let (folder, key) = (dir.to_path_buf(), self.tombstone_key()?);
        let found = blocking(move || Log::open(&folder, &key)).await?;
        let known = self.tombstone_log().await?;
        let (log, shipped) = match (known, found) {
            (Some((id, shipped)), Some(log)) => (checked(log, id, shipped)?, shipped),
            // The row was written, and the file was not.
            (Some((id, 0)), None) => (self.make_log(dir, id).await?, 0),
            (Some(_), None) => return Err(log::missing(dir)),
            (None, Some(log)) if log.last() > 0 => {
                return Err(log.unfit("is another store's: this one has never written to a log; name another folder"));
            }
            (None, Some(log)) => {
                self.note_log(log.id()).await?;
                (log, 0)
            }
            (None, None) => {
                let id = crypto::random()?;
                self.note_log(id).await?;
                (self.make_log(dir, id).await?, 0)
            }
        };
        let log = Arc::new(Mutex::new(log));
        let replayed = self.replay(&log, shipped).await?;
        if log.lock().last() == 0 {
            // From now on the store knows that there is a log: one that is missing is not made anew.
            self.append(&log, &Record { at: self.now().micros(), persons: Vec::new() }).await?;
        }
        *self.tombstones.log.lock() = Some(log);
        self.tombstones.is_kept.store(true, Ordering::Release);
        Ok(replayed)
    }

    /// Is a log kept of this store? Then it is served with that log alone.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn keeps_tombstones(&self) -> Result<bool> {
        Ok(self.tombstone_log().await?.is_some())
    }

    /// Keeps no log any more. The file stays.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn end_tombstones(&self) -> Result<()> {
        self.tombstones.is_kept.store(false, Ordering::Release);
        let steps = vec![Step::new(&sql::TOMBSTONE_LOG_END, vec![]), Step::new(&sql::TOMBSTONE_UNMARK_ALL, vec![])];
        self.run(steps).await
    }

    /// Does the log lie on the same disk as another folder?
    #[must_use]
    pub fn tombstones_beside(&self, dir: &Path) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let log = self.tombstones.log.lock().clone();
        let device = log.and_then(|log| log.lock().device());
        device.is_some() && device == std::fs::metadata(dir).ok().map(|of| of.dev())
    }

    /// Looks whether another node keeps a log by now.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn refresh_tombstones(&self) -> Result<()> {
        let is_kept = self.tombstone_log().await?.is_some();
        self.tombstones.is_kept.store(is_kept, Ordering::Release);
        Ok(())
    }

    /// Ships what waits. Nothing when this node has no log, or another process writes to it just now.
    ///
    /// # Errors
    /// Those of files and of the engine; what waits goes on waiting.
    pub async fn ship_tombstones(&self) -> Result<()> {
        let Some(log) = self.tombstones.log.lock().clone() else { return Ok(()) };
        loop {
            let marks = self.found(&sql::TOMBSTONE_MARKS, vec![AT_ONCE.into()]).await?;
            if marks.is_empty() {
                return Ok(());
            }
            let mut record = Record { at: self.now().micros(), persons: Vec::with_capacity(marks.len()) };
            let mut steps = Vec::with_capacity(marks.len());
            for mut mark in marks {
                let (controller, tag) = (ControllerId(mark.number()?), RecipientTag(mark.array()?));
                // Read after the mark: it holds at least what the mark came with.
                record.persons.push(self.stone(controller, tag).await?);
                let values = vec![controller.0.into(), tag.0.into(), mark.number()?.into()];
                steps.push(Step::new(&sql::TOMBSTONE_UNMARK, values));
            }
            if !self.append(&log, &record).await? {
                return Ok(());
            }
            self.run(steps).await?;
        }
    }

    /// Appends a record, and notes that it is there. False when another process writes just now.
    async fn append(&self, log: &Arc<Mutex<Log>>, record: &Record) -> Result<bool> {
        let plain = serde_json::to_vec(record).map_err(|error| Error::Engine(error.to_string()))?;
        let log = Arc::clone(log);
        let Some(number) = blocking(move || log.lock().append(&plain)).await? else { return Ok(false) };
        self.shipped(number).await?;
        Ok(true)
    }

    /// What stands of a person that takes away.
    async fn stone(&self, controller: ControllerId, tag: RecipientTag) -> Result<Stone> {
        let standing = self.decided(controller, tag).await?;
        let restricted = self.found(&sql::RESTRICTED_SINCE, vec![controller.0.into(), tag.0.into()]).await?;
        let suppressed = standing.suppressions.into_iter().map(|one| {
            let until = one.until.map(model::Timestamp::micros);
            (crate::facts::write_scope(one.scope), one.reason.as_str().to_owned(), one.since.micros(), until)
        });
        let left = standing.bases.into_iter().filter_map(|basis| Some((basis.purpose.0, basis.withdrawn?.micros())));
        let restricted = restricted.into_iter().map(|mut row| Ok((row.text()?, row.number()?)));
        Ok(Stone {
            controller: controller.0,
            tag: hex(&tag.0),
            number: self.vault.tag_number(controller),
            suppressed: suppressed.collect(),
            left: left.collect(),
            restricted: restricted.collect::<Result<_>>()?,
        })
    }

    /// The mark that goes into the commit of a decision; nothing when no log is kept.
    pub(crate) fn mark(&self, controller: ControllerId, tag: RecipientTag) -> Option<Step> {
        let is_kept = self.tombstones.is_kept.load(Ordering::Acquire);
        let values = || vec![controller.0.into(), tag.0.into(), self.next_id().into()];
        is_kept.then(|| Step::new(&sql::TOMBSTONE_MARK, values()))
    }

    /// The same of a change as it stands before the engine.
    pub(crate) fn mark_of(&self, kind: EventType, change: &Change) -> Option<Change> {
        let takes_away = matches!(kind, EventType::Suppressed | EventType::BasisWithdrawn | EventType::Restricted);
        let tag = change.person().filter(|_| takes_away)?;
        let step = self.mark(ControllerId(change.controller()), RecipientTag(tag))?;
        Some(Change::Rows(writes(vec![step])))
    }

    /// Marks are made from now on, for houses with a row in every table.
    #[cfg(test)]
    pub(crate) async fn keep_some_tombstones(&self) {
        self.note_log([7; 16]).await.unwrap();
        self.refresh_tombstones().await.unwrap();
    }

    /// Not of the master key, which may change, nor of anything that a copy of the keys may lack.
    fn tombstone_key(&self) -> Result<Key> {
        let wrap = self.vault.key(ControllerId::OPERATOR.0, KeyKind::Wrap, 0)?;
        Ok(crypto::derive(&wrap, KEY_USE))
    }

    /// Which log, and up to which record it is known to be whole.
    async fn tombstone_log(&self) -> Result<Option<([u8; 16], u64)>> {
        let Some(mut row) = self.found(&sql::TOMBSTONE_LOG, vec![]).await?.into_iter().next() else { return Ok(None) };
        let (id, shipped) = (row.array()?, row.number()?);
        Ok(Some((id, u64::try_from(shipped).map_err(|_| Error::Row { column: "tombstone_log.shipped" })?)))
    }

    async fn note_log(&self, id: [u8; 16]) -> Result<()> {
        self.run(vec![Step::new(&sql::TOMBSTONE_LOG_BEGIN, vec![Value::Octets(id.to_vec())])]).await
    }

    async fn shipped(&self, number: u64) -> Result<()> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.run(vec![Step::new(&sql::TOMBSTONE_LOG_SHIPPED, vec![number.into()])]).await
    }

    async fn make_log(&self, dir: &Path, id: [u8; 16]) -> Result<Log> {
        let (dir, key) = (dir.to_path_buf(), self.tombstone_key()?);
        blocking(move || Log::create(&dir, id, &key)).await
    }

    /// Steps that no decision rests on, each whatever the others touched.
    async fn run(&self, steps: Vec<Step>) -> Result<()> {
        let changes = steps.into_iter().map(|step| (Change::Rows(writes(vec![step])), None)).collect();
        self.engine.change(changes).await.map(drop)
    }
}

/// Is it the store's own, and does it reach from what the store knows to its own end?
fn checked(log: Log, id: [u8; 16], shipped: u64) -> Result<Log> {
    if log.id() != id {
        return Err(log.unfit("is another store's; name the folder with this store's own"));
    }
    if log.last() < shipped {
        return Err(log.unfit("ends before what this store has written to it: it is an old copy of the log"));
    }
    if log.first() > shipped + 1 {
        return Err(log.unfit("begins after what this store knows: it does not reach back to this copy of the data"));
    }
    Ok(log)
}

fn writes(steps: Vec<Step>) -> Writes {
    Writes {
        controller: ControllerId::OPERATOR.0,
        person: None,
        reach: Reach::Nothing,
        what: "tombstone",
        event: None,
        detail: [0; 32],
        steps,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::Engine("a task of the log of tombstones fell over".into()))?
}
