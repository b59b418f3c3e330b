//! Limits that domains share, turns at them, what a receiver says and what another exchanger says.

use super::super::tests::{Load, at, key, picture, plan, row, site};
use super::super::{Bound, Bounds, Leaving, Next, Shaping};
use super::*;
use crate::delivery::shaping::book::{SiteOrder, SiteRule};
use std::collections::HashSet;
use std::time::Duration;

/// The one address of those who configure none.
const OWN: AddressId = AddressId(0);
const PEER: [u8; 4] = [192, 0, 2, 1];
const FIRST: Duration = Duration::from_secs(5);

fn exchangers(hosts: &[&str]) -> Arc<[String]> {
    hosts.iter().map(|host| (*host).to_owned()).collect()
}

fn ruled(rules: &[&str]) -> Picture<Load> {
    let rules: Vec<SiteRule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    picture(Bounds::default()).with_book(Book::new(rules))
}

/// Connections as workers are: each asks DNS, takes its place, and then rows.
#[derive(Default)]
struct Workers {
    /// The domain of each.
    at: Vec<Pooled>,
    sent: Vec<(Pooled, i64)>,
    most_at_once: usize,
}

impl Workers {
    /// All domains have the same exchangers.
    fn open(&mut self, picture: &mut Picture<Load>, hosts: &[&str], now: Timestamp) {
        loop {
            let planned = plan(picture, now);
            for read in &planned.reads {
                picture.page(read, Vec::new(), now);
            }
            if planned.open.is_empty() && planned.wake != Some(now) {
                return;
            }
            for name in planned.open {
                let mut via = None;
                let seated = picture.seat(&name, &exchangers(hosts), via, now).is_some();
                match seated.then(|| picture.bind(&name, &mut via, PEER.into(), now)) {
                    Some(Bound::To(_)) => self.at.push(name),
                    _ => picture.closed(&name, via),
                }
            }
            self.most_at_once = self.most_at_once.max(self.at.len());
        }
    }

    /// Each connection asks once what to do.
    fn round(&mut self, picture: &mut Picture<Load>, now: Timestamp) {
        for name in std::mem::take(&mut self.at) {
            match picture.next(&name, Some(OWN), now, Leaving::WhenIdle) {
                Next::Rows(rows) => {
                    for entry in rows {
                        self.sent.push((name.clone(), entry.id.0));
                        picture.release(&name, entry.key, entry.id, None, now);
                    }
                    picture.succeeded(&name, Against::Receiver(OWN), now, 1_000);
                    self.at.push(name);
                }
                Next::Over(to) => self.at.push(to),
                Next::Wait(_) => self.at.push(name),
                Next::Close => {}
            }
        }
    }
}

#[test]
fn ten_thousand_domains_of_one_provider_share_its_connections_and_every_message_goes_once() {
    let mut picture = ruled(&["google connections=3"]);
    let count = 2_000;
    for number in 0..count {
        picture.hint([(site(&format!("d{number}.example")).name, row(number, key(Class::Bulk, 1), at(0)))], at(0));
    }
    let mut workers = Workers::default();
    for _ in 0..10_000 {
        workers.open(&mut picture, &["aspmx.l.google.com"], at(0));
        workers.round(&mut picture, at(0));
        if workers.sent.len() == usize::try_from(count).unwrap() {
            break;
        }
    }
    let ids: HashSet<i64> = workers.sent.iter().map(|(_, id)| *id).collect();
    assert_eq!((workers.sent.len(), ids.len()), (2_000, 2_000));
    assert!(workers.most_at_once <= 3, "{}", workers.most_at_once);
    // The same mail to domains with exchangers of their own is held up by nobody.
    let mut free = ruled(&["google connections=3"]);
    for number in 0..8 {
        free.hint([(site(&format!("d{number}.example")).name, row(number, key(Class::Bulk, 1), at(0)))], at(0));
    }
    for name in plan(&mut free, at(0)).open {
        assert!(free.seat(&name, &exchangers(&[&format!("mx.{}", name.name)]), None, at(0)).is_some());
    }
    assert_eq!(free.totals().2, 8);
}

#[test]
fn a_flood_over_many_domains_takes_turns_with_one_domain_of_another_and_prompt_goes_first() {
    let mut picture = ruled(&["google connections=1"]);
    for number in 0..200 {
        let name = site(&format!("flood{number}.example"));
        picture.hint((0..40).map(|id| (Arc::clone(&name), row(number * 100 + id, key(Class::Bulk, 1), at(0)))), at(0));
    }
    let mut workers = Workers::default();
    workers.open(&mut picture, &["aspmx.l.google.com"], at(0));
    workers.round(&mut picture, at(0));
    assert_eq!(workers.at.len(), 1);
    picture.hint([(site("other.example").name, row(90_001, key(Class::Bulk, 2), at(0)))], at(0));
    picture.hint([(site("prompt.example").name, row(90_002, key(Class::Prompt, 3), at(0)))], at(0));
    // The picture does not know yet that these are the same receiver's.
    for name in ["other.example", "prompt.example"].map(site) {
        picture.join(&name, &picture.book.name(&exchangers(&["aspmx.l.google.com"])), at(0));
    }
    for _ in 0..12 {
        workers.open(&mut picture, &["aspmx.l.google.com"], at(0));
        workers.round(&mut picture, at(0));
    }
    let place = |id: i64| workers.sent.iter().position(|(_, sent)| *sent == id).unwrap_or(usize::MAX);
    assert!(place(90_002) <= 8, "after the batch that had begun: {}", place(90_002));
    assert!(place(90_001) <= 48, "when the flood's turn is over: {}", place(90_001));
    assert!(workers.most_at_once <= 1);
}

#[test]
fn a_rate_is_kept_in_any_minute_and_a_timer_calls_when_there_is_room() {
    let mut picture = ruled(&["mx.dest.example per_minute=10"]);
    for number in 0..6 {
        let name = site(&format!("d{number}.example"));
        picture.hint((0..5).map(|id| (Arc::clone(&name), row(number * 10 + id, key(Class::Bulk, 1), at(0)))), at(0));
    }
    let mut workers = Workers::default();
    for _ in 0..50 {
        workers.open(&mut picture, &["mx.dest.example"], at(0));
        workers.round(&mut picture, at(0));
    }
    assert_eq!(workers.sent.len(), 10);
    let wake = plan(&mut picture, at(0)).wake.unwrap();
    assert!(wake > at(59) && wake <= at(62), "{wake:?}");
    for _ in 0..50 {
        workers.open(&mut picture, &["mx.dest.example"], wake);
        workers.round(&mut picture, wake);
    }
    assert_eq!(workers.sent.len(), 20);
}

#[test]
fn what_a_receiver_says_counts_for_all_its_domains_and_what_another_exchanger_says_for_one() {
    let mut picture = ruled(&[]);
    let [one, two] = ["one.example", "two.example"].map(site);
    for (id, name) in [(1, &one), (2, &two)] {
        picture.hint([(Arc::clone(name), row(id, key(Class::Bulk, 1), at(0)))], at(0));
    }
    let mut workers = Workers::default();
    workers.open(&mut picture, &["aspmx.l.google.com"], at(0));
    picture.failed_at(&one, Against::Domain, at(0), 1, "it could not be reached");
    assert!(picture.away(&one, at(0)).is_some() && picture.away(&two, at(0)).is_none());
    picture.failed_at(&two, Against::Receiver(OWN), at(0), 1, "the site closed the channel (421)");
    let three = site("three.example");
    picture.hint([(Arc::clone(&three), row(3, key(Class::Prompt, 2), at(1)))], at(1));
    picture.join(&three, &picture.book.name(&exchangers(&["aspmx.l.google.com"])), at(1));
    for name in [&one, &two, &three] {
        assert!(picture.away(name, at(1)).is_some(), "{}", name.name);
    }
    let told = picture.receivers(at(1), 10).remove(0);
    assert_eq!((told.name.as_str(), told.trouble.unwrap().0), ("google", "the site closed the channel (421)"));
    let until = told.backing_off_until.unwrap();
    assert!(plan(&mut picture, until).open.len() <= 1, "one connection to probe");
}

#[test]
fn throttling_goes_down_to_one_connection_then_away_and_comes_back_step_by_step() {
    let mut picture = ruled(&["google connections=4 per_minute=100"]);
    let name = site("one.example");
    picture.hint([(Arc::clone(&name), row(1, key(Class::Bulk, 1), at(0)))], at(0));
    Workers::default().open(&mut picture, &["aspmx.l.google.com"], at(0));
    let told = |picture: &mut Picture<Load>, now| picture.receivers(now, 1).remove(0);
    let why = "the site says that we go too fast";
    for (step, allowed, percent) in [(0, 2, 50), (20, 1, 25)] {
        picture.throttled(&name, Against::Receiver(OWN), at(step), 1, why);
        let now = told(&mut picture, at(step));
        assert_eq!((now.connections_allowed, now.rate_percent, now.backing_off_until), (allowed, percent, None));
    }
    picture.throttled(&name, Against::Receiver(OWN), at(40), 1, why);
    let now = told(&mut picture, at(40));
    assert!(now.backing_off_until.is_some() && now.trouble == Some((why, at(40))));
    for minute in 1..40 {
        picture.succeeded(&name, Against::Receiver(OWN), at(minute * 60), 1_000);
        let now = told(&mut picture, at(minute * 60));
        assert!(minute > 1 || now.connections_allowed == 1, "not at once");
    }
    let now = told(&mut picture, at(2_400));
    assert_eq!((now.connections_allowed, now.rate_percent, now.trouble), (4, 100, None));
}

#[test]
fn an_order_stops_a_receiver_at_once_and_taking_it_back_lets_it_go_on() {
    let mut picture = ruled(&[]);
    let name = site("one.example");
    picture.hint((0..20).map(|id| (Arc::clone(&name), row(id, key(Class::Bulk, 1), at(0)))), at(0));
    let mut workers = Workers::default();
    workers.open(&mut picture, &["mx.one.example"], at(0));
    let rule = SiteRule { name: "mx.one.example".into(), limits: Limits::default() };
    let order = SiteOrder { rule, stop: true, until: Some(at(600)) };
    picture.rebook(at(1), |book| book.order(vec![order], 1, at(1)));
    assert!(matches!(picture.next(&name, None, at(1), Leaving::No), Next::Close));
    assert!(plan(&mut picture, at(1)).open.is_empty());
    assert!(picture.receivers(at(1), 1)[0].stopped);
    picture.rebook(at(2), |book| book.order(Vec::new(), 1, at(2)));
    let mut planned = plan(&mut picture, at(2));
    planned.reads.drain(..).for_each(|read| picture.page(&read, vec![row(500, read.key, at(0))], at(2)));
    assert!(!plan(&mut picture, at(2)).open.is_empty() || !planned.open.is_empty());
}

#[test]
fn a_receiver_without_domains_is_forgotten_when_nothing_is_held_against_it() {
    let mut picture = Picture::<Load>::new(Bounds::default(), Shaping::default(), FIRST);
    let name = site("one.example");
    picture.hint([(Arc::clone(&name), row(1, key(Class::Bulk, 1), at(0)))], at(0));
    let mut workers = Workers::default();
    workers.open(&mut picture, &["mx.one.example"], at(0));
    assert_eq!(picture.receivers(at(0), 9).len(), 1);
    for _ in 0..3 {
        workers.round(&mut picture, at(0));
        plan(&mut picture, at(0));
    }
    assert!(picture.status("one.example", at(0)).is_none());
    assert!(picture.receivers.is_empty() && picture.receivers(at(0), 9).is_empty());
}
