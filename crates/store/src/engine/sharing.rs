//! What several nodes on one database agree on: who is there, and who holds what.
//!
//! Times here are the database's: nodes whose clocks differ must agree on who is alive.

use crate::error::Result;
use async_trait::async_trait;
use model::Timestamp;
use std::time::Duration;

/// What a lease is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub(crate) enum LeaseKind {
    /// A partition of the queue: [`crate::cluster::QUEUE_PARTS`] of them.
    Queue = 1,
    /// A group of controllers whose ledger is sequenced by one node: [`crate::cluster::LEDGER_PARTS`] of them.
    Ledger = 2,
}

/// A node as it presents itself.
#[derive(Clone, Debug)]
pub(crate) struct NodeCard {
    /// Random, kept in the node's data folder, whose lock says that only one process uses it.
    pub(crate) identity: [u8; 16],
    /// What an operator calls it.
    pub(crate) name: String,
    /// Bits of [`crate::cluster::Roles`].
    pub(crate) roles: i64,
    /// Version of the binary.
    pub(crate) release: String,
}

/// A node that joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seat {
    /// 0 to 1023: the lower bits of the ids that it makes. No two nodes that are alive have the same.
    pub(crate) number: u16,
    /// Rises each time any node joins: the owner in leases and starts.
    pub(crate) incarnation: i64,
}

/// A node as others see it.
#[derive(Clone, Debug)]
pub(crate) struct NodeRow {
    /// Its seat.
    pub(crate) seat: Seat,
    /// Its name.
    pub(crate) name: String,
    /// Its roles.
    pub(crate) roles: i64,
    /// Version of its binary.
    pub(crate) release: String,
    /// When it was last heard of.
    pub(crate) seen: Timestamp,
    /// Was that less than the time to live ago?
    pub(crate) alive: bool,
}

/// Who holds what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LeaseRow {
    /// What it is for.
    pub(crate) kind: LeaseKind,
    /// Which one.
    pub(crate) part: u16,
    /// The incarnation that holds it, if any.
    pub(crate) owner: Option<i64>,
    /// Rises with each change of owner.
    pub(crate) epoch: i64,
}

/// What a heartbeat learned.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    /// The database's time.
    pub(crate) now: Timestamp,
    /// All nodes that have a row.
    pub(crate) nodes: Vec<NodeRow>,
    /// All leases.
    pub(crate) leases: Vec<LeaseRow>,
}

/// The verbs of sharing. Each is one short transaction; a lease is only ever changed by a conditional write whose
/// row count is looked at.
#[async_trait]
pub(crate) trait Sharing: Send + Sync {
    /// Takes a seat. The same identity takes over the seat of its earlier incarnation at once: that process is gone,
    /// or the folder's lock would be taken. Another identity gets it only when it was given up, or nothing was heard of
    /// it for a minute at least.
    async fn join(&self, card: &NodeCard) -> Result<Seat>;
    /// Says that the node is there, and learns who else is. `None`: the seat is another's meanwhile; join anew.
    async fn beat(&self, seat: Seat, time_to_live: Duration) -> Result<Option<Pulse>>;
    /// Tells the others which roles the node has from now on: a node that drains takes no share of the queue.
    async fn set_roles(&self, seat: Seat, roles: i64) -> Result<()>;
    /// All of the same, without saying anything: for an operator.
    async fn look(&self, time_to_live: Duration) -> Result<Pulse>;
    /// Takes leases that are as they were seen (same epoch) and free, or whose owner is not alive. Answers those that
    /// were had, with their new epochs.
    async fn take(&self, seat: Seat, seen: &[LeaseRow], time_to_live: Duration) -> Result<Vec<LeaseRow>>;
    /// Gives leases back that the seat holds under these epochs.
    async fn give(&self, seat: Seat, held: &[LeaseRow]) -> Result<()>;
    /// Gives all leases back and the seat up.
    async fn leave(&self, seat: Seat) -> Result<()>;
}
