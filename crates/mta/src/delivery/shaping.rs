//! How hard a site may be pressed: connections side by side, and when to stay away.
//!
//! Parts: [`Shaping`] (what the node does by itself), `providers` and `throttling` (what is known of receivers),
//! `book` (which limits hold for whom), `rate` (messages in a minute and an hour), [`Pressure`] (what is borne now).
//! Invariants: nobody is given more than his most connections nor fewer than one; who failed is tried again with a
//! single connection; one outage counts once, however many connections saw it.
//! Pure: moments come in, moments go out. Called under the scheduler's lock.
//! Standards: RFC 5321 §4.5.4.1 (retry), protocols-and-scale A10 (the site backs off, not each message).

pub(crate) mod book;
pub(crate) mod providers;
pub(crate) mod rate;
pub(crate) mod throttling;

use super::spread::jittered;
use model::Timestamp;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// Limits of connections. All can be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shaping {
    /// Connections to one site at once.
    pub connections_max: u32,
    /// Connections of this node at once.
    pub connections_node_max: u32,
    /// Messages over one connection; receivers count them (A4 C4).
    pub messages_per_connection_max: u32,
    /// Age at which a connection is closed.
    pub connection_age_max: Duration,
    /// Silence after which a connection is closed.
    pub connection_idle_max: Duration,
    /// Longest stay away from a site that cannot be reached.
    pub site_retry_max: Duration,
}

impl Shaping {
    /// What most receivers bear.
    pub const DEFAULT: Self = Self {
        connections_max: 20,
        connections_node_max: 500,
        messages_per_connection_max: 100,
        connection_age_max: Duration::from_secs(300),
        connection_idle_max: Duration::from_secs(5),
        site_retry_max: Duration::from_secs(30 * 60),
    };
}

impl Default for Shaping {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Waits after 1, 2, 3 … failures in a row, as multiples of the first: 5 s, 15 s, 60 s, 5, 15, 30 minutes.
const LADDER: [u32; 6] = [1, 3, 12, 60, 180, 360];
/// Waits differ by so much, so that sites that fell together do not rise together.
const JITTER_PERCENT: u32 = 20;
/// Refusals for going too fast that come within this time are one.
const THROTTLE_WINDOW: Duration = Duration::from_secs(10);
/// A connection is given back after so much time without trouble (A10 S-AUTO: recover slowly).
const EASE_EVERY: Duration = Duration::from_secs(60);

/// The least part of a rate that is left to who is throttled, in percent.
const PERCENT_MIN: u32 = 5;
/// What is given back of a rate at a time, in percent of the whole.
const PERCENT_STEP: u32 = 10;

/// What a site, or a domain at it, bears just now.
#[derive(Clone, Debug)]
pub(crate) struct Pressure {
    most: u32,
    allowed: u32,
    percent: u32,
    failures: u32,
    until: Option<Timestamp>,
    changed: Timestamp,
}

/// What follows from being told that we go too fast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Throttled {
    /// It was said already, a moment ago.
    Known,
    /// Fewer connections and a smaller rate from now on.
    Slower,
    /// It was one connection already.
    AtTheLeast,
}

impl Pressure {
    /// One of which nothing bad is known, with at most so many connections.
    pub(crate) fn new(most: u32) -> Self {
        let most = most.max(1);
        Self { most, allowed: most, percent: 100, failures: 0, until: None, changed: Timestamp::default() }
    }

    /// Connections it may have now.
    pub(crate) fn allowed(&self) -> u32 {
        if self.failures > 0 { 1 } else { self.allowed }
    }

    /// The part of its rate that it may have now, in percent.
    pub(crate) fn percent(&self) -> u32 {
        self.percent
    }

    /// Until when to stay away, if that is still to come.
    pub(crate) fn backing_off(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| *until > now)
    }

    /// Nothing to remember: a fresh one would be the same.
    pub(crate) fn is_fresh(&self) -> bool {
        self.failures == 0 && self.allowed >= self.most && self.percent == 100
    }

    /// It could not be reached, or it closed the door (421). The moment to come back.
    pub(crate) fn failed(&mut self, now: Timestamp, first: Duration, shaping: &Shaping, seed: u64) -> Timestamp {
        if let Some(until) = self.backing_off(now) {
            // The other connections of the same outage: counting them all would climb the ladder in one second.
            return until;
        }
        let rung = usize::try_from(self.failures).unwrap_or(usize::MAX).min(LADDER.len() - 1);
        let multiple = LADDER.get(rung).copied().unwrap_or(1);
        let mean = first.saturating_mul(multiple).min(shaping.site_retry_max);
        self.failures = self.failures.saturating_add(1);
        let until = now.plus(jittered(mean, JITTER_PERCENT, seed).min(shaping.site_retry_max));
        self.until = Some(until);
        until
    }

    /// It said that we go too fast: half as many connections, and half the rate.
    pub(crate) fn throttled(&mut self, now: Timestamp) -> Throttled {
        if now.since(self.changed) < THROTTLE_WINDOW && self.changed != Timestamp::default() {
            return Throttled::Known;
        }
        let was_least = self.allowed() == 1 && self.percent < 100;
        self.allowed = (self.allowed / 2).max(1);
        self.percent = (self.percent / 2).max(PERCENT_MIN);
        self.changed = now;
        if was_least { Throttled::AtTheLeast } else { Throttled::Slower }
    }

    /// It took a message, or answered at all.
    pub(crate) fn succeeded(&mut self, now: Timestamp) {
        self.failures = 0;
        self.until = None;
        let is_less = self.allowed < self.most || self.percent < 100;
        if is_less && now.since(self.changed) >= EASE_EVERY {
            self.allowed = (self.allowed + (self.allowed / 10).max(1)).min(self.most);
            self.percent = (self.percent + PERCENT_STEP).min(100);
            self.changed = now;
        }
    }

    /// Somebody wants it to be tried now. What it said of our speed stands.
    pub(crate) fn hurried(&mut self) {
        self.failures = 0;
        self.until = None;
    }

    /// The most has changed. Who had the most has it again; who had less stays there until he has earned more.
    pub(crate) fn reshaped(&mut self, most: u32) {
        let had_most = self.allowed >= self.most;
        self.most = most.max(1);
        self.allowed = if had_most { self.most } else { self.allowed.min(self.most) };
    }

    /// Failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}
