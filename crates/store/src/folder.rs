//! A node's data folder: its lock, and who the node is.
//!
//! Invariants: one process per folder, by an advisory lock that the kernel drops with the process; files are readable
//! by the owner alone. The lock is what makes the identity good for one process at a time.

use crate::error::{Error, Result};
use crate::vault::crypto;
use model::ids::hex;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The file that says who the node is.
const IDENTITY_FILE: &str = "node.id";

/// Makes the folder (mode 0700) and takes its lock; the lock lives as long as the file.
pub(crate) fn take(dir: &Path) -> Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| Error::file(dir, &error))?;
    let path = dir.join("lock");
    let file = private_file(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { folder: dir.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(Error::file(&path, &error)),
    }
}

/// Opens a file, or makes it.
pub(crate) fn private_file(path: &Path) -> Result<File> {
    // GDPR Art. 32(1): mode 0600. SQLite gives the log and its index the mode of the database.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| Error::file(path, &error))
}

/// Who the node is: random, made once. With it a node that starts again has its seat and its leases at once. Whoever
/// copies the folder to another machine leaves this file behind.
pub(crate) fn identity(dir: &Path) -> Result<[u8; 16]> {
    let path = dir.join(IDENTITY_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => match parse(text.trim()) {
            Some(identity) => Ok(identity),
            // Cut short while it was made: the seat of a stranger is taken, and the old one runs out.
            None => make(dir, &path),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => make(dir, &path),
        Err(error) => Err(Error::file(&path, &error)),
    }
}

fn make(dir: &Path, path: &Path) -> Result<[u8; 16]> {
    let identity = crypto::random()?;
    let written = private_file(path).and_then(|mut file| {
        let whole = file.set_len(0).and_then(|()| file.write_all(format!("{}\n", hex(&identity)).as_bytes()));
        whole.and_then(|()| file.sync_all()).map_err(|error| Error::file(path, &error))
    });
    written?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| Error::file(dir, &error))?;
    Ok(identity)
}

fn parse(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let octets: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect();
    if digits.len() == 32 { octets.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_node_is_the_same_when_it_starts_again_and_another_in_another_folder() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let identity = super::identity(one.path()).unwrap();
        assert_eq!(super::identity(one.path()).unwrap(), identity);
        assert_ne!(super::identity(other.path()).unwrap(), identity);
        let file = one.path().join(IDENTITY_FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "0011").unwrap();
        let another = super::identity(one.path()).unwrap();
        assert_ne!(another, identity);
        assert_eq!(super::identity(one.path()).unwrap(), another);
    }

    #[test]
    fn one_process_has_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let lock = take(dir.path()).unwrap();
        assert!(matches!(take(dir.path()), Err(Error::Locked { .. })));
        drop(lock);
        take(dir.path()).unwrap();
    }
}
