//! The rules, one function each. Each says at its line what it enforces and why here.

use crate::decide::Fired;
use crate::facts::{
    BasisForAll, Connection, Covers, Facts, FromDomain, Order, RecipientFacts, SenderFacts, Standing, SuppressionFacts,
    WayOut,
};
use crate::rule::Rule;
use model::agreement::AgreementState;
use model::basis::{BasisKind, Evidence};
use model::instruction::InstructionState;
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use model::stream::{OptOut, TlsFloor, Unverified};

pub(crate) type Question = fn(&Facts<'_>) -> Result<(), Fired>;

/// Asked before a message is queued.
pub(crate) const ACCEPTANCE: &[Question] = &[
    known,
    agreement,
    instruction,
    covered,
    terms,
    credential,
    from_domain,
    person,
    suppression,
    paused,
    basis,
    informed,
    way_out,
    frequency,
    quiet,
    quota,
];

/// Asked before it leaves: the same, but for the credential, which spoke at acceptance and may have
/// been replaced since, and what was counted then: frequency and quota. The connection is known only now.
pub(crate) const CLEARANCE: &[Question] = &[
    known,
    agreement,
    instruction,
    covered,
    terms_still,
    from_domain,
    person,
    suppression,
    paused,
    basis,
    informed,
    way_out,
    ordered,
    quiet,
    tls_floor,
];

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
        (Some(instruction), Some(_)) if instruction.covers != Covers::No => Ok(()),
        _ => refuse(Rule::OperationNotInstructed),
    }
}

/// GDPR Art. 28(3)(a), 44: what cannot be kept as instructed is not begun.
fn terms(facts: &Facts<'_>) -> Result<(), Fired> {
    if keeps_terms(facts)? { Ok(()) } else { refuse(Rule::TermsNotKept) }
}

/// The same of what was taken in: it waits for a node that keeps them, since no sender did anything wrong.
fn terms_still(facts: &Facts<'_>) -> Result<(), Fired> {
    if keeps_terms(facts)? { Ok(()) } else { Err(Fired::Holds(Rule::TermsNotKept)) }
}

fn keeps_terms(facts: &Facts<'_>) -> Result<bool, Fired> {
    Ok(sender(facts)?.instruction.is_none_or(|instruction| instruction.covers != Covers::NotHere))
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
                SuppressionScope::Purpose(only) => only == stream.purpose.id,
                SuppressionScope::List(only) => stream.purpose.list == Some(only),
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

/// GDPR Art. 21(2): who asked for a pause is not mailed marketing while it lasts, and not afterwards what fell into it.
fn paused(facts: &Facts<'_>) -> Result<(), Fired> {
    match recipient(facts)?.paused_until {
        Some(until) if facts.now < until && sender(facts)?.is_marketing() => refuse(Rule::Paused),
        _ => Ok(()),
    }
}

/// GDPR Art. 6(1): every purpose has a basis. Other mail rests on what its purpose refers to; marketing on each
/// person's own record.
fn basis(facts: &Facts<'_>) -> Result<(), Fired> {
    let sender = sender(facts)?;
    let Some(stream) = sender.stream else { return refuse(Rule::OperationNotInstructed) };
    if sender.is_marketing() {
        return marketing_basis(facts, stream.unverified);
    }
    match stream.purpose.basis_for_all {
        BasisForAll::Complete => Ok(()),
        BasisForAll::Missing => refuse(Rule::NoBasis),
    }
}

/// ePrivacy Art. 13(1), (2): marketing needs consent, given, shown, confirmed, not withdrawn and not run out, or the
/// soft opt-in with all its facts.
fn marketing_basis(facts: &Facts<'_>, unverified: Unverified) -> Result<(), Fired> {
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
    match (basis.evidence, basis.kind) {
        (Evidence::Complete, _) => Ok(()),
        // ePrivacy Art. 13(2): each of its four conditions, or none of it.
        (Evidence::Unverified, BasisKind::SoftOptIn) => refuse(Rule::SoftOptInIncomplete),
        // GDPR Art. 7(1): who was told what is part of showing consent. The controller may answer for it himself.
        (Evidence::Unverified, _) if unverified == Unverified::Allowed => Ok(()),
        (Evidence::Unverified, _) => refuse(Rule::ConsentTextUnknown),
    }
}

/// GDPR Art. 14(3)(a): whose data were not obtained from himself is informed within one month at the latest. Until then
/// nothing is refused: whether the first message is the notice (Art. 14(3)(b)) is the controller's to see. Mail that is
/// no marketing goes on, the notice itself among it.
fn informed(facts: &Facts<'_>) -> Result<(), Fired> {
    match recipient(facts)?.inform_until {
        Some(until) if until <= facts.now && sender(facts)?.is_marketing() => refuse(Rule::InformationOverdue),
        _ => Ok(()),
    }
}

/// ePrivacy Art. 13(4), RFC 8058: marketing that does not say how to stop it is no mail of ours.
fn way_out(facts: &Facts<'_>) -> Result<(), Fired> {
    let sender = sender(facts)?;
    let has_none = sender.stream.is_some_and(|stream| stream.opt_out == OptOut::None);
    if sender.is_marketing() && (has_none || facts.message.way_out == WayOut::DoesNotFit) {
        return refuse(Rule::OptOutMissing);
    }
    Ok(())
}

/// GDPR Art. 28(3)(a): the terms promise at most so many messages; Art. 21(2): the person may choose fewer. Counted is
/// what was accepted for him, in the order of the commits; what became of it does not matter.
fn frequency(facts: &Facts<'_>) -> Result<(), Fired> {
    let (sender, recipient) = (sender(facts)?, recipient(facts)?);
    let Some(stream) = sender.stream.filter(|_| sender.is_marketing()) else { return Ok(()) };
    let has_room = |most, purpose| recipient.has_room(most, purpose, facts.now);
    let promised = stream.frequency.is_none_or(|most| has_room(most, Some(stream.purpose.id)));
    if promised && recipient.pace.is_none_or(|most| has_room(most, None)) { Ok(()) } else { refuse(Rule::FrequencyCap) }
}

/// GDPR Art. 28(3)(a), 32(1)(b): what is held waits until whoever holds it lets it go; what is purged does not leave.
/// Asked after what stops a message for good, so that a wish of the person comes into force meanwhile.
fn ordered(facts: &Facts<'_>) -> Result<(), Fired> {
    match facts.message.order {
        None => Ok(()),
        Some(Order::HeldByOperator) => Err(Fired::Holds(Rule::HeldByOperator)),
        Some(Order::HeldByController) => Err(Fired::Holds(Rule::HeldByController)),
        Some(Order::Purged) => refuse(Rule::Purged),
    }
}

/// GDPR Art. 28(3)(a): the terms say when nobody is disturbed. It is held and not refused: the hours end.
fn quiet(facts: &Facts<'_>) -> Result<(), Fired> {
    let sender = sender(facts)?;
    match sender.stream.and_then(|stream| stream.quiet) {
        Some(quiet) if sender.is_marketing() && quiet.from <= facts.now && facts.now < quiet.until => {
            Err(Fired::Rests(Rule::QuietHours, quiet.until))
        }
        _ => Ok(()),
    }
}

/// GDPR Art. 32(1)(a): where the terms ask for encryption, or for a verified server, nothing leaves without it. What is
/// not known is not enough.
fn tls_floor(facts: &Facts<'_>) -> Result<(), Fired> {
    let floor = sender(facts)?.stream.map_or(TlsFloor::Opportunistic, |stream| stream.tls_floor);
    match (floor, facts.message.connection) {
        (TlsFloor::Opportunistic, _)
        | (TlsFloor::Encrypted, Connection::Encrypted | Connection::Verified)
        | (TlsFloor::Verified, Connection::Verified) => Ok(()),
        (TlsFloor::Encrypted, Connection::NotYet | Connection::Clear)
        | (TlsFloor::Verified, Connection::NotYet | Connection::Clear | Connection::Encrypted) => {
            Err(Fired::Holds(Rule::TlsFloor))
        }
    }
}

/// GDPR Art. 28(3)(a): the instruction says how many messages a day.
fn quota(facts: &Facts<'_>) -> Result<(), Fired> {
    if facts.quota.used < facts.quota.allowed { Ok(()) } else { refuse(Rule::Quota) }
}
