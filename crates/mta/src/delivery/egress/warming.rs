//! Warm-up: how much a new address may send to a provider in a day, and what a day means for the next.
//!
//! protocols-and-scale W1: per address and provider, base × 1.4^step × the provider's weight. A day on which the cap
//! was used counts; it grows by a step when the day was good, stays when it was not, and goes back when it was bad.
//! Days are those of UTC. What a node may send it takes in grants (B3 7), so that nodes and restarts agree.
//! Invariants: an [`Allowance`] never gives more than was granted; what was granted for a day is void on the next.
//! Pure, but for the counters of an allowance, which connections raise without a lock.

use super::super::shaping::providers::PROVIDERS;
use model::Timestamp;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

#[cfg(test)]
mod tests;

/// Messages of the first day, to a provider of full weight, where nobody says otherwise.
pub const BASE: u32 = 50;
/// Steps that are ever taken: by then a cap is no limit to anybody.
const STEPS_MAX: u32 = 60;
/// After so many days without use an address is as good as new.
const IDLE_DAYS: i64 = 30;
/// What a node has in hand and had no use for at so many looks, it gives back.
const IDLE_LOOKS: u32 = 30;
/// All receivers that are none of the table's providers.
pub(crate) const OTHERS: &str = "others";
/// Percent of the schedule that a provider bears, where it is not all of it. The figures are ours: these limit new
/// addresses the hardest.
const WEIGHTS: [(&str, u32); 3] = [("outlook", 50), ("microsoft-365", 50), ("yahoo", 50)];

const DAY_US: i64 = 86_400_000_000;

/// The day of a moment, counted from 1970 (UTC).
pub(crate) const fn day_of(now: Timestamp) -> i64 {
    now.micros().div_euclid(DAY_US)
}

/// When a day ends.
pub(crate) const fn end_of(day: i64) -> Timestamp {
    Timestamp::from_micros((day + 1).saturating_mul(DAY_US))
}

/// For whom a receiver counts.
pub(crate) fn group_of(receiver: &str) -> &'static str {
    PROVIDERS.iter().find(|provider| provider.id == receiver).map_or(OTHERS, |provider| provider.id)
}

/// Is this a provider of the table, or `others`?
#[must_use]
pub fn is_group(name: &str) -> bool {
    name == OTHERS || group_of(name) == name
}

/// The cap of a day.
#[must_use]
pub fn cap(base: u32, step: u32, group: &str) -> u32 {
    let weight = WEIGHTS.iter().find(|(id, _)| *id == group).map_or(100, |(_, weight)| *weight);
    let mut cap = u64::from(base) * u64::from(weight) * 10;
    for _ in 0..step.min(STEPS_MAX) {
        cap = (cap * 14 / 10).min(u64::from(u32::MAX) * 1_000);
    }
    u32::try_from(cap / 1_000).unwrap_or(u32::MAX).max(1)
}

/// What became of the messages of a day.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Seen {
    pub(crate) delivered: u32,
    pub(crate) deferred: u32,
    pub(crate) bounced: u32,
}

impl Seen {
    fn sum(self) -> u32 {
        self.delivered.saturating_add(self.deferred).saturating_add(self.bounced)
    }
}

/// The step of the day that begins. `idle`: days since the last on which anything was granted.
pub(crate) fn step_after(step: u32, cap: u32, seen: Seen, idle: i64) -> u32 {
    if idle >= IDLE_DAYS {
        return 0;
    }
    let sum = u64::from(seen.sum());
    // W1: in ten-thousandths. Twice as bad is a step back.
    let share = |count: u32| (u64::from(count) * 10_000).checked_div(sum).unwrap_or_default();
    let limits = [(seen.deferred, 1_000), (seen.bounced, 200)];
    let times = |factor: u64| limits.iter().any(|(count, limit)| share(*count) >= limit * factor);
    if times(2) {
        return step.saturating_sub(1);
    }
    // A day on which less than half of the cap went says nothing about more.
    let is_used = sum * 2 >= u64::from(cap);
    if times(1) || !is_used { step } else { (step + 1).min(STEPS_MAX) }
}

/// What an address may send to a provider, as this node has it.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    left: AtomicU32,
    /// When more comes, where nothing is left for the day; in microseconds.
    opens: AtomicI64,
    cap: AtomicU32,
    granted: AtomicU32,
    delivered: AtomicU32,
    deferred: AtomicU32,
    bounced: AtomicU32,
    /// Something was to go by it since the last look.
    wanted: AtomicU32,
    /// Looks since then.
    idle: AtomicU32,
    /// The day of what is left.
    day: AtomicI64,
}

/// What a reply means for the warm-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    Delivered,
    Deferred,
    Greylisted,
    Bounced,
}

impl Allowance {
    pub(crate) fn room(&self) -> u32 {
        self.wanted.store(1, Ordering::Relaxed);
        self.left.load(Ordering::Relaxed)
    }

    /// Was anything asked since the last call?
    pub(crate) fn was_wanted(&self) -> bool {
        let wanted = self.wanted.swap(0, Ordering::Relaxed) > 0;
        let idle = if wanted { 0 } else { self.idle.load(Ordering::Relaxed).saturating_add(1) };
        self.idle.store(idle, Ordering::Relaxed);
        wanted
    }

    /// Was nothing asked for so long that others may rather have what is left?
    pub(crate) fn is_idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed) >= IDLE_LOOKS
    }

    /// The day of what is left.
    pub(crate) fn day(&self) -> i64 {
        self.day.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self, count: u32) {
        let less = |left: u32| Some(left.saturating_sub(count));
        let _before = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    pub(crate) fn give_back(&self, count: u32) {
        self.left.fetch_add(count, Ordering::Relaxed);
    }

    /// What is left, without wanting any of it.
    pub(crate) fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed)
    }

    /// Nothing is left any more; what was.
    pub(crate) fn void(&self) -> u32 {
        self.left.swap(0, Ordering::Relaxed)
    }

    /// How the day stands in the store.
    pub(crate) fn stands(&self, cap: u32, granted: u32, day: i64) {
        self.cap.store(cap, Ordering::Relaxed);
        self.granted.store(granted, Ordering::Relaxed);
        self.day.store(day, Ordering::Relaxed);
        let opens = if granted >= cap { end_of(day).micros() } else { 0 };
        self.opens.store(opens, Ordering::Relaxed);
    }

    /// When more comes, where the day's cap is used up and nothing is left here.
    pub(crate) fn opens(&self) -> Option<Timestamp> {
        let opens = self.opens.load(Ordering::Relaxed);
        (opens > 0 && self.left.load(Ordering::Relaxed) == 0).then(|| Timestamp::from_micros(opens))
    }

    /// Cap and what of it is granted.
    pub(crate) fn figures(&self) -> (u32, u32) {
        (self.cap.load(Ordering::Relaxed), self.granted.load(Ordering::Relaxed))
    }

    pub(crate) fn count(&self, reply: Reply) {
        let counter = match reply {
            Reply::Delivered => &self.delivered,
            Reply::Deferred => &self.deferred,
            Reply::Bounced => &self.bounced,
            Reply::Greylisted => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted since the last call.
    pub(crate) fn counted(&self) -> Seen {
        Seen {
            delivered: self.delivered.swap(0, Ordering::Relaxed),
            deferred: self.deferred.swap(0, Ordering::Relaxed),
            bounced: self.bounced.swap(0, Ordering::Relaxed),
        }
    }
}
