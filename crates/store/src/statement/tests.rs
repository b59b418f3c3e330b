//! The registry against SQLite, against the portable core, and the tables against `docs/personal-data.md`.

use super::{JOURNAL, POLICY, SPOOL, VAULT};
use crate::sqlite::{open_keys_for_tests, open_main_for_tests};
use crate::statement::table::Table;
use rusqlite::Connection;
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../../docs/personal-data.md");

#[test]
fn every_statement_prepares_and_takes_the_parameters_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let main = open_main_for_tests(dir.path()).unwrap();
    let keys = open_keys_for_tests(dir.path()).unwrap();
    let mut names = BTreeSet::new();
    for (connection, list) in [(&main, POLICY), (&main, SPOOL), (&main, JOURNAL), (&keys, VAULT)] {
        for statement in list {
            let prepared = connection.prepare(statement.text);
            let prepared = prepared.unwrap_or_else(|error| panic!("{}: {error}", statement.name));
            assert_eq!(prepared.parameter_count(), statement.params, "{}", statement.name);
            assert!(names.insert(statement.name), "{} stands twice in the registry", statement.name);
        }
    }
    assert!(names.len() > 50);
}

#[test]
fn every_text_keeps_to_what_both_engines_understand() {
    for statement in [POLICY, SPOOL, JOURNAL, VAULT].concat() {
        let text = statement.text;
        for word in ["$", "now()", "json", "SAVEPOINT", "TRIGGER", "OR REPLACE", "OR IGNORE", "rowid", "GLOB", "  "] {
            assert!(!text.contains(word), "{} has {word:?}", statement.name);
        }
        for number in 1..=statement.params {
            assert!(text.contains(&format!("?{number}")), "{} has no ?{number}", statement.name);
        }
        // A `?` without a number would be counted differently by the two engines.
        let bare =
            text.match_indices('?').any(|(at, _)| !text[at + 1..].starts_with(|next: char| next.is_ascii_digit()));
        assert!(!bare, "{} has a parameter without a number", statement.name);
        if text.contains("LIMIT") {
            assert!(text.contains("ORDER BY"), "{} has a limit without an order", statement.name);
        }
    }
}

#[test]
fn gdpr_30_every_table_is_in_the_list_and_in_the_page_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut made = tables(&open_main_for_tests(dir.path()).unwrap());
    made.extend(tables(&open_keys_for_tests(dir.path()).unwrap()));
    let listed: BTreeSet<String> = Table::ALL.iter().map(|table| table.name().to_owned()).collect();
    assert_eq!(made, listed);

    let rows: Vec<Vec<&str>> = PAGE
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let described: BTreeSet<String> = rows.iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    assert_eq!(described, listed);
    for row in rows {
        assert_eq!(row.len(), 6, "{row:?}");
        assert!(["processor", "controller", "none"].contains(&row[1]), "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        // A table without personal data says so in one word, and one with them names both arms.
        assert_eq!(row[1] == "none", row[2] == "none", "{row:?}");
        assert_eq!(row[1] == "none", row[4] == "none", "{row:?}");
    }
}

fn tables(connection: &Connection) -> BTreeSet<String> {
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}
