//! Sites that wait until the node may open one more connection: first those that have none at all.

use super::Pooled;
use std::collections::{HashMap, HashSet, VecDeque};

/// So much that was overtaken is let lie.
const OVERTAKEN_MAX: usize = 64;

/// The sites, each once. What a queue holds beyond `places` was overtaken, and is passed over.
#[derive(Default, Debug)]
pub(super) struct Starved {
    without: VecDeque<Pooled>,
    wanting: VecDeque<Pooled>,
    places: HashMap<Pooled, Place>,
    /// Places of those that have none.
    none: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Without,
    Wanting,
}

impl Starved {
    /// A site that waits, with so many connections.
    pub(super) fn add(&mut self, name: &Pooled, connections: u32) {
        let place = if connections == 0 { Place::Without } else { Place::Wanting };
        match self.places.get(name) {
            Some(known) if *known == place || *known == Place::Without => return,
            _ => self.places.insert(name.clone(), place),
        };
        match place {
            Place::Without => {
                self.none += 1;
                self.without.push_back(name.clone());
            }
            Place::Wanting => self.wanting.push_back(name.clone()),
        }
        if self.without.len() + self.wanting.len() > 2 * self.places.len() + OVERTAKEN_MAX {
            self.sweep();
        }
    }

    /// Takes out what was overtaken, so that the queues stay as long as there are sites.
    fn sweep(&mut self) {
        for (queue, place) in [(&mut self.without, Place::Without), (&mut self.wanting, Place::Wanting)] {
            let mut seen = HashSet::new();
            queue.retain(|name| self.places.get(name) == Some(&place) && seen.insert(name.clone()));
        }
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Pooled> {
        while let Some(name) = self.without.pop_front() {
            if self.places.get(&name) == Some(&Place::Without) {
                self.served(&name);
                return Some(name);
            }
        }
        while let Some(name) = self.wanting.pop_front() {
            if self.served(&name) {
                return Some(name);
            }
        }
        None
    }

    /// It has what it waited for. True if it waited.
    pub(super) fn served(&mut self, name: &Pooled) -> bool {
        let place = self.places.remove(name);
        self.none -= usize::from(place == Some(Place::Without));
        place.is_some()
    }

    /// Whether a site waits that has no connection.
    pub(super) fn someone_has_none(&self) -> bool {
        self.none > 0
    }

    pub(super) fn retain(&mut self, stays: impl Fn(&Pooled) -> bool) {
        self.without.retain(&stays);
        self.wanting.retain(&stays);
        self.places.retain(|name, _| stays(name));
        self.none = self.places.values().filter(|place| **place == Place::Without).count();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::site;
    use super::*;

    #[test]
    fn who_has_none_comes_first_and_everyone_comes_once() {
        let mut starved = Starved::default();
        let [a, b, c] = ["a", "b", "c"].map(site);
        for (name, connections) in [(&a, 2), (&b, 1), (&c, 0), (&b, 0), (&a, 1), (&b, 3)] {
            starved.add(name, connections);
        }
        assert!(starved.someone_has_none());
        let turns: Vec<_> = std::iter::from_fn(|| starved.pop()).collect();
        assert_eq!(turns, [c, b, a]);
        assert!(!starved.someone_has_none() && starved.places.is_empty());
        // Who was served elsewhere makes nobody give way.
        starved.add(&turns[0], 0);
        assert!(starved.served(&turns[0]) && !starved.served(&turns[0]));
        assert!(!starved.someone_has_none() && starved.pop().is_none());
        for _ in 0..1_000 {
            starved.add(&turns[0], 1);
            starved.served(&turns[0]);
        }
        assert!(starved.wanting.len() <= OVERTAKEN_MAX + 2);
    }
}
