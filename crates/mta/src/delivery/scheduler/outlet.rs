//! One of our addresses at a receiver: what it has there, and what the receiver bears of it.
//!
//! Receivers count by address, so connections, rate and back-off are each address's own; a receiver that is left alone
//! by one of our addresses still has mail by the others of the pool.
//! Invariants: an address has one entry at a receiver; `connections` counts those that are bound to it; mail that goes
//! by it was counted before it was handed out.

use super::super::egress::warming::Allowance;
use super::super::egress::{AddressId, Egress, PoolId};
use super::super::shaping::Pressure;
use super::super::shaping::book::Bears;
use super::super::shaping::rate::{Most, Rate};
use model::Timestamp;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Parts of a warm-up cap come so often.
const GRANTS_EVERY: Duration = Duration::from_secs(2);

/// An address at a receiver.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) id: AddressId,
    weight: i64,
    /// Its turn among those of equal standing: smooth weighted round robin.
    credit: i64,
    pub(super) connections: u32,
    pub(super) pressure: Pressure,
    /// Only where it is limited or wanted to be seen: it is large.
    rate: Option<Box<Rate>>,
    /// What it may send, while it is warmed up.
    pub(super) warm: Option<Arc<Allowance>>,
    /// It cannot be bound, and is tried again then.
    pub(super) barred: Option<Timestamp>,
}

fn counted(bears: Bears) -> Option<Box<Rate>> {
    bears.is_counted.then(|| Box::new(Rate::new()))
}

impl Outlet {
    fn new(id: AddressId, weight: u32, bears: Bears) -> Self {
        Self {
            id,
            weight: i64::from(weight),
            credit: 0,
            connections: 0,
            pressure: Pressure::new(bears.connections),
            rate: counted(bears),
            warm: None,
            barred: None,
        }
    }

    /// Those of a pool.
    pub(super) fn of_pool(egress: &Egress, pool: PoolId, bears: Bears) -> Vec<Self> {
        let weight = |id: &AddressId| egress.address(*id).map_or(1, |address| address.weight);
        egress.addresses_of(pool).iter().map(|id| Self::new(*id, weight(id), bears)).collect()
    }

    pub(super) fn reshaped(&mut self, before: Bears, bears: Bears) {
        if bears.is_counted != before.is_counted {
            self.rate = counted(bears);
        }
        self.pressure.reshaped(bears.connections);
    }

    /// Nothing goes by it until then.
    pub(super) fn away(&self, now: Timestamp) -> Option<Timestamp> {
        self.pressure.backing_off(now).max(self.barred.filter(|until| *until > now))
    }

    fn most(&self, bears: &Bears) -> Most {
        let part = |most: u32| {
            let part = u64::from(most) * u64::from(self.pressure.percent()) / 100;
            u32::try_from(part).unwrap_or(most).max(1)
        };
        Most { per_minute: bears.most.per_minute.map(part), per_hour: bears.most.per_hour.map(part) }
    }

    /// Messages that may be handed out now.
    pub(super) fn room(&mut self, bears: &Bears, now: Timestamp) -> u32 {
        let most = self.most(bears);
        let room = self.rate.as_mut().map_or(u32::MAX, |rate| rate.room(most, now));
        self.warm.as_ref().map_or(room, |warm| room.min(warm.room()))
    }

    /// When the next may be, where none may now.
    pub(super) fn next_at(&mut self, bears: &Bears, now: Timestamp) -> Option<Timestamp> {
        let most = self.most(bears);
        let next = self.rate.as_mut().and_then(|rate| rate.next_at(most, now));
        let warm = self.warm.as_ref().filter(|warm| warm.left() == 0);
        // Of a day that is over nothing is left, and of the next nothing is granted yet.
        let opens = |warm: &Allowance| warm.opens().filter(|at| *at > now).unwrap_or(now.plus(GRANTS_EVERY));
        next.max(warm.map(|warm| opens(warm)))
    }

    pub(super) fn take(&mut self, count: u32, now: Timestamp) {
        if let Some(rate) = &mut self.rate {
            rate.take(count, now);
        }
        if let Some(warm) = &self.warm {
            warm.take(count);
        }
    }

    pub(super) fn give_back(&mut self, count: u32) {
        if let Some(rate) = &mut self.rate {
            rate.give_back(count);
        }
        if let Some(warm) = &self.warm {
            warm.give_back(count);
        }
    }

    /// Handed out within the last minute and hour, where that is counted.
    pub(super) fn taken(&mut self, now: Timestamp) -> Option<(u32, u32)> {
        self.rate.as_mut().map(|rate| rate.taken(now))
    }

    /// Connections that it may have beside those that it has.
    pub(super) fn spare(&self) -> u32 {
        self.pressure.allowed().saturating_sub(self.connections)
    }
}

/// Which of them takes one more connection to this peer: each by its weight.
pub(super) fn choose(
    outlets: &mut [Outlet],
    egress: &Egress,
    peer: IpAddr,
    bears: &Bears,
    now: Timestamp,
) -> Option<AddressId> {
    let mut fitting: Vec<&mut Outlet> = Vec::with_capacity(outlets.len());
    for outlet in outlets {
        let reaches = egress.address(outlet.id).is_some_and(|address| address.reaches(peer));
        if reaches && outlet.away(now).is_none() && outlet.spare() > 0 && outlet.room(bears, now) > 0 {
            fitting.push(outlet);
        }
    }
    let sum: i64 = fitting.iter().map(|outlet| outlet.weight).sum();
    for outlet in &mut fitting {
        outlet.credit += outlet.weight;
    }
    let chosen = fitting.into_iter().max_by_key(|outlet| (outlet.credit, std::cmp::Reverse(outlet.id)))?;
    chosen.credit -= sum;
    chosen.connections += 1;
    Some(chosen.id)
}
