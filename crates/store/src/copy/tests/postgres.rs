//! Between the two engines: there and back, cut short, altered, and with somebody else about.

use super::house::{body_file, furnish, large_body, open_at, open_shared, rows, send};
use super::*;
use crate::conformance::place::Place;
use crate::copy::place::open_both;
use crate::copy::postgres::PostgresSide;
use crate::copy::{copy_store, side::Side};
use crate::postgres::bare::Bare;
use crate::sqlite::SqliteEngine;
use crate::view::MessageView;
use std::collections::BTreeMap;
use tempfile::TempDir;
use testkit::postgres::{TestDatabase, database};

fn place(database: &TestDatabase) -> StorePlace {
    StorePlace::Postgres { url: database.url.clone(), keys_url: Some(database.keys_url.clone()), ca: None }
}

fn plan(from: StorePlace, to: StorePlace) -> CopyPlan {
    CopyPlan { from, to, bodies: None, now: NOW }
}

async fn bare(database: &TestDatabase) -> Bare {
    Bare::open(&database.url, Some(&database.keys_url), None).await.unwrap()
}

async fn number(database: &TestDatabase, text: &str) -> i64 {
    let bare = bare(database).await;
    let row = bare.main().await.unwrap().query_one(text, &[]).await.unwrap();
    row.get(0)
}

fn hashes(report: &CopyReport) -> Vec<[u8; 32]> {
    report.tables.iter().map(|table| table.hash).collect()
}

#[tokio::test]
async fn every_table_and_column_of_postgres_is_carried() {
    let database = database().await;
    let bare = bare(&database).await;
    for (which, client) in [(Database::Main, bare.main().await.unwrap()), (Database::Keys, bare.keys().await.unwrap())]
    {
        let text = "SELECT CAST(class.relname AS TEXT), CAST(att.attname AS TEXT), format_type(att.atttypid, NULL), \
            att.attnotnull, CAST(COALESCE(array_position(CAST(pk.indkey AS SMALLINT[]), att.attnum), -1) AS BIGINT) \
            FROM pg_class AS class JOIN pg_attribute AS att ON att.attrelid = class.oid AND att.attnum > 0 \
            AND NOT att.attisdropped LEFT JOIN pg_index AS pk ON pk.indrelid = class.oid AND pk.indisprimary \
            WHERE class.relkind IN ('r', 'p') AND NOT class.relispartition \
            AND class.relnamespace = to_regnamespace(current_schema()) ORDER BY class.relname, att.attnum";
        let mut there: BTreeMap<String, Vec<(String, String, bool, i64)>> = BTreeMap::new();
        for row in client.query(text, &[]).await.unwrap() {
            let column = (row.get(1), row.get(2), row.get(3), row.get(4));
            there.entry(row.get(0)).or_default().push(column);
        }
        // What a store writes about itself.
        let own: &[&str] = match which {
            Database::Main => &["migration", "copy_state", "node", "lease", "cluster", "generation"],
            Database::Keys => &["migration", "copy_state", "cluster"],
        };
        assert!(own.iter().all(|table| there.remove(*table).is_some()));
        let names: Vec<_> = Table::of(which).map(|table| table.name).collect();
        assert_eq!(there.keys().cloned().collect::<BTreeSet<_>>(), names.iter().map(|name| (*name).into()).collect());
        for table in Table::of(which) {
            let there = &there[table.name];
            assert_eq!(there.len(), table.columns.len(), "{}", table.name);
            for (place, column) in table.columns.iter().enumerate() {
                let (_, kind, is_needed, key) = there.iter().find(|(name, ..)| name == column.name).unwrap();
                let expected = match column.kind {
                    Kind::Integer => "bigint",
                    Kind::Text => "text",
                    Kind::Octets => "bytea",
                };
                assert_eq!(kind, expected, "{}.{}", table.name, column.name);
                assert_eq!(*is_needed, column.presence == Presence::Always, "{}.{}", table.name, column.name);
                // Positions in the key are counted from 0 there; the partition's day stands behind the key.
                let is_key = place < table.keys || (table.name == IDEMPOTENCY && column.name == "day");
                let expected = match is_key {
                    true => i64::try_from(place.min(table.keys)).unwrap(),
                    false => -1,
                };
                assert_eq!(*key, expected, "{}.{}", table.name, column.name);
            }
        }
    }
}

/// What a message looks like from outside; `None` once its person is erased.
async fn views(store: &crate::Store, contents: &house::Contents) -> Vec<MessageView> {
    let mut views = Vec::new();
    for id in contents.messages.iter().chain([&contents.erased]) {
        views.push(store.message(contents.controller, *id).await.unwrap().unwrap());
    }
    views
}

#[tokio::test]
async fn a_copy_there_and_back_has_the_same_hashes_and_the_same_mail() {
    let home = Place::new();
    let contents = furnish(&home, 40).await;
    let database = database().await;
    let back = tempfile::tempdir().unwrap();
    let sqlite = |dir: &Path| StorePlace::Sqlite(dir.into());
    let there = copy_store(&plan(sqlite(home.path()), place(&database)), &quiet).await.unwrap();
    assert!(there.is_same(), "{there:?}");

    // The large body is a row; an attempt that is under way belongs to nobody; every site has its partition.
    assert_eq!(number(&database, "SELECT COUNT(*) FROM body WHERE place <> 0").await, 0);
    assert_eq!(number(&database, "SELECT MAX(octet_length(sealed))::BIGINT FROM body").await / 1_024, 300);
    let free = "SELECT COUNT(*) FROM queue WHERE started IS NOT NULL AND starter IS NULL";
    assert_eq!(number(&database, free).await, 1);
    let part = i64::from(queue_part("dest.example"));
    assert_eq!(number(&database, &format!("SELECT COUNT(*) FROM queue WHERE part <> {part}")).await, 0);
    assert_eq!(number(&database, "SELECT COUNT(*) FROM controller").await, 2);
    assert_eq!(number(&database, "SELECT COUNT(*) FROM generation WHERE controller >= 0").await, 2);
    // Rows lie in the partitions of their time, ids of the inbox go on, and what a day is follows from the moment.
    assert_eq!(number(&database, "SELECT COUNT(*) FROM message_rest").await, 0);
    let largest = number(&database, "SELECT MAX(id) FROM ledger_inbox").await;
    assert!(number(&database, "SELECT nextval('ledger_inbox_id_seq')").await > largest);
    assert_eq!(number(&database, "SELECT COUNT(*) FROM idempotency WHERE day <> made / 86400000000").await, 0);
    // A guard that a node wrote in the first hour of a day is no second answer.
    let guard = "INSERT INTO idempotency (controller, credential, key, request, made, answer, day) \
        SELECT controller, credential, key, request, made, '', day - 1 FROM idempotency";
    bare(&database).await.main().await.unwrap().batch_execute(guard).await.unwrap();
    // A key that was being destroyed when its node went down is none.
    let blank = "INSERT INTO key (controller, kind, epoch, sealed, created) VALUES (2, 4, 7, '\\x0000', 7)";
    bare(&database).await.keys().await.unwrap().batch_execute(blank).await.unwrap();

    let again = copy_store(&plan(place(&database), sqlite(back.path())), &quiet).await.unwrap();
    assert!(again.is_same(), "{again:?}");
    assert_eq!(hashes(&there), hashes(&again));
    assert_eq!((there.ledgers, there.entries), (again.ledgers, again.entries));

    // The same mail, for whoever has the key.
    std::fs::copy(home.path().join("master.key"), back.path().join("master.key")).unwrap();
    let moved = open_at(back.path()).await;
    let old = open_at(home.path()).await;
    let describe = |views: Vec<MessageView>| format!("{views:?}");
    assert_eq!(describe(views(&moved, &contents).await), describe(views(&old, &contents).await));
    assert!(moved.message(contents.controller, contents.erased).await.unwrap().unwrap().to.is_none());
    let found = rows(&moved, contents.controller).await;
    let row = found.iter().find(|row| row.id == contents.large).unwrap();
    assert_eq!(moved.open_content(&[row]).await.unwrap()[0].as_ref().unwrap().body, large_body());
    assert_eq!(moved.recover().await.unwrap(), 1);
    let view = moved.message(contents.controller, contents.in_flight).await.unwrap().unwrap();
    assert_eq!(view.timeline.last().unwrap().event, "uncertain");
    moved.flush().await.unwrap();
    moved.close().await;
    old.close().await;
}

#[tokio::test]
async fn large_bodies_stay_files_where_nodes_share_a_folder() {
    let home = Place::new();
    furnish(&home, 0).await;
    let (database, shared) = (database().await, tempfile::tempdir().unwrap());
    let (back, bare_of_bodies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sqlite = |dir: &Path| StorePlace::Sqlite(dir.into());
    let name = body_file(home.path());
    let mut to = plan(sqlite(home.path()), place(&database));
    to.bodies = Some(shared.path().into());
    // What a copy that was cut short left stays; another file of that name is not written over.
    std::fs::write(shared.path().join(&name), b"another").unwrap();
    assert!(matches!(copy_store(&to, &quiet).await, Err(Refused::Store(Error::File { .. }))));
    assert_eq!(std::fs::read(shared.path().join(&name)).unwrap(), b"another");
    std::fs::copy(home.path().join("bodies").join(&name), shared.path().join(&name)).unwrap();
    let there = copy_store(&to, &quiet).await.unwrap();
    assert!(there.is_same());
    assert_eq!(number(&database, "SELECT COUNT(*) FROM body WHERE place = 1 AND sealed = ''").await, 1);

    // Without the folder they are not to be had.
    let mut from = plan(place(&database), sqlite(bare_of_bodies.path()));
    assert!(matches!(copy_store(&from, &quiet).await, Err(Refused::Bodies { .. })));
    from.to = sqlite(back.path());
    from.bodies = Some(shared.path().into());
    let again = copy_store(&from, &quiet).await.unwrap();
    assert!(again.is_same());
    assert_eq!(hashes(&there), hashes(&again));
    assert_eq!(std::fs::read(back.path().join("bodies").join(&name)).unwrap().len() / 1_024, 300);
}

/// Copies in small pages, cut short again and again, and answers how often.
async fn cut_up(from: &StorePlace, to: &StorePlace) -> (CopyReport, u64) {
    let whole = plan(from.clone(), to.clone());
    let mut cuts = 0;
    loop {
        let (source, target) = open_both(&whole).await.unwrap();
        let manner = Manner { page: SMALL, pages_max: 1 + cuts % 5, now: NOW };
        let copied = copy_between(&*source, &*target, manner, &quiet).await;
        source.close().await;
        target.close().await;
        match copied {
            Ok(report) => return (report, cuts),
            Err(Refused::CutShort) => cuts += 1,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_copy_cut_short_on_either_side_goes_on_where_it_stopped() {
    let home = Place::new();
    furnish(&home, 12).await;
    let (database, back) = (database().await, tempfile::tempdir().unwrap());
    let (from, to) = (StorePlace::Sqlite(home.path().into()), StorePlace::Sqlite(back.path().into()));
    let (there, cuts) = cut_up(&from, &place(&database)).await;
    assert!(there.is_same() && cuts > 8, "{cuts}");
    let (again, cuts) = cut_up(&place(&database), &to).await;
    assert!(again.is_same() && cuts > 8, "{cuts}");
    assert_eq!(hashes(&there), hashes(&again));
}

#[tokio::test]
async fn a_node_does_not_start_on_half_a_copy() {
    let home = Place::new();
    furnish(&home, 0).await;
    let database = database().await;
    let whole = plan(StorePlace::Sqlite(home.path().into()), place(&database));
    let (source, target) = open_both(&whole).await.unwrap();
    let manner = Manner { page: SMALL, pages_max: 0, now: NOW };
    assert!(matches!(copy_between(&*source, &*target, manner, &quiet).await, Err(Refused::CutShort)));
    source.close().await;
    target.close().await;
    let settings = || crate::postgres::EngineSettings {
        url: database.url.clone(),
        keys_url: Some(database.keys_url.clone()),
        ca: None,
    };
    let refused = crate::postgres::PostgresEngine::open(settings()).await.err().unwrap();
    assert!(refused.to_string().contains("copy"), "{refused}");
    // The twin: a whole one it starts on.
    assert!(copy_store(&whole, &quiet).await.unwrap().is_same());
    let engine = crate::postgres::PostgresEngine::open(settings()).await.unwrap();
    crate::engine::Engine::close(&engine).await;
    drop(SqliteEngine::open(home.path(), crate::sqlite::SqliteSettings::default()).unwrap());
}

#[tokio::test]
async fn what_is_altered_on_postgres_is_found() {
    let home = Place::new();
    furnish(&home, 0).await;
    let database = database().await;
    let whole = plan(StorePlace::Sqlite(home.path().into()), place(&database));
    assert!(copy_store(&whole, &quiet).await.unwrap().is_same());
    let alterations = [
        ("main", "UPDATE basis SET withdrawn = NULL", "basis"),
        ("main", "DELETE FROM suppression WHERE scope = 'all'", "suppression"),
        ("main", "UPDATE queue SET part = part + 1", "queue"),
        ("main", "UPDATE queue SET starter = 7 WHERE id = (SELECT MIN(id) FROM queue)", "queue"),
        ("main", "UPDATE idempotency SET day = day + 1", "idempotency"),
        ("main", "UPDATE ledger_inbox SET entry = entry || '\\x00'", "ledger_inbox"),
        ("keys", "UPDATE subject_block SET sealed = decode(repeat('00', 60), 'hex') WHERE slot = 9", "subject_block"),
    ];
    let bare = bare(&database).await;
    for (which, text, table) in alterations {
        let mut client = if which == "main" { bare.main().await.unwrap() } else { bare.keys().await.unwrap() };
        let before = client.transaction().await.unwrap();
        assert!(before.execute(text, &[]).await.unwrap() > 0, "{text}");
        before.commit().await.unwrap();
        let report = copy_store(&whole, &quiet).await.unwrap();
        let found: Vec<_> = report.tables.iter().filter(|table| !table.is_same()).map(|table| table.name).collect();
        assert!(found.contains(&table), "{text}: {found:?}");
    }
    // What else lies there than a copy of this store is left alone.
    let (other, third) = (Place::new(), testkit::postgres::database().await);
    furnish(&other, 0).await;
    let mut wrong = plan(StorePlace::Sqlite(other.path().into()), place(&database));
    assert!(matches!(copy_store(&wrong, &quiet).await, Err(Refused::OtherSource { .. })));
    let one = PostgresSide::open(&place(&third), None).await.unwrap();
    one.close().await;
    let text = "INSERT INTO stream (id, controller, name, kind, purpose) VALUES (1, 1, 'x', 'x', 'x')";
    self::bare(&third).await.main().await.unwrap().execute(text, &[]).await.unwrap();
    wrong.to = place(&third);
    assert!(matches!(copy_store(&wrong, &quiet).await, Err(Refused::NotEmpty { table: "stream", .. })));
}

#[tokio::test]
async fn nobody_else_is_about_while_a_store_is_copied() {
    let database = database().await;
    let bare = bare(&database).await;
    let client = bare.main().await.unwrap();
    let joins = |age_seconds: i64| {
        format!(
            "INSERT INTO node (number, identity, incarnation, name, roles, version, seen) VALUES (1, '\\x01', 1, \
             'alpha', 15, '0', (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT - {age_seconds} * 1000000)"
        )
    };
    client.execute(&joins(2), &[]).await.unwrap();
    let refused = PostgresSide::open(&place(&database), None).await.err().unwrap();
    assert!(matches!(&refused, Refused::NodeAlive { name, .. } if name == "alpha"), "{refused}");
    // One that was not heard of for long is no hindrance; then nobody joins, and nobody else copies.
    client.execute("DELETE FROM node", &[]).await.unwrap();
    client.execute(&joins(11), &[]).await.unwrap();
    let side = PostgresSide::open(&place(&database), None).await.unwrap();
    client.batch_execute("SET lock_timeout = '100ms'").await.unwrap();
    let waited = client.execute("UPDATE node SET seen = seen + 1", &[]).await.unwrap_err();
    assert_eq!(waited.code().unwrap().code(), "55P03");
    assert!(matches!(PostgresSide::open(&place(&database), None).await.err(), Some(Refused::Busy)));
    side.still_alone().await.unwrap();
    // Who lost the lock knows it.
    let ends = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_locks WHERE mode = 'ExclusiveLock' \
        AND relation = 'node'::regclass";
    let ended: i64 = client.query_one(ends, &[]).await.unwrap().get(0);
    assert_eq!(ended, 1);
    assert!(matches!(side.still_alone().await, Err(Refused::NotAlone)));
    client.execute("UPDATE node SET seen = seen + 1", &[]).await.unwrap();
}

#[tokio::test]
async fn only_between_the_two_engines_and_only_where_there_is_something() {
    let (one, two): (TempDir, TempDir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sqlite = |dir: &TempDir| StorePlace::Sqlite(dir.path().into());
    assert!(matches!(copy_store(&plan(sqlite(&one), sqlite(&two)), &quiet).await, Err(Refused::SameEngine)));
    let database = database().await;
    let refused = copy_store(&plan(sqlite(&one), place(&database)), &quiet).await.unwrap_err();
    assert!(matches!(refused, Refused::NoSource { .. }), "{refused}");
    assert_eq!(std::fs::read_dir(one.path()).unwrap().count(), 0, "nothing was made");
    let refused = copy_store(&plan(place(&database), sqlite(&two)), &quiet).await.unwrap_err();
    assert!(matches!(refused, Refused::NoSource { .. }), "{refused}");
    for text in ["sqlite:", "postgres:x", "mysql://x/y", "folder", ""] {
        assert!(matches!(StorePlace::read(text, None, None), Err(Refused::Place)), "{text}");
    }
    let secret = StorePlace::read("postgres://a:SECRET@b/c", None, None).unwrap();
    assert!(!format!("{secret:?}").contains("SECRET"));
}

#[tokio::test]
async fn a_store_that_was_moved_works_and_moves_back() {
    let home = Place::new();
    let contents = furnish(&home, 3).await;
    let (database, node, back) = (database().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = plan(StorePlace::Sqlite(home.path().into()), place(&database));
    assert!(copy_store(&whole, &quiet).await.unwrap().is_same());

    std::fs::copy(home.path().join("master.key"), node.path().join("master.key")).unwrap();
    let store = open_shared(node.path(), &database).await;
    // The attempt that was under way when the store was moved is found, and its message may go on.
    store.recover().await.unwrap();
    let view = store.message(contents.controller, contents.in_flight).await.unwrap().unwrap();
    assert_eq!(view.timeline.last().unwrap().event, "uncertain");
    let found = rows(&store, contents.controller).await;
    let row = found.iter().find(|row| row.id == contents.large).unwrap();
    assert_eq!(store.open_content(&[row]).await.unwrap()[0].as_ref().unwrap().body, large_body());
    assert!(store.message(contents.controller, contents.erased).await.unwrap().unwrap().to.is_none());
    // Mail comes in, and every entry gets its place above those that were there.
    let authority = store.authority_named("shop").unwrap();
    let new = send(&store, &authority, &["ada"], &bytes::Bytes::from_static(b"body\r\n")).await;
    assert!(contents.messages.iter().all(|old| *old < new));
    let alive = copy_store(&plan(place(&database), StorePlace::Sqlite(back.path().into())), &quiet).await;
    assert!(matches!(alive, Err(Refused::NodeAlive { .. })), "{alive:?}");
    store.flush().await.unwrap();
    store.close().await;

    let again = copy_store(&plan(place(&database), StorePlace::Sqlite(back.path().into())), &quiet).await.unwrap();
    assert!(again.is_same(), "{again:?}");
    std::fs::copy(home.path().join("master.key"), back.path().join("master.key")).unwrap();
    let store = open_at(back.path()).await;
    assert!(store.message(contents.controller, new).await.unwrap().is_some());
    store.flush().await.unwrap();
    store.close().await;
}
