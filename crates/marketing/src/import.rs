//! Reading the contacts that a controller brings, each with where it came from (GDPR Art. 5(2), 7(1), 14).
//!
//! A file becomes rows, and each row has one fate ([`RowFate`]): a contact with whole evidence, a contact that waits
//! because its evidence has gaps, a row that came before in the same file, or a row that cannot be read. The way:
//! [`Opened::read`] looks at the first octets and the header, [`Opened::import`] binds the columns, and
//! [`ImportReader::next_batch`] hands out rows until the file ends; [`ImportReader::finish`] gives the digest of the
//! file, to which the ledger commits, and the [`Report`].
//!
//! Invariants: each row read has exactly one fate, and the counts of the report add up to the rows; memory does not
//! grow with the file, but for 64-bit keyed hashes of the addresses seen, up to [`REMEMBERED_MAX`]; a claim in the
//! file ("confirmed") never makes evidence better than it is; no fault repeats a value.
//! [`run`] takes such a file into the store. Never: a clock, chance, a network. The moment and the key of the hashes
//! are given.

mod dates;
mod duplicates;
mod error;
mod export;
mod fate;
mod format;
mod informing;
mod json;
mod judge;
mod mapping;
mod provenance;
mod reader;
mod release;
mod report;
mod run;
mod source;
mod split;
#[cfg(test)]
mod tests;
mod words;

pub use self::dates::{DateOrder, Dates};
pub use self::duplicates::Remember;
pub use self::error::{FileFault, OpenError};
pub use self::export::{Echo, ReportFormat, ReportWriter};
pub(crate) use self::export::{push_cell, unguarded};
pub use self::fate::{Column, Contact, Details, Field, Fields, Quarantined, Reason, RowFate};
pub use self::format::{Comments, Delimiter, Encoding, Format, HeaderRow, Input};
pub use self::informing::Informing;
pub use self::mapping::Mapping;
pub use self::provenance::{Collected, ConfirmedClaim, CustomerFacts, Evidence, Given, Method, Obtained, Provenance};
pub use self::reader::{FileDigest, Finished, ImportReader, Opened, Settings};
pub use self::release::release;
pub use self::report::{Problem, Report, What};
pub use self::run::{ImportError, Imported, Mode, Notes, Plan, Progress, Rows, Tell, run};
pub use self::words::{WordFault, Words, format_from};

/// Octets of one row, its quotes included. A longer row is malformed; it is read over, never kept.
pub const ROW_OCTETS_MAX: usize = 64 * 1024;
/// Cells of one row, and keys of one JSON object.
pub const COLUMNS_MAX: usize = 256;
/// Octets of one cell as UTF-8, without its quotes.
pub const CELL_OCTETS_MAX: usize = 8 * 1024;
/// Attributes that one mapping may carry along.
pub const ATTRIBUTES_MAX: usize = 64;
/// Purposes that one cell may name.
pub const PURPOSES_MAX: usize = 32;
/// Addresses remembered for duplicates: about 18 octets each, so under 460 MB at the limit. Beyond it new addresses
/// are not remembered: their repetitions go through as contacts, are counted ([`Report::unremembered`]), and it is
/// the store that must find them. Repetitions of the addresses remembered are still found.
pub const REMEMBERED_MAX: u32 = 20_000_000;
/// Problems that a report keeps one by one, unless told otherwise.
pub const PROBLEMS_KEPT: usize = 1_000;
/// Problems that a report keeps at most, whatever it was told.
pub const PROBLEMS_KEPT_MAX: usize = 10_000;
/// A batch ends early when the rows in it were this many octets of text, so that a batch of huge rows stays small.
pub const BATCH_OCTETS_MAX: usize = 4 * 1024 * 1024;
