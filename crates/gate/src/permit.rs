//! The right to be queued.

use crate::rule::Refusal;
use model::{
    AgreementId, ControllerId, CredentialId, InstructionId, PurposeId, RecipientTag, StreamId, StreamKind, Timestamp,
};

/// This message may be **queued** for this recipient. Made by [`crate::decide`] alone; the store takes
/// no message without one. It has no `Clone` and cannot be written down: a queued row records
/// which agreement and instruction it rested on, but a permit is never made again from a row.
///
/// ```compile_fail
/// let forged = gate::Permit { controller: model::ControllerId(1) };
/// ```
/// ```compile_fail
/// fn twice(permit: gate::Permit) -> (gate::Permit, gate::Permit) { (permit.clone(), permit) }
/// ```
#[derive(Debug)]
#[must_use = "a permit that is not used means a message that was not queued"]
pub struct Permit {
    pub(crate) controller: ControllerId,
    pub(crate) tag: RecipientTag,
    pub(crate) agreement: AgreementId,
    pub(crate) instruction: InstructionId,
    pub(crate) credential: CredentialId,
    pub(crate) stream: StreamId,
    pub(crate) kind: StreamKind,
    pub(crate) purpose: PurposeId,
    pub(crate) counts_for: Option<PurposeId>,
    pub(crate) decided_at: Timestamp,
    pub(crate) generation: u64,
    pub(crate) held: Option<Refusal>,
}

impl Permit {
    /// Whose mail.
    #[must_use]
    pub const fn controller(&self) -> ControllerId {
        self.controller
    }
    /// For whom. The store refuses it for anybody else.
    #[must_use]
    pub const fn tag(&self) -> RecipientTag {
        self.tag
    }
    /// The agreement it rests on.
    #[must_use]
    pub const fn agreement(&self) -> AgreementId {
        self.agreement
    }
    /// The instruction it rests on.
    #[must_use]
    pub const fn instruction(&self) -> InstructionId {
        self.instruction
    }
    /// The credential that asked.
    #[must_use]
    pub const fn credential(&self) -> CredentialId {
        self.credential
    }
    /// The stream.
    #[must_use]
    pub const fn stream(&self) -> StreamId {
        self.stream
    }
    /// The stream's kind.
    #[must_use]
    pub const fn kind(&self) -> StreamKind {
        self.kind
    }
    /// The purpose, or the list below it, that the message is sent for.
    #[must_use]
    pub const fn purpose(&self) -> PurposeId {
        self.purpose
    }
    /// Under which purpose it counts among the marketing that the person gets: where the terms or he himself set a
    /// bound. The store counts it in the commit that queues it.
    #[must_use]
    pub const fn counts_for(&self) -> Option<PurposeId> {
        self.counts_for
    }
    /// When it was decided.
    #[must_use]
    pub const fn decided_at(&self) -> Timestamp {
        self.decided_at
    }
    /// Taken in, but to be held for this reason: GDPR Art. 28(3), last subparagraph: an instruction that
    /// looks infringing is neither obeyed nor its mail dropped.
    #[must_use]
    pub const fn held(&self) -> Option<Refusal> {
        self.held
    }
    /// The permission generation of the facts it rests on.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }
}
