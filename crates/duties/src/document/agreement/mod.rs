//! The processing agreement (GDPR Art. 28(3), (9)): what it must say, a draft that says it, and what is still missing.
//!
//! The draft is an addendum in our own words. Its annexes have the shape of annexes I to IV of Decision (EU) 2021/915:
//! parties, description of the processing, measures, sub-processors. Signatures are not part of the document: they
//! sign its hash.
//!
//! Never: advice. A draft is read by the parties' own counsel.

mod check;
mod english;
mod german;
mod shown;
mod template;
#[cfg(test)]
mod tests;

pub use check::{Missing, check};
pub use template::draft;

use super::canonical::Sha256;
use super::page::Page;
use super::terms::{
    DataCategory, Date, Language, Party, Private, Purpose, Region, SpecialCategory, SubjectCategory, is_name,
};
use super::words::words;
use super::{Content, Kind, Mistake};
use serde::{Deserialize, Serialize};

/// An agreement between a controller and the operator (GDPR Art. 28(3)).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessingAgreement {
    /// From 1.
    pub version: u32,
    /// Language of its words.
    pub language: Language,
    /// The controller and the processor (Annex I).
    pub parties: Vec<Party>,
    /// Subject matter.
    pub subject_matter: String,
    /// Nature of the processing.
    pub nature: String,
    /// Purposes.
    pub purposes: Vec<Purpose>,
    /// From when until when.
    pub duration: Term,
    /// Types of personal data.
    pub data_categories: Vec<DataCategory>,
    /// Special categories, or that there are none.
    pub special_categories: SpecialCategories,
    /// Categories of data subjects.
    pub subject_categories: Vec<SubjectCategory>,
    /// Obligations of the controller.
    pub obligations_controller: Vec<String>,
    /// Rights of the controller.
    pub rights_controller: Vec<String>,
    /// The clauses of Art. 28(3)(a) to (h).
    pub clauses: Clauses,
    /// Notice of personal data breaches.
    pub breach: BreachNotice,
    /// Other processors (Annex IV).
    pub sub_processors: SubProcessors,
    /// Audits by the controller.
    pub audit: Audit,
    /// What happens at the end.
    pub end: End,
    /// Where data may lie; nothing else is a transfer that the agreement allows, but for `transfers_allowed`.
    pub regions: Vec<Region>,
    /// Transfers to third countries that the controller allows.
    pub transfers_allowed: Vec<Transfer>,
    /// Technical and organisational measures (Annex III).
    pub measures: Vec<Measure>,
    /// The laws it is meant to satisfy.
    pub law_profiles: Vec<LawProfile>,
    /// When the parties look at it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_due: Option<Date>,
    /// Hash of the version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Sha256>,
}

/// Duration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Its beginning.
    pub begins: Begins,
    /// Its end.
    pub ends: Ends,
}

/// When it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Begins {
    /// With the last signature.
    AtSignature,
    /// On a day.
    On(Date),
}

/// When it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// With the contract for the platform, which either side ends with so many days of notice. Regulation (EU)
    /// 2023/2854 Art. 25(2)(d) allows two months at most.
    WithContract(u32),
    /// On a day.
    On(Date),
}

/// Whether special categories are processed (GDPR Art. 9, 10).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpecialCategories {
    /// Nothing is said yet.
    NotStated,
    /// None.
    None,
    /// These.
    Listed(Vec<SpecialCategory>),
}

/// The clauses of Art. 28(3), each with its text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clauses {
    /// Documented instructions.
    pub a: String,
    /// Confidentiality.
    pub b: String,
    /// Security.
    pub c: String,
    /// Other processors.
    pub d: String,
    /// Help with the rights of data subjects.
    pub e: String,
    /// Help with Art. 32 to 36.
    pub f: String,
    /// Deletion or return.
    pub g: String,
    /// Information and audits.
    pub h: String,
}

impl Clauses {
    /// Letter, article and text of each.
    #[must_use]
    pub fn each(&self) -> [(&'static str, &'static str, &str); 8] {
        [
            ("a", "GDPR Art. 28(3)(a)", &self.a),
            ("b", "GDPR Art. 28(3)(b)", &self.b),
            ("c", "GDPR Art. 28(3)(c)", &self.c),
            ("d", "GDPR Art. 28(3)(d)", &self.d),
            ("e", "GDPR Art. 28(3)(e)", &self.e),
            ("f", "GDPR Art. 28(3)(f)", &self.f),
            ("g", "GDPR Art. 28(3)(g)", &self.g),
            ("h", "GDPR Art. 28(3)(h)", &self.h),
        ]
    }
}

/// How the processor tells the controller of a breach (GDPR Art. 33(2)).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreachNotice {
    /// Ways on which it is told, such as an address or a telephone number.
    pub channels: Vec<Private>,
    /// Hours after becoming aware, at most.
    pub hours: u32,
    /// What it says.
    pub content: Vec<BreachItem>,
}

words! {
    /// What a notice of a breach says (GDPR Art. 33(3)).
    pub enum BreachItem {
        /// Art. 33(3)(a).
        Nature = "nature", "nature of the breach, with categories and approximate numbers of persons and records",
            "Art der Verletzung, mit Kategorien und ungefähren Zahlen der Personen und Datensätze";
        /// Art. 33(3)(b).
        Contact = "contact", "name and contact of who can say more", "Name und Kontakt der Auskunftsstelle";
        /// Art. 33(3)(c).
        Consequences = "consequences", "likely consequences", "wahrscheinliche Folgen";
        /// Art. 33(3)(d).
        Measures = "measures", "measures taken or proposed", "ergriffene oder vorgeschlagene Maßnahmen";
    }
}

words! {
    /// Authorisation of other processors (GDPR Art. 28(2)).
    pub enum SubProcessorMode {
        /// Each one by itself.
        Specific = "specific", "specific prior authorisation", "gesonderte vorherige Genehmigung";
        /// In general, with notice and a right to object.
        General = "general", "general authorisation with notice and a right to object",
            "allgemeine Genehmigung mit Mitteilung und Einspruchsrecht";
    }
}

/// Other processors.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubProcessors {
    /// How they are authorised.
    pub mode: SubProcessorMode,
    /// Days between the notice of a new one and its first byte.
    pub notice_days: u32,
    /// Those engaged when the agreement is signed; an empty list means none.
    pub engaged: Vec<SubProcessor>,
}

/// Another processor (Annex IV).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubProcessor {
    /// Legal name.
    pub name: String,
    /// Postal address.
    pub address: String,
    /// Name and address of who answers for data protection.
    pub contact: Private,
    /// What it does, with which data.
    pub service: String,
    /// Where.
    pub region: Region,
}

words! {
    /// Is it given?
    pub enum Granted {
        /// Yes.
        Yes = "yes", "yes", "ja";
        /// No.
        No = "no", "no", "nein";
    }
}

/// Audits (GDPR Art. 28(3)(h)).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Logs and proofs at any time, without asking.
    pub self_service: Granted,
    /// Inspections on site, also by an auditor whom the controller mandates.
    pub on_site: Granted,
    /// Days of notice for an inspection.
    pub notice_days: u32,
}

words! {
    /// What happens to the data at the end (GDPR Art. 28(3)(g)).
    pub enum EndChoice {
        /// They are deleted.
        Delete = "delete", "deletion", "Löschung";
        /// They are returned and then deleted.
        Return = "return", "return, then deletion", "Rückgabe, dann Löschung";
    }
}

/// The end of processing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The controller's choice.
    pub choice: EndChoice,
    /// Days in which the data can still be fetched (Regulation (EU) 2023/2854 Art. 25(2)(g): at least 30).
    pub retrieval_days: u32,
    /// Days after the end until nothing is left, retrieval and backups included.
    pub days: u32,
}

words! {
    /// What a transfer to a third country rests on (GDPR Art. 45, 46).
    pub enum Mechanism {
        /// A decision of adequacy (Art. 45(3)).
        Adequacy = "adequacy", "adequacy decision", "Angemessenheitsbeschluss";
        /// EU-US Data Privacy Framework, Decision (EU) 2023/1795.
        Dpf = "dpf", "EU-US Data Privacy Framework", "EU-US-Datenschutzrahmen";
        /// Standard clauses, module 2 (controller to processor).
        SccModule2 = "scc-module-2", "standard contractual clauses, module 2", "Standardvertragsklauseln, Modul 2";
        /// Standard clauses, module 3 (processor to processor).
        SccModule3 = "scc-module-3", "standard contractual clauses, module 3", "Standardvertragsklauseln, Modul 3";
        /// Standard clauses, module 4 (processor to controller).
        SccModule4 = "scc-module-4", "standard contractual clauses, module 4", "Standardvertragsklauseln, Modul 4";
        /// Binding corporate rules (Art. 47).
        Bcr = "bcr", "binding corporate rules", "verbindliche interne Datenschutzvorschriften";
        /// Invalid; named so that old papers can be read.
        PrivacyShield = "privacy-shield", "Privacy Shield (invalid since 2020-07-16)",
            "Privacy Shield (ungültig seit 2020-07-16)";
        /// Invalid; named so that old papers can be read.
        SafeHarbour = "safe-harbour", "Safe Harbour (invalid since 2015-10-06)",
            "Safe Harbour (ungültig seit 2015-10-06)";
    }
}

impl Mechanism {
    /// Since when it carries nothing (CJEU C-311/18, C-362/14).
    #[must_use]
    pub const fn invalid_since(self) -> Option<&'static str> {
        match self {
            Self::PrivacyShield => Some("2020-07-16"),
            Self::SafeHarbour => Some("2015-10-06"),
            _ => None,
        }
    }
}

/// An allowed transfer (GDPR Art. 44).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Where to.
    pub region: Region,
    /// What it rests on.
    pub mechanism: Mechanism,
}

words! {
    /// What a measure serves (GDPR Art. 32(1)).
    pub enum MeasureLetter {
        /// Pseudonymisation and encryption.
        A = "a", "(a) pseudonymisation and encryption", "a) Pseudonymisierung und Verschlüsselung";
        /// Confidentiality, integrity, availability, resilience.
        B = "b", "(b) confidentiality, integrity, availability and resilience",
            "b) Vertraulichkeit, Integrität, Verfügbarkeit und Belastbarkeit";
        /// Restoring after an incident.
        C = "c", "(c) restoring availability and access", "c) Wiederherstellung";
        /// Testing and evaluating.
        D = "d", "(d) regular testing and evaluation", "d) regelmäßige Überprüfung und Bewertung";
    }
}

/// A technical or organisational measure (GDPR Art. 32(1)).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// What it serves.
    pub letter: MeasureLetter,
    /// What is done.
    pub text: String,
}

words! {
    /// A law that the agreement is meant to satisfy.
    pub enum LawProfile {
        /// Regulation (EU) 2016/679.
        Gdpr = "gdpr", "GDPR (EU)", "DSGVO (EU)";
        /// UK GDPR.
        Uk = "uk", "UK GDPR", "UK GDPR";
        /// Swiss Federal Act on Data Protection.
        Ch = "ch", "Swiss FADP", "Schweizer DSG";
        /// California Consumer Privacy Act.
        Ccpa = "ccpa", "CCPA (California)", "CCPA (Kalifornien)";
    }
}

impl Content for ProcessingAgreement {
    const KIND: Kind = Kind::Agreement;

    fn version(&self) -> u32 {
        self.version
    }

    fn language(&self) -> Language {
        self.language
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut found = Vec::new();
        if self.version == 0 {
            found.push(Mistake::at("version", "versions begin with 1"));
        }
        for (index, purpose) in self.purposes.iter().enumerate() {
            if !is_name(&purpose.id) {
                let sentence = "an id is at most 64 small letters, digits and hyphens";
                found.push(Mistake::at(format!("purposes[{index}].id"), sentence));
            }
            if self.purposes.iter().take(index).any(|earlier| earlier.id == purpose.id) {
                found.push(Mistake::at(format!("purposes[{index}].id"), "this purpose is named twice"));
            }
        }
        if let Term { begins: Begins::On(from), ends: Ends::On(until) } = self.duration
            && until <= from
        {
            found.push(Mistake::at("duration.ends", "the end is not after the beginning"));
        }
        if self.end.days < self.end.retrieval_days {
            found.push(Mistake::at("end.days", "data are gone before the time to fetch them is over"));
        }
        found
    }

    fn page(&self) -> Page {
        shown::page(self)
    }
}
