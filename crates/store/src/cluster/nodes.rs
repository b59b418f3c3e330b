//! Nodes as an operator sees them: who is there, and who owns what.

use super::{Roles, TIME_TO_LIVE};
use crate::engine::{LeaseKind, Pulse, Sharing};
use crate::error::Result;
use crate::open::Store;
use model::Timestamp;

/// A node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeView {
    /// What the operator calls it.
    pub name: String,
    /// Its seat: 0 to 1023.
    pub number: u16,
    /// What it does.
    pub roles: Roles,
    /// The version of its binary.
    pub release: String,
    /// When it was last heard of, by the database's clock.
    pub seen: Timestamp,
    /// Was that lately enough?
    pub alive: bool,
    /// The queue partitions that it holds.
    pub queue_parts: Vec<u16>,
    /// The groups of controllers whose ledgers it sequences.
    pub ledger_groups: Vec<u16>,
}

impl Store {
    /// All nodes on this store, by number. None where the node is alone.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn nodes(&self) -> Result<Vec<NodeView>> {
        match self.engine.sharing() {
            Some(sharing) => nodes(sharing).await,
            None => Ok(Vec::new()),
        }
    }
}

/// All nodes, by number.
pub(crate) async fn nodes(sharing: &dyn Sharing) -> Result<Vec<NodeView>> {
    Ok(views(sharing.look(TIME_TO_LIVE).await?))
}

/// The nodes of a pulse, by number.
pub(super) fn views(pulse: Pulse) -> Vec<NodeView> {
    let Pulse { nodes, leases, .. } = pulse;
    let held = |incarnation, kind| {
        let his = leases.iter().filter(move |lease| lease.owner == Some(incarnation) && lease.kind == kind);
        his.map(|lease| lease.part).collect()
    };
    let mut views: Vec<NodeView> = nodes
        .into_iter()
        .map(|node| NodeView {
            number: node.seat.number,
            roles: Roles::from_bits(node.roles),
            seen: node.seen,
            alive: node.alive,
            queue_parts: held(node.seat.incarnation, LeaseKind::Queue),
            ledger_groups: held(node.seat.incarnation, LeaseKind::Ledger),
            name: node.name,
            release: node.release,
        })
        .collect();
    views.sort_by_key(|node| node.number);
    views
}
