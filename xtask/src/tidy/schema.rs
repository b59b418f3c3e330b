//! Never 10: each table of the store has a row in docs/personal-data.md, whether it holds personal data or not.

use std::collections::BTreeSet;

use super::{Finding, RustFile};
use crate::repo::Source;

const PAGE: &str = "docs/personal-data.md";

/// Every `CREATE TABLE` of the store is on the page, and the page names no table that is gone.
pub(super) fn every_table_has_a_row(sources: &[Source], rust: &[RustFile<'_>]) -> Vec<Finding> {
    let mut tables: Vec<(String, String)> = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".sql") && in_store(&source.path)) {
        tables.extend(created(&source.text).into_iter().map(|table| (table, source.path.clone())));
    }
    for file in rust.iter().filter(|file| in_store(file.path()) && !file.source.is_test()) {
        for literal in file.text.literals().iter().filter(|literal| !file.text.in_test(literal.line)) {
            tables.extend(created(&literal.text).into_iter().map(|table| (table, file.path().to_owned())));
        }
    }
    let page = sources.iter().find(|source| source.path == PAGE).map_or("", |source| source.text.as_str());
    let rows: BTreeSet<&str> = page.lines().filter_map(first_cell).collect();
    let mut found = Vec::new();
    for (table, path) in &tables {
        if !rows.contains(table.as_str()) {
            found.push(Finding::file("schema", path, format!("table {table} has no row in {PAGE} (never 10)")));
        }
    }
    found
}

fn in_store(path: &str) -> bool {
    path.starts_with("crates/store/src/")
}

/// The names after `CREATE TABLE`. A partition holds what its table holds, and has no row of its own.
fn created(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for rest in text.split("CREATE TABLE ").skip(1) {
        let rest = rest.trim_start().trim_start_matches("IF NOT EXISTS").trim_start();
        let name: String =
            rest.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
        let is_partition = rest.trim_start_matches(name.as_str()).trim_start().starts_with("PARTITION OF");
        if !name.is_empty() && !is_partition {
            names.push(name);
        }
    }
    names
}

/// The name in the first cell of a row of the page's table.
fn first_cell(line: &str) -> Option<&str> {
    let cell = line.trim().strip_prefix('|')?.split('|').next()?.trim();
    Some(cell.trim_matches('`'))
}
