//! Databases on which no node starts, and the one sentence that says what to do.

use super::harness::fleet::on_postgres;
use super::harness::tools::{run_postern, word};
use super::harness::{Demo, Place, until};
use std::fs;
use std::path::Path;
use testkit::postgres::{Cluster, Flushing, Major, Pooler, Pooling, Replication, TestDatabase, database};

/// What a node says that does not start: one line.
async fn refusal(folder: &Path, url: &str, keys_url: &str) -> String {
    let port = testkit::base_port().to_string();
    let data = folder.join(format!("refused-{port}"));
    let (store, json) = (on_postgres(url, keys_url), data.join("file.json"));
    let mut words = vec!["serve", "--quiet", "--data", word(&data), "--base-port", &port, "--json", word(&json)];
    words.extend(store.iter().map(String::as_str));
    let said = run_postern(&words).await.refusal();
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(!json.exists());
    said
}

fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

/// The name of the main database.
fn name(url: &str) -> &str {
    let (_, name) = url.split('?').next().and_then(|url| url.rsplit_once('/')).expect("an address has a database");
    name
}

/// Makes a pair of databases one of ours: a node has been there.
async fn used(folder: &Path, databases: &TestDatabase) -> Demo {
    let folder = folder.join(name(&databases.url));
    fs::create_dir(&folder).unwrap();
    let further = on_postgres(&databases.url, &databases.keys_url);
    let mut demo = Demo::start(Place { further, ..Place::below(&folder) }).await;
    assert!(demo.terminate().await.success());
    demo
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_that_do_not_belong_to_this_node_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other, new) = (database().await, database().await, database().await);
    used(folder.path(), &one).await;
    used(folder.path(), &other).await;

    let said = refusal(folder.path(), &one.url, &other.keys_url).await;
    says(&said, &["two different installations", name(&one.url), name(&other.keys_url), "name the two"]);
    let said = refusal(folder.path(), &one.keys_url, &one.url).await;
    says(&said, &["holds something else", "mixed up"]);
    let said = refusal(folder.path(), &one.url, &one.url).await;
    says(&said, &[name(&one.url), "the keys need one of their own"]);
    let said = refusal(folder.path(), &one.url, &new.keys_url).await;
    says(&said, &["sealed under keys that are not in", name(&new.keys_url), "restore it from your backup of keys"]);
    // The right pair, and a folder without the key over all keys.
    let said = refusal(folder.path(), &one.url, &one.keys_url).await;
    says(&said, &["master key", "missing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).start().await;
    let databases = cluster.pair().await;
    let mut demo = used(folder.path(), &databases).await;
    let newer = r"COPY migration FROM PROGRAM 'printf ''99\tmain_0099\t\\\\x00\n'''";
    cluster.ask(name(&databases.url), newer).await;
    let said = refusal(folder.path(), &databases.url, &databases.keys_url).await;
    says(&said, &["newer version", "schema 99", "upgrade this node"]);
    // Nor does the node that was there before.
    demo.place.base_port = testkit::base_port();
    let said = demo.refused().await;
    says(&said, &["newer version"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_rights_is_told_the_line_that_gives_them() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).start().await;
    let databases = cluster.pair().await;
    cluster.ask("postgres", "CREATE ROLE mail LOGIN").await;
    let as_mail = |url: &str| url.replace("postgres@", "mail@");
    let (url, keys_url) = (as_mail(&databases.url), as_mail(&databases.keys_url));
    // Each database once, and the line that stands in the sentence is what helps.
    for at in [&databases.url, &databases.keys_url] {
        let said = refusal(folder.path(), &url, &keys_url).await;
        says(&said, &["the role mail may not make tables in the database", name(at)]);
        let (_, line) = said.trim_end().rsplit_once("runs there: ").expect("a line that helps");
        cluster.ask(name(at), line).await;
    }
    let further = on_postgres(&url, &keys_url);
    let mut demo = Demo::start(Place { further, ..Place::below(folder.path()) }).await;
    assert!(demo.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_will_not_do_are_refused_and_those_that_promise_less_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).start().await;
    let databases = cluster.pair().await;
    let (main, keys) = (name(&databases.url), name(&databases.keys_url));

    let pooler = Pooler::start(&cluster, Pooling::Transaction).await;
    let said = refusal(folder.path(), &pooler.url(main), &pooler.url(keys)).await;
    says(&said, &["pooler in transaction mode", "name PostgreSQL itself", "pool_mode = session"]);

    let standby = cluster.standby("second", Replication::Asynchronous).await;
    let said = refusal(folder.path(), &standby.url(main), &standby.url(keys)).await;
    says(&said, &["is a standby and takes no writes", "name the primary"]);

    let nobody = format!("postgres://postgres@127.0.0.1:{}/mail", testkit::base_port());
    let said = refusal(folder.path(), &nobody, &nobody.replace("/mail", "/mail_keys")).await;
    says(&said, &["could not be reached", "127.0.0.1", "check the address"]);

    // A server that keeps less than it should is used, and the operator is told.
    let mut demo = used(folder.path(), &databases).await;
    says(&demo.place.said(), &["fsync = on", "the standby of PostgreSQL is asynchronous", "synchronous_standby_names"]);
    // The twin: behind a pooler that keeps sessions apart it starts.
    let pooler = Pooler::start(&cluster, Pooling::Session).await;
    demo.place.further = on_postgres(&pooler.url(main), &pooler.url(keys));
    demo.restart().await;
    assert!(demo.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_on_an_empty_database_all_start() {
    let folder = tempfile::tempdir().unwrap();
    let databases = database().await;
    let key = folder.path().join("master.key");
    // The first to come makes the key over all keys; the others are given the same.
    fs::write(&key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    let place = |name: &str| {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        let mut further = on_postgres(&databases.url, &databases.keys_url);
        further.extend(["--master-key".to_owned(), word(&key).to_owned()]);
        Place { command: "serve", further, ..Place::below(&folder) }
    };
    let (one, two, three) = (place("one"), place("two"), place("three"));
    let nodes = tokio::join!(Demo::start(one), Demo::start(two), Demo::start(three));
    let ready = async |node: &Demo| {
        let http = testkit::http::Http::plain(node.address("http"));
        until("a node to be ready", async || (http.get("/readyz", &[]).await.ok()?.status == 200).then_some(())).await;
    };
    tokio::join!(ready(&nodes.0), ready(&nodes.1), ready(&nodes.2));
    for mut node in <[Demo; 3]>::from(nodes) {
        assert!(node.terminate().await.success());
    }
}
