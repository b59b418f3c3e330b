//! Ledgers while their groups move between nodes: no gap, no fork, and each node can export them.

use super::house::{House, Node, address, shop, until};
use crate::journal::LogFolder;
use ledger::{Audit, Folder};
use model::ControllerId;
use model::person::{SuppressionReason, SuppressionScope};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

/// Entries of a controller's log as this node has exported it; it must verify.
fn exported(node: &Node, controller: ControllerId) -> u64 {
    let path = LogFolder::path(node.dir.path(), &node.store.public_id(controller));
    let key = LogFolder::key(&path).unwrap();
    ledger::folder::verify(&path, &Audit { log: &key, witnesses: &[], earlier: &[] }).unwrap();
    Folder::open(&path).unwrap().size()
}

async fn wishes(node: &Node, controller: ControllerId, from: usize, count: usize) {
    for number in from..from + count {
        let (whom, why) = (address(&format!("p{number}")), SuppressionReason::Objection);
        node.store.suppress(controller, &whom, SuppressionScope::All, why).await.unwrap();
    }
}

fn keeps(node: &Node, controller: ControllerId) -> bool {
    node.store.tenure().keeps_ledger(controller.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn c2sp_a_log_has_no_gap_while_its_sequencer_changes() {
    let house = House::new().await;
    let one = house.node("one").await;
    let controller = shop(&one).await;
    one.store.flush().await.unwrap();
    // Six of the shop: itself, agreement, stream, instruction, domain, credential.
    let mut size = exported(&one, controller);
    assert_eq!(size, 6);
    let two = house.node("two").await;
    let mut nodes = vec![one, two];
    let mut number = 0;
    for round in 0..4 {
        until("one of them keeps it", SOON, async || nodes.iter().any(|node| keeps(node, controller))).await;
        for node in &nodes {
            wishes(node, controller, number, 10).await;
            number += 10;
        }
        size += 20;
        // Both sequence at once, as housekeeping does, until nothing waits any more.
        until("all is sequenced", SOON, async || {
            let (first, second) = tokio::join!(nodes[0].store.sequence(), nodes[1].store.sequence());
            let rest = nodes[0].store.engine.inbox(None, 100).await.unwrap();
            first.unwrap() + second.unwrap() == 0 && rest.iter().all(|(_, row)| row.controller != controller.0)
        })
        .await;
        // Whoever came lately may be getting his share just now.
        until("one of them keeps it", SOON, async || nodes.iter().any(|node| keeps(node, controller))).await;
        let keeper = nodes.iter().position(|node| keeps(node, controller)).unwrap();
        nodes[keeper].store.export_logs().await.unwrap();
        assert_eq!(exported(&nodes[keeper], controller), size, "round {round}");
        // The other one can make it from the store, though it does not keep it.
        let other = &nodes[1 - keeper];
        other.store.export_logs().await.unwrap();
        assert_eq!(other.store.rebuild_log(controller).await.unwrap(), size);
        assert_eq!(exported(other, controller), size);
        // The keeper goes, the other one takes over; a new one comes.
        let gone = nodes.remove(keeper);
        gone.store.close().await;
        until("taken over", SOON, async || keeps(&nodes[0], controller)).await;
        let folder = gone.dir;
        nodes.push(house.node_in(folder, "again").await);
    }
    for node in nodes {
        node.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_both_believe_to_keep_a_log_make_no_fork() {
    let house = House::new().await;
    let (one, two) = (house.node("one").await, house.node("two").await);
    let controller = shop(&one).await;
    until("one of them keeps it", SOON, async || keeps(&one, controller) || keeps(&two, controller)).await;
    let (keeper, other) = if keeps(&one, controller) { (one, two) } else { (two, one) };
    while keeper.store.sequence().await.unwrap() > 0 {}
    for round in 0..6 {
        // As a node that was stopped: it has read the inbox and goes on when another has sequenced already.
        let heads = keeper.store.engine.heads().await.unwrap();
        wishes(&keeper, controller, round * 10, 5).await;
        while keeper.store.sequence().await.unwrap() > 0 {}
        let now = keeper.store.engine.heads().await.unwrap();
        let head = |heads: &[crate::engine::HeadRow]| {
            heads.iter().find(|head| head.controller == controller.0).map_or(0, |head| head.size)
        };
        assert_eq!(head(&now), head(&heads) + 5);
        let moved = crate::engine::HeadRow { controller: controller.0, size: head(&heads) + 5, frontier: Vec::new() };
        let stale = vec![crate::engine::HeadMove { was: head(&heads), head: moved }];
        assert!(!other.store.engine.sequence(Vec::new(), stale, Vec::new()).await.unwrap());
    }
    keeper.store.export_logs().await.unwrap();
    assert_eq!(exported(&keeper, controller), 6 + 30);
    keeper.store.close().await;
    other.store.close().await;
}
