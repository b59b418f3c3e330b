//! Several nodes on one store: who is there, who holds which partition, and until when a node may act on it.
//!
//! Invariants: a partition is one node's at a time, by a lease with an epoch in the database; a node begins nothing
//! after its own deadline, which is earlier than the moment at which others may take its leases; what a node has begun
//! it may always record (starts are fenced, outcomes never).

mod assign;
mod follower;
mod look;
mod member;
mod node_clock;
mod nodes;
mod roles;
mod tenure;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod watch_of_tests;

pub(crate) use follower::Follower;
pub use look::{ClusterView, LookSettings, look};
pub(crate) use member::{Member, TIME_TO_LIVE};
pub use node_clock::ClockSource;
pub(crate) use node_clock::NodeClock;
pub use nodes::NodeView;
pub use roles::{NoSuchRole, Roles};
pub use tenure::{Tenure, TenureChanges};

/// Logical partitions of the queue. Stored with every row: never change it.
pub(crate) const QUEUE_PARTS: u16 = 256;
/// Groups of controllers, each with one sequencer of the ledger. Stored with every entry: never change it.
pub(crate) const LEDGER_PARTS: u16 = 64;

/// The partition of a destination site: a receiver's limits then lie with one node (`architecture.md` §5).
pub(crate) fn queue_part(site: &str) -> u16 {
    u16::try_from(spread(site.as_bytes()) % u64::from(QUEUE_PARTS)).unwrap_or_default()
}

/// The group of a controller.
pub(crate) fn ledger_part(controller: i64) -> u16 {
    u16::try_from(spread(&controller.to_be_bytes()) % u64::from(LEDGER_PARTS)).unwrap_or_default()
}

/// FNV-1a with a final mix. Stored by its results: never change it.
fn spread(octets: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for octet in octets {
        hash = (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}
