//! What comes and goes with a partition, and that nothing foreign is ever handed out.

use super::super::tests::{Load, at, key, picture, plan, row, rows, site, take_all};
use super::super::{Bounds, Leaving, Next, Picture, Shaping};
use model::MessageId;
use model::stream::Class;
use std::sync::Arc;
use std::time::Duration;
use store::Store;

/// A picture of a node that holds the partitions of these sites.
fn shared(names: &[&str]) -> Picture<Load> {
    let mut picture = picture(Bounds::default());
    picture.share();
    picture.own(&parts(names));
    picture
}

fn parts(names: &[&str]) -> Vec<u16> {
    names.iter().map(|name| Store::part_of(name)).collect()
}

#[test]
fn a_hint_for_a_foreign_site_leaves_no_trace_and_one_for_an_own_site_is_ready() {
    let mut picture = shared(&["own.example"]);
    let lane = key(Class::Prompt, 1);
    for name in ["foreign.example", "own.example"] {
        picture.hint([(site(name).name, row(1, lane, at(0)))], at(0));
        picture.note_waiting(&site(name), key(Class::Bulk, 2), at(0));
    }
    assert!(picture.status("foreign.example", at(0)).is_none());
    assert_eq!(picture.status("own.example", at(0)).unwrap().ready, 1);
    let planned = plan(&mut picture, at(0));
    assert_eq!((planned.open, planned.reads.len()), (vec![site("own.example")], 1));
}

#[test]
fn a_node_that_is_alone_holds_every_site() {
    let mut picture = picture(Bounds::default());
    picture.own(&[1]);
    picture.disown(&parts(&["any.example"]));
    picture.hint([(site("any.example").name, row(1, key(Class::Prompt, 1), at(0)))], at(0));
    assert_eq!(picture.status("any.example", at(0)).unwrap().ready, 1);
    assert!(picture.fresh().is_empty() && picture.held().is_empty());
}

#[test]
fn what_is_gained_is_to_be_read_until_it_was() {
    let mut picture = shared(&[]);
    picture.own(&[3, 1, 2]);
    assert_eq!((picture.held(), picture.fresh()), (vec![1, 2, 3], vec![1, 2, 3]));
    picture.are_read(&[1, 3]);
    assert_eq!((picture.held(), picture.fresh()), (vec![1, 2, 3], vec![2]));
    picture.disown(&[2, 3]);
    assert_eq!((picture.held(), picture.fresh()), (vec![1], Vec::new()));
    // Lost and had again: what was read before is stale.
    picture.own(&[3]);
    assert_eq!((picture.held(), picture.fresh()), (vec![1, 3], vec![3]));
}

#[test]
fn a_lost_site_lets_go_of_its_rows_and_its_connections_and_the_others_stay() {
    let mut picture = shared(&["lost.example", "kept.example"]);
    let lane = key(Class::Bulk, 1);
    for (name, from) in [("lost.example", 100), ("kept.example", 200)] {
        picture.hint((from..from + 30).map(|id| (site(name).name, row(id, lane, at(0)))), at(0));
        picture.note_waiting(&site(name), key(Class::Prompt, 2), at(60));
    }
    plan(&mut picture, at(0));
    let lost = site("lost.example");
    let mut tried = take_all(&mut picture, &lost, at(0), 3);
    let (under_way, untried) = (tried.len(), tried.split_off(1));
    picture.disown(&parts(&["lost.example"]));
    assert_eq!(picture.totals().0, 30, "those of the other");
    assert_eq!(picture.in_hand("lost.example").len(), under_way, "and those that are under way");
    // A connection that comes back finds nothing to do; rows that it did not try are let go.
    picture.put_back(&lost, None, untried.into_iter(), at(0));
    assert_eq!(picture.in_hand("lost.example").len(), 1);
    for _ in 0..5 {
        assert!(matches!(picture.next(&lost, None, at(0), Leaving::No), Next::Close));
    }
    // Nothing of it is read, opened, looked for or waited for.
    picture.hint([(Arc::clone(&lost), row(1, lane, at(0)))], at(0));
    let planned = plan(&mut picture, at(61));
    assert!(planned.open.iter().all(|name| *name.name == *"kept.example"));
    assert!(planned.reads.iter().all(|read| *read.site.name == *"kept.example") && planned.expiry.is_empty());
    assert!(picture.timers.iter().all(|(_, name)| *name.name == *"kept.example"));
    // What was under way ends; that it waits for another attempt is the other node's to know.
    picture.release(&lost, lane, tried[0].id, Some(at(61)), at(61));
    plan(&mut picture, at(61));
    assert!(picture.status("lost.example", at(61)).is_none(), "forgotten");
    assert!(picture.status("kept.example", at(61)).is_some());
    assert_eq!(picture.totals().0, 30);
}

#[test]
fn idle_connections_of_a_lost_site_are_rung() {
    let mut picture = shared(&["lost.example"]);
    let (name, lane) = (site("lost.example"), key(Class::Bulk, 1));
    picture.hint([(Arc::clone(&name), row(1, lane, at(0)))], at(0));
    plan(&mut picture, at(0));
    assert_eq!(take_all(&mut picture, &name, at(0), 1).len(), 1);
    picture.release(&name, lane, MessageId(1), None, at(0));
    let Next::Wait(bell) = picture.next(&name, None, at(0), Leaving::No) else { panic!("idle") };
    picture.disown(&parts(&["lost.example"]));
    let mut rung = std::pin::pin!(bell.notified());
    assert!(rung.as_mut().enable(), "it is to look, and will close");
}

#[test]
fn a_page_that_was_read_while_its_site_went_is_dropped() {
    let mut picture = shared(&["lost.example"]);
    let (name, lane) = (site("lost.example"), key(Class::Bulk, 1));
    picture.note_waiting(&name, lane, at(0));
    let read = plan(&mut picture, at(0)).reads.pop().unwrap();
    picture.disown(&parts(&["lost.example"]));
    picture.page(&read, vec![row(1, lane, at(0))], at(0));
    plan(&mut picture, at(0));
    assert!(picture.status("lost.example", at(0)).is_none());
    assert_eq!(picture.totals(), (0, 0, 0));
    // The twin: had again before the page came, it is as any other.
    picture.own(&parts(&["lost.example"]));
    picture.note_waiting(&name, lane, at(0));
    let read = plan(&mut picture, at(0)).reads.pop().unwrap();
    picture.disown(&parts(&["lost.example"]));
    picture.own(&parts(&["lost.example"]));
    picture.page(&read, vec![row(1, lane, at(0))], at(0));
    assert_eq!(picture.totals().0, 1);
}

#[test]
fn a_failed_read_of_a_lost_site_leaves_nothing_behind() {
    let mut picture = shared(&["lost.example"]);
    let name = site("lost.example");
    picture.note_waiting(&name, key(Class::Bulk, 1), at(0));
    let read = plan(&mut picture, at(0)).reads.pop().unwrap();
    picture.disown(&parts(&["lost.example"]));
    picture.page_failed(&read, at(0));
    assert_eq!(plan(&mut picture, at(5)).wake, None);
    assert!(picture.status("lost.example", at(5)).is_none());
}

#[test]
fn a_row_under_way_is_not_taken_twice_when_its_site_comes_back() {
    let mut picture = shared(&["back.example"]);
    let (name, lane) = (site("back.example"), key(Class::Bulk, 1));
    picture.hint([(Arc::clone(&name), row(1, lane, at(0)))], at(0));
    plan(&mut picture, at(0));
    assert_eq!(take_all(&mut picture, &name, at(0), 1).len(), 1);
    picture.disown(&parts(&["back.example"]));
    picture.own(&parts(&["back.example"]));
    picture.note_waiting(&name, lane, at(0));
    let read = plan(&mut picture, at(0)).reads.pop().unwrap();
    picture.page(&read, vec![row(1, lane, at(0)), row(2, lane, at(0))], at(0));
    let ids: Vec<_> = take_all(&mut picture, &name, at(0), 9).iter().map(|entry| entry.id.0).collect();
    assert_eq!(ids, [2]);
    picture.release(&name, lane, MessageId(1), Some(at(9)), at(0));
    assert_eq!(plan(&mut picture, at(1)).wake, Some(at(9)), "its next attempt is ours again");
}

#[test]
fn expired_rows_of_a_lost_site_are_not_taken() {
    let mut picture = shared(&["lost.example"]);
    let (name, lane) = (site("lost.example"), key(Class::Bulk, 1));
    picture.note_waiting(&name, lane, at(0));
    picture.failed(&name, at(0), 1, "the connection was refused");
    assert_eq!(plan(&mut picture, at(0)).expiry.len(), 1);
    picture.disown(&parts(&["lost.example"]));
    assert!(picture.expired(&name, vec![row(1, lane, at(0))], true, at(0)).is_empty());
    assert_eq!(plan(&mut picture, at(5)).wake, None);
    assert!(picture.status("lost.example", at(5)).is_none(), "its back-off is the other node's to learn");
}

#[test]
fn a_lost_site_takes_no_turn_from_those_that_wait_for_a_connection() {
    let shaping = Shaping { connections_max: 1, connections_node_max: 1, ..Shaping::default() };
    let mut picture = Picture::new(Bounds::default(), shaping, Duration::from_secs(5));
    let names = ["first.example", "lost.example", "third.example"];
    picture.share();
    picture.own(&parts(&names));
    for (number, name) in names.into_iter().enumerate() {
        let id = i64::try_from(number).unwrap();
        picture.hint([(site(name).name, row(id, key(Class::Bulk, 1), at(0)))], at(0));
    }
    assert_eq!(plan(&mut picture, at(0)).open, [site("first.example")]);
    picture.disown(&parts(&["lost.example"]));
    assert_eq!(rows(picture.next(&site("first.example"), None, at(0), Leaving::No)).len(), 1);
    picture.closed(&site("first.example"), None);
    assert_eq!(plan(&mut picture, at(0)).open, [site("third.example")]);
}

#[test]
fn arrivals_that_are_in_hand_already_are_no_news_and_any_other_are() {
    let mut picture = shared(&["dest.example"]);
    let (name, lane) = (site("dest.example"), key(Class::Bulk, 1));
    let is_noted = |picture: &Picture<Load>| picture.sites[&site("dest.example")].is_due(lane, at(0));
    picture.hint((1..=10).map(|id| (Arc::clone(&name), row(id, lane, at(0)))), at(0));
    // Rows 1 to 4 are too old to be among the arrivals.
    let mark = picture.mark(MessageId(5));
    // Taken by a connection and not at their end: they are found as well.
    plan(&mut picture, at(0));
    assert_eq!(take_all(&mut picture, &name, at(0), 8).len(), 8);
    picture.note_arrivals(&name, &[(lane, at(0), 6)], mark);
    assert!(!is_noted(&picture));
    // One that came in after the look may or may not be among what was found: it stands for no other.
    picture.hint([(Arc::clone(&name), row(11, lane, at(0)))], at(0));
    picture.note_arrivals(&name, &[(lane, at(0), 7)], mark);
    assert!(is_noted(&picture));
    // A lane of which nothing is known.
    let other = key(Class::Prompt, 2);
    picture.note_arrivals(&name, &[(lane, at(0), 6), (other, at(0), 1)], mark);
    assert!(picture.sites[&site("dest.example")].is_due(other, at(0)));
    // And a foreign one.
    picture.note_arrivals(&site("foreign.example"), &[(lane, at(0), 1)], mark);
    assert!(picture.status("foreign.example", at(0)).is_none());
}
