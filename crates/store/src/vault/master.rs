//! The master key: a file of 32 bytes in base64, never in the database.

use super::crypto::{self, Key};
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
        let mut beside = file.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let text = format!("{}\n", STANDARD.encode(key.as_slice()));
        write_whole(file, &beside, text.as_bytes()).map_err(|error| Error::file(file, &error))?;
        Ok(Self { key, file: file.to_owned() })
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
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}
