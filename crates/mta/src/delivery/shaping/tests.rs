//! The ladder, its jitter and its end; throttling and recovery.

use super::*;

const FIRST: Duration = Duration::from_secs(5);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds)
}

#[test]
fn a10_site_backs_off_in_rungs_with_jitter_up_to_thirty_minutes() {
    let shaping = Shaping::default();
    for seed in 0..50 {
        let mut pressure = Pressure::new(shaping.connections_max);
        let mut now = at(0);
        for mean in [5u64, 15, 60, 300, 900, 1_800, 1_800, 1_800] {
            let until = pressure.failed(now, FIRST, &shaping, seed);
            let wait = until.since(now);
            let (low, high) = (Duration::from_millis(mean * 800), Duration::from_millis(mean * 1_200));
            assert!(wait >= low && wait <= high.min(shaping.site_retry_max), "{mean}: {wait:?}");
            assert_eq!(pressure.backing_off(now), Some(until));
            assert_eq!(pressure.backing_off(until), None, "over at its moment");
            now = until;
        }
    }
}

#[test]
fn one_outage_seen_by_many_connections_counts_once() {
    let shaping = Shaping::default();
    let mut pressure = Pressure::new(shaping.connections_max);
    let until = pressure.failed(at(0), FIRST, &shaping, 1);
    for seed in 2..22 {
        assert_eq!(pressure.failed(at(1), FIRST, &shaping, seed), until);
    }
    assert_eq!(pressure.failures(), 1);
    let second = pressure.failed(until, FIRST, &shaping, 3);
    assert!(second.since(until) >= Duration::from_secs(12), "the next outage is the second rung");
}

#[test]
fn a_site_that_failed_is_probed_by_one_connection_and_success_forgets() {
    let shaping = Shaping::default();
    let mut pressure = Pressure::new(shaping.connections_max);
    assert_eq!(pressure.allowed(), 20);
    pressure.failed(at(0), FIRST, &shaping, 1);
    assert_eq!(pressure.allowed(), 1);
    assert!(!pressure.is_fresh());
    pressure.succeeded(at(10));
    assert_eq!(pressure.allowed(), 20);
    assert_eq!(pressure.backing_off(at(10)), None);
    assert!(pressure.is_fresh());
}

#[test]
fn throttling_halves_once_a_window_and_recovers_one_by_one() {
    let shaping = Shaping::default();
    let mut pressure = Pressure::new(shaping.connections_max);
    for _ in 0..20 {
        pressure.throttled(at(100));
    }
    assert_eq!((pressure.allowed(), pressure.percent()), (10, 50));
    for step in 1..4 {
        assert_eq!(pressure.throttled(at(100 + step * 20)), Throttled::Slower);
    }
    for step in 4..10 {
        assert_eq!(pressure.throttled(at(100 + step * 20)), Throttled::AtTheLeast);
    }
    assert_eq!((pressure.allowed(), pressure.percent()), (1, 5), "never none");
    pressure.succeeded(at(300));
    assert_eq!(pressure.allowed(), 1, "not at once");
    pressure.succeeded(at(350));
    pressure.succeeded(at(351));
    assert_eq!(pressure.allowed(), 2, "one a minute");
    for minute in 1..200 {
        pressure.succeeded(at(350 + minute * 60));
    }
    assert_eq!(pressure.allowed(), shaping.connections_max, "and never above the maximum");
    assert_eq!(pressure.percent(), 100);
}

#[test]
fn another_most_lifts_who_had_the_most_and_nobody_who_was_slowed() {
    let (before, more) = (Shaping::default(), Shaping { connections_max: 40, ..Shaping::default() });
    let (mut free, mut slowed) = (Pressure::new(before.connections_max), Pressure::new(before.connections_max));
    slowed.throttled(at(100));
    free.reshaped(more.connections_max);
    slowed.reshaped(more.connections_max);
    assert_eq!((free.allowed(), slowed.allowed()), (40, 10));
    let fewer = Shaping { connections_max: 5, ..Shaping::default() };
    free.reshaped(fewer.connections_max);
    slowed.reshaped(fewer.connections_max);
    assert_eq!((free.allowed(), slowed.allowed()), (5, 5), "never above the maximum");
}
