//! Who has how many connections: so that one network cannot shut the door for all others.
//!
//! The first half of the places is for whoever comes. In the other half a network gets a further place only as long as
//! it has few: a proxy in front is not in the way while there is room, and a flood is among itself when there is none.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Of all places, what one network may have in the second half.
const SHARE: usize = 16;

/// A network: what an Internet access commonly has for itself (/24, /48).
type Network = [u8; 6];

/// Everybody who is connected.
#[derive(Clone)]
pub(super) struct Crowd {
    places: usize,
    there: Arc<Mutex<There>>,
}

#[derive(Default)]
struct There {
    all: usize,
    by_network: HashMap<Network, usize>,
}

/// A place; given back when it is dropped.
pub(super) struct Place {
    crowd: Crowd,
    network: Network,
}

impl Crowd {
    /// Nobody is there.
    pub(super) fn new(places: usize) -> Self {
        Self { places, there: Arc::default() }
    }

    /// A place for a peer, if he may have one.
    pub(super) fn admit(&self, peer: IpAddr) -> Option<Place> {
        let network = network(peer);
        let mut there = self.there.lock();
        let his = there.by_network.get(&network).copied().unwrap_or(0);
        if there.all >= self.places || (there.all >= self.places / 2 && his >= self.places / SHARE) {
            return None;
        }
        there.all += 1;
        there.by_network.insert(network, his + 1);
        drop(there);
        Some(Place { crowd: self.clone(), network })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut there = self.crowd.there.lock();
        there.all = there.all.saturating_sub(1);
        if let Some(his) = there.by_network.get_mut(&self.network) {
            *his = his.saturating_sub(1);
            if *his == 0 {
                there.by_network.remove(&self.network);
            }
        }
    }
}

fn network(peer: IpAddr) -> Network {
    match peer.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, third, _] = address.octets();
            [0, 0, 0, first, second, third]
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, ..] = address.octets();
            [a, b, c, d, e, f]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn v4(network: u8, host: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, network, host).into()
    }

    #[test]
    fn a_network_takes_the_first_half_and_others_the_second() {
        let crowd = Crowd::new(64);
        let mut places: Vec<Place> = (0..32).filter_map(|host| crowd.admit(v4(1, host))).collect();
        assert_eq!(places.len(), 32, "as long as there is room");
        assert!(crowd.admit(v4(1, 99)).is_none(), "it has more than its share");
        for network in 2..10 {
            places.extend((0..9).filter_map(|host| crowd.admit(v4(network, host))));
        }
        assert_eq!(places.len(), 64, "eight networks of four each");
        assert!(crowd.admit(v4(77, 1)).is_none(), "no place is left");
        drop(places);
        assert!(crowd.there.lock().by_network.is_empty(), "nobody is remembered who has gone");
        assert!(crowd.admit(v4(1, 1)).is_some());
    }

    #[test]
    fn addresses_of_one_access_are_one_network() {
        let six = |text: &str| network(IpAddr::V6(text.parse::<Ipv6Addr>().unwrap()));
        assert_eq!(six("2001:db8:1:2::1"), six("2001:db8:1:ffff::9"));
        assert_ne!(six("2001:db8:1::1"), six("2001:db8:2::1"));
        assert_eq!(six("::ffff:192.0.2.7"), network(v4(2, 9)));
        assert_ne!(network(v4(2, 7)), network(v4(3, 7)));
    }
}
