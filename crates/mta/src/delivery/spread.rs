//! Spreading in time and order without a random number generator: the bits come from an id, an attempt or a clock.
//!
//! Invariants: the same seed gives the same spread, so a test can state it. Never a source of secrets.

use std::time::Duration;

/// One step of splitmix64 (Steele, Lea, Flood 2014): near seeds give far values.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut value = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A seed out of a message id and the number of an attempt.
pub(crate) fn seed_of(id: i64, attempt: u32) -> u64 {
    mix(u64::from_ne_bytes(id.to_ne_bytes()) ^ (u64::from(attempt) << 48))
}

/// `mean` moved by at most `percent` percent to either side.
pub(crate) fn jittered(mean: Duration, percent: u32, seed: u64) -> Duration {
    let mean = u64::try_from(mean.as_micros()).unwrap_or(u64::MAX / 200);
    let side = mean.saturating_mul(u64::from(percent.min(100))) / 100;
    let offset = mix(seed) % (side.saturating_mul(2).saturating_add(1));
    Duration::from_micros(mean.saturating_sub(side).saturating_add(offset))
}

/// Fisher-Yates: every order is possible, and which one comes depends on the seed alone.
pub(crate) fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = mix(state);
        let other = state % (u64::try_from(last).unwrap_or(u64::MAX - 1) + 1);
        items.swap(last, usize::try_from(other).unwrap_or(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_percent_and_uses_both_sides() {
        let mean = Duration::from_secs(100);
        let all: Vec<_> = (0..2_000).map(|seed| jittered(mean, 20, seed)).collect();
        assert!(all.iter().all(|d| (Duration::from_secs(80)..=Duration::from_secs(120)).contains(d)));
        assert!(all.iter().any(|d| *d < Duration::from_secs(82)) && all.iter().any(|d| *d > Duration::from_secs(118)));
        assert_eq!(jittered(mean, 0, 7), mean);
    }

    #[test]
    fn shuffle_keeps_what_is_there_and_reaches_every_order() {
        let mut seen = std::collections::HashSet::new();
        for seed in 0..200 {
            let mut items = [1, 2, 3];
            shuffle(&mut items, seed);
            let mut sorted = items;
            sorted.sort_unstable();
            assert_eq!(sorted, [1, 2, 3]);
            seen.insert(items);
        }
        assert_eq!(seen.len(), 6);
    }
}
