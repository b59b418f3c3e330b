//! Partitions: made ahead, dropped whole, by several nodes at once.

use super::super::keep;
use super::{PostgresEngine, ask, open};
use crate::conformance::rows::{acceptance, at, ended, message};
use crate::engine::{Engine as _, MessageRow};
use model::Timestamp;
use std::sync::Arc;
use testkit::postgres::database;

const DAY_SECONDS: i64 = 86_400;

async fn now(engine: &PostgresEngine) -> Timestamp {
    let seconds = ask(engine, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)").await.unwrap();
    Timestamp::from_seconds(seconds.parse().unwrap())
}

fn before(now: Timestamp, days: i64) -> Timestamp {
    Timestamp::from_seconds(now.seconds() - days * DAY_SECONDS)
}

/// The id of a message that was made then.
fn id_of(at: Timestamp) -> i64 {
    at.micros() * 1_024
}

async fn partitions(engine: &PostgresEngine, table: &str) -> i64 {
    let text = format!("SELECT COUNT(*) FROM pg_inherits WHERE inhparent = '{table}'::regclass");
    ask(engine, &text).await.unwrap().parse().unwrap()
}

/// Where a message lies.
async fn place(engine: &PostgresEngine, id: i64) -> Option<String> {
    ask(engine, &format!("SELECT tableoid::regclass FROM message WHERE id = {id}")).await
}

async fn accept(engine: &PostgresEngine, id: i64) {
    let one = MessageRow { due: at(0), ..message(id, 1, id) };
    let mut rows = acceptance(vec![one]);
    rows.quota_max = 1_000;
    engine.accept(rows).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_ahead_by_whoever_comes_first() {
    let database = database().await;
    let (one, two) = (Arc::new(open(&database).await), Arc::new(open(&database).await));
    let today = now(&one).await;
    let soon = Timestamp::from_seconds(today.seconds() + 40 * DAY_SECONDS);
    for table in ["message", "body", "attempt", "idempotency"] {
        assert_eq!(partitions(&one, table).await, 6, "{table}: the rest, and five");
    }
    let keeping = [&one, &two, &one, &two].map(|engine| {
        let engine = Arc::clone(engine);
        tokio::spawn(async move { engine.keep(soon).await })
    });
    for kept in keeping {
        kept.await.unwrap().unwrap();
    }
    // What one of them did not get to do while the others did it, is done at the next call.
    one.keep(soon).await.unwrap();
    assert!(partitions(&one, "message").await > 6);
    assert!(place(&one, 7).await.is_none());
    accept(&one, id_of(soon)).await;
    assert!(place(&one, id_of(soon)).await.unwrap().starts_with("message_w"));
}

#[tokio::test]
async fn law_r38_old_mail_goes_with_its_partition_unless_it_waits() {
    let database = database().await;
    let engine = open(&database).await;
    let today = now(&engine).await;
    let [old, waiting, young] = [200, 150, 80].map(|days| id_of(before(today, days)));
    keep::make(&engine.core.main, before(today, 200), today).await.unwrap();
    for id in [old, waiting, young] {
        accept(&engine, id).await;
        assert!(place(&engine, id).await.unwrap().starts_with("message_w"));
    }
    for id in [old, young] {
        engine.settle(vec![ended(id, id, 1, "delivered")]).await.unwrap();
    }
    // By a clock that is years ahead nothing is dropped too early: the database's counts.
    let ahead = Timestamp::from_seconds(today.seconds() + 900 * DAY_SECONDS);
    engine.keep(ahead).await.unwrap();
    assert!(place(&engine, old).await.is_none());
    assert!(place(&engine, waiting).await.is_some() && place(&engine, young).await.is_some());
    assert_eq!(
        ask(&engine, &format!("SELECT COUNT(*) FROM attempt WHERE message = {old}")).await.as_deref(),
        Some("0")
    );
    assert_eq!(engine.message(7, young).await.unwrap().unwrap().attempts.len(), 1);

    engine.settle(vec![ended(waiting, waiting, 1, "delivered")]).await.unwrap();
    engine.keep(today).await.unwrap();
    assert!(place(&engine, waiting).await.is_none());
}

#[tokio::test]
async fn what_came_before_its_partition_moves_into_it() {
    let database = database().await;
    let engine = open(&database).await;
    let today = now(&engine).await;
    let id = id_of(before(today, 30));
    accept(&engine, id).await;
    assert_eq!(place(&engine, id).await.as_deref(), Some("message_rest"));
    engine.keep(today).await.unwrap();
    assert!(place(&engine, id).await.unwrap().starts_with("message_w"));
    assert_eq!(ask(&engine, "SELECT COUNT(*) FROM body_rest").await.as_deref(), Some("0"));
    assert!(engine.contents(vec![id]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_lock_that_is_not_had_is_waited_for_only_briefly() {
    let database = database().await;
    let engine = open(&database).await;
    let today = now(&engine).await;
    let mut connection = engine.core.main.connection().await.unwrap();
    let holder = connection.transaction().await.unwrap();
    holder.batch_execute("LOCK TABLE message_rest IN ACCESS SHARE MODE").await.unwrap();
    let soon = Timestamp::from_seconds(today.seconds() + 40 * DAY_SECONDS);
    engine.keep(soon).await.unwrap();
    assert_eq!(partitions(&engine, "message").await, 6, "not now");
    assert!(partitions(&engine, "body").await > 6);
    holder.rollback().await.unwrap();
    keep::make(&engine.core.main, soon, soon).await.unwrap();
    assert!(partitions(&engine, "message").await > 6);
}
