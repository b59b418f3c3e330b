//! The decision. One small function a rule (`rules.rs`), asked in the order of `architecture.md` §2.

use crate::clearance::{CLEARANCE_LIFE, Clearance};
use crate::facts::{Facts, FromDomain, RecipientFacts, SenderFacts};
use crate::permit::Permit;
use crate::rule::{Refusal, Rule};
use crate::rules;
use model::{PurposeId, Timestamp};

/// What the gate says. `T` is [`Permit`] or [`Clearance`].
#[derive(Debug)]
pub enum Verdict<T> {
    /// Yes. (A permit may say that the message is taken in and **held**: [`Permit::held`].)
    Pass(T),
    /// Not now: the facts, or a human, must come first. What is queued stays queued.
    Hold(Refusal),
    /// No.
    Refuse(Refusal),
}

/// May this message be queued for this recipient?
///
/// Facts without the From domain never give a permit: use [`check`] before the content is known.
pub fn decide(facts: &Facts<'_>) -> Verdict<Permit> {
    if facts.message.from_domain == FromDomain::NotYetKnown {
        return Verdict::Hold(Refusal::by(Rule::FactsUnavailable));
    }
    match ask(facts, rules::ACCEPTANCE) {
        Ok(held) => permit(facts, held),
        Err(verdict) => verdict.into_verdict(),
    }
}

/// Would this recipient be refused, as far as is known before the content (SMTP MAIL and RCPT)?
/// A pass is no permit: the question is asked again, whole, at the end of the data. A hold means that the message
/// would be taken in and held, or, with facts missing, that nobody can say.
pub fn check(facts: &Facts<'_>) -> Verdict<()> {
    match ask(facts, rules::ACCEPTANCE) {
        Ok(Some(held)) => Verdict::Hold(held),
        Ok(None) => Verdict::Pass(()),
        Err(verdict) => verdict.into_verdict(),
    }
}

/// May this message, queued earlier, leave now?
pub fn clear(facts: &Facts<'_>) -> Verdict<Clearance> {
    let (Some(sender), Some(recipient)) = (facts.sender, facts.recipient) else {
        return Verdict::Hold(Refusal::by(Rule::FactsUnavailable));
    };
    match ask(facts, rules::CLEARANCE) {
        Ok(Some(held)) => Verdict::Hold(held),
        Ok(None) => Verdict::Pass(Clearance {
            controller: sender.controller,
            tag: recipient.tag,
            generation: facts.generation,
            deadline: facts.now.plus(CLEARANCE_LIFE),
        }),
        Err(verdict) => verdict.into_verdict(),
    }
}

/// The refusal for facts that could not be loaded at all, for callers that have none to show.
#[must_use]
pub const fn facts_unavailable() -> Refusal {
    Refusal::by(Rule::FactsUnavailable)
}

/// The refusal when others used up the day's allowance between the decision and the commit that counts it.
#[must_use]
pub const fn quota_used_up() -> Refusal {
    Refusal::by(Rule::Quota)
}

/// A rule that fired: it refuses or holds.
pub(crate) enum Fired {
    Refuses(Rule),
    Holds(Rule),
    /// Holds until a moment that is known.
    Rests(Rule, Timestamp),
}

impl Fired {
    fn into_verdict<T>(self) -> Verdict<T> {
        match self {
            Self::Refuses(rule) => Verdict::Refuse(Refusal::by(rule)),
            Self::Holds(rule) => Verdict::Hold(Refusal::by(rule)),
            Self::Rests(rule, until) => Verdict::Hold(Refusal::until(rule, until)),
        }
    }
}

/// The first rule that refuses, or the first that holds when none refuses. Missing facts end it at once.
fn ask(facts: &Facts<'_>, questions: &[rules::Question]) -> Result<Option<Refusal>, Fired> {
    let mut held: Option<Refusal> = None;
    for question in questions {
        match question(facts) {
            Ok(()) => {}
            Err(Fired::Holds(rule)) if rule != Rule::FactsUnavailable => {
                held.get_or_insert(Refusal::by(rule));
            }
            Err(Fired::Rests(rule, until)) => {
                held.get_or_insert(Refusal::until(rule, until));
            }
            Err(fired) => return Err(fired),
        }
    }
    Ok(held)
}

fn permit(facts: &Facts<'_>, held: Option<Refusal>) -> Verdict<Permit> {
    let unavailable = || Verdict::Hold(Refusal::by(Rule::FactsUnavailable));
    let (Some(sender), Some(recipient)) = (facts.sender, facts.recipient) else {
        return unavailable();
    };
    let SenderFacts { controller, agreement, instruction, stream, credential } = sender;
    let (Some(agreement), Some(instruction), Some(stream), Some(credential)) =
        (agreement, instruction, stream, credential)
    else {
        return unavailable();
    };
    Verdict::Pass(Permit {
        controller: *controller,
        tag: recipient.tag,
        agreement: agreement.id,
        instruction: instruction.id,
        credential: credential.id,
        stream: stream.id,
        kind: stream.kind,
        purpose: stream.purpose.list.map_or(stream.purpose.id, |list| PurposeId(list.0)),
        counts_for: counts_for(sender, recipient),
        decided_at: facts.now,
        generation: facts.generation,
        held,
    })
}

/// Under which purpose the message counts among the marketing a person gets, where anything depends on the count.
fn counts_for(sender: &SenderFacts, recipient: &RecipientFacts) -> Option<PurposeId> {
    let stream = sender.stream.filter(|_| sender.is_marketing())?;
    (stream.frequency.is_some() || recipient.pace.is_some()).then_some(stream.purpose.id)
}
