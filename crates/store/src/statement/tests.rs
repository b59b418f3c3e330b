//! The registry against SQLite and PostgreSQL, against the portable core, and the tables against
//! `docs/personal-data.md`.

use super::*;
use crate::postgres::{EngineSettings, PostgresEngine};
use crate::sqlite::{open_keys_for_tests, open_main_for_tests};
use crate::statement::table::{OF_SEVERAL_NODES, Table};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use tokio_postgres::NoTls;
use tokio_postgres::types::{Kind, Type};

const PAGE: &str = include_str!("../../../../docs/personal-data.md");

/// Which engines a text is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Of {
    Both,
    Sqlite,
    Postgres,
    /// Both, by the general verbs: no engine names it, the store does.
    General,
}

/// Which database a text is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum In {
    Main,
    Keys,
}

/// All lists. A text that is in none of them is prepared by no test, and so by the compiler's word never used.
const LISTS: [(Of, In, &[Statement]); 24] = [
    (Of::Both, In::Main, POLICY),
    (Of::Both, In::Main, SPOOL),
    (Of::General, In::Main, PERMISSION),
    (Of::General, In::Main, AUTHORITY),
    (Of::General, In::Main, RETENTION),
    (Of::General, In::Main, DECISIONS),
    (Of::General, In::Main, HOSTS_TEXTS),
    (Of::General, In::Main, TAGS_TEXTS),
    (Of::General, In::Main, TOMBSTONE_TEXTS),
    (Of::General, In::Main, FEEDBACK),
    (Of::General, In::Main, TRANSPORT),
    (Of::General, In::Main, TLS_REPORTS),
    (Of::General, In::Main, SITES),
    (Of::General, In::Main, EGRESS),
    (Of::General, In::Main, QUEUE_TEXTS),
    (Of::Both, In::Main, JOURNAL),
    (Of::Both, In::Keys, VAULT),
    (Of::Sqlite, In::Main, POLICY_SQLITE),
    (Of::Sqlite, In::Main, SPOOL_SQLITE),
    (Of::Sqlite, In::Main, JOURNAL_SQLITE),
    (Of::Sqlite, In::Keys, VAULT_SQLITE),
    (Of::Postgres, In::Main, POSTGRES),
    (Of::Postgres, In::Main, CLUSTER),
    (Of::Postgres, In::Keys, POSTGRES_KEYS),
];

fn all() -> impl Iterator<Item = (Of, In, &'static Statement)> {
    LISTS.into_iter().flat_map(|(of, place, list)| list.iter().map(move |statement| (of, place, statement)))
}

#[test]
fn every_name_stands_once() {
    let mut names = BTreeSet::new();
    for (_, _, statement) in all() {
        assert!(names.insert(statement.name), "{} stands twice in the registry", statement.name);
    }
    assert!(names.len() > 100);
}

#[test]
fn every_statement_prepares_on_sqlite_and_takes_the_parameters_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let main = open_main_for_tests(dir.path()).unwrap();
    let keys = open_keys_for_tests(dir.path()).unwrap();
    for (of, place, statement) in all() {
        if of == Of::Postgres {
            continue;
        }
        let connection = if place == In::Main { &main } else { &keys };
        let prepared = connection.prepare(statement.text);
        let prepared = prepared.unwrap_or_else(|error| panic!("{}: {error}", statement.name));
        assert_eq!(prepared.parameter_count(), statement.params, "{}", statement.name);
    }
}

/// The types that both engines have, one for one: INTEGER, TEXT, BLOB.
fn is_portable(kind: &Type) -> bool {
    let kind = match kind.kind() {
        Kind::Array(element) => element,
        _ => kind,
    };
    [Type::INT8, Type::TEXT, Type::BYTEA].contains(kind)
}

/// What SQLite makes of a text's columns; nothing where it cannot tell.
fn affinities(connection: &Connection, statement: &Statement) -> Vec<String> {
    let make = format!("CREATE TEMP TABLE probe AS {}", statement.text);
    let anything = vec![1_i64; statement.params];
    connection.execute(&make, rusqlite::params_from_iter(anything)).unwrap();
    let mut columns = connection.prepare("SELECT type FROM pragma_table_info('probe')").unwrap();
    let columns = columns.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
    connection.execute("DROP TABLE probe", []).unwrap();
    columns
}

type Columns = BTreeMap<(String, String), String>;

/// Tables and columns with their types, in SQLite's words.
fn columns_of_sqlite(connection: &Connection) -> Columns {
    let mut columns = Columns::new();
    for table in tables(connection) {
        let mut found = connection.prepare("SELECT name, type FROM pragma_table_info(?1)").unwrap();
        let found = found.query_map([&table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        columns.extend(found.map(|column: rusqlite::Result<(String, String)>| {
            let (name, kind) = column.unwrap();
            ((table.clone(), name), kind)
        }));
    }
    columns
}

async fn columns_of_postgresql(client: &tokio_postgres::Client) -> Columns {
    // Partitions are their tables.
    let text = "SELECT CAST(pg_class.relname AS TEXT), CAST(attname AS TEXT), CAST(atttypid::regtype AS TEXT) \
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = current_schema()::regnamespace \
        AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped";
    let word = |kind: &str| match kind {
        "bigint" => "INTEGER",
        "text" => "TEXT",
        "bytea" => "BLOB",
        _ => "none of SQLite's",
    };
    let rows = client.query(text, &[]).await.unwrap();
    rows.iter().map(|row| ((row.get(0), row.get(1)), word(row.get(2)).to_owned())).collect()
}

#[tokio::test]
async fn the_tables_of_postgresql_are_those_of_sqlite_column_by_column() {
    let dir = tempfile::tempdir().unwrap();
    let mut lite = columns_of_sqlite(&open_main_for_tests(dir.path()).unwrap());
    lite.extend(columns_of_sqlite(&open_keys_for_tests(dir.path()).unwrap()));
    let database = testkit::postgres::database().await;
    let (url, keys_url) = (database.url.clone(), Some(database.keys_url.clone()));
    let engine = PostgresEngine::open(EngineSettings { url, keys_url, ca: None }).await.unwrap();
    let mut here = Columns::new();
    for url in [&database.url, &database.keys_url] {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        here.extend(columns_of_postgresql(&client).await);
    }
    // A day of its own, by which answers are cut; a row a slot, so that one can be destroyed.
    for (table, column) in [("idempotency", "day"), ("subject_block", "slot")] {
        assert_eq!(here.remove(&(table.to_owned(), column.to_owned())).as_deref(), Some("INTEGER"));
    }
    here.retain(|(table, _), _| OF_SEVERAL_NODES.iter().all(|other| other.name() != table));
    assert_eq!(here, lite);
    crate::engine::Engine::close(&engine).await;
}

#[tokio::test]
async fn every_statement_prepares_on_postgresql_with_the_types_that_sqlite_has() {
    let dir = tempfile::tempdir().unwrap();
    let lite = [open_main_for_tests(dir.path()).unwrap(), open_keys_for_tests(dir.path()).unwrap()];
    let database = testkit::postgres::database().await;
    let (url, keys_url) = (database.url.clone(), Some(database.keys_url.clone()));
    let engine = PostgresEngine::open(EngineSettings { url, keys_url, ca: None }).await.unwrap();
    for (place, url, lite) in [(In::Main, &database.url, &lite[0]), (In::Keys, &database.keys_url, &lite[1])] {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        for (of, there, statement) in all() {
            if of == Of::Sqlite || there != place {
                continue;
            }
            let name = statement.name;
            let prepared = client.prepare(&crate::postgres::translate(statement.text)).await;
            let prepared = prepared.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(prepared.params().len(), statement.params, "{name}");
            assert!(prepared.params().iter().all(is_portable), "{name} takes {:?}", prepared.params());
            let types: Vec<&Type> = prepared.columns().iter().map(tokio_postgres::Column::type_).collect();
            // What only that server can be asked about itself.
            let about_server = ["SERVER", "DURABILITY"].contains(&name);
            assert!(about_server || types.iter().all(|kind| is_portable(kind)), "{name} gives {types:?}");
            if matches!(of, Of::Both | Of::General) && statement.text.starts_with("SELECT") {
                let affinities = affinities(lite, statement);
                assert_eq!(affinities.len(), types.len(), "{name}");
                for (affinity, kind) in affinities.iter().zip(types) {
                    let is_same = match affinity.as_str() {
                        "INT" => *kind == Type::INT8,
                        "TEXT" => *kind == Type::TEXT,
                        // Octets, or what is reckoned.
                        "" => *kind != Type::TEXT,
                        _ => false,
                    };
                    assert!(is_same, "{name}: {affinity:?} is {kind}");
                }
            }
        }
        drop(client);
        driver.await.unwrap().unwrap();
    }
    crate::engine::Engine::close(&engine).await;
}

#[test]
fn every_text_keeps_to_the_portable_core() {
    let never = [
        "$",
        "now()",
        "current_timestamp",
        "json",
        "savepoint",
        "trigger",
        "plpgsql",
        "temp ",
        "or replace",
        "or ignore",
        "rowid",
        "glob",
        "  ",
        "advisory",
        "notify",
        "listen",
        "skip locked",
        "nowait",
        "random()",
        "gen_random",
        "nextval",
    ];
    for (of, _, statement) in all() {
        let (name, text) = (statement.name, statement.text);
        let lower = text.to_lowercase();
        for word in never {
            assert!(!lower.contains(word), "{name} has {word:?}");
        }
        if of != Of::Postgres {
            for word in ["::", "unnest", "any(", "lock table", "for update", "for share"] {
                assert!(!lower.contains(word), "{name} has {word:?}, which SQLite does not know");
            }
        }
        // A clock inside a statement that writes would differ from node to node of some servers.
        assert!(name == "DATABASE_TIME" || !lower.contains("clock_timestamp"), "{name} reads a clock");
        for number in 1..=statement.params {
            assert!(text.contains(&format!("?{number}")), "{name} has no ?{number}");
        }
        // A `?` without a number would be counted differently by the two engines.
        let bare =
            text.match_indices('?').any(|(at, _)| !text[at + 1..].starts_with(|next: char| next.is_ascii_digit()));
        assert!(!bare, "{name} has a parameter without a number");
        if text.contains("LIMIT") {
            assert!(text.contains("ORDER BY"), "{name} has a limit without an order");
        }
        let conflicts = text.matches("ON CONFLICT").count();
        assert_eq!(conflicts, text.matches("ON CONFLICT (").count(), "{name} does not name what conflicts");
    }
}

/// All program text of one engine, tests left out.
fn source(engine: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut texts = fs::read_to_string(root.join(format!("{engine}.rs"))).unwrap();
    let mut folders: Vec<_> = Some(root.join(engine)).filter(|folder| folder.is_dir()).into_iter().collect();
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !path.components().any(|part| part.as_os_str() == "tests") {
                texts.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

#[test]
fn every_text_is_used_by_the_engines_that_it_is_for_and_by_no_other() {
    let words = |engine| {
        let text = source(engine);
        let name = |rest: &str| rest.split(|c: char| !c.is_ascii_uppercase() && c != '_').next().unwrap().to_owned();
        text.split("sql::").skip(1).map(name).collect::<BTreeSet<String>>()
    };
    let used = BTreeMap::from([("sqlite", words("sqlite")), ("postgres", words("postgres"))]);
    let modules = [
        "permission",
        "decisions",
        "refusals",
        "rotation",
        "feedback",
        "transport",
        "tls_reports",
        "authority",
        "accounts",
        "tombstones",
        "sites",
        "egress",
        "waiting",
    ];
    let general: BTreeSet<String> = modules.into_iter().flat_map(words).collect();
    for (of, _, statement) in all() {
        assert!(of != Of::General || general.contains(statement.name), "{} is run by nobody", statement.name);
        let by_engines = of != Of::General;
        let expected = [("sqlite", by_engines && of != Of::Postgres), ("postgres", by_engines && of != Of::Sqlite)];
        for (engine, expected) in expected {
            assert_eq!(used[engine].contains(statement.name), expected, "{} on {engine}", statement.name);
        }
    }
}

#[test]
fn art5_1_e_a_person_is_forgotten_only_when_no_table_speaks_of_him() {
    let dir = tempfile::tempdir().unwrap();
    let columns = columns_of_sqlite(&open_main_for_tests(dir.path()).unwrap());
    let with_tags = columns.into_keys().filter(|(_, column)| column == "tag").map(|(table, _)| table);
    // His own row, and messages with their places in the queue, which are looked at otherwise.
    let others: Vec<String> = with_tags.filter(|one| !["subject", "message", "queue"].contains(&&**one)).collect();
    assert!(others.len() > 10, "{others:?}");
    for table in others {
        let asked = format!("FROM {table} WHERE {table}.controller = subject.controller AND {table}.tag = subject.tag");
        assert!(SUBJECT_ENDS.text.contains(&asked) && SUBJECTS_LEAVING.text.contains(&asked), "{table}");
    }
}

#[tokio::test]
async fn gdpr_30_every_table_is_in_the_list_and_in_the_page_and_no_other() {
    let listed: BTreeSet<String> = Table::ALL.iter().map(|table| table.name().to_owned()).collect();
    let shared: BTreeSet<String> = OF_SEVERAL_NODES.iter().map(|table| table.name().to_owned()).collect();
    let dir = tempfile::tempdir().unwrap();
    let mut made = tables(&open_main_for_tests(dir.path()).unwrap());
    made.extend(tables(&open_keys_for_tests(dir.path()).unwrap()));
    assert_eq!(made, &listed - &shared);
    assert_eq!(tables_on_postgresql().await, listed);

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

/// Partitions are parts of their tables.
async fn tables_on_postgresql() -> BTreeSet<String> {
    let database = testkit::postgres::database().await;
    let (url, keys_url) = (database.url.clone(), Some(database.keys_url.clone()));
    let engine = PostgresEngine::open(EngineSettings { url, keys_url, ca: None }).await.unwrap();
    crate::engine::Engine::close(&engine).await;
    let text = "SELECT relname::TEXT FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition \
        AND relnamespace = 'public'::regnamespace";
    let mut made = BTreeSet::new();
    for url in [&database.url, &database.keys_url] {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        made.extend(client.query(text, &[]).await.unwrap().iter().map(|row| row.get::<_, String>(0)));
        drop(client);
        driver.await.unwrap().unwrap();
    }
    made
}

fn tables(connection: &Connection) -> BTreeSet<String> {
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}
