//! The few things done with files: read with a limit, write whole and durable, sync directories.
//!
//! Paths handed in are relative and made by this crate (`checkpoint`, tile paths), never taken from a peer. Errors
//! name the relative path only.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Replaces the content of `buffer` by that of a file; `false` if there is none. A file above `limit` is an error.
pub(super) fn read(dir: &Path, path: &str, limit: usize, buffer: &mut Vec<u8>) -> Result<bool, Error> {
    buffer.clear();
    let failed = |source| Error::Disk { path: path.to_owned(), source };
    let file = match File::open(dir.join(path)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    let cap = u64::try_from(limit).unwrap_or(u64::MAX);
    let read = file.take(cap.saturating_add(1)).read_to_end(buffer).map_err(failed)?;
    if read > limit {
        return Err(failed(std::io::Error::new(ErrorKind::FileTooLarge, "the file is larger than its kind can be")));
    }
    Ok(true)
}

/// Writes a file so that after a crash it is there whole or as before; returns its directory, which the caller
/// passes to [`sync_folders`].
pub(super) fn write_durable(dir: &Path, path: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    let failed = |source| Error::Disk { path: path.to_owned(), source };
    let target = dir.join(path);
    let folder = target.parent().unwrap_or(dir).to_path_buf();
    let beside = target.with_extension("new");
    let mut file = match File::create(&beside) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(&folder).map_err(failed)?;
            File::create(&beside).map_err(failed)?
        }
        Err(error) => return Err(failed(error)),
    };
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    // Crash here: a stray `.new` file, which the next write of this path replaces.
    fs::rename(&beside, &target).map_err(failed)?;
    Ok(folder)
}

/// Makes the names in these directories, and the directories themselves up to the dir, durable.
pub(super) fn sync_folders(dir: &Path, folders: &BTreeSet<PathBuf>) -> Result<(), Error> {
    let mut all = BTreeSet::new();
    for folder in folders {
        all.extend(folder.ancestors().take_while(|ancestor| ancestor.starts_with(dir)));
    }
    for folder in all {
        let failed = |source| Error::Disk { path: relative(dir, folder), source };
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    }
    Ok(())
}

/// Removes a directory and what is in it; none there is fine.
pub(super) fn remove_folder(dir: &Path, path: &str) -> Result<(), Error> {
    match fs::remove_dir_all(dir.join(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::Disk { path: path.to_owned(), source: error }),
        _ => Ok(()),
    }
}

/// Renames within the dir; `false` if `from` does not exist.
pub(super) fn rename(dir: &Path, from: &str, to: &str) -> Result<bool, Error> {
    match fs::rename(dir.join(from), dir.join(to)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::Disk { path: from.to_owned(), source: error }),
    }
}

fn relative(dir: &Path, path: &Path) -> String {
    path.strip_prefix(dir).unwrap_or(path).display().to_string()
}
