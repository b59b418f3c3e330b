//! Fairness, bounds, and that no row is ever in hand twice.

use super::super::egress::PoolId;
use super::plan::Plan;
use super::*;
use model::ControllerId;
use model::stream::Class;

const FIRST: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Load(pub(super) usize);

impl Hot for Load {
    fn octets(&self) -> usize {
        self.0
    }
    fn cool(&mut self) {
        self.0 = 0;
    }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

pub(super) fn key(class: Class, controller: i64) -> LaneKey {
    LaneKey { class, controller: ControllerId(controller) }
}

pub(super) fn row(id: i64, key: LaneKey, due: Timestamp) -> Entry<Load> {
    Entry { id: MessageId(id), key, due, row: Load(100) }
}

pub(super) fn picture(bounds: Bounds) -> Picture<Load> {
    Picture::new(bounds, Shaping::default(), FIRST)
}

pub(super) fn site(name: &str) -> Pooled {
    Pooled::new(&Arc::from(name), PoolId(0))
}

/// Opens the planned connections, so that `next` may be asked.
pub(super) fn plan(picture: &mut Picture<Load>, now: Timestamp) -> Plan {
    picture.plan(now)
}

pub(super) fn rows(next: Next<Load>) -> Vec<Entry<Load>> {
    match next {
        Next::Rows(rows) => rows,
        Next::Wait(_) | Next::Over(_) | Next::Close => Vec::new(),
    }
}

/// Takes single rows as a connection would, in order.
pub(super) fn take_all(picture: &mut Picture<Load>, name: &Pooled, now: Timestamp, at_most: usize) -> Vec<Entry<Load>> {
    let mut taken = Vec::new();
    while taken.len() < at_most {
        let batch = rows(picture.next(name, None, now, Leaving::No));
        if batch.is_empty() {
            picture.awake(name);
            break;
        }
        taken.extend(batch);
    }
    taken
}

#[test]
fn a_controller_with_one_row_goes_within_two_picks_of_one_with_ten_thousand() {
    let mut picture = picture(Bounds { ready_site_max: 20_000, ..Bounds::default() });
    let name = site("dest.example");
    let (flood, single) = (key(Class::Bulk, 1), key(Class::Bulk, 2));
    picture.hint((0..10_000).map(|id| (Arc::clone(&name), row(id, flood, at(0)))), at(0));
    picture.hint([(Arc::clone(&name), row(99_999, single, at(0)))], at(0));
    assert!(!plan(&mut picture, at(0)).open.is_empty());
    let taken = take_all(&mut picture, &name, at(0), 2);
    let place = taken.iter().position(|entry| entry.key == single);
    assert!(place.is_some_and(|place| place < 2), "{place:?}");
}

#[test]
fn two_floods_share_alike() {
    let mut picture = picture(Bounds { ready_site_max: 20_000, ..Bounds::default() });
    let name = site("dest.example");
    for controller in [1, 2] {
        let key = key(Class::Bulk, controller);
        picture.hint((0..1_000).map(|id| (Arc::clone(&name), row(controller * 10_000 + id, key, at(0)))), at(0));
    }
    plan(&mut picture, at(0));
    let taken = take_all(&mut picture, &name, at(0), 400);
    let first = taken.iter().take(400).filter(|entry| entry.key.controller == ControllerId(1)).count();
    assert!((199..=201).contains(&first), "{first}");
}

#[test]
fn prompt_goes_strictly_before_bulk_and_due_order_holds_within_a_lane() {
    let mut picture = picture(Bounds::default());
    let name = site("dest.example");
    let bulk = (0..50).map(|id| (Arc::clone(&name), row(id, key(Class::Bulk, 1), at(0))));
    picture.hint(bulk, at(0));
    let prompt = (100..110).map(|id| (Arc::clone(&name), row(id, key(Class::Prompt, 2), at(0))));
    picture.hint(prompt, at(0));
    plan(&mut picture, at(0));
    let ids: Vec<_> = take_all(&mut picture, &name, at(0), 60).iter().map(|entry| entry.id.0).collect();
    assert_eq!(ids, (100..110).chain(0..50).collect::<Vec<_>>());
}

#[test]
fn bounds_hold_and_what_is_over_waits_in_the_store() {
    let bounds = Bounds { hot_octets_max: 50_000, ..Bounds::default() };
    let mut picture = picture(bounds);
    for number in 0..40 {
        let name = site(&format!("s{number}.example"));
        let lane = key(Class::Bulk, 1);
        picture.hint((0..3_000).map(|id| (Arc::clone(&name), row(number * 10_000 + id, lane, at(0)))), at(0));
        let status = picture.status(&name, at(0)).unwrap();
        assert!(status.ready <= bounds.ready_site_max, "{}", status.ready);
        let (ready, octets, _) = picture.totals();
        assert!(ready <= bounds.ready_node_max && octets <= bounds.hot_octets_max, "{ready} {octets}");
        assert!(picture.sites.values().all(|site| site.first_waiting() == Some(at(0))), "the rest is not forgotten");
    }
    let (ready, octets, _) = picture.totals();
    assert!(ready >= bounds.ready_node_max / 2 && octets > bounds.hot_octets_max - 200, "{ready} {octets}");
}

#[test]
fn a_full_site_and_a_full_node_still_have_room_for_a_newcomer() {
    let mut picture = picture(Bounds::default());
    let name = site("big.example");
    picture.hint((0..9_000).map(|id| (Arc::clone(&name), row(id, key(Class::Bulk, 1), at(0)))), at(0));
    let before = picture.status(&name, at(0)).unwrap().ready;
    picture.hint([(Arc::clone(&name), row(9_999, key(Class::Prompt, 2), at(0)))], at(0));
    assert_eq!(picture.status(&name, at(0)).unwrap().ready, before + 1, "another lane");
    for number in 0..60i64 {
        let name = site(&format!("s{number}.example"));
        let lane = key(Class::Bulk, 1);
        picture.hint((0..2_000).map(|id| (Arc::clone(&name), row(100_000 + number * 10_000 + id, lane, at(0)))), at(0));
    }
    let late = site("late.example");
    picture.hint([(Arc::clone(&late), row(7, key(Class::Prompt, 2), at(0)))], at(0));
    assert_eq!(picture.status(&late, at(0)).unwrap().ready, 1, "another site");
}

#[test]
fn what_is_older_in_the_store_goes_before_what_is_hinted() {
    let mut picture = picture(Bounds::default());
    let (name, lane) = (site("dest.example"), key(Class::Bulk, 1));
    picture.note_waiting(&name, lane, at(-10));
    picture.hint([(Arc::clone(&name), row(5, lane, at(0)))], at(0));
    assert_eq!(picture.status(&name, at(0)).unwrap().ready, 0);
    let mut planned = plan(&mut picture, at(0));
    let read = planned.reads.pop().unwrap();
    picture.page(&read, vec![row(3, lane, at(-10)), row(5, lane, at(0))], at(0));
    plan(&mut picture, at(0));
    let ids: Vec<_> = take_all(&mut picture, &name, at(0), 9).iter().map(|entry| entry.id.0).collect();
    assert_eq!(ids, [3, 5]);
    // A retry far in the future is nothing older.
    picture.note_waiting(&name, lane, at(600));
    picture.hint([(Arc::clone(&name), row(8, lane, at(0)))], at(0));
    assert_eq!(picture.status(&name, at(0)).unwrap().ready, 1);
}

#[test]
fn a_row_in_hand_is_never_taken_in_again() {
    let mut picture = picture(Bounds::default());
    let (name, lane) = (site("dest.example"), key(Class::Bulk, 1));
    picture.hint([(Arc::clone(&name), row(1, lane, at(0)))], at(0));
    picture.hint([(Arc::clone(&name), row(1, lane, at(0)))], at(0));
    assert_eq!(picture.status(&name, at(0)).unwrap().ready, 1);
    plan(&mut picture, at(0));
    assert_eq!(take_all(&mut picture, &name, at(0), 9).len(), 1);
    // In flight: a page may still bring it, and a hint too.
    picture.note_waiting(&name, lane, at(0));
    let read = plan(&mut picture, at(0)).reads.pop().unwrap();
    assert_eq!(read.limit, 1 + Bounds::default().page, "what is in hand comes first in the answer");
    // While the answer is on its way, its outcome becomes durable and it is let go.
    picture.release(&name, lane, MessageId(1), None, at(1));
    picture.page(&read, vec![row(1, lane, at(0)), row(2, lane, at(0))], at(1));
    let ids: Vec<_> = take_all(&mut picture, &name, at(1), 9).iter().map(|entry| entry.id.0).collect();
    assert_eq!(ids, [2]);
    assert!(picture.in_hand("dest.example").contains(&MessageId(2)));
}

#[test]
fn a_site_that_is_away_is_skipped_whole_and_its_rows_keep_their_place() {
    let mut picture = picture(Bounds::default());
    let (name, lane) = (site("down.example"), key(Class::Bulk, 1));
    picture.hint((1..=30).map(|id| (Arc::clone(&name), row(id, lane, at(id - 100)))), at(0));
    plan(&mut picture, at(0));
    let taken = rows(picture.next(&name, None, at(0), Leaving::No));
    picture.failed(&name, at(0), 1, "the connection was refused");
    picture.put_back(&name, None, taken.into_iter(), at(0));
    assert_eq!(picture.totals().0, 0, "memory is left to those that can leave");
    assert!(picture.in_hand("down.example").is_empty());
    picture.hint([(Arc::clone(&name), row(99, lane, at(0)))], at(0));
    for _ in 0..5 {
        assert!(matches!(picture.next(&name, None, at(0), Leaving::No), Next::Close), "every connection goes");
    }
    let away = plan(&mut picture, at(0));
    assert!(away.reads.is_empty() && away.open.is_empty());
    assert_eq!(away.expiry, std::slice::from_ref(&name), "only those out of time are looked for");
    assert!(picture.expired(&name, Vec::new(), false, at(0)).is_empty());
    let until = picture.status(&name, at(0)).unwrap().backing_off_until.unwrap();
    let again = plan(&mut picture, until).reads.pop().unwrap();
    picture.page(&again, (1..=30).map(|id| row(id, lane, at(id - 100))).collect(), until);
    let opened = plan(&mut picture, until).open.len();
    assert_eq!(opened, 1, "one connection to probe");
    assert_eq!(rows(picture.next(&name, None, until, Leaving::No)).first().map(|entry| entry.id.0), Some(1));
}

#[test]
fn expired_rows_of_a_site_that_is_away_are_taken_once() {
    let mut picture = picture(Bounds::default());
    let (name, lane) = (site("down.example"), key(Class::Bulk, 1));
    picture.note_waiting(&name, lane, at(0));
    picture.failed(&name, at(0), 1, "the connection was refused");
    assert_eq!(plan(&mut picture, at(0)).expiry.len(), 1);
    let taken = picture.expired(&name, vec![row(1, lane, at(0)), row(2, lane, at(0))], true, at(0));
    assert_eq!(taken.len(), 2);
    assert_eq!(plan(&mut picture, at(1)).expiry.len(), 1, "more behind them: a second later");
    assert!(picture.expired(&name, vec![row(1, lane, at(0))], false, at(1)).is_empty(), "still being settled");
    picture.release(&name, lane, MessageId(1), None, at(1));
    assert!(!picture.in_hand("down.example").contains(&MessageId(1)));
}

#[test]
fn put_back_rows_come_first_again() {
    let mut picture = picture(Bounds::default());
    let (name, lane) = (site("dest.example"), key(Class::Prompt, 1));
    picture.hint((1..=20).map(|id| (Arc::clone(&name), row(id, lane, at(0)))), at(0));
    plan(&mut picture, at(0));
    let mut taken = take_all(&mut picture, &name, at(0), 8);
    let tried = taken.remove(0);
    picture.put_back(&name, None, taken.into_iter(), at(0));
    let ids: Vec<_> = take_all(&mut picture, &name, at(0), 30).iter().map(|entry| entry.id.0).collect();
    assert_eq!(tried.id.0, 1);
    assert_eq!(ids, (2..=20).collect::<Vec<_>>());
}

#[test]
fn deferred_rows_wake_the_plan_at_their_time_and_not_before() {
    let mut picture = picture(Bounds::default());
    let (name, lane) = (site("dest.example"), key(Class::Prompt, 1));
    picture.hint([(Arc::clone(&name), row(1, lane, at(0)))], at(0));
    plan(&mut picture, at(0));
    assert_eq!(take_all(&mut picture, &name, at(0), 1).len(), 1);
    picture.release(&name, lane, MessageId(1), Some(at(60)), at(1));
    let early = plan(&mut picture, at(1));
    assert!(early.reads.is_empty());
    assert_eq!(early.wake, Some(at(60)));
    let read = plan(&mut picture, at(60)).reads.pop().unwrap();
    picture.page(&read, vec![row(2, lane, at(90))], at(60));
    assert_eq!(plan(&mut picture, at(60)).wake, Some(at(90)), "the first row that is not due tells when to read");
}

#[test]
fn a_long_backlog_is_read_in_pages_as_it_drains() {
    let mut picture = picture(Bounds::default());
    let (name, lane) = (site("dest.example"), key(Class::Bulk, 1));
    let mut store: Vec<i64> = (0..5_000).collect();
    picture.note_waiting(&name, lane, at(0));
    let mut delivered = Vec::new();
    for _ in 0..5_000 {
        let planned = plan(&mut picture, at(1));
        for read in &planned.reads {
            let page = store.iter().take(read.limit).map(|id| row(*id, lane, at(0))).collect();
            picture.page(read, page, at(1));
        }
        assert!(picture.totals().0 <= Bounds::default().ready_site_max);
        for entry in rows(picture.next(&name, None, at(1), Leaving::No)) {
            store.retain(|id| *id != entry.id.0);
            picture.release(&name, lane, entry.id, None, at(1));
            delivered.push(entry.id.0);
        }
        if store.is_empty() {
            break;
        }
    }
    assert_eq!(delivered, (0..5_000).collect::<Vec<_>>());
}

#[test]
fn connections_keep_to_the_limits_of_site_and_node() {
    let shaping = Shaping { connections_max: 3, connections_node_max: 4, ..Shaping::default() };
    let mut picture = Picture::new(Bounds::default(), shaping, FIRST);
    let (one, two) = (site("one.example"), site("two.example"));
    let lane = key(Class::Bulk, 1);
    picture.hint((0..100).map(|id| (Arc::clone(&one), row(id, lane, at(0)))), at(0));
    assert_eq!(plan(&mut picture, at(0)).open.len(), 3, "the site's");
    picture.hint((200..300).map(|id| (Arc::clone(&two), row(id, lane, at(0)))), at(0));
    assert_eq!(plan(&mut picture, at(0)).open.len(), 1, "the node's");
    picture.closed(&one, None);
    let open = plan(&mut picture, at(0)).open;
    assert_eq!(open.len(), 1, "a place that became free is given again");
}

#[test]
fn a_row_does_not_wait_behind_a_dialogue_that_does_not_end() {
    let mut picture = picture(Bounds::default());
    let (name, lane) = (site("one.example"), key(Class::Prompt, 1));
    let next = |picture: &mut Picture<Load>, now| rows(picture.next(&name, None, now, Leaving::No)).len();
    picture.hint([(Arc::clone(&name), row(1, lane, at(0)))], at(0));
    assert_eq!(plan(&mut picture, at(0)).open.len(), 1);
    assert_eq!(next(&mut picture, at(0)), 1);
    picture.hint([(Arc::clone(&name), row(2, lane, at(0)))], at(0));
    let planned = plan(&mut picture, at(0));
    assert_eq!((planned.open.len(), planned.wake), (0, Some(at(1))), "the connection may be back at any moment");
    assert_eq!(plan(&mut picture, at(1)).open.len(), 1, "it is not");
    assert_eq!(next(&mut picture, at(1)), 1);
    assert_eq!(plan(&mut picture, at(9)).open.len(), 0, "nobody waits");
    picture.hint([(Arc::clone(&name), row(3, lane, at(9)))], at(9));
    assert_eq!(next(&mut picture, at(9)), 1, "one of the two is back in time");
    assert_eq!(plan(&mut picture, at(20)).open.len(), 0);
}

#[test]
fn limits_that_change_hold_for_the_next_connection() {
    let shaping = Shaping { connections_max: 3, connections_node_max: 4, ..Shaping::default() };
    let mut picture = Picture::new(Bounds::default(), shaping, FIRST);
    let one = site("one.example");
    let lane = key(Class::Bulk, 1);
    picture.hint((0..100).map(|id| (Arc::clone(&one), row(id, lane, at(0)))), at(0));
    assert_eq!(plan(&mut picture, at(0)).open.len(), 3);
    assert_eq!(plan(&mut picture, at(0)).open.len(), 0);
    picture.reshape(Shaping { connections_max: 6, connections_node_max: 5, ..shaping }, at(0));
    assert_eq!(plan(&mut picture, at(0)).open.len(), 2, "up to the node's");
    picture.reshape(Shaping { connections_max: 2, ..shaping }, at(0));
    picture.closed(&one, None);
    assert_eq!(plan(&mut picture, at(0)).open.len(), 0, "there are still more than may be");
}

#[test]
fn a_site_without_connection_gets_one_from_a_site_with_several_and_no_more() {
    let shaping = Shaping { connections_max: 4, connections_node_max: 4, ..Shaping::default() };
    let mut picture = Picture::new(Bounds::default(), shaping, FIRST);
    let (one, two) = (site("one.example"), site("two.example"));
    let lane = key(Class::Bulk, 1);
    picture.hint((0..400).map(|id| (Arc::clone(&one), row(id, lane, at(0)))), at(0));
    assert_eq!(plan(&mut picture, at(0)).open.len(), 4, "all of them");
    assert!(matches!(picture.next(&one, None, at(0), Leaving::No), Next::Rows(_)), "nobody else wants one");
    picture.hint((400..800).map(|id| (Arc::clone(&two), row(id, lane, at(0)))), at(0));
    assert!(plan(&mut picture, at(0)).open.is_empty(), "there is none left");
    assert!(matches!(picture.next(&one, None, at(0), Leaving::No), Next::Close), "it gives way");
    assert!(matches!(picture.next(&one, None, at(0), Leaving::No), Next::Rows(_)), "once");
    assert_eq!(plan(&mut picture, at(0)).open, std::slice::from_ref(&two));
    for _ in 0..10 {
        for name in [&one, &two] {
            assert!(matches!(picture.next(name, None, at(0), Leaving::No), Next::Rows(_)), "both have some");
        }
    }
}

#[test]
fn a_place_that_one_site_does_not_take_goes_to_the_next() {
    let shaping = Shaping { connections_max: 1, connections_node_max: 1, ..Shaping::default() };
    let mut picture = Picture::new(Bounds::default(), shaping, FIRST);
    let [one, two, three] = ["one.example", "two.example", "three.example"].map(site);
    for (id, name) in (1..).zip([&one, &two, &three]) {
        picture.hint([(Arc::clone(name), row(id, key(Class::Bulk, 1), at(0)))], at(0));
        plan(&mut picture, at(0));
    }
    // The first in the queue is left alone for a while.
    picture.failed(&two, at(0), 1, "it cannot be reached");
    picture.closed(&one, None);
    picture.failed(&one, at(0), 1, "it cannot be reached");
    let opened: Vec<_> = (0..4).flat_map(|_| plan(&mut picture, at(0)).open).collect();
    assert_eq!(opened, [three]);
}

#[test]
fn a_site_with_nothing_left_is_forgotten() {
    let mut picture = picture(Bounds::default());
    let (name, lane) = (site("dest.example"), key(Class::Bulk, 1));
    picture.hint([(Arc::clone(&name), row(1, lane, at(0)))], at(0));
    assert_eq!(plan(&mut picture, at(0)).open.len(), 1);
    assert_eq!(take_all(&mut picture, &name, at(0), 1).len(), 1);
    picture.release(&name, lane, MessageId(1), None, at(0));
    assert!(matches!(picture.next(&name, None, at(0), Leaving::WhenIdle), Next::Close));
    plan(&mut picture, at(0));
    assert!(picture.status("dest.example", at(0)).is_none());
    assert_eq!(picture.totals(), (0, 0, 0));
}

#[test]
fn sites_over_the_limit_are_marked_for_a_later_look() {
    let mut picture = picture(Bounds { sites_max: 2, ..Bounds::default() });
    for name in ["a", "b", "c"] {
        picture.note_waiting(&site(name), key(Class::Bulk, 1), at(50));
    }
    assert!(picture.status("c", at(0)).is_none());
    assert!(!picture.take_incomplete(), "still full");
    picture.sites.remove(&site("a"));
    assert!(picture.take_incomplete());
    assert!(!picture.take_incomplete());
}

#[test]
fn draining_hands_nothing_out() {
    let mut picture = picture(Bounds::default());
    let (name, lane) = (site("dest.example"), key(Class::Bulk, 1));
    picture.hint([(Arc::clone(&name), row(1, lane, at(0)))], at(0));
    plan(&mut picture, at(0));
    picture.drain();
    assert!(matches!(picture.next(&name, None, at(0), Leaving::No), Next::Close));
    picture.hint([(Arc::clone(&name), row(2, lane, at(0)))], at(0));
    let planned = plan(&mut picture, at(5));
    assert!(planned.open.is_empty() && planned.reads.is_empty());
}
