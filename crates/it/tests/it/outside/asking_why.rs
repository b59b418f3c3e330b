//! `postern why` beside a running node: a message, a refusal and a person, each explained in words.

use super::harness::demo::message;
use super::harness::tools::{run_postern, word};
use super::harness::{Demo, Place};
use serde_json::Value;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn why_says_what_a_message_rested_on_and_why_somebody_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(Place::below(folder.path())).await;
    let (url, key) = (demo.text("/http").to_owned(), folder.path().join("key"));
    fs::write(&key, format!("{}\n", demo.text("/api_key"))).unwrap();
    let why = async |what: &str| run_postern(&["why", what, "--url", &url, "--key-file", word(&key)]).await;
    let sent = async |to: &str, subject: &str| {
        let answer = demo.post(&message("newsletter", to, subject)).await;
        serde_json::from_slice::<Value>(&answer.body).unwrap()["results"][0].clone()
    };

    let consented = demo.text("/consented/0").to_owned();
    let taken = sent(&consented, "the news").await;
    demo.arrived("the news").await;
    let said = why(taken["id"].as_str().unwrap()).await.good();
    for part in
        [consented.as_str(), "basis: consent, given ", "before it was taken in: passed", "before attempt 1: passed"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }

    let suppressed = demo.text("/suppressed").to_owned();
    let refused = sent(&suppressed, "nobody's news").await;
    let said = why(refused["decision"].as_str().unwrap()).await.good();
    for part in [suppressed.as_str(), "it was not taken in", "suppressed (GDPR Art. 21(3)): ", "what to do: "] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let said = why(&suppressed).await.good();
    for part in ["newsletter for newsletter: refused", "refused lately:", refused["decision"].as_str().unwrap()] {
        assert!(said.contains(part), "{part} in {said}");
    }

    let said = why("msg_aaaaaaaaaaaaaaaaaaaaaaaaaa").await.refusal();
    assert!(said.contains("no message or decision of this controller"), "{said}");
    fs::write(&key, "another.key").unwrap();
    assert!(why(&suppressed).await.refusal().contains("does not know the key"), "no key, no answer");
}
