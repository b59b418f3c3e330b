//! `postern credential`: what it makes works at the doors of the node that starts next, and is refused when revoked.

use super::harness::demo::message;
use super::harness::tools::{run_postern, word};
use super::harness::{Demo, Place};
use serde_json::Value;
use testkit::http::Http;

#[tokio::test(flavor = "multi_thread")]
async fn art29_a_credential_made_by_command_serves_and_one_revoked_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(Place::on_sqlite(folder.path())).await;
    let (data, controller) = (word(&demo.place.data).to_owned(), demo.text("/controller").to_owned());
    let house = ["--data", &data, "--controller", &controller];
    let run = async |words: &[&str]| run_postern(&[&["credential"], words, &house].concat()).await;
    let said = run(&["list"]).await.refusal();
    assert!(said.contains("ask /v1/credentials"), "{said}");
    assert!(demo.terminate().await.success());

    let made =
        run(&["create", "--stream", "transactional", "--api", "--scopes", "credentials", "--note", "shop"]).await;
    let made: Value = serde_json::from_str(&made.good()).unwrap();
    assert!(made["smtp"].is_null(), "{made:#}");
    let (key, id) = (made["api_key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned());
    let listed = run(&["list"]).await.good();
    assert!(listed.contains(&id) && !listed.contains(&key), "a secret is shown once");
    let said = run(&["create", "--stream", "nothing"]).await.refusal();
    assert!(said.contains("no stream \"nothing\""), "{said}");
    let said = run(&["create", "--stream", "transactional", "--scopes", "everything"]).await.refusal();
    assert!(said.contains("--scopes is of smtp, api, people, authority, credentials"), "{said}");

    demo.restart().await;
    let http = Http::plain(demo.address("http"));
    let bearer = format!("Bearer {key}");
    let letter = message("transactional", "ada@dest.example", "made").to_string();
    let sent = http.post_json("/v1/messages", &[("Authorization", &bearer)], &letter).await.unwrap();
    assert_eq!(sent.status, 202, "{}", sent.text());
    assert!(demo.terminate().await.success());
    assert_eq!(run(&["revoke", &id]).await.good().trim(), "revoked");
    assert!(run(&["revoke", &id]).await.refusal().contains("no such credential"));
    demo.restart().await;
    let http = Http::plain(demo.address("http"));
    let sent = http.post_json("/v1/messages", &[("Authorization", &bearer)], &letter).await.unwrap();
    assert_eq!(sent.status, 401, "{}", sent.text());
    assert!(demo.terminate().await.success());
}
