//! Failed authentications of a peer, so that passwords cannot be tried at speed (RFC 4954 §9).
//!
//! Invariants: at most [`PEERS_MAX`] peers are remembered, each with one count and one moment, in memory only. A
//! peer is a network (an IPv6 customer's /64), forgotten after [`WINDOW`]. Time is given.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use model::Timestamp;
use parking_lot::Mutex;

use crate::connections::Bounds;
use crate::network::Network;

/// Failures of one peer within the window; with this one the connection is closed.
pub const FAILURES_MAX: u32 = 5;
/// How long failures count, from the first one.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Peers remembered at once.
pub const PEERS_MAX: usize = 10_000;

/// Whether a peer may try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Open,
    /// Too many failures; not even a good password is looked at.
    Closed,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    first: Timestamp,
}

/// The failures of all peers.
#[derive(Debug, Default)]
pub struct Throttle {
    bounds: Bounds,
    peers: Mutex<HashMap<Network, Failures>>,
}

impl Throttle {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// May this peer try now?
    #[must_use]
    pub fn standing(&self, peer: IpAddr, now: Timestamp) -> Standing {
        let peers = self.peers.lock();
        match peers.get(&self.bounds.network_of(peer)) {
            Some(failures) if failures.count >= FAILURES_MAX && counts(*failures, now) => Standing::Closed,
            _ => Standing::Open,
        }
    }

    /// This peer failed. Says how it stands then.
    pub fn failed(&self, peer: IpAddr, now: Timestamp) -> Standing {
        let network = self.bounds.network_of(peer);
        let mut peers = self.peers.lock();
        if peers.len() >= PEERS_MAX && !peers.contains_key(&network) {
            make_room(&mut peers, now);
        }
        let failures = peers.entry(network).or_insert(Failures { count: 0, first: now });
        if !counts(*failures, now) {
            *failures = Failures { count: 0, first: now };
        }
        failures.count = failures.count.saturating_add(1);
        if failures.count >= FAILURES_MAX { Standing::Closed } else { Standing::Open }
    }
}

fn counts(failures: Failures, now: Timestamp) -> bool {
    now.since(failures.first) < WINDOW
}

/// Forgets what has run out; if nothing has, the peers with the fewest failures, since those matter least.
fn make_room(peers: &mut HashMap<Network, Failures>, now: Timestamp) {
    peers.retain(|_, failures| counts(*failures, now));
    for few in 1..=FAILURES_MAX {
        if peers.len() < PEERS_MAX {
            return;
        }
        peers.retain(|_, failures| failures.count > few);
    }
    if peers.len() >= PEERS_MAX {
        peers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_800_014_400);

    fn peer(last: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + last))
    }

    #[test]
    fn rfc4954_9_the_fifth_failure_in_a_minute_closes_the_door() {
        let throttle = Throttle::new();
        for _ in 1..FAILURES_MAX {
            assert_eq!(throttle.failed(peer(1), NOON), Standing::Open);
        }
        assert_eq!(throttle.standing(peer(1), NOON), Standing::Open);
        assert_eq!(throttle.failed(peer(1), NOON), Standing::Closed);
        assert_eq!(throttle.standing(peer(1), NOON), Standing::Closed);
        assert_eq!(throttle.standing(peer(2), NOON), Standing::Open, "others are not concerned");
    }

    #[test]
    fn failures_are_forgotten_after_a_minute() {
        let throttle = Throttle::new();
        for _ in 0..FAILURES_MAX {
            throttle.failed(peer(1), NOON);
        }
        let later = NOON.plus(WINDOW);
        assert_eq!(throttle.standing(peer(1), later), Standing::Open);
        assert_eq!(throttle.failed(peer(1), later), Standing::Open);
    }

    #[test]
    fn the_memory_of_failures_is_bounded_and_keeps_the_worst() {
        let throttle = Throttle::new();
        for _ in 0..FAILURES_MAX {
            throttle.failed(peer(0), NOON);
        }
        for last in 1..30_000 {
            throttle.failed(peer(last), NOON);
        }
        assert!(throttle.peers.lock().len() <= PEERS_MAX);
        assert_eq!(throttle.standing(peer(0), NOON), Standing::Closed);
    }
}
