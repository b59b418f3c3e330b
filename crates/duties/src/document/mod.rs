//! The documents of permission: agreement, instruction, notice, consent record.
//!
//! A document is a typed value, its canonical JSON (RFC 8785) and the one SHA-256 of those bytes. What people read,
//! as plain text or as a fragment of HTML, is made from the same value, so that both sides see the same hash
//! (GDPR Art. 28(3), (9)). A document never changes: a change is a new version that names the hash of the one before.
//!
//! Never: a store, a clock, chance, a language model of the law. The texts are drafts and not legal advice.

pub mod agreement;
pub mod basis;
pub mod canonical;
pub mod consent_record;
pub mod instruction;
pub mod notice;
pub mod page;
pub mod preset;
pub mod terms;
#[cfg(test)]
mod tests;
mod words;

pub use canonical::{CanonicalError, Sha256};
pub use preset::Preset;

use page::{Block, Page};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use terms::Language;

/// Version of the JSON shape of all documents; a document says it, and another one is refused.
const SCHEMA: u32 = 1;

words::words! {
    /// What a document is.
    pub enum Kind {
        /// A processing agreement (GDPR Art. 28(3)).
        Agreement = "agreement", "Processing agreement", "Auftragsverarbeitungsvertrag";
        /// A documented instruction (GDPR Art. 28(3)(a)).
        Instruction = "instruction", "Documented instruction", "Dokumentierte Weisung";
        /// The words shown at collection (GDPR Art. 13, 14).
        Notice = "notice", "Privacy notice", "Datenschutzhinweis";
    }
}

/// A value that can be a document.
pub trait Content: Serialize + DeserializeOwned {
    /// What it is.
    const KIND: Kind;

    /// Its version, from 1.
    fn version(&self) -> u32;

    /// Language of the words that the platform adds when it is shown.
    fn language(&self) -> Language;

    /// Values that make no sense whatever the law says: an hour 25, a stream named twice. Empty for a sound value.
    /// A value with any is never made a document.
    fn mistakes(&self) -> Vec<Mistake>;

    /// What people read.
    fn page(&self) -> Page;
}

/// A value that makes no sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// Where, as in `streams[0].quiet`.
    pub path: String,
    /// What is wrong, without the value itself.
    pub sentence: &'static str,
}

impl Mistake {
    /// At a place.
    #[must_use]
    pub fn at(path: impl Into<String>, sentence: &'static str) -> Self {
        Self { path: path.into(), sentence }
    }
}

/// A document that could not be made or read. Says where, never what stood there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DocumentError {
    /// The bytes are not the canonical JSON of such a document.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// It is another kind of document, or of a schema that is not known here.
    #[error("the document is not of the kind or schema that was asked for")]
    OtherKind,
    /// The hash is not the one that was expected.
    #[error("the document does not have the hash that was recorded for it")]
    OtherHash,
    /// Values make no sense.
    #[error("the document has values that make no sense, the first at {}", .0.first().map_or("", |first| &first.path))]
    Senseless(Vec<Mistake>),
}

/// An immutable document: canonical bytes and their hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    kind: Kind,
    version: u32,
    canonical: Vec<u8>,
    sha256: Sha256,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<T> {
    content: T,
    kind: Kind,
    schema: u32,
}

#[derive(Serialize)]
struct EnvelopeOf<'a, T> {
    content: &'a T,
    kind: Kind,
    schema: u32,
}

impl Document {
    /// Makes the document of a value.
    ///
    /// # Errors
    /// `Senseless` with every mistake: an integer above 2^53 - 1, too long a text, or too long a document are some;
    /// `Canonical` when a value cannot be written.
    pub fn write<T: Content>(content: &T) -> Result<Self, DocumentError> {
        let excesses = canonical::excesses(content);
        if !excesses.is_empty() {
            let mistake = |(path, sentence)| Mistake::at(path, sentence);
            return Err(DocumentError::Senseless(excesses.into_iter().map(mistake).collect()));
        }
        Self::made(content)
    }

    fn made<T: Content>(content: &T) -> Result<Self, DocumentError> {
        let mistakes = content.mistakes();
        if !mistakes.is_empty() {
            return Err(DocumentError::Senseless(mistakes));
        }
        let canonical = canonical::to_bytes(&EnvelopeOf { content, kind: T::KIND, schema: SCHEMA })?;
        let sha256 = Sha256::of(&canonical);
        Ok(Self { kind: T::KIND, version: content.version(), canonical, sha256 })
    }

    /// Reads canonical bytes back, strictly: unknown or doubled names, other spelling of the same JSON and senseless
    /// values are refused, so the hash of what was read is the hash of what would be written.
    ///
    /// # Errors
    /// `Canonical`, `OtherKind`, `Senseless`.
    pub fn parse<T: Content>(bytes: &[u8]) -> Result<(Self, T), DocumentError> {
        let envelope: Envelope<T> = canonical::from_bytes(bytes)?;
        if envelope.kind != T::KIND || envelope.schema != SCHEMA {
            return Err(DocumentError::OtherKind);
        }
        let document = Self::made(&envelope.content)?;
        if document.canonical != bytes {
            return Err(CanonicalError::NotCanonical.into());
        }
        Ok((document, envelope.content))
    }

    /// Reads bytes whose hash was recorded.
    ///
    /// # Errors
    /// `OtherHash`, and those of [`Document::parse`].
    pub fn parse_recorded<T: Content>(bytes: &[u8], recorded: Sha256) -> Result<(Self, T), DocumentError> {
        // GDPR Art. 5(2): what is shown as agreed is what was agreed, byte for byte.
        if Sha256::of(bytes) != recorded {
            return Err(DocumentError::OtherHash);
        }
        Self::parse(bytes)
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its version, from 1.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Its canonical JSON.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// SHA-256 of the canonical JSON.
    #[must_use]
    pub const fn sha256(&self) -> [u8; 32] {
        self.sha256.0
    }

    /// The same as a value that is shown as hexadecimal digits.
    #[must_use]
    pub const fn digest(&self) -> Sha256 {
        self.sha256
    }

    /// What people read, with the hash below: made from the canonical bytes, not from another copy of the value.
    ///
    /// # Errors
    /// `OtherKind` when the document is of another kind than `T`.
    pub fn page<T: Content>(&self) -> Result<Page, DocumentError> {
        if self.kind != T::KIND {
            return Err(DocumentError::OtherKind);
        }
        let (_, content) = Self::parse::<T>(&self.canonical)?;
        let mut page = content.page();
        let (version, hash) = match content.language() {
            Language::English => ("Version", "SHA-256 of this document's canonical JSON"),
            Language::German => ("Version", "SHA-256 des kanonischen JSON dieses Dokuments"),
        };
        page.push(Block::Facts(vec![
            (version.to_owned(), self.version.to_string()),
            (hash.to_owned(), self.sha256.to_string()),
        ]));
        Ok(page)
    }
}
