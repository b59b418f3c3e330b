//! Files and folders of a node: nobody but their owner reads them (GDPR Art. 32(1)(b)).

use anyhow::Context as _;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Makes the data folder where it is not there. One that is there is closed to others if it is ours: if nothing is in
/// it, or a master key is. Somebody's full folder is left as it is.
pub(crate) fn data_folder(path: &Path) -> anyhow::Result<()> {
    make(path)?;
    let is_empty = || std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if path.join("master.key").exists() || is_empty() {
        close_to_others(path);
    }
    Ok(())
}

/// A folder within the data folder.
pub(crate) fn folder(path: &Path) -> anyhow::Result<()> {
    make(path)?;
    close_to_others(path);
    Ok(())
}

fn make(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make the folder {}; choose another one with --data", path.display()))
}

/// Best effort: a file system without modes can be used, too.
fn close_to_others(path: &Path) {
    let closed = std::fs::metadata(path).and_then(|folder| match folder.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => std::fs::set_permissions(path, Permissions::from_mode(0o700)),
    });
    if let Err(error) = closed {
        tracing::warn!(%error, "a folder of the node cannot be closed to others");
    }
}

/// What root made in a folder that belongs to somebody else belongs to him as well. Best effort; otherwise the node
/// says at its start which file it cannot read.
pub(crate) fn give_to_owner(folder: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Ok(owner) = std::fs::metadata(folder) else { return };
    if owner.uid() != 0 {
        give(folder, owner.uid(), owner.gid());
    }
}

fn give(path: &Path, owner: u32, group: u32) {
    // A link is given, never what it points to.
    if std::os::unix::fs::lchown(path, Some(owner), Some(group)).is_err() {
        tracing::warn!("a file of the node cannot be given to the account that owns its folder");
    }
    let folder = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let entries = folder.then(|| std::fs::read_dir(path).ok()).flatten().into_iter().flatten();
    for entry in entries.flatten() {
        give(&entry.path(), owner, group);
    }
}

/// Writes a file that only its owner may read, and waits for the disk.
pub(crate) fn write(path: &Path, octets: &[u8]) -> anyhow::Result<()> {
    let wrote = open(path).and_then(|mut file| {
        file.write_all(octets)?;
        file.sync_all()
    });
    wrote.with_context(|| format!("cannot write {}", path.display()))
}

/// Writes it under another name and renames it, so that whoever waits for the file never sees half of it.
pub(crate) fn replace(path: &Path, octets: &[u8]) -> anyhow::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    write(temporary, octets)?;
    std::fs::rename(temporary, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Removes a file that may be there.
pub(crate) fn remove(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot replace {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file without waiting: for what may be lost with the power.
pub(crate) fn write_soon(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    open(path)?.write_all(octets)
}

fn open(path: &Path) -> std::io::Result<std::fs::File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn art32_1_b_a_folder_of_ours_is_closed_to_others_and_a_stranger_s_is_left_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let made = temporary.path().join("made/below");
        data_folder(&made).unwrap();
        assert_eq!(mode(&made), 0o700);
        let wide = |name: &str, file: Option<&str>| {
            let path = temporary.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            if let Some(file) = file {
                std::fs::write(path.join(file), b"").unwrap();
            }
            data_folder(&path).unwrap();
            mode(&path)
        };
        assert_eq!(wide("empty", None), 0o700);
        assert_eq!(wide("ours", Some("master.key")), 0o700);
        assert_eq!(wide("theirs", Some("holiday.jpg")), 0o755);
        let file = made.join("file");
        write_soon(&file, b"one").unwrap();
        assert_eq!(mode(&file), 0o600);
        write(&file, b"2").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"2");
    }
}
