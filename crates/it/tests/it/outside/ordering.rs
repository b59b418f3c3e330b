//! `postern sites`: orders for sites beside a node that serves.

use super::harness::tools::{run_postern, word};
use super::harness::{Demo, Place, until};
use serde_json::Value;

/// The mailbox of the demo, as the site that everything goes to.
const SITE: &str = "127.0.0.1";

async fn listed(data: &str) -> Value {
    serde_json::from_str(&run_postern(&["sites", "list", "--json", "--data", data]).await.good()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_for_a_site_holds_while_the_node_serves_and_ends_when_it_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(Place::on_sqlite(folder.path())).await;
    let data = word(&demo.place.data).to_owned();
    let run = async |words: &[&str]| run_postern(&[&["sites"], words, &["--data", &data]].concat()).await;
    // Twin: nothing is ordered, and mail goes.
    let first = demo.send("ada@dest.example", "before").await;
    demo.message_in_state(&first, "delivered").await;
    assert_eq!(listed(&data).await["orders"].as_array().map(Vec::len), Some(0));

    let why = ["--why", "ticket 17", "--by", "anna"];
    let said = run(&[&["set", SITE], &why[..]].concat()).await.refusal();
    assert!(said.contains("name a limit"), "{said}");
    let said = run(&[&["set", "goggle", "--stop"], &why[..]].concat()).await.refusal();
    assert!(said.contains("docs/sites.md"), "{said}");
    let said = run(&[&["set", SITE, "--stop", "--for", "2h"], &why[..]].concat()).await.good();
    assert!(said.contains("ticket 17") && said.contains("anna") && said.contains("in 2 h"), "{said}");
    until("the node to follow", async || {
        demo.send("ada@dest.example", "meanwhile").await;
        let sites = listed(&data).await["sites"].clone();
        let one = sites.as_array().into_iter().flatten().find(|one| one["site"] == SITE).cloned();
        one.filter(|one| one["stopped"] == true)
    })
    .await;
    let stopped = demo.send("ada@dest.example", "stopped").await;
    assert_eq!(listed(&data).await["orders"][0]["holds"], true);
    assert_eq!(demo.message(&stopped).await["state"], "queued");

    assert!(run(&["clear", SITE]).await.good().contains("any more"));
    demo.message_in_state(&stopped, "delivered").await;
    assert!(run(&["clear", SITE]).await.refusal().contains("nothing is ordered"));
    assert!(demo.terminate().await.success());
}
