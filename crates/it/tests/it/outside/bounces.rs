//! Bounces of a real Postfix, which takes a message and finds out later that it cannot deliver it.

use super::harness::postfix::Postfix;
use super::harness::{Demo, Place};
use serde_json::Value;
use std::net::SocketAddr;

#[tokio::test(flavor = "multi_thread")]
async fn rfc3464_what_postfix_bounces_later_is_in_the_timeline_and_suppresses_as_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::below(folder.path());
    // The demo's inbound listener, before it is there: Postfix tries again.
    let inbound = SocketAddr::from(([127, 0, 0, 1], place.base_port + 4));
    let of_postfix = tempfile::tempdir().unwrap();
    let postfix = Postfix::start(of_postfix.path(), inbound).await;
    let demo = Demo::start(Place { sink: Some(postfix.address), ..place }).await;
    assert_eq!(demo.address("inbound"), inbound);

    let gone = demo.send("nobody.here@dest.example", "to nobody").await;
    let message = demo.message_in_state(&gone, "bounced").await;
    let timeline = message["timeline"].as_array().unwrap();
    let words: Vec<&str> = timeline.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(words, ["accepted", "delivered", "bounced"]);
    assert_eq!(timeline[2]["enhanced"], "5.1.1");
    assert!(timeline[2]["transcript"].as_str().unwrap().contains("unknown user"), "{message}");
    assert_eq!(refused(&demo, "nobody.here@dest.example").await.as_deref(), Some("suppressed"));

    // Twins: a refusal by policy suppresses nobody, and what Postfix is not asked to bounce stays delivered.
    let policy = demo.send("policy@dest.example", "against policy").await;
    let message = demo.message_in_state(&policy, "bounced").await;
    assert_eq!(message["timeline"][2]["enhanced"], "5.7.1");
    assert_eq!(refused(&demo, "policy@dest.example").await, None);
}

/// The rule by which mail to somebody is refused, if it is.
async fn refused(demo: &Demo, to: &str) -> Option<String> {
    let answer = demo.post(&super::harness::demo::message("transactional", to, "again")).await;
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    answer["results"][0]["rule"].as_str().map(ToOwned::to_owned)
}
