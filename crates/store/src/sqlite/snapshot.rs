//! Databases as they are at one moment, read beside the node that serves them.
//!
//! Invariants: a snapshot is a whole database of one commit; it lies in the data folder, which its content does not
//! leave unsealed, and goes with its value.

use super::{connect, vault};
use crate::engine::KeyRow;
use crate::error::{Error, Result};
use crate::sqlite::fault;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// After which time it is asked again while a checkpoint holds the database.
const BETWEEN: Duration = Duration::from_millis(100);

/// A copy of a database, in a file that goes with the value.
pub(crate) struct Snapshot {
    path: PathBuf,
}

/// Where a snapshot of a database lies, and what SQLite may lay beside it.
fn places(dir: &Path, name: &str) -> [PathBuf; 2] {
    ["backup", "backup-journal"].map(|end| dir.join(format!("{name}.{end}")))
}

/// Removes what a backup that was cut short left: rows in it would outlive their erasure (GDPR Art. 17).
pub(super) fn sweep(dir: &Path) -> Result<()> {
    ["main.db", "keys.db"].into_iter().try_for_each(|name| remove(&places(dir, name)))
}

fn remove(paths: &[PathBuf]) -> Result<()> {
    paths.iter().try_for_each(|path| match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file(path, &error)),
        _ => Ok(()),
    })
}

impl Snapshot {
    /// Takes one of a database in a data folder.
    pub(crate) fn take(dir: &Path, name: &str) -> Result<Self> {
        let places = places(dir, name);
        remove(&places)?;
        let [path, _] = places;
        let from = connect::reader(&dir.join(name))?;
        crate::folder::private_file(&path)?;
        let snapshot = Self { path };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut to = Connection::open_with_flags(&snapshot.path, flags).map_err(fault)?;
        let backup = Backup::new(&from, &mut to).map_err(fault)?;
        // All pages in one step: nobody writes between two of them.
        backup.run_to_completion(c_int::MAX, BETWEEN, None).map_err(fault)?;
        drop(backup);
        Ok(snapshot)
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Err(error) = remove(std::slice::from_ref(&self.path)) {
            tracing::warn!(%error, "a snapshot could not be removed from the data folder; remove it");
        }
    }
}

/// The sealed keys of a database.
pub(crate) fn keys(path: &Path) -> Result<Vec<KeyRow>> {
    vault::keys(&connect::reader(path)?)
}
