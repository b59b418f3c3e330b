//! SIGTERM under load: what was taken is delivered or kept, once, and the next start goes on.

use super::harness::{Demo, Load, Place, until};
use std::collections::BTreeMap;

const MESSAGES: u64 = 600;
/// Taken before the node is asked to end; as many as the mailbox keeps at most are sent in all.
const ENOUGH: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_drains_and_the_next_start_continues() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(Place::below(folder.path())).await;
    let first_told = demo.told.clone();
    demo.send("ada@dest.example", "from before").await;
    demo.arrived("from before").await;

    let load = Load::start(demo.address("trusted"), 0..MESSAGES, 20);
    until("a load to be under way", async || (load.answered() >= ENOUGH).then_some(())).await;
    demo.ask_to_end();
    load.stop();
    let status = demo.ended().await;
    assert_eq!(status.code(), Some(0));
    let books = load.finish().await;
    assert!((books.answered.len() as u64) < MESSAGES, "the load was over before the end came");
    assert!(books.refused.is_empty(), "{:?}", books.refused);

    demo.restart().await;
    assert_eq!(demo.told, first_told, "ports, credentials and controller are those of the first start");
    until("every message that was answered with 250", async || {
        let subjects = subjects(&demo).await;
        books.answered.keys().all(|number| subjects.contains_key(&format!("Order {number}"))).then_some(())
    })
    .await;
    for id in books.answered.values() {
        demo.message_in_state(id, "delivered").await;
    }
    let subjects = subjects(&demo).await;
    assert_eq!(subjects.get("from before"), Some(&1), "the mailbox shows earlier mail");
    let doubles: Vec<_> = subjects.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubles.is_empty(), "after an end in good order nothing comes twice: {doubles:?}");
    demo.send("ada@dest.example", "from after").await;
    demo.arrived("from after").await;
    assert!(demo.terminate().await.success());
}

async fn subjects(demo: &Demo) -> BTreeMap<String, u64> {
    let mut subjects = BTreeMap::new();
    for line in demo.list().await {
        *subjects.entry(line["subject"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    subjects
}
