//! Sites that wait until the node may open one more connection: first those that have none at all.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The sites, each once. What a queue holds beyond `places` was overtaken, and is passed over.
#[derive(Default, Debug)]
pub(super) struct Starved {
    without: VecDeque<Arc<str>>,
    wanting: VecDeque<Arc<str>>,
    places: HashMap<Arc<str>, Place>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Without,
    Wanting,
}

impl Starved {
    /// A site that waits, with so many connections.
    pub(super) fn add(&mut self, name: &Arc<str>, connections: u32) {
        let place = if connections == 0 { Place::Without } else { Place::Wanting };
        match self.places.get(name) {
            Some(known) if *known == place || *known == Place::Without => return,
            _ => self.places.insert(Arc::clone(name), place),
        };
        match place {
            Place::Without => self.without.push_back(Arc::clone(name)),
            Place::Wanting => self.wanting.push_back(Arc::clone(name)),
        }
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Arc<str>> {
        if let Some(name) = self.without.pop_front() {
            self.places.remove(&name);
            return Some(name);
        }
        while let Some(name) = self.wanting.pop_front() {
            if self.places.remove(&name).is_some() {
                return Some(name);
            }
        }
        None
    }

    /// Whether a site waits that has no connection.
    pub(super) fn someone_has_none(&self) -> bool {
        !self.without.is_empty()
    }

    pub(super) fn retain(&mut self, stays: impl Fn(&Arc<str>) -> bool) {
        self.without.retain(&stays);
        self.wanting.retain(&stays);
        self.places.retain(|name, _| stays(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_none_comes_first_and_everyone_comes_once() {
        let mut starved = Starved::default();
        let [a, b, c] = ["a", "b", "c"].map(Arc::<str>::from);
        for (name, connections) in [(&a, 2), (&b, 1), (&c, 0), (&b, 0), (&a, 1), (&b, 3)] {
            starved.add(name, connections);
        }
        assert!(starved.someone_has_none());
        let turns: Vec<_> = std::iter::from_fn(|| starved.pop()).collect();
        assert_eq!(turns, [c, b, a]);
        assert!(!starved.someone_has_none() && starved.places.is_empty());
    }
}
