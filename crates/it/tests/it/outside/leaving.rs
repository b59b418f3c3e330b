//! `postern egress`: whose mail goes by which pool, ordered beside a node that serves.

use super::harness::tools::{run_postern, word};
use super::harness::{Demo, Place, until};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_is_assigned_to_a_pool_that_no_node_has_waits_with_its_reason_until_the_order_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(Place::on_sqlite(folder.path())).await;
    let data = word(&demo.place.data).to_owned();
    let run = async |words: &[&str]| run_postern(&[&["egress"], words, &["--data", &data]].concat()).await;
    // Twin: nothing is assigned, and mail goes.
    let first = demo.send("ada@dest.example", "before").await;
    demo.message_in_state(&first, "delivered").await;
    let listed: Value = serde_json::from_str(&run(&["list", "--json"]).await.good()).unwrap();
    assert_eq!(listed, serde_json::json!({"assigned": [], "addresses": [], "warm_up": []}));

    let why = ["--why", "an address of their own", "--by", "anna"];
    let queue: Value = serde_json::from_str(&run_postern(&["queue", "--json", "--data", &data]).await.good()).unwrap();
    assert_eq!(queue["groups"].as_array().map(Vec::len), Some(0));
    let said = run(&[&["assign", "Nobody", "own"], &why[..]].concat()).await.refusal();
    assert!(said.contains("there is no controller \"Nobody\""), "{said}");
    let said = run(&[&["assign", "Sample Shop/newsletter", "own"], &why[..]].concat()).await.refusal();
    assert!(said.contains("neither transactional nor marketing"), "{said}");
    let name = demo.message(&first).await;
    let shop = run_postern(&["messages", "show", &first, "--data", &data, "--json"]).await.good();
    let shown: Value = serde_json::from_str(&shop).unwrap();
    let shop = shown["controller"].as_str().unwrap_or_else(|| panic!("{name}")).to_owned();
    let said = run(&[&["assign", &shop, "own"], &why[..]].concat()).await.good();
    assert!(said.contains(&shop) && said.contains("own") && said.contains("anna"), "{said}");
    let reason = until("mail to wait for the pool", async || {
        demo.send("ada@dest.example", "meanwhile").await;
        let told = run_postern(&["queue", "--json", "--data", &data]).await.good();
        let told: Value = serde_json::from_str(&told).unwrap();
        let reason = told["groups"][0]["reason"].as_str().map(str::to_owned);
        reason.filter(|reason| reason.contains("pool"))
    })
    .await;
    assert!(reason.contains("it is assigned to an egress pool that this node does not have"), "{reason}");
    let waiting = demo.send("ada@dest.example", "waiting").await;
    assert_eq!(demo.message(&waiting).await["state"], "queued");

    assert!(run(&["unassign", &shop]).await.good().contains("any more"));
    demo.message_in_state(&waiting, "delivered").await;
    assert!(run(&["unassign", &shop]).await.refusal().contains("nothing is ordered"));
    assert!(demo.terminate().await.success());
}
