//! The master key: a file of 32 bytes in base64, never in the database.

use super::Vault;
use super::crypto::{self, Key};
use crate::engine::KeyRow;
use crate::error::{Error, Result};
use crate::open::CreateKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

pub(crate) struct MasterKey {
    pub(crate) key: Key,
    file: PathBuf,
}

impl MasterKey {
    /// Reads the file, or makes it when that is allowed and nothing is sealed yet.
    pub(crate) fn load(file: &Path, create: CreateKey, data_exists: bool) -> Result<Self> {
        match std::fs::read(file) {
            Ok(text) => {
                let bytes = STANDARD.decode(text.trim_ascii()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                let Some(bytes) = bytes else {
                    return Err(Error::MasterKeyMalformed { file: file.display().to_string() });
                };
                Ok(Self { key: Key::new(bytes), file: file.to_owned() })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // A lost key is never replaced by a new one: that would hide the loss of everything sealed.
                if data_exists || create == CreateKey::Never {
                    return Err(Error::MasterKeyMissing { file: file.display().to_string() });
                }
                Self::create(file)
            }
            Err(error) => Err(Error::file(file, &error)),
        }
    }

    /// Crash at any point ⇒ no file, or a whole one: half a key would keep the node from ever starting again.
    fn create(file: &Path) -> Result<Self> {
        let key = crypto::new_key()?;
        let beside = beside(file, ".new");
        let text = format!("{}\n", STANDARD.encode(key.as_slice()));
        write_whole(file, &beside, text.as_bytes()).map_err(|error| Error::file(file, &error))?;
        Ok(Self { key, file: file.to_owned() })
    }

    /// The one that comes after it, beside its file: made, unless a change that was cut short has made it.
    pub(crate) fn next(&self) -> Result<Self> {
        let file = beside(&self.file, ".next");
        match Self::load(&file, CreateKey::Never, true) {
            Err(Error::MasterKeyMissing { .. }) => Self::create(&file),
            loaded => loaded,
        }
    }

    /// Puts a key that [`Self::next`] made in the place of the one before, which stays beside it as `.old`.
    pub(crate) fn take_place(self) -> Result<Self> {
        let file = PathBuf::from(self.file.to_string_lossy().strip_suffix(".next").unwrap_or_default());
        let old = beside(&file, ".old");
        let moved = match std::fs::remove_file(&old) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => std::fs::hard_link(&file, &old).and_then(|()| std::fs::rename(&self.file, &file)),
        };
        moved.and_then(|()| folder(&file)?.sync_all()).map_err(|error| Error::file(&file, &error))?;
        Ok(Self { file, ..self })
    }

    /// This one, or the next one where a change was cut short after everything was sealed under it.
    pub(crate) fn or_next(self, rows: &[KeyRow]) -> Result<Self> {
        if rows.is_empty() || Vault::fits(&self, rows).is_ok() {
            return Ok(self);
        }
        match Self::load(&beside(&self.file, ".next"), CreateKey::Never, true) {
            Ok(next) if Vault::fits(&next, rows).is_ok() => next.take_place(),
            _ => Ok(self),
        }
    }

    /// A key for one use.
    pub(crate) fn derived(&self, label: &str) -> Key {
        crypto::derive(&self.key, label)
    }

    pub(crate) fn wrong(&self) -> Error {
        Error::MasterKeyWrong { file: self.file.display().to_string() }
    }
}

fn write_whole(file: &Path, beside: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match std::fs::remove_file(beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        // What a start that was cut short left: nothing was sealed under it.
        _ => {}
    }
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    out.write_all(bytes)?;
    // Durable before anything is sealed under it.
    out.sync_all()?;
    std::fs::rename(beside, file)?;
    folder(file)?.sync_all()
}

fn folder(file: &Path) -> std::io::Result<std::fs::File> {
    std::fs::File::open(file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut beside = file.as_os_str().to_owned();
    beside.push(end);
    PathBuf::from(beside)
}
