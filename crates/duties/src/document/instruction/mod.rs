//! The documented instruction (GDPR Art. 28(3)(a), 29): what the controller tells the processor to do, in closed words,
//! from presets, with the findings that keep an infringing one from coming into force (Art. 28(3), last subparagraph).
//!
//! Never: free text that decides anything. Text is what people are told; the words of the lists are what is done.

mod findings;
mod phrases;
mod presets;
mod shape;
mod shown;
#[cfg(test)]
mod tests;

pub use findings::{Finding, FindingId, findings};
pub use presets::preset;

use super::page::Page;
use super::terms::{DataCategory, Date, Language, LawfulBasis, Private, Purpose, Region, SubjectCategory};
use super::words::words;
use super::{Content, Kind, Mistake};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

words! {
    /// The verbs of GDPR Art. 4(2): an operation that is not named is not carried out.
    pub enum Operation {
        /// Collection.
        Collect = "collect", "collection", "Erheben";
        /// Recording.
        Record = "record", "recording", "Erfassen";
        /// Organisation.
        Organise = "organise", "organisation", "Organisation";
        /// Structuring.
        Structure = "structure", "structuring", "Ordnen";
        /// Storage.
        Store = "store", "storage", "Speicherung";
        /// Adaptation or alteration.
        Adapt = "adapt", "adaptation or alteration", "Anpassung oder Veränderung";
        /// Retrieval.
        Retrieve = "retrieve", "retrieval", "Auslesen";
        /// Consultation.
        Consult = "consult", "consultation", "Abfragen";
        /// Use.
        Use = "use", "use", "Verwendung";
        /// Disclosure by transmission: sending.
        Disclose = "disclose-by-transmission", "disclosure by transmission", "Offenlegung durch Übermittlung";
        /// Alignment or combination.
        Align = "align", "alignment or combination", "Abgleich oder Verknüpfung";
        /// Restriction.
        Restrict = "restrict", "restriction", "Einschränkung";
        /// Erasure or destruction.
        Erase = "erase", "erasure or destruction", "Löschen oder Vernichtung";
    }
}

impl Operation {
    /// The operation that the gate asks about, where there is one.
    #[must_use]
    pub fn gate(self) -> Option<model::instruction::Operation> {
        let short = if self == Self::Disclose { "transmit" } else { self.as_str() };
        let known = model::instruction::Operation::from_word(self.as_str());
        known.or_else(|| model::instruction::Operation::from_word(short))
    }
}

/// An instruction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instruction {
    /// From 1.
    pub version: u32,
    /// Language of its words.
    pub language: Language,
    /// Who gave it, on the controller's side.
    pub issued_by: Private,
    /// What may be done at all.
    pub operations: Vec<Operation>,
    /// The purposes that streams name by `id`.
    pub purposes: Vec<Purpose>,
    /// Streams of mail.
    pub streams: Vec<Stream>,
    /// Messages in a UTC day over all streams.
    pub messages_per_day_max: u64,
    /// When the controller looks at it again.
    pub review_due: Date,
}

words! {
    /// The kind of a stream, as in `model::StreamKind`.
    pub enum MailKind {
        /// About the recipient's own affairs.
        Transactional = "transactional", "transactional", "Transaktion";
        /// Direct marketing.
        Marketing = "marketing", "marketing", "Werbung";
        /// The platform's own messages to the person.
        Service = "service", "service", "Dienst";
        /// Demanded by a law.
        Legal = "legal", "legal notice", "gesetzliche Mitteilung";
    }
}

impl MailKind {
    /// The same in the words of the gate.
    #[must_use]
    pub const fn kind(self) -> model::StreamKind {
        match self {
            Self::Transactional => model::StreamKind::Transactional,
            Self::Marketing => model::StreamKind::Marketing,
            Self::Service => model::StreamKind::Service,
            Self::Legal => model::StreamKind::Legal,
        }
    }
}

/// A stream of mail and how it is treated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Letters, digits and hyphens.
    pub name: String,
    /// Its kind.
    pub kind: MailKind,
    /// Ids of the purposes it serves.
    pub purposes: Vec<String>,
    /// Lawful bases that carry it.
    pub bases: Vec<LawfulBasis>,
    /// How consent is asked for; said if and only if mail or its tracking rests on consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentTerms>,
    /// Types of data in it.
    pub data_categories: Vec<DataCategory>,
    /// Whom it reaches.
    pub subject_categories: Vec<SubjectCategory>,
    /// How long each class of data is kept.
    pub retention: BTreeMap<RetentionClass, Keep>,
    /// Whether opening and clicking is observed.
    pub tracking: Tracking,
    /// Id of the purpose of tracking, which is asked for by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_purpose: Option<String>,
    /// The least transport security.
    pub tls_floor: TlsFloor,
    /// Where data may lie and pass.
    pub regions: Vec<Region>,
    /// At most so many messages to one person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<Frequency>,
    /// When nobody is disturbed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Quiet>,
    /// What stands below the text.
    pub footer: Footer,
    /// How a person says no.
    pub opt_out: OptOut,
    /// What a recorded no does.
    pub suppressions: Suppressions,
    /// Messages in a UTC day.
    pub messages_per_day_max: u64,
}

/// How consent is asked for (GDPR Art. 7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentTerms {
    /// One choice for each purpose, or one for all.
    pub choice: Choice,
    /// Is something else made to depend on it?
    pub condition: Condition,
    /// Is it confirmed by the person himself?
    pub confirmation: Confirmation,
    /// Does consent count whose shown words are not known?
    pub unverified: Unverified,
}

words! {
    /// Granularity of consent (GDPR Art. 7(2), recital 43).
    pub enum Choice {
        /// Each purpose by itself.
        EachPurpose = "each-purpose", "each purpose by itself", "jeder Zweck einzeln";
        /// All purposes at once.
        Together = "together", "all purposes at once", "alle Zwecke zusammen";
    }
}

words! {
    /// Freedom of consent (GDPR Art. 7(4)).
    pub enum Condition {
        /// Nothing depends on it.
        Free = "free", "nothing else depends on it", "nichts anderes hängt davon ab";
        /// A contract or service depends on it.
        Required = "required", "a contract or service depends on it", "ein Vertrag oder Dienst hängt davon ab";
    }
}

words! {
    /// Confirmation of consent (GDPR Art. 7(1)).
    pub enum Confirmation {
        /// Double opt-in.
        DoubleOptIn = "double-opt-in", "double opt-in", "Double-Opt-in";
        /// None beyond the action itself.
        Single = "single", "none beyond the action itself", "keine über die Handlung hinaus";
    }
}

words! {
    /// Consent without the words that were shown.
    pub enum Unverified {
        /// Carries no mail.
        Refused = "refused", "carries no mail", "trägt keine Post";
        /// Carries mail on the controller's word, and every report says so.
        Allowed = "allowed", "carries mail on the controller's word", "trägt Post auf Wort des Verantwortlichen";
    }
}

words! {
    /// Classes of data with a time of their own (GDPR Art. 5(1)(e)).
    pub enum RetentionClass {
        /// Content of messages.
        Body = "body", "content of messages", "Inhalt der Nachrichten";
        /// What became of messages: recipients, times, replies.
        Timeline = "timeline", "records of delivery", "Aufzeichnungen der Zustellung";
        /// Openings and clicks.
        Engagement = "engagement", "openings and clicks", "Öffnungen und Klicks";
        /// Consents and other bases with their evidence, after their end.
        Evidence = "evidence", "evidence of consent, after its end", "Nachweise der Einwilligung nach deren Ende";
        /// Opt-outs and objections.
        Suppression = "suppression", "opt-outs and objections", "Abmeldungen und Widersprüche";
    }
}

/// How long something is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Days; 0 means until final disposition of the message.
    Days(u32),
    /// As long as the agreement. What must outlive a list, such as an objection, does.
    UntilAgreementEnds,
    /// For ever.
    WithoutEnd,
}

words! {
    /// Observation of opening and clicking (ePrivacy Art. 5(3)).
    pub enum Tracking {
        /// Not at all.
        None = "none", "none", "keine";
        /// The day of the last opening alone, to stop mailing who does not read.
        Hygiene = "hygiene", "the day of the last opening alone, to mail less", "nur Tag der letzten Öffnung";
        /// With a consent of its own.
        Consented = "consented", "with a consent of its own", "mit eigener Einwilligung";
    }
}

words! {
    /// The least transport security (GDPR Art. 32(1)(a)).
    pub enum TlsFloor {
        /// TLS wherever it is offered.
        Opportunistic = "opportunistic", "TLS wherever it is offered", "TLS, wo angeboten";
        /// TLS, or the message does not leave.
        Encrypted = "encrypted", "TLS, or the message does not leave", "TLS, sonst geht nichts hinaus";
        /// TLS to a server whose name is shown (its certificate holds, or DANE names it), or the message does
        /// not leave.
        Verified = "verified", "TLS to a verified server, or the message does not leave",
            "TLS zu einem geprüften Server, sonst geht nichts hinaus";
    }
}

/// So many messages in so many days, to one person.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequency {
    /// Messages at most.
    pub messages: u32,
    /// In any so many days.
    pub days: u32,
}

/// A time of day in which the stream rests.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// First quiet minute of the day.
    pub from: u16,
    /// First minute that is not quiet any more; smaller than `from` when the night is meant.
    pub until: u16,
    /// Time zone by its IANA name.
    pub zone: String,
}

words! {
    /// Who sends, why, and the way out, below the text (ePrivacy Art. 13(4)).
    pub enum Footer {
        /// It is added.
        Add = "add", "it is added", "wird angefügt";
        /// Nothing is added: the header fields alone say the way out.
        HeadersAlone = "headers-alone", "none; the header fields say the way out",
            "keiner; die Kopfzeilen nennen die Abmeldung";
        /// None.
        None = "none", "none", "keiner";
    }
}

words! {
    /// How a person says no (GDPR Art. 21(3)).
    pub enum OptOut {
        /// RFC 8058 one-click, and the pages behind it.
        OneClick = "one-click", "one click", "ein Klick";
        /// No way.
        None = "none", "none", "keiner";
    }
}

words! {
    /// What a recorded opt-out or objection does.
    pub enum Suppressions {
        /// It stops mail.
        Honoured = "honoured", "they stop mail", "sie halten Post auf";
        /// Nothing.
        Ignored = "ignored", "they are ignored", "sie werden nicht beachtet";
    }
}

impl Content for Instruction {
    const KIND: Kind = Kind::Instruction;

    fn version(&self) -> u32 {
        self.version
    }

    fn language(&self) -> Language {
        self.language
    }

    fn mistakes(&self) -> Vec<Mistake> {
        shape::mistakes(self)
    }

    fn page(&self) -> Page {
        shown::page(self)
    }
}
