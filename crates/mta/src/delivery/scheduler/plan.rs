//! What the picture's owner has to do now: reads of the store, connections to open, expired rows to look for.

use super::site::Site;
use super::{BATCH_MAX, Entry, Hot, LANE_READ_EVERY, LaneKey, Picture, Pooled};
use crate::delivery::egress::assigned::NOWHERE;
use model::Timestamp;
use model::stream::Class;
use std::collections::HashSet;
use std::time::Duration;

/// A page to be read from the store.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) site: Pooled,
    pub(crate) key: LaneKey,
    /// Rows to ask for: those of the lane that are in hand, which come first, and a page.
    pub(crate) limit: usize,
}

/// What is to be done now.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Pages to read, one after the other. Each must be answered by [`Picture::page`].
    pub(crate) reads: Vec<Read>,
    /// Connections to open, each already counted.
    pub(crate) open: Vec<Pooled>,
    /// Sites to look for expired rows at. Each must be answered by [`Picture::expired`].
    pub(crate) expiry: Vec<Pooled>,
    /// When something is due next.
    pub(crate) wake: Option<Timestamp>,
}

/// Connections opened for a site at one look: a ramp, not a rush.
const OPENED_AT_ONCE: u32 = 5;
/// Lanes of a site read at one look.
const READS_AT_ONCE: usize = 4;
/// Due lanes of a class looked at, to find those. More than can be filled at once in a site that is full.
const LANES_AT_ONCE: usize = 256;
/// Sites looked at in one plan, so that the lock is held for a short time.
const SITES_AT_ONCE: usize = 64;
/// While a site is away, expired messages are looked for so often.
const EXPIRY_EVERY: Duration = Duration::from_secs(60);
/// A domain that waits in line for a place looks for them after so long.
const EXPIRY_IN_LINE: Duration = Duration::from_secs(600);
/// A lane for which there was no room is looked at again after so long.
const NO_ROOM_WAIT: Duration = Duration::from_secs(1);

impl<R: Hot> Picture<R> {
    /// What is to be done at `now`.
    pub(crate) fn plan(&mut self, now: Timestamp) -> Plan {
        let mut plan = Plan::default();
        self.receivers_due(now);
        for key in std::mem::take(&mut self.freed) {
            self.call(&key, now);
        }
        while let Some((at, name)) = self.timers.first() {
            if *at > now {
                break;
            }
            let name = name.clone();
            self.set_timer(&name, None);
            self.attend(&name);
        }
        for _ in 0..SITES_AT_ONCE {
            let Some(name) = self.attention.pop_front() else { break };
            if let Some(site) = self.sites.get_mut(&name) {
                site.attention = false;
                self.examine(&name, now, &mut plan);
            }
        }
        // A place that whoever was called did not take goes to the next who waits.
        if self.connections < self.shaping.connections_node_max
            && let Some(name) = self.starved.pop()
        {
            self.attend(&name);
        }
        let first =
            [&self.timers, &self.receiver_timers].into_iter().filter_map(|timers| timers.first()).map(|(at, _)| *at);
        plan.wake = if self.attention.is_empty() && self.freed.is_empty() { first.min() } else { Some(now) };
        plan
    }

    fn examine(&mut self, name: &Pooled, now: Timestamp, plan: &mut Plan) {
        let Some(site) = self.sites.get_mut(name) else { return };
        if self.draining {
            return;
        }
        if !self.held.has(site.part) {
            self.uncall(name, now);
            self.set_timer(name, None);
            self.forget_if_done(name, now);
            return;
        }
        if let Some(until) = self.away(name, now) {
            self.uncall(name, now);
            if name.pool == NOWHERE {
                self.set_timer(name, None);
                self.forget_if_done(name, now);
            }
            let Some(site) = self.sites.get_mut(name) else { return };
            // Skipped whole: its messages keep their place, only those out of time are settled.
            let expiry = site.expiry_at.unwrap_or(now);
            let next = look_for_expired(site, name, expiry, now, plan).max(now.plus(NO_ROOM_WAIT)).min(until);
            self.set_timer(name, Some(next));
            return;
        }
        if self.examine_shut(name, now, plan) {
            return;
        }
        let Some(site) = self.sites.get(name) else { return };
        let is_quiet = site.connections == 0 && site.ready == 0 && site.first_waiting().is_some_and(|due| due <= now);
        if is_quiet && self.places(name, now) == 0 {
            // Its rows stay in the store until it has a place.
            self.line_up(name, now);
            let Some(site) = self.sites.get_mut(name) else { return };
            let expiry = *site.expiry_at.get_or_insert(now.plus(EXPIRY_IN_LINE));
            let next = look_for_expired(site, name, expiry, now, plan).max(now.plus(NO_ROOM_WAIT));
            self.set_timer(name, Some(next));
            return;
        }
        let starved_of_room = self.examine_lanes(name, now, plan);
        self.examine_connections(name, now, plan);
        let Some(site) = self.sites.get(name) else { return };
        if site.released.is_none() {
            self.uncall(name, now);
        }
        let Some(site) = self.sites.get(name) else { return };
        let waiting = site.first_waiting();
        let next = match waiting {
            Some(at) if at > now => Some(at),
            Some(_) if starved_of_room => Some(now.plus(NO_ROOM_WAIT)),
            _ => None,
        };
        let stalls = site.stalls_at().map(|at| at.max(now).max(site.shut(now).unwrap_or(now)));
        let shut = site.shut(now).filter(|_| site.ready > 0);
        self.set_timer(name, [next, stalls, shut].into_iter().flatten().min());
        self.forget_if_done(name, now);
    }

    /// For want of an address of ours no connection is opened; only messages out of time are looked for.
    fn examine_shut(&mut self, name: &Pooled, now: Timestamp, plan: &mut Plan) -> bool {
        let Some(site) = self.sites.get_mut(name) else { return true };
        let (Some(until), 0) = (site.shut(now), site.connections) else { return false };
        if site.ready > 0 || site.first_waiting().is_some() {
            let expiry = *site.expiry_at.get_or_insert(now.plus(EXPIRY_EVERY));
            let next = look_for_expired(site, name, expiry, now, plan).max(now.plus(NO_ROOM_WAIT)).min(until);
            self.uncall(name, now);
            self.set_timer(name, Some(next));
            return true;
        }
        false
    }

    /// Plans reads of lanes that are due and low; true when a due lane could not be read for want of room.
    fn examine_lanes(&mut self, name: &Pooled, now: Timestamp, plan: &mut Plan) -> bool {
        let Some(site) = self.sites.get_mut(name) else { return false };
        if site.released.is_some() {
            // A read is under way; its end looks at the site again.
            return false;
        }
        let mut keys = Vec::new();
        for class in [Class::Prompt, Class::Bulk] {
            let due = site.class(class).waiting.iter().take_while(|(at, _)| *at <= now).take(LANES_AT_ONCE);
            keys.extend(due.map(|(_, controller)| LaneKey { class, controller: *controller }));
        }
        let mut starved = false;
        let mut chosen = Vec::new();
        for key in keys {
            let low = self.sites.get(name).is_some_and(|site| site.lane_ready(key) < self.bounds.low);
            if !low {
                continue;
            }
            if !self.admit(name, key) || chosen.len() >= READS_AT_ONCE {
                starved = true;
                continue;
            }
            chosen.push(key);
        }
        let Some(site) = self.sites.get_mut(name) else { return false };
        for key in chosen {
            site.released.get_or_insert_with(HashSet::new);
            site.reads += 1;
            let lanes = site.class(key.class);
            lanes.clear_waiting(key.controller);
            let in_hand = lanes.lanes.get(&key.controller).map_or(0, |lane| lane.in_hand);
            plan.reads.push(Read { site: name.clone(), key, limit: in_hand + self.bounds.page });
        }
        starved
    }

    fn examine_connections(&mut self, name: &Pooled, now: Timestamp, plan: &mut Plan) {
        let Some(site) = self.sites.get_mut(name) else { return };
        if site.shut(now).is_some() {
            return;
        }
        let ready = u32::try_from(site.ready).unwrap_or(u32::MAX);
        let stalls = site.stalls_at().is_some_and(|at| at <= now);
        let wanted = if ready > site.connections { ready } else { site.connections + u32::from(stalls) };
        let more = wanted.min(site.pressure.allowed()).saturating_sub(site.connections);
        if more > 0 {
            site.moved = now;
        }
        let places = if more > 0 { self.places(name, now) } else { 0 };
        if more > places {
            self.line_up(name, now);
        }
        let more = more.min(places);
        for _ in 0..more.min(OPENED_AT_ONCE) {
            if self.connections >= self.shaping.connections_node_max {
                let has = self.sites.get(name).map_or(0, |site| site.connections);
                self.starved.add(name, has);
                return;
            }
            self.opened(name);
            self.starved.served(name);
            plan.open.push(name.clone());
        }
    }

    /// The answer to a planned read, ordered by due time and unbounded by it: rows that are due are taken in, the
    /// first one that is not tells when to read again.
    pub(crate) fn page(&mut self, read: &Read, rows: Vec<Entry<R>>, now: Timestamp) {
        let name = &read.site;
        if !self.is_held(name) {
            // Lost while it was being read.
            self.end_read(name);
            self.attend(name);
            return;
        }
        let full = rows.len() >= read.limit;
        let mut again = None;
        if !self.is_at_home(name, read.key) {
            // Assigned to another pool while it was being read: there it is read again.
            self.end_read(name);
            self.note_waiting(name, read.key, now);
            return self.attend(name);
        }
        for entry in rows {
            let is_elsewhere = self.is_elsewhere(name, entry.id);
            let Some(site) = self.sites.get(name) else { return };
            let stale = is_elsewhere || site.released.as_ref().is_some_and(|released| released.contains(&entry.id));
            if stale || site.in_hand.contains_key(&entry.id) {
                continue;
            }
            if entry.due > now {
                again = Some(entry.due.max(now.plus(LANE_READ_EVERY)));
                break;
            }
            if self.draining || self.away(name, now).is_some() || !self.admit(name, read.key) {
                again = Some(entry.due);
                break;
            }
            self.push(name, entry);
        }
        let again = again.or_else(|| full.then_some(now));
        self.end_read(name);
        if let Some(site) = self.sites.get_mut(name) {
            let lanes = site.class(read.key.class);
            match again {
                Some(at) => lanes.note_waiting(read.key.controller, at),
                None => lanes.forget_if_empty(read.key.controller),
            }
        }
        self.ring(name);
        self.attend(name);
    }

    /// A planned read failed: once more in a second.
    pub(crate) fn page_failed(&mut self, read: &Read, now: Timestamp) {
        self.end_read(&read.site);
        self.note_waiting(&read.site, read.key, now.plus(NO_ROOM_WAIT));
        self.attend(&read.site);
    }

    /// The answer to a planned look for expired rows: those that are now in hand, to be settled. `more`: there may be
    /// others behind them.
    pub(crate) fn expired(&mut self, name: &Pooled, rows: Vec<Entry<R>>, more: bool, now: Timestamp) -> Vec<Entry<R>> {
        let mut taken = Vec::new();
        let mut rows = rows;
        rows.retain(|entry| !self.is_elsewhere(name, entry.id));
        if let Some(site) = self.sites.get_mut(name) {
            let released = site.released.take().unwrap_or_default();
            let rows = if self.held.has(site.part) { rows } else { Vec::new() };
            if more {
                site.expiry_at = Some(now.plus(NO_ROOM_WAIT));
            }
            for entry in rows {
                if !released.contains(&entry.id) && !site.in_hand.contains_key(&entry.id) {
                    self.taken += 1;
                    site.in_hand.insert(entry.id, (entry.key, self.taken));
                    site.class(entry.key.class).lanes.entry(entry.key.controller).or_default().in_hand += 1;
                    taken.push(entry);
                }
            }
        }
        self.attend(name);
        taken
    }

    /// Somebody wants a site, or all of them, to be tried now: what failed before counts no more.
    pub(crate) fn try_now(&mut self, name: Option<&str>) {
        let wanted = |queue: &&Pooled| name.is_none_or(|name| *queue.name == *name);
        let names: Vec<Pooled> = self.sites.keys().filter(wanted).map(Pooled::clone).collect();
        for name in names {
            if let Some(site) = self.sites.get_mut(&name) {
                site.pressure.hurried();
                site.trouble = None;
                site.expiry_at = None;
            }
            if let Some(receiver) = self.receiver_of(&name) {
                receiver.hurried();
            }
            self.attend(&name);
        }
    }

    fn end_read(&mut self, name: &Pooled) {
        if let Some(site) = self.sites.get_mut(name) {
            site.reads = site.reads.saturating_sub(1);
            if site.reads == 0 {
                site.released = None;
            }
        }
    }

    /// Sets the one timer of a site.
    fn set_timer(&mut self, name: &Pooled, at: Option<Timestamp>) {
        let Some(site) = self.sites.get_mut(name) else { return };
        if site.timer == at {
            return;
        }
        if let Some(old) = std::mem::replace(&mut site.timer, at) {
            self.timers.remove(&(old, name.clone()));
        }
        if let Some(at) = at {
            self.timers.insert((at, name.clone()));
        }
    }

    /// Ids in hand at a site, for tests.
    #[cfg(test)]
    pub(super) fn in_hand(&self, name: &str) -> HashSet<model::MessageId> {
        let queues = self.queues_of(name);
        let sites = queues.iter().filter_map(|queue| self.sites.get(queue));
        sites.flat_map(|site| site.in_hand.keys().copied()).collect()
    }
}

/// Plans a look for expired rows, if it is time; when the next one is to be.
fn look_for_expired<R>(site: &mut Site<R>, name: &Pooled, at: Timestamp, now: Timestamp, plan: &mut Plan) -> Timestamp {
    if at > now || site.released.is_some() {
        return at;
    }
    site.released = Some(HashSet::new());
    let next = now.plus(EXPIRY_EVERY);
    site.expiry_at = Some(next);
    plan.expiry.push(name.clone());
    next
}

const _: () = assert!(BATCH_MAX > 0);
