//! Several members over one table in memory: shares, deaths, stops, fail-overs, drains.

use super::super::watch_of_tests::Watch;
use super::super::{ClockSource, LEDGER_PARTS, QUEUE_PARTS};
use super::*;
use crate::engine::NodeRow;
use async_trait::async_trait;
use model::Timestamp;
use parking_lot::Mutex as Lock;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the database holds.
struct Table {
    watch: Arc<Watch>,
    is_away: AtomicBool,
    rows: Lock<Rows>,
}

#[derive(Default)]
struct Rows {
    nodes: Vec<([u8; 16], NodeRow)>,
    leases: Vec<LeaseRow>,
    incarnations: i64,
}

impl Table {
    fn new() -> Arc<Self> {
        let kinds = [(LeaseKind::Queue, QUEUE_PARTS), (LeaseKind::Ledger, LEDGER_PARTS)];
        let leases = kinds
            .into_iter()
            .flat_map(|(kind, parts)| (0..parts).map(move |part| LeaseRow { kind, part, owner: None, epoch: 0 }));
        let rows = Lock::new(Rows { leases: leases.collect(), ..Rows::default() });
        Arc::new(Self { watch: Watch::at(Duration::from_secs(1_000)), is_away: AtomicBool::new(false), rows })
    }

    fn forward(&self, millis: u64) {
        self.watch.forward(Duration::from_millis(millis));
    }

    fn here(&self) -> Result<Timestamp> {
        if self.is_away.load(Ordering::SeqCst) { Err(Error::Closed) } else { Ok(self.watch.now()) }
    }

    /// A node on this table, with a clock of its own kind.
    fn node(self: &Arc<Self>, identity: u8, roles: Roles) -> Node {
        let clock = Arc::new(NodeClock::new(self.watch.clone(), ClockSource::Database));
        let tenure = Arc::new(Tenure::shared(Arc::clone(&clock) as Arc<dyn Clock>));
        let name = format!("n{identity}");
        let card = NodeCard { identity: [identity; 16], name, roles: roles.bits(), release: "1".into() };
        let member = Member::new(Arc::clone(self) as Arc<dyn Sharing>, clock, Arc::clone(&tenure), card);
        Node { member, tenure }
    }

    fn owners(&self, kind: LeaseKind) -> HashMap<Option<i64>, usize> {
        let mut owners = HashMap::new();
        for lease in self.rows.lock().leases.iter().filter(|lease| lease.kind == kind) {
            *owners.entry(lease.owner).or_default() += 1;
        }
        owners
    }
}

impl Rows {
    fn is_alive(&self, incarnation: i64, now: Timestamp, time_to_live: Duration) -> bool {
        let node = self.nodes.iter().find(|(_, node)| node.seat.incarnation == incarnation);
        node.is_some_and(|(_, node)| now.since(node.seen) < time_to_live)
    }

    fn give(&mut self, is_his: impl Fn(&LeaseRow) -> bool) {
        for lease in self.leases.iter_mut().filter(|lease| is_his(lease)) {
            (lease.owner, lease.epoch) = (None, lease.epoch + 1);
        }
    }
}

#[async_trait]
impl Sharing for Table {
    async fn join(&self, card: &NodeCard) -> Result<Seat> {
        let now = self.here()?;
        let mut rows = self.rows.lock();
        rows.incarnations += 1;
        let number = rows.nodes.iter().find(|(identity, _)| *identity == card.identity);
        let number = number.map_or(u16::try_from(rows.nodes.len()).unwrap(), |(_, node)| node.seat.number);
        let seat = Seat { number, incarnation: rows.incarnations };
        rows.nodes.retain(|(_, node)| node.seat.number != number);
        let (name, release) = (card.name.clone(), card.release.clone());
        let node = NodeRow { seat, name, roles: card.roles, release, seen: now, alive: true };
        rows.nodes.push((card.identity, node));
        Ok(seat)
    }

    async fn beat(&self, seat: Seat, time_to_live: Duration) -> Result<Option<Pulse>> {
        let now = self.here()?;
        match self.rows.lock().nodes.iter_mut().find(|(_, node)| node.seat == seat) {
            Some((_, node)) => node.seen = now,
            None => return Ok(None),
        }
        self.look(time_to_live).await.map(Some)
    }

    async fn set_roles(&self, seat: Seat, roles: i64) -> Result<()> {
        self.here()?;
        let mut rows = self.rows.lock();
        rows.nodes.iter_mut().filter(|(_, node)| node.seat == seat).for_each(|(_, node)| node.roles = roles);
        Ok(())
    }

    async fn look(&self, time_to_live: Duration) -> Result<Pulse> {
        let now = self.here()?;
        let rows = self.rows.lock();
        let told = |(_, node): &([u8; 16], NodeRow)| {
            let alive = rows.is_alive(node.seat.incarnation, now, time_to_live);
            NodeRow { alive, ..node.clone() }
        };
        // In another order each time: nobody may build on it.
        let mut nodes: Vec<NodeRow> = rows.nodes.iter().map(told).collect();
        let turn = usize::try_from(now.seconds()).unwrap() % nodes.len().max(1);
        nodes.rotate_left(turn);
        Ok(Pulse { now, nodes, leases: rows.leases.clone() })
    }

    async fn take(&self, seat: Seat, seen: &[LeaseRow], time_to_live: Duration) -> Result<Vec<LeaseRow>> {
        let now = self.here()?;
        let mut rows = self.rows.lock();
        let mut had = Vec::new();
        for wanted in seen {
            let at = rows.leases.iter().position(|lease| lease == wanted);
            let is_taken = |rows: &Rows, owner: i64| rows.is_alive(owner, now, time_to_live);
            let Some(at) = at.filter(|_| !wanted.owner.is_some_and(|owner| is_taken(&rows, owner))) else { continue };
            let taken = LeaseRow { owner: Some(seat.incarnation), epoch: wanted.epoch + 1, ..*wanted };
            rows.leases[at] = taken;
            had.push(taken);
        }
        Ok(had)
    }

    async fn give(&self, seat: Seat, held: &[LeaseRow]) -> Result<()> {
        self.here()?;
        let is_given = |lease: &LeaseRow, held: &LeaseRow| {
            (lease.kind, lease.part, lease.epoch) == (held.kind, held.part, held.epoch)
        };
        self.rows
            .lock()
            .give(|lease| lease.owner == Some(seat.incarnation) && held.iter().any(|held| is_given(lease, held)));
        Ok(())
    }

    async fn leave(&self, seat: Seat) -> Result<()> {
        self.here()?;
        let mut rows = self.rows.lock();
        rows.give(|lease| lease.owner == Some(seat.incarnation));
        rows.nodes.retain(|(_, node)| node.seat != seat);
        Ok(())
    }
}

struct Node {
    member: Member,
    tenure: Arc<Tenure>,
}

impl Node {
    async fn beat(&self) {
        self.member.round().await.unwrap();
    }

    /// Queue partitions and groups of ledgers that it may act on.
    fn held(&self) -> (usize, usize) {
        (self.tenure.parts().len(), self.tenure.ledger_groups().unwrap().len())
    }
}

/// Rounds of all, a second each.
async fn seconds(table: &Table, nodes: &[&Node], count: usize) {
    for _ in 0..count {
        table.forward(1_000);
        for node in nodes {
            node.beat().await;
        }
        at_most_one(nodes);
    }
}

/// No partition is held by two at any moment.
fn at_most_one(nodes: &[&Node]) {
    let mut parts: Vec<u16> = nodes.iter().flat_map(|node| node.tenure.parts()).collect();
    let all = parts.len();
    parts.sort_unstable();
    parts.dedup();
    assert_eq!(parts.len(), all, "a partition is held twice");
}

#[tokio::test]
async fn shares_are_fair_and_follow_who_comes_and_goes() {
    let table = Table::new();
    let (one, two, three) = (table.node(1, Roles::ALL), table.node(2, Roles::ALL), table.node(3, Roles::SMTP));
    one.beat().await;
    assert_eq!(one.held(), (256, 64), "whoever is first has everything at once");
    two.beat().await;
    assert_eq!(two.held(), (0, 0), "nothing is taken from one who lives");
    one.beat().await;
    two.beat().await;
    assert_eq!((one.held(), two.held()), ((128, 32), (128, 32)), "given back and taken within one round of each");
    seconds(&table, &[&one, &two, &three], 2).await;
    assert_eq!(three.held().0, 0, "who does not deliver has no part of the queue");
    assert!([&one, &two, &three].iter().all(|node| (20..=22).contains(&node.held().1)));
    assert_eq!((one.held().0, two.held().0), (128, 128));
    two.member.leave().await;
    assert_eq!(two.held(), (0, 0));
    seconds(&table, &[&one, &three], 1).await;
    assert_eq!((one.held(), three.held()), ((256, 32), (0, 32)), "who leaves is not waited for");
    let before = table.rows.lock().leases.clone();
    seconds(&table, &[&one, &three], 8).await;
    assert_eq!(table.rows.lock().leases, before, "and then nothing moves");
}

#[tokio::test]
async fn a_dead_nodes_leases_are_taken_after_its_time_and_not_before() {
    let table = Table::new();
    let (one, two) = (table.node(1, Roles::ALL), table.node(2, Roles::ALL));
    seconds(&table, &[&one, &two], 8).await;
    assert_eq!((one.held().0, two.held().0), (128, 128));
    // Two is heard of no more.
    seconds(&table, &[&one], 4).await;
    assert_eq!(one.held().0, 128);
    assert_eq!(two.held(), (0, 0), "it stopped by itself before");
    seconds(&table, &[&one], 2).await;
    assert_eq!(one.held(), (256, 64));
    // It goes on: what it had is another's, and it knows before it may begin anything.
    two.beat().await;
    at_most_one(&[&one, &two]);
    assert_eq!(two.held(), (0, 0));
    assert_eq!(two.tenure.take_changes().lost.len(), 128);
    seconds(&table, &[&one, &two], 2).await;
    assert_eq!((one.held().0, two.held().0), (128, 128));
}

#[tokio::test]
async fn a_node_that_starts_again_has_its_leases_at_once() {
    let table = Table::new();
    let (one, two) = (table.node(1, Roles::ALL), table.node(2, Roles::ALL));
    seconds(&table, &[&one, &two], 7).await;
    let before = two.tenure.parts();
    // Killed, and back at once under the same identity.
    let two = table.node(2, Roles::ALL);
    two.beat().await;
    assert_eq!(two.tenure.parts(), before);
    assert_eq!((one.held().0, two.held()), (128, (128, 32)));
    // Without its folder it is a stranger, and waits for its own earlier life to run out.
    let stranger = table.node(9, Roles::ALL);
    seconds(&table, &[&one, &stranger], 4).await;
    assert_eq!(one.held().0 + stranger.held().0, 256 - 86 - 42, "two's share is as it was, and nobody's yet");
}

#[tokio::test]
async fn a_failover_of_the_database_reshuffles_nothing() {
    let table = Table::new();
    let nodes = [1, 2, 3].map(|identity| table.node(identity, Roles::ALL));
    let all: Vec<&Node> = nodes.iter().collect();
    seconds(&table, &all, 9).await;
    let before = table.rows.lock().leases.clone();
    table.is_away.store(true, Ordering::SeqCst);
    table.forward(12_000);
    for node in &nodes {
        assert!(node.member.round().await.is_err());
        assert_eq!(node.held(), (0, 0), "nothing is begun without a heartbeat");
    }
    table.is_away.store(false, Ordering::SeqCst);
    // For the first one that comes back all others look dead.
    nodes[0].beat().await;
    let share = nodes[0].held();
    assert!((85..=86).contains(&share.0), "it has its own and takes nobody's: {share:?}");
    table.forward(300);
    nodes[2].beat().await;
    nodes[1].beat().await;
    seconds(&table, &all, 9).await;
    assert_eq!(table.rows.lock().leases, before);
    assert_eq!(nodes.iter().map(|node| node.held().0).sum::<usize>(), 256);
}

#[tokio::test]
async fn who_steps_down_is_relieved_at_the_next_heartbeat_of_the_others() {
    let table = Table::new();
    let (one, two) = (table.node(1, Roles::ALL), table.node(2, Roles::ALL));
    seconds(&table, &[&one, &two], 2).await;
    one.member.step_down().await.unwrap();
    assert_eq!(one.held(), (0, 32), "its ledgers it keeps");
    two.beat().await;
    assert_eq!(two.held(), (256, 32));
    seconds(&table, &[&one, &two], 7).await;
    assert_eq!((one.held(), two.held()), ((0, 32), (256, 32)), "and takes none again");
    // Starting again, it has its share again.
    let one = table.node(1, Roles::ALL);
    seconds(&table, &[&one, &two], 2).await;
    assert_eq!((one.held().0, two.held().0), (128, 128));
}

#[tokio::test]
async fn a_step_down_that_the_database_did_not_hear_is_told_again() {
    let table = Table::new();
    let (one, two) = (table.node(1, Roles::ALL), table.node(2, Roles::ALL));
    seconds(&table, &[&one, &two], 2).await;
    table.is_away.store(true, Ordering::SeqCst);
    assert!(one.member.step_down().await.is_err());
    assert_eq!(one.held(), (0, 32), "nothing is begun all the same");
    table.is_away.store(false, Ordering::SeqCst);
    seconds(&table, &[&one, &two], 2).await;
    assert_eq!((one.held(), two.held()), ((0, 32), (256, 32)));
}

#[tokio::test]
async fn a_node_whose_seat_is_anothers_takes_a_new_one_and_holds_nothing_of_the_old() {
    let table = Table::new();
    let one = table.node(1, Roles::ALL);
    seconds(&table, &[&one], 2).await;
    // Another process with a copy of the folder.
    let copy = table.node(1, Roles::ALL);
    copy.beat().await;
    assert_eq!(copy.held().0, 256);
    let changes = one.tenure.take_changes();
    assert_eq!((changes.gained.len(), changes.lost.len()), (256, 0));
    one.beat().await;
    // The old leases were lost before the new ones were had; those of its own seat's last holder it takes at once.
    assert_eq!(one.tenure.take_changes().lost.len(), 256);
    assert_eq!(table.owners(LeaseKind::Queue).len(), 1);
    copy.beat().await;
    one.beat().await;
    assert_eq!(table.rows.lock().nodes.len(), 1);
}
