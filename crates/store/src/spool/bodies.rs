//! Bodies too large for a row: sealed files, durable before the transaction that refers to them.
//!
//! A file belongs to its [`BodyFile`] until a commit may refer to it; dropped before that, it takes the file along.
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

/// A file that no commit refers to yet.
#[must_use = "dropped, it removes its file"]
pub(crate) struct BodyFile {
    path: PathBuf,
    is_kept: bool,
}

impl BodyFile {
    /// A commit may refer to it from now on.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for BodyFile {
    fn drop(&mut self) {
        if !self.is_kept {
            unlink(&self.path);
        }
    }
}

impl BodyFiles {
    pub(crate) async fn open(dir: &Path, engine: &dyn Engine) -> Result<Self> {
        let dir = dir.join("bodies");
        fs::create_dir_all(&dir).map_err(|error| Error::file(&dir, &error))?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&dir).map_err(|error| Error::file(&dir, &error))?.flatten() {
            found.push((id_of(&entry.file_name().to_string_lossy()), entry.path()));
        }
        let ids = found.iter().filter_map(|(id, _)| *id).collect();
        let wanted: HashSet<i64> = engine.bodies_outside(ids).await?.into_iter().collect();
        for (_, path) in found.into_iter().filter(|(id, _)| id.is_none_or(|id| !wanted.contains(&id))) {
            fs::remove_file(&path).map_err(|error| Error::file(&path, &error))?;
        }
        Ok(Self { dir })
    }

    /// Writes and syncs file and folder. Whatever goes wrong, a part of a file is not left behind; nor is the file
    /// when the caller goes away meanwhile.
    pub(crate) async fn write(&self, id: i64, sealed: Vec<u8>) -> Result<BodyFile> {
        let (dir, path) = (self.dir.clone(), self.dir.join(name(id)));
        blocking(move || {
            let failed = |error: std::io::Error| match error.kind() {
                std::io::ErrorKind::StorageFull => Error::Full,
                _ => Error::file(&path, &error),
            };
            let mut file = fs::File::create(&path).map_err(failed)?;
            let owner = BodyFile { path: path.clone(), is_kept: false };
            file.write_all(&sealed).and_then(|()| file.sync_all()).map_err(failed)?;
            fs::File::open(&dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
            Ok(owner)
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
            paths.iter().for_each(|path| unlink(path));
            Ok(())
        })
        .await;
        if let Err(error) = removed {
            tracing::warn!(%error, "body files could not be removed; the next start removes them");
        }
    }
}

/// The file's name is an id and says nothing about a person.
fn unlink(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let error = Error::file(path, &error);
            tracing::warn!(%error, "a body file could not be removed; the next start removes it");
        }
        _ => {}
    }
}

fn name(id: i64) -> String {
    format!("{id:016x}")
}

fn id_of(name: &str) -> Option<i64> {
    i64::from_str_radix(name, 16).ok().filter(|id| self::name(*id) == name)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?
}
