//! Seats and leases: what two nodes want at once, one of them gets.

use super::{ask, card, open};
use crate::engine::{Engine as _, LeaseRow, Seat, Sharing as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use testkit::postgres::database;

/// So long nobody dies here.
const LONG: Duration = Duration::from_secs(600);
/// Everybody who is silent is dead.
const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_join_at_once_get_different_seats() {
    let database = database().await;
    let engine = Arc::new(open(&database).await);
    let joining = (0..12_u8).map(|n| {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { engine.join(&card(n)).await.unwrap() })
    });
    let mut seats = Vec::new();
    for joined in joining.collect::<Vec<_>>() {
        seats.push(joined.await.unwrap());
    }
    let numbers: BTreeSet<u16> = seats.iter().map(|seat| seat.number).collect();
    let incarnations: BTreeSet<i64> = seats.iter().map(|seat| seat.incarnation).collect();
    assert_eq!((numbers.len(), incarnations.len()), (12, 12));
    assert_eq!(numbers.last(), Some(&11), "the smallest that are free");
}

#[tokio::test]
async fn a_node_that_comes_back_has_its_seat_and_a_new_incarnation() {
    let database = database().await;
    let engine = open(&database).await;
    let (first, other) = (engine.join(&card(1)).await.unwrap(), engine.join(&card(2)).await.unwrap());
    let again = engine.join(&card(1)).await.unwrap();
    assert_eq!((again.number, other.number), (0, 1));
    assert!(first.incarnation < other.incarnation && other.incarnation < again.incarnation);
    assert!(engine.beat(first, LONG).await.unwrap().is_none(), "the seat is another's");
    let pulse = engine.beat(again, LONG).await.unwrap().unwrap();
    assert_eq!(
        pulse.nodes.iter().map(|node| (node.seat, node.alive)).collect::<Vec<_>>(),
        [(again, true), (other, true)]
    );
    assert_eq!((pulse.leases.len(), pulse.nodes[0].name.as_str()), (320, "node 1"));
    assert!(pulse.now >= pulse.nodes[1].seen);
    engine.set_roles(again, 3).await.unwrap();
    assert_eq!(engine.look(LONG).await.unwrap().nodes[0].roles, 3);
    engine.leave(again).await.unwrap();
    assert_eq!(engine.join(&card(3)).await.unwrap().number, 0, "a seat that was given up is free");
    // One that was silent for a day is forgotten, and may come back all the same.
    ask(&engine, "UPDATE node SET seen = seen - 90000000000 WHERE number = 1").await;
    assert_eq!(engine.join(&card(4)).await.unwrap().number, 1);
    assert!(engine.beat(other, LONG).await.unwrap().is_none());
    assert_eq!(engine.join(&card(2)).await.unwrap().number, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_two_nodes_want_is_one_nodes() {
    let database = database().await;
    let engines = [Arc::new(open(&database).await), Arc::new(open(&database).await)];
    let mut seats = Vec::new();
    for (n, engine) in (1..).zip(&engines) {
        seats.push(engine.join(&card(n)).await.unwrap());
    }
    let free = engines[0].look(LONG).await.unwrap().leases;
    // Both ask for all of them, in opposite orders, several times at once.
    let taking = (0..6).map(|n| {
        let (engine, seat) = (Arc::clone(&engines[n % 2]), seats[n % 2]);
        let mut wanted = free.clone();
        if n % 2 == 0 {
            wanted.reverse();
        }
        tokio::spawn(async move { engine.take(seat, &wanted, LONG).await.unwrap() })
    });
    let mut had: BTreeMap<_, BTreeSet<i64>> = BTreeMap::new();
    for taken in taking.collect::<Vec<_>>() {
        for lease in taken.await.unwrap() {
            assert_eq!(lease.epoch, 1);
            had.entry((lease.kind, lease.part)).or_default().extend(lease.owner);
        }
    }
    assert_eq!(had.len(), 320);
    assert!(had.values().all(|owners| owners.len() == 1));
}

fn owned(leases: &[LeaseRow], seat: Seat) -> Vec<LeaseRow> {
    leases.iter().copied().filter(|lease| lease.owner == Some(seat.incarnation)).collect()
}

#[tokio::test]
async fn a_lease_changes_hands_only_as_it_was_seen_and_from_the_dead() {
    let database = database().await;
    let engine = open(&database).await;
    let (one, two) = (engine.join(&card(1)).await.unwrap(), engine.join(&card(2)).await.unwrap());
    let free = engine.look(LONG).await.unwrap().leases;
    let mine = engine.take(one, &free[..4], LONG).await.unwrap();
    assert_eq!(mine.len(), 4);
    assert_eq!(engine.take(one, &free[..4], LONG).await.unwrap(), mine, "said twice, had once");

    assert!(engine.take(two, &free[..4], LONG).await.unwrap().is_empty(), "seen before it was taken");
    assert!(engine.take(two, &mine, LONG).await.unwrap().is_empty(), "its owner is alive");
    // Whoever has been silent for longer than a lease lives may be had, and says so no more.
    ask(&engine, "UPDATE node SET seen = seen - 10000000 WHERE number = 0").await;
    let taken = engine.take(two, &mine[..2], Duration::from_secs(5)).await.unwrap();
    assert_eq!(
        taken.iter().map(|lease| (lease.owner, lease.epoch)).collect::<Vec<_>>(),
        [(Some(two.incarnation), 2); 2]
    );
    engine.give(one, &mine).await.unwrap();
    let now = engine.look(LONG).await.unwrap().leases;
    assert_eq!((owned(&now, one).len(), owned(&now, two).len()), (0, 2), "only what was still its own was given back");

    // Nobody without a seat takes anything, also not what is free.
    engine.leave(two).await.unwrap();
    let free = engine.look(LONG).await.unwrap().leases;
    assert!(free.iter().all(|lease| lease.owner.is_none()));
    assert!(engine.take(two, &free, AT_ONCE).await.unwrap().is_empty());
    // A node that comes back takes what its earlier life held, at once.
    let held = engine.take(one, &free, LONG).await.unwrap();
    let again = engine.join(&card(1)).await.unwrap();
    assert_eq!(engine.take(again, &held, LONG).await.unwrap().len(), 320);
}

#[tokio::test]
async fn a_closed_engine_beats_no_more() {
    let database = database().await;
    let engine = open(&database).await;
    let seat = engine.join(&card(1)).await.unwrap();
    engine.close().await;
    assert!(matches!(engine.beat(seat, LONG).await, Err(crate::Error::Closed)));
}
