//! Nothing is forgotten, nothing is copied twice, and what differs is found. Those between the two engines are in
//! `postgres`.

pub(crate) mod house;
mod postgres;

use super::sqlite::SqliteSide;
use super::*;
use crate::conformance::place::Place;
use crate::sqlite::{open_keys_for_tests, open_main_for_tests};
use house::{body_file, furnish};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;
use tables::{Kind, Presence};

/// Small enough for several pages of the small tables.
const SMALL: PageLimit = PageLimit { rows: 3, octets: 64 * 1_024 };

/// When the houses were furnished, about.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_100);

fn quiet(_: CopyStep) {}

/// From folder to folder: no such command, but the same work.
async fn between(from: &Path, to: &Path, page: PageLimit, pages_max: u64) -> Result<CopyReport> {
    let (source, target) = (SqliteSide::open(from)?, SqliteSide::open(to)?);
    let copied = copy_between(&source, &target, Manner { page, pages_max, now: NOW }, &quiet).await;
    source.close().await;
    target.close().await;
    copied
}

fn columns_of(connection: &Connection, table: &str) -> Vec<(String, String, bool, i64)> {
    let text = "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1)";
    let mut statement = connection.prepare(text).unwrap();
    let found = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
    found.unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn every_table_and_column_of_sqlite_is_carried() {
    let dir = tempfile::tempdir().unwrap();
    let (main, keys) = (open_main_for_tests(dir.path()).unwrap(), open_keys_for_tests(dir.path()).unwrap());
    for (database, connection) in [(Database::Main, &main), (Database::Keys, &keys)] {
        let text = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let mut statement = connection.prepare(text).unwrap();
        let found = statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<BTreeSet<String>>>();
        let mut found = found.unwrap();
        // What a store writes about itself.
        assert!(found.remove("migration") && found.remove("copy_state"));
        assert_eq!(found, Table::of(database).map(|table| table.name.to_owned()).collect());
        for table in Table::of(database) {
            let there = columns_of(connection, table.name);
            let here: Vec<_> = table.columns.iter().filter(|column| !column.postgres_only).collect();
            assert_eq!(there.len(), here.len(), "{}", table.name);
            for (place, column) in here.into_iter().enumerate() {
                let (_, kind, is_needed, key) = there.iter().find(|(name, ..)| name == column.name).unwrap();
                let expected = match column.kind {
                    Kind::Integer => "INTEGER",
                    Kind::Text => "TEXT",
                    Kind::Octets => "BLOB",
                };
                assert_eq!(kind, expected, "{}.{}", table.name, column.name);
                // The address of a row is never empty, and SQLite does not say so.
                let is_needed = *is_needed || *key == 1 && kind == "INTEGER";
                assert_eq!(is_needed, column.presence == Presence::Always, "{}.{}", table.name, column.name);
                let keys = if table.name == tables::SUBJECT_BLOCK { 1 } else { table.keys };
                let expected = if place < keys { i64::try_from(place).unwrap() + 1 } else { 0 };
                assert_eq!(*key, expected, "{}.{}", table.name, column.name);
            }
        }
    }
}

#[tokio::test]
async fn a_copy_is_the_same_and_leaves_the_source_as_it_was() {
    let place = Place::new();
    furnish(&place, 5).await;
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = between(place.path(), one.path(), PAGE, u64::MAX).await.unwrap();
    assert!(first.is_same(), "{first:?}");
    // Every table was there to be copied.
    let empty: Vec<_> = first.tables.iter().filter(|table| table.rows == 0).map(|table| table.name).collect();
    assert!(empty.is_empty(), "{empty:?}");
    assert!(first.ledgers >= 2 && first.entries > 10, "{first:?}");
    // A copy of the copy, in small pages: the same hashes.
    let second = between(one.path(), two.path(), SMALL, u64::MAX).await.unwrap();
    assert!(second.is_same());
    let hashes = |report: &CopyReport| report.tables.iter().map(|table| table.hash).collect::<Vec<_>>();
    assert_eq!(hashes(&first), hashes(&second));
    // Finished, it is only compared again.
    let again = between(place.path(), one.path(), PAGE, 0).await.unwrap();
    assert_eq!(hashes(&first), hashes(&again));
}

#[tokio::test]
async fn a_copy_cut_short_anywhere_goes_on_where_it_stopped() {
    let place = Place::new();
    furnish(&place, 20).await;
    let whole = tempfile::tempdir().unwrap();
    let expected = between(place.path(), whole.path(), SMALL, u64::MAX).await.unwrap();
    let target = tempfile::tempdir().unwrap();
    let mut cuts = 0;
    let report = loop {
        match between(place.path(), target.path(), SMALL, 1 + cuts % 3).await {
            Ok(report) => break report,
            Err(Refused::CutShort) => cuts += 1,
            Err(other) => panic!("{other}"),
        }
        // A node keeps away from what is not whole.
        let opened = crate::sqlite::SqliteEngine::open(target.path(), crate::sqlite::SqliteSettings::default());
        assert!(matches!(opened.err(), Some(Error::HalfCopied { .. })));
    };
    assert!(cuts > 20, "{cuts}");
    assert!(report.is_same());
    assert_eq!(report.tables.len(), expected.tables.len());
    drop(crate::sqlite::SqliteEngine::open(target.path(), crate::sqlite::SqliteSettings::default()).unwrap());
}

/// A statement that alters one column of one row, and no other.
fn alteration(table: &Table, column: &tables::Column) -> String {
    let value = match column.kind {
        Kind::Integer => format!("COALESCE({}, 0) + 1000003", column.name),
        Kind::Text => format!("COALESCE({}, '') || 'x'", column.name),
        Kind::Octets => format!("CAST(COALESCE({}, x'') || x'00' AS BLOB)", column.name),
    };
    // The first row: the last body lies in a file.
    let key = table.key().iter().filter(|key| !key.postgres_only).map(|key| key.name).collect::<Vec<_>>().join(", ");
    let (name, column) = (table.name, column.name);
    format!("UPDATE {name} SET {column} = {value} WHERE ({key}) = (SELECT {key} FROM {name} ORDER BY {key} LIMIT 1)")
}

async fn hash_of(dir: &Path, table: &'static Table) -> [u8; 32] {
    let side = SqliteSide::open(dir).unwrap();
    let (_, hash) = compare::read(&side, table, PAGE, compare::Role::Target, &mut |_| Ok(())).await.unwrap();
    side.close().await;
    hash
}

#[tokio::test]
async fn whatever_column_is_altered_in_the_target_is_found() {
    let place = Place::new();
    furnish(&place, 0).await;
    let target = tempfile::tempdir().unwrap();
    assert!(between(place.path(), target.path(), PAGE, u64::MAX).await.unwrap().is_same());
    for table in TABLES {
        let mut before = hash_of(target.path(), table).await;
        for column in table.columns.iter().filter(|column| !column.postgres_only && column.compared) {
            let file = if table.database == Database::Main { "main.db" } else { "keys.db" };
            let connection = Connection::open(target.path().join(file)).unwrap();
            // The slots of a block share their width: one with an octet more would be none.
            let is_block = table.name == tables::SUBJECT_BLOCK && column.name == "sealed";
            let text = match is_block {
                true => "UPDATE subject_block SET sealed = CAST(CASE WHEN substr(sealed, 1, 1) = x'01' THEN x'02' \
                         ELSE x'01' END || substr(sealed, 2) AS BLOB)"
                    .to_owned(),
                false => alteration(table, column),
            };
            assert!(connection.execute(&text, []).unwrap() >= 1, "{}.{}", table.name, column.name);
            drop(connection);
            let after = hash_of(target.path(), table).await;
            assert_ne!(before, after, "{}.{}", table.name, column.name);
            before = after;
        }
    }
    let report = between(place.path(), target.path(), PAGE, u64::MAX).await.unwrap();
    assert!(report.tables.iter().all(|table| !table.is_same()), "{report:?}");
    assert!(!report.ledger_faults.is_empty());
}

#[tokio::test]
async fn a_row_too_many_a_row_too_few_and_a_damaged_body_are_found() {
    let place = Place::new();
    furnish(&place, 0).await;
    let target = tempfile::tempdir().unwrap();
    assert!(between(place.path(), target.path(), PAGE, u64::MAX).await.unwrap().is_same());
    let differ = async || {
        let report = between(place.path(), target.path(), PAGE, u64::MAX).await.unwrap();
        let found: Vec<_> = report.tables.iter().filter(|table| !table.is_same()).map(|table| table.name).collect();
        (found, report.ledger_faults.len())
    };
    let main = || Connection::open(target.path().join("main.db")).unwrap();
    main().execute("DELETE FROM quota", []).unwrap();
    main().execute("INSERT INTO stream VALUES (9, 9, 'x', 'x', 'x', '', '{}')", []).unwrap();
    assert_eq!(differ().await, (vec!["stream", "quota"], 0));
    main().execute("DELETE FROM ledger_chunk WHERE controller = ?1", [ControllerId::OPERATOR.0]).unwrap();
    assert_eq!(differ().await, (vec!["stream", "quota", "ledger_chunk"], 1));
    let file = target.path().join("bodies").join(body_file(place.path()));
    let mut body = std::fs::read(&file).unwrap();
    body[1_000] ^= 1;
    std::fs::write(&file, body).unwrap();
    assert_eq!(differ().await.0, ["stream", "quota", "body", "ledger_chunk"]);
    std::fs::remove_file(&file).unwrap();
    let gone = between(place.path(), target.path(), PAGE, u64::MAX).await.unwrap_err();
    assert!(matches!(gone, Refused::Store(Error::File { .. })), "{gone}");
}

#[tokio::test]
async fn what_is_not_empty_or_not_whole_is_refused() {
    let (place, other) = (Place::new(), Place::new());
    furnish(&place, 0).await;
    furnish(&other, 0).await;
    let copy = |from: &Place, to: &Path, pages| {
        let (from, to) = (from.path().to_owned(), to.to_owned());
        async move { between(&from, &to, PAGE, pages).await }
    };
    let refused = copy(&place, other.path(), u64::MAX).await.unwrap_err();
    assert!(matches!(refused, Refused::NotEmpty { table: "controller", .. }), "{refused}");
    // Half a copy: of this store it goes on, of another one it does not, and it is no source.
    let target = tempfile::tempdir().unwrap();
    assert!(matches!(copy(&place, target.path(), 3).await, Err(Refused::CutShort)));
    assert!(matches!(copy(&other, target.path(), u64::MAX).await, Err(Refused::OtherSource { .. })));
    let third = tempfile::tempdir().unwrap();
    let refused = between(target.path(), third.path(), PAGE, u64::MAX).await.unwrap_err();
    assert!(matches!(refused, Refused::SourceUnfinished { .. }), "{refused}");
    assert!(copy(&place, target.path(), u64::MAX).await.unwrap().is_same());
    // Nothing was ever kept there.
    let refused = between(third.path(), tempfile::tempdir().unwrap().path(), PAGE, u64::MAX).await.unwrap_err();
    assert!(matches!(refused, Refused::NoSource { .. }), "{refused}");
    // A folder in use.
    let store = place.open().await.unwrap();
    let refused = copy(&place, third.path(), u64::MAX).await.unwrap_err();
    assert!(matches!(refused, Refused::Store(Error::Locked { .. })), "{refused}");
    store.close().await;
}

#[tokio::test]
async fn ids_of_the_ledgers_inbox_go_on_above_the_largest_ever_given() {
    let place = Place::new();
    furnish(&place, 0).await;
    let target = tempfile::tempdir().unwrap();
    let last = |dir: &Path| {
        let main = Connection::open(dir.join("main.db")).unwrap();
        main.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'ledger_inbox'", [], |row| row.get::<_, i64>(0))
    };
    Connection::open(place.path().join("main.db")).unwrap().execute("DELETE FROM ledger_inbox", []).unwrap();
    assert!(between(place.path(), target.path(), PAGE, u64::MAX).await.unwrap().is_same());
    assert_eq!(last(target.path()).unwrap(), last(place.path()).unwrap());
}
