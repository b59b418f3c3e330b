//! The temporary clusters themselves: a fault that they only pretend would prove nothing in the tests that use them.

use std::time::{Duration, Instant};

use testkit::postgres::{
    Cluster, Disk, Flushing, Major, Pooler, Pooling, Replication, can_limit_disks, database, url_of,
};
use testkit::tls::TestCa;

/// The databases of a cluster but for its templates: in these tests a database stands for something committed.
async fn databases(cluster: &Cluster) -> String {
    cluster.ask("postgres", "TABLE pg_database").await
}

async fn what_was_committed_outlives_a_kill(major: Major) {
    let cluster = Cluster::start(major).await;
    let url = cluster.create_database("committed").await;
    assert!(url.ends_with("/committed"), "{url}");
    cluster.kill().await;
    assert!(cluster.try_to_ask("postgres", "SHOW port").await.is_err());
    cluster.start_again().await;
    assert!(databases(&cluster).await.contains("|committed|"));
    cluster.stop().await;
    cluster.start_again().await;
    cluster.set("log_min_messages", "info").await;
    let folder = cluster.folder().to_path_buf();
    assert!(cluster.log().contains("not properly shut down"), "{}", cluster.log());
    drop(cluster);
    assert!(!folder.exists());
}

async fn a_promoted_standby_has_what_was_committed(major: Major) {
    let primary = Cluster::builder(major).flushing(Flushing::Off).start().await;
    let standby = primary.standby("second", Replication::Synchronous).await;
    primary.create_database("committed").await;
    let read_only = standby.ask("postgres", "SHOW transaction_read_only").await;
    assert_eq!(read_only, "on");
    primary.kill().await;
    standby.promote().await;
    assert!(databases(&standby).await.contains("|committed|"));
    standby.create_database("afterwards").await;
    assert!(url_of(&[&primary, &standby], "committed").contains(&format!("127.0.0.1:{}", standby.port())));
}

#[tokio::test]
async fn what_was_committed_outlives_a_kill_15() {
    what_was_committed_outlives_a_kill(Major::Fifteen).await;
}

#[tokio::test]
async fn what_was_committed_outlives_a_kill_newer() {
    what_was_committed_outlives_a_kill(Major::Newer).await;
}

#[tokio::test]
async fn a_promoted_standby_has_what_was_committed_15() {
    a_promoted_standby_has_what_was_committed(Major::Fifteen).await;
}

#[tokio::test]
async fn a_promoted_standby_has_what_was_committed_newer() {
    a_promoted_standby_has_what_was_committed(Major::Newer).await;
}

#[tokio::test]
async fn a_halted_server_hangs_and_goes_on() {
    let cluster = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).start().await;
    cluster.halt();
    let url = cluster.url("postgres");
    let asked = tokio::time::timeout(Duration::from_millis(300), cluster.try_to_ask("postgres", "SHOW port"));
    assert!(asked.await.is_err(), "{url} answered");
    cluster.go_on();
    assert_eq!(cluster.ask("postgres", "SHOW port").await, cluster.port().to_string());
    cluster.halt();
    let folder = cluster.folder().to_path_buf();
    drop(cluster);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_full_disk_fails_statements_and_then_has_room_again() {
    if !can_limit_disks() {
        return;
    }
    fill_and_free(Disk::Tables(64)).await;
    fill_and_free(Disk::Whole(96)).await;
}

async fn fill_and_free(disk: Disk) {
    let cluster = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).disk(disk).start().await;
    // The first connection to a database writes a file that later ones read.
    databases(&cluster).await;
    cluster.fill_disk();
    let Err(refused) = cluster.try_to_ask("postgres", "CREATE DATABASE more").await else {
        panic!("a full disk had room");
    };
    assert!(refused.contains("No space left on device"), "{refused}");
    cluster.free_disk();
    cluster.create_database("more").await;
    let folder = cluster.folder().to_path_buf();
    drop(cluster);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_server_with_a_certificate_takes_tls() {
    let leaf = TestCa::new().leaf(&["127.0.0.1"]);
    let builder = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).tls(&leaf.chain_pem, &leaf.key_pem);
    let cluster = builder.start().await;
    assert_eq!(cluster.try_to_ask("postgres?sslmode=require", "SHOW ssl").await, Ok("on".to_owned()));
}

#[tokio::test]
async fn a_pooler_leads_to_its_cluster() {
    let cluster = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).start().await;
    let pooler = Pooler::start(&cluster, Pooling::Transaction).await;
    assert_ne!(pooler.url("postgres"), cluster.url("postgres"));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the speed of the tests' own ground is looked at")]
async fn databases_come_in_pairs_and_quickly() {
    let first = database().await;
    let started = Instant::now();
    let second = database().await;
    let took = started.elapsed();
    println!("a pair of databases took {took:?}");
    assert_ne!(first.url, second.url);
    assert_ne!(second.url, second.keys_url);
    assert!(took < Duration::from_secs(5), "{took:?}");
}
