//! A load on three nodes and two database servers, of which some are killed and some hang, and what it came to.
//!
//! In every run: SIGKILL for a node, which starts again later; SIGSTOP for another, beyond its leases; SIGKILL for the
//! primary while the standby is promoted and persons object to further mail. Order, victims and moments are the seed's.

use super::audit;
use super::fleet::{ask, suppress};
use super::letters::{SITES, is_for_objector, objector, objectors, recipient, request};
use super::load::chance;
use super::scene::Scene;
use super::traffic::{Clients, Fates, Traffic};
use super::until;
use super::wait::{passed, rises_to};
use model::Clock as _;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use testkit::SystemClock;
use testkit::mx::Conduct;
use testkit::postgres::{Cluster, Flushing, Major, Replication, url_of};

/// Longer than any node may act on what it held when it was stopped.
const HANGS_FOR: Duration = Duration::from_secs(8);
/// After a node's death its sites are served by another within this time. A benchmark has the figure; this is so much
/// that a busy machine and a program that was not optimised do not matter.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(20);
/// Whatever happens, something is delivered at least so often as long as anything is due.
const STALL_MAX: Duration = Duration::from_secs(60);
/// From the answer to an objection to its effect on every node.
const EFFECT_WITHIN: Duration = Duration::from_secs(1);
/// What can be under way without a durable outcome when a node dies, stops, or loses its database: one message on each
/// of its connections (500 in all), and the outcomes that wait to be written down (1,024 and a batch of 256).
const UNDER_WAY_MAX: usize = 500 + 1_024 + 256;
/// The databases' names.
const MAIN: &str = "mail";
const KEYS: &str = "mail_keys";

/// How much is sent, by how many, and what decides over the faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failover {
    pub(crate) messages: u64,
    pub(crate) clients: Clients,
    pub(crate) seed: u64,
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    NodeDies,
    NodeHangs,
    PrimaryDies,
}

/// What a run came to. Times in milliseconds.
#[derive(Default, Debug)]
pub(crate) struct Report {
    /// From the first message to the last.
    pub(crate) took: u128,
    /// Until the first and the last site of the dead node was served by another.
    pub(crate) dead_taken_over: (u128, u128),
    /// The same for the node that hung.
    pub(crate) hung_taken_over: (u128, u128),
    /// From the death of the primary to the standby's promotion, and from there to the first delivery.
    pub(crate) without_primary: (u128, u128),
    /// The longest time without any delivery.
    pub(crate) longest_gap: u128,
    /// The last attempt for somebody who objected, after the answer to him; nothing if there was none.
    pub(crate) last_after_objection: Option<u128>,
    /// Messages that came more than once; all of them marked.
    pub(crate) doubles: usize,
    /// Letters that the clients sent twice, for want of an answer, and that were taken twice.
    pub(crate) sent_twice: usize,
    /// Tries without an answer, and with a temporary one.
    pub(crate) tries_in_vain: (u64, u64),
    /// Entries of all ledgers.
    pub(crate) entries: u64,
}

struct Run {
    state: u64,
    primary: Cluster,
    standby: Cluster,
    scene: Scene,
    /// When each objection was answered.
    objections: BTreeMap<String, Duration>,
    report: Report,
}

impl Failover {
    /// Runs it in a folder of the test's own.
    pub(crate) async fn run(self, folder: &Path) -> Report {
        self.say();
        let mut run = Run::start(self.seed, folder).await;
        let (doors, began) = (run.scene.fleet.doors(), SystemClock.monotonic());
        let traffic = Traffic::start(&doors, &run.scene.fleet.accounts, 0..self.messages, self.clients);
        let mut victims = run.shuffled([0, 1, 2]).into_iter();
        for (turn, fault) in (0..).zip(run.shuffled([Fault::NodeDies, Fault::NodeHangs, Fault::PrimaryDies])) {
            // In the second, fourth and sixth eighth of the load.
            let moment = self.messages * (2 * turn + 1) / 8 + run.chance() % (self.messages / 8);
            rises_to("answers", moment, async || traffic.answered()).await;
            say(&format!("{} {fault:?} at {moment}", SystemClock.now().micros()));
            match fault {
                Fault::NodeDies => run.a_node_dies(victims.next().expect("three victims")).await,
                Fault::NodeHangs => run.a_node_hangs(victims.next().expect("three victims")).await,
                Fault::PrimaryDies => run.the_primary_dies().await,
            }
        }
        rises_to("answers", self.messages, async || traffic.answered()).await;
        let fates = traffic.finish().await;
        run.scene.wait_for_all(&fates).await;
        run.report.took = (SystemClock.monotonic() - began).as_millis();
        run.account(&fates).await
    }

    fn say(&self) {
        say(&format!("{self:?}"));
    }
}

impl Run {
    async fn start(seed: u64, folder: &Path) -> Self {
        // What is killed is the server, not the machine: nothing is lost that the system has.
        let primary = Cluster::builder(Major::Fifteen).flushing(Flushing::Off).start().await;
        primary.create_database(MAIN).await;
        primary.create_database(KEYS).await;
        let standby = primary.standby("second", Replication::Synchronous).await;
        let servers = [&primary, &standby];
        let (url, keys_url) = (url_of(&servers, MAIN), url_of(&servers, KEYS));
        let scene = Scene::start(folder, &url, &keys_url, Default::default()).await;
        // Their mail waits in the queue: nobody says that they get none, but nobody takes it now.
        objectors().for_each(|address| scene.mx.treat(&address, Conduct::defer(451, "4.2.2 the mailbox is full")));
        Self { state: seed, primary, standby, scene, objections: BTreeMap::new(), report: Report::default() }
    }

    fn chance(&mut self) -> u64 {
        chance(&mut self.state)
    }

    fn shuffled<T, const N: usize>(&mut self, mut items: [T; N]) -> [T; N] {
        for end in (1..N).rev() {
            let other = usize::try_from(self.chance()).unwrap() % (end + 1);
            items.swap(end, other);
        }
        items
    }

    async fn a_node_dies(&mut self, victim: usize) {
        let (at, sites) = self.scene.sites_of(victim).await;
        self.scene.fleet.nodes[victim].kill9();
        self.report.dead_taken_over = self.scene.taken_over(victim, at, &sites).await;
        self.scene.fleet.nodes[victim].restart().await;
    }

    async fn a_node_hangs(&mut self, victim: usize) {
        let (at, sites) = self.scene.sites_of(victim).await;
        self.scene.fleet.nodes[victim].halt();
        self.report.hung_taken_over = self.scene.taken_over(victim, at, &sites).await;
        let longer = Duration::from_millis(self.chance() % 4_000);
        passed(at, HANGS_FOR + longer).await;
        self.scene.fleet.nodes[victim].go_on();
    }

    /// Meanwhile persons object, by whichever node answers.
    async fn the_primary_dies(&mut self) {
        let at = SystemClock.monotonic();
        let longer = Duration::from_millis(self.chance() % 4_000);
        let peers = self.scene.fleet.nodes.iter().map(|node| node.address("http")).collect();
        let objecting = object(peers, self.scene.fleet.accounts[0].api_key.clone(), self.chance());
        self.primary.kill().await;
        let promoting = async {
            passed(at, longer).await;
            self.standby.promote().await;
            let promoted = SystemClock.monotonic();
            let first = until("the first delivery with the new primary", async || {
                self.scene.tally.read(&self.scene.mx).await;
                self.scene.tally.first_after(promoted)
            })
            .await;
            ((promoted - at).as_millis(), first.as_millis())
        };
        (self.report.without_primary, self.objections) = tokio::join!(promoting, objecting);
    }

    async fn account(mut self, fates: &Fates) -> Report {
        self.report.tries_in_vain =
            fates.values().fold((0, 0), |(no, later), fate| (no + fate.unanswered, later + fate.put_off));
        self.report.longest_gap = self.scene.tally.longest_gap().as_millis();
        self.report.doubles = self.scene.tally.doubles().len();
        say(&format!("{:?}", self.report));
        self.objections_were_heeded(fates).await;
        self.report.sent_twice = self.scene.nothing_is_invented(fates);
        let timelines = audit::timelines(&self.scene.fleet, fates, &self.scene.tally).await;
        let nothing = async || self.standby.ask(MAIN, "TABLE ledger_inbox").await.is_empty().then_some(());
        until("all entries to have their places", nothing).await;
        self.scene.fleet.terminate().await;
        self.report.entries = audit::ledgers(&self.scene.fleet, fates, 0, &timelines).await;
        say(&format!("{:?}", self.report));
        let within = |limit: Duration, millis: u128| assert!(millis <= limit.as_millis(), "{:?}", self.report);
        within(STALL_MAX, self.report.longest_gap);
        within(TAKEN_OVER_WITHIN, self.report.dead_taken_over.0);
        assert!(self.report.doubles <= 3 * UNDER_WAY_MAX, "{:?}", self.report);
        self.report
    }

    /// A second after its answer an objection holds on every node: nothing is tried, nothing is taken.
    async fn objections_were_heeded(&mut self, fates: &Fates) {
        let latest = self.scene.mx.wait_until("the sink's counts", |_, counts| Some(counts.latest.clone())).await;
        for (address, answered) in &self.objections {
            let after = latest.get(address).and_then(|last| last.checked_sub(*answered));
            assert!(after.is_none_or(|after| after <= EFFECT_WITHIN), "{address} was tried {after:?} after the answer");
            self.report.last_after_objection =
                self.report.last_after_objection.max(after.map(|after| after.as_millis()));
        }
        let mut refused_by = BTreeSet::new();
        for (number, fate) in fates {
            let answered = self.objections.get(&recipient(*number));
            match &fate.refused {
                Some(why) => {
                    assert!(is_for_objector(*number) && why.contains("suppressed"), "letter {number}: {why}");
                    refused_by.insert(fate.node);
                }
                None => assert!(
                    answered.is_none_or(|answered| fate.begun <= *answered + EFFECT_WITHIN),
                    "letter {number} was taken after the objection: {fate:?} {answered:?}"
                ),
            }
        }
        say(&format!("letters to objectors were refused by {refused_by:?}"));
        for node in &self.scene.fleet.nodes {
            let (peer, key) = (node.address("http"), &self.scene.fleet.accounts[0].api_key);
            let answer = ask(peer, key, "POST", "/v1/messages", &request(0).to_string()).await;
            let answer = answer.expect("a node that answers");
            assert_eq!(answer.status, 422, "{}", answer.text());
            assert!(answer.text().contains("suppressed"), "{}", answer.text());
        }
    }
}

/// Everybody who objects does so until he is answered.
async fn object(peers: Vec<SocketAddr>, key: String, seed: u64) -> BTreeMap<String, Duration> {
    let mut state = seed;
    let mut answered = BTreeMap::new();
    for site in 0..SITES {
        let address = objector(site);
        until("an objection to be answered", async || {
            let peer = peers[usize::try_from(chance(&mut state)).unwrap() % peers.len()];
            suppress(peer, &key, &address).await.then_some(())
        })
        .await;
        answered.insert(address, SystemClock.monotonic());
    }
    answered
}

/// The runner shows it when the test fails, or is asked to.
#[expect(clippy::print_stdout, reason = "the figures of a run are read by people")]
fn say(text: &str) {
    println!("{text}");
}
