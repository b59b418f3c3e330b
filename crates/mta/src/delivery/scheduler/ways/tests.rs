//! Lanes that move between pools: no row is in hand twice, and none is lost.

use super::super::tests::{Load, at, key, picture, plan, row, rows, site};
use super::super::{Bounds, Leaving};
use super::*;
use crate::delivery::egress::EgressTexts;
use crate::delivery::egress::assigned::Assignment;
use model::ControllerId;

const PEER: [u8; 4] = [192, 0, 2, 1];

fn two_pools() -> Picture<Load> {
    let addresses = ["a 127.0.0.2", "b 127.0.0.3"].map(str::to_owned);
    let pools = ["default a", "own b"].map(str::to_owned);
    let (transactional, marketing, ehlo) = ("default", "default", "node.example");
    let texts = EgressTexts { addresses: &addresses, pools: &pools, transactional, marketing, ehlo };
    picture(Bounds::default()).with_egress(Arc::new(Egress::read(texts).unwrap()))
}

fn assigned(picture: &Picture<Load>, pool: &str) -> Assigned {
    let order = Assignment { controller: ControllerId(1), class: None, pool: pool.to_owned() };
    Assigned::new(&[order], &picture.ways.egress)
}

fn own(name: &str) -> Pooled {
    Pooled::new(&site(name).name, PoolId(1))
}

#[test]
fn a_lane_that_moves_takes_its_ready_rows_along_and_leaves_those_under_way() {
    let mut picture = two_pools();
    let (old, new, lane) = (site("dest.example"), own("dest.example"), key(Class::Bulk, 1));
    picture.hint((1..=20).map(|id| (Arc::clone(&old.name), row(id, lane, at(0)))), at(0));
    assert_eq!(plan(&mut picture, at(0)).open[0], old);
    let mut taken = rows(picture.next(&old, None, at(0), Leaving::No));
    taken.extend(rows(picture.next(&old, None, at(0), Leaving::No)));
    picture.hint([(Arc::clone(&old.name), row(99, key(Class::Bulk, 2), at(0)))], at(0));
    assert!(taken.len() > 1 && taken.len() < 20);
    let orders = assigned(&picture, "own");
    assert!(picture.reassign(orders.clone()) && !picture.reassign(orders));
    // The rows that are under way are in the store, too, and are not taken out of it again.
    let planned = plan(&mut picture, at(1));
    let read = planned.reads.iter().find(|read| read.site == new).unwrap();
    picture.page(read, (1..=20).map(|id| row(id, lane, at(0))).collect(), at(1));
    let under_way: Vec<i64> = taken.iter().map(|entry| entry.id.0).collect();
    plan(&mut picture, at(1));
    let mut sent = Vec::new();
    loop {
        let some = rows(picture.next(&new, None, at(1), Leaving::No));
        if some.is_empty() {
            break;
        }
        sent.extend(some.iter().map(|entry| entry.id.0));
    }
    sent.sort_unstable();
    let expected: Vec<i64> = (1..=20).filter(|id| !under_way.contains(id)).collect();
    assert_eq!(sent, expected, "each of the others once");
    // What was handed out and not tried goes where its lane went; what was settled does not come back.
    let mut taken = taken.into_iter();
    let settled = taken.next().unwrap();
    picture.release(&old, lane, settled.id, None, at(1));
    let back: Vec<i64> = taken.as_slice().iter().map(|entry| entry.id.0).collect();
    picture.put_back(&old, None, taken, at(1));
    let planned = plan(&mut picture, at(2));
    let read = planned.reads.iter().find(|read| read.site == new).unwrap();
    picture.page(read, back.iter().map(|id| row(*id, lane, at(0))).collect(), at(2));
    let mut again: Vec<i64> =
        rows(picture.next(&new, None, at(2), Leaving::No)).iter().map(|entry| entry.id.0).collect();
    again.sort_unstable();
    let mut expected = back;
    expected.sort_unstable();
    assert_eq!(again, expected);
    // Twin: the other controller's mail is where it was.
    assert_eq!(rows(picture.next(&old, None, at(2), Leaving::No)).len(), 1);
}

#[test]
fn mail_for_a_pool_that_is_not_here_waits_and_nothing_is_opened_for_it() {
    let mut picture = two_pools();
    let lane = key(Class::Bulk, 1);
    let orders = assigned(&picture, "elsewhere");
    picture.reassign(orders);
    picture.hint([(Arc::clone(&site("dest.example").name), row(1, lane, at(0)))], at(0));
    let planned = plan(&mut picture, at(0));
    assert!(planned.open.is_empty() && planned.wake > Some(at(0)), "{planned:?}");
    assert_eq!(picture.status("dest.example", at(0)).unwrap().trouble, Some(NO_POOL));
    let orders = assigned(&picture, "default");
    picture.reassign(orders);
    let planned = plan(&mut picture, at(1));
    assert!(planned.reads.iter().any(|read| read.site == site("dest.example")), "{planned:?}");
}

#[test]
fn an_address_that_cannot_be_bound_is_tried_again_after_a_while() {
    let mut picture = two_pools();
    let (name, hosts) = (site("dest.example"), Arc::from(["mx.dest.example".to_owned()]));
    picture.hint([(Arc::clone(&name.name), row(1, key(Class::Bulk, 1), at(0)))], at(0));
    assert_eq!(plan(&mut picture, at(0)).open, std::slice::from_ref(&name));
    assert!(picture.seat(&name, &hosts, None, at(0)).is_some());
    let mut via = None;
    let first = AddressId(0);
    assert_eq!(picture.bind(&name, &mut via, PEER.into(), at(0)), Bound::To(first));
    assert_eq!(picture.connections_by_address(), [1, 0]);
    picture.bar(first, at(0));
    picture.unbind(&name, &mut via);
    assert_eq!(picture.bind(&name, &mut via, PEER.into(), at(0)), Bound::Full);
    picture.shut(&name, at(0));
    picture.closed(&name, via);
    assert_eq!(picture.connections_by_address(), [0, 0]);
    assert_eq!(picture.status("dest.example", at(0)).unwrap().trouble, Some(NOT_OURS));
    assert!(plan(&mut picture, at(1)).open.is_empty());
    let six: std::net::IpAddr = "2001:db8::1".parse().unwrap();
    assert_eq!(picture.bind(&name, &mut via, six, at(1)), Bound::NoFamily);
    let planned = plan(&mut picture, at(62));
    assert!(!planned.open.is_empty() || !planned.reads.is_empty(), "{planned:?}");
}
