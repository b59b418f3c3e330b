//! Which partition belongs to which node: a pure function of who is alive, so that nodes that see the same agree
//! without a word.
//!
//! Rendezvous with a ceiling: each pair of partition and node has a weight; pairs are taken from the heaviest on, and
//! a node that has its fair share takes no more. Invariants: every partition has exactly one owner; none has more than
//! its share; who comes or goes moves little more than his own share.

use super::{LEDGER_PARTS, QUEUE_PARTS};
use crate::engine::LeaseKind;
use std::collections::HashMap;

/// A node that is alive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Living {
    /// The number of its seat. A node that starts again has the same, and gets the same partitions.
    pub(super) number: u16,
    /// May it have a share of the queue?
    pub(super) delivers: bool,
}

/// What belongs to one node.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Share {
    queue: Vec<u16>,
    ledger: Vec<u16>,
}

impl Share {
    /// The share of a node among those that are alive, in whatever order they are told. Those that do not deliver
    /// have no part of the queue; every node sequences ledgers.
    pub(super) fn of(number: u16, alive: &[Living]) -> Self {
        let deliver: Vec<u16> = alive.iter().filter(|node| node.delivers).map(|node| node.number).collect();
        let all: Vec<u16> = alive.iter().map(|node| node.number).collect();
        let mine = |kind, nodes: &[u16]| {
            let owners = owners(kind, nodes);
            (0..).zip(owners).filter(|(_, owner)| *owner == Some(number)).map(|(part, _)| part).collect()
        };
        Self { queue: mine(LeaseKind::Queue, &deliver), ledger: mine(LeaseKind::Ledger, &all) }
    }

    pub(super) fn contains(&self, kind: LeaseKind, part: u16) -> bool {
        match kind {
            LeaseKind::Queue => self.queue.binary_search(&part).is_ok(),
            LeaseKind::Ledger => self.ledger.binary_search(&part).is_ok(),
        }
    }
}

/// How many there are of a kind.
pub(super) const fn parts_of(kind: LeaseKind) -> u16 {
    match kind {
        LeaseKind::Queue => QUEUE_PARTS,
        LeaseKind::Ledger => LEDGER_PARTS,
    }
}

/// The owner of each partition; `None` for all when there is no node.
fn owners(kind: LeaseKind, nodes: &[u16]) -> Vec<Option<u16>> {
    let parts = parts_of(kind);
    let mut owners = vec![None; usize::from(parts)];
    let mut pairs: Vec<(u64, u16, u16)> = nodes
        .iter()
        .flat_map(|number| (0..parts).map(move |part| (weight(kind, part, *number), part, *number)))
        .collect();
    pairs.sort_unstable_by(|one, other| other.cmp(one));
    let share = usize::from(parts).div_ceil(nodes.len().max(1));
    let mut had: HashMap<u16, usize> = HashMap::new();
    for (_, part, number) in pairs {
        let taken = had.entry(number).or_default();
        if *taken < share
            && let Some(place @ None) = owners.get_mut(usize::from(part))
        {
            *place = Some(number);
            *taken += 1;
        }
    }
    owners
}

/// Spread evenly, another for each pair. Nodes of different versions must agree: never change it.
fn weight(kind: LeaseKind, part: u16, number: u16) -> u64 {
    let mut mixed = (kind as u64) << 32 | u64::from(number) << 16 | u64::from(part);
    for _ in 0..2 {
        mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some_nodes() -> impl Strategy<Value = Vec<u16>> {
        proptest::collection::btree_set(0_u16..1_024, 1..24).prop_map(|set| set.into_iter().collect())
    }

    fn moved(before: &[Option<u16>], after: &[Option<u16>]) -> usize {
        before.iter().zip(after).filter(|(one, other)| one != other).count()
    }

    proptest! {
        #[test]
        fn every_part_has_one_owner_and_nobody_more_than_his_share(nodes in some_nodes()) {
            for kind in [LeaseKind::Queue, LeaseKind::Ledger] {
                let share = usize::from(parts_of(kind)).div_ceil(nodes.len());
                let owners = owners(kind, &nodes);
                prop_assert!(owners.iter().all(|owner| owner.is_some_and(|owner| nodes.contains(&owner))));
                for number in &nodes {
                    prop_assert!(owners.iter().filter(|owner| **owner == Some(*number)).count() <= share);
                }
            }
        }

        #[test]
        fn the_order_in_which_nodes_are_told_does_not_matter(nodes in some_nodes(), turn in 0_usize..24) {
            let mut other = nodes.clone();
            other.rotate_left(turn % nodes.len());
            other.reverse();
            prop_assert_eq!(owners(LeaseKind::Queue, &nodes), owners(LeaseKind::Queue, &other));
        }

        #[test]
        fn who_comes_or_goes_moves_little_more_than_his_share(nodes in some_nodes(), new in 1_024_u16..2_048) {
            let mut more = nodes.clone();
            more.push(new);
            let (before, after) = (owners(LeaseKind::Queue, &nodes), owners(LeaseKind::Queue, &more));
            let his = after.iter().filter(|owner| **owner == Some(new)).count();
            let share = usize::from(QUEUE_PARTS).div_ceil(more.len());
            // The ceiling sinks by a few for everybody: some of those that were pushed aside come back.
            prop_assert!(moved(&before, &after) <= his + usize::from(QUEUE_PARTS) / 8 + share / 2);
            // The twin: the same nodes, nothing moves.
            prop_assert_eq!(moved(&before, &owners(LeaseKind::Queue, &nodes)), 0);
        }
    }

    #[test]
    fn shares_are_cut_without_a_gap_and_only_those_who_deliver_have_a_part_of_the_queue() {
        let alive = [3, 7, 9].map(|number| Living { number, delivers: number != 7 });
        let shares = alive.map(|node| Share::of(node.number, &alive));
        assert!(shares[1].queue.is_empty());
        for kind in [LeaseKind::Queue, LeaseKind::Ledger] {
            let all = (0..parts_of(kind)).map(|part| shares.iter().filter(|share| share.contains(kind, part)).count());
            assert!(all.into_iter().all(|owners| owners == 1));
        }
        assert_eq!([shares[0].queue.len(), shares[2].queue.len()], [128, 128]);
        assert!(shares.iter().all(|share| (20..=22).contains(&share.ledger.len())));
        assert_eq!(Share::of(5, &alive), Share::default(), "a stranger has none");
        assert_eq!(Share::of(5, &[]), Share::default());
    }

    #[test]
    fn weights_are_the_same_in_every_version() {
        let weights: Vec<u64> = (0..4).map(|number| weight(LeaseKind::Queue, 49, number) >> 48).collect();
        assert_eq!(weights, [53_906, 17_194, 41_032, 25_345]);
    }
}
