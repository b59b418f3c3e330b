//! What becomes of a row, and why.
//!
//! Invariants: a row has one fate; a reason is a kind and numbers, never a value of the file.
//! Never: personal data in `Debug`.

use std::fmt;
use std::sync::Arc;

use mail::address::{Address, AddressError};

use super::{ConfirmedClaim, Evidence, Provenance};

/// What a column can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The address. Needed.
    Email,
    /// Language of the person, as a BCP 47 tag.
    Language,
    /// When the consent was given.
    GivenAt,
    /// How it was given: [`super::Method`].
    Method,
    /// Where the address came from (GDPR Art. 14(2)(f)).
    Source,
    /// Reference to the notice shown to the person (GDPR Art. 13, 14).
    Notice,
    /// The lawful basis: `model::basis::BasisKind`.
    Basis,
    /// What the file claims of a confirmation. Never makes evidence better.
    Confirmed,
    /// The purposes, separated by `;`, `|` or `,`.
    Purpose,
    /// What a soft opt-in needs beside the sale: [`super::CustomerFacts`].
    SoftOptIn,
    /// From whom the data were obtained: [`super::Obtained`].
    Obtained,
    /// Something carried along.
    Attribute,
}

impl Field {
    /// All, in the order of their bits.
    pub const ALL: [Self; 12] = [
        Self::Email,
        Self::Language,
        Self::GivenAt,
        Self::Method,
        Self::Source,
        Self::Notice,
        Self::Basis,
        Self::Confirmed,
        Self::Purpose,
        Self::SoftOptIn,
        Self::Obtained,
        Self::Attribute,
    ];

    /// The stable word of reports and mappings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Language => "language",
            Self::GivenAt => "given_at",
            Self::Method => "method",
            Self::Source => "source",
            Self::Notice => "notice",
            Self::Basis => "basis",
            Self::Confirmed => "confirmed",
            Self::Purpose => "purpose",
            Self::SoftOptIn => "soft_opt_in",
            Self::Obtained => "obtained",
            Self::Attribute => "attribute",
        }
    }

    /// From the stable word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == word)
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// A set of fields.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields(u16);

impl Fields {
    /// Puts one in.
    pub fn insert(&mut self, field: Field) {
        self.0 |= 1 << field.index();
    }

    /// Whether it is there.
    #[must_use]
    pub const fn contains(self, field: Field) -> bool {
        self.0 & (1 << field.index()) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set, in the order of [`Field::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Field> {
        Field::ALL.into_iter().filter(move |field| self.contains(*field))
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.iter()).finish()
    }
}

/// Where in a row something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Column {
    /// Counted from 1; none in JSON Lines.
    pub number: Option<u16>,
    /// What the column is mapped to; none for a column that nobody mapped.
    pub field: Option<Field>,
}

/// Why a row cannot be read. Never repeats a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Octets that are no character in the encoding of the file.
    #[error("an octet at offset {offset} is no character in the encoding of the file")]
    Encoding {
        /// Octets from the start of the file.
        offset: u64,
    },
    /// Above [`super::ROW_OCTETS_MAX`].
    #[error("the row is longer than 65536 octets")]
    RowTooLong,
    /// Above [`super::COLUMNS_MAX`].
    #[error("the row has more than 256 cells")]
    TooManyCells,
    /// Above [`super::CELL_OCTETS_MAX`].
    #[error("the cell is longer than 8192 octets")]
    CellTooLong,
    /// Not as many cells as the header: somewhere cells have moved, so none is believed.
    #[error("the row has {found} cells where the header has {expected}")]
    CellCount {
        /// Cells of the header.
        expected: u16,
        /// Cells of the row.
        found: u16,
    },
    /// A quote that the file does not close. All that follows it belongs to the cell, and so is not read as rows.
    #[error("the quote opened on line {opened} is never closed")]
    QuoteUnterminated {
        /// The line on which the quote stands.
        opened: u64,
    },
    /// Text after a closing quote.
    #[error("text follows a closing quote; a quote within a cell is written twice")]
    QuoteStray,
    /// The address.
    #[error(transparent)]
    Address(AddressError),
    /// No date in a form that is read here, or none that exists, or one before 1970.
    #[error("not a date that is understood: write it as 2021-03-04 or 2021-03-04T05:06:07Z")]
    DateInvalid,
    /// 03/04/2021 and nobody said the order.
    #[error("the day and the month cannot be told apart; state their order")]
    DateAmbiguous,
    /// After the present moment.
    #[error("the date lies in the future")]
    DateFuture,
    /// No known method.
    #[error("not a known method of collection")]
    MethodUnknown,
    /// No known basis.
    #[error("not a known lawful basis")]
    BasisUnknown,
    /// No known fact of a soft opt-in.
    #[error("not a known fact of a soft opt-in")]
    SoftOptInUnknown,
    /// Neither `person` nor `third-party`.
    #[error("neither person nor third-party")]
    ObtainedUnknown,
    /// Not in the form of a language tag.
    #[error("not a language tag")]
    LanguageInvalid,
    /// Neither yes nor no nor a date.
    #[error("neither yes nor no nor a date")]
    ConfirmedInvalid,
    /// More than [`super::PURPOSES_MAX`].
    #[error("more than 32 purposes")]
    TooManyPurposes,
    /// A NUL character within a value.
    #[error("a NUL character within the value")]
    NulCharacter,
    /// Not JSON.
    #[error("the line is not valid JSON")]
    JsonInvalid,
    /// JSON, and no object.
    #[error("the line is not a JSON object")]
    JsonNotObject,
    /// A mapped key twice: one cannot know which is meant.
    #[error("a key stands twice in the object")]
    JsonDuplicateKey,
    /// An array, an object, or a number where text is needed.
    #[error("the value has the wrong type")]
    JsonWrongType,
}

impl Reason {
    /// The stable word of reports.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Encoding { .. } => "encoding",
            Self::RowTooLong => "row-too-long",
            Self::TooManyCells => "too-many-cells",
            Self::CellTooLong => "cell-too-long",
            Self::CellCount { .. } => "cell-count",
            Self::QuoteUnterminated { .. } => "quote-unterminated",
            Self::QuoteStray => "quote-stray",
            Self::Address(_) => "address",
            Self::DateInvalid => "date-invalid",
            Self::DateAmbiguous => "date-ambiguous",
            Self::DateFuture => "date-future",
            Self::MethodUnknown => "method-unknown",
            Self::BasisUnknown => "basis-unknown",
            Self::SoftOptInUnknown => "soft-opt-in-unknown",
            Self::ObtainedUnknown => "obtained-unknown",
            Self::LanguageInvalid => "language-invalid",
            Self::ConfirmedInvalid => "confirmed-invalid",
            Self::TooManyPurposes => "too-many-purposes",
            Self::NulCharacter => "nul-character",
            Self::JsonInvalid => "json-invalid",
            Self::JsonNotObject => "json-not-object",
            Self::JsonDuplicateKey => "json-duplicate-key",
            Self::JsonWrongType => "json-wrong-type",
        }
    }
}

/// What a row says besides its address and its evidence. Personal data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// A BCP 47 tag as written, with `-`.
    pub language: Option<Arc<str>>,
    /// What the file claims; never proof.
    pub confirmed: Option<ConfirmedClaim>,
    /// Name in the mapping and value as written, without white space around it; empty values are left out.
    pub attributes: Vec<(Arc<str>, Box<str>)>,
    /// Fields with a cell that a spreadsheet would take for a formula. The values are kept as they are.
    pub formulas: Fields,
}

/// A row with an address and whole evidence (GDPR Art. 5(2), 7(1)). Personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// The line on which the row begins, counted from 1.
    pub line: u64,
    /// Whom it is about.
    pub address: Address,
    /// Where it came from, and on what it rests.
    pub evidence: Evidence,
    /// What else the row says.
    pub details: Details,
}

/// A row with an address whose evidence has gaps: kept, and never mailed until the controller fills them.
#[derive(Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The line on which the row begins, counted from 1.
    pub line: u64,
    /// Whom it is about.
    pub address: Address,
    /// What is known.
    pub known: Provenance,
    /// What is not. Never empty.
    pub missing: Fields,
    /// What else the row says.
    pub details: Details,
}

/// What becomes of a row.
#[derive(Clone, PartialEq, Eq)]
pub enum RowFate {
    /// Fine.
    Contact(Contact),
    /// Readable, and its provenance has gaps.
    Quarantine(Quarantined),
    /// The address came before in this file, as a contact or in quarantine; what this row says is not used.
    Duplicate {
        /// The line on which the row begins, counted from 1.
        line: u64,
        /// The line of the first row; `u32::MAX` for that line and all after it.
        first_line: u32,
        /// The address. Personal data.
        address: Address,
    },
    /// Cannot be read.
    Malformed {
        /// The line on which the row begins, counted from 1.
        line: u64,
        /// Where, if it is one cell.
        column: Option<Column>,
        /// Why.
        reason: Reason,
    },
}

impl RowFate {
    /// The line on which the row begins, counted from 1.
    #[must_use]
    pub const fn line(&self) -> u64 {
        match self {
            Self::Contact(contact) => contact.line,
            Self::Quarantine(row) => row.line,
            Self::Duplicate { line, .. } | Self::Malformed { line, .. } => *line,
        }
    }

    /// The stable word of reports.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Contact(_) => "contact",
            Self::Quarantine(_) => "quarantine",
            Self::Duplicate { .. } => "duplicate",
            Self::Malformed { .. } => "malformed",
        }
    }

    /// The address, where one could be read. Personal data.
    #[must_use]
    pub const fn address(&self) -> Option<&Address> {
        match self {
            Self::Contact(contact) => Some(&contact.address),
            Self::Quarantine(row) => Some(&row.address),
            Self::Duplicate { address, .. } => Some(address),
            Self::Malformed { .. } => None,
        }
    }

    /// Fields with a cell that a spreadsheet would take for a formula.
    #[must_use]
    pub const fn formulas(&self) -> Fields {
        match self {
            Self::Contact(contact) => contact.details.formulas,
            Self::Quarantine(row) => row.details.formulas,
            Self::Duplicate { .. } | Self::Malformed { .. } => Fields(0),
        }
    }
}

impl fmt::Debug for RowFate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct(self.code());
        out.field("line", &self.line());
        match self {
            Self::Contact(_) => {}
            Self::Quarantine(row) => {
                out.field("missing", &row.missing);
            }
            Self::Duplicate { first_line, .. } => {
                out.field("first_line", first_line);
            }
            Self::Malformed { column, reason, .. } => {
                out.field("column", column).field("reason", reason);
            }
        }
        out.finish_non_exhaustive()
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Contact").field("line", &self.line).finish_non_exhaustive()
    }
}

impl fmt::Debug for Quarantined {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("Quarantined");
        out.field("line", &self.line).field("missing", &self.missing).finish_non_exhaustive()
    }
}

impl fmt::Debug for Details {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Details").field("formulas", &self.formulas).finish_non_exhaustive()
    }
}
