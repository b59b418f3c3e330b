//! Never 11: inside `mta`, submission, delivery and feedback never import each other; they meet in the store.

use super::{Finding, RustFile};

const WINGS: &[&str] = &["submission", "delivery", "feedback"];

/// No path from one wing into another.
pub(super) fn never_import_each_other(file: &RustFile<'_>) -> Vec<Finding> {
    let Some(own) = file.path().strip_prefix("crates/mta/src/").and_then(wing) else {
        return Vec::new();
    };
    let lines: Vec<&str> = file.text.lines().iter().map(|line| line.code.as_str()).collect();
    let mut found = Vec::new();
    for (index, code) in lines.iter().enumerate() {
        // A group may go on over the following lines, so look at the text from here to the next semicolon.
        let rest: String = lines.iter().skip(index).flat_map(|line| line.split_whitespace()).collect();
        let here: String = code.split_whitespace().collect();
        for start in ["crate::", "super::super::", "super::"] {
            let Some(at) = here.find(start) else { continue };
            let after = rest.get(at + start.len()..).unwrap_or_default();
            for other in imported(after).into_iter().filter(|other| WINGS.contains(other) && *other != own) {
                let what = format!("{own} imports {other}; the wings meet in the store (never 11)");
                found.push(Finding::at("wings", file.path(), index + 1, what));
            }
            break;
        }
    }
    found
}

fn wing(rest: &str) -> Option<&'static str> {
    let first = rest.split('/').next()?.trim_end_matches(".rs");
    WINGS.iter().find(|wing| **wing == first).copied()
}

/// The names that a path names first: one, or those of a group at its outermost level.
fn imported(after: &str) -> Vec<&str> {
    let Some(group) = after.strip_prefix('{') else {
        return vec![word(after)];
    };
    let mut names = vec![word(group)];
    let mut depth = 0_usize;
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(word(group.get(at + 1..).unwrap_or_default())),
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> &str {
    let end = text.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}
