//! What can be found out about settings without starting: files, folders, certificate and key, who may read them.
//!
//! Invariant: nothing is made or changed.

use super::build;
use super::values::Values;
use crate::certificates::Certificate;
use crate::settings::{Settings, StorePlace};
pub(crate) use mta::health::Level;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use store::BodyPlacement;

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    pub(crate) what: String,
}

/// Looks at values that could be read.
pub(crate) fn all(values: &Values, file: Option<&Path>) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    let secrets = build::secrets_in_file(values);
    if let (Some(file), false) = (file, secrets.is_empty()) {
        found.closed(file, "the settings file holds a password and");
    }
    for secret in secrets {
        found.add(Level::Warning, secret);
    }
    match build::settings(values) {
        Ok(settings) => found.settings(&settings),
        Err(error) => found.add(Level::Wrong, format!("{error:#}")),
    }
    if let Some(filter) = values.text(&super::keys::LOG)
        && let Err(error) = crate::log::filter(filter)
    {
        found.add(Level::Wrong, format!("{}: {error:#}", values.name(&super::keys::LOG)));
    }
    found.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, what: String) {
        self.0.push(Finding { level, what });
    }

    fn settings(&mut self, settings: &Settings) {
        for (name, address) in settings.doors.named() {
            self.add(Level::Good, format!("{name} listens on {address}"));
        }
        if settings.doors.named().is_empty() {
            self.add(Level::Warning, "no door is open: nothing can be asked of this node".to_owned());
        }
        self.data(&settings.data);
        self.certificate(settings);
        self.master_key(settings);
        self.places(settings);
        if settings.delivery.pages.is_none() {
            let what = "marketing is refused: recipients need pages on which to stop it; give public.pages_url";
            self.add(Level::Warning, what.to_owned());
        }
    }

    fn data(&mut self, data: &Path) {
        match fs::metadata(data) {
            Ok(folder) if !folder.is_dir() => self.add(Level::Wrong, format!("{} is no folder", data.display())),
            Ok(folder) if writable(data) => {
                self.add(Level::Good, format!("the data folder {} is there", data.display()));
                if folder.permissions().mode() & 0o077 != 0 {
                    let what = format!("others can look into {}; chmod 700 closes it", data.display());
                    self.add(Level::Warning, what);
                }
            }
            Ok(_) => self.add(Level::Wrong, format!("the data folder {} cannot be written to", data.display())),
            Err(_) => {
                let above = data.ancestors().skip(1).find(|above| above.as_os_str().is_empty() || above.exists());
                let above = above.filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
                match writable(above) {
                    true => self.add(Level::Good, format!("the data folder {} will be made", data.display())),
                    false => {
                        let (data, above) = (data.display(), above.display());
                        self.add(Level::Wrong, format!("the data folder {data} cannot be made in {above}"));
                    }
                }
            }
        }
    }

    fn certificate(&mut self, settings: &Settings) {
        let Certificate::Files { chain, key } = &settings.certificate else {
            let what = "no certificate is given: the node makes an authority of its own (ca.pem)";
            return self.add(Level::Warning, what.to_owned());
        };
        match settings.certificate.load(&settings.data) {
            Ok(_) => self.add(Level::Good, format!("{} and {} fit", chain.display(), key.display())),
            Err(error) => self.add(Level::Wrong, format!("{error:#}")),
        }
        self.closed(key, "the certificate's key");
    }

    fn master_key(&mut self, settings: &Settings) {
        let Some(file) = &settings.store.master_key else { return };
        match fs::read(file) {
            Ok(_) => self.closed(file, "the master key"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let what = format!("{} is not there: it is made if nothing is sealed yet", file.display());
                self.add(Level::Warning, what);
            }
            Err(error) => self.add(Level::Wrong, format!("cannot read {}: {error}", file.display())),
        }
    }

    fn places(&mut self, settings: &Settings) {
        self.add(Level::Good, format!("the store is {}", settings.store.place));
        if let StorePlace::Postgres { ca: Some(ca), .. } = &settings.store.place
            && let Err(error) = crate::certificates::roots(ca)
        {
            self.add(Level::Wrong, format!("store.ca: {error:#}"));
        }
        if let BodyPlacement::Folder(folder) = &settings.store.bodies
            && !writable(folder)
        {
            self.add(Level::Wrong, format!("the folder for bodies, {}, cannot be written to", folder.display()));
        }
    }

    /// Nobody but its owner reads a secret (GDPR Art. 32(1)(b)).
    fn closed(&mut self, file: &Path, what: &str) {
        if fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o007 != 0) {
            let what = format!("{what} can be read by everybody: chmod 600 {}", file.display());
            self.add(Level::Warning, what);
        }
    }
}

/// May this process write there? By the system's own answer.
fn writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::parse;

    fn looked(text: &str) -> Vec<Finding> {
        let (layer, problems) = parse(text, Path::new("p.toml"));
        assert!(problems.is_empty(), "{problems:?}");
        let (values, faults) = Values::of(vec![layer]);
        assert!(faults.is_empty(), "{faults:?}");
        all(&values, None)
    }

    fn has(found: &[Finding], level: Level, what: &str) -> bool {
        found.iter().any(|one| one.level == level && one.what.contains(what))
    }

    #[test]
    fn art32_1_b_files_are_looked_at_and_an_open_key_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let own = Certificate::Own { authority: "Test CA", names: Vec::new() };
        fs::create_dir(&data).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
        own.load(&data).unwrap();
        let text = |chain: &str, key: &str| {
            let path = |name: &str| data.join(name).display().to_string();
            let (data, chain, key) = (data.display(), path(chain), path(key));
            format!("[node]\ndata = \"{data}\"\n[tls]\ncertificate = \"{chain}\"\nkey = \"{key}\"\n")
        };
        let good = looked(&text("tls-chain.pem", "tls-key.pem"));
        assert!(has(&good, Level::Good, " fit") && !good.iter().any(|one| one.level == Level::Wrong), "{good:?}");
        assert!(!has(&good, Level::Warning, "can be read by everybody"), "{good:?}");
        let key = data.join("tls-key.pem");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(has(&looked(&text("tls-chain.pem", "tls-key.pem")), Level::Warning, "can be read by everybody"));
        // Twins: a file that is not there, and a key of another certificate.
        assert!(has(&looked(&text("none.pem", "tls-key.pem")), Level::Wrong, "none.pem"));
        let other = folder.path().join("other");
        fs::create_dir(&other).unwrap();
        own.load(&other).unwrap();
        fs::copy(other.join("tls-key.pem"), &key).unwrap();
        assert!(has(&looked(&text("tls-chain.pem", "tls-key.pem")), Level::Wrong, "do not fit"));
    }

    #[test]
    fn a_folder_that_cannot_be_is_told_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a/b");
        let found = looked(&format!("node.data = \"{}\"", data.display()));
        assert!(has(&found, Level::Good, "will be made"), "{found:?}");
        assert!(!data.exists());
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(has(&looked(&format!("node.data = \"{}\"", file.display())), Level::Wrong, "is no folder"));
        assert!(has(&looked("log.filter = \"mta=loud\""), Level::Wrong, "log.filter"));
        assert!(has(&looked("node.ehlo = \"a b\""), Level::Wrong, "is no name"));
    }
}
