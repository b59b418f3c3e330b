//! The notice: the words shown when data are collected (GDPR Art. 12, 13, 14), from fields, so that a missing one can
//! be named before the notice is published.
//!
//! [`Notice::shown`] gives the exact bytes that people see and that are stored as evidence; their hash is not the hash
//! of the document, which is over the fields.

mod check;
mod shown;
#[cfg(test)]
mod tests;

pub use check::{MissingField, check};

use super::canonical::Sha256;
use super::page::Page;
use super::terms::{Date, Language, LawfulBasis, is_name};
use super::words::words;
use super::{Content, Kind, Mistake};
use serde::{Deserialize, Serialize};

/// A notice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// From 1.
    pub version: u32,
    /// Language of its words.
    pub language: LanguageTag,
    /// Headings in a language for which the platform has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headings: Option<Headings>,
    /// Its title.
    pub title: String,
    /// The day of this version.
    pub dated: Date,
    /// The first layer: a few sentences that say who, what for, and how to stop it.
    pub short: String,
    /// Who decides about purposes and means (Art. 13(1)(a)).
    pub controllers: Vec<Contact>,
    /// Representative under Art. 27, if there is one (Art. 13(1)(a)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub representative: Option<Contact>,
    /// Data protection officer (Art. 13(1)(b)).
    pub officer: Officer,
    /// Purposes with their bases (Art. 13(1)(c), (d)).
    pub purposes: Vec<NoticePurpose>,
    /// Recipients or categories of them (Art. 13(1)(e)).
    pub recipients: Vec<String>,
    /// Transfers to third countries (Art. 13(1)(f)).
    pub transfers: Transfers,
    /// How long data are kept, or how that is decided (Art. 13(2)(a)).
    pub retention: Vec<String>,
    /// Rights (Art. 13(2)(b)).
    pub rights: Vec<Right>,
    /// How to use them, with an address.
    pub rights_contact: String,
    /// How consent is withdrawn, as easily as it is given (Art. 7(3), 13(2)(c)).
    pub withdrawal: String,
    /// Supervisory authority for complaints (Art. 13(2)(d)).
    pub complaint: String,
    /// Must data be given, and what follows if not (Art. 13(2)(e))?
    pub must_be_given: String,
    /// Automated decisions (Art. 13(2)(f)).
    pub automated: Automated,
    /// Where data come from (Art. 14(1)(d), 14(2)(f)).
    pub source: Source,
}

/// A BCP 47 tag: `en`, `de-AT`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LanguageTag(String);

/// Not a language tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a language tag such as en or de-AT")]
pub struct NotALanguage;

impl LanguageTag {
    /// From its text: a language of two or three small letters, then parts of up to eight letters and digits.
    ///
    /// # Errors
    /// `NotALanguage`.
    pub fn parse(text: &str) -> Result<Self, NotALanguage> {
        let mut parts = text.split('-');
        let language = parts.next().unwrap_or_default();
        let first = (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_lowercase());
        let rest =
            parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        (first && rest && text.len() <= 35).then(|| Self(text.to_owned())).ok_or(NotALanguage)
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language in which the platform has words, if it is one.
    #[must_use]
    pub fn own(&self) -> Option<Language> {
        match self.0.split('-').next() {
            Some("en") => Some(Language::English),
            Some("de") => Some(Language::German),
            _ => None,
        }
    }
}

impl From<LanguageTag> for String {
    fn from(tag: LanguageTag) -> Self {
        tag.0
    }
}

impl TryFrom<String> for LanguageTag {
    type Error = NotALanguage;

    fn try_from(text: String) -> Result<Self, NotALanguage> {
        Self::parse(&text)
    }
}

/// Identity and contact, as shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Legal name.
    pub name: String,
    /// Postal address.
    pub address: String,
    /// E-mail address, telephone number or page.
    pub contact: String,
}

/// Data protection officer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Officer {
    /// Nothing is said yet.
    NotStated,
    /// There is none.
    None,
    /// How to reach him.
    Contact(String),
}

/// A purpose as it is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticePurpose {
    /// Its id in the instruction.
    pub id: String,
    /// What it is, in plain words.
    pub text: String,
    /// Its bases.
    pub bases: Vec<LawfulBasis>,
    /// The bases in the words of the notice, in a language for which the platform has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub basis_text: String,
    /// The interest pursued, where a legitimate interest is a basis (Art. 13(1)(d)).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub interest: String,
}

/// Transfers to third countries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transfers {
    /// Nothing is said yet.
    NotStated,
    /// There are none.
    None,
    /// Each with country, safeguard and where a copy of it can be had.
    To(Vec<String>),
}

words! {
    /// A right that a notice names (GDPR Art. 13(2)(b)).
    pub enum Right {
        /// Art. 15.
        Access = "access", "access to your data (GDPR Art. 15)", "Auskunft (Art. 15 DSGVO)";
        /// Art. 16.
        Rectification = "rectification", "rectification (GDPR Art. 16)", "Berichtigung (Art. 16 DSGVO)";
        /// Art. 17.
        Erasure = "erasure", "erasure (GDPR Art. 17)", "Löschung (Art. 17 DSGVO)";
        /// Art. 18.
        Restriction = "restriction", "restriction of processing (GDPR Art. 18)",
            "Einschränkung der Verarbeitung (Art. 18 DSGVO)";
        /// Art. 20.
        Portability = "portability", "your data in a portable form (GDPR Art. 20)",
            "Datenübertragbarkeit (Art. 20 DSGVO)";
        /// Art. 21.
        Objection = "objection",
            "objection, at any time and without reasons where data are used for direct marketing (GDPR Art. 21)",
            "Widerspruch, gegen Direktwerbung jederzeit und ohne Gründe (Art. 21 DSGVO)";
    }
}

/// Automated decisions, profiling included (GDPR Art. 22).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Automated {
    /// Nothing is said yet.
    NotStated,
    /// None.
    None,
    /// Logic, significance and consequences.
    Used(String),
}

/// Where data come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Nothing is said yet.
    NotStated,
    /// From the person (Art. 13).
    FromPerson,
    /// From elsewhere (Art. 14).
    Indirect(IndirectSource),
}

/// A source that is not the person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndirectSource {
    /// The source, and whether it is public (Art. 14(2)(f)).
    pub source: String,
    /// Categories of data from it (Art. 14(1)(d)).
    pub data_categories: Vec<String>,
}

/// The words between the fields.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Headings {
    /// Before `controllers`.
    pub controller: String,
    /// Before `representative`.
    pub representative: String,
    /// Before `officer`.
    pub officer: String,
    /// Before `purposes`.
    pub purposes: String,
    /// Before `recipients`.
    pub recipients: String,
    /// Before `transfers`.
    pub transfers: String,
    /// Before `retention`.
    pub retention: String,
    /// Before `rights`.
    pub rights: String,
    /// The six rights in the order of [`Right::ALL`].
    pub right_texts: Vec<String>,
    /// Before `withdrawal`.
    pub withdrawal: String,
    /// Before `complaint`.
    pub complaint: String,
    /// Before `must_be_given`.
    pub must_be_given: String,
    /// Before `automated`.
    pub automated: String,
    /// Before `source`.
    pub source: String,
    /// For a source that is the person.
    pub from_person: String,
    /// Between purpose and basis.
    pub basis: String,
    /// For what there is none of.
    pub none: String,
    /// Before version and day.
    pub version: String,
}

/// The exact words that people see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Plain text, UTF-8.
    pub bytes: Vec<u8>,
    /// Its SHA-256, which consents refer to.
    pub sha256: Sha256,
    /// Its language.
    pub language: LanguageTag,
    /// Its version.
    pub version: u32,
}

impl Notice {
    /// The exact words that people see and that consents refer to (GDPR Art. 7(1)).
    ///
    /// # Errors
    /// What is missing (GDPR Art. 13, 14): a notice that does not say everything is not shown.
    pub fn shown(&self) -> Result<Shown, Vec<MissingField>> {
        let missing = check(self);
        if !missing.is_empty() {
            return Err(missing);
        }
        let bytes = shown::page(self).text().into_bytes();
        let sha256 = Sha256::of(&bytes);
        Ok(Shown { bytes, sha256, language: self.language.clone(), version: self.version })
    }
}

impl Content for Notice {
    const KIND: Kind = Kind::Notice;

    fn version(&self) -> u32 {
        self.version
    }

    fn language(&self) -> Language {
        self.language.own().unwrap_or(Language::English)
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
        found
    }

    fn page(&self) -> Page {
        shown::page(self)
    }
}
