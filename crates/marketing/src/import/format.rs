//! What kind of file it is: how rows and cells are told apart, and in which encoding.
//!
//! Guesses are made from the name and the first octets only, and are proposals: the caller decides.

use std::borrow::Cow;

use mail::address::Address;

/// How cells are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delimiter {
    /// By the first lines.
    #[default]
    Auto,
    /// `,`
    Comma,
    /// `;`, as spreadsheets write where the comma is the decimal sign.
    Semicolon,
    /// A tab.
    Tab,
    /// `|`
    Pipe,
}

impl Delimiter {
    const ALL: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::Pipe];

    pub(super) const fn octet(self) -> u8 {
        match self {
            Self::Auto | Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Pipe => b'|',
        }
    }
}

/// What a `#` at the start of a line of a plain list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Comments {
    /// The line is skipped. An address that somebody struck out this way must not come back as a contact.
    #[default]
    Hash,
    /// Part of an address (RFC 5322 §3.2.3 allows it).
    None,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a header row unless said otherwise; rows end with CRLF, LF or CR.
    Csv {
        /// Between cells.
        delimiter: Delimiter,
    },
    /// One JSON object a line.
    JsonLines,
    /// One address a line.
    PlainList {
        /// Whether lines may be comments.
        comments: Comments,
    },
}

impl Format {
    /// Proposes a format by the name of the file and its first octets (some kilobytes are enough).
    ///
    /// `None` for what is not read here: workbooks and archives, a JSON array, other binary files, an empty file.
    #[must_use]
    pub fn guess(name: &str, first_octets: &[u8]) -> Option<Self> {
        let text = sample(first_octets);
        let first = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        if first_octets.starts_with(b"PK\x03\x04") || text.contains('\0') {
            return None;
        }
        let name = name.to_lowercase();
        if name.ends_with(".jsonl") || name.ends_with(".ndjson") || first.starts_with('{') {
            return Some(Self::JsonLines);
        }
        if first.starts_with('[') {
            return None;
        }
        if name.ends_with(".tsv") || name.ends_with(".tab") {
            return Some(Self::Csv { delimiter: Delimiter::Tab });
        }
        if name.ends_with(".csv") {
            return Some(Self::Csv { delimiter: Delimiter::Auto });
        }
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
        if Address::parse(line).is_ok() {
            return Some(Self::PlainList { comments: Comments::Hash });
        }
        Some(Self::Csv { delimiter: Delimiter::Auto })
    }
}

/// The encoding of the octets. A byte order mark is believed before anything that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8, or UTF-16 where a byte order mark says so.
    #[default]
    Utf8OrMark,
    /// UTF-16, lower octet first.
    Utf16Le,
    /// UTF-16, higher octet first.
    Utf16Be,
    /// Of old exports from western Europe. Every octet is a character, so a wrong choice cannot be detected.
    Windows1252,
}

/// Whether the first row names the columns. Only looked at for CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderRow {
    /// It does.
    #[default]
    First,
    /// It is a row like the others; the columns are called `1`, `2` and so on.
    Absent,
}

/// What is said about a file before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// How rows are written.
    pub format: Format,
    /// The encoding.
    pub encoding: Encoding,
    /// Whether there is a header.
    pub header: HeaderRow,
}

impl Input {
    /// The usual case: UTF-8, and a header row.
    #[must_use]
    pub const fn of(format: Format) -> Self {
        Self { format, encoding: Encoding::Utf8OrMark, header: HeaderRow::First }
    }
}

/// The first octets as text, as far as that can be told.
fn sample(octets: &[u8]) -> Cow<'_, str> {
    let (encoding, mark) = encoding_rs::Encoding::for_bom(octets).unwrap_or((encoding_rs::UTF_8, 0));
    encoding.decode_without_bom_handling(octets.get(mark..).unwrap_or_default()).0
}

/// Lines looked at to find the delimiter.
const SNIFFED_LINES: usize = 16;

/// The delimiter that splits the most lines into as many cells as the first one; the comma in doubt.
pub(super) fn sniff(text: &[u8]) -> Delimiter {
    if let Some(said) = separator_line(text) {
        return said;
    }
    let score = |delimiter: Delimiter| {
        let counts = counts(text, delimiter.octet());
        let first = counts.first().copied().unwrap_or(0);
        let agreeing = counts.iter().filter(|count| **count == first).count();
        (if first == 0 { 0 } else { agreeing }, first)
    };
    // The first of equals, so that the comma wins.
    Delimiter::ALL.into_iter().rev().max_by_key(|delimiter| score(*delimiter)).unwrap_or(Delimiter::Comma)
}

/// `sep=;`, which spreadsheets write and read as a first line of its own.
pub(super) fn separator_line(text: &[u8]) -> Option<Delimiter> {
    let rest = text.strip_prefix(b"sep=")?;
    let (octet, rest) = rest.split_first()?;
    let ends = matches!(rest.first(), Some(b'\r' | b'\n'));
    Delimiter::ALL.into_iter().find(|delimiter| ends && delimiter.octet() == *octet)
}

/// How often an octet stands outside quotes in each of the first lines that are not blank.
fn counts(text: &[u8], delimiter: u8) -> Vec<usize> {
    let mut counts = Vec::with_capacity(SNIFFED_LINES);
    let (mut quoted, mut count, mut blank) = (false, 0, true);
    for octet in text {
        match octet {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => {
                if !blank {
                    counts.push(count);
                }
                (count, blank) = (0, true);
                if counts.len() == SNIFFED_LINES {
                    return counts;
                }
                continue;
            }
            octet if *octet == delimiter && !quoted => count += 1,
            _ => {}
        }
        blank = false;
    }
    // The last line may be cut off, so it counts only where it is the only one.
    if counts.is_empty() {
        counts.push(count);
    }
    counts
}
