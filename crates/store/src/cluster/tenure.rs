//! What this node holds, under which epochs, and until when it may act on it.
//!
//! Invariants: nothing is held after the deadline, whether or not any task ran meanwhile: the clock is looked at in
//! each call, so a process that was stopped and goes on begins nothing. What is lost is lost here before the deadline
//! moves. `holds` takes no lock.
//! Never: an extension of the deadline by anything but a heartbeat that was answered.

use super::assign::parts_of;
use super::{ledger_part, queue_part};
use crate::engine::{LeaseKind, LeaseRow, PartLease};
use model::Clock;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// A node takes itself for dead so long after its last good heartbeat was sent: earlier than the others do, with room
/// for clocks that do not run alike and for a final dot that is on its way.
pub(super) const OWN_LIFE: Duration = Duration::from_millis(3_500);
/// For so long nobody else can have its seat ([`crate::engine::Sharing::join`]).
const SEAT_LIFE: Duration = Duration::from_secs(30);

/// The epoch of what is not held.
const NONE: i64 = -1;

/// Which partitions of the queue came and went since they were last asked for. One that is in both went first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TenureChanges {
    /// Held now and not then: their backlog is to be read.
    pub gained: Vec<u16>,
    /// Not held any more: what is remembered of them is to be forgotten.
    pub lost: Vec<u16>,
}

/// What this node holds.
pub struct Tenure {
    /// `None` where the node is alone: it holds everything for good.
    shared: Option<Shared>,
    changes: Mutex<Pending>,
    told: watch::Sender<u64>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    /// Microseconds of [`Clock::monotonic`]; nothing is held from then on.
    deadline: AtomicU64,
    /// And from then on the seat may be another's.
    seated_until: AtomicU64,
    /// Seat: the lower bits of ids.
    number: AtomicU16,
    /// Epochs by partition. Written by the member alone.
    queue: Vec<AtomicI64>,
    ledger: Vec<AtomicI64>,
    /// Rises with each group of ledgers that came.
    ledger_gains: AtomicU64,
}

#[derive(Default)]
struct Pending {
    gained: BTreeSet<u16>,
    lost: BTreeSet<u16>,
}

impl Tenure {
    /// Of a node that shares its store with nobody.
    pub(crate) fn alone() -> Self {
        Self { shared: None, changes: Mutex::default(), told: watch::Sender::new(0) }
    }

    /// Of a node among others: nothing is held yet.
    pub(crate) fn shared(clock: Arc<dyn Clock>) -> Self {
        let none = |kind| (0..parts_of(kind)).map(|_| AtomicI64::new(NONE)).collect();
        let shared = Shared {
            clock,
            deadline: AtomicU64::new(0),
            seated_until: AtomicU64::new(0),
            number: AtomicU16::new(0),
            queue: none(LeaseKind::Queue),
            ledger: none(LeaseKind::Ledger),
            ledger_gains: AtomicU64::new(0),
        };
        Self { shared: Some(shared), changes: Mutex::default(), told: watch::Sender::new(0) }
    }

    /// Does the node share its store with nobody? Then it holds everything, and nothing ever changes.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.shared.is_none()
    }

    /// May something be begun now for this destination site? Asked before MAIL and again before the final dot.
    #[must_use]
    pub fn holds(&self, site: &str) -> bool {
        self.lease(queue_part(site)).is_some()
    }

    /// How long something that is begun now may take before the node must stop by itself. Without end where the node
    /// is alone, nothing after the deadline.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        let Some(shared) = &self.shared else { return Duration::MAX };
        let deadline = Duration::from_micros(shared.deadline.load(Ordering::Acquire));
        deadline.saturating_sub(shared.clock.monotonic())
    }

    /// The queue partitions held now.
    #[must_use]
    pub fn parts(&self) -> Vec<u16> {
        match &self.shared {
            Some(shared) => shared.held(LeaseKind::Queue),
            None => (0..parts_of(LeaseKind::Queue)).collect(),
        }
    }

    /// A number that rises when what is held changes, or counts again after the deadline had passed.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }

    /// What came and went since this was last called.
    #[must_use]
    pub fn take_changes(&self) -> TenureChanges {
        let pending = std::mem::take(&mut *self.changes.lock());
        TenureChanges { gained: pending.gained.into_iter().collect(), lost: pending.lost.into_iter().collect() }
    }

    /// The lease under which something may be begun in a partition of the queue.
    pub(crate) fn lease(&self, part: u16) -> Option<PartLease> {
        let Some(shared) = &self.shared else { return Some(PartLease { part: 0, epoch: 0 }) };
        shared.epoch(LeaseKind::Queue, part).map(|epoch| PartLease { part, epoch })
    }

    /// Is this controller's ledger sequenced and exported by this node?
    pub(crate) fn keeps_ledger(&self, controller: i64) -> bool {
        let Some(shared) = &self.shared else { return true };
        shared.epoch(LeaseKind::Ledger, ledger_part(controller)).is_some()
    }

    /// The groups whose ledgers this node sequences; `None` means all.
    pub(crate) fn ledger_groups(&self) -> Option<Vec<u16>> {
        Some(self.shared.as_ref()?.held(LeaseKind::Ledger))
    }

    /// How many groups of ledgers came so far: their heads may have moved while others held them.
    pub(crate) fn ledger_gains(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.ledger_gains.load(Ordering::Acquire))
    }

    /// Has the node a seat that no other can have meanwhile? Then ids that it made are its own.
    pub(crate) fn is_seated(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.is_before(&shared.seated_until))
    }

    /// The lower bits of ids.
    pub(crate) fn number(&self) -> u16 {
        self.shared.as_ref().map_or(0, |shared| shared.number.load(Ordering::Acquire))
    }
}

/// What the member tells. It is one, and speaks for itself alone.
impl Tenure {
    /// The node has this seat from now on.
    pub(super) fn sit(&self, number: u16) {
        if let Some(shared) = &self.shared {
            shared.number.store(number, Ordering::Release);
        }
    }

    /// The seat is given up, or another's: nothing is held either.
    pub(super) fn stand_up(&self) {
        if let Some(shared) = &self.shared {
            shared.seated_until.store(0, Ordering::Release);
        }
        self.hold_exactly(&[]);
    }

    /// Everything that is held from now on. Told before the deadline is moved.
    pub(super) fn hold_exactly(&self, held: &[LeaseRow]) {
        let Some(shared) = &self.shared else { return };
        let mut changes = self.changes.lock();
        let mut changed = false;
        for kind in [LeaseKind::Queue, LeaseKind::Ledger] {
            for part in 0..parts_of(kind) {
                let now = held.iter().find(|lease| lease.kind == kind && lease.part == part);
                changed |= shared.put(kind, part, now.map_or(NONE, |lease| lease.epoch), &mut changes);
            }
        }
        drop(changes);
        self.tell_if(changed);
    }

    /// These are held as well.
    pub(super) fn hold_also(&self, had: &[LeaseRow]) {
        let Some(shared) = &self.shared else { return };
        let mut changes = self.changes.lock();
        let mut changed = false;
        for lease in had {
            changed |= shared.put(lease.kind, lease.part, lease.epoch, &mut changes);
        }
        drop(changes);
        self.tell_if(changed);
    }

    /// A heartbeat was answered that was sent at this moment.
    pub(super) fn extend(&self, sent: Duration) {
        let Some(shared) = &self.shared else { return };
        let lapsed = !shared.is_in_time();
        shared.seated_until.store(micros(sent.saturating_add(SEAT_LIFE)), Ordering::Release);
        shared.deadline.store(micros(sent.saturating_add(OWN_LIFE)), Ordering::Release);
        // What was left alone meanwhile can be begun again.
        self.tell_if(lapsed);
    }

    /// Everything held at this moment, whatever the deadline says.
    pub(super) fn all(&self) -> Vec<LeaseRow> {
        let Some(shared) = &self.shared else { return Vec::new() };
        let kinds = [LeaseKind::Queue, LeaseKind::Ledger];
        let rows = kinds.into_iter().flat_map(|kind| (0..parts_of(kind)).map(move |part| (kind, part)));
        rows.filter_map(|(kind, part)| {
            shared.lease(kind, part).map(|epoch| LeaseRow { kind, part, owner: None, epoch })
        })
        .collect()
    }

    fn tell_if(&self, changed: bool) {
        if changed {
            self.told.send_modify(|turn| *turn += 1);
        }
    }
}

fn micros(moment: Duration) -> u64 {
    u64::try_from(moment.as_micros()).unwrap_or(u64::MAX)
}

impl Shared {
    fn is_in_time(&self) -> bool {
        self.is_before(&self.deadline)
    }

    /// The limit is read before the clock is.
    fn is_before(&self, limit: &AtomicU64) -> bool {
        let limit = limit.load(Ordering::Acquire);
        micros(self.clock.monotonic()) < limit
    }

    /// The epoch under which it is held. The deadline is looked at first: what was lost was taken out before the
    /// deadline moved, so nobody sees a new deadline with an old lease.
    fn epoch(&self, kind: LeaseKind, part: u16) -> Option<i64> {
        if self.is_in_time() { self.lease(kind, part) } else { None }
    }

    /// All that is held, or nothing: never the half of it because the deadline passed meanwhile.
    fn held(&self, kind: LeaseKind) -> Vec<u16> {
        if !self.is_in_time() {
            return Vec::new();
        }
        (0..parts_of(kind)).filter(|part| self.lease(kind, *part).is_some()).collect()
    }

    /// The epoch of a lease, whatever the deadline says.
    fn lease(&self, kind: LeaseKind, part: u16) -> Option<i64> {
        Some(self.place(kind, part)?.load(Ordering::Acquire)).filter(|epoch| *epoch != NONE)
    }

    fn place(&self, kind: LeaseKind, part: u16) -> Option<&AtomicI64> {
        match kind {
            LeaseKind::Queue => self.queue.get(usize::from(part)),
            LeaseKind::Ledger => self.ledger.get(usize::from(part)),
        }
    }

    /// Another epoch of the same partition is another lease: what was known under the old one is stale.
    fn put(&self, kind: LeaseKind, part: u16, epoch: i64, changes: &mut Pending) -> bool {
        let Some(place) = self.place(kind, part) else { return false };
        let before = place.swap(epoch, Ordering::AcqRel);
        if before == epoch {
            return false;
        }
        if kind == LeaseKind::Ledger {
            if epoch != NONE {
                self.ledger_gains.fetch_add(1, Ordering::AcqRel);
            }
            return true;
        }
        if before != NONE {
            changes.gained.remove(&part);
            changes.lost.insert(part);
        }
        if epoch != NONE {
            changes.gained.insert(part);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::watch_of_tests::Watch;
    use super::*;

    fn lease(kind: LeaseKind, part: u16, epoch: i64) -> LeaseRow {
        LeaseRow { kind, part, owner: None, epoch }
    }

    fn queue(part: u16, epoch: i64) -> LeaseRow {
        lease(LeaseKind::Queue, part, epoch)
    }

    #[test]
    fn a_node_that_is_alone_holds_everything_for_good() {
        let tenure = Tenure::alone();
        assert!(tenure.is_alone() && tenure.holds("dest.example") && tenure.is_seated());
        assert!(tenure.keeps_ledger(1) && tenure.ledger_groups().is_none());
        tenure.hold_exactly(&[]);
        tenure.extend(Duration::ZERO);
        assert!(tenure.holds("dest.example") && !tenure.subscribe().has_changed().unwrap());
        assert_eq!((tenure.take_changes(), tenure.remaining()), (TenureChanges::default(), Duration::MAX));
    }

    #[test]
    fn nothing_is_begun_after_the_deadline_even_if_no_task_ran() {
        let watch = Watch::at(Duration::from_secs(100));
        let tenure = Tenure::shared(watch.clone());
        tenure.hold_exactly(&[queue(queue_part("dest.example"), 7), lease(LeaseKind::Ledger, ledger_part(1), 3)]);
        assert!(!tenure.holds("dest.example"), "no heartbeat was answered yet");
        tenure.extend(Duration::from_secs(100));
        assert_eq!(tenure.lease(49), Some(PartLease { part: 49, epoch: 7 }));
        assert!(tenure.holds("dest.example") && tenure.keeps_ledger(1) && tenure.is_seated());
        assert!(!tenure.holds("elsewhere.example") && !tenure.keeps_ledger(2));
        assert_eq!(tenure.parts(), [49]);
        watch.forward(Duration::from_millis(3_499));
        assert!(tenure.holds("dest.example"));
        assert_eq!(tenure.remaining(), Duration::from_millis(1));
        // As after a stop: nothing ran, and the clock went on.
        watch.forward(Duration::from_millis(1));
        assert!(!tenure.holds("dest.example") && !tenure.keeps_ledger(1));
        assert_eq!((tenure.remaining(), tenure.ledger_groups()), (Duration::ZERO, Some(Vec::new())));
        assert!(tenure.is_seated(), "its ids are its own for longer");
        watch.forward(Duration::from_millis(26_499));
        assert!(tenure.is_seated());
        watch.forward(Duration::from_millis(1));
        assert!(!tenure.is_seated());
        // The twin: the next heartbeat is answered, and the leases are still there.
        let mut told = tenure.subscribe();
        tenure.extend(Duration::from_secs(130));
        assert!(tenure.holds("dest.example") && told.has_changed().unwrap());
        told.mark_unchanged();
        tenure.extend(Duration::from_secs(131));
        assert!(!told.has_changed().unwrap(), "nothing changed for anybody");
        tenure.stand_up();
        assert!(!tenure.holds("dest.example") && !tenure.is_seated());
    }

    #[test]
    fn what_came_and_went_is_told_once() {
        let tenure = Tenure::shared(Watch::at(Duration::ZERO));
        tenure.extend(Duration::from_secs(9));
        let told = tenure.subscribe();
        tenure.hold_exactly(&[queue(1, 1), queue(2, 1)]);
        tenure.hold_also(&[queue(3, 1), lease(LeaseKind::Ledger, 1, 1)]);
        assert_eq!(tenure.take_changes(), TenureChanges { gained: vec![1, 2, 3], lost: Vec::new() });
        assert_eq!(tenure.take_changes(), TenureChanges::default());
        // Once for the deadline, and once for each of the two.
        assert_eq!((*told.borrow(), tenure.ledger_gains()), (3, 1));
        // Lost; had again under another epoch; as before; lost and had again before anybody asked.
        tenure.hold_exactly(&[queue(2, 5), queue(3, 1), lease(LeaseKind::Ledger, 1, 1)]);
        assert_eq!(tenure.take_changes(), TenureChanges { gained: vec![2], lost: vec![1, 2] });
        tenure.hold_exactly(&[queue(2, 5)]);
        tenure.hold_also(&[queue(3, 3)]);
        assert_eq!(tenure.take_changes(), TenureChanges { gained: vec![3], lost: vec![3] });
        // Had and lost before anybody asked.
        tenure.hold_also(&[queue(9, 1)]);
        tenure.hold_exactly(&[queue(2, 5), queue(3, 3)]);
        assert_eq!(tenure.take_changes(), TenureChanges { gained: Vec::new(), lost: vec![9] });
        let all: Vec<_> = tenure.all().into_iter().map(|lease| (lease.part, lease.epoch)).collect();
        assert_eq!(all, [(2, 5), (3, 3)]);
    }
}
