//! Never 4: SQL text occurs only in `store`, so that nothing above it can widen a query to another controller.

use super::{Finding, RustFile};

/// No string literal outside `store` reads like a statement.
pub(super) fn only_in_store(file: &RustFile<'_>) -> Vec<Finding> {
    // This folder names the words in order to look for them.
    if matches!(file.package(), "store" | "xtask") {
        return Vec::new();
    }
    let literals = file.text.literals().iter();
    literals
        .filter_map(|literal| statement(&literal.text).map(|word| (literal.line, word)))
        .map(|(line, word)| Finding::at("sql", file.path(), line, format!("`{word}` in a string outside store")))
        .collect()
}

fn statement(text: &str) -> Option<&'static str> {
    const STARTS: &[&str] =
        &["INSERT INTO ", "DELETE FROM ", "CREATE TABLE ", "CREATE INDEX ", "DROP TABLE ", "PRAGMA "];
    if let Some(word) = STARTS.iter().find(|word| text.contains(**word)) {
        return Some(word.trim_end());
    }
    if text.contains("SELECT ") {
        return Some("SELECT");
    }
    let update = text.find("UPDATE ")?;
    text.get(update..)?.contains(" SET ").then_some("UPDATE … SET")
}
