//! A database that hangs, dies, or has no room for a while: clients wait or are put off, and nothing is lost.

use super::harness::campaign::uncertain;
use super::harness::demo::message;
use super::harness::fleet::{Apart, greets_as, on_postgres};
use super::harness::load::Books;
use super::harness::relay::Relay;
use super::harness::scene::Scene;
use super::harness::traffic::{Clients, Traffic};
use super::harness::wait::{passed, rises_to};
use super::harness::{Arrivals, Demo, Load, Place, audit, sink, until};
use model::Clock as _;
use std::path::Path;
use std::time::Duration;
use testkit::postgres::{Cluster, Disk, Flushing, Major, TestDatabase};
use testkit::{FakeMx, SystemClock};

/// Longer than a node may act on what it holds, and than the others would take it for alive.
const HANGS_FOR: Duration = Duration::from_secs(8);
/// How long after its last heartbeat a node may send, and a moment for what was on its way to the sink.
const OWN_LIFE: Duration = Duration::from_millis(3_500 + 1_000);
/// Long enough that every connection was refused several times.
const IS_DEAD_FOR: Duration = Duration::from_secs(4);

async fn demo(folder: &Path, mx: &FakeMx, databases: &TestDatabase) -> Demo {
    let further = on_postgres(&databases.url, &databases.keys_url);
    Demo::start(Place { sink: Some(mx.addr()), further, ..Place::below(folder) }).await
}

/// Everything that was answered with 250 has arrived, and the node knows.
async fn all_arrived(demo: &Demo, mx: &FakeMx, books: &[&Books]) -> Arrivals {
    let ids = || books.iter().flat_map(|books| books.answered.values());
    let mut arrivals = Arrivals::default();
    rises_to("messages that were taken", ids().count() as u64, async || {
        arrivals.read(mx, |one| one.to.iter().all(|to| to.starts_with('r'))).await;
        ids().filter(|id| arrivals.by_id.contains_key(*id)).count() as u64
    })
    .await;
    for id in ids().step_by(20) {
        demo.message_in_state(id, "delivered").await;
    }
    arrivals
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_and_one_that_dies_and_comes_back_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mx = FakeMx::start().await.unwrap();
    let cluster = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).start().await;
    let databases = cluster.pair().await;
    let mut demo = demo(folder.path(), &mx, &databases).await;
    let load = Load::start(demo.address("trusted"), 0..4_000, 20);
    rises_to("answers", 400, async || load.answered()).await;

    let at = SystemClock.monotonic();
    cluster.halt();
    let asked = message("transactional", "waits@dest.example", "sent to a database that hangs");
    let (answer, ()) = tokio::join!(demo.post(&asked), async {
        passed(at, HANGS_FOR).await;
        cluster.go_on();
    });
    assert!(matches!(answer.status, 202 | 503), "{}", answer.text());
    let before = load.answered();
    rises_to("answers after it hung", before + 400, async || load.answered()).await;

    let at = SystemClock.monotonic();
    cluster.kill().await;
    let (answer, ()) = tokio::join!(demo.post(&asked), async {
        passed(at, IS_DEAD_FOR).await;
        cluster.start_again().await;
    });
    assert!(matches!(answer.status, 202 | 503), "{}", answer.text());
    let before = load.answered();
    rises_to("answers after it died", before + 400, async || load.answered()).await;
    load.stop();
    let books = load.finish().await;
    assert!(books.refused.is_empty() && books.unanswered.is_empty(), "{books:?}");
    for line in books.put_off.values() {
        assert!(line.starts_with("451 4."), "{line}");
    }

    let arrivals = all_arrived(&demo, &mx, &[&books]).await;
    for (id, times) in arrivals.doubles() {
        let message = demo.message(id).await;
        assert!(uncertain(&message) + 1 >= times, "{id} came {times} times, and its timeline is {message}");
    }
    assert!(demo.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_room_is_a_temporary_refusal_and_nothing_is_lost_or_half_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mx = FakeMx::start().await.unwrap();
    let cluster = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).disk(Disk::Tables(160)).start().await;
    let databases = cluster.pair().await;
    let mut demo = demo(folder.path(), &mx, &databases).await;
    let before = Load::send(demo.address("trusted"), 0..50, 10).await;
    assert_eq!(before.answered.len(), 50, "with room everything is taken: {before:?}");

    cluster.fill_disk();
    let load = Load::start(demo.address("trusted"), 1_000..3_000, 10);
    until("the disk to be full for the database too", async || (load.put_off() >= 20).then_some(())).await;
    load.stop();
    let during = load.finish().await;
    for line in during.put_off.values() {
        assert!(line.starts_with("451 4.3.0") || line.starts_with("452 4.3.1"), "{line}");
    }
    assert!(during.refused.is_empty() && during.unanswered.is_empty(), "{during:?}");
    // A page here and there has room again while rows come and go: what is taken then must arrive like all else.
    let mut taken_by_http = 0;
    until("a refusal by HTTP", async || {
        let answer = demo.post(&message("transactional", "http@dest.example", "by HTTP")).await;
        match answer.status {
            202 => taken_by_http += 1,
            503 => return Some(()),
            _ => panic!("{}", answer.text()),
        }
        None
    })
    .await;

    cluster.free_disk();
    // Without a new start of anything.
    until("a message to be taken again", async || {
        let answer = demo.post(&message("transactional", "again@dest.example", "again")).await;
        match answer.status {
            202 => Some(()),
            503 => None,
            _ => panic!("{}", answer.text()),
        }
    })
    .await;
    let after = Load::send(demo.address("trusted"), 10_000..10_050, 10).await;
    assert_eq!(after.answered.len(), 50, "{after:?}");

    let arrivals = all_arrived(&demo, &mx, &[&before, &during, &after]).await;
    assert!(during.put_off.keys().all(|number| !arrivals.by_number.contains_key(number)), "{during:?}");
    assert!(arrivals.doubles().is_empty(), "{:?}", arrivals.doubles());
    let to = |address: &str| mx.received().iter().filter(|one| one.to == [address]).count();
    rises_to("messages taken by HTTP", taken_by_http, async || to("http@dest.example") as u64).await;
    assert!(demo.terminate().await.success());
    assert_eq!((to("http@dest.example") as u64, to("again@dest.example")), (taken_by_http, 1));
    assert!(sink::count(&mx).await > 100);
}

/// Clients still reach it, and so does everybody to whom it sends; only its database is out of reach. It knows by
/// itself when to stop, and what it sent to the database before comes through when nobody expects it any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_database_is_out_of_reach_stops_by_itself_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let databases = testkit::postgres::database().await;
    let port = port_of(&databases.url);
    let relay = Relay::to(port).await;
    let way = |url: &str| url.replacen(&format!(":{port}/"), &format!(":{}/", relay.port()), 1);
    let cut_off = Apart { within: Vec::new(), store: Some((way(&databases.url), way(&databases.keys_url))) };
    let apart = [cut_off, Apart::default(), Apart::default()];
    let mut scene = Scene::start(folder.path(), &databases.url, &databases.keys_url, apart).await;
    let clients = Clients { smtp: 3, http: 1 };
    let traffic = Traffic::start(&scene.fleet.doors(), &scene.fleet.accounts, 0..6_000, clients);
    rises_to("answers", 600, async || traffic.answered()).await;

    let (at, sites) = scene.sites_of(0).await;
    relay.halt();
    let taken_over = scene.taken_over(0, at, &sites).await;
    passed(at, HANGS_FOR).await;
    let (until_then, back) = (at + OWN_LIFE, SystemClock.monotonic());
    relay.go_on();
    scene.tally.read(&scene.mx).await;
    let mut sent = scene.tally.arrivals.iter().filter(|one| one.node == greets_as(0) && one.at < back);
    assert!(sent.all(|one| one.at <= until_then), "a node sent mail without knowing whether it was its to send");
    assert!(taken_over.0 <= 10_000, "{taken_over:?}");

    // It takes part again.
    let node = greets_as(0);
    until("the node to serve sites again", async || {
        scene.tally.read(&scene.mx).await;
        scene.tally.arrivals.iter().any(|one| one.node == node && one.at > back).then_some(())
    })
    .await;
    rises_to("answers", 6_000, async || traffic.answered()).await;
    let fates = traffic.finish().await;
    scene.wait_for_all(&fates).await;
    scene.nothing_is_invented(&fates);
    let timelines = audit::timelines(&scene.fleet, &fates, &scene.tally).await;
    scene.fleet.terminate().await;
    audit::ledgers(&scene.fleet, &fates, 0, &timelines).await;
}

fn port_of(url: &str) -> u16 {
    let (_, address) = url.rsplit_once(':').expect("an address has a port");
    let (port, _) = address.split_once('/').expect("an address has a database");
    port.parse().unwrap()
}
