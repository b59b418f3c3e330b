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
        match std::fs::read_to_string(file) {
            Ok(text) => {
                let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
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

    fn create(file: &Path) -> Result<Self> {
        let key = crypto::new_key()?;
        let failed = |error: std::io::Error| Error::file(file, &error);
        let mut out =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
        out.write_all(format!("{}\n", STANDARD.encode(key.as_slice())).as_bytes()).map_err(failed)?;
        // Durable before anything is sealed under it.
        out.sync_all().map_err(failed)?;
        Ok(Self { key, file: file.to_owned() })
    }

    pub(crate) fn wrong(&self) -> Error {
        Error::MasterKeyWrong { file: self.file.display().to_string() }
    }
}
