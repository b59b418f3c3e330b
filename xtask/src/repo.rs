//! The repository's root and its text files, as one list that every check reads.
//!
//! Files are found by walking, not by asking git, so that a file is checked before it is committed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The work tree.
#[derive(Debug, Clone)]
pub(crate) struct Repo {
    root: PathBuf,
}

/// One text file: its path relative to the root with `/` between parts, and what it holds.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Repo {
    /// Finds the root upwards from this package (under cargo) or from the current folder.
    pub(crate) fn find() -> Result<Self> {
        let start = match std::env::var_os("CARGO_MANIFEST_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => std::env::current_dir().context("the current folder cannot be read")?,
        };
        for folder in start.ancestors() {
            let manifest = folder.join("Cargo.toml");
            if fs::read_to_string(&manifest).is_ok_and(|text| text.contains("[workspace]")) {
                return Ok(Self { root: folder.to_path_buf() });
            }
        }
        bail!("no workspace found at or above {}; run this inside the repository", start.display())
    }

    /// A path inside the repository.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The text of one file.
    pub(crate) fn read(&self, relative: &str) -> Result<String> {
        fs::read_to_string(self.path(relative)).with_context(|| format!("{relative} cannot be read"))
    }

    /// Every text file of the repository, sorted by path. Files that are not UTF-8 are left out.
    pub(crate) fn sources(&self) -> Result<Vec<Source>> {
        let mut found = Vec::new();
        self.walk(&self.root, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn walk(&self, folder: &Path, found: &mut Vec<Source>) -> Result<()> {
        let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be listed", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kind = entry.file_type()?;
            if kind.is_dir() {
                // Hidden folders hold tools and git's own files; two of them are ours.
                let ours = !name.starts_with('.') || VISIBLE_DOT_FOLDERS.contains(&&*name);
                if ours && !SKIPPED_FOLDERS.contains(&&*name) {
                    self.walk(&entry.path(), found)?;
                }
            } else if kind.is_file()
                && let Ok(text) = fs::read_to_string(entry.path())
            {
                let path = entry.path();
                let relative = path.strip_prefix(&self.root).unwrap_or(&path);
                found.push(Source { path: relative.to_string_lossy().replace('\\', "/"), text });
            }
        }
        Ok(())
    }
}

impl Source {
    /// The crate folder this file belongs to (`mail` for `crates/mail/src/lib.rs`), or `xtask`.
    pub(crate) fn package(&self) -> Option<&str> {
        match self.path.strip_prefix("crates/") {
            Some(rest) => rest.split('/').next(),
            None => self.path.starts_with("xtask/").then_some("xtask"),
        }
    }

    /// Whether this is Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the whole file is test code: an integration test, a `tests.rs` module, or a crate that only tests use.
    pub(crate) fn is_test(&self) -> bool {
        let in_tests = self.path.contains("/tests/") || self.path.contains("/benches/");
        let named = self.path.ends_with("/tests.rs") || self.path.ends_with("_tests.rs");
        in_tests || named || matches!(self.package(), Some("testkit" | "it" | "xtask"))
    }
}

const VISIBLE_DOT_FOLDERS: &[&str] = &[".ci", ".cargo", ".config", ".github"];
const SKIPPED_FOLDERS: &[&str] = &["target", "demo-data", "node_modules"];
