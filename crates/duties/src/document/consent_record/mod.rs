//! The record of one consent (GDPR Art. 7(1)): what is known of it, whether that is evidence, its export in the words
//! of ISO/IEC TS 27560 and the W3C Data Privacy Vocabulary, and one file that can be checked without us.
//!
//! Never: the person's address. The record names him by an opaque reference; who holds the key to it can join both.

mod acts;
mod basis_record;
mod defects;
mod evidence_file;
mod evidence_read;
mod json_ld;
mod rebuilt;
#[cfg(test)]
mod tests;

pub(crate) use acts::{Account, ActRead};
pub use basis_record::json_ld_of_basis;
pub use defects::{Defect, Grade, refuse_as_evidence};
pub use evidence_file::{About, ActShown, Contents, EvidenceFile, EvidenceFileError};
pub use evidence_read::{Claim, EvidenceFault, EvidenceRead, read_evidence};
pub use json_ld::{RecordError, json_ld};
pub use rebuilt::Worth;

use super::canonical::Sha256;
use super::notice::LanguageTag;
use super::terms::{DataCategory, Region};
use super::words::words;
use model::Timestamp;

/// What is known of one act in which a person gave or refused consent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsentEvidence {
    /// Id of the record.
    pub record_id: String,
    /// Who: an opaque reference, never an address.
    pub subject: SubjectReference,
    /// The controllers as they were shown.
    pub controllers: Vec<PartyShown>,
    /// The processor that keeps the record.
    pub processor: PartyShown,
    /// Each purpose and what was decided about it.
    pub purposes: Vec<PurposeDecision>,
    /// The notice that was shown; an import may not know it.
    pub notice: Option<NoticeShown>,
    /// Types of data the consent is about.
    pub personal_data: Vec<DataCategory>,
    /// Recipients named.
    pub recipients: Vec<String>,
    /// Where and how long data are kept.
    pub storage: Storage,
    /// Where the law that governs it holds.
    pub jurisdiction: Option<Region>,
    /// The way to withdraw that was shown.
    pub withdrawal_shown: Option<String>,
    /// How it came.
    pub method: Method,
    /// What the person did.
    pub action: Action,
    /// Was something else made to depend on it?
    pub freedom: Freedom,
    /// By whom it is known: the person, who acted on a page of the platform, or the controller, who told it.
    pub told_by: By,
    /// Did the person confirm it?
    pub standing: Standing,
    /// When, by the server's clock.
    pub given_at: Option<Timestamp>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Confirmation by the person himself.
    pub confirmation: Option<Confirmed>,
    /// Where: form and version.
    pub source: Option<FormShown>,
    /// What happened to it before and since, in order of time.
    pub events: Vec<StatusEvent>,
}

/// A reference that names a person to the controller alone. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SubjectReference(pub String);

impl std::fmt::Debug for SubjectReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectReference(…)")
    }
}

/// A party as it was shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartyShown {
    /// Name.
    pub name: String,
    /// Contact.
    pub contact: String,
}

/// A purpose and what was decided about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PurposeDecision {
    /// Its id.
    pub id: String,
    /// Its words as shown.
    pub text: String,
    /// What mail or use it stands for in the vocabulary.
    pub kind: PurposeKind,
    /// What was decided.
    pub decision: Decision,
    /// Could it be decided by itself?
    pub choice: ChoiceShown,
}

words! {
    /// A purpose in the words of the vocabulary.
    pub enum PurposeKind {
        /// `dpv:DirectMarketing`.
        DirectMarketing = "dpv:DirectMarketing", "direct marketing", "Direktwerbung";
        /// `dpv:Personalisation`.
        Personalisation = "dpv:Personalisation", "personalisation", "Personalisierung";
        /// `dpv:ServiceUsageAnalytics`, for tracking of openings and clicks.
        Tracking = "dpv:ServiceUsageAnalytics", "measuring of openings and clicks", "Messung von Öffnungen und Klicks";
        /// `dpv:ServiceProvision`.
        Provision = "dpv:ServiceProvision", "provision of what was asked for", "Erbringung des Angeforderten";
    }
}

words! {
    /// What was decided.
    pub enum Decision {
        /// Yes.
        Given = "given", "given", "erteilt";
        /// No.
        Refused = "refused", "refused", "verweigert";
    }
}

words! {
    /// How a purpose could be decided.
    pub enum ChoiceShown {
        /// By itself.
        Separate = "separate", "by itself", "einzeln";
        /// With others by one action.
        Together = "together", "with others by one action", "mit anderen in einem";
        /// Nobody here saw it.
        Unknown = "unknown", "not known", "nicht bekannt";
    }
}

/// The notice that was shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoticeShown {
    /// SHA-256 of its exact bytes.
    pub sha256: Sha256,
    /// Its language; an import may not know it.
    pub language: Option<LanguageTag>,
    /// Its version.
    pub version: u32,
    /// Where it could be read.
    pub url: Option<String>,
}

/// Where and how long data are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Storage {
    /// Where.
    pub regions: Vec<Region>,
    /// Days after the consent has ended; nothing where only the notice says so.
    pub days_after_end: Option<u32>,
}

words! {
    /// How consent came.
    pub enum Method {
        /// A form of the platform.
        Form = "form", "form", "Formular";
        /// A form, confirmed by a message to the address.
        DoubleOptIn = "double-opt-in", "form with confirmation by e-mail (double opt-in)",
            "Formular mit Bestätigung per E-Mail (Double-Opt-in)";
        /// The controller's own system told it.
        Api = "api", "told by the controller's system", "vom System des Verantwortlichen mitgeteilt";
        /// On paper.
        Paper = "paper", "paper", "Papier";
        /// By word of mouth.
        Verbal = "verbal", "by word of mouth", "mündlich";
        /// From a list.
        Import = "import", "imported", "importiert";
    }
}

words! {
    /// What the person did (GDPR Art. 4(11): a clear affirmative act).
    pub enum Action {
        /// Ticked a box that was empty.
        TickedBox = "ticked-box", "ticked an empty box", "leeres Kästchen angekreuzt";
        /// Pressed a button that says so.
        Button = "button", "pressed a button that says so", "Schaltfläche mit dieser Aussage gedrückt";
        /// Signed.
        Signature = "signature", "signed", "unterschrieben";
        /// Said it.
        Spoken = "spoken", "said it", "gesagt";
        /// Left a ticked box as it was.
        PreTickedBox = "pre-ticked-box", "left a box ticked", "angekreuztes Kästchen stehen lassen";
        /// Did nothing.
        Silence = "silence", "did nothing", "nichts getan";
        /// Not known.
        Unknown = "unknown", "not known", "nicht bekannt";
    }
}

words! {
    /// Freedom of the consent (GDPR Art. 7(4)).
    pub enum Freedom {
        /// Nothing depended on it.
        Free = "free", "nothing depended on it", "nichts hing davon ab";
        /// Something did.
        Conditional = "conditional", "something depended on it", "etwas hing davon ab";
        /// Nobody here saw it.
        Unknown = "unknown", "not known", "nicht bekannt";
    }
}

words! {
    /// Is it confirmed?
    pub enum Standing {
        /// By the person, or on the controller's word.
        Confirmed = "confirmed", "confirmed", "bestätigt";
        /// It was not: it carries no marketing.
        Unconfirmed = "unconfirmed", "not confirmed", "nicht bestätigt";
    }
}

/// Confirmation of a double opt-in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Confirmed {
    /// When the message was sent.
    pub asked_at: Timestamp,
    /// When the person confirmed.
    pub confirmed_at: Timestamp,
}

/// Where consent was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FormShown {
    /// Id of the form.
    pub form: String,
    /// Its version.
    pub version: u32,
    /// Origin of the page it stood on, such as `https://shop.example`.
    pub page_origin: Option<String>,
}

words! {
    /// A state of consent in the words of the vocabulary.
    pub enum Status {
        /// Asked for.
        Requested = "dpv:ConsentRequested", "requested", "angefragt";
        /// Given.
        Given = "dpv:ConsentGiven", "given", "erteilt";
        /// Refused.
        Refused = "dpv:ConsentRefused", "refused", "verweigert";
        /// Withdrawn (GDPR Art. 7(3)).
        Withdrawn = "dpv:ConsentWithdrawn", "withdrawn", "widerrufen";
        /// Run out.
        Expired = "dpv:ConsentExpired", "expired", "abgelaufen";
        /// Found to be invalid.
        Invalidated = "dpv:ConsentInvalidated", "invalidated", "für ungültig befunden";
        /// Given anew.
        Renewed = "dpv:RenewedConsentGiven", "renewed", "erneuert";
    }
}

words! {
    /// Who brought a state about.
    pub enum By {
        /// The person.
        Subject = "dpv:DataSubject", "the person", "die Person";
        /// The controller.
        Controller = "dpv:DataController", "the controller", "der Verantwortliche";
        /// The processor, on instruction.
        Processor = "dpv:DataProcessor", "the processor", "der Auftragsverarbeiter";
    }
}

/// A state and how it came about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatusEvent {
    /// The state.
    pub status: Status,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// How, in words: `one-click link`, `preference page`.
    pub method: String,
    /// Ids of the purposes it is about; empty means all.
    pub purposes: Vec<String>,
}
