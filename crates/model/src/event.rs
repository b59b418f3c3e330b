//! What is recorded in the ledger: types of events, never their content.

/// The type of a ledger entry (`architecture.md` §4). The words are stable: verifiers read them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EventType {
    /// A controller was set up.
    ControllerCreated,
    /// An agreement changed state.
    AgreementChanged,
    /// An instruction changed state.
    InstructionChanged,
    /// A credential was made or revoked.
    CredentialChanged,
    /// A sending domain was added or verified.
    DomainChanged,
    /// A basis was recorded.
    BasisRecorded,
    /// A basis was withdrawn (GDPR Art. 7(3)).
    BasisWithdrawn,
    /// A suppression was made.
    Suppressed,
    /// A person was restricted.
    Restricted,
    /// A message was accepted into the queue.
    MessageAccepted,
    /// A message was delivered.
    MessageDelivered,
    /// An attempt failed for now.
    MessageDeferred,
    /// The gate holds a message that was already queued (GDPR Art. 28(3), last subparagraph).
    MessageHeld,
    /// A message was refused for good.
    MessageBounced,
    /// The gate stopped a message that was already queued.
    MessageStopped,
    /// A message was given up.
    MessageExpired,
    /// An attempt's outcome is unknown; the message is sent again.
    MessageUncertain,
    /// Refusals at a door, counted by credential, rule and minute.
    Refused,
}

impl EventType {
    /// The word in the ledger.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ControllerCreated => "controller.created",
            Self::AgreementChanged => "agreement.changed",
            Self::InstructionChanged => "instruction.changed",
            Self::CredentialChanged => "credential.changed",
            Self::DomainChanged => "domain.changed",
            Self::BasisRecorded => "basis.recorded",
            Self::BasisWithdrawn => "basis.withdrawn",
            Self::Suppressed => "suppression.added",
            Self::Restricted => "person.restricted",
            Self::MessageAccepted => "message.accepted",
            Self::MessageDelivered => "message.delivered",
            Self::MessageDeferred => "message.deferred",
            Self::MessageHeld => "message.held",
            Self::MessageBounced => "message.bounced",
            Self::MessageStopped => "message.stopped",
            Self::MessageExpired => "message.expired",
            Self::MessageUncertain => "message.uncertain",
            Self::Refused => "refused",
        }
    }
}
