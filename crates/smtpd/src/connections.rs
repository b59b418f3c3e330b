//! How many connections there may be at once: in this node, and from one network.
//!
//! The limits can change while connections are open: those stay, and count.
//!
//! Invariant: the map holds one entry for each network that has an open connection, so it is bounded by
//! `node_max`. One `Connections` is shared by all listeners of a node.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::network::Network;

/// Connections of a node at once.
pub const NODE_MAX: usize = 2_000;
/// Connections from one network at once.
pub const NETWORK_MAX: usize = 500;

/// Bounds on connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// All together.
    pub node_max: usize,
    /// From one network.
    pub network_max: usize,
    /// Leading bits of an IPv4 address that make a network.
    pub ipv4_prefix_bits: u8,
    /// Leading bits of an IPv6 address that make a network: one customer has a /64 at least (RFC 6177 §2).
    pub ipv6_prefix_bits: u8,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { node_max: NODE_MAX, network_max: NETWORK_MAX, ipv4_prefix_bits: 32, ipv6_prefix_bits: 64 }
    }
}

impl Bounds {
    /// The network to which an address counts.
    #[must_use]
    pub fn network_of(&self, address: IpAddr) -> Network {
        let bits = if address.to_canonical().is_ipv4() { self.ipv4_prefix_bits } else { self.ipv6_prefix_bits };
        Network::of(address, bits)
    }
}

/// Counts what is open.
#[derive(Debug)]
pub struct Connections {
    /// How an address is put to a network; its limits are in `open`.
    bounds: Bounds,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    node_max: usize,
    network_max: usize,
    all: usize,
    by_network: HashMap<Network, usize>,
}

impl Connections {
    /// None open yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Arc<Self> {
        let Bounds { node_max, network_max, .. } = bounds;
        Arc::new(Self { bounds, open: Mutex::new(Open { node_max, network_max, all: 0, by_network: HashMap::new() }) })
    }

    /// So many there may be from now on. What makes a network stays as it was: open connections are counted by it.
    pub fn rebound(&self, bounds: Bounds) {
        let mut open = self.open.lock();
        (open.node_max, open.network_max) = (bounds.node_max, bounds.network_max);
    }

    /// Room for one more from this address, until the ticket is dropped.
    #[must_use]
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Ticket> {
        let network = self.bounds.network_of(address);
        let mut open = self.open.lock();
        let from_network = open.by_network.get(&network).copied().unwrap_or(0);
        if open.all >= open.node_max || from_network >= open.network_max {
            return None;
        }
        open.all += 1;
        open.by_network.insert(network, from_network + 1);
        Some(Ticket { connections: Arc::clone(self), network: Some(network) })
    }

    /// Room for one more of which it is not known yet where it comes from: it counts to the node alone. See
    /// [`Ticket::of`].
    #[must_use]
    pub fn admit_unknown(self: &Arc<Self>) -> Option<Ticket> {
        let mut open = self.open.lock();
        if open.all >= open.node_max {
            return None;
        }
        open.all += 1;
        Some(Ticket { connections: Arc::clone(self), network: None })
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.lock().all
    }
}

/// One open connection.
#[derive(Debug)]
#[must_use = "dropping the ticket gives the place back"]
pub struct Ticket {
    connections: Arc<Connections>,
    /// `None` while it is not known.
    network: Option<Network>,
}

impl Ticket {
    /// The place counts to the network of this address from now on; `None` when that has no more.
    #[must_use]
    pub fn of(mut self, address: IpAddr) -> Option<Self> {
        let network = self.connections.bounds.network_of(address);
        let counted = {
            let mut open = self.connections.open.lock();
            let from_network = open.by_network.get(&network).copied().unwrap_or(0);
            let fits = from_network < open.network_max;
            if fits {
                open.by_network.insert(network, from_network + 1);
                open.leave(self.network);
            }
            fits
        };
        if !counted {
            return None;
        }
        self.network = Some(network);
        Some(self)
    }
}

impl Open {
    /// One connection less from a network.
    fn leave(&mut self, network: Option<Network>) {
        let Some(network) = network else { return };
        if let Some(count) = self.by_network.get_mut(&network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_network.remove(&network);
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.all = open.all.saturating_sub(1);
        open.leave(self.network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_and_the_node_have_a_limit_each() {
        let connections = Connections::new(Bounds { node_max: 3, network_max: 2, ..Bounds::default() });
        let one = connections.admit(address("192.0.2.1")).unwrap();
        let _two = connections.admit(address("192.0.2.1")).unwrap();
        assert!(connections.admit(address("192.0.2.1")).is_none(), "network full");
        let _three = connections.admit(address("192.0.2.2")).unwrap();
        assert!(connections.admit(address("192.0.2.3")).is_none(), "node full");
        drop(one);
        assert!(connections.admit(address("192.0.2.1")).is_some(), "a place was given back");
        assert_eq!(connections.open(), 2);
    }

    #[test]
    fn who_comes_by_a_proxy_counts_to_the_node_at_once_and_to_his_network_when_it_is_known() {
        let connections = Connections::new(Bounds { node_max: 3, network_max: 1, ..Bounds::default() });
        let [one, two, three] = [0; 3].map(|_| connections.admit_unknown());
        assert!(connections.admit_unknown().is_none(), "node full");
        let _one = one.unwrap().of(address("192.0.2.1")).unwrap();
        assert!(two.unwrap().of(address("192.0.2.1")).is_none(), "network full, and the place is given back");
        assert_eq!(connections.open(), 2);
        let three = three.unwrap().of(address("192.0.2.2")).unwrap();
        assert!(connections.admit(address("192.0.2.2")).is_none(), "it counts for those who come directly as well");
        drop(three);
        assert_eq!(connections.open(), 1);
        assert!(connections.admit(address("192.0.2.2")).is_some());
    }

    #[test]
    fn limits_change_while_connections_are_open() {
        let connections = Connections::new(Bounds::default());
        let one = connections.admit(address("192.0.2.1")).unwrap();
        connections.rebound(Bounds { node_max: 1, ..Bounds::default() });
        assert!(connections.admit(address("192.0.2.2")).is_none(), "the one that is open counts");
        drop(one);
        assert!(connections.admit(address("192.0.2.2")).is_some());
        connections.rebound(Bounds { network_max: 0, ..Bounds::default() });
        assert!(connections.admit(address("192.0.2.2")).is_none());
    }

    #[test]
    fn an_ipv6_customer_counts_as_one_network() {
        let connections = Connections::new(Bounds { network_max: 1, ..Bounds::default() });
        let _one = connections.admit(address("2001:db8::1")).unwrap();
        assert!(connections.admit(address("2001:db8::2")).is_none());
        assert!(connections.admit(address("2001:db8:0:1::2")).is_some());
    }

    #[test]
    fn what_is_closed_leaves_no_entry() {
        let connections = Connections::new(Bounds::default());
        drop(connections.admit(address("192.0.2.1")));
        assert!(connections.open.lock().by_network.is_empty());
    }
}
