//! Two nodes that meet: every conditional write, with another transaction open that it has to do with.
//!
//! SQLite does one thing after the other and cannot show these. A test brakes one transaction by a lock that it holds
//! by hand, lets the other run until it waits, and lets go. Nothing here counts on time.

mod accepting;
mod batches;
mod delivering;
mod ending;
mod leaving;
mod wishes;

use super::{EngineSettings, PostgresEngine};
use crate::conformance::rows::{DAY, SHOP, acceptance, at, message};
use crate::engine::*;
use crate::error::Result;
use std::sync::Arc;
use std::time::Duration;
use testkit::postgres::TestDatabase;
use testkit::wait::{breathe, within};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// So long nobody dies here.
const LONG: Duration = Duration::from_secs(600);
/// The partition of the story's rows.
const PART: u16 = 0;

/// A session of ours beside those of the engines.
struct Hand(Client);

impl Hand {
    async fn on(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    /// Runs statements; the first column of the last row, as text.
    async fn say(&self, text: &str) -> Option<String> {
        let said = self.0.simple_query(text).await.unwrap();
        said.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
    }

    /// The same, a number.
    async fn count(&self, text: &str) -> i64 {
        self.say(text).await.unwrap().parse().unwrap()
    }
}

/// Two nodes on one database, and our own sessions.
struct Two {
    one: Arc<PostgresEngine>,
    two: Arc<PostgresEngine>,
    seats: [Seat; 2],
    /// For what is held.
    brake: Hand,
    /// For what is looked at.
    eye: Hand,
    /// Dropped last.
    _database: TestDatabase,
}

impl Two {
    async fn new() -> Self {
        let database = testkit::postgres::database().await;
        let open = async |n: u8| {
            let (url, keys_url) = (database.url.clone(), Some(database.keys_url.clone()));
            let engine = PostgresEngine::open(EngineSettings { url, keys_url, ca: None }).await.unwrap();
            let card = NodeCard { identity: [n; 16], name: format!("node {n}"), roles: 15, release: "0".to_owned() };
            let seat = engine.join(&card).await.unwrap();
            (Arc::new(engine), seat)
        };
        let ((one, first), (two, second)) = (open(1).await, open(2).await);
        let (brake, eye) = (Hand::on(&database.url).await, Hand::on(&database.url).await);
        // A row for the allowance, by which acceptances are braked.
        eye.say(&format!("INSERT INTO quota (controller, day, used) VALUES ({SHOP}, {DAY}, 0)")).await;
        Self { one, two, seats: [first, second], brake, eye, _database: database }
    }

    /// Acceptances wait here after they wrote their rows, until [`Self::let_go`].
    async fn hold_acceptances(&self) {
        let row = format!("SELECT used FROM quota WHERE controller = {SHOP} AND day = {DAY} FOR UPDATE");
        self.brake.say(&format!("BEGIN; {row}")).await;
    }

    async fn let_go(&self) {
        self.brake.say("COMMIT").await;
    }

    /// Waits until so many transactions wait for others.
    async fn until_waiting(&self, transactions: i64) {
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
            AND datname = current_database()";
        within("transactions that wait", async {
            while self.eye.count(waiting).await < transactions {
                breathe().await;
            }
        })
        .await;
    }

    async fn rows(&self, table: &str) -> i64 {
        self.eye.count(&format!("SELECT COUNT(*) FROM {table}")).await
    }

    /// The first node holds the partition.
    async fn take(&self, engine: &PostgresEngine, seat: Seat) -> PartLease {
        let pulse = engine.look(LONG).await.unwrap();
        let wanted = |lease: &&LeaseRow| lease.kind == LeaseKind::Queue && lease.part == PART;
        let seen: Vec<LeaseRow> = pulse.leases.iter().filter(wanted).copied().collect();
        let had = engine.take(seat, &seen, LONG).await.unwrap();
        PartLease { part: PART, epoch: had[0].epoch }
    }

    /// What the ledger is told, in order.
    async fn said(&self) -> Vec<String> {
        let inbox = self.one.inbox(None, 1_000).await.unwrap();
        inbox.into_iter().map(|(_, row)| String::from_utf8(row.bytes).unwrap()).collect()
    }
}

/// An acceptance of one message for person `n`, with a large allowance.
fn taking(id: i64, n: u8) -> AcceptRows {
    AcceptRows { quota_max: 1_000, ..acceptance(vec![message(id, n, id)]) }
}

fn accepting(engine: &Arc<PostgresEngine>, rows: AcceptRows) -> JoinHandle<Result<AcceptOutcome>> {
    let engine = Arc::clone(engine);
    tokio::spawn(async move { engine.accept(rows).await })
}

fn settling(engine: &Arc<PostgresEngine>, rows: Vec<SettleRow>) -> JoinHandle<Result<Vec<i64>>> {
    let engine = Arc::clone(engine);
    tokio::spawn(async move { engine.settle(rows).await })
}

fn changing(engine: &Arc<PostgresEngine>, change: Change) -> JoinHandle<Result<Vec<usize>>> {
    let engine = Arc::clone(engine);
    tokio::spawn(async move { engine.change(vec![(change, None)]).await })
}

fn starting(id: i64, attempt: u32, lease: PartLease) -> StartRow {
    StartRow { id, attempt, at: at(10), lease }
}
