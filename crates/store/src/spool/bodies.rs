//! Bodies too large for a row: sealed files, durable before the transaction that refers to them.
//! Crash between file and transaction ⇒ a file nobody refers to; `open` removes those.

use crate::engine::Engine;
use crate::error::{Error, Result};
use bytes::Bytes;
use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The folder of body files.
pub(crate) struct BodyFiles {
    dir: PathBuf,
}

impl BodyFiles {
    pub(crate) async fn open(dir: &Path, engine: &dyn Engine) -> Result<Self> {
        let dir = dir.join("bodies");
        fs::create_dir_all(&dir).map_err(|error| Error::file(&dir, &error))?;
        let wanted: HashSet<String> = engine.body_files().await?.into_iter().map(name).collect();
        for entry in fs::read_dir(&dir).map_err(|error| Error::file(&dir, &error))?.flatten() {
            if !wanted.contains(entry.file_name().to_string_lossy().as_ref()) {
                fs::remove_file(entry.path()).map_err(|error| Error::file(&entry.path(), &error))?;
            }
        }
        Ok(Self { dir })
    }

    /// Writes and syncs file and folder.
    pub(crate) async fn write(&self, id: i64, sealed: Vec<u8>) -> Result<()> {
        let (dir, path) = (self.dir.clone(), self.dir.join(name(id)));
        blocking(move || {
            let failed = |error: std::io::Error| match error.kind() {
                std::io::ErrorKind::StorageFull => Error::Full,
                _ => Error::file(&path, &error),
            };
            let mut file = fs::File::create(&path).map_err(failed)?;
            file.write_all(&sealed).and_then(|()| file.sync_all()).map_err(failed)?;
            fs::File::open(&dir).and_then(|dir| dir.sync_all()).map_err(failed)
        })
        .await
    }

    pub(crate) async fn read(&self, id: i64) -> Result<Bytes> {
        let path = self.dir.join(name(id));
        blocking(move || fs::read(&path).map(Bytes::from).map_err(|error| Error::file(&path, &error))).await
    }

    /// Removes files whose rows are gone. A file left behind by a crash is removed at the next start.
    pub(crate) async fn remove(&self, ids: Vec<i64>) {
        let paths: Vec<PathBuf> = ids.into_iter().map(|id| self.dir.join(name(id))).collect();
        let removed = blocking(move || {
            for path in &paths {
                fs::remove_file(path).map_err(|error| Error::file(path, &error))?;
            }
            Ok(())
        })
        .await;
        if let Err(error) = removed {
            tracing::warn!(%error, "a body file could not be removed");
        }
    }
}

fn name(id: i64) -> String {
    format!("{id:016x}")
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?
}
