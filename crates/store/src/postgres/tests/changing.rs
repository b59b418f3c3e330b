//! Changes of accounts and of the ledger by several nodes at once.

use super::{PostgresEngine, ask, open};
use crate::engine::{Change, Changed, ChunkRow, Engine as _, EntryRow, HeadMove, HeadRow};
use crate::error::Error;
use model::Timestamp;
use parking_lot::Mutex;
use std::sync::Arc;
use testkit::postgres::database;
use testkit::wait::within;

fn controller(id: i64) -> Vec<(Change, Option<EntryRow>)> {
    let change = Change::Controller { id, name: format!("controller {id}"), at: Timestamp::from_micros(0) };
    vec![(change, Some(EntryRow { controller: id, bytes: b"made".to_vec() }))]
}

fn restriction(controller: i64, kind: &'static str) -> Vec<(Change, Option<EntryRow>)> {
    vec![(Change::Restrict { controller, tag: [1; 16], kind, at: Timestamp::from_micros(0) }, None)]
}

/// What an engine told: the version of the accounts, and whose they were.
type Said = Arc<Mutex<Vec<(Option<i64>, Vec<i64>)>>>;

fn listen(engine: &PostgresEngine) -> Said {
    let said = Said::default();
    let told = Arc::clone(&said);
    engine.on_change(Arc::new(move |changed: Changed| {
        told.lock().push((changed.policy.map(|policy| policy.version), changed.controllers));
    }));
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_two_nodes_are_counted_and_told_in_order() {
    let database = database().await;
    let engines = [Arc::new(open(&database).await), Arc::new(open(&database).await)];
    let said = engines.each_ref().map(|engine| listen(engine));
    let changing = (1..=16_i64).map(|id| {
        let engine = Arc::clone(&engines[usize::try_from(id).unwrap() % 2]);
        tokio::spawn(async move { engine.change(controller(id)).await.unwrap() })
    });
    for changed in changing.collect::<Vec<_>>() {
        assert_eq!(changed.await.unwrap(), [1]);
    }
    for said in &said {
        let versions: Vec<i64> = said.lock().iter().filter_map(|(version, _)| *version).collect();
        assert_eq!(versions.len(), 8);
        assert!(versions.is_sorted(), "{versions:?}");
    }
    let news = engines[0].news().await.unwrap();
    assert_eq!((news.accounts, news.erasures, news.generations.len()), (16, 0, 16));
    assert_eq!(engines[1].policy().await.unwrap().version, 16);
    assert_eq!(engines[1].inbox(None, 100).await.unwrap().len(), 16);

    // About a person: no picture, and an erasure is counted for itself.
    assert_eq!(engines[0].change(restriction(3, "erased")).await.unwrap(), [1]);
    assert_eq!(engines[1].change(restriction(3, "restricted")).await.unwrap(), [0]);
    let news = engines[1].news().await.unwrap();
    assert_eq!((news.accounts, news.erasures), (16, 1));
    assert!(news.generations.contains(&(3, 3)) && news.generations.contains(&(4, 1)));
    assert_eq!(said[0].lock().last(), Some(&(None, vec![3])));
}

#[tokio::test]
async fn a_change_is_told_also_when_nobody_waits_for_it() {
    let database = database().await;
    let engine = Arc::new(open(&database).await);
    let said = listen(&engine);
    let mut connection = engine.core.main.connection().await.unwrap();
    let holder = connection.transaction().await.unwrap();
    holder.batch_execute("UPDATE generation SET value = value WHERE controller = -1").await.unwrap();
    let asking = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.change(controller(1)).await }
    });
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
        AND datname = current_database()";
    within("a change that waits", async {
        while ask(&engine, waiting).await.as_deref() != Some("1") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    asking.abort();
    holder.rollback().await.unwrap();
    engine.close().await;
    assert_eq!(*said.lock(), [(Some(1), vec![1])]);
}

#[tokio::test]
async fn a_change_whose_commit_was_not_answered_is_said_to_be_unknown_and_is_not_made_twice() {
    let database = database().await;
    let engine = open(&database).await;
    // The session ends in the middle of the COMMIT: a deferred check does it.
    ask(
        &engine,
        "CREATE FUNCTION fall() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER fall AFTER INSERT ON stream DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION fall()",
    )
    .await;
    engine.change(controller(1)).await.unwrap();
    let stream = crate::engine::StreamRow {
        id: 9,
        controller: 1,
        name: "receipts".to_owned(),
        kind: "transactional".to_owned(),
        purpose: "orders".to_owned(),
        purposes: String::new(),
        terms: "{}".into(),
    };
    let changed = engine.change(vec![(Change::Stream(stream), None)]).await;
    assert!(matches!(changed, Err(Error::Unknown)), "{changed:?}");
    // It goes on.
    assert_eq!(engine.change(controller(2)).await.unwrap(), [1]);
    assert!(matches!(engine.change(controller(2)).await, Err(Error::Exists { what: "controller" })));
}

fn chunk(first: u64) -> ChunkRow {
    ChunkRow { controller: 7, first, entries: vec![1; 9], count: 1 }
}

fn step(was: u64, size: u64) -> HeadMove {
    HeadMove { was, head: HeadRow { controller: 7, size, frontier: vec![3; 32] } }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_sequencers_one_keeps_everything_and_the_other_nothing() {
    let database = database().await;
    let engines = [Arc::new(open(&database).await), Arc::new(open(&database).await)];
    for round in 0..8 {
        engines[0].append(vec![EntryRow { controller: 7, bytes: vec![u8::try_from(round).unwrap()] }]).await.unwrap();
        let drained: Vec<i64> = engines[1]
            .inbox(Some(vec![crate::cluster::ledger_part(7)]), 10)
            .await
            .unwrap()
            .iter()
            .map(|(id, _)| *id)
            .collect();
        assert_eq!(drained.len(), 1);
        let sequencing = engines.each_ref().map(|engine| {
            let (engine, drained) = (Arc::clone(engine), drained.clone());
            tokio::spawn(
                async move { engine.sequence(vec![chunk(round)], vec![step(round, round + 1)], drained).await },
            )
        });
        let mut won = 0;
        for sequenced in sequencing {
            won += u32::from(sequenced.await.unwrap().unwrap());
        }
        assert_eq!(won, 1);
    }
    assert_eq!(engines[0].heads().await.unwrap()[0].size, 8);
    assert_eq!(engines[0].chunks(7, 0, 100).await.unwrap().len(), 8);
    // An entry that is gone spoils the whole, and so does a head that was never there.
    assert!(!engines[0].sequence(vec![chunk(8)], vec![step(8, 9)], vec![1]).await.unwrap());
    let never = HeadMove { was: 3, head: HeadRow { controller: 8, size: 4, frontier: vec![3; 32] } };
    assert!(!engines[0].sequence(Vec::new(), vec![never], Vec::new()).await.unwrap());
    assert_eq!(engines[0].heads().await.unwrap().len(), 1);
    assert!(engines[0].inbox(Some(vec![crate::cluster::ledger_part(8)]), 10).await.unwrap().is_empty());
}
