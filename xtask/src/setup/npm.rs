//! npm packages in `.tools/node`: verifiers that tests run by node, with `NODE_PATH` set to its `node_modules`.

use std::fs;

use anyhow::Result;

use super::TOOLS;
use crate::repo::Repo;
use crate::run;

/// Package, exact version, and what it is for.
pub(crate) const PACKAGES: &[(&str, &str, &str)] = &[("mailauth", "4.13.3", "a DKIM verifier that is not ours")];

/// Whether every listed package has its folder; the stamp says whether the versions are the listed ones.
pub(crate) fn present(repo: &Repo) -> bool {
    let modules = repo.path(TOOLS).join("node/node_modules");
    PACKAGES.iter().all(|(name, _, _)| modules.join(name).exists())
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
    run::check(run::command("npm").args(options).arg(&folder).args(wanted))
}
