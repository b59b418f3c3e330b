//! `postern queue` and `postern messages` beside a running node, as an operator woken at night would use them.

use super::harness::tools::{run_postern, word};
use super::harness::{Demo, Place};
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;

const ADA: &str = "ada@dest.example";

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_why_it_waits_holds_releases_and_purges_it_and_reads_nobody_s_address() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there.
    let nowhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let place = Place { sink: Some(nowhere), ..Place::below(folder.path()) };
    let demo = Demo::start(place).await;
    let data = word(&demo.place.data).to_owned();
    let queue = async |words: &[&str]| {
        let mut all = vec!["queue"];
        all.extend(words);
        all.extend(["--data", data.as_str()]);
        run_postern(&all).await
    };
    let socket = fs::metadata(demo.place.data.join("operator.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    let id = demo.send(ADA, "nobody takes it").await;
    let shown = super::harness::until("a site that is left alone", async || {
        let said = queue(&[]).await.good();
        said.contains("the site is left alone for a while").then_some(said)
    })
    .await;
    assert!(shown.contains("1 waiting, 0 of them held") && !shown.contains(ADA), "{shown}");
    for by in ["site", "controller", "stream"] {
        assert!(queue(&["--by", by]).await.good().contains("1 waiting"), "{by}");
    }
    let said = queue(&["hold", "--stream", "transactional", "--reason", "a look at it first"]).await.good();
    assert!(said.starts_with("held, for 1 controller(s)"), "{said}");
    assert!(queue(&["retry", "--message", &id]).await.good().contains("due now"));
    let told: Value = serde_json::from_str(&queue(&["--json"]).await.good()).unwrap();
    assert_eq!(told["groups"][0]["reason"], "held by the operator: a look at it first");
    assert_eq!(told["orders"][0]["by"], "operator");
    assert!(queue(&["release", "--stream", "transactional"]).await.good().starts_with("released"));
    let said = queue(&["release", "--stream", "transactional"]).await.refusal();
    assert!(said.contains("holds nothing by these words"), "{said}");
    assert!(queue(&["purge", "--reason", "all of it?"]).await.refusal().contains("name a site"), "nothing by mistake");
    assert!(
        queue(&["purge", "--message", &id, "--reason", "sent by ada@dest.example"]).await.refusal().contains("why")
    );
    let said = queue(&["purge", "--message", &id, "--reason", "sent by mistake"]).await.good();
    assert!(said.starts_with("ended"), "{said}");
    let message = demo.message_in_state(&id, "stopped").await;
    assert_eq!(message["timeline"].as_array().unwrap().last().unwrap()["rule"], "purged");
    assert!(queue(&[]).await.good().starts_with("nothing waits\norders:\n  purge by the operator, "));

    let operator = run_postern(&["messages", "show", &id, "--data", &data]).await.good();
    assert!(operator.contains("stopped, attempt 1, by rule purged") && !operator.contains(ADA), "{operator}");
    let key = folder.path().join("key");
    fs::write(&key, demo.text("/api_key")).unwrap();
    let whom = ["--key-file", word(&key), "--url", demo.text("/http")];
    let trace = run_postern(&[&["messages", "trace", id.as_str()], &whom[..]].concat()).await.good();
    assert!(trace.contains(ADA) && trace.contains(": refused by purged (GDPR Art. 28(3)(a))"), "{trace}");
    let said = run_postern(&["messages", "trace", &id, "--data", &data]).await.refusal();
    assert!(said.contains("--key-file"), "{said}");
    let said = run_postern(&["messages", "show", "msg_aaaaaaaaaaaaaaaaaaaaaaaaaa", "--data", &data]).await.refusal();
    assert!(said.contains("is no message here"), "{said}");
    let elsewhere = word(folder.path());
    assert!(run_postern(&["queue", "--data", elsewhere]).await.refusal().contains("no node serves here"));
}
