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
    /// A purpose, or a list below one, was made or ended.
    PurposeChanged,
    /// A document was kept: agreement, instruction or notice.
    DocumentKept,
    /// A document was signed.
    DocumentSigned,
    /// A form was published or taken down.
    FormChanged,
    /// A person was asked to confirm.
    ConsentRequested,
    /// A person refused a purpose, or confirmed, or set his preferences.
    PreferenceChanged,
    /// Contacts were imported, or an import undone.
    Imported,
    /// A controller said how the people of an import were informed (GDPR Art. 14).
    PeopleInformed,
    /// A person exercised a right.
    RightExercised,
    /// The controller was told something.
    ControllerTold,
    /// A credential was made or revoked.
    CredentialChanged,
    /// A sending domain was added or verified.
    DomainChanged,
    /// A host name for pages was claimed, verified, certified or given up.
    HostChanged,
    /// A key was put in the place of another.
    KeyRotated,
    /// A basis was recorded.
    BasisRecorded,
    /// A basis was withdrawn (GDPR Art. 7(3)).
    BasisWithdrawn,
    /// The evidence of a person's consent was handed to his controller.
    EvidenceExported,
    /// A suppression was made.
    Suppressed,
    /// A file of suppressions was taken in; each entry that it added has its own leaf besides.
    SuppressionsImported,
    /// A suppression of the controller or of a bounce was taken back.
    SuppressionLifted,
    /// A person was restricted.
    Restricted,
    /// What people had decided after a copy was made was made up for when the copy was restored (law.md R45).
    RestoreReplayed,
    /// What had been kept for its time was deleted (GDPR Art. 5(1)(e)).
    Deleted,
    /// Something was ordered for messages that wait: held, or ended.
    QueueOrdered,
    /// Messages that were held were let go.
    QueueReleased,
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
    /// A message of the sandbox came to its end; nothing left.
    MessageSandboxed,
    /// An attempt's outcome is unknown; the message is sent again.
    MessageUncertain,
    /// A report about a message came that changes nothing: a delay, a relay to a system without reports.
    MessageReported,
    /// The recipient of a message complained about it.
    MessageComplained,
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
            Self::PurposeChanged => "purpose.changed",
            Self::DocumentKept => "document.kept",
            Self::DocumentSigned => "document.signed",
            Self::FormChanged => "form.changed",
            Self::ConsentRequested => "consent.requested",
            Self::PreferenceChanged => "preference.changed",
            Self::Imported => "contacts.imported",
            Self::PeopleInformed => "people.informed",
            Self::RightExercised => "right.exercised",
            Self::ControllerTold => "controller.told",
            Self::CredentialChanged => "credential.changed",
            Self::DomainChanged => "domain.changed",
            Self::HostChanged => "host.changed",
            Self::KeyRotated => "key.rotated",
            Self::BasisRecorded => "basis.recorded",
            Self::BasisWithdrawn => "basis.withdrawn",
            Self::EvidenceExported => "consent.exported",
            Self::Suppressed => "suppression.added",
            Self::SuppressionsImported => "suppressions.imported",
            Self::SuppressionLifted => "suppression.lifted",
            Self::Restricted => "person.restricted",
            Self::RestoreReplayed => "restore.replayed",
            Self::Deleted => "data.deleted",
            Self::QueueOrdered => "queue.ordered",
            Self::QueueReleased => "queue.released",
            Self::MessageAccepted => "message.accepted",
            Self::MessageDelivered => "message.delivered",
            Self::MessageDeferred => "message.deferred",
            Self::MessageHeld => "message.held",
            Self::MessageBounced => "message.bounced",
            Self::MessageStopped => "message.stopped",
            Self::MessageExpired => "message.expired",
            Self::MessageSandboxed => "message.sandboxed",
            Self::MessageUncertain => "message.uncertain",
            Self::MessageReported => "message.reported",
            Self::MessageComplained => "message.complained",
            Self::Refused => "refused",
        }
    }
}
