//! Nodes as somebody sees them who is none: a look that joins nothing and changes nothing.

use super::member::TIME_TO_LIVE;
use super::nodes::{NodeView, views};
use super::{LEDGER_PARTS, QUEUE_PARTS};
use crate::error::Result;
use crate::postgres;
use model::Timestamp;
use std::path::PathBuf;

/// Where to look.
#[derive(Clone, Debug)]
pub struct LookSettings {
    /// Address of the main database.
    pub url: String,
    /// Certificates of authorities that are trusted instead of the usual ones.
    pub ca: Option<PathBuf>,
}

/// What there is to see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterView {
    /// The database's time.
    pub now: Timestamp,
    /// All nodes that were heard of lately, by number; also those that died.
    pub nodes: Vec<NodeView>,
    /// Partitions of the queue that nobody holds.
    pub queue_unowned: Vec<u16>,
    /// Groups of controllers whose ledgers nobody sequences.
    pub ledger_unowned: Vec<u16>,
}

/// Looks once.
///
/// # Errors
/// [`crate::Unfit`] when the database cannot be reached, [`crate::Error::NotFound`] when it holds no store.
pub async fn look(settings: LookSettings) -> Result<ClusterView> {
    let pulse = postgres::look(&settings.url, settings.ca.as_deref(), TIME_TO_LIVE).await?;
    let now = pulse.now;
    let nodes = views(pulse);
    let unowned = |count: u16, held: fn(&NodeView) -> &[u16]| {
        (0..count).filter(|part| !nodes.iter().any(|node| held(node).contains(part))).collect()
    };
    Ok(ClusterView {
        queue_unowned: unowned(QUEUE_PARTS, |node| &node.queue_parts),
        ledger_unowned: unowned(LEDGER_PARTS, |node| &node.ledger_groups),
        nodes,
        now,
    })
}
