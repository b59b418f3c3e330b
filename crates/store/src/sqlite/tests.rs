//! What only SQLite can be asked: its files, its batches, its faults.

use super::housekeeper::{EMPTY_AFTER_TICKS, Watch};
use super::migrate::{self, Migration};
use super::shared::Shared;
use super::{SqliteEngine, SqliteSettings, connect};
use crate::conformance::rows::{DAY, SHOP, acceptance, at, ended, message, question, slot, tag};
use crate::engine::*;
use crate::error::{Error, Result};
use crate::sqlite::query::fault;
use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::{Connection, params};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use tempfile::tempdir;

fn open(dir: &Path) -> SqliteEngine {
    SqliteEngine::open(dir, SqliteSettings::default()).unwrap()
}

/// Is this anywhere in the folder's files?
fn found(dir: &Path, needle: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().any(|file| {
        let bytes = match fs::read(file.unwrap().path()) {
            // A file of the engine's own that it has removed meanwhile holds nothing.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            read => read.unwrap(),
        };
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

fn accepting(id: i64, n: u8, body: &[u8]) -> AcceptRows {
    let mut rows = acceptance(vec![message(id, n, id)]);
    rows.body.sealed = Bytes::copy_from_slice(body);
    rows.quota_max = 1_000;
    rows
}

#[tokio::test]
async fn a_folder_serves_one_process_and_its_owner_alone() {
    let above = tempdir().unwrap();
    let dir = above.path().join("data");
    let engine = open(&dir);
    let second = SqliteEngine::open(&dir, SqliteSettings::default());
    assert!(matches!(second, Err(Error::Locked { folder }) if folder.ends_with("data")));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    engine.append(Vec::new()).await.unwrap();
    for file in ["main.db", "main.db-wal", "main.db-shm", "keys.db", "lock"] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
    engine.close().await;
    // Closed, not yet dropped: the next one may come.
    let next = open(&dir);
    assert!(matches!(engine.policy().await, Err(Error::Closed)));
    drop(next);
    drop(open(&dir));
}

#[tokio::test]
async fn gdpr_17_nothing_destroyed_is_left_in_the_files() {
    let dir = tempdir().unwrap();
    let engine = open(dir.path());
    let secret =
        |n: u8| format!("secret number {n:03} of the block, sixty bytes in length or so..").into_bytes()[..60].to_vec();
    let block: Vec<u8> = (0..=255).flat_map(secret).collect();
    engine.put_block(1, SHOP, block).await.unwrap();
    let spare = KeyRow {
        controller: SHOP,
        kind: 1,
        epoch: 1,
        sealed: b"the epoch key, sealed".to_vec(),
        created: Default::default(),
    };
    engine.put_key(spare.clone()).await.unwrap();
    assert!(found(dir.path(), &secret(17)) && found(dir.path(), &spare.sealed));

    engine.destroy_slots(vec![slot(17)]).await.unwrap();
    engine.destroy_key(SHOP, 1, 1).await.unwrap();
    // The log is emptied before the writer takes its next work.
    engine.put_key(KeyRow { epoch: 2, sealed: b"another".to_vec(), ..spare.clone() }).await.unwrap();
    assert!(!found(dir.path(), &secret(17)) && !found(dir.path(), &spare.sealed));
    assert!(found(dir.path(), &secret(16)) && found(dir.path(), &secret(18)));
    assert_eq!(engine.slots(vec![slot(17), slot(18)]).await.unwrap(), [None, Some(secret(18))]);

    let body = b"a sealed body that fills pages of its own ".repeat(2_000);
    let mut rows = accepting(1, 1, &body);
    rows.body.wrapped = b"the wrapped content key".to_vec();
    rows.messages[0].head = b"the sealed header block".to_vec();
    rows.messages[0].envelope = b"the sealed envelope".to_vec();
    engine.accept(rows).await.unwrap();
    engine.accept(accepting(2, 2, b"a body that stays")).await.unwrap();
    let needles: [&[u8]; 3] = [&body[..100], b"the wrapped content key", b"the sealed header block"];
    assert!(needles.iter().all(|needle| found(dir.path(), needle)));
    engine.settle(vec![ended(1, 1, 1, "delivered")]).await.unwrap();
    engine.close().await;
    assert!(!needles.iter().any(|needle| found(dir.path(), needle)));
    assert!(found(dir.path(), b"a body that stays") && found(dir.path(), b"the sealed envelope"));
    assert_eq!(fs::metadata(dir.path().join("main.db-wal")).map_or(0, |file| file.len()), 0);
}

#[tokio::test]
async fn what_was_answered_is_in_the_files_without_closing() {
    let (dir, copy) = (tempdir().unwrap(), tempdir().unwrap());
    let engine = open(dir.path());
    engine.accept(accepting(1, 1, b"body")).await.unwrap();
    for file in ["main.db", "main.db-wal", "keys.db", "keys.db-wal"] {
        fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
    }
    let after_a_crash = open(copy.path());
    assert!(after_a_crash.contents(vec![1]).await.unwrap()[0].is_some());
}

/// Holds the writer in a batch of its own until the sender is dropped, so that what follows gathers in one batch.
async fn gathered<T>(engine: &SqliteEngine, follow: impl AsyncFnOnce() -> T, waiting: usize) -> T {
    let (release, held) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel::<()>();
    let holder = engine.write(move |_| {
        entered.send(()).unwrap();
        // Run again, it finds nobody there and goes on.
        held.recv().unwrap_or_default();
        Ok(())
    });
    let let_go = async {
        tokio::task::yield_now().await;
        inside.recv().unwrap();
        let opener = async {
            while engine.main.waiting() < waiting {
                tokio::task::yield_now().await;
            }
            drop(release);
        };
        tokio::join!(follow(), opener).0
    };
    let (held, answer) = tokio::join!(holder, let_go);
    held.unwrap();
    answer
}

#[tokio::test]
async fn a_bad_job_hurts_only_itself() {
    let dir = tempdir().unwrap();
    let engine = open(dir.path());
    engine.accept(accepting(1, 1, b"body")).await.unwrap();
    let commits = engine.main.commits.load(Ordering::Relaxed);
    let answers = gathered(
        &engine,
        async || {
            tokio::join!(
                engine.accept(accepting(2, 2, b"good")),
                engine.accept(accepting(1, 3, b"an id that is taken")),
                engine.accept(accepting(4, 4, b"good"))
            )
        },
        3,
    )
    .await;
    assert_eq!(answers.0.unwrap(), AcceptOutcome::Done);
    assert!(matches!(answers.1, Err(Error::Engine(words)) if words.contains("UNIQUE")));
    assert_eq!(answers.2.unwrap(), AcceptOutcome::Done);
    assert_eq!(engine.quota_used(SHOP, DAY).await.unwrap(), 3);
    // The holder's, and one for each good job, run singly.
    assert_eq!(engine.main.commits.load(Ordering::Relaxed), commits + 3);

    // The twin: good jobs that gather share one commit.
    let commits = engine.main.commits.load(Ordering::Relaxed);
    let follow =
        async || tokio::join!(engine.accept(accepting(5, 5, b"good")), engine.accept(accepting(6, 6, b"good")));
    let answers = gathered(&engine, follow, 2).await;
    assert!(answers.0.is_ok() && answers.1.is_ok());
    assert_eq!(engine.main.commits.load(Ordering::Relaxed), commits + 2);
}

fn set_page_max(connection: &Connection, pages: i64) -> Result<i64> {
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0)).map_err(fault)
}

#[tokio::test]
async fn a_full_disk_keeps_nothing_of_what_it_refuses_and_loses_nothing() {
    let dir = tempdir().unwrap();
    let engine = open(dir.path());
    let poisoned = Arc::clone(&engine.main);
    engine.accept(accepting(1, 1, &[7; 50_000])).await.unwrap();
    engine.write(|connection| set_page_max(connection, 1)).await.unwrap();
    let answers = gathered(
        &engine,
        async || {
            tokio::join!(
                engine.accept(accepting(2, 2, &[8; 200_000])),
                engine.start(StartRow {
                    id: 1,
                    attempt: 1,
                    at: Default::default(),
                    lease: PartLease { part: 0, epoch: 0 }
                })
            )
        },
        2,
    )
    .await;
    assert!(matches!(answers.0, Err(Error::Full)));
    assert!(answers.1.unwrap().begun, "what needs no room goes on");
    assert_eq!(engine.quota_used(SHOP, DAY).await.unwrap(), 1);
    assert!(engine.message(SHOP, 2).await.unwrap().is_none());
    assert!(!poisoned.is_poisoned());

    engine.write(|connection| set_page_max(connection, 1_000_000)).await.unwrap();
    assert_eq!(engine.accept(accepting(2, 2, &[8; 200_000])).await.unwrap(), AcceptOutcome::Done);
    assert_eq!(engine.started(Scope::default(), 9).await.unwrap().len(), 1);
}

fn telling() -> (SqliteSettings, Arc<AtomicUsize>) {
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let on_poison: super::OnPoison = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    (SqliteSettings { on_poison: Some(on_poison) }, told)
}

#[tokio::test]
async fn an_unknown_commit_ends_the_writer_and_tells_the_node_once() {
    let dir = tempdir().unwrap();
    let (settings, told) = telling();
    let engine = SqliteEngine::open(dir.path(), settings).unwrap();
    engine.accept(accepting(1, 1, b"body")).await.unwrap();
    let follow =
        async || tokio::join!(engine.accept(accepting(2, 2, b"body")), engine.write(|_| Err::<(), _>(Error::Unknown)));
    let answers = gathered(&engine, follow, 2).await;
    assert!(matches!(answers.0, Err(Error::Unknown)), "its batch has an unknown end too");
    assert!(matches!(answers.1, Err(Error::Unknown)));
    assert!(matches!(engine.accept(accepting(3, 3, b"body")).await, Err(Error::Unknown)));
    engine.close().await;
    assert_eq!(told.load(Ordering::Relaxed), 1);
    assert!(open(dir.path()).contents(vec![1]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_writer_that_falls_over_leaves_nobody_waiting() {
    let dir = tempdir().unwrap();
    let (settings, told) = telling();
    let engine = SqliteEngine::open(dir.path(), settings).unwrap();
    let fallen = engine.write(|_| -> Result<()> { panic!("on purpose") }).await;
    assert!(matches!(fallen, Err(Error::Unknown)));
    engine.main.ended().await;
    assert!(matches!(engine.accept(accepting(3, 3, b"body")).await, Err(Error::Unknown)));
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn bulk_work_takes_its_turn_and_closing_commits_what_waits() {
    let dir = tempdir().unwrap();
    let engine = open(dir.path());
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |word: &'static str| {
        let order = Arc::clone(&order);
        move |_: &Connection| {
            order.lock().push(word);
            Ok(())
        }
    };
    let follow = async || {
        let ending = async {
            while engine.main.waiting() < 4 {
                tokio::task::yield_now().await;
            }
            engine.ask_to_end();
        };
        tokio::join!(
            engine.write_bulk(note("bulk 1")),
            engine.write_bulk(note("bulk 2")),
            engine.write(note("short 1")),
            engine.write(note("short 2")),
            ending
        )
    };
    let done = gathered(&engine, follow, 2).await;
    assert!(done.0.is_ok() && done.1.is_ok() && done.2.is_ok() && done.3.is_ok());
    assert_eq!(*order.lock(), ["short 1", "short 2", "bulk 1", "bulk 2"]);
    assert!(matches!(engine.write(|_| Ok(())).await, Err(Error::Closed)));
}

#[test]
fn eprivacy13_2_a_soft_opt_in_of_before_its_conditions_were_asked_for_is_no_longer_complete() {
    let dir = tempdir().unwrap();
    let connection = connect::writer(&dir.path().join("main.db")).unwrap();
    let step = migrate::MAIN.iter().position(|step| step.text.contains("kind = 'soft-opt-in'")).unwrap();
    migrate::run(&connection, &migrate::MAIN[..step]).unwrap();
    for (tag, kind) in [(1_u8, "soft-opt-in"), (2, "consent")] {
        let text = "INSERT INTO basis (controller, tag, purpose, kind, given, evidence) VALUES (1, ?1, 1, ?2, 1, ?3)";
        connection.execute(text, params![[tag; 16], kind, "complete"]).unwrap();
    }
    migrate::run(&connection, migrate::MAIN).unwrap();
    let mut found = connection.prepare("SELECT evidence FROM basis ORDER BY tag").unwrap();
    let found: Vec<String> = found.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(found, ["unverified", "complete"]);
}

#[test]
fn a_newer_or_altered_schema_is_refused() {
    let dir = tempdir().unwrap();
    let connection = connect::writer(&dir.path().join("main.db")).unwrap();
    let first = Migration { name: "one", text: "CREATE TABLE a (b INTEGER)" };
    let second = Migration { name: "two", text: "CREATE TABLE c (d INTEGER)" };
    let bad = Migration { name: "two", text: "CREATE TABLE e (f INTEGER); CREATE TABLE nonsense" };
    let one = || Migration { ..first };
    migrate::run(&connection, &[one()]).unwrap();
    migrate::run(&connection, &[one()]).unwrap();
    assert!(migrate::run(&connection, &[one(), bad]).is_err());
    assert!(connection.prepare("SELECT f FROM e").is_err(), "a step that fails leaves nothing");
    migrate::run(&connection, &[one(), second]).unwrap();
    assert!(matches!(migrate::run(&connection, &[one()]), Err(Error::NewerSchema { found: 2, known: 1 })));
    let altered = Migration { text: "CREATE TABLE a (b TEXT)", ..one() };
    let two = Migration { name: "two", text: "CREATE TABLE c (d INTEGER)" };
    assert!(matches!(migrate::run(&connection, &[altered, two]), Err(Error::Engine(words)) if words.contains("one")));
}

#[test]
fn gdpr_17_a_log_is_emptied_in_time_after_an_erasure_and_when_it_is_quiet() {
    let asked = |shared: &Shared| shared.take_truncate();
    let shared = Arc::new(Shared::new(None));
    let mut watch = Watch::new(Arc::clone(&shared));
    let mut look = |ticks: u32, busy: bool| {
        for _ in 0..ticks {
            shared.commits.fetch_add(u64::from(busy), Ordering::Relaxed);
            watch.look();
        }
    };
    look(EMPTY_AFTER_TICKS * 3, true);
    assert!(!asked(&shared), "nothing was erased, and it is busy");
    shared.erased.store(true, Ordering::Relaxed);
    look(EMPTY_AFTER_TICKS - 1, true);
    assert!(!asked(&shared));
    look(1, true);
    assert!(asked(&shared), "erased a while ago");
    look(EMPTY_AFTER_TICKS, true);
    assert!(asked(&shared), "it did not come to it; asked again");
    shared.erased.store(false, Ordering::Relaxed);
    look(EMPTY_AFTER_TICKS + 1, false);
    assert!(asked(&shared), "quiet, and not yet emptied");
    shared.emptied.store(shared.commits.load(Ordering::Relaxed), Ordering::Relaxed);
    look(EMPTY_AFTER_TICKS * 3, false);
    assert!(!asked(&shared), "quiet and empty");
}

#[tokio::test]
async fn art28_3_a_marketing_is_counted_over_the_version_that_was_decided_on_and_no_other() {
    let dir = tempdir().unwrap();
    let engine = open(&dir.path().join("data"));
    let counted = |id: i64, version| {
        let (times, ends) = (vec![u8::try_from(id).unwrap(); 16], at(1_000));
        let mut rows = accepting(id, 1, b"news");
        rows.mailed = vec![MailedRow { controller: SHOP, tag: tag(1), version, times, ends }];
        rows
    };
    for (id, version, outcome) in [
        (1, 1, AcceptOutcome::Done),
        (2, 1, AcceptOutcome::Mailed),
        (3, 3, AcceptOutcome::Mailed),
        (4, 2, AcceptOutcome::Done),
    ] {
        assert_eq!(engine.accept(counted(id, version)).await.unwrap(), outcome, "{id}");
        assert_eq!(engine.message(SHOP, id).await.unwrap().is_some(), outcome == AcceptOutcome::Done, "{id}");
    }
    let person = engine.persons(vec![question(SHOP, 1)]).await.unwrap().remove(0);
    assert_eq!(person.mailed, Some((2, vec![4; 16])));
    engine.close().await;
}
