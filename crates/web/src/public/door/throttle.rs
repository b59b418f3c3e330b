//! How often a network may send a form (law.md R5: forms are used to flood strangers' mailboxes).
//!
//! In memory alone, by network prefix (/24, /48), never by address; forgotten when the window ends. Bounded: when too
//! many networks are known, all are forgotten, which costs an attacker more than it gives.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Requests of one network in a window.
const REQUESTS_MAX: u32 = 20;
/// The window.
const WINDOW: Duration = Duration::from_secs(600);
/// Networks that are remembered.
const NETWORKS_MAX: usize = 65_536;

/// Counts by network.
#[derive(Default)]
pub(crate) struct Throttle {
    seen: Mutex<HashMap<[u8; 7], (Duration, u32)>>,
}

impl Throttle {
    /// One more request of this network, unless it had too many: then how long to wait.
    pub(crate) fn take(&self, from: IpAddr, now: Duration) -> Result<(), Duration> {
        let mut seen = self.seen.lock();
        if seen.len() >= NETWORKS_MAX {
            seen.clear();
        }
        let (began, count) = seen.entry(prefix(from)).or_insert((now, 0));
        if now.saturating_sub(*began) >= WINDOW {
            (*began, *count) = (now, 0);
        }
        if *count >= REQUESTS_MAX {
            return Err(WINDOW.saturating_sub(now.saturating_sub(*began)));
        }
        *count += 1;
        Ok(())
    }
}

/// The network, and of which kind it is.
fn prefix(address: IpAddr) -> [u8; 7] {
    let mut out = [0; 7];
    match address.to_canonical() {
        IpAddr::V4(four) => {
            out[0] = 4;
            out[1..4].copy_from_slice(&four.octets()[..3]);
        }
        IpAddr::V6(six) => {
            out[0] = 6;
            out[1..7].copy_from_slice(&six.octets()[..6]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_number_a_window_and_others_have_theirs() {
        let throttle = Throttle::default();
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..REQUESTS_MAX {
            assert_eq!(throttle.take(here, Duration::ZERO), Ok(()));
        }
        let neighbour: IpAddr = "192.0.2.200".parse().unwrap();
        assert_eq!(throttle.take(neighbour, Duration::from_secs(1)), Err(Duration::from_secs(599)));
        assert_eq!(throttle.take("192.0.3.1".parse().unwrap(), Duration::ZERO), Ok(()));
        assert_eq!(throttle.take("::ffff:192.0.2.9".parse().unwrap(), Duration::ZERO), Err(WINDOW));
        assert_eq!(throttle.take("2001:db8::1".parse().unwrap(), Duration::ZERO), Ok(()));
        assert_eq!(throttle.take(here, WINDOW), Ok(()));
    }
}
