//! The house rules that a machine can check: walls between crates, the nevers of docs/nevers.md, sizes and words.
//!
//! Each check is a function from facts (cargo's metadata, or the text files) to findings, and each has a test that
//! shows it firing. `cargo xtask tidy` prints the findings; this package's tests run the same list.

mod edges;
mod manifests;
mod orphans;
mod rust_text;
mod schema;
mod sizes;
mod sockets;
mod sql;
#[cfg(test)]
mod tests;
mod time;
mod wings;
mod words;

use std::fmt;

use anyhow::{Result, bail};
use serde_json::Value;

pub(crate) use self::rust_text::{Line, RustText};
use crate::repo::{Repo, Source};
use crate::run;

/// One broken rule, at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    rule: &'static str,
    path: String,
    /// Counted from 1; 0 when the finding concerns the whole file.
    line: usize,
    what: String,
}

impl Finding {
    fn at(rule: &'static str, path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { rule, path: path.to_owned(), line, what: what.into() }
    }

    fn file(rule: &'static str, path: &str, what: impl Into<String>) -> Self {
        Self::at(rule, path, 0, what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{} [{}] {}", self.path, self.rule, self.what),
            line => write!(out, "{}:{line} [{}] {}", self.path, self.rule, self.what),
        }
    }
}

/// A Rust file taken apart once for all checks.
#[derive(Debug)]
struct RustFile<'a> {
    source: &'a Source,
    text: RustText,
}

impl RustFile<'_> {
    fn path(&self) -> &str {
        &self.source.path
    }

    fn package(&self) -> &str {
        self.source.package().unwrap_or_default()
    }

    /// Lines with their number from 1, and whether they are test code.
    fn lines(&self) -> impl Iterator<Item = (usize, bool, &Line)> {
        let whole = self.source.is_test();
        self.text.lines().iter().enumerate().map(move |(index, line)| (index + 1, whole || line.in_test, line))
    }
}

/// Runs all checks on the work tree and prints what they find.
pub(crate) fn run(repo: &Repo) -> Result<()> {
    let findings = findings(repo)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: nothing to say");
            Ok(())
        }
        count => bail!("tidy: {count} finding(s); the rules are in docs/nevers.md"),
    }
}

/// All findings on the work tree.
pub(crate) fn findings(repo: &Repo) -> Result<Vec<Finding>> {
    let metadata = run::metadata(repo, &["--no-deps"])?;
    let sources = repo.sources()?;
    let mut found = of_metadata(&metadata);
    found.extend(of_sources(&sources));
    Ok(found)
}

fn of_metadata(metadata: &Value) -> Vec<Finding> {
    let mut found = edges::between_our_crates(metadata);
    found.extend(edges::to_other_crates(metadata));
    found
}

fn of_sources(sources: &[Source]) -> Vec<Finding> {
    let rust: Vec<RustFile<'_>> = sources
        .iter()
        .filter(|source| source.is_rust())
        .map(|source| RustFile { source, text: RustText::parse(&source.text) })
        .collect();
    let mut found = Vec::new();
    for file in &rust {
        found.extend(sql::only_in_store(file));
        found.extend(sockets::only_at_the_doors(file));
        found.extend(wings::never_import_each_other(file));
        found.extend(words::in_names(file));
        found.extend(words::in_code(file));
        found.extend(time::clocks_and_sleeps(file));
        found.extend(sizes::contract(file));
    }
    for source in sources {
        found.extend(sizes::of(source));
        found.extend(words::in_text(source));
        found.extend(manifests::inherits_lints(source));
    }
    found.extend(schema::every_table_has_a_row(sources, &rust));
    found.extend(orphans::modules(&rust));
    found.extend(orphans::test_files(sources, &rust));
    found
}
