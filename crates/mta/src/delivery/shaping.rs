//! How hard a site may be pressed: connections side by side, and when to stay away.
//!
//! Invariants: a site is never given more than `connections_max` connections nor fewer than one; a site that failed is
//! tried again with a single connection; one outage counts once, however many connections saw it.
//! Pure: moments come in, moments go out. Called under the scheduler's lock.
//! Standards: RFC 5321 §4.5.4.1 (retry), protocols-and-scale A10 (the site backs off, not each message).

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

/// What a site bears just now.
#[derive(Clone, Debug)]
pub(crate) struct Pressure {
    allowed: u32,
    failures: u32,
    until: Option<Timestamp>,
    changed: Timestamp,
}

impl Pressure {
    /// A site of which nothing bad is known.
    pub(crate) fn new(shaping: &Shaping) -> Self {
        Self { allowed: shaping.connections_max.max(1), failures: 0, until: None, changed: Timestamp::default() }
    }

    /// Connections it may have now.
    pub(crate) fn allowed(&self) -> u32 {
        if self.failures > 0 { 1 } else { self.allowed }
    }

    /// Until when to stay away, if that is still to come.
    pub(crate) fn backing_off(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| *until > now)
    }

    /// Nothing to remember: a fresh one would be the same.
    pub(crate) fn is_fresh(&self, shaping: &Shaping) -> bool {
        self.failures == 0 && self.allowed >= shaping.connections_max
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

    /// It said that we go too fast: half as many connections.
    pub(crate) fn throttled(&mut self, now: Timestamp) {
        if now.since(self.changed) < THROTTLE_WINDOW && self.changed != Timestamp::default() {
            return;
        }
        self.allowed = (self.allowed / 2).max(1);
        self.changed = now;
    }

    /// It took a message, or answered at all.
    pub(crate) fn succeeded(&mut self, now: Timestamp, shaping: &Shaping) {
        self.failures = 0;
        self.until = None;
        if self.allowed < shaping.connections_max && now.since(self.changed) >= EASE_EVERY {
            self.allowed = (self.allowed + (self.allowed / 10).max(1)).min(shaping.connections_max);
            self.changed = now;
        }
    }

    /// The most has changed. A site that had the most has it again; one that had less stays there until it has earned
    /// more.
    pub(crate) fn reshaped(&mut self, before: &Shaping, now: &Shaping) {
        let had_most = self.allowed >= before.connections_max;
        let most = now.connections_max.max(1);
        self.allowed = if had_most { most } else { self.allowed.min(most) };
    }

    /// Failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}
