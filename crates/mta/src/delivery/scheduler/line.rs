//! Domains that wait for a place at a site: prompt mail before bulk, controllers in turn, each of them his domains in
//! turn.
//!
//! Invariants: a domain stands in the line of a class and controller once; a controller stands in the turn of his class
//! once if he has a domain there, and not otherwise. A controller with ten thousand domains has no more turns than one
//! with a single one.

use super::{LaneKey, Pooled};
use model::ControllerId;
use model::stream::Class;
use std::collections::{HashMap, HashSet, VecDeque};

/// The domains.
#[derive(Default, Debug)]
pub(super) struct Line {
    prompt: Turns,
    bulk: Turns,
}

#[derive(Default, Debug)]
struct Turns {
    turn: VecDeque<ControllerId>,
    queues: HashMap<ControllerId, Queue>,
}

#[derive(Default, Debug)]
struct Queue {
    names: VecDeque<Pooled>,
    known: HashSet<Pooled>,
}

impl Turns {
    fn add(&mut self, controller: ControllerId, name: &Pooled) {
        let queue = self.queues.entry(controller).or_default();
        if queue.known.insert(name.clone()) {
            queue.names.push_back(name.clone());
            if queue.names.len() == 1 {
                self.turn.push_back(controller);
            }
        }
    }

    fn pop(&mut self) -> Option<Pooled> {
        let controller = self.turn.pop_front()?;
        let queue = self.queues.get_mut(&controller)?;
        let name = queue.names.pop_front()?;
        queue.known.remove(&name);
        if queue.names.is_empty() {
            self.queues.remove(&controller);
        } else {
            self.turn.push_back(controller);
        }
        Some(name)
    }
}

impl Line {
    /// A domain waits with mail of this class and controller.
    pub(super) fn add(&mut self, key: LaneKey, name: &Pooled) {
        match key.class {
            Class::Prompt => self.prompt.add(key.controller, name),
            Class::Bulk => self.bulk.add(key.controller, name),
        }
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Pooled> {
        self.prompt.pop().or_else(|| self.bulk.pop())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.prompt.turn.is_empty() && self.bulk.turn.is_empty()
    }

    /// Does anybody wait with prompt mail?
    pub(super) fn has_prompt(&self) -> bool {
        !self.prompt.turn.is_empty()
    }

    /// Domains that wait; one that waits with mail of several counts as often.
    pub(super) fn len(&self) -> usize {
        [&self.prompt, &self.bulk]
            .into_iter()
            .flat_map(|turns| turns.queues.values())
            .map(|queue| queue.names.len())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::site;
    use super::*;

    #[test]
    fn controllers_take_turns_whatever_the_number_of_their_domains_and_prompt_goes_first() {
        let mut line = Line::default();
        let key = |class, controller| LaneKey { class, controller: ControllerId(controller) };
        for number in 0..1_000 {
            line.add(key(Class::Bulk, 1), &site(&format!("d{number}.example")));
        }
        let [other, prompt] = ["other.example", "prompt.example"].map(site);
        line.add(key(Class::Bulk, 2), &other);
        line.add(key(Class::Bulk, 2), &other);
        line.add(key(Class::Prompt, 3), &prompt);
        assert!(line.has_prompt() && line.len() == 1_002);
        let order: Vec<_> = std::iter::from_fn(|| line.pop()).collect();
        assert_eq!(order[..3], [prompt, site("d0.example"), other]);
        assert_eq!(order.len(), 1_002);
        assert!(line.is_empty() && !line.has_prompt());
    }
}
