//! One receiver: who takes mail for a domain or for ten thousand, with the limits that they share. Operators call it a
//! site; in the picture, a site is the queue of one domain.
//!
//! Invariants: `connections` counts those of all member domains; a place is given to whoever is called from the line,
//! and to others only when nobody is; what is taken of the rate is counted before it is handed out.

use super::super::shaping::book::Bears;
use super::super::shaping::rate::{Most, Rate};
use super::super::shaping::{Pressure, Shaping};
use super::line::Line;
use model::Timestamp;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// A receiver that is stopped by order is looked at again after so long; whoever takes the order back ends it at once.
const STOPPED_LOOK: Duration = Duration::from_secs(60);

/// A receiver, as an operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceiverStatus {
    /// Its name: a provider's id, a name that an operator gave, or its exchangers.
    pub name: String,
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

fn counted(bears: Bears) -> Option<Box<Rate>> {
    bears.is_counted.then(|| Box::new(Rate::new()))
}

/// A receiver.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) bears: Bears,
    pub(super) pressure: Pressure,
    /// Only where it is limited or wanted to be seen: it is large.
    rate: Option<Box<Rate>>,
    pub(super) connections: u32,
    pub(super) members: HashSet<Arc<str>>,
    pub(super) line: Line,
    /// Domains that were called from the line, and have not taken their place yet.
    pub(super) called: HashSet<Arc<str>>,
    /// Domains with connections that had nothing to do; a domain may have something again.
    idlers: VecDeque<Arc<str>>,
    idle: HashSet<Arc<str>>,
    /// Its one entry among the timers of receivers.
    pub(super) timer: Option<Timestamp>,
    trouble: Option<(&'static str, Timestamp)>,
}

impl Receiver {
    pub(super) fn new(bears: Bears) -> Self {
        Self {
            bears,
            pressure: Pressure::new(bears.connections),
            rate: counted(bears),
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
        if bears.is_counted != self.bears.is_counted {
            self.rate = counted(bears);
        }
        self.bears = bears;
        self.pressure.reshaped(bears.connections);
    }

    /// Left alone until then.
    pub(super) fn away(&self, now: Timestamp) -> Option<Timestamp> {
        let stopped = self.bears.stopped.then(|| now.plus(STOPPED_LOOK));
        self.pressure.backing_off(now).max(stopped)
    }

    pub(super) fn has_too_many(&self) -> bool {
        self.connections > self.pressure.allowed()
    }

    fn most(&self) -> Most {
        let part = |most: u32| {
            let part = u64::from(most) * u64::from(self.pressure.percent()) / 100;
            u32::try_from(part).unwrap_or(most).max(1)
        };
        Most { per_minute: self.bears.most.per_minute.map(part), per_hour: self.bears.most.per_hour.map(part) }
    }

    /// Messages that may be handed out now.
    pub(super) fn room(&mut self, now: Timestamp) -> u32 {
        let most = self.most();
        self.rate.as_mut().map_or(u32::MAX, |rate| rate.room(most, now))
    }

    /// When the next may be, where none may now.
    pub(super) fn next_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        let most = self.most();
        self.rate.as_mut().and_then(|rate| rate.next_at(most, now))
    }

    pub(super) fn take(&mut self, count: usize, now: Timestamp) {
        if let Some(rate) = &mut self.rate {
            rate.take(u32::try_from(count).unwrap_or(u32::MAX), now);
        }
    }

    pub(super) fn give_back(&mut self, count: usize) {
        if let Some(rate) = &mut self.rate {
            rate.give_back(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// Places for a domain: its own, if it was called, and those that nobody was called to.
    pub(super) fn places(&mut self, name: &Arc<str>, now: Timestamp) -> u32 {
        let room = self.room(now);
        if self.away(now).is_some() || room == 0 {
            return 0;
        }
        let free = self.pressure.allowed().saturating_sub(self.connections).min(room);
        let called = u32::try_from(self.called.len()).unwrap_or(u32::MAX);
        let own = u32::from(self.called.contains(name));
        if self.line.is_empty() { free.saturating_sub(called.saturating_sub(own)) } else { own.min(free) }
    }

    /// May somebody be called?
    pub(super) fn may_call(&mut self, now: Timestamp) -> bool {
        let called = u32::try_from(self.called.len()).unwrap_or(u32::MAX);
        self.away(now).is_none()
            && self.connections.saturating_add(called) < self.pressure.allowed()
            && self.room(now) > called
    }

    /// A connection of this domain has nothing to do.
    pub(super) fn idles(&mut self, name: &Arc<str>) {
        if self.idle.insert(Arc::clone(name)) {
            self.idlers.push_back(Arc::clone(name));
        }
    }

    /// A domain of which a connection had nothing to do.
    pub(super) fn idler(&mut self) -> Option<Arc<str>> {
        let name = self.idlers.pop_front()?;
        self.idle.remove(&name);
        Some(name)
    }

    /// It could not be reached, or sent us away.
    pub(super) fn failed(&mut self, now: Timestamp, first: Duration, shaping: &Shaping, seed: u64, why: &'static str) {
        self.pressure.failed(now, first, shaping, seed);
        self.trouble = Some((why, now));
    }

    pub(super) fn says(&mut self, why: &'static str, now: Timestamp) {
        self.trouble = Some((why, now));
    }

    pub(super) fn succeeded(&mut self, now: Timestamp) {
        self.pressure.succeeded(now);
        if self.pressure.is_fresh() {
            self.trouble = None;
        }
    }

    pub(super) fn trouble(&self) -> Option<&'static str> {
        self.trouble.map(|(why, _)| why)
    }

    /// A new one would be the same.
    pub(super) fn is_forgettable(&mut self, now: Timestamp) -> bool {
        let is_idle = self.rate.as_mut().is_none_or(|rate| rate.taken(now) == (0, 0));
        self.members.is_empty() && self.pressure.is_fresh() && is_idle
    }

    /// Is there something to tell of it?
    pub(super) fn is_to_be_told(&self, now: Timestamp) -> bool {
        let is_busy = self.connections > 0 || !self.line.is_empty();
        is_busy || self.bears.stopped || self.trouble.is_some() || self.pressure.backing_off(now).is_some()
    }

    pub(super) fn status(&mut self, name: &str, now: Timestamp) -> ReceiverStatus {
        let (last_minute, last_hour) = self.rate.as_mut().map(|rate| rate.taken(now)).unzip();
        ReceiverStatus {
            name: name.to_owned(),
            domains: self.members.len(),
            waiting: self.line.len(),
            connections: self.connections,
            connections_allowed: self.pressure.allowed(),
            connections_max: self.bears.connections,
            rate_percent: self.pressure.percent(),
            per_minute_max: self.bears.most.per_minute,
            per_hour_max: self.bears.most.per_hour,
            last_minute,
            last_hour,
            backing_off_until: self.pressure.backing_off(now),
            stopped: self.bears.stopped,
            trouble: self.trouble,
        }
    }
}
