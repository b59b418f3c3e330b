//! Stage 3: tiles, entry bundles and a signed checkpoint in a folder that any static server can serve
//! and any C2SP verifier can check.

use super::ledger_error;
use crate::error::{Error, Result};
use crate::open::Store;
use ledger::{Folder, SigningKey, VerifierKey};
use model::ControllerId;
use std::path::{Path, PathBuf};

/// Name of the file with the log's public key.
const KEY_FILE: &str = "log.vkey";
/// Chunks read at once while exporting.
const CHUNKS_AT_ONCE: usize = 64;

/// The folder of one controller's log.
pub struct LogFolder {
    folder: Folder,
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
}

impl Store {
    /// The name of a controller's log: the first line of its checkpoints.
    #[must_use]
    pub fn log_origin(&self, controller: ControllerId) -> String {
        format!("postern/ledger/{}", self.public_id(controller))
    }

    fn log_key(&self, controller: ControllerId) -> Result<SigningKey> {
        let seed = self.vault.log_seed(controller.0)?;
        SigningKey::log(&self.log_origin(controller), &seed).map_err(|error| ledger_error(&error))
    }

    /// Exports what was sequenced since the last time, for every log that grew, and signs checkpoints.
    ///
    /// # Errors
    /// The first log that cannot be written; the others are tried all the same.
    pub async fn export_logs(&self) -> Result<()> {
        let grown: Vec<(i64, u64)> =
            self.journal.heads.lock().iter().map(|(controller, head)| (*controller, head.size())).collect();
        let mut outcome = Ok(());
        for (controller, size) in grown {
            let exported = self.export_log(ControllerId(controller), size).await;
            if exported.is_err() && outcome.is_ok() {
                outcome = exported;
            }
        }
        outcome
    }

    async fn export_log(&self, controller: ControllerId, size: u64) -> Result<()> {
        let mut exporting = self.journal.exporting.lock().await;
        let mut log = match exporting.remove(&controller.0) {
            Some(log) => log,
            None => self.open_log(controller).await?,
        };
        if log.folder.size() >= size && log.folder.checkpoint().map_err(|error| ledger_error(&error))?.is_some() {
            exporting.insert(controller.0, log);
            return Ok(());
        }
        while log.folder.size() < size {
            let (chunks, from) = (self.read_chunks(controller, log.folder.size()).await?, log.folder.size());
            if chunks.is_empty() {
                return Err(Error::Row { column: "ledger_chunk.first" });
            }
            log = blocking(move || {
                log.folder.extend(from, &chunks).map_err(|error| ledger_error(&error))?;
                Ok(log)
            })
            .await?;
        }
        let key = self.log_key(controller)?;
        log = blocking(move || {
            let (size, root) = (log.folder.size(), log.folder.root());
            let signed = ledger::checkpoint::sign(&key, size, root).map_err(|error| ledger_error(&error))?;
            log.folder.write_checkpoint(&signed).map_err(|error| ledger_error(&error))?;
            Ok(log)
        })
        .await?;
        exporting.insert(controller.0, log);
        Ok(())
    }

    async fn open_log(&self, controller: ControllerId) -> Result<LogFolder> {
        let path = self.journal.root.join(self.public_id(controller));
        let vkey = format!("{}\n", self.log_key(controller)?.verifier());
        blocking(move || {
            std::fs::create_dir_all(&path).map_err(|error| Error::file(&path, &error))?;
            let file = path.join(KEY_FILE);
            std::fs::write(&file, vkey).map_err(|error| Error::file(&file, &error))?;
            let folder = Folder::open(path).map_err(|error| ledger_error(&error))?;
            Ok(LogFolder { folder })
        })
        .await
    }

    /// Entries from index `from` on, as many as are read at once.
    async fn read_chunks(&self, controller: ControllerId, from: u64) -> Result<Vec<Vec<u8>>> {
        let mut out = Vec::new();
        for chunk in self.engine.chunks(controller.0, from, CHUNKS_AT_ONCE).await? {
            let skip = usize::try_from(from.saturating_sub(chunk.first)).unwrap_or(usize::MAX);
            out.extend(split(&chunk.entries)?.into_iter().skip(skip));
        }
        Ok(out)
    }

    /// Makes a controller's log folder anew from the store, which holds the truth. Refused when the
    /// store contradicts the checkpoint that was published before.
    ///
    /// # Errors
    /// Those of the engine and of the ledger.
    pub async fn rebuild_log(&self, controller: ControllerId) -> Result<u64> {
        while self.sequence().await? > 0 {}
        let mut exporting = self.journal.exporting.lock().await;
        exporting.remove(&controller.0);
        let size = self.journal.heads.lock().get(&controller.0).map_or(0, ledger::Frontier::size);
        let mut entries: Vec<Vec<u8>> = Vec::new();
        while (entries.len() as u64) < size {
            let more = self.read_chunks(controller, entries.len() as u64).await?;
            if more.is_empty() {
                return Err(Error::Row { column: "ledger_chunk.first" });
            }
            entries.extend(more);
        }
        let key = self.log_key(controller)?;
        let path = self.journal.root.join(self.public_id(controller));
        blocking(move || {
            std::fs::create_dir_all(&path).map_err(|error| Error::file(&path, &error))?;
            let file = path.join(KEY_FILE);
            std::fs::write(&file, format!("{}\n", key.verifier())).map_err(|error| Error::file(&file, &error))?;
            let entries = entries.into_iter().map(Ok::<_, ledger::Error>);
            ledger::folder::rebuild(&path, entries, &key).map_err(|error| ledger_error(&error))?;
            Ok(size)
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

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?
}
