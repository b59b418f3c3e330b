//! Failed authentications of a peer, and of a credential's name from all peers, so that passwords cannot be tried at
//! speed, neither from one place nor from many (RFC 4954 §9).
//!
//! Invariants: at most [`PEERS_MAX`] peers are remembered, each with one count and one moment, in memory only. A
//! peer is a network (an IPv6 customer's /64), forgotten after [`WINDOW`]. At most [`NAMES_MAX`] names, each as a keyed
//! digest alone. A name counts whether or not there is such a credential. Time is given.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use model::Timestamp;
use parking_lot::Mutex;

use crate::connections::Bounds;
use crate::network::Network;

/// Failures of one peer within the window; with this one the connection is closed.
pub const FAILURES_MAX: u32 = 5;
/// Failures of one name within the window, from wherever they come. Many more than one peer may have: whoever knows a
/// name must not easily shut its owner out.
pub const NAME_FAILURES_MAX: u32 = 50;
/// How long failures count, from the first one.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Peers remembered at once.
pub const PEERS_MAX: usize = 10_000;
/// Names remembered at once.
pub const NAMES_MAX: usize = 10_000;

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
    names: Mutex<HashMap<u64, Failures>>,
    digest: RandomState,
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
        standing(&self.peers.lock(), &self.bounds.network_of(peer), FAILURES_MAX, now)
    }

    /// May anybody try this name now? A name with a stream (`name+stream`) counts as the name.
    #[must_use]
    pub fn name_standing(&self, username: &str, now: Timestamp) -> Standing {
        standing(&self.names.lock(), &self.name(username), NAME_FAILURES_MAX, now)
    }

    /// Somebody failed with this name. Says how it stands then.
    pub fn name_failed(&self, username: &str, now: Timestamp) -> Standing {
        let (name, mut names) = (self.name(username), self.names.lock());
        failed(&mut names, name, NAMES_MAX, NAME_FAILURES_MAX, now)
    }

    fn name(&self, username: &str) -> u64 {
        self.digest.hash_one(username.split('+').next().unwrap_or_default())
    }

    /// This peer failed. Says how it stands then.
    pub fn failed(&self, peer: IpAddr, now: Timestamp) -> Standing {
        let (network, mut peers) = (self.bounds.network_of(peer), self.peers.lock());
        failed(&mut peers, network, PEERS_MAX, FAILURES_MAX, now)
    }
}

fn standing<K: Eq + Hash>(all: &HashMap<K, Failures>, one: &K, most: u32, now: Timestamp) -> Standing {
    match all.get(one) {
        Some(failures) if failures.count >= most && counts(*failures, now) => Standing::Closed,
        _ => Standing::Open,
    }
}

fn failed<K: Eq + Hash>(all: &mut HashMap<K, Failures>, one: K, room: usize, most: u32, now: Timestamp) -> Standing {
    if all.len() >= room && !all.contains_key(&one) {
        make_room(all, room, most, now);
    }
    let failures = all.entry(one).or_insert(Failures { count: 0, first: now });
    if !counts(*failures, now) {
        *failures = Failures { count: 0, first: now };
    }
    failures.count = failures.count.saturating_add(1);
    if failures.count >= most { Standing::Closed } else { Standing::Open }
}

fn counts(failures: Failures, now: Timestamp) -> bool {
    now.since(failures.first) < WINDOW
}

/// Forgets what has run out; if nothing has, those with the fewest failures, since they matter least.
fn make_room<K: Eq + Hash>(all: &mut HashMap<K, Failures>, room: usize, most: u32, now: Timestamp) {
    all.retain(|_, failures| counts(*failures, now));
    for few in 1..=most {
        if all.len() < room {
            return;
        }
        all.retain(|_, failures| failures.count > few);
    }
    if all.len() >= room {
        all.clear();
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

    #[test]
    fn rfc4954_9_a_name_tried_from_everywhere_is_closed_for_everybody() {
        let throttle = Throttle::new();
        for _ in 1..NAME_FAILURES_MAX {
            assert_eq!(throttle.name_failed("shop", NOON), Standing::Open);
        }
        assert_eq!(throttle.name_failed("shop+receipts", NOON), Standing::Closed, "the stream is no other name");
        assert_eq!(throttle.name_standing("shop", NOON), Standing::Closed);
        assert_eq!(throttle.name_standing("shop2", NOON), Standing::Open);
        assert_eq!(throttle.name_standing("shop", NOON.plus(WINDOW)), Standing::Open);
    }

    #[test]
    fn the_memory_of_names_is_bounded() {
        let throttle = Throttle::new();
        for number in 0..3 * NAMES_MAX {
            throttle.name_failed(&format!("name{number}"), NOON);
        }
        assert!(throttle.names.lock().len() <= NAMES_MAX);
    }
}
