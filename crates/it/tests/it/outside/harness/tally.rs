//! What arrived at the sink of several nodes: when, at which site, from which node.

use super::sink::{id_of, number_of};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use testkit::FakeMx;
use testkit::mx::Received;

/// One arrival.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// The public id.
    pub(crate) id: String,
    pub(crate) number: u64,
    /// The recipient's domain.
    pub(crate) site: String,
    /// How the node introduced itself.
    pub(crate) node: String,
    /// A moment of the monotonic clock.
    pub(crate) at: Duration,
}

/// All arrivals so far, in the order in which they came.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    pub(crate) arrivals: Vec<Arrival>,
    /// How often each message came.
    pub(crate) by_id: BTreeMap<String, u64>,
}

impl Tally {
    /// Reads on: what has come since the last time.
    pub(crate) async fn read(&mut self, sink: &FakeMx) {
        let read = self.arrivals.len();
        let fresh = sink
            .wait_until("the sink's books", |received, _| {
                Some(received.iter().skip(read).map(arrival).collect::<Vec<_>>())
            })
            .await;
        for arrival in &fresh {
            *self.by_id.entry(arrival.id.clone()).or_default() += 1;
        }
        self.arrivals.extend(fresh);
    }

    /// Messages that came more than once, and how often.
    pub(crate) fn doubles(&self) -> BTreeMap<&str, u64> {
        self.by_id.iter().filter(|(_, count)| **count > 1).map(|(id, count)| (id.as_str(), *count)).collect()
    }

    /// The ids under which each letter came.
    pub(crate) fn by_number(&self) -> BTreeMap<u64, BTreeSet<&str>> {
        let mut found: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
        for arrival in &self.arrivals {
            found.entry(arrival.number).or_default().insert(&arrival.id);
        }
        found
    }

    /// The longest time in which nothing came, between the first arrival and the last.
    pub(crate) fn longest_gap(&self) -> Duration {
        let mut moments: Vec<Duration> = self.arrivals.iter().map(|arrival| arrival.at).collect();
        moments.sort_unstable();
        moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// The sites that a node served at a moment: those to which it was the last to bring anything, lately.
    pub(crate) fn served_by(&self, node: &str, at: Duration, lately: Duration) -> BTreeSet<&str> {
        let mut last: BTreeMap<&str, &Arrival> = BTreeMap::new();
        let until_then = self.arrivals.iter().filter(|arrival| arrival.at <= at && arrival.at + lately >= at);
        for arrival in until_then {
            last.insert(&arrival.site, arrival);
        }
        last.into_iter().filter(|(_, arrival)| arrival.node == node).map(|(site, _)| site).collect()
    }

    /// How long after a moment another node first brought something to each of these sites; `None` while it has not.
    pub(crate) fn taken_over(&self, sites: &BTreeSet<String>, from: &str, since: Duration) -> Vec<Option<Duration>> {
        let others = |site: &String| {
            let mut found = self.arrivals.iter().filter(|one| one.at > since && one.site == *site && one.node != from);
            found.next().map(|arrival| arrival.at - since)
        };
        sites.iter().map(others).collect()
    }

    /// How long after a moment anything came at all.
    pub(crate) fn first_after(&self, since: Duration) -> Option<Duration> {
        self.arrivals.iter().map(|arrival| arrival.at).filter(|at| *at > since).min().map(|at| at - since)
    }
}

fn arrival(received: &Received) -> Arrival {
    let [to] = received.to.as_slice() else { panic!("{} recipients in one transaction", received.to.len()) };
    let (_, site) = to.rsplit_once('@').expect("a recipient has a domain");
    Arrival {
        id: id_of(&received.from),
        number: number_of(received),
        site: site.to_owned(),
        node: received.hello.clone(),
        at: received.at,
    }
}
