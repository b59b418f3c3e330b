//! Asking the gate: before MAIL, and once more before the final dot.
//!
//! Invariants: facts and their generation belong together (the store reads the generation first); a clearance whose
//! generation has moved is asked for again, never stretched; facts that cannot be read hold the message: where the
//! store is away for a moment, only for that moment. Nothing begins and nothing is finished for a site that another
//! node may hold.
//! Standards: GDPR Art. 5(2), 7(3), 21(3).

use super::super::engine::Engine;
use super::super::send::{Link, NotBegun};
use super::letter::Letter;
use gate::facts::{Connection, FromDomain, QuotaFacts, WayOut};
use gate::{Clearance, Facts, MessageFacts, Refusal, Rule, Verdict};
use mail::client::BeginError;
use model::Timestamp;
use std::time::Duration;
use store::{Clearing, QueueRow, Temper};

/// A message held for want of facts is asked about again after so long.
const FACTS_AGAIN: Duration = Duration::from_secs(60);
/// A message held for a human.
pub(super) const HELD_AGAIN: Duration = Duration::from_secs(15 * 60);
/// A message that is held by an order: whoever takes the order back has it looked at again at once.
const ORDERED_AGAIN: Duration = Duration::from_secs(6 * 3_600);
/// Times that facts are read again because they changed under our eyes; then the message waits.
pub(super) const FACTS_READ_MAX: usize = 16;

/// Everything the gate asks about one row, with the generation as of before it was read.
pub(super) type Known = Box<Clearing>;

/// What was read about a row.
pub(super) enum Read {
    Facts(Known),
    /// GDPR Art. 5(2): what cannot be loaded is not known, and the gate holds.
    Nothing,
    /// The store is away. It is asked again when it is back: no reason to hold a message for longer.
    Away,
}

/// Facts for a set of rows, in order.
pub(super) async fn load_facts(engine: &Engine, rows: Vec<&QueueRow>) -> Vec<Read> {
    match engine.store.clearance_facts(&rows).await {
        Ok(known) => {
            engine.store_answered();
            known.into_iter().map(|known| Read::Facts(Box::new(known))).collect()
        }
        Err(error) => {
            engine.store_failed(&error, "facts could not be read; the messages wait");
            let away = error.temper() == Temper::Temporary;
            rows.iter().map(|_| if away { Read::Away } else { Read::Nothing }).collect()
        }
    }
}

/// Those read for the batch while nothing has changed since; else they are read anew.
async fn facts_now(engine: &Engine, row: &QueueRow, known: Option<Known>) -> Read {
    match known {
        Some(known) if known.3 == engine.store.generation(row.controller) => Read::Facts(known),
        _ => load_facts(engine, vec![row]).await.pop().unwrap_or(Read::Nothing),
    }
}

/// What there is against this row now; `None` when the gate agrees.
pub(super) async fn face(
    engine: &Engine,
    row: &QueueRow,
    connection: Connection,
    known: Option<Known>,
) -> Option<Facing> {
    let read = facts_now(engine, row, known).await;
    ask(&read, connection, engine.store.now()).err()
}

/// Which of these rows, whose time is over, may be given up: those that the gate does not keep for a human.
pub(crate) async fn may_end(engine: &Engine, rows: Vec<&QueueRow>) -> Vec<bool> {
    let read = load_facts(engine, rows).await;
    let now = engine.store.now();
    let ends = |read| ask(read, Connection::NotYet, now).err().is_none_or(Facing::lets_time_run);
    read.iter().map(ends).collect()
}

fn ask(read: &Read, connection: Connection, now: Timestamp) -> Result<Clearance, Facing> {
    let (sender, message, recipient, generation) = match read {
        Read::Facts(known) => (Some(&known.0), MessageFacts { connection, ..known.1 }, Some(&known.2), known.3),
        Read::Nothing => {
            let (from_domain, way_out) = (FromDomain::NotYetKnown, WayOut::Fits);
            let message = MessageFacts { from_domain, way_out, connection, order: None };
            (None, message, None, 0)
        }
        Read::Away => return Err(Facing::NotNow),
    };
    let verdict = gate::clear(&Facts {
        now,
        generation,
        sender,
        message,
        recipient,
        // Counted at acceptance; the clearance does not ask for it.
        quota: QuotaFacts { allowed: u64::MAX, used: 0 },
    });
    match verdict {
        Verdict::Pass(clearance) => Ok(clearance),
        Verdict::Refuse(refusal) => Err(Facing::Stopped(refusal.rule())),
        Verdict::Hold(refusal) => Err(Facing::held(&refusal, now)),
    }
}

/// Whether MAIL could be written.
pub(super) enum Begun {
    /// It is in the buffer; the generation to compare before the final dot.
    Yes(u64),
    Gate(Facing),
    Unfit(BeginError),
}

/// The gate said no, or not now; or nobody may say anything now.
#[derive(Clone, Copy)]
pub(super) enum Facing {
    Stopped(Rule),
    Held(Rule, Duration),
    /// Not on this connection: it is tried again by the plan, and its time runs.
    Deferred(Rule),
    /// The store is away, or the site is another node's, or was for a moment nobody's: not for this attempt to decide.
    NotNow,
}

impl Facing {
    fn held(refusal: &Refusal, now: Timestamp) -> Self {
        match (refusal.rule(), refusal.again()) {
            (rule @ Rule::TlsFloor, _) => Self::Deferred(rule),
            // What ends by itself is asked about when it ends, and not before.
            (rule, Some(until)) => Self::Held(rule, until.since(now)),
            (rule @ Rule::FactsUnavailable, None) => Self::Held(rule, FACTS_AGAIN),
            (rule @ (Rule::HeldByOperator | Rule::HeldByController), None) => Self::Held(rule, ORDERED_AGAIN),
            (rule, None) => Self::Held(rule, HELD_AGAIN),
        }
    }

    /// May a message be given up with its time over? Not while it is held until a human decides, nor while nobody can
    /// say whether it is. Facts that never can be read are no such reason.
    pub(super) fn lets_time_run(self) -> bool {
        match self {
            Self::Stopped(_) | Self::Deferred(_) | Self::Held(Rule::FactsUnavailable, _) => true,
            Self::Held(..) | Self::NotNow => false,
        }
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
        let read = facts_now(engine, row, known.take()).await;
        let clearance = match ask(&read, link.security(), engine.store.now()) {
            Ok(clearance) => clearance,
            Err(facing) => return Begun::Gate(facing),
        };
        // Nothing is awaited from here to MAIL in the buffer. A node that is not sure of the site begins nothing.
        if !engine.holds(&row.lane.site) {
            return Begun::Gate(Facing::NotNow);
        }
        let transaction = letter.transaction();
        // The clock is read again: a clearance that was kept too long is not used.
        let (now, generation) = (engine.store.now(), engine.store.generation(row.controller));
        match link.begin(clearance, now, generation, row, transaction) {
            Ok(generation) => return Begun::Yes(generation),
            Err(NotBegun::Stale) => {}
            Err(NotBegun::Unfit(error)) => return Begun::Unfit(error),
        }
    }
    Begun::Gate(Facing::Held(Rule::FactsUnavailable, FACTS_AGAIN))
}

/// The last look before the final dot, after the start was answered: `None` when the site is still this node's to
/// deliver to, and nothing was withdrawn, or the gate still agrees. Recording the start may itself have moved the
/// generation: it observes what other nodes changed.
pub(super) async fn may_finish(
    engine: &Engine,
    row: &QueueRow,
    connection: Connection,
    generation: u64,
) -> Option<Facing> {
    let mut generation = generation;
    for _ in 0..FACTS_READ_MAX {
        if !engine.holds(&row.lane.site) {
            return Some(Facing::NotNow);
        }
        if engine.store.generation(row.controller) == generation {
            return None;
        }
        let read = load_facts(engine, vec![row]).await.pop().unwrap_or(Read::Nothing);
        match ask(&read, connection, engine.store.now()) {
            Ok(clearance) => generation = clearance.use_up(),
            Err(facing) => return Some(facing),
        }
    }
    Some(Facing::Held(Rule::FactsUnavailable, FACTS_AGAIN))
}
