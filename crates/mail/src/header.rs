//! Strict header scanner: cuts a message into fields and body without copying, and refuses what two readers
//! could read differently.
//!
//! Input is CRLF-canonical. What passes here has exactly one reading: names are RFC 5322 §2.2 names, lines end
//! in CRLF and nothing else, no field comes twice that may come once, and From holds one mailbox. The gate and the
//! DKIM signer look at a message only through this scanner, so that neither can be shown another From than the
//! recipient's reader shows.
//! Never: a guess, a repaired field, a value of the message in an error text.
//! Standards: RFC 5322 §2.1-2.2, §3.4, §3.6; RFC 6854 is not followed (groups in From are refused).

use std::ops::Range;

use crate::address::{Address, AddressError};

mod mailbox;
#[cfg(test)]
mod tests;

/// Largest header block in octets, blank line not counted.
pub const BLOCK_OCTETS_MAX: usize = 256 * 1024;
/// Most fields in one header block.
pub const FIELDS_MAX: usize = 1000;
/// RFC 5322 §2.1.1: octets of a line without its CRLF.
pub const LINE_OCTETS_MAX: usize = 998;
/// RFC 5321 §6.3: more Received fields than this are a loop.
pub const RECEIVED_MAX: usize = 100;
/// Longest value of `X-Postern-Stream`.
pub const STREAM_OCTETS_MAX: usize = 64;
/// The field by which an SMTP client may confirm its stream; never leaves the house.
pub const STREAM_FIELD: &str = "X-Postern-Stream";

/// Fields that may come at most once (RFC 5322 §3.6, RFC 2045 §3-§6 for the MIME ones).
const SINGLETONS: [&str; 13] = [
    "From",
    "To",
    "Cc",
    "Bcc",
    "Subject",
    "Date",
    "Message-ID",
    "Sender",
    "Reply-To",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    STREAM_FIELD,
];

/// Whether octets above 127 may stand in field values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EightBit {
    /// RFC 5322 §2.2: fields are US-ASCII; anything else needs SMTPUTF8.
    Refused,
    /// RFC 6532 §3.2: values may be UTF-8, and nothing else.
    Utf8,
    /// For reading mail of strangers, where refusing is not our part.
    Allowed,
}

/// Bounds of a scan.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Octets of the whole block without the blank line.
    pub block_octets: usize,
    /// Number of fields.
    pub fields: usize,
    /// Octets of one line without CRLF.
    pub line_octets: usize,
    /// Octets above 127.
    pub eight_bit: EightBit,
}

impl Limits {
    /// What we take from senders: 256 KiB, 1000 fields, 998 octets a line, US-ASCII.
    pub const SUBMISSION: Self = Self {
        block_octets: BLOCK_OCTETS_MAX,
        fields: FIELDS_MAX,
        line_octets: LINE_OCTETS_MAX,
        eight_bit: EightBit::Refused,
    };
    /// The same, but values may be UTF-8: from senders who said so (RFC 6531 §3.4), and what was taken from them.
    pub const INTERNATIONAL: Self = Self { eight_bit: EightBit::Utf8, ..Self::SUBMISSION };
    /// The same sizes, but octets above 127 pass: for mail that others composed and we only verify.
    pub const INBOUND: Self = Self { eight_bit: EightBit::Allowed, ..Self::SUBMISSION };
}

impl Default for Limits {
    fn default() -> Self {
        Self::SUBMISSION
    }
}

/// Why a header block is refused. The text names the field and the limit, never a value of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The block is longer than the limit.
    #[error("the header block is larger than {limit} octets")]
    BlockTooLarge {
        /// Octets.
        limit: usize,
    },
    /// Too many fields.
    #[error("the header block has more than {limit} fields")]
    TooManyFields {
        /// Fields.
        limit: usize,
    },
    /// A line is too long (RFC 5322 §2.1.1).
    #[error("header line {line} is longer than {limit} octets")]
    LineTooLong {
        /// Line number, from 1.
        line: usize,
        /// Octets without CRLF.
        limit: usize,
    },
    /// CR or LF alone, or a last line without CRLF.
    #[error("header line {line} does not end in CRLF; bare CR or LF is not accepted")]
    BareLineEnd {
        /// Line number, from 1.
        line: usize,
    },
    /// NUL or another control character but TAB.
    #[error("header line {line} contains a NUL or control character")]
    Control {
        /// Line number, from 1.
        line: usize,
    },
    /// An octet above 127.
    #[error("header line {line} contains 8-bit characters; encode them as RFC 2047 words, or use SMTPUTF8")]
    EightBit {
        /// Line number, from 1.
        line: usize,
    },
    /// Octets above 127 that are no UTF-8, or a control character of Unicode.
    #[error("header line {line} is not UTF-8 text without control characters")]
    NotUtf8 {
        /// Line number, from 1.
        line: usize,
    },
    /// Not a field: no colon, an empty or ill-formed name, or white space before the colon.
    #[error("header line {line} is not a field: a name of printable ASCII directly followed by a colon is needed")]
    NotAField {
        /// Line number, from 1.
        line: usize,
    },
    /// A continuation line with nothing to continue, or of white space only.
    #[error("header line {line} begins with white space but continues no field, or is empty but for white space")]
    StrayContinuation {
        /// Line number, from 1.
        line: usize,
    },
    /// A field that may come once comes again.
    #[error("the field {field} occurs more than once")]
    Duplicate {
        /// Name of the field.
        field: &'static str,
    },
    /// A field that must be there is not.
    #[error("the field {field} is missing")]
    Missing {
        /// Name of the field.
        field: &'static str,
    },
    /// From is not one well-formed mailbox.
    #[error("the field From must hold one mailbox: {0}")]
    From(#[from] MailboxFault),
    /// RFC 5321 §6.3, to be answered with 554 5.4.6.
    #[error("the message has more than {limit} Received fields; it is in a loop")]
    Loop {
        /// Received fields.
        limit: usize,
    },
    /// `X-Postern-Stream` is empty, too long, or has other characters than letters, digits, `-`, `_`, `.`.
    #[error("the field X-Postern-Stream must hold the name of a stream, 1 to {limit} letters, digits, '-', '_' or '.'")]
    Stream {
        /// Octets.
        limit: usize,
    },
}

/// What is wrong with a From value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MailboxFault {
    /// Nothing but white space or comments.
    #[error("it is empty")]
    Empty,
    /// More than one mailbox.
    #[error("it holds more than one")]
    Several,
    /// `name: a, b;`
    #[error("it holds a group")]
    Group,
    /// The text follows no grammar of RFC 5322 §3.4.
    #[error("write it as `Name <local@domain>`, with quotes around a name that has special characters")]
    Syntax,
    /// Comments within comments beyond the limit.
    #[error("its comments are nested too deeply")]
    Depth,
    /// The address itself is not valid.
    #[error("{0}")]
    Address(#[from] AddressError),
}

/// One field of a header block.
#[derive(Debug, Clone)]
pub struct Field<'m> {
    name: &'m [u8],
    raw_value: &'m [u8],
    range: Range<usize>,
}

impl<'m> Field<'m> {
    /// The name exactly as written.
    #[must_use]
    pub fn name(&self) -> &'m [u8] {
        self.name
    }

    /// Everything between the colon and the last CRLF, folding included.
    #[must_use]
    pub fn raw_value(&self) -> &'m [u8] {
        self.raw_value
    }

    /// Octets of the field in the message, its last CRLF included.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Whether the name is `name`, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value with folding undone (RFC 5322 §2.2.3) and white space cut from both ends.
    #[must_use]
    pub fn unfolded(&self) -> Vec<u8> {
        let octets: Vec<u8> = self.raw_value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
        octets.trim_ascii().to_vec()
    }
}

/// The fields of a message and where its body begins.
#[derive(Debug, Clone)]
pub struct HeaderBlock<'m> {
    message: &'m [u8],
    fields: Vec<Field<'m>>,
    block_end: usize,
    body_start: usize,
}

impl<'m> HeaderBlock<'m> {
    /// Scans a message up to its blank line. A message without blank line is all header, with an empty body.
    ///
    /// # Errors
    /// Anything that is not a well-formed header block within `limits`.
    pub fn scan(message: &'m [u8], limits: Limits) -> Result<Self, HeaderError> {
        let mut fields: Vec<Field<'m>> = Vec::new();
        let mut at = 0;
        let mut line = 0;
        loop {
            let rest = message.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(Self { message, fields, block_end: at, body_start: at });
            }
            line += 1;
            let content = line_content(rest, line, limits)?;
            let next = at + content.len() + 2;
            if content.is_empty() {
                return Ok(Self { message, fields, block_end: at, body_start: next });
            }
            if next > limits.block_octets {
                return Err(HeaderError::BlockTooLarge { limit: limits.block_octets });
            }
            check_octets(content, line, limits)?;
            if matches!(content.first(), Some(b' ' | b'\t')) {
                continue_field(&mut fields, message, content, next).ok_or(HeaderError::StrayContinuation { line })?;
            } else {
                if fields.len() >= limits.fields {
                    return Err(HeaderError::TooManyFields { limit: limits.fields });
                }
                fields.push(begin_field(content, at, next).ok_or(HeaderError::NotAField { line })?);
            }
            at = next;
        }
    }

    /// All fields in the order of the message.
    #[must_use]
    pub fn fields(&self) -> &[Field<'m>] {
        &self.fields
    }

    /// The fields of that name, in any case, from top to bottom.
    pub fn named<'s>(&'s self, name: &'s str) -> impl DoubleEndedIterator<Item = &'s Field<'m>> {
        self.fields.iter().filter(move |field| field.is(name))
    }

    /// How many fields have that name.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.named(name).count()
    }

    /// The topmost field of that name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&Field<'m>> {
        self.fields.iter().find(|field| field.is(name))
    }

    /// The header block without the blank line.
    #[must_use]
    pub fn block(&self) -> &'m [u8] {
        self.message.get(..self.block_end).unwrap_or_default()
    }

    /// Where the body begins; the length of the message if there is none.
    #[must_use]
    pub fn body_start(&self) -> usize {
        self.body_start
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &'m [u8] {
        self.message.get(self.body_start..).unwrap_or_default()
    }
}

/// What a submission says about itself.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The one mailbox of From.
    pub from: Address,
    /// The value of `X-Postern-Stream`.
    pub stream: Option<String>,
    /// Number of Received fields.
    pub received: usize,
}

/// Checks what we require of a message before anything else looks at it.
///
/// # Errors
/// A repeated singleton, no or no single From mailbox, a loop, an ill-formed `X-Postern-Stream`.
pub fn check_submission(block: &HeaderBlock<'_>) -> Result<Checked, HeaderError> {
    // RFC 5322 §3.6: each at most once. Readers differ on which of two they show, which makes a second one a forgery.
    for field in SINGLETONS {
        if block.count(field) > 1 {
            return Err(HeaderError::Duplicate { field });
        }
    }
    // RFC 5321 §6.3: a counter is the only loop guard that needs no trust in the other hosts.
    let received = block.count("Received");
    if received > RECEIVED_MAX {
        return Err(HeaderError::Loop { limit: RECEIVED_MAX });
    }
    let from = block.first("From").ok_or(HeaderError::Missing { field: "From" })?;
    Ok(Checked { from: mailbox::parse_one(&from.unfolded())?, stream: stream_of(block)?, received })
}

/// Reads a field value that must hold exactly one mailbox, as `Name <local@domain>` or `local@domain`.
///
/// # Errors
/// [`MailboxFault`]
pub fn parse_mailbox(unfolded: &[u8]) -> Result<Address, MailboxFault> {
    mailbox::parse_one(unfolded)
}

/// Reads a field value that holds a list of mailboxes, as To, Cc and Bcc do: those of groups too, in their order. An
/// empty list is one of nobody.
///
/// # Errors
/// [`MailboxFault`]: no mailbox of a list is passed over because it is ill-formed.
pub fn parse_mailboxes(unfolded: &[u8]) -> Result<Vec<Address>, MailboxFault> {
    mailbox::parse_all(unfolded)
}

/// Whom a message itself names as its recipients: To, Cc and Bcc, each once, in this order (what `sendmail -t` does).
///
/// # Errors
/// The field that cannot be read. A field that comes twice is [`check_submission`]'s to refuse; all of them are read.
pub fn named_recipients(block: &HeaderBlock<'_>) -> Result<Vec<Address>, (&'static str, MailboxFault)> {
    let mut seen = std::collections::HashSet::new();
    let mut all = Vec::new();
    for name in ["To", "Cc", "Bcc"] {
        for field in block.named(name) {
            let found = parse_mailboxes(&field.unfolded()).map_err(|fault| (name, fault))?;
            all.extend(found.into_iter().filter(|address| seen.insert(address.clone())));
        }
    }
    Ok(all)
}

/// Whether `name` can be a field name: 1 to 76 octets of printable ASCII without colon (RFC 5322 §2.2).
#[must_use]
pub fn is_field_name(name: &[u8]) -> bool {
    !name.is_empty() && name.len() <= FIELD_NAME_OCTETS_MAX && name.iter().all(|&b| is_name_octet(b))
}

/// RFC 5322 §2.2 sets no limit but the line; a name that fills a line of 78 cannot be folded any more.
const FIELD_NAME_OCTETS_MAX: usize = 76;

fn is_name_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && octet != b':'
}

/// The next line of `rest` without its CRLF.
fn line_content(rest: &[u8], line: usize, limits: Limits) -> Result<&[u8], HeaderError> {
    let window = rest.get(..limits.line_octets.saturating_add(2)).unwrap_or(rest);
    let Some(lf) = memchr::memchr(b'\n', window) else {
        return Err(if rest.len() > limits.line_octets {
            HeaderError::LineTooLong { line, limit: limits.line_octets }
        } else {
            HeaderError::BareLineEnd { line }
        });
    };
    match window.get(..lf) {
        Some([content @ .., b'\r']) => Ok(content),
        _ => Err(HeaderError::BareLineEnd { line }),
    }
}

fn check_octets(content: &[u8], line: usize, limits: Limits) -> Result<(), HeaderError> {
    for &octet in content {
        if octet == b'\r' {
            return Err(HeaderError::BareLineEnd { line });
        }
        if octet.is_ascii_control() && octet != b'\t' {
            return Err(HeaderError::Control { line });
        }
        if octet >= 0x80 && limits.eight_bit == EightBit::Refused {
            return Err(HeaderError::EightBit { line });
        }
    }
    if limits.eight_bit == EightBit::Utf8 && !content.is_ascii() {
        // RFC 6532 §3.1. Also the controls of Unicode, and what some readers take for the end of a line.
        let breaks = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
        match std::str::from_utf8(content) {
            Ok(text) if !text.chars().any(breaks) => {}
            _ => return Err(HeaderError::NotUtf8 { line }),
        }
    }
    Ok(())
}

fn begin_field(content: &[u8], start: usize, end: usize) -> Option<Field<'_>> {
    let colon = memchr::memchr(b':', content)?;
    let name = content.get(..colon)?;
    // RFC 5322 §2.2 and §4.5: "From :" is obsolete syntax that some readers take for From and others do not.
    if name.is_empty() || !name.iter().all(|&b| is_name_octet(b)) {
        return None;
    }
    Some(Field { name, raw_value: content.get(colon + 1..)?, range: start..end })
}

/// Lengthens the last field by a folded line.
fn continue_field<'m>(fields: &mut [Field<'m>], message: &'m [u8], content: &[u8], end: usize) -> Option<()> {
    // RFC 5322 §3.2.2: a line of white space only is obsolete folding, and for some readers the end of the header.
    if content.trim_ascii().is_empty() {
        return None;
    }
    let field = fields.last_mut()?;
    let value_start = field.range.start + field.name.len() + 1;
    field.raw_value = message.get(value_start..end.checked_sub(2)?)?;
    field.range.end = end;
    Some(())
}

fn stream_of(block: &HeaderBlock<'_>) -> Result<Option<String>, HeaderError> {
    let Some(field) = block.first(STREAM_FIELD) else { return Ok(None) };
    let value = field.unfolded();
    let well_formed = (1..=STREAM_OCTETS_MAX).contains(&value.len())
        && value.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    match String::from_utf8(value) {
        Ok(name) if well_formed => Ok(Some(name)),
        _ => Err(HeaderError::Stream { limit: STREAM_OCTETS_MAX }),
    }
}
