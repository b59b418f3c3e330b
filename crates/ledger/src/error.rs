//! The one error type of the crate: what is wrong with a form, a signature, a proof or a log folder.
//!
//! A broken log is an `Err` here because for this crate it is the failure of the very question asked ("does this
//! verify?"); callers turn it into their own report. Texts name the first bad index or file, by its path inside
//! the log folder, and what to do. They never hold the content of an entry.

use std::io;

/// Everything that can be wrong. Only [`Error::Disk`] may pass when tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An entry field holds a character outside the closed set; the commercial at lands here, so no address fits.
    #[error("entry field `{field}` holds a character outside A-Z a-z 0-9 - . _ : / + =")]
    FieldCharacter {
        /// The JSON name of the field.
        field: &'static str,
    },
    /// An entry field is empty or longer than its limit.
    #[error("entry field `{field}` must be 1 to {limit} bytes long")]
    FieldLength {
        /// The JSON name of the field.
        field: &'static str,
        /// Most bytes allowed.
        limit: usize,
    },
    /// A number that JSON readers could not all read back exactly.
    #[error("entry field `{field}` is above 2^53 - 1, the largest whole number every JSON reader keeps")]
    FieldNumber {
        /// The JSON name of the field.
        field: &'static str,
    },
    /// More counts than the limit, or names not strictly ascending.
    #[error("entry counts must be at most {limit}, their names ascending and each used once")]
    Counts {
        /// Most counts allowed.
        limit: usize,
    },
    /// Longer than the C2SP length prefix can say.
    #[error("an entry is at most 65535 bytes, this one has {length}")]
    EntryTooLong {
        /// Bytes offered.
        length: usize,
    },
    /// Bytes that are not the canonical form of an entry.
    #[error("these bytes are not the canonical form of a ledger entry")]
    EntryForm,
    /// A text or binary form that could not be read; says which and what was expected.
    #[error("malformed {what}: {expected}")]
    Malformed {
        /// Which form.
        what: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// An index or size outside the tree.
    #[error("index {index} lies outside a tree of {size} entries")]
    OutsideTree {
        /// The index or size asked for.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// An inclusion proof that does not lead to the root.
    #[error("the proof does not show entry {index} in the tree of {size} entries")]
    NotIncluded {
        /// Index of the entry.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// A consistency proof that does not connect two roots.
    #[error("the tree of {new} entries is not an extension of the tree of {old} entries")]
    NotConsistent {
        /// Earlier size.
        old: u64,
        /// Later size.
        new: u64,
    },
    /// The seed or public key was refused by the cryptographic library, or signing failed.
    #[error("the key `{name}` cannot be used: {reason}")]
    Key {
        /// Key name.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The checkpoint carries no signature by the key asked for.
    #[error("the checkpoint carries no signature by the key `{name}`")]
    Unsigned {
        /// Key name.
        name: String,
    },
    /// A signature by a known key that does not verify.
    #[error("the signature by `{name}` does not match the checkpoint")]
    BadSignature {
        /// Key name.
        name: String,
    },
    /// The checkpoint belongs to another log.
    #[error("the checkpoint is of the log `{found}`, not of `{expected}`")]
    OtherLog {
        /// Origin expected.
        expected: String,
        /// Origin found.
        found: String,
    },
    /// The folder has no checkpoint.
    #[error("the log folder holds no checkpoint")]
    NoCheckpoint,
    /// A file that a tree of this size must have is absent.
    #[error("{path} is missing; copy it again or rebuild the folder")]
    Missing {
        /// Path inside the folder.
        path: String,
    },
    /// A tile or bundle that is too short or too long.
    #[error("{path} does not hold exactly its {width} items; first missing or surplus is index {index}")]
    WrongLength {
        /// Path inside the folder.
        path: String,
        /// Items expected.
        width: u16,
        /// For bundles and level-0 tiles the index of the entry, otherwise the position in its level.
        index: u64,
    },
    /// An entry and its leaf hash disagree.
    #[error("entry {index} was changed: it does not hash to its leaf in {path}")]
    EntryMismatch {
        /// Index of the first such entry.
        index: u64,
        /// The level-0 tile.
        path: String,
    },
    /// A hash of a higher tile disagrees with the tiles below it.
    #[error("hash {position} of {path} does not follow from the tiles below")]
    TileMismatch {
        /// Path inside the folder.
        path: String,
        /// Position within the tile, from 0.
        position: usize,
    },
    /// The tree is not the one the checkpoint was signed for.
    #[error("the {size} entries do not lead to the root in the checkpoint")]
    WrongRoot {
        /// Size of the tree.
        size: u64,
    },
    /// The log is shorter than it was at an earlier checkpoint.
    #[error("the log has {now} entries, an earlier checkpoint had {earlier}: entries were removed")]
    Shrunk {
        /// Size of the earlier checkpoint.
        earlier: u64,
        /// Size now.
        now: u64,
    },
    /// The log's first entries are not those of an earlier checkpoint.
    #[error("the first {size} entries are not those of the earlier checkpoint: history was rewritten")]
    HistoryRewritten {
        /// Size of the earlier checkpoint.
        size: u64,
    },
    /// Entries were offered for another position than the end of the folder.
    #[error("the folder ends at index {size}; entries for index {offered} cannot follow")]
    NotNext {
        /// Size of the folder.
        size: u64,
        /// First index offered.
        offered: u64,
    },
    /// The file system refused.
    #[error("{path}: {source}")]
    Disk {
        /// Path inside the folder.
        path: String,
        /// What the file system said.
        source: io::Error,
    },
}
