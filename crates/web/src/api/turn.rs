//! Whose turn it is with work that a node does for few at once: files of contacts, files of suppressions, dry runs.
//!
//! Invariants: one piece of work of a controller at a time; whoever had the last turn does not get the next one as long
//! as somebody else came in vain a moment ago; who waits is known to who works ([`Held::is_wanted`]).

use crate::problem::Problem;
use crate::router::Fault;
use model::{Clock, ControllerId};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use store::Store;

/// Whoever came in vain is waited for so long.
const WAITS_S: u64 = 120;
/// How many of them are remembered.
const WAITING_MAX: usize = 256;

/// Turns.
#[derive(Clone)]
pub(crate) struct Turns {
    places: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    holders: Vec<ControllerId>,
    last: Option<ControllerId>,
    waiting: Vec<(ControllerId, Duration)>,
}

impl State {
    fn forget(&mut self, now: Duration) {
        self.waiting.retain(|(_, came)| now.saturating_sub(*came) < Duration::from_secs(WAITS_S));
    }

    fn others_wait(&self, than: ControllerId) -> bool {
        self.waiting.iter().any(|(waits, _)| *waits != than)
    }
}

/// One's turn, until it is dropped.
pub(crate) struct Held {
    turns: Turns,
    controller: ControllerId,
}

impl Turns {
    /// For so many at once.
    pub(crate) fn of(places: usize) -> Self {
        Self { places, state: Arc::default() }
    }

    /// It is a controller's turn, or it is told why not.
    pub(crate) fn take(&self, store: &Store, controller: ControllerId) -> Result<Held, Problem> {
        let taken = self.take_at(store.clock().monotonic(), controller);
        taken.map_err(|why| Problem::of(Fault::Busy).saying(why))
    }

    fn take_at(&self, now: Duration, controller: ControllerId) -> Result<Held, &'static str> {
        let mut state = self.state.lock();
        state.forget(now);
        if state.holders.contains(&controller) {
            return Err("another one of yours is under way on this node");
        }
        if state.holders.len() >= self.places {
            state.waiting.retain(|(waits, _)| *waits != controller);
            if state.waiting.len() < WAITING_MAX {
                state.waiting.push((controller, now));
            }
            return Err("others are under way on this node; try again within two minutes, and it is your turn next");
        }
        if state.last == Some(controller) && state.others_wait(controller) {
            return Err("others wait for their turn on this node; try again in two minutes");
        }
        state.waiting.retain(|(waits, _)| *waits != controller);
        state.holders.push(controller);
        state.last = Some(controller);
        drop(state);
        Ok(Held { turns: self.clone(), controller })
    }
}

impl Held {
    /// Does somebody else wait for it?
    pub(crate) fn is_wanted(&self, clock: &dyn Clock) -> bool {
        let mut state = self.turns.state.lock();
        state.forget(clock.monotonic());
        state.holders.len() >= self.turns.places && state.others_wait(self.controller)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.turns.state.lock().holders.retain(|holder| *holder != self.controller);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: ControllerId = ControllerId(1);
    const BOB: ControllerId = ControllerId(2);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn whoever_came_in_vain_is_next() {
        let turns = Turns::of(1);
        let held = turns.take_at(at(0), ADA).unwrap_or_else(|why| panic!("{why}"));
        assert!(turns.take_at(at(1), ADA).is_err(), "one of a controller at a time");
        assert!(turns.take_at(at(2), BOB).is_err());
        drop(held);
        assert!(turns.take_at(at(3), ADA).is_err(), "Bob came in vain");
        let held = turns.take_at(at(4), BOB).unwrap_or_else(|why| panic!("{why}"));
        drop(held);
        assert!(turns.take_at(at(5), BOB).is_ok(), "nobody waits any more");
    }

    #[test]
    fn nobody_is_waited_for_for_ever() {
        let turns = Turns::of(1);
        let held = turns.take_at(at(0), ADA).unwrap_or_else(|why| panic!("{why}"));
        assert!(turns.take_at(at(1), BOB).is_err());
        drop(held);
        assert!(turns.take_at(at(WAITS_S), ADA).is_err());
        assert!(turns.take_at(at(WAITS_S + 1), ADA).is_ok());
    }
}
