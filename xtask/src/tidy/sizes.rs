//! Sizes: files of at most 500 lines, lines of at most 120 columns, and a contract at the head of each file.
//!
//! Functions are clippy's: `too_many_lines` and `cognitive_complexity` in clippy.toml.

use super::{Finding, RustFile};
use crate::repo::Source;

/// Lines of a file.
const FILE_MAX: usize = 500;
/// Lines of a file that begins with a written reason: a line `//! size: …`.
const FILE_MAX_WITH_REASON: usize = 800;
/// Columns of a line.
const LINE_MAX: usize = 120;

/// Files and lines are not too long.
pub(super) fn of(source: &Source) -> Vec<Finding> {
    let code = [".rs", ".sql", ".sh"].iter().any(|end| source.path.ends_with(end));
    if !code {
        return Vec::new();
    }
    let mut found = Vec::new();
    let reason = source.text.lines().take(30).any(|line| line.starts_with("//! size: ") && line.len() > 20);
    let most = if reason { FILE_MAX_WITH_REASON } else { FILE_MAX };
    let lines = source.text.lines().count();
    if lines > most {
        found.push(Finding::file("size", &source.path, format!("{lines} lines, more than {most}")));
    }
    for (index, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > LINE_MAX {
            let what = format!("{columns} columns, more than {LINE_MAX}");
            found.push(Finding::at("size", &source.path, index + 1, what));
        }
    }
    found
}

/// Each file of a crate says first what it is.
pub(super) fn contract(file: &RustFile<'_>) -> Option<Finding> {
    let ours = file.path().contains("/src/") || file.path().contains("/tests/");
    let fixture = file.path().contains("/ui/") || file.path().contains("/compile");
    let begins = file.source.text.starts_with("//!");
    (ours && !fixture && !begins).then(|| Finding::file("contract", file.path(), "begin with `//!`: what this file is"))
}
