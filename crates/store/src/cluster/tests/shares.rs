//! Shares of the queue: fair, handed over, taken over, fenced; what was under way is not lost.

use super::house::{House, Node, outcome, shared, shop, until};
use crate::cluster::{Roles, queue_part};
use crate::spool::{OutcomeKind, Start, Started, Uncertain};
use crate::vault::base32;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(5);

/// Which of the two serves the one site, and the other one.
fn by_site(one: Node, two: Node) -> (Node, Node) {
    if one.holds_the_site() { (one, two) } else { (two, one) }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_share_fairly_and_who_goes_is_relieved_at_once() {
    let house = House::new().await;
    let one = house.node("one").await;
    assert_eq!(one.parts(), 256, "whoever is first has everything when it is open");
    let two = house.node("two").await;
    shared(&one, &two).await;
    assert!(!one.store.tenure().is_alone());
    let nodes = one.store.nodes().await.unwrap();
    let told: Vec<_> = nodes.iter().map(|node| (node.name.as_str(), node.alive, node.queue_parts.len())).collect();
    assert_eq!(told, [("one", true, 128), ("two", true, 128)]);
    assert!(nodes.iter().all(|node| node.roles == Roles::ALL && node.ledger_groups.len() == 32));
    assert_eq!(nodes.iter().map(|node| node.number).collect::<Vec<_>>(), [0, 1]);

    one.store.step_down().await.unwrap();
    assert_eq!(one.parts(), 0);
    until("the other one has all of the queue", 2 * SECOND, async || two.parts() == 256).await;
    one.store.close().await;
    until("and all ledgers", 2 * SECOND, async || {
        two.store.nodes().await.unwrap().iter().map(|node| node.ledger_groups.len()).collect::<Vec<_>>() == [64]
    })
    .await;
    // The same folder is the same node, with the same share.
    let one = house.node_in(one.dir, "one").await;
    shared(&one, &two).await;
    one.store.close().await;
    two.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_vanishes_is_replaced_and_what_it_had_begun_is_uncertain() {
    let house = House::new().await;
    let (one, two) = (house.node("one").await, house.node("two").await);
    shop(&one).await;
    shared(&one, &two).await;
    let (owner, other) = by_site(one, two);
    until("the accounts are known", SOON, async || other.store.authority_named("shop").is_some()).await;
    let (begun, waits) = (other.send(&["ada"]).await, other.send(&["bob"]).await);
    let rows = owner.rows().await;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [begun, waits]);
    assert!(other.rows().await.is_empty(), "who does not hold the site has none of its rows");
    // Told to the owner, who did not take it in.
    let arrived = owner.store.arrivals().await.unwrap();
    assert_eq!(arrived.iter().map(|lane| lane.count).sum::<u64>(), 2);
    assert!(other.store.arrivals().await.unwrap().is_empty());

    let (row, now) = (rows[0].clone(), owner.store.now());
    assert_eq!(other.store.start(Start::of(&row, now)).await.unwrap(), Started::Gone, "not its site");
    assert_eq!(owner.store.start(Start::of(&row, now)).await.unwrap(), Started::Yes);
    assert_eq!(other.store.recover().await.unwrap(), 0, "its node lives");

    owner.store.vanish().await;
    until("it stops by itself", SOON, async || !owner.holds_the_site()).await;
    assert_eq!(owner.store.start(Start::of(&rows[1], now)).await.unwrap(), Started::Gone);
    assert!(!other.holds_the_site(), "and is not replaced before");
    until("it is replaced", 10 * SECOND, async || other.parts() == 256).await;
    let gained = other.store.tenure().take_changes().gained;
    assert!(gained.contains(&queue_part("dest.example")));
    let backlog = other.store.backlog_of(&gained).await.unwrap();
    assert_eq!(backlog.iter().map(|lane| lane.count).sum::<u64>(), 2);
    assert_eq!(other.store.recover().await.unwrap(), 1);
    assert_eq!(other.store.recover().await.unwrap(), 0);
    let rows = other.rows().await;
    let told: Vec<_> = rows.iter().map(|row| (row.id, row.attempts, row.uncertain)).collect();
    assert!(told.contains(&(begun, 1, Uncertain::Yes)) && told.contains(&(waits, 0, Uncertain::No)), "{told:?}");
    let contents = other.store.open_content(&rows.iter().collect::<Vec<_>>()).await.unwrap();
    assert!(contents.iter().all(Option::is_some));

    // The dead one tells after all what became of it: a fact is a fact, and it stays marked.
    owner.store.settle(vec![outcome(row, now, OutcomeKind::Delivered)]).await.unwrap();
    assert_eq!(other.rows().await.iter().map(|row| row.id).collect::<Vec<_>>(), [waits]);
    let controller = other.authority().controller();
    let view = other.store.message(controller, begun).await.unwrap().unwrap();
    let last = view.timeline.last().unwrap();
    assert_eq!((view.state.as_str(), last.event.as_str(), last.uncertain), ("delivered", "delivered", Uncertain::Yes));
    other.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_are_fenced_by_the_lease_in_the_database() {
    let house = House::new().await;
    let (one, two) = (house.node("one").await, house.node("two").await);
    shop(&one).await;
    shared(&one, &two).await;
    let (owner, other) = by_site(one, two);
    until("the accounts are known", SOON, async || other.store.authority_named("shop").is_some()).await;
    owner.send(&["ada"]).await;
    let row = owner.rows().await.remove(0);
    // As if the owner had not yet noticed that its lease is another's.
    let lease = owner.store.tenure().lease(queue_part("dest.example")).unwrap();
    owner.store.step_down().await.unwrap();
    until("handed over", SOON, async || other.holds_the_site()).await;
    let stale = crate::engine::StartRow { id: row.id.0, attempt: 1, at: owner.store.now(), lease };
    assert!(!owner.store.engine.start(stale).await.unwrap().begun);
    assert_eq!(other.store.start(Start::of(&row, other.store.now())).await.unwrap(), Started::Yes);
    other.store.close().await;
    owner.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_loses_its_seat_knows_its_own_attempts_all_the_same() {
    let house = House::new().await;
    let one = house.node("one").await;
    shop(&one).await;
    one.send(&["ada"]).await;
    let row = one.rows().await.remove(0);
    assert_eq!(one.store.start(Start::of(&row, one.store.now())).await.unwrap(), Started::Yes);
    // Somebody copied its folder, started a node there, and killed it.
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(one.dir.path().join("node.id"), copy.path().join("node.id")).unwrap();
    let lease = one.store.tenure().lease(queue_part("dest.example"));
    let copy = house.node_in(copy, "copy").await;
    copy.store.vanish().await;
    until("a new seat is taken", SOON, async || {
        one.store.tenure().lease(queue_part("dest.example")).is_some_and(|now| Some(now) != lease)
    })
    .await;
    // For the database its incarnation is gone, and with it whoever began the attempt.
    assert_eq!(one.store.engine.started(crate::engine::Scope::default(), 9).await.unwrap().len(), 1);
    assert_eq!(one.store.recover().await.unwrap(), 0);
    let now = one.store.now();
    one.store.settle(vec![outcome(row.clone(), now, OutcomeKind::Deferred { due: now })]).await.unwrap();
    assert_eq!(one.rows().await[0].uncertain, Uncertain::No);
    one.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_two_nodes_never_meet() {
    let house = House::new().await;
    let (one, two) = (house.node("one").await, house.node("two").await);
    let ids = |node: &Node| (0..2_000).map(|_| node.store.new_message_id().0).collect::<Vec<_>>();
    let (of_one, of_two) = (ids(&one), ids(&two));
    assert!(of_one.is_sorted() && of_two.is_sorted());
    assert!(of_one.iter().all(|id| id & 1_023 == 0) && of_two.iter().all(|id| id & 1_023 == 1));
    // What a start finds is behind it, wherever its clock stands.
    let last = two.store.create_controller(&base32(b"far away")).await.unwrap();
    two.store.close().await;
    let three = house.node("three").await;
    assert!(three.store.new_message_id().0 > last.0);
    one.store.close().await;
    three.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_on_an_empty_database_agree() {
    let house = House::new().await;
    house.distribute_the_key();
    let (one, two, three) = tokio::join!(house.node("one"), house.node("two"), house.node("three"));
    let shown = |node: &Node| node.store.public_id(model::ControllerId::OPERATOR);
    assert_eq!(shown(&one), shown(&two));
    assert_eq!(shown(&one), shown(&three));
    for node in [one, two, three] {
        node.store.close().await;
    }
}
