//! The rules, one function each. Each says at its line what it enforces and why here.

use crate::decide::Fired;
use crate::facts::{Covers, Facts, FromDomain, RecipientFacts, SenderFacts, Standing, SuppressionFacts};
use crate::rule::Rule;
use model::agreement::AgreementState;
use model::basis::BasisKind;
use model::instruction::InstructionState;
use model::person::{Restriction, SuppressionReason, SuppressionScope};

pub(crate) type Question = fn(&Facts<'_>) -> Result<(), Fired>;

/// Asked before a message is queued.
pub(crate) const ACCEPTANCE: &[Question] =
    &[known, agreement, instruction, covered, credential, from_domain, person, suppression, basis, quota];

/// Asked before it leaves: the same, but for the credential, which spoke at acceptance and may have
/// been replaced since, and the quota, which was counted then.
pub(crate) const CLEARANCE: &[Question] =
    &[known, agreement, instruction, covered, from_domain, person, suppression, basis];

fn sender<'a>(facts: &Facts<'a>) -> Result<&'a SenderFacts, Fired> {
    facts.sender.ok_or(Fired::Holds(Rule::FactsUnavailable))
}

fn recipient<'a>(facts: &Facts<'a>) -> Result<&'a RecipientFacts, Fired> {
    facts.recipient.ok_or(Fired::Holds(Rule::FactsUnavailable))
}

const fn refuse<T>(rule: Rule) -> Result<T, Fired> {
    Err(Fired::Refuses(rule))
}

/// GDPR Art. 5(2): facts that cannot be loaded are no facts; nothing is decided without them.
fn known(facts: &Facts<'_>) -> Result<(), Fired> {
    sender(facts)?;
    recipient(facts)?;
    Ok(())
}

/// GDPR Art. 28(3): processing is governed by a contract in force, at this moment.
fn agreement(facts: &Facts<'_>) -> Result<(), Fired> {
    match sender(facts)?.agreement {
        Some(agreement)
            if agreement.state == AgreementState::InForce
                && agreement.from <= facts.now
                && agreement.until.is_none_or(|until| facts.now < until) =>
        {
            Ok(())
        }
        _ => refuse(Rule::AgreementNotInForce),
    }
}

/// GDPR Art. 28(3)(a): only on documented instructions; Art. 28(3), last subparagraph: one that looks
/// infringing is neither obeyed nor dropped, but held.
fn instruction(facts: &Facts<'_>) -> Result<(), Fired> {
    match sender(facts)?.instruction {
        Some(instruction) if instruction.state == InstructionState::Held => {
            Err(Fired::Holds(Rule::InstructionInfringing))
        }
        Some(instruction) if instruction.state == InstructionState::InForce && instruction.from <= facts.now => Ok(()),
        _ => refuse(Rule::InstructionMissing),
    }
}

/// GDPR Art. 28(3)(a): the instruction names the operation and the stream.
fn covered(facts: &Facts<'_>) -> Result<(), Fired> {
    let sender = sender(facts)?;
    match (sender.instruction, sender.stream) {
        (Some(instruction), Some(_)) if instruction.covers == Covers::Yes => Ok(()),
        _ => refuse(Rule::OperationNotInstructed),
    }
}

/// GDPR Art. 29: who acts under the controller's authority acts only within it.
fn credential(facts: &Facts<'_>) -> Result<(), Fired> {
    match sender(facts)?.credential {
        Some(credential) if credential.standing == Standing::Good => Ok(()),
        _ => refuse(Rule::CredentialScope),
    }
}

/// ePrivacy Art. 13(4): the sender's identity is not disguised. RFC 6409 §6.1: the submission server
/// answers for the From it lets through.
fn from_domain(facts: &Facts<'_>) -> Result<(), Fired> {
    match facts.message.from_domain {
        FromDomain::NotVerified => refuse(Rule::FromNotVerified),
        FromDomain::Verified | FromDomain::NotYetKnown => Ok(()),
    }
}

/// GDPR Art. 17, 18: an erased or restricted person's data serve no other operation than storage.
fn person(facts: &Facts<'_>) -> Result<(), Fired> {
    match recipient(facts)?.restriction {
        None => Ok(()),
        Some(Restriction::Erased) => refuse(Rule::RecipientErased),
        Some(Restriction::Restricted) => refuse(Rule::RecipientRestricted),
        Some(Restriction::CaseOpen) => refuse(Rule::CaseOpen),
    }
}

/// GDPR Art. 21(3): after an objection the address serves direct marketing no more, whatever
/// consent was recorded earlier. Other suppressions stop what their scope covers.
fn suppression(facts: &Facts<'_>) -> Result<(), Fired> {
    let sender = sender(facts)?;
    let Some(stream) = sender.stream else { return refuse(Rule::OperationNotInstructed) };
    let reaches = |entry: &&SuppressionFacts| {
        entry.until.is_none_or(|until| facts.now < until)
            && match entry.scope {
                SuppressionScope::All | SuppressionScope::Delivery => true,
                SuppressionScope::Marketing => stream.kind.is_marketing(),
                SuppressionScope::Stream(only) => only == stream.id,
            }
    };
    let mut hit = recipient(facts)?.suppressions.iter().filter(reaches).peekable();
    if hit.peek().is_none() {
        return Ok(());
    }
    if hit.any(|entry| entry.reason == SuppressionReason::Objection) {
        return refuse(Rule::Objected);
    }
    refuse(Rule::Suppressed)
}

/// GDPR Art. 6(1), ePrivacy Art. 13(1), (2): marketing needs consent, given, confirmed, not withdrawn
/// and not run out, or the soft opt-in.
fn basis(facts: &Facts<'_>) -> Result<(), Fired> {
    if !sender(facts)?.stream_kind().is_some_and(model::StreamKind::is_marketing) {
        return Ok(());
    }
    let recipient = recipient(facts)?;
    let Some(basis) = recipient.basis else { return refuse(Rule::NoBasis) };
    if !recipient.has_consent_kind() {
        return refuse(Rule::ConsentMissing);
    }
    // GDPR Art. 7(3): withdrawal works from its moment on; a later record is a new consent.
    if basis.withdrawn_at.is_some() {
        return refuse(Rule::ConsentWithdrawn);
    }
    if basis.expires_at.is_some_and(|expires| expires <= facts.now) {
        return refuse(Rule::ConsentExpired);
    }
    // GDPR Art. 7(1): the controller must be able to show consent, which an unconfirmed sign-up does not.
    if basis.kind == BasisKind::Consent && basis.confirmed_at.is_none() {
        return refuse(Rule::ConsentUnconfirmed);
    }
    Ok(())
}

/// GDPR Art. 28(3)(a): the instruction says how many messages a day.
fn quota(facts: &Facts<'_>) -> Result<(), Fired> {
    if facts.quota.used < facts.quota.allowed { Ok(()) } else { refuse(Rule::Quota) }
}
