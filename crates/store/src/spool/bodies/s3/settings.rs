//! Which bucket, and the keys to it.

use crate::error::{BodiesUnfit, Error, Result};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A bucket that speaks the S3 protocol.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// `https://…`: the server, without the bucket.
    pub endpoint: String,
    /// The region that is signed for.
    pub region: String,
    /// The bucket. It is never made here.
    pub bucket: String,
    /// What all names begin with; may be empty.
    pub prefix: String,
    /// How the bucket is named to the server.
    pub addressing: Addressing,
    /// The keys.
    pub keys: S3Keys,
    /// Certificates of authorities that are trusted in place of the usual ones.
    pub ca: Option<PathBuf>,
}

/// How the bucket is named to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Addressing {
    /// In the path: `https://server/bucket/…`. What servers other than Amazon's expect.
    Path,
    /// In the host's name: `https://bucket.server/…`. What Amazon expects.
    VirtualHost,
}

/// An access key and its secret.
#[derive(Clone)]
pub struct S3Keys {
    access: String,
    secret: Zeroizing<String>,
}

impl fmt::Debug for S3Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("S3Keys(…)")
    }
}

impl S3Keys {
    /// These keys.
    #[must_use]
    pub fn new(access: &str, secret: &str) -> Self {
        Self { access: access.to_owned(), secret: Zeroizing::new(secret.to_owned()) }
    }

    /// The keys in a file: lines `aws_access_key_id = …` and `aws_secret_access_key = …`, of the first section if there
    /// are several, as Amazon's own tools write them.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read; [`Error::BodiesUnfit`] when a line is missing.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|error| Error::file(file, &error))?;
        let text = Zeroizing::new(text);
        let lines = text.lines().map(str::trim).skip_while(|line| line.is_empty() || line.starts_with(['[', '#', ';']));
        let section: Vec<&str> = lines.take_while(|line| !line.starts_with('[')).collect();
        let value = |wanted: &str| {
            let mut pairs = section.iter().filter_map(|line| line.split_once('='));
            pairs.find(|(key, _)| key.trim() == wanted).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
        };
        match value("aws_access_key_id").zip(value("aws_secret_access_key")) {
            Some((access, secret)) => Ok(Self::new(access, secret)),
            None => {
                let reason = format!(
                    "file {} needs the lines `aws_access_key_id = …` and `aws_secret_access_key = …`",
                    file.display()
                );
                Err(BodiesUnfit::Setting { setting: "keys:", reason }.into())
            }
        }
    }
}

impl S3Settings {
    /// For people.
    pub(super) fn place(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("bucket {}{slash}{} at {}", self.bucket, self.prefix, self.endpoint)
    }

    /// Bucket, prefix (empty or with a slash at its end) and keys.
    pub(super) fn read(self) -> Result<(Bucket, String, Credentials)> {
        let unfit = |setting: &'static str, reason: &str| {
            Err(Error::from(BodiesUnfit::Setting { setting, reason: reason.to_owned() }))
        };
        let Ok(endpoint) = self.endpoint.parse() else {
            return unfit("endpoint", "is no address; write it as https://HOST or https://HOST:PORT");
        };
        if self.region.is_empty() {
            return unfit("region", "is missing; servers that have none take us-east-1");
        }
        let plain = |text: &str| text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"._-".contains(&octet));
        if self.bucket.is_empty() || !plain(&self.bucket) {
            return unfit("bucket", "is no name of a bucket: letters, digits, dots and hyphens");
        }
        let prefix = self.prefix.trim_end_matches('/');
        // A dot alone would be taken for a step in a path.
        let steps_are_names =
            prefix.split('/').all(|step| !step.is_empty() && step != "." && step != ".." && plain(step));
        if !prefix.is_empty() && !steps_are_names {
            return unfit("prefix", "is none: names of letters, digits, dots and hyphens, with a slash between them");
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let style = match self.addressing {
            Addressing::Path => UrlStyle::Path,
            Addressing::VirtualHost => UrlStyle::VirtualHost,
        };
        let Ok(bucket) = Bucket::new(endpoint, style, self.bucket, self.region) else {
            return unfit(
                "endpoint",
                "is no https address of a host (one that is an IP address goes with path addressing)",
            );
        };
        Ok((bucket, prefix, Credentials::new(self.keys.access, self.keys.secret.as_str())))
    }
}
