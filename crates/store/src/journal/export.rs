//! Stage 3: tiles, entry bundles and a signed checkpoint in a folder that any static server can serve
//! and any C2SP verifier can check.
//!
//! Invariants: what is signed is a tree that the store holds: size and root are those of the sequencer's head. The
//! folder only receives; what lies in it is believed as far as it leads to that root. One writer a folder: whoever
//! works holds `exporting` until his thread is done, also when nobody waits for him any more.
//! Never: a signature under a tree that was read from the folder alone.

use super::{Journal, Logs, ledger_error};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::open::Store;
use ledger::{Folder, Frontier, SigningKey, VerifierKey};
use model::ControllerId;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;

/// Name of the file with the log's public key.
const KEY_FILE: &str = "log.vkey";
/// Chunks read at once while exporting; each holds at most what the sequencer drains in one commit.
pub(super) const CHUNKS_AT_ONCE: usize = 8;

/// The folder of one controller's log.
pub struct LogFolder {
    folder: Folder,
    /// Size of the last checkpoint known to be signed by us.
    signed: u64,
}

impl LogFolder {
    /// Where a controller's log lies in a data folder, by the controller's public id.
    #[must_use]
    pub fn path(data: &Path, controller: &str) -> PathBuf {
        data.join("ledger").join(controller)
    }

    /// The public key beside the log. A verifier that trusts nobody got it from elsewhere.
    ///
    /// # Errors
    /// When the file is missing or is no key.
    pub fn key(path: &Path) -> Result<VerifierKey> {
        let file = path.join(KEY_FILE);
        let text = std::fs::read_to_string(&file).map_err(|error| Error::file(&file, &error))?;
        text.trim().parse().map_err(|error: ledger::Error| ledger_error(&error))
    }

    /// Opens a folder whose checkpoint, if it has one, is ours. Anybody who can write files could have put another
    /// there, and a checkpoint of ours over it would make his tree ours.
    fn open(path: &Path, key: &SigningKey) -> Result<Self> {
        write_key(path, key)?;
        let folder = Folder::open(path).map_err(|error| ledger_error(&error))?;
        let mut signed = 0;
        if let Some(published) = folder.checkpoint().map_err(|error| ledger_error(&error))? {
            signed = published.verify(key.verifier()).map_err(|_| contradiction(path))?.size();
        }
        if signed != folder.size() {
            return Err(contradiction(path));
        }
        Ok(Self { folder, signed })
    }

    /// Brings the folder to the store's head and signs that.
    fn grow(&mut self, head: &Frontier, entries: &mut KeptEntries, key: &SigningKey) -> Result<()> {
        let size = head.size();
        entries.next = self.folder.size();
        while self.folder.size() < size {
            let page = entries.page()?;
            self.folder.extend(self.folder.size(), &page).map_err(|error| ledger_error(&error))?;
        }
        // C2SP tlog-checkpoint, "Signatures": never two trees of one log. The store's is the one.
        if self.folder.size() != size || self.folder.root() != head.root() {
            return Err(contradiction(self.folder.path()));
        }
        if self.signed == size {
            // Published already, and perhaps cosigned by witnesses since.
            return Ok(());
        }
        let signed = ledger::checkpoint::sign(key, size, head.root()).map_err(|error| ledger_error(&error))?;
        self.folder.write_checkpoint(&signed).map_err(|error| ledger_error(&error))?;
        self.signed = size;
        Ok(())
    }
}

impl Journal {
    /// Waits until nobody writes a folder, and keeps others out.
    async fn writing(&self) -> OwnedMutexGuard<Logs> {
        Arc::clone(&self.exporting).lock_owned().await
    }
}

impl Store {
    /// The name of a controller's log: the first line of its checkpoints.
    #[must_use]
    pub fn log_origin(&self, controller: ControllerId) -> String {
        format!("postern/ledger/{}", self.public_id(controller))
    }

    pub(super) fn log_key(&self, controller: ControllerId) -> Result<SigningKey> {
        let seed = self.vault.log_seed(controller.0)?;
        SigningKey::log(&self.log_origin(controller), &seed).map_err(|error| ledger_error(&error))
    }

    /// Exports what was sequenced since the last time, for every log that grew, and signs checkpoints. Among several
    /// nodes the one that sequences a log exports it: it alone knows the head.
    ///
    /// # Errors
    /// The first log that cannot be written; the others are tried all the same.
    pub async fn export_logs(&self) -> Result<()> {
        let heads: Vec<i64> = self.journal.heads.lock().keys().copied().collect();
        let controllers = heads.into_iter().filter(|controller| self.tenure.keeps_ledger(*controller));
        let mut outcome = Ok(());
        for controller in controllers {
            let exported = self.export_log(ControllerId(controller)).await;
            if exported.is_err() && outcome.is_ok() {
                outcome = exported;
            }
        }
        outcome
    }

    pub(super) async fn export_log(&self, controller: ControllerId) -> Result<()> {
        let logs = self.journal.writing().await;
        // The head is read under the lock: whoever was here before may have exported further than an earlier look.
        let Some(head) = self.journal.heads.lock().get(&controller.0).cloned() else { return Ok(()) };
        self.grow_log(logs, controller, head).await
    }

    /// Brings this node's folder of a log that another node keeps to the store's head. Any node may: the tree is the
    /// store's, and what is signed is a state that it has.
    pub(super) async fn follow_log(&self, controller: ControllerId) -> Result<()> {
        let logs = self.journal.writing().await;
        let heads = self.engine.heads().await?;
        let Some(head) = heads.into_iter().find(|head| head.controller == controller.0) else { return Ok(()) };
        let head = Frontier::from_bytes(&head.frontier).map_err(|_| Error::Row { column: "ledger_head.frontier" })?;
        self.grow_log(logs, controller, head).await
    }

    async fn grow_log(&self, mut logs: OwnedMutexGuard<Logs>, controller: ControllerId, head: Frontier) -> Result<()> {
        if logs.get(&controller.0).is_some_and(|log| log.signed >= head.size()) {
            return Ok(());
        }
        let (key, path) = (self.log_key(controller)?, self.log_path(controller));
        let mut entries = self.kept_entries(controller, head.size());
        blocking(move || {
            let mut log = match logs.remove(&controller.0) {
                Some(log) => log,
                None => LogFolder::open(&path, &key)?,
            };
            log.grow(&head, &mut entries, &key)?;
            // After any failure the folder is opened and looked at anew.
            logs.insert(controller.0, log);
            Ok(())
        })
        .await
    }

    pub(super) fn log_path(&self, controller: ControllerId) -> PathBuf {
        self.journal.root.join(self.public_id(controller))
    }

    fn kept_entries(&self, controller: ControllerId, end: u64) -> KeptEntries {
        KeptEntries {
            engine: Arc::clone(&self.engine),
            runtime: Handle::current(),
            controller: controller.0,
            next: 0,
            end,
            page: Vec::new().into_iter(),
        }
    }

    /// Makes a controller's log folder anew from the store, which holds the truth. Refused when the
    /// store contradicts the checkpoint that was published before.
    ///
    /// # Errors
    /// Those of the engine and of the ledger.
    pub async fn rebuild_log(&self, controller: ControllerId) -> Result<u64> {
        while self.sequence().await? > 0 {}
        if !self.tenure.keeps_ledger(controller.0) {
            // Another node sequences it: what it has reached is in the store.
            let _turn = self.journal.turn.lock().await;
            self.journal.read_heads(&*self.engine).await?;
        }
        let mut logs = self.journal.writing().await;
        logs.remove(&controller.0);
        let head = self.journal.heads.lock().get(&controller.0).cloned().unwrap_or_default();
        let (key, path) = (self.log_key(controller)?, self.log_path(controller));
        let mut entries = self.kept_entries(controller, head.size());
        blocking(move || {
            // Held to the end, also when nobody waits for it.
            let _logs = logs;
            // What the rows lead to is known before anything is signed.
            let mut read = Frontier::new();
            for entry in &mut entries {
                read.push(ledger::leaf_hash(&entry?));
            }
            if read != head {
                return Err(Error::Row { column: "ledger_chunk.entries" });
            }
            write_key(&path, &key)?;
            entries.next = 0;
            let entries = entries.map(|entry| entry.map_err(Fault));
            ledger::folder::rebuild(&path, entries, &key).map_err(|fault| fault.0)?;
            Ok(head.size())
        })
        .await
    }

    /// All controllers that have a log, with their public ids.
    #[must_use]
    pub fn logs(&self) -> Vec<(ControllerId, String)> {
        let mut out: Vec<_> =
            self.policy.current().controllers().map(|known| (known.id, self.public_id(known.id))).collect();
        out.sort();
        out
    }
}

/// An error that the rebuilding of a folder may pass through.
struct Fault(Error);

impl From<ledger::Error> for Fault {
    fn from(error: ledger::Error) -> Self {
        Self(ledger_error(&error))
    }
}

fn contradiction(path: &Path) -> Error {
    Error::LogContradicts { folder: path.display().to_string() }
}

fn write_key(path: &Path, key: &SigningKey) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| Error::file(path, &error))?;
    let file = path.join(KEY_FILE);
    std::fs::write(&file, format!("{}\n", key.verifier())).map_err(|error| Error::file(&file, &error))
}

/// Entries of a log up to a size, as the store has them, some chunks in memory at a time. For threads that may block.
struct KeptEntries {
    engine: Arc<dyn Engine>,
    runtime: Handle,
    controller: i64,
    next: u64,
    end: u64,
    page: std::vec::IntoIter<Vec<u8>>,
}

impl KeptEntries {
    /// The next entries, at least one and never one beyond the end.
    fn page(&mut self) -> Result<Vec<Vec<u8>>> {
        let chunks = self.runtime.block_on(self.engine.chunks(self.controller, self.next, CHUNKS_AT_ONCE))?;
        let mut out = Vec::new();
        for chunk in chunks {
            let reached = self.next + out.len() as u64;
            let skip = usize::try_from(reached.saturating_sub(chunk.first)).unwrap_or(usize::MAX);
            out.extend(split(&chunk.entries)?.into_iter().skip(skip));
        }
        out.truncate(usize::try_from(self.end.saturating_sub(self.next)).unwrap_or(usize::MAX));
        if out.is_empty() {
            return Err(Error::Row { column: "ledger_chunk.first" });
        }
        self.next += out.len() as u64;
        Ok(out)
    }
}

impl Iterator for KeptEntries {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(entry) = self.page.next() {
            return Some(Ok(entry));
        }
        if self.next >= self.end {
            return None;
        }
        match self.page() {
            Ok(page) => {
                self.page = page.into_iter();
                self.page.next().map(Ok)
            }
            Err(error) => {
                // Whoever goes on after a fault is told nothing more.
                self.next = self.end;
                Some(Err(error))
            }
        }
    }
}

/// Entries of a chunk: each has a big-endian 16-bit length before it (C2SP tlog-tiles bundles).
fn split(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let broken = || Error::Row { column: "ledger_chunk.entries" };
    let mut out = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or_else(broken)?;
        out.push(entry.to_vec());
        bytes = rest;
    }
    if bytes.is_empty() { Ok(out) } else { Err(broken()) }
}

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?
}
