//! A COMMIT that took place and was not answered: the session ends while it waits for a standby that never comes. A
//! verb that runs again finds what it did; one that cannot find it says so.

use super::{PostgresEngine, card, open};
use crate::conformance::rows::{DAY, SHOP, acceptance, at, ended, message};
use crate::engine::{
    AcceptOutcome, AcceptRows, Change, ChunkRow, Engine as _, EntryRow, HeadMove, HeadRow, IdempotencyRow, KeyRow,
    LeaseKind, NodeCard, PartLease, Scope, Sharing as _, SlotRef, StartRow,
};
use crate::error::{Error, Result};
use model::Timestamp;
use std::time::Duration;
use testkit::postgres::{Cluster, Flushing, Major};
use testkit::wait::{breathe, within};
use tokio_postgres::NoTls;

const LONG: Duration = Duration::from_secs(600);

const WAITING: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' \
    AND backend_type = 'client backend'";
const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' \
    AND backend_type = 'client backend'";

/// From when this returns, every COMMIT waits for a standby that never comes. A commit of ours goes ahead of the
/// others, again and again until the server's processes have heard of the setting.
async fn without_standby(cluster: &Cluster) {
    cluster.set("synchronous_standby_names", "nobody").await;
    let (client, connection) = tokio_postgres::connect(&cluster.url("postgres"), NoTls).await.unwrap();
    tokio::spawn(connection);
    let canary = tokio::spawn(async move {
        let write = "COMMENT ON SCHEMA public IS 'canary'";
        while client.batch_execute(write).await.is_ok() {}
    });
    within("a commit that waits", async {
        while cluster.ask("postgres", WAITING).await == "0" {
            breathe().await;
        }
        cluster.ask("postgres", END).await;
        canary.await.unwrap();
    })
    .await;
}

/// Does something whose COMMIT takes place and is not answered.
async fn unanswered<T>(cluster: &Cluster, verb: impl Future<Output = T>) -> T {
    without_standby(cluster).await;
    let interrupting = async {
        within("a commit that waits for its standby", async {
            while cluster.ask("postgres", WAITING).await == "0" {
                breathe().await;
            }
        })
        .await;
        cluster.ask("postgres", END).await;
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
    unanswered(&cluster, engine.destroy_slots(vec![SlotRef { block: 1, slot: 9 }])).await.unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_message_passes_without_an_answer_is_found_again() {
    let cluster = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).start().await;
    let database = cluster.pair().await;
    let engine = open(&database).await;
    let taking = |id: i64, quota_max| {
        let mut rows = AcceptRows { quota_max, ..acceptance(vec![message(id, 1, id)]) };
        let key = [u8::try_from(id).unwrap(); 16];
        rows.idempotency = Some(IdempotencyRow { credential: 4, key, request: [7; 32], answer: vec![1] });
        rows
    };
    // Alone, and several at once; from a small allowance, and from a large one.
    assert_eq!(unanswered(&cluster, engine.accept(taking(1, 100))).await.unwrap(), AcceptOutcome::Done);
    let several = async { tokio::join!(engine.accept(taking(2, 100)), engine.accept(taking(3, 100))) };
    let several = unanswered(&cluster, several).await;
    assert_eq!((several.0.unwrap(), several.1.unwrap()), (AcceptOutcome::Done, AcceptOutcome::Done));
    assert_eq!(engine.quota_used(SHOP, DAY).await.unwrap(), 3);
    for id in 4..=5 {
        let accepted = engine.accept(taking(id, 1_000_000)).await.unwrap();
        assert_eq!(accepted, AcceptOutcome::Done);
    }
    assert_eq!(unanswered(&cluster, engine.accept(taking(6, 1_000_000))).await.unwrap(), AcceptOutcome::Done);
    assert_eq!(engine.quota_used(SHOP, DAY).await.unwrap(), 6);
    assert_eq!(engine.inbox(None, 100).await.unwrap().len(), 6);

    let seat = engine.join(&card(1)).await.unwrap();
    let leases = engine.look(LONG).await.unwrap().leases;
    let part = leases.iter().find(|lease| lease.kind == LeaseKind::Queue && lease.part == 0).unwrap();
    let had = engine.take(seat, &[*part], LONG).await.unwrap();
    let lease = PartLease { part: 0, epoch: had[0].epoch };
    let start = StartRow { id: 1, attempt: 1, at: at(1), lease };
    assert!(unanswered(&cluster, engine.start(start)).await.unwrap().begun);
    unanswered(&cluster, engine.settle(vec![ended(1, 1, 1, "delivered")])).await.unwrap();
    assert_eq!(engine.inbox(None, 100).await.unwrap().len(), 7);
    let record = engine.message(SHOP, 1).await.unwrap().unwrap();
    assert_eq!((record.state.as_str(), record.attempts.len()), ("delivered", 1));
    let waiting: u64 = engine.backlog(Scope::default()).await.unwrap().iter().map(|lane| lane.count).sum();
    assert_eq!(waiting, 5);
}
