//! Makes a raw message ready to be sent: trace and missing fields added, private ones removed, one copy of the body.
//!
//! The header block is written anew; the body stays a slice of what came in. Fields that are kept are kept octet for
//! octet, so that what the sender signed himself stays signed.
//! Never: a recipient's address or the sender's network address in the trace (GDPR Art. 5(1)(c): the receiving side
//! has no need of them), a Bcc, a bare CR or LF, a line above 998 octets.
//! Standards: RFC 5321 §4.4 (Received), RFC 5322 §2.1.1, §3.3, §3.6, RFC 6409 §8 (what a submission server adds).

use std::borrow::Cow;

use bytes::Bytes;

use crate::header::{HeaderBlock, HeaderError, LINE_OCTETS_MAX, Limits, STREAM_FIELD};

mod field;
#[cfg(test)]
mod tests;

pub(crate) use field::bracketed_message_id;
pub use field::{FOLD_OCTETS, FieldError, append_field, append_international_field, is_message_id, rfc5322_date};

/// Most fields that can be added to one message.
pub const EXTRA_FIELDS_MAX: usize = 32;

/// Why a message cannot be made ready. No text repeats a value of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The header block is not well-formed.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// RFC 5322 §2.1.1.
    #[error("body line {line} is longer than {limit} octets; use quoted-printable or base64")]
    LineTooLong {
        /// Line number, from 1.
        line: usize,
        /// Octets without CRLF.
        limit: usize,
    },
    /// CR or LF alone in the body.
    #[error("body line {line} contains a bare CR or LF; end lines with CRLF")]
    BareLineEnd {
        /// Line number, from 1.
        line: usize,
    },
    /// RFC 5322 §3.5: NUL is no text.
    #[error("body line {line} contains a NUL octet; use base64")]
    Nul {
        /// Line number, from 1.
        line: usize,
    },
    /// A fact that we give ourselves cannot stand in a header: a fault of ours, not of the sender.
    #[error("{0}")]
    Field(#[from] FieldError),
    /// More added fields than [`EXTRA_FIELDS_MAX`].
    #[error("more than {limit} fields are to be added")]
    TooManyExtra {
        /// Fields.
        limit: usize,
    },
}

/// What our Received field says (RFC 5321 §4.4).
#[derive(Debug, Clone, Copy)]
pub struct Received<'f> {
    /// Our own host name.
    pub by: &'f str,
    /// RFC 3848 keyword: `ESMTPSA`, `ESMTPS`, `HTTP`.
    pub with: &'f str,
    /// Our id of the message.
    pub id: &'f str,
    /// Seconds since 1970.
    pub unix_s: u64,
}

/// What is added to a message.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    /// The trace.
    pub received: Received<'f>,
    /// Used where the message has no Message-ID: `left@right`, without angle brackets.
    pub message_id: &'f str,
    /// Further fields, name and value on one line. Each replaces fields of that name in the message, so that there is,
    /// for example, exactly one List-Unsubscribe (RFC 8058 §3.1).
    pub extra: &'f [(&'f str, &'f str)],
}

/// A message ready to be signed and sent.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The header block with its blank line.
    pub head: Bytes,
    /// The body: a slice of what was given.
    pub body: Bytes,
    /// The value of Message-ID, as given or as it stood, with its angle brackets.
    pub message_id: String,
    /// Whether the body has octets above 127, which the next host must announce 8BITMIME for (RFC 6152).
    pub eight_bit: bool,
}

/// Fields that never leave: RFC 5322 §3.6.3 for Bcc; RFC 5321 §4.4: Return-Path is the last host's to write.
const REMOVED: [&str; 4] = ["Bcc", "Resent-Bcc", "Return-Path", STREAM_FIELD];

/// Makes a message ready. `message` is CRLF-canonical.
///
/// # Errors
/// A header block or body that may not be sent, or facts that cannot stand in a header.
pub fn prepare(message: &Bytes, facts: &Facts<'_>) -> Result<Prepared, MessageError> {
    let block = HeaderBlock::scan(message, Limits::SUBMISSION)?;
    ensure_lines_at_most_998(block.body())?;
    let PreparedHead { head, message_id } = prepare_head(&block, facts)?;
    let body = message.slice(block.body_start()..);
    let eight_bit = !body.is_ascii();
    Ok(Prepared { head, body, message_id, eight_bit })
}

/// A header block ready to be signed and sent.
#[derive(Debug, Clone)]
pub struct PreparedHead {
    /// The header block with its blank line.
    pub head: Bytes,
    /// The value of Message-ID, as given or as it stood, with its angle brackets.
    pub message_id: String,
}

/// The header's part of [`prepare`], for copies that share one body, such as those of [`crate::compose`].
///
/// # Errors
/// Facts that cannot stand in a header.
pub fn prepare_head(block: &HeaderBlock<'_>, facts: &Facts<'_>) -> Result<PreparedHead, MessageError> {
    if facts.extra.len() > EXTRA_FIELDS_MAX {
        return Err(MessageError::TooManyExtra { limit: EXTRA_FIELDS_MAX });
    }
    let mut head = Vec::with_capacity(block.block().len() + ADDED_OCTETS_TYPICAL);
    append_received(&facts.received, &mut head)?;
    for field in block.fields() {
        let replaced = facts.extra.iter().any(|(name, _)| field.is(name));
        if !replaced && !REMOVED.iter().any(|name| field.is(name)) {
            head.extend_from_slice(block.block().get(field.range()).unwrap_or_default());
        }
    }
    // RFC 6409 §8.2, §8.3: a submission server may add what is missing; receivers refuse mail without.
    if block.first("Date").is_none() {
        append_field("Date", &rfc5322_date(facts.received.unix_s), &mut head)?;
    }
    let message_id = match block.first("Message-ID") {
        Some(field) => String::from_utf8_lossy(&field.unfolded()).into_owned(),
        None => {
            let id = bracketed_message_id(facts.message_id)?;
            append_field("Message-ID", &id, &mut head)?;
            id
        }
    };
    for (name, value) in facts.extra {
        append_field(name, value, &mut head)?;
    }
    head.extend_from_slice(b"\r\n");
    Ok(PreparedHead { head: Bytes::from(head), message_id })
}

/// Received, Date, Message-ID and four marketing fields.
const ADDED_OCTETS_TYPICAL: usize = 768;

/// Appends a Received field without `from` and without `for` (see the contract above).
///
/// # Errors
/// [`FieldError`] if a piece holds anything but printable ASCII without space and semicolon.
pub fn append_received(received: &Received<'_>, head: &mut Vec<u8>) -> Result<(), FieldError> {
    let pieces = [received.by, received.with, received.id];
    let plain = |piece: &&str| {
        !piece.is_empty() && piece.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b';' | b'(' | b')' | b'"'))
    };
    if !pieces.iter().all(plain) {
        return Err(FieldError::Value { field: "Received".to_owned() });
    }
    let date = rfc5322_date(received.unix_s);
    let value = format!("by {} with {} id {}; {date}", received.by, received.with, received.id);
    append_field("Received", &value, head)
}

/// Checks that a body can go out as it is: lines of 998 octets at most, CRLF and nothing else, no NUL.
///
/// # Errors
/// The first line that is not so.
pub fn ensure_lines_at_most_998(body: &[u8]) -> Result<(), MessageError> {
    let mut start = 0;
    let mut line = 1;
    // One search for both line end octets and NUL: everything between two hits is of no interest here.
    for at in memchr::memchr3_iter(b'\r', b'\n', 0, body) {
        match (body.get(at), at.checked_sub(1).and_then(|before| body.get(before)), body.get(at + 1)) {
            (Some(b'\r'), _, Some(b'\n')) => {
                ensure_length(at - start, line)?;
                start = at + 2;
                line += 1;
            }
            (Some(b'\n'), Some(b'\r'), _) => {}
            (Some(0), _, _) => return Err(MessageError::Nul { line }),
            _ => return Err(MessageError::BareLineEnd { line }),
        }
    }
    ensure_length(body.len().saturating_sub(start), line)
}

fn ensure_length(octets: usize, line: usize) -> Result<(), MessageError> {
    if octets > LINE_OCTETS_MAX {
        return Err(MessageError::LineTooLong { line, limit: LINE_OCTETS_MAX });
    }
    Ok(())
}

/// Turns every CR, LF and CRLF into CRLF. For text that came over HTTP, where bare LF is normal; never for SMTP input,
/// where it is an attack.
#[must_use]
pub fn canonical_crlf(text: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', text) {
        let first = text.get(at..at + 2) == Some(b"\r\n");
        let second = at.checked_sub(1).is_some_and(|before| text.get(before..=at) == Some(b"\r\n"));
        if first || second {
            continue;
        }
        let out = out.get_or_insert_with(|| Vec::with_capacity(text.len() + text.len() / 32 + 2));
        out.extend_from_slice(text.get(copied..at).unwrap_or_default());
        out.extend_from_slice(b"\r\n");
        copied = at + 1;
    }
    match out {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.extend_from_slice(text.get(copied..).unwrap_or_default());
            Cow::Owned(out)
        }
    }
}
