//! All that a decision depends on. Filled by `store::facts` in sets; read by nobody else.

use model::agreement::AgreementState;
use model::basis::{BasisKind, BasisRecord};
use model::instruction::InstructionState;
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use model::stream::{Frequency, OptOut, TlsFloor, Unverified};
use model::{
    AgreementId, ControllerId, CredentialId, InstructionId, ListId, PurposeId, RecipientTag, StreamId, StreamKind,
    Timestamp,
};
use std::time::Duration;

/// A day, as frequencies count it.
const DAY: Duration = Duration::from_secs(86_400);

/// Facts about the sender, the same for every recipient of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SenderFacts {
    /// Whose mail it is.
    pub controller: ControllerId,
    /// The agreement with the latest version, if any.
    pub agreement: Option<AgreementFacts>,
    /// The instruction with the latest version, if any.
    pub instruction: Option<InstructionFacts>,
    /// The stream named by the client, if the controller has it.
    pub stream: Option<StreamFacts>,
    /// What the credential may do.
    pub credential: Option<CredentialFacts>,
}

/// The agreement, as of now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AgreementFacts {
    /// Its id.
    pub id: AgreementId,
    /// Where it stands.
    pub state: AgreementState,
    /// In force from.
    pub from: Timestamp,
    /// In force until.
    pub until: Option<Timestamp>,
}

/// The instruction, as of now, already asked about the operation and stream at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstructionFacts {
    /// Its id.
    pub id: InstructionId,
    /// Where it stands.
    pub state: InstructionState,
    /// In force from.
    pub from: Timestamp,
    /// Does it name storing and transmission, and this stream?
    pub covers: Covers,
}

/// Does an instruction name what is about to be done?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Covers {
    /// Operation and stream are named.
    Yes,
    /// Either is not named.
    No,
    /// Both are named, but this node does not keep what the stream's terms ask of it, such as where it stands.
    NotHere,
}

/// The stream, and for what the message is sent on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamFacts {
    /// Its id.
    pub id: StreamId,
    /// Its kind.
    pub kind: StreamKind,
    /// The purpose of this message.
    pub purpose: PurposeFacts,
    /// How a person says no to what is sent on it.
    pub opt_out: OptOut,
    /// Does consent whose words are not known carry mail on it?
    pub unverified: Unverified,
    /// At most so much marketing to one person for the purpose at hand.
    pub frequency: Option<Frequency>,
    /// The hours of rest that run or come next.
    pub quiet: Option<QuietFacts>,
    /// The least transport security.
    pub tls_floor: TlsFloor,
}

/// When marketing rests, as moments: the calendar and its time zones are not for the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuietFacts {
    /// From then on.
    pub from: Timestamp,
    /// Until then, which is not quiet any more.
    pub until: Timestamp,
}

/// The purpose of a message (GDPR Art. 5(1)(b)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PurposeFacts {
    /// Its id.
    pub id: PurposeId,
    /// The list below it that the message is for, if it is for one.
    pub list: Option<ListId>,
    /// Is there a basis that needs no record of each person, with all its facts?
    pub basis_for_all: BasisForAll,
}

/// A basis that carries a purpose for everybody: contract, legal obligation, legitimate interest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BasisForAll {
    /// Yes, and what it refers to is recorded.
    Complete,
    /// None, or a fact of it is missing.
    Missing,
}

/// The credential that speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CredentialFacts {
    /// Its id.
    pub id: CredentialId,
    /// May it send on this stream, and is it neither expired nor revoked?
    pub standing: Standing,
}

/// Is a credential good for this stream now?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Yes.
    Good,
    /// It exists, but may not send on this stream.
    OutOfScope,
    /// Revoked or expired.
    Revoked,
}

/// Facts about the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageFacts {
    /// What is known of the domain of the From field.
    pub from_domain: FromDomain,
    /// Can the way out be put into it, where it needs one?
    pub way_out: WayOut,
    /// What is known of the connection on which it would leave.
    pub connection: Connection,
    /// What somebody ordered for what waits in the queue, and this message with it.
    pub order: Option<Order>,
}

/// What was ordered for messages that wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// The operator holds them.
    HeldByOperator,
    /// The controller holds them.
    HeldByController,
    /// The operator ends them.
    Purged,
}

/// The connection on which a message would leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connection {
    /// There is none yet: before a message leaves. Never enough where the terms have a floor.
    NotYet,
    /// Not encrypted.
    Clear,
    /// Encrypted by TLS, with whoever answered.
    Encrypted,
    /// Encrypted by TLS, with a server whose certificate holds for its name or is named by DANE.
    Verified,
}

/// Can a marketing message carry the way out that its stream's terms ask for?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WayOut {
    /// Yes, or it needs none, or the content is not known yet.
    Fits,
    /// No: signed, encrypted, or without a text.
    DoesNotFit,
}

/// The From domain as the store knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FromDomain {
    /// Not yet known: before the content came (RCPT). Never enough for a permit.
    NotYetKnown,
    /// Verified for this controller.
    Verified,
    /// Not this controller's, or not verified.
    NotVerified,
}

/// Facts about one recipient.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RecipientFacts {
    /// Who it is: what the gate gives is given for him and for nobody else.
    pub tag: RecipientTag,
    /// Suppressions of this person by this controller.
    pub suppressions: Vec<SuppressionFacts>,
    /// Restriction, erasure, open case.
    pub restriction: Option<Restriction>,
    /// The basis recorded for the purpose at hand.
    pub basis: Option<BasisRecord>,
    /// That basis came from somebody else with an import, and that he was informed is not on record: from this moment
    /// on it is late. Never of what he did himself on a page of ours.
    pub inform_until: Option<Timestamp>,
    /// He wants no marketing until then.
    pub paused_until: Option<Timestamp>,
    /// He wants no more marketing of this controller than this, whatever purpose it serves.
    pub pace: Option<Frequency>,
    /// Marketing that was accepted for him where it counts, oldest first.
    pub mailed: Vec<Mailed>,
}

/// Marketing that was accepted for a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mailed {
    /// For which purpose.
    pub purpose: PurposeId,
    /// When.
    pub at: Timestamp,
}

/// One suppression.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SuppressionFacts {
    /// How far it reaches.
    pub scope: SuppressionScope,
    /// Why.
    pub reason: SuppressionReason,
    /// Until when (bounces only).
    pub until: Option<Timestamp>,
}

/// Everything for one decision.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    /// The controller's permission generation when the facts were read: every withdrawal, objection,
    /// suppression, agreement or instruction change has a higher one.
    pub generation: u64,
    /// The sender; `None` when the facts could not be loaded.
    pub sender: Option<&'a SenderFacts>,
    /// The message.
    pub message: MessageFacts,
    /// The recipient; `None` when the facts could not be loaded.
    pub recipient: Option<&'a RecipientFacts>,
    /// What is left of the day's allowance.
    pub quota: QuotaFacts,
}

/// The day's allowance of the instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaFacts {
    /// Messages allowed in this UTC day.
    pub allowed: u64,
    /// Messages accepted in it so far.
    pub used: u64,
}

impl SenderFacts {
    pub(crate) fn stream_kind(&self) -> Option<StreamKind> {
        self.stream.map(|stream| stream.kind)
    }
}

impl SenderFacts {
    /// Is the message direct marketing?
    pub(crate) fn is_marketing(&self) -> bool {
        self.stream_kind().is_some_and(StreamKind::is_marketing)
    }
}

impl RecipientFacts {
    /// Is there room for one more, among what was accepted (for this purpose, where one is named)?
    pub(crate) fn has_room(&self, most: Frequency, purpose: Option<PurposeId>, now: Timestamp) -> bool {
        let window = DAY.saturating_mul(most.days);
        let counts = |one: &&Mailed| purpose.is_none_or(|only| one.purpose == only) && now < one.at.plus(window);
        let count = self.mailed.iter().filter(counts).count();
        u32::try_from(count).is_ok_and(|count| count < most.messages)
    }

    pub(crate) fn has_consent_kind(&self) -> bool {
        self.basis.is_some_and(|basis| matches!(basis.kind, BasisKind::Consent | BasisKind::SoftOptIn))
    }
}
