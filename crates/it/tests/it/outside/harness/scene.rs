//! Three nodes that send to sites of this machine, what arrived there, and the accounts made of it.

use super::fleet::{Apart, Fleet, Ground, NODES, greets_as};
use super::letters::{is_for_objector, publish};
use super::tally::Tally;
use super::traffic::{Fate, Fates, Way};
use super::until;
use super::wait::rises_to;
use model::Clock as _;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use testkit::{FakeDns, FakeMx, SystemClock};

/// A site is a node's when that brought the last message there, and not longer ago than this.
const LATELY: Duration = Duration::from_secs(10);

/// The nodes and their sink.
pub(crate) struct Scene {
    pub(crate) mx: FakeMx,
    /// Answers as long as it lives.
    _dns: FakeDns,
    pub(crate) fleet: Fleet,
    pub(crate) tally: Tally,
}

impl Scene {
    /// Starts nodes on a pair of databases, in a folder of the test's own.
    pub(crate) async fn start(folder: &Path, url: &str, keys_url: &str, apart: [Apart; NODES]) -> Self {
        let (mx, dns) = (FakeMx::start().await.unwrap(), FakeDns::start().await.unwrap());
        publish(&dns);
        let ground = Ground {
            folder: folder.to_owned(),
            url: url.to_owned(),
            keys_url: keys_url.to_owned(),
            dns: dns.addr(),
            mx_port: mx.addr().port(),
        };
        let fleet = Fleet::start(&ground, apart).await;
        Self { mx, _dns: dns, fleet, tally: Tally::default() }
    }

    /// Now, and the sites that the node serves.
    pub(crate) async fn sites_of(&mut self, node: usize) -> (Duration, BTreeSet<String>) {
        until("a node to serve sites", async || {
            self.tally.read(&self.mx).await;
            let now = SystemClock.monotonic();
            let sites = self.tally.served_by(&greets_as(node), now, LATELY);
            (!sites.is_empty()).then(|| (now, sites.into_iter().map(str::to_owned).collect()))
        })
        .await
    }

    /// How many milliseconds it took until another node brought something to the first and to the last of these sites.
    pub(crate) async fn taken_over(&mut self, from: usize, since: Duration, sites: &BTreeSet<String>) -> (u128, u128) {
        let from = greets_as(from);
        let times = until(&format!("others to serve {sites:?}"), async || {
            self.tally.read(&self.mx).await;
            self.tally.taken_over(sites, &from, since).into_iter().collect::<Option<Vec<_>>>()
        })
        .await;
        let first = times.iter().min().expect("there are sites");
        (first.as_millis(), times.iter().max().expect("there are sites").as_millis())
    }

    /// Every message that was answered with 250 or 202 has arrived, but for those that are for objectors.
    pub(crate) async fn wait_for_all(&mut self, fates: &Fates) {
        let deliverable = fates.iter().filter(|(number, _)| !is_for_objector(**number));
        let mut missing: BTreeSet<&str> = deliverable.filter_map(|(_, fate)| fate.id.as_deref()).collect();
        let goal = missing.len() as u64;
        rises_to("messages at the sink", goal, async || {
            self.tally.read(&self.mx).await;
            missing.retain(|id| !self.tally.by_id.contains_key(*id));
            goal - missing.len() as u64
        })
        .await;
    }

    /// What arrived was sent, each letter under the id of its answer; further ids only where a client had no answer
    /// and no way to say that it repeats itself. Answers how many of these there are.
    pub(crate) fn nothing_is_invented(&self, fates: &Fates) -> usize {
        let mut twice = 0;
        for (number, ids) in self.tally.by_number() {
            let Fate { way, id, unanswered, put_off, .. } = &fates[&number];
            let id = id.as_deref().unwrap_or_else(|| panic!("letter {number} arrived, and was refused"));
            assert!(ids.contains(id), "letter {number} was answered as {id} and arrived as {ids:?}");
            let further = ids.len() - 1;
            let possible = if *way == Way::Http { 0 } else { unanswered + put_off };
            assert!(further as u64 <= possible, "letter {number} was taken as {ids:?}: {:?}", fates[&number]);
            twice += further;
        }
        twice
    }
}
