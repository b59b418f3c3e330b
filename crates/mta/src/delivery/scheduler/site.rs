//! The queue of one domain: its lanes, whose turn it is, and what is in hand.
//!
//! Invariants: an id is in hand from the moment a row is taken in until its outcome is durable, so that no page read
//! from the store can bring it a second time; `ready` counts the rows of all lanes; a controller stands in the turn of
//! his class once if he has ready rows there, and not otherwise.

use super::super::egress::AddressId;
use super::super::shaping::{Pressure, Shaping};
use super::{Entry, Hot, Pooled};
use model::stream::Class;
use model::{ControllerId, MessageId, Timestamp};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::sync::Notify;

/// A queue within a site.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct LaneKey {
    pub(crate) class: Class,
    pub(crate) controller: ControllerId,
}

/// Rows of one controller and class.
#[derive(Debug)]
pub(super) struct LaneState<R> {
    pub(super) ready: VecDeque<Entry<R>>,
    /// Ready, in flight, or waiting for their outcome to be durable.
    pub(super) in_hand: usize,
    /// When the store has something that is not in hand; `None` when it has nothing.
    pub(super) waiting: Option<Timestamp>,
}

impl<R> Default for LaneState<R> {
    fn default() -> Self {
        Self { ready: VecDeque::new(), in_hand: 0, waiting: None }
    }
}

/// The lanes of one class.
#[derive(Debug)]
pub(super) struct ClassLanes<R> {
    pub(super) lanes: HashMap<ControllerId, LaneState<R>>,
    /// Controllers with ready rows, next one first.
    pub(super) turn: VecDeque<ControllerId>,
    /// `waiting` of every lane that has one, earliest first.
    pub(super) waiting: BTreeSet<(Timestamp, ControllerId)>,
}

impl<R> Default for ClassLanes<R> {
    fn default() -> Self {
        Self { lanes: HashMap::new(), turn: VecDeque::new(), waiting: BTreeSet::new() }
    }
}

impl<R> ClassLanes<R> {
    /// The store has something of this controller at `due`; the earlier of two moments is kept.
    pub(super) fn note_waiting(&mut self, controller: ControllerId, due: Timestamp) {
        let lane = self.lanes.entry(controller).or_default();
        if lane.waiting.is_some_and(|known| known <= due) {
            return;
        }
        if let Some(known) = lane.waiting.replace(due) {
            self.waiting.remove(&(known, controller));
        }
        self.waiting.insert((due, controller));
    }

    /// A read of the lane begins: what it finds will be noted again.
    pub(super) fn clear_waiting(&mut self, controller: ControllerId) {
        if let Some(known) = self.lanes.get_mut(&controller).and_then(|lane| lane.waiting.take()) {
            self.waiting.remove(&(known, controller));
        }
    }

    pub(super) fn forget_if_empty(&mut self, controller: ControllerId) {
        let empty = |lane: &LaneState<R>| lane.in_hand == 0 && lane.waiting.is_none();
        if self.lanes.get(&controller).is_some_and(empty) {
            self.lanes.remove(&controller);
        }
    }

    /// Round robin: one row of the controller whose turn it is.
    fn pop(&mut self) -> Option<Entry<R>> {
        let controller = self.turn.pop_front()?;
        let lane = self.lanes.get_mut(&controller)?;
        let entry = lane.ready.pop_front();
        if !lane.ready.is_empty() {
            self.turn.push_back(controller);
        }
        entry
    }
}

/// One domain with mail.
#[derive(Debug)]
pub(super) struct Site<R> {
    /// The queue partition in which it lies.
    pub(super) part: u16,
    pub(super) prompt: ClassLanes<R>,
    pub(super) bulk: ClassLanes<R>,
    /// With the lane of each, and when the picture took it in, as it counts.
    pub(super) in_hand: HashMap<MessageId, (LaneKey, u64)>,
    pub(super) ready: usize,
    pub(super) hot_octets: usize,
    /// A read of the store is under way: ids released meanwhile may be in its answer, and are not to be taken again.
    pub(super) released: Option<HashSet<MessageId>>,
    /// Reads planned and not answered.
    pub(super) reads: u32,
    /// Tasks that hold, open or await a connection.
    pub(super) connections: u32,
    /// Those of them that have found the address of ours that they go by.
    pub(super) bound: Vec<(AddressId, u32)>,
    /// No connection is opened until then: there was no address for it.
    pub(super) shut_until: Option<Timestamp>,
    /// Those of them that wait for rows.
    pub(super) idle: u32,
    /// When a connection last took rows, or one was opened for rows that nobody took.
    pub(super) moved: Timestamp,
    /// Rung once for each idle connection that is to look for rows.
    pub(super) bell: Arc<Notify>,
    /// What is held against the domain alone; what its receiver says is held against that.
    pub(super) pressure: Pressure,
    /// Who takes its mail, once DNS has said it.
    pub(super) receiver: Option<Pooled>,
    /// His exchangers as DNS says them of this domain.
    pub(super) exchangers: Option<Arc<[String]>>,
    /// Rows taken since its connections last gave way to another domain of the receiver.
    pub(super) streak: usize,
    /// Its one entry among the timers.
    pub(super) timer: Option<Timestamp>,
    pub(super) attention: bool,
    /// When to look for expired messages while it is backing off.
    pub(super) expiry_at: Option<Timestamp>,
    /// Microseconds for one message, a moving mean.
    pub(super) pace_us: u64,
    /// Why it was last left alone.
    pub(super) trouble: Option<&'static str>,
    pub(super) tls_broken_until: Option<Timestamp>,
}

/// A site where a message takes less than this is served in batches, a slower one by more connections.
const FAST_US: u64 = 20_000;

/// Ready rows wait for a connection that is at work for so long.
const STALLED_AFTER: Duration = Duration::from_secs(1);

impl<R: Hot> Site<R> {
    pub(super) fn new(name: &str, shaping: &Shaping) -> Self {
        Self {
            part: Store::part_of(name),
            prompt: ClassLanes::default(),
            bulk: ClassLanes::default(),
            in_hand: HashMap::new(),
            ready: 0,
            hot_octets: 0,
            released: None,
            reads: 0,
            connections: 0,
            bound: Vec::new(),
            shut_until: None,
            idle: 0,
            moved: Timestamp::default(),
            bell: Arc::new(Notify::new()),
            pressure: Pressure::new(shaping.connections_max),
            receiver: None,
            exchangers: None,
            streak: 0,
            timer: None,
            attention: false,
            expiry_at: None,
            pace_us: FAST_US,
            trouble: None,
            tls_broken_until: None,
        }
    }

    pub(super) fn class(&mut self, class: Class) -> &mut ClassLanes<R> {
        match class {
            Class::Prompt => &mut self.prompt,
            Class::Bulk => &mut self.bulk,
        }
    }

    /// Lanes with ready rows: the parts among which a full site is shared.
    pub(super) fn active_lanes(&self) -> usize {
        self.prompt.turn.len() + self.bulk.turn.len()
    }

    fn lane(&self, key: LaneKey) -> Option<&LaneState<R>> {
        let lanes = match key.class {
            Class::Prompt => &self.prompt,
            Class::Bulk => &self.bulk,
        };
        lanes.lanes.get(&key.controller)
    }

    pub(super) fn lane_ready(&self, key: LaneKey) -> usize {
        self.lane(key).map_or(0, |lane| lane.ready.len())
    }

    /// Does the store have rows of this lane that are due and not in hand?
    pub(super) fn is_due(&self, key: LaneKey, now: Timestamp) -> bool {
        self.lane(key).and_then(|lane| lane.waiting).is_some_and(|at| at <= now)
    }

    /// Takes a row in. The caller has made sure that there is room and that it is not in hand.
    pub(super) fn push_back(&mut self, entry: Entry<R>, taken: u64) {
        self.in_hand.insert(entry.id, (entry.key, taken));
        self.ready += 1;
        self.hot_octets += entry.row.octets();
        let controller = entry.key.controller;
        let lanes = self.class(entry.key.class);
        let lane = lanes.lanes.entry(controller).or_default();
        lane.in_hand += 1;
        lane.ready.push_back(entry);
        if lane.ready.len() == 1 {
            lanes.turn.push_back(controller);
        }
    }

    /// Gives a row back that was taken and not tried: it stays in hand and keeps its place.
    pub(super) fn push_front(&mut self, entry: Entry<R>) {
        self.ready += 1;
        self.hot_octets += entry.row.octets();
        let controller = entry.key.controller;
        let lanes = self.class(entry.key.class);
        let lane = lanes.lanes.entry(controller).or_default();
        lane.ready.push_front(entry);
        if lane.ready.len() == 1 {
            lanes.turn.push_front(controller);
        }
    }

    /// The next row: prompt strictly before bulk, controllers in turn.
    pub(super) fn pop(&mut self) -> Option<Entry<R>> {
        let entry = self.prompt.pop().or_else(|| self.bulk.pop())?;
        self.ready -= 1;
        self.hot_octets -= entry.row.octets();
        Some(entry)
    }

    /// The row is no longer ours to deliver.
    pub(super) fn let_go(&mut self, key: LaneKey, id: MessageId) {
        if self.in_hand.remove(&id).is_none() {
            return;
        }
        if let Some(released) = &mut self.released {
            released.insert(id);
        }
        if let Some(lane) = self.class(key.class).lanes.get_mut(&key.controller) {
            lane.in_hand = lane.in_hand.saturating_sub(1);
        }
    }

    /// Lets go what is ready of a lane that is another queue's now, and forgets that it waits here. When the next of it
    /// was due, if there was anything.
    pub(super) fn give_up(&mut self, key: LaneKey) -> Option<Timestamp> {
        let lanes = self.class(key.class);
        let lane = lanes.lanes.get_mut(&key.controller)?;
        let ready = std::mem::take(&mut lane.ready);
        let mut due = lane.waiting;
        lanes.clear_waiting(key.controller);
        lanes.turn.retain(|controller| *controller != key.controller);
        for entry in ready {
            due = Some(due.map_or(entry.due, |known| known.min(entry.due)));
            self.ready -= 1;
            self.hot_octets -= entry.row.octets();
            self.let_go(key, entry.id);
        }
        self.class(key.class).forget_if_empty(key.controller);
        due
    }

    /// One of its connections goes by this address.
    pub(super) fn bind(&mut self, via: Option<AddressId>) {
        let Some(via) = via else { return };
        match self.bound.iter_mut().find(|(id, _)| *id == via) {
            Some((_, count)) => *count += 1,
            None => self.bound.push((via, 1)),
        }
    }

    /// One of its connections does so no more.
    pub(super) fn unbind(&mut self, via: Option<AddressId>) {
        if let Some((_, count)) = self.bound.iter_mut().find(|(id, _)| Some(*id) == via) {
            *count = count.saturating_sub(1);
        }
        self.bound.retain(|(_, count)| *count > 0);
    }

    /// Until when no connection is opened, for want of an address.
    pub(super) fn shut(&self, now: Timestamp) -> Option<Timestamp> {
        self.shut_until.filter(|until| *until > now)
    }

    /// Leaves every ready row to the store, where each keeps its place.
    pub(super) fn spill(&mut self) {
        while let Some(entry) = self.pop() {
            self.let_go(entry.key, entry.id);
            self.class(entry.key.class).note_waiting(entry.key.controller, entry.due);
        }
    }

    /// Another node delivers here from now on: ready rows are let go, and nothing waits for us. What is under way
    /// stays in hand.
    pub(super) fn forget_rows(&mut self) {
        while let Some(entry) = self.pop() {
            self.let_go(entry.key, entry.id);
        }
        for lanes in [&mut self.prompt, &mut self.bulk] {
            lanes.waiting.clear();
            lanes.lanes.retain(|_, lane| {
                lane.waiting = None;
                lane.in_hand > 0
            });
        }
        self.expiry_at = None;
    }

    /// When one more connection is opened for rows that wait although there are as many connections: these may all
    /// stand in long dialogues (RFC 5321 §4.5.3.2.6 grants ten minutes for the final dot alone).
    pub(super) fn stalls_at(&self) -> Option<Timestamp> {
        // With more rows than connections others are opened at once.
        let few =
            self.ready > 0 && usize::try_from(self.connections).is_ok_and(|connections| self.ready <= connections);
        let may = self.idle == 0 && self.connections < self.pressure.allowed();
        (few && may).then(|| self.moved.plus(STALLED_AFTER))
    }

    /// How many rows one connection takes at a time.
    pub(super) fn share(&self, batch_max: usize) -> usize {
        if self.pace_us < FAST_US {
            return batch_max;
        }
        // A slow site: rows that wait behind another on one connection would wait for its whole dialogue.
        let allowed = usize::try_from(self.pressure.allowed()).unwrap_or(1).max(1);
        self.ready.div_ceil(allowed).clamp(1, batch_max)
    }

    pub(super) fn paced(&mut self, micros: u64) {
        self.pace_us = (self.pace_us.saturating_mul(7).saturating_add(micros.min(600_000_000))) / 8;
    }

    pub(super) fn first_waiting(&self) -> Option<Timestamp> {
        let first = |lanes: &ClassLanes<R>| lanes.waiting.first().map(|(due, _)| *due);
        match (first(&self.prompt), first(&self.bulk)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Nothing is under way.
    pub(super) fn is_at_rest(&self) -> bool {
        self.connections == 0 && self.in_hand.is_empty() && self.released.is_none()
    }

    pub(super) fn is_forgettable(&self, now: Timestamp) -> bool {
        self.is_at_rest()
            && self.first_waiting().is_none()
            && self.pressure.is_fresh()
            && self.tls_broken_until.is_none_or(|until| until <= now)
    }
}
