//! The picture of what is due: which rows are ready in memory, which wait in the store, whose turn it is.
//!
//! State table of a row: in the store only → *ready* (hinted by an acceptance, or read in a page) → taken by a
//! connection → its outcome is durable → let go (and waiting in the store again, if it was deferred).
//! Invariants: at most [`Bounds`] rows and octets are held; half of each bound is for whoever comes, the rest is
//! parted equally and kept for newcomers, so that no site or controller can shut out another; a row is in hand once;
//! only sites whose partition is held here are in it, and those whose attempts come to their end.
//! A `site` here is the queue of one domain; its *receiver* is who takes its mail, and what operators call a site.
//! Pure: no socket, no store, no clock; `R` is what a row carries. It sits behind one lock that is never held
//! across an await. Its owner is `engine`, its other callers are the connection workers and the acceptance hint.

mod giving_back;
mod holding;
mod line;
mod look;
mod outlet;
mod plan;
mod pooled;
mod receiver;
mod seating;
mod site;
mod starved;
#[cfg(test)]
mod tests;
mod warm;
mod ways;

use super::egress::{AddressId, Egress};
use super::shaping::Shaping;
use super::shaping::book::Book;
use holding::Held;
pub use look::SiteStatus;
use model::{MessageId, Timestamp};
pub(crate) use plan::Read;
pub(crate) use pooled::Pooled;
use receiver::Receiver;
pub use receiver::ReceiverStatus;
pub(crate) use seating::{Against, Berth};
pub(crate) use site::LaneKey;
use site::Site;
use starved::Starved;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use ways::Ways;
pub(crate) use ways::{Bound, NO_FAMILY};

/// What a row carries into memory.
pub(crate) trait Hot {
    /// Octets of content that are kept with it.
    fn octets(&self) -> usize;
    /// Let go of the content: it will be read when it is needed.
    fn cool(&mut self);
}

/// A row in hand.
#[derive(Debug)]
pub(crate) struct Entry<R> {
    pub(crate) id: MessageId,
    pub(crate) key: LaneKey,
    pub(crate) due: Timestamp,
    pub(crate) row: R,
}

/// What memory may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Ready rows of one site.
    pub(crate) ready_site_max: usize,
    /// Ready rows of the node.
    pub(crate) ready_node_max: usize,
    /// Octets of content kept with ready rows.
    pub(crate) hot_octets_max: usize,
    /// Sites known at once; what goes to others waits in the store.
    pub(crate) sites_max: usize,
    /// Rows asked for in one read.
    pub(crate) page: usize,
    /// A lane with fewer ready rows is filled up.
    pub(crate) low: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            ready_site_max: 2_000,
            ready_node_max: 20_000,
            hot_octets_max: 32 << 20,
            sites_max: 100_000,
            page: 256,
            low: 64,
        }
    }
}

/// Rows that one connection takes at a time.
pub(crate) const BATCH_MAX: usize = 8;
/// A lane whose due rows were all read is read again no sooner.
const LANE_READ_EVERY: Duration = Duration::from_secs(1);

/// What a connection is to do next.
#[derive(Debug)]
pub(crate) enum Next<R> {
    /// Deliver these.
    Rows(Vec<Entry<R>>),
    /// Nothing now: wait for the bell.
    Wait(Arc<Notify>),
    /// The turn of this domain is over: to this one of the same receiver, with the same place.
    Over(Pooled),
    /// The connection is no longer wanted; it has been counted out.
    Close,
}

/// The whole picture.
#[derive(Debug)]
pub(crate) struct Picture<R> {
    bounds: Bounds,
    shaping: Shaping,
    site_retry_first: Duration,
    sites: HashMap<Pooled, Site<R>>,
    book: Book,
    ways: Ways,
    receivers: HashMap<Pooled, Receiver>,
    receiver_timers: BTreeSet<(Timestamp, Pooled)>,
    /// Receivers at which a place became free.
    freed: HashSet<Pooled>,
    ready: usize,
    hot_octets: usize,
    connections: u32,
    sites_with_ready: usize,
    attention: VecDeque<Pooled>,
    timers: BTreeSet<(Timestamp, Pooled)>,
    starved: Starved,
    /// Something waits in the store for a site that is not in the picture.
    incomplete: bool,
    held: Held,
    /// Rows taken in so far.
    taken: u64,
    draining: bool,
}

impl<R: Hot> Picture<R> {
    pub(crate) fn new(bounds: Bounds, shaping: Shaping, site_retry_first: Duration) -> Self {
        Self {
            bounds,
            shaping,
            site_retry_first,
            sites: HashMap::new(),
            book: Book::default(),
            ways: Ways::new(Arc::new(Egress::plain(""))),
            receivers: HashMap::new(),
            receiver_timers: BTreeSet::new(),
            freed: HashSet::new(),
            ready: 0,
            hot_octets: 0,
            connections: 0,
            sites_with_ready: 0,
            attention: VecDeque::new(),
            timers: BTreeSet::new(),
            starved: Starved::default(),
            incomplete: false,
            held: Held::default(),
            taken: 0,
            draining: false,
        }
    }

    /// Rows that were just accepted. They go straight to their lane when nothing older of it waits in the store.
    pub(crate) fn hint(&mut self, rows: impl IntoIterator<Item = (Arc<str>, Entry<R>)>, now: Timestamp) {
        let mut touched: Vec<Pooled> = Vec::new();
        for (domain, entry) in rows {
            let name = self.queue_of(&domain, entry.key);
            if !self.know(&name) {
                continue;
            }
            if touched.last() != Some(&name) && !touched.contains(&name) {
                touched.push(name.clone());
            }
            let is_away = self.away(&name, now).is_some();
            let is_elsewhere = self.is_elsewhere(&name, entry.id);
            let Some(site) = self.sites.get_mut(&name) else { continue };
            let is_released = site.released.as_ref().is_some_and(|ids| ids.contains(&entry.id));
            if is_elsewhere || is_released || site.in_hand.contains_key(&entry.id) {
                continue;
            }
            // Rows of a lane leave in the order of their due times: what is older and in the store goes first.
            let keep = !site.is_due(entry.key, now) && entry.due <= now && !is_away;
            if !keep || self.draining || !self.admit(&name, entry.key) {
                self.note_waiting(&domain, entry.key, entry.due);
                continue;
            }
            self.push(&name, entry);
        }
        for name in touched {
            self.ring(&name);
            self.attend(&name);
        }
    }

    /// The store has rows of this lane of a domain at `due`.
    pub(crate) fn note_waiting(&mut self, domain: &Arc<str>, key: LaneKey, due: Timestamp) {
        let name = self.queue_of(domain, key);
        if !self.know(&name) {
            return;
        }
        if let Some(site) = self.sites.get_mut(&name) {
            site.class(key.class).note_waiting(key.controller, due);
        }
        self.attend(&name);
    }

    /// What a connection by this address of ours does next. `leaving`: it has been idle for long enough, or may take
    /// no more messages.
    pub(crate) fn next(&mut self, name: &Pooled, via: Option<AddressId>, now: Timestamp, leaving: Leaving) -> Next<R> {
        let (via_away, has_too_many) = self
            .receiver_of(name)
            .map_or((false, false), |receiver| (receiver.via_away(via, now).is_some(), receiver.has_too_many(via)));
        let is_away = via_away || self.away(name, now).is_some();
        let Some(site) = self.sites.get(name) else { return Next::Close };
        let surplus = has_too_many || site.connections > site.pressure.allowed();
        let away = is_away || !self.held.has(site.part);
        // A site without any connection does not wait until another has sent all it has.
        let gives_way = site.connections > 1
            && self.starved.someone_has_none()
            && self.connections >= self.shaping.connections_node_max;
        if self.draining || surplus || away || gives_way || leaving == Leaving::InAnyCase {
            self.closed(name, via);
            return Next::Close;
        }
        if let Some(to) = self.turn_over(name, via, now) {
            return Next::Over(to);
        }
        let room = self.room(name, via, now);
        let Some(site) = self.sites.get_mut(name) else { return Next::Close };
        let share = site.share(BATCH_MAX).min(room);
        let had = site.ready > 0;
        let hot_before = site.hot_octets;
        let mut rows = Vec::with_capacity(share.min(site.ready));
        let mut low = false;
        while rows.len() < share {
            let Some(entry) = site.pop() else { break };
            low |= site.lane_ready(entry.key) < self.bounds.low && site.is_due(entry.key, now);
            rows.push(entry);
        }
        if rows.is_empty() {
            if leaving == Leaving::WhenIdle {
                self.closed(name, via);
                return Next::Close;
            }
            site.idle += 1;
            let bell = Arc::clone(&site.bell);
            if let Some(receiver) = self.receiver_of(name) {
                receiver.idles(name);
            }
            if room == 0
                && let Some(key) = self.receiver_key(name)
            {
                self.call(&key, now);
            }
            return Next::Wait(bell);
        }
        site.moved = now;
        site.streak += rows.len();
        self.ready -= rows.len();
        self.hot_octets -= hot_before - site.hot_octets;
        if had && site.ready == 0 {
            self.sites_with_ready -= 1;
        }
        let more = usize::try_from(site.connections).is_ok_and(|connections| site.ready > connections);
        if let Some(receiver) = self.receiver_of(name) {
            receiver.take(via, rows.len(), now);
        }
        if more || low {
            self.attend(name);
        }
        Next::Rows(rows)
    }

    /// A connection that waited for the bell looks again.
    pub(crate) fn awake(&mut self, name: &Pooled) {
        if let Some(site) = self.sites.get_mut(name) {
            site.idle = site.idle.saturating_sub(1);
        }
    }

    /// A task for one more connection exists. Counted when it is planned, see [`Picture::plan`].
    fn opened(&mut self, name: &Pooled) {
        if let Some(site) = self.sites.get_mut(name) {
            site.connections += 1;
            self.connections += 1;
        }
        if let Some(receiver) = self.receiver_of(name) {
            receiver.connections += 1;
            receiver.called.remove(name);
        }
    }

    /// A connection is gone.
    pub(crate) fn closed(&mut self, name: &Pooled, via: Option<AddressId>) {
        if let Some(site) = self.sites.get_mut(name) {
            site.connections = site.connections.saturating_sub(1);
            site.unbind(via);
            self.connections = self.connections.saturating_sub(1);
        }
        if let Some(receiver) = self.receiver_of(name) {
            receiver.connections = receiver.connections.saturating_sub(1);
            receiver.unbind(via, 1);
        }
        self.freed.extend(self.receiver_key(name));
        // Before the one that had it, or that would take it again.
        if let Some(starved) = self.starved.pop() {
            self.attend(&starved);
        }
        self.attend(name);
    }

    /// The domain cannot be delivered to now: every message for it keeps its place until it is tried again.
    pub(crate) fn failed(&mut self, name: &Pooled, now: Timestamp, seed: u64, trouble: &'static str) {
        let Some(site) = self.sites.get_mut(name) else { return };
        site.pressure.failed(now, self.site_retry_first, &self.shaping, seed);
        site.trouble = Some(trouble);
        self.leave_alone(name, now);
    }

    fn leave_alone(&mut self, name: &Pooled, now: Timestamp) {
        let Some(site) = self.sites.get_mut(name) else { return };
        site.expiry_at.get_or_insert(now);
        self.ready -= site.ready;
        self.hot_octets -= site.hot_octets;
        self.sites_with_ready -= usize::from(site.ready > 0);
        // Rows of a site that is down would take the room of those that can leave (10,000,000 may wait for it).
        site.spill();
        self.ring_all(name);
        self.attend(name);
    }

    /// No more rows are handed out.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
        let names: Vec<_> = self.sites.keys().map(Pooled::clone).collect();
        for name in names {
            self.ring_all(&name);
        }
    }

    /// Makes sure that the site is in the picture, if it is delivered here and there is room for it.
    fn know(&mut self, name: &Pooled) -> bool {
        if !self.is_held(name) {
            return false;
        }
        if self.sites.contains_key(name) {
            return true;
        }
        if self.sites.len() >= self.bounds.sites_max {
            self.incomplete = true;
            return false;
        }
        self.sites.insert(name.clone(), Site::new(name, &self.shaping));
        true
    }

    fn forget_if_done(&mut self, name: &Pooled, now: Timestamp) {
        let done = |site: &Site<R>| {
            if self.held.has(site.part) { site.is_forgettable(now) } else { site.is_at_rest() }
        };
        let is_done = self.sites.get(name).is_some_and(done);
        if is_done {
            self.leave(name, now);
        }
        if is_done
            && let Some(site) = self.sites.remove(name)
            && let Some(at) = site.timer
        {
            self.timers.remove(&(at, name.clone()));
        }
    }

    /// Is there room for one more row of this lane?
    fn admit(&self, name: &Pooled, key: LaneKey) -> bool {
        let Some(site) = self.sites.get(name) else { return false };
        let lane = site.lane_ready(key);
        let lanes = site.active_lanes() + usize::from(lane == 0);
        let sites = self.sites_with_ready + usize::from(site.ready == 0);
        has_room(site.ready, self.bounds.ready_site_max, lane, lanes)
            && has_room(self.ready, self.bounds.ready_node_max, site.ready, sites)
    }

    fn push(&mut self, name: &Pooled, mut entry: Entry<R>) {
        let Some(site) = self.sites.get_mut(name) else { return };
        if self.hot_octets + entry.row.octets() > self.bounds.hot_octets_max {
            entry.row.cool();
        }
        self.taken += 1;
        self.ready += 1;
        self.hot_octets += entry.row.octets();
        self.sites_with_ready += usize::from(site.ready == 0);
        site.push_back(entry, self.taken);
    }

    /// Wakes as many idle connections as there is work for.
    fn ring(&self, name: &Pooled) {
        let Some(site) = self.sites.get(name) else { return };
        let wanted = site.ready.div_ceil(site.share(BATCH_MAX).max(1));
        for _ in 0..wanted.min(usize::try_from(site.idle).unwrap_or(0)) {
            site.bell.notify_one();
        }
    }

    /// Wakes every idle connection, so that it closes.
    fn ring_all(&self, name: &Pooled) {
        if let Some(site) = self.sites.get(name) {
            for _ in 0..site.idle {
                site.bell.notify_one();
            }
        }
    }

    fn attend(&mut self, name: &Pooled) {
        if let Some(site) = self.sites.get_mut(name)
            && !std::mem::replace(&mut site.attention, true)
        {
            self.attention.push_back(name.clone());
        }
    }
}

/// Why a connection asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Leaving {
    /// It wants more work.
    No,
    /// It has been idle for long enough.
    WhenIdle,
    /// It is old, or has carried its share, or is broken.
    InAnyCase,
}

/// Half of a bound is free for all (three quarters for who is alone), up to seven eighths everyone has an equal part,
/// and the last eighth is kept for those who have next to nothing, so that a newcomer need not wait for a flood to ebb.
fn has_room(total: usize, max: usize, mine: usize, parts: usize) -> bool {
    let free = if parts <= 1 { max - max / 4 } else { max / 2 };
    let equal = total < max - max / 8 && mine < max / 2 / parts.max(1);
    total < max && (total < free || equal || mine < NEWCOMER_ROWS)
}

/// What a newcomer may have in a memory that is nearly full.
const NEWCOMER_ROWS: usize = 4;
