//! Making entries: references and commitments blinded by the person's ledger key, so that destroying
//! one secret makes all of a person's leaves dumb (law.md §3).

use super::ledger_error;
use crate::error::Result;
use crate::open::Store;
use crate::vault::{Secret, crypto};
use ledger::EntryRef;
use model::event::EventType;
use model::ids::hex;
use model::{AgreementId, ControllerId, InstructionId, MessageId, Timestamp};

/// Something happened to a message.
pub(crate) struct MessageEvent<'a> {
    pub(crate) kind: EventType,
    pub(crate) controller: ControllerId,
    pub(crate) event: [u8; 16],
    pub(crate) at: Timestamp,
    pub(crate) message: MessageId,
    /// The agreement of the permit; at later events the one in force is named.
    pub(crate) agreement: Option<AgreementId>,
    pub(crate) instruction: Option<InstructionId>,
    /// Committed to, not shown.
    pub(crate) detail: &'a [(&'a str, u64)],
    /// The person's; `None` once he is erased: then nothing in the leaf refers to him.
    pub(crate) secret: Option<&'a Secret>,
}

/// Something happened to accounts or to a person's standing, or was counted.
pub(crate) struct SystemEvent<'a> {
    /// Its id, where a row refers to it; a random one otherwise.
    pub(crate) event: Option<[u8; 16]>,
    pub(crate) kind: EventType,
    pub(crate) controller: ControllerId,
    /// The one it is about; without one, that in force is named.
    pub(crate) agreement: Option<AgreementId>,
    pub(crate) instruction: Option<InstructionId>,
    /// Shown: names ascending.
    pub(crate) counts: &'a [(&'a str, u64)],
    /// Committed to, not shown.
    pub(crate) detail: &'a [u8],
    /// A commitment that opens with a nonce which the controller holds (`architecture.md` §4), instead of one to
    /// `detail`.
    pub(crate) commitment: Option<[u8; 32]>,
    /// That of the person it is about. Without one nothing in the leaf refers to a person, and the controller's own
    /// key blinds it.
    pub(crate) secret: Option<&'a Secret>,
}

impl Store {
    pub(crate) fn message_entry(&self, event: &MessageEvent<'_>) -> Result<Vec<u8>> {
        let (agreement, instruction) = self.named(event.controller, event.agreement, event.instruction);
        let mut detail = Vec::with_capacity(64);
        detail.extend_from_slice(&event.message.0.to_be_bytes());
        for (name, value) in event.detail {
            detail.extend_from_slice(name.as_bytes());
            detail.extend_from_slice(&value.to_be_bytes());
        }
        let blinded = event.secret.map(|secret| blinded(secret, &event.event, &detail));
        encode(&EntryRef {
            id: &hex(&event.event),
            kind: event.kind.as_str(),
            time_us: u64::try_from(event.at.micros()).unwrap_or_default(),
            instruction: instruction.as_deref(),
            agreement: agreement.as_deref(),
            subject_ref: blinded.as_ref().map(|(sref, _)| sref),
            commitment: blinded.as_ref().map(|(_, commitment)| commitment),
            counts: &[],
        })
    }

    pub(crate) fn system_entry(&self, event: &SystemEvent<'_>) -> Result<Vec<u8>> {
        let id: [u8; 16] = event.event.map_or_else(crypto::random, Ok)?;
        let (agreement, instruction) = self.named(event.controller, event.agreement, event.instruction);
        let (subject_ref, commitment) = match event.secret {
            Some(secret) => {
                let (sref, commitment) = blinded(secret, &id, event.detail);
                (Some(sref), commitment)
            }
            None => {
                let key = self.vault.key(event.controller.0, crate::vault::KeyKind::Tag, 0)?;
                (None, crypto::mac(key.as_slice(), &[b"commit", &id, event.detail]))
            }
        };
        encode(&EntryRef {
            id: &hex(&id),
            kind: event.kind.as_str(),
            time_us: u64::try_from(self.now().micros()).unwrap_or_default(),
            instruction: instruction.as_deref(),
            agreement: agreement.as_deref(),
            subject_ref: subject_ref.as_ref(),
            commitment: Some(event.commitment.as_ref().unwrap_or(&commitment)),
            counts: event.counts,
        })
    }

    /// The public ids of the agreement and instruction that an event rests on. Every processing event names them
    /// (GDPR Art. 28(3)(a)): those of the permit, or those in force when it happened.
    fn named(
        &self,
        controller: ControllerId,
        agreement: Option<AgreementId>,
        instruction: Option<InstructionId>,
    ) -> (Option<String>, Option<String>) {
        let policy = self.policy.current();
        let known = policy.controller(controller);
        let agreement = agreement.or(known.and_then(|known| known.agreement.as_ref()).map(|one| one.id));
        let instruction = instruction.or(known.and_then(|known| known.instruction.as_ref()).map(|one| one.id));
        (agreement.map(|id| self.public_id(id)), instruction.map(|id| self.public_id(id)))
    }
}

/// Reference and commitment under a person's ledger key: another one in every leaf, and dumb once the key is gone.
fn blinded(secret: &Secret, event: &[u8; 16], detail: &[u8]) -> ([u8; 32], [u8; 32]) {
    (crypto::mac(secret.ledger.as_slice(), &[b"sref", event]), crypto::mac(&blind(secret, event), &[detail]))
}

/// What opens one leaf of a person, and no other.
pub(crate) fn blind(secret: &Secret, event: &[u8; 16]) -> [u8; 32] {
    crypto::mac(secret.ledger.as_slice(), &[b"blind", event])
}

fn encode(entry: &EntryRef<'_>) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(384);
    entry.encode_into(&mut out).map_err(|error| ledger_error(&error))?;
    Ok(out)
}
