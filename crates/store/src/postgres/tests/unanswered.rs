//! A COMMIT that took place and was not answered: the session ends while it waits for a standby that never comes. A
//! verb that runs again finds what it did; one that cannot find it says so.

use super::{PostgresEngine, card, open};
use crate::engine::{
    Change, ChunkRow, Engine as _, EntryRow, HeadMove, HeadRow, KeyRow, NodeCard, Sharing as _, SlotRef,
};
use crate::error::{Error, Result};
use model::Timestamp;
use std::time::Duration;
use testkit::postgres::{Cluster, Flushing, Major};
use testkit::wait::within;

const LONG: Duration = Duration::from_secs(600);

/// Does something whose COMMIT takes place and is not answered.
async fn unanswered<T>(cluster: &Cluster, verb: impl Future<Output = T>) -> T {
    cluster.set("synchronous_standby_names", "nobody").await;
    let interrupting = async {
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        within("a commit that waits for its standby", async {
            while cluster.ask("postgres", waiting).await != "1" {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        cluster.ask("postgres", end).await;
        cluster.set("synchronous_standby_names", "").await;
    };
    tokio::join!(verb, interrupting).0
}

fn controller(id: i64) -> Vec<(Change, Option<EntryRow>)> {
    vec![(Change::Controller { id, name: format!("controller {id}"), at: Timestamp::from_micros(0) }, None)]
}

async fn sequence(engine: &PostgresEngine, was: u64, size: u64) -> Result<bool> {
    let chunk = ChunkRow { controller: 7, first: was, entries: vec![1; 9], count: 1 };
    let step = HeadMove { was, head: HeadRow { controller: 7, size, frontier: vec![3; 32] } };
    engine.sequence(vec![chunk], vec![step], Vec::new()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_kept_without_an_answer_is_found_again() {
    let cluster = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).start().await;
    let database = cluster.pair().await;
    let engine = open(&database).await;

    let key = KeyRow { controller: 7, kind: 1, epoch: 1, sealed: vec![5; 60], created: Timestamp::from_micros(0) };
    unanswered(&cluster, engine.put_key(key.clone())).await.unwrap();
    let other = KeyRow { sealed: vec![6; 60], ..key };
    assert!(matches!(engine.put_key(other).await, Err(Error::Exists { what: "key" })));
    unanswered(&cluster, engine.put_block(1, 7, vec![5; 256 * 60])).await.unwrap();
    assert!(matches!(engine.put_block(1, 7, vec![6; 256 * 60]).await, Err(Error::Exists { .. })));
    unanswered(&cluster, engine.destroy_slot(SlotRef { block: 1, slot: 9 })).await.unwrap();
    assert_eq!(engine.slots(vec![SlotRef { block: 1, slot: 9 }]).await.unwrap(), [None]);

    let seat = unanswered(&cluster, engine.join(&card(1))).await.unwrap();
    let pulse = engine.beat(seat, LONG).await.unwrap().unwrap();
    assert_eq!((pulse.nodes.len(), seat.number), (1, 0), "one seat, that of the last run");
    let taken = unanswered(&cluster, engine.take(seat, &pulse.leases[..3], LONG)).await.unwrap();
    assert_eq!(taken.iter().map(|lease| lease.epoch).collect::<Vec<_>>(), [1; 3]);
    unanswered(&cluster, engine.leave(seat)).await.unwrap();
    let card = NodeCard { name: "another".to_owned(), ..card(2) };
    assert_eq!(engine.join(&card).await.unwrap().number, 0);

    // Heads have moved: it was itself, but cannot know.
    assert!(!unanswered(&cluster, sequence(&engine, 0, 1)).await.unwrap());
    assert_eq!(engine.heads().await.unwrap()[0].size, 1);
    assert!(sequence(&engine, 1, 2).await.unwrap());

    let changed = unanswered(&cluster, engine.change(controller(1))).await;
    assert!(matches!(changed, Err(Error::Unknown)), "{changed:?}");
    assert_eq!(engine.policy().await.unwrap().controllers.len(), 1);
    let entry = EntryRow { controller: 7, bytes: b"refusals".to_vec() };
    assert!(matches!(unanswered(&cluster, engine.append(vec![entry])).await, Err(Error::Unknown)));
    assert_eq!(engine.inbox(None, 10).await.unwrap().len(), 1);
}
