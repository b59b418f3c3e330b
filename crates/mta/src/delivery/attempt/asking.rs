//! Asking the gate: before MAIL, and once more before the final dot.
//!
//! Invariants: facts and their generation belong together (the store reads the generation first); a clearance whose
//! generation has moved is asked for again, never stretched; facts that cannot be read hold the message.
//! Standards: GDPR Art. 5(2), 7(3), 21(3).

use super::super::engine::Engine;
use super::super::send::{Link, NotBegun};
use super::letter::Letter;
use gate::facts::{FromDomain, QuotaFacts};
use gate::{Facts, MessageFacts, RecipientFacts, Refusal, Rule, SenderFacts, Verdict};
use mail::client::BeginError;
use model::Timestamp;
use std::time::Duration;
use store::QueueRow;

/// A message held for want of facts is asked about again after so long.
const FACTS_AGAIN: Duration = Duration::from_secs(60);
/// A message held for a human.
pub(super) const HELD_AGAIN: Duration = Duration::from_secs(15 * 60);
/// Times that facts are read again because they changed under our eyes; then the message waits.
pub(super) const FACTS_READ_MAX: usize = 16;

/// Everything the gate asks about one row, with the generation as of before it was read.
pub(super) type Known = (SenderFacts, MessageFacts, RecipientFacts, u64);

/// Facts for a set of rows, in order. GDPR Art. 5(2): what cannot be loaded is not known, and the gate holds.
pub(super) async fn load_facts(engine: &Engine, rows: Vec<&QueueRow>) -> Vec<Option<Known>> {
    match engine.store.clearance_facts(&rows).await {
        Ok(known) => known.into_iter().map(Some).collect(),
        Err(error) => {
            tracing::warn!(%error, "facts could not be read; the messages are held");
            rows.iter().map(|_| None).collect()
        }
    }
}

/// Those read for the batch while nothing has changed since; else they are read anew.
async fn facts_now(engine: &Engine, row: &QueueRow, known: Option<Known>) -> Option<Known> {
    match known {
        Some(known) if known.3 == engine.store.generation(row.controller) => Some(known),
        _ => load_facts(engine, vec![row]).await.pop().flatten(),
    }
}

/// What the gate has against this row now; `None` when it agrees.
pub(super) async fn face(engine: &Engine, row: &QueueRow, known: Option<Known>) -> Option<Facing> {
    let known = facts_now(engine, row, known).await;
    Facing::of(&ask(known.as_ref(), engine.store.now()))
}

/// Which of these rows the gate keeps for a human.
pub(crate) async fn held(engine: &Engine, rows: Vec<&QueueRow>) -> Vec<bool> {
    let known = load_facts(engine, rows).await;
    let now = engine.store.now();
    let facing = known.iter().map(|known| Facing::of(&ask(known.as_ref(), now)));
    facing.map(|facing| facing.is_some_and(Facing::is_for_a_human)).collect()
}

fn ask(known: Option<&Known>, now: Timestamp) -> Verdict<gate::Clearance> {
    let (sender, message, recipient, generation) = match known {
        Some((sender, message, recipient, generation)) => (Some(sender), *message, Some(recipient), *generation),
        None => (None, MessageFacts { from_domain: FromDomain::NotYetKnown }, None, 0),
    };
    gate::clear(&Facts {
        now,
        generation,
        sender,
        message,
        recipient,
        // Counted at acceptance; the clearance does not ask for it.
        quota: QuotaFacts { allowed: u64::MAX, used: 0 },
    })
}

/// Whether MAIL could be written.
pub(super) enum Begun {
    /// It is in the buffer; the generation to compare before the final dot.
    Yes(u64),
    Gate(Facing),
    Unfit(BeginError),
}

/// The gate said no, or not now.
#[derive(Clone, Copy)]
pub(super) enum Facing {
    Stopped(Rule),
    Held(Rule, Duration),
}

impl Facing {
    fn of(verdict: &Verdict<gate::Clearance>) -> Option<Self> {
        match verdict {
            Verdict::Pass(_) => None,
            Verdict::Refuse(refusal) => Some(Self::refused(refusal)),
            Verdict::Hold(refusal) => Some(Self::held(refusal)),
        }
    }

    fn refused(refusal: &Refusal) -> Self {
        Self::Stopped(refusal.rule())
    }

    fn held(refusal: &Refusal) -> Self {
        let missing = refusal.rule() == Rule::FactsUnavailable;
        Self::Held(refusal.rule(), if missing { FACTS_AGAIN } else { HELD_AGAIN })
    }

    /// Held until a human decides. Facts that cannot be read are no such reason: they come back, or never do.
    pub(super) fn is_for_a_human(self) -> bool {
        matches!(self, Self::Held(rule, _) if rule != Rule::FactsUnavailable)
    }
}

/// Asks the gate and uses its clearance up, with facts read anew as often as they changed meanwhile.
pub(super) async fn begin(
    engine: &Engine,
    link: &mut Link,
    row: &QueueRow,
    letter: &Letter,
    known: Option<Known>,
) -> Begun {
    let mut known = known;
    for _ in 0..FACTS_READ_MAX {
        known = facts_now(engine, row, known).await;
        let clearance = match ask(known.as_ref(), engine.store.now()) {
            Verdict::Pass(clearance) => clearance,
            Verdict::Refuse(refusal) => return Begun::Gate(Facing::refused(&refusal)),
            Verdict::Hold(refusal) => return Begun::Gate(Facing::held(&refusal)),
        };
        let transaction = letter.transaction();
        // The clock is read again: a clearance that was kept too long is not used.
        let (now, generation) = (engine.store.now(), engine.store.generation(row.controller));
        match link.begin(clearance, now, generation, row, transaction) {
            Ok(generation) => return Begun::Yes(generation),
            Err(NotBegun::Stale) => known = None,
            Err(NotBegun::Unfit(error)) => return Begun::Unfit(error),
        }
    }
    Begun::Gate(Facing::Held(Rule::FactsUnavailable, FACTS_AGAIN))
}

/// The last look before the final dot: `None` when nothing was withdrawn, or the gate still agrees.
pub(super) async fn may_finish(engine: &Engine, row: &QueueRow, generation: u64) -> Option<Facing> {
    let mut generation = generation;
    for _ in 0..FACTS_READ_MAX {
        if engine.store.generation(row.controller) == generation {
            return None;
        }
        let known = load_facts(engine, vec![row]).await.pop().flatten();
        match ask(known.as_ref(), engine.store.now()) {
            Verdict::Pass(clearance) => generation = clearance.use_up(),
            Verdict::Refuse(refusal) => return Some(Facing::refused(&refusal)),
            Verdict::Hold(refusal) => return Some(Facing::held(&refusal)),
        }
    }
    Some(Facing::Held(Rule::FactsUnavailable, FACTS_AGAIN))
}
