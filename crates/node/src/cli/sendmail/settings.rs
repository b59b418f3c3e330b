//! Where `postern sendmail` hands mail over, and as whom: a TOML file of its own.
//!
//! Invariants: a file with a password that everybody may read, or others may write, is refused (GDPR Art. 32(1)(b));
//! without TLS nothing goes anywhere but to this machine, and no password goes at all.

use serde::Deserialize;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Octets of the file.
const FILE_MAX: u64 = 64 * 1024;

/// The file. Never `Debug`: it may hold a password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// `HOST:PORT` of submission, or of the trusted listener.
    pub(super) server: String,
    /// The name of the login; without it the listener is a trusted one, on this machine.
    pub(super) username: Option<String>,
    /// Its password.
    pub(super) password: Option<String>,
    /// The authority of the server's certificate; without it, the public ones.
    pub(super) ca: Option<PathBuf>,
    /// The name that the certificate is for; without it, the host of `server`.
    pub(super) server_name: Option<String>,
    /// TLS from the first octet (port 465), and not by STARTTLS.
    #[serde(default)]
    pub(super) implicit_tls: bool,
    /// The author and sender of what names none, or one without a domain, as cron does.
    pub(super) from: String,
    /// Who gets what is for a name without a domain, as `root`.
    pub(super) local: Option<String>,
}

/// Reads it.
///
/// # Errors
/// In one sentence.
pub(super) fn read(path: &Path) -> Result<Settings, String> {
    let shown = path.display();
    let known = std::fs::metadata(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    if known.len() > FILE_MAX {
        return Err(format!("{shown} has {} octets, which is no settings file", known.len()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    // What toml says of a fault may repeat the line, and with it a password.
    let settings: Settings = toml::from_str(&text).map_err(|error| format!("{shown}: {}", error.message()))?;
    if settings.password.is_some() {
        allowed(known.mode(), &shown.to_string())?;
    }
    settings.checked().map_err(|fault| format!("{shown}: {fault}"))
}

/// Neither readable by everybody, nor writable by anybody but its owner.
fn allowed(mode: u32, shown: &str) -> Result<(), String> {
    if mode & 0o027 == 0 {
        return Ok(());
    }
    let mode = mode & 0o777;
    Err(format!(
        "{shown} holds a password and has mode {mode:04o}: chmod 0640 it, and give it to a group of those who send"
    ))
}

impl Settings {
    fn checked(self) -> Result<Self, String> {
        match (&self.username, &self.password) {
            (Some(_), Some(_)) => Ok(self),
            (None, None) if self.addresses()?.iter().all(|address| is_here(address.ip())) => Ok(self),
            (None, None) => Err("without username and password, server is a trusted listener on 127.0.0.1".to_owned()),
            _ => Err("username and password belong together".to_owned()),
        }
    }

    /// Where to connect.
    pub(super) fn addresses(&self) -> Result<Vec<SocketAddr>, String> {
        let found = self.server.to_socket_addrs().map_err(|error| format!("server {:?}: {error}", self.server))?;
        Ok(found.collect())
    }

    /// The name to be shown by the server.
    pub(super) fn name(&self) -> String {
        let host = || self.server.rsplit_once(':').map_or(self.server.as_str(), |(host, _)| host);
        self.server_name.clone().unwrap_or_else(|| host().trim_matches(['[', ']']).to_owned())
    }
}

fn is_here(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Settings, String> {
        toml::from_str::<Settings>(text).map_err(|error| error.message().to_owned())?.checked()
    }

    #[test]
    fn art32_a_password_is_not_for_everybody_and_needs_no_trusted_network() {
        for (mode, good) in
            [(0o600, true), (0o640, true), (0o400, true), (0o644, false), (0o660, false), (0o604, false)]
        {
            assert_eq!(allowed(0o100_000 | mode, "f").is_ok(), good, "{mode:o}");
        }
        let from = "from = \"cron@sample.example\"";
        assert!(of(&format!("server = \"127.0.0.1:8028\"\n{from}")).is_ok());
        assert!(of(&format!("server = \"192.0.2.1:8028\"\n{from}")).is_err(), "trusted, and not on this machine");
        let login = "username = \"a\"\npassword = \"b\"";
        let whole = of(&format!("server = \"192.0.2.1:587\"\n{from}\n{login}")).unwrap();
        assert_eq!(whole.name(), "192.0.2.1");
        assert!(of(&format!("server = \"127.0.0.1:587\"\n{from}\nusername = \"a\"")).is_err());
        assert!(of(&format!("server = \"127.0.0.1:587\"\n{from}\nunknown = 1")).is_err());
    }
}
