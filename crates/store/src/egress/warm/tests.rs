//! Parts of a day's cap: never more than there is, whoever asks, and kept over a restart; on both engines.

use super::*;
use crate::cluster::{ClockSource, Roles};
use crate::egress::EgressWork;
use crate::open::{Options, PostgresSettings};
use crate::spool::BodyPlacement;
use std::path::Path;
use std::sync::Arc;
use testkit::ManualClock;
use testkit::postgres::TestDatabase;

const TODAY: i64 = 20_000;

fn day(day: i64, step: u32, cap: u32) -> WarmDay {
    WarmDay { address: "mx1".into(), provider: "google".into(), day, step, cap, used: day, ..WarmDay::default() }
}

async fn on_sqlite(dir: &Path) -> Arc<Store> {
    Store::open_sqlite(dir, Options::new(ManualClock::start(), dir)).await.unwrap()
}

async fn node(database: &TestDatabase, dir: &Path, keys: &Path, name: &str) -> Arc<Store> {
    let settings = PostgresSettings {
        url: database.url.clone(),
        keys_url: Some(database.keys_url.clone()),
        ca: None,
        name: name.to_owned(),
        roles: Roles::ALL,
        clock: ClockSource::Database,
        bodies: BodyPlacement::Rows,
    };
    let mut options = Options::new(Arc::new(testkit::SystemClock), dir);
    options.key_file = keys.join("master.key");
    Store::open_postgres(dir, settings, options).await.unwrap()
}

async fn plan(store: &Store) {
    store.order_egress(&super::super::samples::warm("mx1")).await.unwrap();
}

async fn stands(store: &Store) -> WarmDay {
    let (_, mut days) = store.warm_up().await.unwrap();
    assert_eq!(days.len(), 1, "{days:?}");
    days.remove(0)
}

/// Both ask at once, in parts of three, for as long as there is anything; how much each has.
async fn all_is_taken(one: &Store, other: &Store, day: &WarmDay) -> [u32; 2] {
    let take = async |store: &Store| {
        let mut had = 0;
        for part in [3, 1] {
            while store.take_warm(day, part).await.unwrap() {
                had += part;
            }
        }
        had
    };
    let (one, other) = tokio::join!(take(one), take(other));
    [one, other]
}

async fn parts_are_taken_and_counted(one: &Store, other: &Store) {
    assert_eq!(one.warm_up().await.unwrap(), (Vec::new(), Vec::new()));
    plan(one).await;
    let first = day(TODAY, 0, 50);
    assert!(!one.take_warm(&first, 1).await.unwrap(), "the day has not begun");
    one.begin_warm_day(&first, None).await.unwrap();
    other.begin_warm_day(&day(TODAY, 9, 1_000), None).await.unwrap();
    assert_eq!(stands(other).await, first, "who comes second begins nothing");
    let had = all_is_taken(one, other, &first).await;
    assert_eq!(had[0] + had[1], 50, "{had:?}");
    assert_eq!(stands(one).await.granted, 50);
    one.return_warm(&first, 2).await.unwrap();
    assert!(!other.take_warm(&first, 3).await.unwrap() && other.take_warm(&first, 2).await.unwrap());
    let seen = |delivered, deferred, bounced| WarmDay { delivered, deferred, bounced, ..day(TODAY, 0, 50) };
    one.count_warm(&seen(40, 1, 0)).await.unwrap();
    other.count_warm(&seen(5, 2, 1)).await.unwrap();
    assert_eq!(stands(one).await, WarmDay { granted: 50, ..seen(45, 3, 1) });
}

async fn a_day_is_turned_over_once(one: &Store, other: &Store) {
    let (next, more) = (day(TODAY + 1, 1, 70), day(TODAY + 1, 2, 98));
    let (left, right) = tokio::join!(one.begin_warm_day(&next, Some(TODAY)), other.begin_warm_day(&more, Some(TODAY)),);
    left.unwrap();
    right.unwrap();
    let stood = stands(one).await;
    assert!((stood.step, stood.cap) == (1, 70) || (stood.step, stood.cap) == (2, 98), "{stood:?}");
    assert_eq!((stood.day, stood.granted, stood.delivered, stood.bounced), (TODAY + 1, 0, 0, 0));
    // What belongs to the day before changes nothing of this one.
    let past = WarmDay { delivered: 3, ..day(TODAY, 0, 50) };
    assert!(!one.take_warm(&past, 1).await.unwrap());
    other.return_warm(&past, 1).await.unwrap();
    one.count_warm(&past).await.unwrap();
    assert_eq!(stands(other).await, stood);
}

async fn orders_end_it(store: &Store) {
    let set = |provider: &str| EgressWork::Step { address: "mx1".into(), provider: provider.into(), step: 6, cap: 376 };
    store.order_egress(&set("google")).await.unwrap();
    let stood = stands(store).await;
    assert_eq!((stood.step, stood.cap, stood.day), (6, 376, TODAY + 1), "the day goes on");
    store.order_egress(&set("yahoo")).await.unwrap();
    let (plans, days) = store.warm_up().await.unwrap();
    assert_eq!((plans.len(), days.len(), days[1].step), (1, 2, 6), "also before anything was sent there");
    store.order_egress(&EgressWork::Warmed { address: "mx1".into() }).await.unwrap();
    assert_eq!(store.warm_up().await.unwrap(), (Vec::new(), Vec::new()));
    plan(store).await;
    assert!(store.warm_up().await.unwrap().1.is_empty(), "and nothing of it comes back");
}

#[tokio::test]
async fn w1_no_more_is_taken_than_a_day_has_and_a_restart_knows_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_sqlite(dir.path()).await;
    parts_are_taken_and_counted(&store, &store).await;
    let before = stands(&store).await;
    store.close().await;
    drop(store);
    let store = on_sqlite(dir.path()).await;
    assert_eq!(stands(&store).await, before);
    assert!(!store.take_warm(&before, 1).await.unwrap());
    a_day_is_turned_over_once(&store, &store).await;
    orders_end_it(&store).await;
    store.close().await;
}

#[tokio::test]
async fn w1_two_nodes_together_take_no_more_than_a_day_has_and_a_restart_knows_it() {
    let database = testkit::postgres::database().await;
    let (first, second, keys) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = node(&database, first.path(), keys.path(), "one").await;
    let other = node(&database, second.path(), keys.path(), "other").await;
    parts_are_taken_and_counted(&one, &other).await;
    let before = stands(&one).await;
    one.close().await;
    drop(one);
    let one = node(&database, first.path(), keys.path(), "one").await;
    assert_eq!(stands(&one).await, before);
    assert!(!one.take_warm(&before, 1).await.unwrap());
    a_day_is_turned_over_once(&one, &other).await;
    orders_end_it(&one).await;
    one.close().await;
    other.close().await;
}
