//! Words that say nothing, words that promise later, and words that belong to somebody's machine.

use super::{Finding, RustFile};
use crate::repo::Source;

/// Not as a word in the name of a type, function or module: they name no idea of the field.
const IN_ANY_NAME: &[&str] = &["manager", "handler", "helper", "helpers", "util", "utils"];
/// Not as a word in the name of a type or module. `service` is also a stream, so functions and values may say it.
const IN_TYPE_NAMES: &[&str] = &["service", "common", "misc", "user", "info"];
/// Not as the whole name of a type.
const AS_TYPE_NAMES: &[&str] = &["Data", "Object", "Thing"];
/// Not in code at all.
const IN_CODE: &[(&str, &str)] = &[
    ("todo!", "finish it, or say in the issue what is missing"),
    ("unimplemented!", "finish it, or say in the issue what is missing"),
    ("#[ignore", "a test runs, or it is not there; long ones belong to the target `long`"),
    ("unbounded_channel", "every queue has a limit (never 13)"),
    ("mpsc::channel()", "every queue has a limit (never 13): use sync_channel"),
    ("mpsc::channel::<", "every queue has a limit (never 13): use sync_channel, or let the type be found"),
    ("#[allow(", "use `#[expect(…, reason = …)]`, which goes stale by itself"),
];
/// Not in any text. Written in two halves, so that this file does not hold them itself.
const IN_TEXT: &[(&str, &str)] = &[
    (concat!("FIX", "ME"), "mend it now, or file it"),
    (concat!("XX", "X"), "mend it now, or file it"),
    (concat!("/wo", "rk/"), "a path of somebody's machine"),
    (concat!("/ro", "ot/"), "a path of somebody's machine"),
    (concat!("index.crates", ".io"), "the host of a registry"),
    (concat!("static.crates", ".io"), "the host of a registry"),
    (concat!("pypi", ".org"), "the host of a registry"),
    (concat!("registry.npmjs", ".org"), "the host of a registry"),
    (concat!("deb.debian", ".org"), "the host of a registry"),
];

/// Names of types, functions and modules speak the field's language.
pub(super) fn in_names(file: &RustFile<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, _, line) in file.lines() {
        for (kind, name) in declared(&line.code) {
            // An associated type has the name that its trait gave it, and the trait may be somebody else's.
            if kind == "type" && line.code.starts_with(' ') {
                continue;
            }
            let words = words_of(name);
            let type_like = kind != "fn";
            let banned = words.iter().find(|word| {
                IN_ANY_NAME.contains(&word.as_str()) || (type_like && IN_TYPE_NAMES.contains(&word.as_str()))
            });
            let whole = type_like && AS_TYPE_NAMES.contains(&name);
            if banned.is_some() || whole {
                let what = format!("`{kind} {name}`: name the idea of the field instead");
                found.push(Finding::at("names", file.path(), number, what));
            }
        }
    }
    found
}

/// Code holds no promise for later, no skipped test and no limitless queue.
pub(super) fn in_code(file: &RustFile<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, in_test, line) in file.lines() {
        // Between threads of a test a queue may be without limit.
        let banned = IN_CODE.iter().filter(|(word, _)| !(in_test && word.starts_with("mpsc")));
        for (word, why) in banned.filter(|(word, _)| line.code.contains(*word)) {
            found.push(Finding::at("words", file.path(), number, format!("`{word}`: {why}")));
        }
    }
    found
}

/// No text of the repository says these.
pub(super) fn in_text(source: &Source) -> Vec<Finding> {
    if source.path == "Cargo.lock" {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for (word, why) in IN_TEXT.iter().filter(|(word, _)| stands_alone(line, word)) {
            found.push(Finding::at("words", &source.path, index + 1, format!("`{word}`: {why}")));
        }
    }
    found
}

/// Whether the word occurs with no letter or digit directly before it or, if it ends in one, after it.
fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        let joined = |next: Option<char>| next.is_some_and(|character| character.is_alphanumeric() || character == '_');
        !joined(before) && (word.ends_with('/') || !joined(after))
    })
}

/// The names declared on a line, with the keyword before them.
fn declared(code: &str) -> Vec<(&'static str, &str)> {
    const KEYWORDS: &[&str] = &["struct", "enum", "trait", "union", "type", "mod", "fn"];
    let mut found = Vec::new();
    let mut keyword = None;
    for token in code.split(|character: char| !character.is_alphanumeric() && character != '_') {
        if token.is_empty() {
            continue;
        }
        if let Some(kind) = keyword.take() {
            found.push((kind, token));
        }
        keyword = KEYWORDS.iter().find(|kind| **kind == token).copied();
    }
    found
}

/// The words of a name in either case style, in small letters.
fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    for character in name.chars() {
        if character == '_' {
            open = false;
            continue;
        }
        if !open || character.is_uppercase() {
            words.push(String::new());
            open = true;
        }
        if let Some(last) = words.last_mut() {
            last.extend(character.to_lowercase());
        }
    }
    words
}
