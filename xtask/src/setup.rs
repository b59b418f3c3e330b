//! Installs what the tests need and cargo does not bring: Debian packages, a Python environment, npm packages.
//!
//! Three tables say everything; a stamp with their digest makes a second run quick. Packages are asked for by name
//! through the system's own clients, as they are configured there: this file names no host.

mod debian;
mod npm;
mod python;

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::repo::Repo;

/// The folder for tools; tests find it as `POSTERN_TOOLS`.
pub(crate) const TOOLS: &str = ".tools";

/// Brings everything in place. Safe to repeat; does nothing when the tables have not changed and the tools are there.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let started = Instant::now();
    let stamp = repo.path(TOOLS).join("stamp");
    let wanted = digest();
    let missing = debian::missing()?;
    let current = fs::read_to_string(&stamp).is_ok_and(|text| text.trim() == wanted);
    if current && missing.is_empty() && python::present(repo) && npm::present(repo) {
        println!("setup: everything is there");
        return Ok(());
    }
    fs::create_dir_all(repo.path(TOOLS)).context("the folder for tools cannot be made")?;
    debian::install(&missing)?;
    python::install(repo)?;
    npm::install(repo)?;
    fs::write(&stamp, format!("{wanted}\n")).context("the stamp of the tools cannot be written")?;
    println!("setup: done in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// One word for the whole of the tables. The hasher of the standard library may change with the toolchain: then
/// the tools are looked at once more, and nothing else happens.
fn digest() -> String {
    let mut hasher = DefaultHasher::new();
    debian::PACKAGES.hash(&mut hasher);
    python::PACKAGES.hash(&mut hasher);
    npm::PACKAGES.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
