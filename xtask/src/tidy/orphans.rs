//! Dead files: modules that no one declares, and test files that no one reads.

use std::collections::BTreeSet;

use super::{Finding, RustFile};
use crate::repo::Source;

/// Every file below a `src` folder is declared as a module somewhere in its crate; the compiler skips others silently.
pub(super) fn modules(rust: &[RustFile<'_>]) -> Vec<Finding> {
    let mut declared: BTreeSet<(&str, String)> = BTreeSet::new();
    for file in rust {
        for line in file.text.lines() {
            let code = line.code.trim();
            let name = code.strip_suffix(';').and_then(|code| code.rsplit_once("mod ")).map(|(_, name)| name.trim());
            declared.extend(name.map(|name| (file.package(), name.to_owned())));
        }
    }
    let mut found = Vec::new();
    for file in rust {
        let Some((_, below)) = file.path().split_once("/src/") else { continue };
        let mut parts: Vec<&str> = below.trim_end_matches(".rs").split('/').collect();
        if parts.last() == Some(&"mod") {
            parts.pop();
        }
        let name = parts.last().copied().unwrap_or_default();
        let root = below == "lib.rs" || below == "main.rs" || below.starts_with("bin/");
        if !root && !declared.contains(&(file.package(), name.to_owned())) {
            found.push(Finding::file("dead", file.path(), format!("no `mod {name};` in its crate")));
        }
    }
    found
}

/// Every dialogue and golden file is named by a test, or lies in a folder that a test reads as a whole.
pub(super) fn test_files(sources: &[Source], rust: &[RustFile<'_>]) -> Vec<Finding> {
    let mut literals: BTreeSet<&str> = BTreeSet::new();
    let mut whole_folders: BTreeSet<&str> = BTreeSet::new();
    for file in rust.iter().filter(|file| file.package() != "xtask") {
        let reads = file.text.lines().iter().any(|line| line.code.contains("read_dir"));
        for literal in file.text.literals() {
            literals.insert(&literal.text);
            if reads {
                whole_folders.extend(FOLDERS.iter().filter(|folder| literal.text.contains(**folder)));
            }
        }
    }
    let mut found = Vec::new();
    for source in sources {
        let Some(rest) = source.path.strip_prefix("tests/") else { continue };
        let name = rest.rsplit('/').next().unwrap_or(rest);
        let stem = name.split('.').next().unwrap_or(name);
        let by_folder = whole_folders.iter().any(|folder| source.path.starts_with(&format!("tests/{folder}/")));
        let by_name = literals.iter().any(|text| text.contains(name) || *text == stem);
        if !by_folder && !by_name {
            found.push(Finding::file("dead", &source.path, "no test names this file"));
        }
    }
    found
}

/// Folders that a test may read as a whole. Golden files may not: one that nobody compares proves nothing.
const FOLDERS: &[&str] = &["dialogues"];
