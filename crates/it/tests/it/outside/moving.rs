//! `postern store copy`: a node's store goes to PostgreSQL and back, killed on the way; its mail goes on.

use super::harness::binary::postern;
use super::harness::campaign::uncertain;
use super::harness::fleet::on_postgres;
use super::harness::sink::count;
use super::harness::tools::{run_postern, word};
use super::harness::wait::rises_to;
use super::harness::{Arrivals, Demo, Load, Place};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use testkit::FakeMx;
use testkit::mx::Stage;
use testkit::postgres::database;

/// Messages that are at their end when the store is moved.
const DELIVERED: u64 = 60;
/// All of them.
const ALL: u64 = 400;

/// Runs a copy and kills it (SIGKILL) when it says that it has come to this table.
async fn killed_at(table: &str, arguments: &[&str]) {
    let mut command = Command::new(postern());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begins = format!("copying {table}:");
    let killed = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("the copy can be started");
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let reached = lines.map(Result::unwrap).any(|line| line.starts_with(&begins));
        child.kill().unwrap();
        assert!(reached, "it never came to the table");
        child.wait().unwrap()
    });
    assert_eq!(killed.await.unwrap().code(), None, "the copy was over before it was killed");
}

/// The rows that were there when a copy went on, and all of them, as its first line says.
fn went_on(said: &str) -> (u64, u64) {
    let numbers: Vec<u64> = said.lines().next().unwrap().split(' ').filter_map(|word| word.parse().ok()).collect();
    let [done, rows] = numbers.as_slice() else { panic!("{said}") };
    (*done, *rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_moves_to_postgres_and_back_killed_on_the_way_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mx = FakeMx::start().await.unwrap();
    let mut demo = Demo::start(Place { sink: Some(mx.addr()), ..Place::on_sqlite(folder.path()) }).await;
    let early = Load::send(demo.address("trusted"), 0..DELIVERED, 10).await;
    rises_to("messages at the sink", DELIVERED, async || count(&mx).await).await;
    demo.message_in_state(&early.answered[&0], "delivered").await;
    // The rest waits, some of it under way, when the node dies.
    let hold = mx.hold(Stage::EndOfData);
    let late = Load::send(demo.address("trusted"), DELIVERED..ALL, 20).await;
    hold.reached(1).await;
    demo.kill9();
    hold.release();

    let databases = database().await;
    let from = format!("sqlite:{}", word(&demo.place.data));
    let there = ["store", "copy", "--from", &from, "--to", &databases.url, "--keys", &databases.keys_url];
    killed_at("body", &there).await;
    demo.place.further = on_postgres(&databases.url, &databases.keys_url);
    let said = demo.refused().await;
    assert!(said.contains("postern store copy"), "{said}");
    let copied = run_postern(&there).await;
    let (done, rows) = went_on(&copied.err);
    assert!(0 < done && done < rows, "{}", copied.err);
    let said = copied.good();
    assert!(said.contains("The two stores are the same.") && said.contains("master.key"), "{said}");

    demo.restart().await;
    let mut arrivals = Arrivals::default();
    rises_to("different messages at the sink", ALL, async || {
        arrivals.read(&mx, |_| true).await;
        u64::try_from(arrivals.by_number.len()).unwrap()
    })
    .await;
    for (id, _) in arrivals.doubles() {
        assert_eq!(uncertain(&demo.message_in_state(id, "delivered").await), 1, "{id} came twice and does not say so");
    }

    // Nobody copies what is in use.
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    let home = Place { sink: Some(mx.addr()), ..Place::on_sqlite(&home) };
    let to = format!("sqlite:{}", word(&home.data));
    let back = ["store", "copy", "--from", &databases.url, "--keys", &databases.keys_url, "--to", &to, "--quiet"];
    let said = run_postern(&back).await.refusal();
    assert!(said.contains("is alive"), "{said}");
    assert!(demo.terminate().await.success());
    let copied = run_postern(&back).await;
    assert_eq!((copied.code, copied.out.as_str(), copied.err.as_str()), (0, "", ""));

    for name in ["master.key", "sample.json"] {
        fs::copy(demo.place.data.join(name), home.data.join(name)).unwrap();
    }
    let mut demo = Demo::start(home).await;
    for books in [&early, &late] {
        let id = books.answered.values().next().unwrap();
        demo.message_in_state(id, "delivered").await;
    }
    demo.message_in_state(&demo.send("ada@dest.example", "at home again").await, "delivered").await;
    assert!(demo.terminate().await.success());
    let said = run_postern(&["ledger", "verify", "--data", word(&demo.place.data)]).await.good();
    assert!(said.lines().count() >= 2 && said.lines().all(|line| line.starts_with("ok ")), "{said}");
}
