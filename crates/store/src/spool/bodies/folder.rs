//! Bodies as files: of one node, or in a folder that several nodes see.
//!
//! Invariants: a file gets its name when it is whole and durable; after that, the folder is made durable too. Files are
//! for their owner alone (mode 0600). A folder that several nodes share holds a mark of the installation that it
//! belongs to, and is never made here: what is not there is not mounted.

use super::{BodyStore, hex, id_of, name};
use crate::engine::Engine;
use crate::error::{BodiesUnfit, Error, Result};
use crate::vault::crypto;
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a file is called until it is whole.
const PART: &str = ".part";
/// Says in a shared folder to which installation it belongs.
const OWNER: &str = "postern-owner";

/// A folder of body files.
pub(super) struct Folder {
    dir: PathBuf,
}

impl Folder {
    /// The folder of a node that is alone.
    pub(super) fn own(dir: &Path) -> Result<Self> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| Error::file(dir, &error))?;
        Ok(Self { dir: dir.to_path_buf() })
    }

    /// A folder that all nodes of the installation `owner` see.
    pub(super) async fn shared(dir: &Path, owner: &str) -> Result<Self> {
        let (dir, owner) = (dir.to_path_buf(), owner.to_owned());
        blocking(move || {
            if !dir.is_dir() {
                return Err(BodiesUnfit::NoFolder { folder: dir.display().to_string() }.into());
            }
            mark(&dir, &owner)?;
            Ok(Self { dir })
        })
        .await
    }

    /// Removes everything that nothing refers to. Only for a folder that nobody else writes to.
    pub(super) async fn sweep(&self, engine: &dyn Engine) -> Result<()> {
        let dir = &self.dir;
        let mut found = Vec::new();
        for entry in fs::read_dir(dir).map_err(|error| Error::file(dir, &error))?.flatten() {
            found.push((id_of(&entry.file_name().to_string_lossy()), entry.path()));
        }
        let ids = found.iter().filter_map(|(id, _)| *id).collect();
        let wanted: HashSet<i64> = engine.bodies_outside(ids).await?.into_iter().collect();
        for (_, path) in found.into_iter().filter(|(id, _)| id.is_none_or(|id| !wanted.contains(&id))) {
            fs::remove_file(&path).map_err(|error| Error::file(&path, &error))?;
        }
        Ok(())
    }

    fn path(&self, id: i64) -> PathBuf {
        self.dir.join(name(id))
    }

    fn part(&self, id: i64) -> PathBuf {
        self.dir.join(name(id) + PART)
    }

    /// Writes file and folder. A part of a file is not left behind.
    fn put_now(&self, id: i64, sealed: &[u8]) -> Result<()> {
        let (path, part) = (self.path(id), self.part(id));
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full,
            _ => Error::file(&path, &error),
        };
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(failed)?;
        let written = file.write_all(sealed).and_then(|()| file.sync_all()).and_then(|()| {
            // Ids are given once, so there is nobody to be quicker between this look and the name.
            if path.try_exists()? { Err(io::ErrorKind::AlreadyExists.into()) } else { fs::rename(&part, &path) }
        });
        if let Err(error) = written {
            unlink(&part);
            return Err(failed(error));
        }
        fs::File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(|error| {
            unlink(&path);
            failed(error)
        })
    }

    /// Ids of files and parts of files.
    fn ids(&self) -> Result<impl Iterator<Item = i64>> {
        let entries = fs::read_dir(&self.dir).map_err(|error| Error::file(&self.dir, &error))?;
        Ok(entries.flatten().filter_map(|entry| {
            let name = entry.file_name();
            let name = name.to_str()?;
            id_of(name.strip_suffix(PART).unwrap_or(name))
        }))
    }
}

#[async_trait]
impl BodyStore for Folder {
    async fn put(self: Arc<Self>, id: i64, sealed: Bytes) -> Result<()> {
        blocking(move || self.put_now(id, &sealed)).await
    }

    async fn get(&self, id: i64) -> Result<Bytes> {
        let path = self.path(id);
        blocking(move || fs::read(&path).map(Bytes::from).map_err(|error| Error::file(&path, &error))).await
    }

    async fn remove(&self, ids: Vec<i64>) -> Result<()> {
        let paths: Vec<_> = ids.into_iter().flat_map(|id| [self.path(id), self.part(id)]).collect();
        blocking(move || {
            paths.iter().for_each(|path| unlink(path));
            Ok(())
        })
        .await
    }

    async fn list(&self, after: i64, before: i64, limit: usize) -> Result<Vec<i64>> {
        let here = Self { dir: self.dir.clone() };
        blocking(move || {
            let mut ids: Vec<i64> = here.ids()?.filter(|id| after < *id && *id < before).collect();
            ids.sort_unstable();
            ids.dedup();
            ids.truncate(limit);
            Ok(ids)
        })
        .await
    }

    fn discard(self: Arc<Self>, id: i64) {
        unlink(&self.path(id));
    }
}

/// Says whose folder it is, or finds that it is ours.
fn mark(dir: &Path, owner: &str) -> Result<()> {
    let path = dir.join(OWNER);
    let failed = |error: &io::Error| Error::file(&path, error);
    // Whole before it has its name, and never in the place of another: several nodes may start at once.
    let own = dir.join(format!("{OWNER}.{}{PART}", hex(&crypto::random::<8>()?)));
    let written = fs::write(&own, owner).and_then(|()| fs::File::open(&own)?.sync_all());
    let linked = written.and_then(|()| match fs::hard_link(&own, &path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without links.
        Err(_) if !path.try_exists()? => fs::rename(&own, &path),
        outcome => outcome,
    });
    unlink(&own);
    linked.and_then(|()| fs::File::open(dir)?.sync_all()).map_err(|error| failed(&error))?;
    if fs::read_to_string(&path).map_err(|error| failed(&error))?.trim() == owner {
        return Ok(());
    }
    Err(BodiesUnfit::OtherOwner { place: dir.display().to_string() }.into())
}

/// The file's name is an id and says nothing about a person.
fn unlink(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let error = Error::file(path, &error);
            tracing::warn!(%error, "a body file could not be removed; it is collected later");
        }
        _ => {}
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?
}
