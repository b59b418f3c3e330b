//! What ends the reading of a file, and what keeps it from beginning.
//!
//! Never: a value of the file. Names of columns are repeated, and only when they cannot be somebody's address.

use std::io;

use super::Reason;

/// What is wrong with a file as a whole. Rows handed out before it stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// The reader failed.
    #[error("the file could not be read: {0}")]
    Read(io::ErrorKind),
    /// A NUL octet: a binary file, or text in an encoding that was not said.
    #[error("line {line}: a NUL octet at offset {offset}; this is no text in the encoding that was said")]
    Nul {
        /// Counted from 1.
        line: u64,
        /// Octets from the start of the file.
        offset: u64,
    },
    /// Looks like UTF-16 and has no byte order mark.
    #[error("the file looks like UTF-16 without a byte order mark; say the encoding, or save it as UTF-8")]
    Utf16Unmarked,
}

impl From<io::Error> for FileFault {
    fn from(error: io::Error) -> Self {
        Self::Read(error.kind())
    }
}

/// Why an import does not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The file as a whole.
    #[error(transparent)]
    File(#[from] FileFault),
    /// No octet, or nothing but blank lines where a header is needed.
    #[error("the file is empty")]
    Empty,
    /// The header row cannot be read.
    #[error("line {line}: the header row: {reason}")]
    Header {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: Reason,
    },
    /// A cell of the first row is an address.
    #[error("the first row holds an address: the file has no header row; say so, and map columns by number")]
    HeaderHoldsAddress,
    /// An explicit mapping names a column that is not there.
    #[error("there is no column `{asked}`; the columns are: {}", known.join(", "))]
    UnknownColumn {
        /// As the mapping says.
        asked: String,
        /// The columns of the file.
        known: Vec<String>,
    },
    /// A mapped name stands in the header more than once.
    #[error("there is more than one column `{asked}`")]
    RepeatedColumn {
        /// As the mapping says.
        asked: String,
    },
    /// A mapping gives one field, one attribute or one column twice.
    #[error("the mapping names `{asked}` twice")]
    MappedTwice {
        /// The column.
        asked: String,
    },
    /// No column holds the address.
    #[error("no column is mapped to the e-mail address; the columns are: {}", known.join(", "))]
    NoEmail {
        /// The columns of the file.
        known: Vec<String>,
    },
    /// More than [`super::ATTRIBUTES_MAX`].
    #[error("more than {} attributes are mapped", super::ATTRIBUTES_MAX)]
    TooManyAttributes,
    /// The dates given for the file end after the present moment.
    #[error("the dates given for the whole file lie in the future")]
    CollectedInFuture,
}
