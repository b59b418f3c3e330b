//! What the mailbox keeps, and how much of it in memory.
//!
//! Invariants: messages, their octets on the disk, and the octets held in memory stay within [`Bounds`]; the oldest go
//! first. A message whose octets are not in memory is read from its files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use web::mailbox::{Arrived, Summary};

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Messages.
    pub(super) messages_max: usize,
    /// Octets of all messages, on the disk.
    pub(super) octets_max: usize,
    /// Octets of those that are in memory as well.
    pub(super) memory_octets_max: usize,
}

/// The messages by number. Numbers are not given twice while it lives.
pub(super) struct Shelf {
    bounds: Bounds,
    last: u64,
    messages: BTreeMap<u64, Kept>,
    /// Numbers of those whose octets are in memory.
    held: BTreeSet<u64>,
    octets: usize,
    memory_octets: usize,
}

struct Kept {
    summary: Summary,
    arrived: Option<Arc<Arrived>>,
}

/// Where a message is.
#[derive(Debug)]
pub(super) enum Place {
    Memory(Arc<Arrived>),
    Disk,
}

impl Shelf {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self { bounds, last: 0, messages: BTreeMap::new(), held: BTreeSet::new(), octets: 0, memory_octets: 0 }
    }

    /// The number of the next message.
    pub(super) fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Keeps a message. Returns the numbers of those that have to go for it.
    pub(super) fn put(&mut self, summary: Summary, arrived: Arc<Arrived>) -> Vec<u64> {
        let number = arrived.number;
        self.last = self.last.max(number);
        self.octets = self.octets.saturating_add(summary.octets);
        self.memory_octets = self.memory_octets.saturating_add(summary.octets);
        self.held.insert(number);
        self.messages.insert(number, Kept { summary, arrived: Some(arrived) });
        let mut gone = Vec::new();
        while self.messages.len() > self.bounds.messages_max || self.octets > self.bounds.octets_max {
            let Some((oldest, kept)) = self.messages.pop_first() else { break };
            self.octets = self.octets.saturating_sub(kept.summary.octets);
            if self.held.remove(&oldest) {
                self.memory_octets = self.memory_octets.saturating_sub(kept.summary.octets);
            }
            gone.push(oldest);
        }
        while self.memory_octets > self.bounds.memory_octets_max {
            let Some(oldest) = self.held.pop_first() else { break };
            if let Some(kept) = self.messages.get_mut(&oldest) {
                kept.arrived = None;
                self.memory_octets = self.memory_octets.saturating_sub(kept.summary.octets);
            }
        }
        gone
    }

    /// Newest first.
    pub(super) fn list(&self) -> Vec<Summary> {
        self.messages.values().rev().map(|kept| kept.summary.clone()).collect()
    }

    pub(super) fn find(&self, number: u64) -> Option<Place> {
        let kept = self.messages.get(&number)?;
        Some(kept.arrived.as_ref().map_or(Place::Disk, |arrived| Place::Memory(Arc::clone(arrived))))
    }

    /// Empties it. Returns the numbers.
    pub(super) fn clear(&mut self) -> Vec<u64> {
        self.held.clear();
        (self.octets, self.memory_octets) = (0, 0);
        std::mem::take(&mut self.messages).into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(number: u64, octets: usize) -> (Summary, Arc<Arrived>) {
        let arrived = Arrived {
            number,
            at: model::Timestamp::from_seconds(0),
            reverse_path: String::new(),
            recipients: vec!["ada@dest.example".to_owned()],
            raw: Bytes::from(vec![b'x'; octets]),
            verdicts: Vec::new(),
            tls: None,
        };
        (Summary::of(&arrived), Arc::new(arrived))
    }

    fn put(shelf: &mut Shelf, octets: usize) -> Vec<u64> {
        let (summary, arrived) = message(shelf.next_number(), octets);
        shelf.put(summary, arrived)
    }

    fn in_memory(shelf: &Shelf) -> Vec<u64> {
        let numbers = 1..=shelf.last;
        numbers.filter(|number| matches!(shelf.find(*number), Some(Place::Memory(_)))).collect()
    }

    const BOUNDS: Bounds = Bounds { messages_max: 5, octets_max: 1_000, memory_octets_max: 100 };

    #[test]
    fn octets_in_memory_are_bounded_and_the_newest_stay() {
        let mut shelf = Shelf::new(BOUNDS);
        for _ in 0..4 {
            assert!(put(&mut shelf, 40).is_empty());
        }
        assert_eq!((shelf.memory_octets, in_memory(&shelf)), (80, vec![3, 4]));
        assert!(matches!(shelf.find(1), Some(Place::Disk)));
        assert_eq!(shelf.list().iter().map(|line| line.number).collect::<Vec<_>>(), [4, 3, 2, 1], "all are listed");
        assert!(put(&mut shelf, 101).is_empty(), "one that is larger than all memory is on the disk alone");
        assert_eq!((shelf.memory_octets, in_memory(&shelf)), (0, vec![]));
        put(&mut shelf, 100);
        assert_eq!((shelf.memory_octets, in_memory(&shelf)), (100, vec![6]), "to the octet");
    }

    #[test]
    fn messages_and_their_octets_are_bounded_and_the_oldest_go() {
        let mut shelf = Shelf::new(BOUNDS);
        for _ in 0..5 {
            assert!(put(&mut shelf, 10).is_empty());
        }
        assert_eq!(put(&mut shelf, 10), [1], "too many");
        assert_eq!(put(&mut shelf, 971), [2, 3, 4], "one too many, then too large together");
        assert_eq!((shelf.octets, shelf.memory_octets), (991, 0));
        assert_eq!(shelf.clear(), [5, 6, 7]);
        assert!(shelf.find(7).is_none() && shelf.list().is_empty());
        assert_eq!((shelf.octets, shelf.next_number()), (0, 8), "a number is not given twice");
    }
}
