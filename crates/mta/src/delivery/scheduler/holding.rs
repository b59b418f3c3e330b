//! Which sites are delivered here: all, or those of the queue partitions that this node holds.
//!
//! State of a partition: not held → *held, its backlog to be read* ([`Picture::own`]) → held → lost
//! ([`Picture::disown`]): its ready rows are let go, nothing of it is read, noted or handed out, idle connections
//! close; attempts under way stay in hand until their outcomes are durable.
//! Invariant: a site whose partition is not held never comes into the picture, whoever names it: what is accepted here
//! for another node is found by that node in the store.

#[cfg(test)]
mod tests;

use super::{Hot, LaneKey, Picture};
use model::{MessageId, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use store::Store;

/// The partitions that are delivered here.
#[derive(Debug, Default)]
pub(super) enum Held {
    /// A node that is alone has them all.
    #[default]
    All,
    /// These.
    Parts {
        /// All that are held.
        parts: BTreeSet<u16>,
        /// Those of them whose backlog is still to be read.
        fresh: BTreeSet<u16>,
    },
}

impl Held {
    pub(super) fn has(&self, part: u16) -> bool {
        match self {
            Self::All => true,
            Self::Parts { parts, .. } => parts.contains(&part),
        }
    }
}

/// A look at the picture before arrivals are read, to know afterwards which of them it had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// How many rows had been taken in.
    taken: u64,
    /// Rows with ids from here on are surely among those that are read.
    since: MessageId,
}

impl<R: Hot> Picture<R> {
    /// From now on only what is owned is delivered here. Before anything else.
    pub(crate) fn share(&mut self) {
        self.held = Held::Parts { parts: BTreeSet::new(), fresh: BTreeSet::new() };
    }

    /// Is this site delivered here?
    pub(crate) fn is_held(&self, name: &str) -> bool {
        match &self.held {
            Held::All => true,
            held @ Held::Parts { .. } => held.has(Store::part_of(name)),
        }
    }

    /// These partitions are this node's from now on; what waits in them is to be read.
    pub(crate) fn own(&mut self, gained: &[u16]) {
        if let Held::Parts { parts, fresh } = &mut self.held {
            parts.extend(gained);
            fresh.extend(gained);
        }
    }

    /// These partitions are another's. What is under way in them comes to its end.
    pub(crate) fn disown(&mut self, lost: &[u16]) {
        let Held::Parts { parts, fresh } = &mut self.held else { return };
        for part in lost {
            parts.remove(part);
            fresh.remove(part);
        }
        let gone = self.sites.iter().filter(|(_, site)| !self.held.has(site.part));
        let names: Vec<_> = gone.map(|(name, _)| name.clone()).collect();
        for name in names {
            if let Some(site) = self.sites.get_mut(&name) {
                self.ready -= site.ready;
                self.hot_octets -= site.hot_octets;
                self.sites_with_ready -= usize::from(site.ready > 0);
                site.forget_rows();
            }
            self.ring_all(&name);
            self.attend(&name);
        }
        // A turn would be lost on them.
        let (held, sites) = (&self.held, &self.sites);
        self.starved.retain(|name| sites.get(name).is_some_and(|site| held.has(site.part)));
    }

    /// Every partition held.
    pub(crate) fn held(&self) -> Vec<u16> {
        match &self.held {
            Held::All => Vec::new(),
            Held::Parts { parts, .. } => parts.iter().copied().collect(),
        }
    }

    /// Those whose backlog is still to be read.
    pub(crate) fn fresh(&self) -> Vec<u16> {
        match &self.held {
            Held::All => Vec::new(),
            Held::Parts { fresh, .. } => fresh.iter().copied().collect(),
        }
    }

    /// Their backlog was read and noted.
    pub(crate) fn are_read(&mut self, read: &[u16]) {
        if let Held::Parts { fresh, .. } = &mut self.held {
            fresh.retain(|part| !read.contains(part));
        }
    }

    /// Before arrivals with ids from `since` on are read.
    pub(crate) fn mark(&self, since: MessageId) -> Mark {
        Mark { taken: self.taken, since }
    }

    /// So many rows were found in each of these lanes of a site, of whatever state, with ids from that of the mark on
    /// or from before it. Where they are just those that were in hand at the mark and still are, there is nothing to
    /// read: acceptances of this node tell of themselves.
    pub(crate) fn note_arrivals(&mut self, name: &Arc<str>, found: &[(LaneKey, Timestamp, u64)], mark: Mark) {
        let mut known: HashMap<LaneKey, u64> = HashMap::new();
        let queues = self.queues_of(name);
        let sites = queues.iter().filter_map(|queue| self.sites.get(queue));
        for (id, (key, taken)) in sites.flat_map(|site| &site.in_hand) {
            if *id >= mark.since && *taken <= mark.taken {
                *known.entry(*key).or_default() += 1;
            }
        }
        for (key, due, count) in found {
            if known.get(key).is_none_or(|known| known < count) {
                self.note_waiting(name, *key, *due);
            }
        }
    }
}
