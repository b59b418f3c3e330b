//! Places at receivers: which domain has one, which waits in line, and what changes what a receiver bears.
//!
//! State of a domain: its receiver unknown (its first connections find it out) → member, with places as the receiver
//! has them → in line → called → connected; a connection whose turn is over goes over to the next domain in line.
//! Invariants: a receiver never has more connections than it is allowed, but for those that were open when it was
//! allowed more, and these close at their next row; whoever waits is called when a place or a part of the rate is
//! free, by a timer if by nothing else.

use super::super::egress::AddressId;
use super::super::egress::assigned::NOWHERE;
use super::super::shaping::book::{Book, Limits, Named};
use super::super::shaping::{Shaping, Throttled};
use super::receiver::{Receiver, ReceiverStatus};
use super::{Hot, LaneKey, Picture, Pooled};
use model::Timestamp;
use model::stream::Class;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Rows that the connections of a domain may take while others are in line.
const TURN_ROWS: usize = 16;
/// Mail for a pool that is not here is looked at again after so long; whoever assigns it otherwise ends it at once.
const NOWHERE_LOOK: Duration = Duration::from_secs(60);
/// Lanes of a domain, of each class, that stand in line for it.
const LANES_IN_LINE: usize = 16;
/// Receivers without a domain that are remembered for what they said.
const REMEMBERED_MAX: usize = 1_024;

/// A place at a receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Berth {
    pub(crate) receiver: Named,
    /// Messages over one connection.
    pub(crate) messages_max: u32,
}

/// Whom something is held against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Against {
    /// This domain alone: its DNS, its policy, an exchanger that is not the receiver's.
    Domain,
    /// The receiver, as it is to this address of ours: one of its own exchangers did it.
    Receiver(AddressId),
}

fn default(shaping: &Shaping) -> Limits {
    Limits {
        connections: Some(shaping.connections_max),
        messages_per_connection: Some(shaping.messages_per_connection_max),
        ..Limits::default()
    }
}

impl<R: Hot> Picture<R> {
    /// With what is said of receivers. Before anything else.
    pub(crate) fn with_book(mut self, book: Book) -> Self {
        self.book = book;
        self
    }

    /// DNS has said who takes the domain's mail. Nothing: there is no place, and the connection is to be counted out.
    pub(crate) fn seat(
        &mut self,
        name: &Pooled,
        exchangers: &Arc<[String]>,
        via: Option<AddressId>,
        now: Timestamp,
    ) -> Option<Berth> {
        let named = self.book.name(exchangers);
        self.join(name, &named, now);
        let receiver = self.receivers.get(&Pooled::new(&named.name, name.pool))?;
        if receiver.away(now).is_some() || receiver.via_away(via, now).is_some() || receiver.has_too_many(via) {
            return None;
        }
        Some(Berth { messages_max: receiver.bears.messages_per_connection, receiver: named })
    }

    /// Is this host one of the receiver's own?
    pub(crate) fn is_own(&self, receiver: &Named, host: &str) -> bool {
        self.book.is_own(receiver, host)
    }

    /// What is said of receivers has changed.
    pub(crate) fn rebook(&mut self, now: Timestamp, change: impl FnOnce(&mut Book) -> bool) {
        if change(&mut self.book) {
            self.measure_anew(now);
        }
    }

    /// The limits have changed: every site is looked at anew. Connections that are open stay.
    pub(crate) fn reshape(&mut self, shaping: Shaping, now: Timestamp) {
        self.shaping = shaping;
        self.measure_anew(now);
    }

    fn measure_anew(&mut self, now: Timestamp) {
        let named: Vec<(Pooled, Named)> = self
            .sites
            .iter()
            .filter_map(|(name, site)| Some((name.clone(), self.book.name(site.exchangers.as_ref()?))))
            .collect();
        for (name, named) in &named {
            self.join(name, named, now);
        }
        for (name, receiver) in &mut self.receivers {
            receiver.reshaped(self.book.bears(name, default(&self.shaping)));
        }
        for site in self.sites.values_mut() {
            let receiver = site.receiver.as_ref().and_then(|receiver| self.receivers.get(receiver));
            site.pressure.reshaped(receiver.map_or(self.shaping.connections_max, Receiver::most));
        }
        let names: Vec<Pooled> = self.sites.keys().cloned().collect();
        for name in &names {
            self.attend(name);
        }
        let receivers: Vec<Pooled> = self.receivers.keys().cloned().collect();
        for receiver in &receivers {
            self.call(receiver, now);
        }
    }

    /// The domain is a member of this receiver from now on.
    fn join(&mut self, name: &Pooled, named: &Named, now: Timestamp) {
        let key = Pooled::new(&named.name, name.pool);
        if self.sites.get(name).is_none_or(|site| site.receiver.as_ref() == Some(&key)) {
            return;
        }
        self.leave(name, now);
        if self.receivers.len() >= self.sites.len() + REMEMBERED_MAX {
            self.receivers.retain(|_, receiver| !receiver.members.is_empty());
        }
        let (book, shaping, ways) = (&self.book, &self.shaping, &mut self.ways);
        let receiver = self.receivers.entry(key.clone()).or_insert_with(|| {
            let bears = book.bears(&named.name, default(shaping));
            Receiver::new(bears, ways.outlets(&key, bears))
        });
        if let Some(site) = self.sites.get_mut(name) {
            receiver.members.insert(name.clone());
            receiver.connections += site.connections;
            for (via, count) in &site.bound {
                if let Some(outlet) = receiver.outlet(*via) {
                    outlet.connections += count;
                }
            }
            site.receiver = Some(key);
            site.exchangers = Some(Arc::clone(&named.exchangers));
            site.pressure.reshaped(receiver.most());
        }
    }

    /// The domain is nobody's member any more, or gone.
    pub(super) fn leave(&mut self, name: &Pooled, now: Timestamp) {
        let Some(site) = self.sites.get_mut(name) else { return };
        let (connections, Some(key)) = (site.connections, site.receiver.take()) else { return };
        if let Some(receiver) = self.receivers.get_mut(&key) {
            receiver.members.remove(name);
            receiver.called.remove(name);
            receiver.connections = receiver.connections.saturating_sub(connections);
            for (via, count) in &site.bound {
                receiver.unbind(Some(*via), *count);
            }
            if receiver.is_forgettable(now) {
                self.set_receiver_timer(&key, None);
                self.receivers.remove(&key);
                return;
            }
        }
        self.call(&key, now);
    }

    pub(super) fn receiver_of(&mut self, name: &Pooled) -> Option<&mut Receiver> {
        let key = self.sites.get(name)?.receiver.as_ref()?;
        self.receivers.get_mut(key)
    }

    pub(super) fn receiver_key(&self, name: &Pooled) -> Option<Pooled> {
        self.sites.get(name)?.receiver.clone()
    }

    /// Until when neither the domain nor its receiver is to be spoken to.
    pub(super) fn away(&self, name: &Pooled, now: Timestamp) -> Option<Timestamp> {
        let site = self.sites.get(name)?;
        if name.pool == NOWHERE {
            return Some(now.plus(NOWHERE_LOOK));
        }
        let receiver = site.receiver.as_ref().and_then(|receiver| self.receivers.get(receiver));
        site.pressure.backing_off(now).max(receiver.and_then(|receiver| receiver.away(now)))
    }

    /// Places that its receiver has for the domain; as many as it likes while nobody knows who that is.
    pub(super) fn places(&mut self, name: &Pooled, now: Timestamp) -> u32 {
        self.receiver_of(name).map_or(u32::MAX, |receiver| receiver.places(name, now))
    }

    /// Messages that its receiver may have now by this address of ours.
    pub(super) fn room(&mut self, name: &Pooled, via: Option<AddressId>, now: Timestamp) -> usize {
        let room = self.receiver_of(name).map_or(u32::MAX, |receiver| receiver.room_of(via, now));
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// The domain gets into line, with every lane in which something is to go now.
    pub(super) fn line_up(&mut self, name: &Pooled, now: Timestamp) {
        let Some(site) = self.sites.get_mut(name) else { return };
        let mut keys: Vec<LaneKey> = Vec::new();
        for class in [Class::Prompt, Class::Bulk] {
            let lanes = site.class(class);
            let due = lanes.waiting.iter().take_while(|(at, _)| *at <= now).map(|(_, controller)| *controller);
            let controllers = lanes.turn.iter().copied().take(LANES_IN_LINE).chain(due.take(LANES_IN_LINE));
            keys.extend(controllers.map(|controller| LaneKey { class, controller }));
        }
        let Some(key) = self.receiver_key(name) else { return };
        if let Some(receiver) = self.receivers.get_mut(&key) {
            for lane in keys {
                receiver.line.add(lane, name);
            }
        }
        // A connection that has nothing to do comes over.
        self.ring_idler(&key);
        self.call(&key, now);
    }

    /// Calls those in line to the places that are free, and sees to it that they are called later.
    pub(super) fn call(&mut self, key: &Pooled, now: Timestamp) {
        while let Some(receiver) = self.receivers.get_mut(key) {
            if !receiver.may_call(now) {
                break;
            }
            let Some(name) = receiver.line.pop() else { break };
            receiver.called.insert(name.clone());
            self.attend(&name);
        }
        let Some(receiver) = self.receivers.get_mut(key) else { return };
        let waits = !receiver.line.is_empty() || receiver.connections > 0;
        let at = if waits { receiver.away(now).or_else(|| receiver.next_at(now)) } else { None };
        self.set_receiver_timer(key, at);
    }

    /// A domain that was called has been looked at, and does not come.
    pub(super) fn uncall(&mut self, name: &Pooled, now: Timestamp) {
        let Some(key) = self.receiver_key(name) else { return };
        if self.receivers.get_mut(&key).is_some_and(|receiver| receiver.called.remove(name)) {
            self.call(&key, now);
        }
    }

    /// The time of a receiver has come: there is room again.
    pub(super) fn receivers_due(&mut self, now: Timestamp) {
        while self.receiver_timers.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.receiver_timers.pop_first() else { break };
            let Some(receiver) = self.receivers.get_mut(&key) else { continue };
            receiver.timer = None;
            self.room_again(&key, now);
        }
    }

    /// A receiver may have more: who waits is called.
    pub(super) fn room_again(&mut self, key: &Pooled, now: Timestamp) {
        let Some(receiver) = self.receivers.get_mut(key) else { return };
        let room = receiver.room(now);
        for _ in 0..room.min(self.shaping.connections_max) {
            if !self.ring_idler(key) {
                break;
            }
        }
        self.call(key, now);
    }

    fn ring_idler(&mut self, key: &Pooled) -> bool {
        while let Some(name) = self.receivers.get_mut(key).and_then(Receiver::idler) {
            if let Some(site) = self.sites.get(&name).filter(|site| site.idle > 0) {
                site.bell.notify_one();
                return true;
            }
        }
        false
    }

    fn set_receiver_timer(&mut self, key: &Pooled, at: Option<Timestamp>) {
        let Some(receiver) = self.receivers.get_mut(key) else { return };
        if receiver.timer == at {
            return;
        }
        if let Some(old) = std::mem::replace(&mut receiver.timer, at) {
            self.receiver_timers.remove(&(old, key.clone()));
        }
        if let Some(at) = at {
            self.receiver_timers.insert((at, key.clone()));
        }
    }

    /// Where a connection goes from here, if the turn of its domain is over and others are in line: there it is counted
    /// from now on.
    pub(super) fn turn_over(&mut self, name: &Pooled, via: Option<AddressId>, now: Timestamp) -> Option<Pooled> {
        let site = self.sites.get(name)?;
        let (ready, has_prompt, streak) = (site.ready, !site.prompt.turn.is_empty(), site.streak);
        let key = site.receiver.clone()?;
        let receiver = self.receivers.get_mut(&key)?;
        let is_over = ready == 0 || streak >= TURN_ROWS || (receiver.line.has_prompt() && !has_prompt);
        if !is_over || receiver.line.is_empty() || receiver.room_of(via, now) == 0 {
            return None;
        }
        loop {
            let next = self.receivers.get_mut(&key)?.line.pop()?;
            if next == *name {
                self.sites.get_mut(name)?.streak = 0;
                if ready > 0 {
                    return None;
                }
                continue;
            }
            let held = &self.held;
            let wants = self.sites.get_mut(&next).is_some_and(|site| {
                let is_due = site.first_waiting().is_some_and(|due| due <= now);
                let may = held.has(site.part) && site.pressure.backing_off(now).is_none();
                may && site.receiver.as_ref() == Some(&key) && (site.ready > 0 || is_due)
            });
            if wants {
                self.go_over(name, &next, via, now);
                return Some(next);
            }
        }
    }

    fn go_over(&mut self, from: &Pooled, to: &Pooled, via: Option<AddressId>, now: Timestamp) {
        if let Some(site) = self.sites.get_mut(from) {
            site.connections = site.connections.saturating_sub(1);
            site.unbind(via);
            site.streak = 0;
        }
        if let Some(site) = self.sites.get_mut(to) {
            site.connections += 1;
            site.bind(via);
            site.streak = 0;
            site.moved = now;
        }
        self.starved.served(to);
        self.attend(from);
        self.attend(to);
    }

    /// The receiver, and our address that something at it is held against.
    fn blamed(&self, name: &Pooled, against: Against) -> Option<(Pooled, AddressId)> {
        let Against::Receiver(via) = against else { return None };
        Some((self.receiver_key(name)?, via))
    }

    /// One of the receiver's own exchangers could not be reached from an address of ours, or sent it away: it leaves
    /// the receiver alone for a while. When all of the pool do, none of its domains is spoken to, and every message
    /// keeps its place.
    pub(crate) fn failed_at(
        &mut self,
        name: &Pooled,
        against: Against,
        now: Timestamp,
        seed: u64,
        trouble: &'static str,
    ) {
        let Some((key, via)) = self.blamed(name, against) else { return self.failed(name, now, seed, trouble) };
        let (first, shaping) = (self.site_retry_first, self.shaping);
        let Some(receiver) = self.receivers.get_mut(&key) else { return };
        if receiver.via_away(Some(via), now).is_none() {
            receiver.failed(via, (now, seed), first, &shaping);
            receiver.says(trouble, now);
        } else if receiver.away(now).is_some() {
            // The other connections of the same outage.
            return self.leave_alone(name, now);
        }
        if receiver.away(now).is_some() {
            let members: Vec<Pooled> = receiver.members.iter().cloned().collect();
            for member in &members {
                self.leave_alone(member, now);
            }
        } else {
            self.attend(name);
        }
        self.call(&key, now);
    }

    /// We are told that we go too fast.
    pub(crate) fn throttled(&mut self, name: &Pooled, against: Against, now: Timestamp, seed: u64, why: &'static str) {
        let blamed = self.blamed(name, against);
        let outlet = blamed.as_ref().and_then(|(key, via)| {
            let receiver = self.receivers.get_mut(key)?;
            receiver.says(why, now);
            receiver.outlet(*via)
        });
        let throttled = match outlet {
            Some(outlet) => outlet.pressure.throttled(now),
            None => self.sites.get_mut(name).map_or(Throttled::Known, |site| {
                site.trouble = Some(why);
                site.pressure.throttled(now)
            }),
        };
        if throttled == Throttled::AtTheLeast {
            self.failed_at(name, against, now, seed, why);
        } else if let Some((key, _)) = blamed {
            self.call(&key, now);
        }
    }

    /// A whole dialogue came to its end; `micros` for each message.
    pub(crate) fn succeeded(&mut self, name: &Pooled, against: Against, now: Timestamp, micros: u64) {
        if let Some(site) = self.sites.get_mut(name) {
            site.pressure.succeeded(now);
            site.paced(micros);
            site.trouble = None;
            site.expiry_at = None;
        }
        let Some((key, via)) = self.blamed(name, against) else { return };
        let Some(receiver) = self.receivers.get_mut(&key) else { return };
        let (allowed, failures) = (receiver.allowed(), receiver.failures());
        receiver.succeeded(via, now);
        let members: Vec<Pooled> = if failures > 0 { receiver.members.iter().cloned().collect() } else { Vec::new() };
        let more = receiver.allowed() > allowed;
        for member in &members {
            self.attend(member);
        }
        if more {
            self.call(&key, now);
        }
    }

    /// Receivers of which there is something to tell, those in trouble first, then by their connections; at most so
    /// many.
    pub(crate) fn receivers(&mut self, now: Timestamp, at_most: usize) -> Vec<ReceiverStatus> {
        let told = self.receivers.iter_mut().filter(|(_, receiver)| receiver.is_to_be_told(now));
        let egress = &self.ways.egress;
        let status = |(key, receiver): (&Pooled, &mut Receiver)| receiver.status(key, egress.pool_name(key.pool), now);
        let mut all: Vec<ReceiverStatus> = told.map(status).collect();
        let rank = |one: &ReceiverStatus| {
            let troubled = one.stopped || one.backing_off_until.is_some() || one.trouble.is_some();
            (!troubled, std::cmp::Reverse(one.connections), std::cmp::Reverse(one.last_hour))
        };
        all.sort_by_key(|one| (rank(one), one.name.clone(), one.pool.clone()));
        all.truncate(at_most);
        all
    }

    /// Receivers that are left alone.
    pub(crate) fn count_away(&self, now: Timestamp) -> u32 {
        let away = self.receivers.values().filter(|receiver| receiver.away(now).is_some()).count();
        u32::try_from(away).unwrap_or(u32::MAX)
    }

    /// Connections of these receivers, and whether they are left alone: for metrics with few labels.
    pub(crate) fn figures(&self, names: &[&'static str], now: Timestamp) -> HashMap<&'static str, (u32, bool)> {
        let mut all: HashMap<&'static str, (u32, bool)> = HashMap::new();
        for name in names {
            for pool in self.ways.pools() {
                let Some(receiver) = self.receivers.get(&Pooled::new(&Arc::from(*name), pool)) else { continue };
                let known = all.entry(name).or_default();
                *known = (known.0 + receiver.connections, known.1 || receiver.away(now).is_some());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests;
