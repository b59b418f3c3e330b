//! One receiver: who takes mail for a domain or for ten thousand, with the limits that they share. Operators call it a
//! site; in the picture, a site is the queue of one domain.
//!
//! Invariants: `connections` counts those of all member domains; a place is given to whoever is called from the line,
//! and to others only when nobody is; what is taken of the rate is counted before it is handed out.

use super::super::egress::AddressId;
use super::super::shaping::Shaping;
use super::super::shaping::book::Bears;
use super::Pooled;
use super::line::Line;
use super::outlet::Outlet;
use super::ways::NOT_OURS;
use model::Timestamp;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;

/// A receiver that is stopped by order is looked at again after so long; whoever takes the order back ends it at once.
const STOPPED_LOOK: Duration = Duration::from_secs(60);

/// A receiver, as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceiverStatus {
    /// Its name: a provider's id, a name that an operator gave, or its exchangers.
    pub name: String,
    /// The egress pool whose mail this is about.
    pub pool: String,
    /// Domains in the picture that are its own.
    pub domains: usize,
    /// Of them, and of their lanes, those that wait for a place.
    pub waiting: usize,
    /// Connections open or being opened.
    pub connections: u32,
    /// Connections that it may have now.
    pub connections_allowed: u32,
    /// Connections that it may have when all is well.
    pub connections_max: u32,
    /// The part of its rate that it may have now, in percent.
    pub rate_percent: u32,
    /// Messages that it may have in a minute when all is well.
    pub per_minute_max: Option<u32>,
    /// Messages that it may have in an hour when all is well.
    pub per_hour_max: Option<u32>,
    /// Messages handed out within the last minute, where they are counted: at providers of the table, and where there
    /// is a limit.
    pub last_minute: Option<u32>,
    /// The same within the last hour.
    pub last_hour: Option<u32>,
    /// Left alone until then, by itself.
    pub backing_off_until: Option<Timestamp>,
    /// Left alone by order.
    pub stopped: bool,
    /// What it last said against us, in words without personal data, and when.
    pub trouble: Option<(&'static str, Timestamp)>,
}

/// A receiver.
#[derive(Debug)]
pub(super) struct Receiver {
    /// What it bears of each of our addresses.
    pub(super) bears: Bears,
    /// Those of the pool.
    pub(super) outlets: Vec<Outlet>,
    /// All connections, with those that have not found their address yet.
    pub(super) connections: u32,
    pub(super) members: HashSet<Pooled>,
    pub(super) line: Line,
    /// Domains that were called from the line, and have not taken their place yet.
    pub(super) called: HashSet<Pooled>,
    /// Domains with connections that had nothing to do; a domain may have something again.
    idlers: VecDeque<Pooled>,
    idle: HashSet<Pooled>,
    /// Its one entry among the timers of receivers.
    pub(super) timer: Option<Timestamp>,
    trouble: Option<(&'static str, Timestamp)>,
}

impl Receiver {
    pub(super) fn new(bears: Bears, outlets: Vec<Outlet>) -> Self {
        Self {
            bears,
            outlets,
            connections: 0,
            members: HashSet::new(),
            line: Line::default(),
            called: HashSet::new(),
            idlers: VecDeque::new(),
            idle: HashSet::new(),
            timer: None,
            trouble: None,
        }
    }

    /// What it bears is said anew.
    pub(super) fn reshaped(&mut self, bears: Bears) {
        for outlet in &mut self.outlets {
            outlet.reshaped(self.bears, bears);
        }
        self.bears = bears;
    }

    pub(super) fn outlet(&mut self, id: AddressId) -> Option<&mut Outlet> {
        self.outlets.iter_mut().find(|outlet| outlet.id == id)
    }

    /// Left alone until then, by every address of ours.
    pub(super) fn away(&self, now: Timestamp) -> Option<Timestamp> {
        if self.bears.stopped {
            return Some(now.plus(STOPPED_LOOK));
        }
        // An open one is nothing, which is less than any moment.
        self.outlets.iter().map(|outlet| outlet.away(now)).min().flatten()
    }

    /// Until when an address that a connection is bound to leaves the receiver alone.
    pub(super) fn via_away(&self, via: Option<AddressId>, now: Timestamp) -> Option<Timestamp> {
        self.outlets.iter().find(|outlet| Some(outlet.id) == via).and_then(|outlet| outlet.away(now))
    }

    /// Connections that it may have now.
    pub(super) fn allowed(&self) -> u32 {
        self.outlets.iter().fold(0, |sum, outlet| sum.saturating_add(outlet.pressure.allowed()))
    }

    /// Connections that it may have when all is well.
    pub(super) fn most(&self) -> u32 {
        self.bears.connections.saturating_mul(u32::try_from(self.outlets.len()).unwrap_or(u32::MAX))
    }

    /// The least part of its rate that an address may have now, in percent.
    pub(super) fn percent(&self) -> u32 {
        self.outlets.iter().map(|outlet| outlet.pressure.percent()).min().unwrap_or(100)
    }

    pub(super) fn failures(&self) -> u32 {
        self.outlets.iter().map(|outlet| outlet.pressure.failures()).min().unwrap_or_default()
    }

    pub(super) fn hurried(&mut self) {
        for outlet in &mut self.outlets {
            outlet.pressure.hurried();
        }
    }

    fn is_fresh(&self) -> bool {
        self.outlets.iter().all(|outlet| outlet.pressure.is_fresh())
    }

    /// More connections than there may be, of all or of this address?
    pub(super) fn has_too_many(&self, via: Option<AddressId>) -> bool {
        let over = |outlet: &Outlet| outlet.connections > outlet.pressure.allowed();
        self.connections > self.allowed() || self.outlets.iter().any(|outlet| Some(outlet.id) == via && over(outlet))
    }

    /// Messages that may be handed out now, by those addresses that do not stay away.
    pub(super) fn room(&mut self, now: Timestamp) -> u32 {
        let bears = self.bears;
        let open = self.outlets.iter_mut().filter(|outlet| outlet.away(now).is_none());
        open.fold(0, |sum: u32, outlet| sum.saturating_add(outlet.room(&bears, now)))
    }

    /// Messages that this address may have now. A connection without one carries none that count.
    pub(super) fn room_of(&mut self, via: Option<AddressId>, now: Timestamp) -> u32 {
        let bears = self.bears;
        via.and_then(|id| self.outlet(id)).map_or(u32::MAX, |outlet| outlet.room(&bears, now))
    }

    /// When the next may be, where none may now.
    pub(super) fn next_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.room(now) > 0 {
            return None;
        }
        let bears = self.bears;
        let at = |outlet: &mut Outlet| outlet.away(now).max(outlet.next_at(&bears, now));
        self.outlets.iter_mut().filter_map(at).min()
    }

    pub(super) fn take(&mut self, via: Option<AddressId>, count: usize, now: Timestamp) {
        if let Some(outlet) = via.and_then(|id| self.outlet(id)) {
            outlet.take(u32::try_from(count).unwrap_or(u32::MAX), now);
        }
    }

    pub(super) fn give_back(&mut self, via: Option<AddressId>, count: usize) {
        if let Some(outlet) = via.and_then(|id| self.outlet(id)) {
            outlet.give_back(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// One of its connections goes on by no address.
    pub(super) fn unbind(&mut self, via: Option<AddressId>, count: u32) {
        if let Some(outlet) = via.and_then(|id| self.outlet(id)) {
            outlet.connections = outlet.connections.saturating_sub(count);
        }
    }

    /// Connections for which there is an address, and messages that they may carry.
    fn spare(&mut self, now: Timestamp) -> (u32, u32) {
        let bears = self.bears;
        let (mut spare, mut room, mut bound) = (0u32, 0u32, 0u32);
        for outlet in &mut self.outlets {
            bound = bound.saturating_add(outlet.connections);
            let (more, carries) = (outlet.spare(), outlet.room(&bears, now));
            if outlet.away(now).is_none() && more > 0 && carries > 0 {
                spare = spare.saturating_add(more);
                room = room.saturating_add(carries);
            }
        }
        (spare.saturating_sub(self.connections.saturating_sub(bound)), room)
    }

    /// Places for a domain: its own, if it was called, and those that nobody was called to.
    pub(super) fn places(&mut self, name: &Pooled, now: Timestamp) -> u32 {
        if self.away(now).is_some() {
            return 0;
        }
        let (spare, room) = self.spare(now);
        let free = spare.min(room);
        let called = u32::try_from(self.called.len()).unwrap_or(u32::MAX);
        let own = u32::from(self.called.contains(name));
        if self.line.is_empty() { free.saturating_sub(called.saturating_sub(own)) } else { own.min(free) }
    }

    /// May somebody be called?
    pub(super) fn may_call(&mut self, now: Timestamp) -> bool {
        let called = u32::try_from(self.called.len()).unwrap_or(u32::MAX);
        let (spare, room) = self.spare(now);
        self.away(now).is_none() && spare > called && room > called
    }

    /// A connection of this domain has nothing to do.
    pub(super) fn idles(&mut self, name: &Pooled) {
        if self.idle.insert(name.clone()) {
            self.idlers.push_back(name.clone());
        }
    }

    /// A domain of which a connection had nothing to do.
    pub(super) fn idler(&mut self) -> Option<Pooled> {
        let name = self.idlers.pop_front()?;
        self.idle.remove(&name);
        Some(name)
    }

    /// It could not be reached from this address, or sent it away.
    pub(super) fn failed(&mut self, via: AddressId, at: (Timestamp, u64), first: Duration, shaping: &Shaping) {
        if let Some(outlet) = self.outlet(via) {
            outlet.pressure.failed(at.0, first, shaping, at.1);
        }
    }

    pub(super) fn says(&mut self, why: &'static str, now: Timestamp) {
        self.trouble = Some((why, now));
    }

    pub(super) fn succeeded(&mut self, via: AddressId, now: Timestamp) {
        if let Some(outlet) = self.outlet(via) {
            outlet.pressure.succeeded(now);
        }
        if self.is_fresh() {
            self.trouble = None;
        }
    }

    /// Handed out within the last minute and hour by all addresses, where that is counted.
    fn taken(&mut self, now: Timestamp) -> Option<(u32, u32)> {
        let all = self.outlets.iter_mut().filter_map(|outlet| outlet.taken(now));
        all.reduce(|sum, one| (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1)))
    }

    pub(super) fn trouble(&self) -> Option<&'static str> {
        let is_barred = !self.outlets.is_empty() && self.outlets.iter().all(|outlet| outlet.barred.is_some());
        if is_barred { Some(NOT_OURS) } else { self.trouble.map(|(why, _)| why) }
    }

    /// A new one would be the same.
    pub(super) fn is_forgettable(&mut self, now: Timestamp) -> bool {
        let is_idle = self.taken(now).is_none_or(|taken| taken == (0, 0));
        self.members.is_empty() && self.is_fresh() && is_idle
    }

    /// Is there something to tell of it?
    pub(super) fn is_to_be_told(&self, now: Timestamp) -> bool {
        let is_busy = self.connections > 0 || !self.line.is_empty();
        is_busy || self.bears.stopped || self.trouble.is_some() || self.away(now).is_some()
    }

    pub(super) fn status(&mut self, name: &str, pool: &str, now: Timestamp) -> ReceiverStatus {
        let (last_minute, last_hour) = self.taken(now).unzip();
        ReceiverStatus {
            name: name.to_owned(),
            pool: pool.to_owned(),
            domains: self.members.len(),
            waiting: self.line.len(),
            connections: self.connections,
            connections_allowed: self.allowed(),
            connections_max: self.most(),
            rate_percent: self.percent(),
            per_minute_max: self.bears.most.per_minute,
            per_hour_max: self.bears.most.per_hour,
            last_minute,
            last_hour,
            backing_off_until: if self.bears.stopped { None } else { self.away(now) },
            stopped: self.bears.stopped,
            trouble: self.trouble,
        }
    }
}
