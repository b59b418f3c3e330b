//! Loads of foreign make: Postfix's `smtp-source` into Postfix's `smtp-sink`, and into a sink that counts.

use super::harness::tools::run;
use super::harness::{Demo, Place, sink, until};
use testkit::FakeMx;

const MESSAGES: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn smtp_source_with_fifty_sessions_is_taken_and_delivered_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mx = FakeMx::start().await.unwrap();
    let demo = Demo::start(Place { sink: Some(mx.addr()), ..Place::below(folder.path()) }).await;
    let (count, trusted) = (MESSAGES.to_string(), demo.text("/trusted").to_owned());
    let send = async |from: &str| {
        let arguments = ["-s", "50", "-d", "-N", "-l", "2000", "-m", &count, "-f", from, "-t", "r@dest.example"];
        run("smtp-source", &[&arguments[..], &[trusted.as_str()]].concat()).await
    };
    send("shop@sample.example").await.good();
    until("everything at the sink", async || {
        mx.wait_until("a count", |received, _| Some(received.len() as u64 >= MESSAGES)).await.then_some(())
    })
    .await;
    let ids = mx
        .wait_until("the return paths", |received, _| {
            Some(received.iter().map(|one| one.from.clone()).collect::<std::collections::BTreeSet<_>>())
        })
        .await;
    assert_eq!(ids.len() as u64, MESSAGES, "each message once");
    assert_eq!(sink::count(&mx).await, MESSAGES);
    // smtp-source writes its own From: a domain that is not the sample's is refused, and nothing of it arrives.
    let refused = send("shop@other.example").await;
    assert_ne!(refused.code, 0, "{refused:?}");
    assert_eq!(sink::count(&mx).await, MESSAGES);
}
