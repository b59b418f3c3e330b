//! A refusal with the id under which it can be asked about.
//!
//! Invariant: the same refusal of the same request is kept once; one that concerns the sender as a whole is kept once
//! for all recipients, and about none of them.

use gate::{Refusal, Rule};
use std::collections::HashMap;
use store::{Store, TurnedAway};

/// The gate said no, and whether that is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Declined {
    refusal: Refusal,
    decision: Option<String>,
}

impl Declined {
    /// A refusal that nobody can ask about.
    #[must_use]
    pub const fn unlogged(refusal: Refusal) -> Self {
        Self { refusal, decision: None }
    }

    /// A refusal that is kept under this public id.
    #[must_use]
    pub const fn under(refusal: Refusal, decision: String) -> Self {
        Self { refusal, decision: Some(decision) }
    }

    /// Keeps it, if there is room.
    pub(super) fn logged(store: &Store, refusal: Refusal, turned: &TurnedAway<'_>) -> Self {
        let decision = store.keep_refusal(turned).map(|id| store.public_id(id));
        if decision.is_none() {
            metrics::counter!("postern_refusals_not_kept_total").increment(1);
        }
        Self { refusal, decision }
    }

    /// What the gate said.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// The rule that fired.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.refusal.rule()
    }

    /// Public id of the decision; nothing when it is not kept.
    #[must_use]
    pub fn decision(&self) -> Option<&str> {
        self.decision.as_deref()
    }
}

/// Refusals of one request that are kept already.
#[derive(Default)]
pub(super) struct Told {
    each: HashMap<(usize, Rule), Declined>,
    all: HashMap<Rule, Declined>,
}

impl Told {
    /// The refusal of the recipient at this place.
    pub(super) fn declined(
        &mut self,
        store: &Store,
        place: usize,
        refusal: Refusal,
        turned: &TurnedAway<'_>,
    ) -> Declined {
        let make = || Declined::logged(store, refusal, turned);
        let rule = refusal.rule();
        if rule.concerns_sender() {
            self.all.entry(rule).or_insert_with(make).clone()
        } else {
            self.each.entry((place, rule)).or_insert_with(make).clone()
        }
    }
}
