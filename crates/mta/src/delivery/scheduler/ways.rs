//! By which of our addresses mail goes: the pool of a lane, the address of a connection, and what changes them.
//!
//! State of a connection: it has none → *bound*, when the receiver's address is known ([`Picture::bind`]) → unbound, to
//! go on by another family or because the address could not be bound → closed.
//! Invariants: a row is in hand in one queue of its domain, whatever was assigned meanwhile; rows that were assigned
//! anew leave the old queue when no connection has them; a connection goes by an address of its queue's pool alone.

use super::outlet::{Outlet, choose};
use super::warm::Warm;
use super::{Entry, Hot, LaneKey, Picture, Pooled};
use crate::delivery::egress::assigned::{Assigned, NOWHERE};
use crate::delivery::egress::warming::group_of;
use crate::delivery::egress::{AddressId, Egress, PoolId};
use crate::delivery::shaping::book::Bears;
use model::stream::Class;
use model::{MessageId, Timestamp};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use store::SANDBOX_SITE;

/// An address that could not be bound is tried again after so long.
const BARRED_FOR: Duration = Duration::from_secs(60);
/// A domain for whose connection there was no address is looked at again after so long.
const SHUT_FOR: Duration = Duration::from_secs(1);

/// Of an address that is not this machine's.
pub(crate) const NOT_OURS: &str = "an egress address cannot be bound: this machine does not have it";
/// Of mail for whose pool this node has no address.
pub(crate) const NO_POOL: &str = "it is assigned to an egress pool that this node does not have";
/// Of a receiver that none of a pool's addresses reaches.
pub(crate) const NO_FAMILY: &str = "no address of its egress pool is of the receiver's family (IPv4 or IPv6)";

/// Pools and who goes by which.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) egress: Arc<Egress>,
    assigned: Assigned,
    /// There was mail for a pool that is not here: there may be queues of it.
    led_nowhere: bool,
    /// What addresses may send that are warmed up.
    pub(super) warm: Warm,
    /// Addresses that could not be bound, until when.
    barred: BTreeMap<AddressId, Timestamp>,
}

impl Ways {
    pub(super) fn new(egress: Arc<Egress>) -> Self {
        Self {
            egress,
            assigned: Assigned::default(),
            led_nowhere: false,
            warm: Warm::default(),
            barred: BTreeMap::new(),
        }
    }

    fn pool_of(&self, key: LaneKey) -> PoolId {
        let assigned = self.assigned.pool_of(key.controller, key.class);
        assigned.unwrap_or_else(|| self.egress.pool_for(key.class))
    }

    /// Is there one queue for each domain?
    fn is_single(&self) -> bool {
        self.egress.pool_count() == 1 && !self.led_nowhere
    }

    pub(super) fn pools(&self) -> impl Iterator<Item = PoolId> + use<> {
        (0..self.egress.pool_count()).map(PoolId).chain([NOWHERE])
    }

    /// Those of a receiver.
    pub(super) fn outlets(&mut self, receiver: &Pooled, bears: Bears) -> Vec<Outlet> {
        let mut outlets = Outlet::of_pool(&self.egress, receiver.pool, bears);
        for outlet in &mut outlets {
            outlet.warm = self.warm.of(outlet.id, group_of(&receiver.name));
            outlet.barred = self.barred.get(&outlet.id).copied();
        }
        outlets
    }
}

/// What came of asking for an address of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bound {
    /// This one.
    To(AddressId),
    /// Those of the family have no place now.
    Full,
    /// None of the pool is of the family.
    NoFamily,
}

impl<R: Hot> Picture<R> {
    /// With these addresses. Before anything else.
    pub(crate) fn with_egress(mut self, egress: Arc<Egress>) -> Self {
        self.ways = Ways::new(egress);
        self
    }

    /// The queue in which a lane of a domain waits.
    pub(crate) fn queue_of(&self, domain: &Arc<str>, key: LaneKey) -> Pooled {
        match self.ways.pool_of(key) {
            // Of the sandbox nothing leaves by any address.
            NOWHERE if **domain == *SANDBOX_SITE => Pooled::new(domain, PoolId::default()),
            pool => Pooled::new(domain, pool),
        }
    }

    /// The queue of the domain in which a row is in hand; else that in which its lane waits.
    pub(super) fn holder_of(&self, domain: &Arc<str>, key: LaneKey, id: MessageId) -> Pooled {
        let queue = self.queue_of(domain, key);
        if self.ways.is_single() || self.has_in_hand(&queue, id) {
            return queue;
        }
        self.others(&queue).find(|other| self.has_in_hand(other, id)).unwrap_or(queue)
    }

    fn has_in_hand(&self, queue: &Pooled, id: MessageId) -> bool {
        self.sites.get(queue).is_some_and(|site| site.in_hand.contains_key(&id))
    }

    fn others(&self, queue: &Pooled) -> impl Iterator<Item = Pooled> + use<R> {
        let queue = queue.clone();
        let others = self.ways.pools().filter(move |pool| *pool != queue.pool);
        let name = Arc::clone(&queue.name);
        others.map(move |pool| Pooled::new(&name, pool))
    }

    /// Is the row in hand in another queue of the domain, by what was assigned before?
    pub(super) fn is_elsewhere(&self, queue: &Pooled, id: MessageId) -> bool {
        !self.ways.is_single() && self.others(queue).any(|other| self.has_in_hand(&other, id))
    }

    /// Every queue of the domain in which a read is under way knows that this row is not to be taken out of its answer.
    pub(super) fn is_released(&mut self, queue: &Pooled, id: MessageId) {
        if self.ways.is_single() {
            return;
        }
        for other in self.others(queue) {
            if let Some(released) = self.sites.get_mut(&other).and_then(|site| site.released.as_mut()) {
                released.insert(id);
            }
        }
    }

    /// Does this lane wait here?
    pub(super) fn is_at_home(&self, queue: &Pooled, key: LaneKey) -> bool {
        self.queue_of(&queue.name, key).pool == queue.pool
    }

    /// Queues of a domain that are in the picture.
    pub(super) fn queues_of(&self, domain: &str) -> Vec<Pooled> {
        let name: Arc<str> = domain.into();
        let all = self.ways.pools().map(|pool| Pooled::new(&name, pool));
        all.filter(|queue| self.sites.contains_key(queue)).collect()
    }

    /// What is assigned has changed: lanes move, rows in hand follow when they are let go. Answers whether it had.
    pub(crate) fn reassign(&mut self, assigned: Assigned) -> bool {
        if self.ways.assigned == assigned {
            return false;
        }
        self.ways.led_nowhere |= assigned.leads_nowhere();
        self.ways.assigned = assigned;
        let queues: Vec<Pooled> = self.sites.keys().cloned().collect();
        for queue in queues {
            self.move_lanes(&queue);
        }
        true
    }

    fn move_lanes(&mut self, queue: &Pooled) {
        let Some(site) = self.sites.get(queue) else { return };
        let keys =
            |class, controllers: Vec<_>| controllers.into_iter().map(move |controller| LaneKey { class, controller });
        let prompt = keys(Class::Prompt, site.prompt.lanes.keys().copied().collect());
        let bulk = keys(Class::Bulk, site.bulk.lanes.keys().copied().collect());
        let away: Vec<LaneKey> = prompt.chain(bulk).filter(|key| !self.is_at_home(queue, *key)).collect();
        for key in away {
            let Some(site) = self.sites.get_mut(queue) else { return };
            let (ready, octets) = (site.ready, site.hot_octets);
            let Some(due) = site.give_up(key) else { continue };
            self.ready -= ready - site.ready;
            self.hot_octets -= octets - site.hot_octets;
            self.sites_with_ready -= usize::from(ready > 0 && site.ready == 0);
            self.note_waiting(queue, key, due);
            self.attend(queue);
        }
    }

    /// A row that was not tried goes to the queue to which its lane moved.
    pub(super) fn follow_lane(&mut self, queue: &Pooled, entry: &Entry<R>) {
        if let Some(site) = self.sites.get_mut(queue) {
            site.let_go(entry.key, entry.id);
        }
        self.is_released(queue, entry.id);
        self.note_waiting(queue, entry.key, entry.due);
    }

    /// An address for a connection to this peer. `via`: the one that it has, which it keeps if it can.
    pub(crate) fn bind(&mut self, queue: &Pooled, via: &mut Option<AddressId>, peer: IpAddr, now: Timestamp) -> Bound {
        let egress = Arc::clone(&self.ways.egress);
        let reaches = |id: AddressId| egress.address(id).is_some_and(|address| address.reaches(peer));
        if let Some(id) = via.filter(|id| reaches(*id)) {
            return Bound::To(id);
        }
        self.unbind(queue, via);
        if !egress.addresses_of(queue.pool).iter().any(|id| reaches(*id)) {
            return Bound::NoFamily;
        }
        let Some(receiver) = self.receiver_of(queue) else { return Bound::Full };
        let bears = receiver.bears;
        let Some(id) = choose(&mut receiver.outlets, &egress, peer, &bears, now) else { return Bound::Full };
        if let Some(site) = self.sites.get_mut(queue) {
            site.bind(Some(id));
        }
        *via = Some(id);
        Bound::To(id)
    }

    /// The connection goes by no address any more.
    pub(crate) fn unbind(&mut self, queue: &Pooled, via: &mut Option<AddressId>) {
        let Some(id) = via.take() else { return };
        if let Some(site) = self.sites.get_mut(queue) {
            site.unbind(Some(id));
        }
        if let Some(receiver) = self.receiver_of(queue) {
            receiver.unbind(Some(id), 1);
        }
    }

    /// There was no address for a connection to the domain: none is opened for a moment.
    pub(crate) fn shut(&mut self, queue: &Pooled, now: Timestamp) {
        let is_barred = self.ways.egress.addresses_of(queue.pool).iter().any(|id| self.is_barred(*id, now));
        if let Some(site) = self.sites.get_mut(queue) {
            site.shut_until = Some(now.plus(SHUT_FOR));
            site.trouble = is_barred.then_some(NOT_OURS);
        }
        self.attend(queue);
    }

    fn is_barred(&self, id: AddressId, now: Timestamp) -> bool {
        self.ways.barred.get(&id).is_some_and(|until| *until > now)
    }

    /// This machine does not have the address: nothing goes by it for a while.
    pub(crate) fn bar(&mut self, id: AddressId, now: Timestamp) {
        self.set_barred(id, Some(now.plus(BARRED_FOR)));
    }

    /// It was bound.
    pub(crate) fn unbar(&mut self, id: AddressId) {
        if self.ways.barred.contains_key(&id) {
            self.set_barred(id, None);
        }
    }

    fn set_barred(&mut self, id: AddressId, until: Option<Timestamp>) {
        match until {
            Some(until) => self.ways.barred.insert(id, until),
            None => self.ways.barred.remove(&id),
        };
        for receiver in self.receivers.values_mut() {
            if let Some(outlet) = receiver.outlet(id) {
                outlet.barred = until;
            }
        }
    }

    /// Until when an address is left out.
    pub(crate) fn barred(&self, id: AddressId, now: Timestamp) -> Option<Timestamp> {
        self.ways.barred.get(&id).copied().filter(|until| *until > now)
    }

    /// Connections by each address.
    pub(crate) fn connections_by_address(&self) -> Vec<u32> {
        let mut counts = vec![0u32; self.ways.egress.addresses().len()];
        for outlet in self.receivers.values().flat_map(|receiver| &receiver.outlets) {
            if let Some(count) = counts.get_mut(usize::from(outlet.id.0)) {
                *count += outlet.connections;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests;
