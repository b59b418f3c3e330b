//! Composes a message from the parts that the HTTP interface takes.
//!
//! The MIME body is built once; [`Composed::head_for`] gives each recipient a header block of his own. The result is
//! CRLF-canonical, US-ASCII throughout and has no line above 998 octets, whatever the parts held.
//! Never: a Bcc field, a host name, a clock, a random number (boundaries are a hash of the texts), a field that the
//! sender slipped in by a line break in a name, subject or value.
//! Standards: RFC 5322, RFC 2045-2047, RFC 2387 (related), RFC 2183 (disposition), RFC 2231 (file names).

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use mail_builder::headers::{Header, address::Address as BuilderAddress, text::Text};

use crate::address::Address;
use crate::message::{self, FieldError, append_field, canonical_crlf, rfc5322_date};

mod parts;
#[cfg(test)]
mod tests;

/// Most mailboxes in one of To, Cc and Reply-To.
pub const MAILBOXES_MAX: usize = 1000;
/// Longest display name in octets.
pub const NAME_OCTETS_MAX: usize = 512;
/// Longest subject in octets.
pub const SUBJECT_OCTETS_MAX: usize = 4096;
/// Most fields of the sender's own.
pub const CUSTOM_FIELDS_MAX: usize = 100;
/// Longest value of one such field in octets.
pub const CUSTOM_VALUE_OCTETS_MAX: usize = 8192;
/// Most attachments.
pub const ATTACHMENTS_MAX: usize = 100;
/// Longest name, type or content id of an attachment in octets.
pub const ATTACHMENT_LABEL_OCTETS_MAX: usize = 255;

/// A person or organisation that mail comes from or goes to.
#[derive(Clone)]
pub struct Mailbox {
    /// The address.
    pub address: Address,
    /// The name to be shown, any Unicode text of one line.
    pub name: Option<String>,
}

/// A file that goes with the message.
#[derive(Clone, Copy)]
pub struct Attachment<'d> {
    /// File name.
    pub name: &'d str,
    /// `type/subtype`, such as `application/pdf`.
    pub content_type: &'d str,
    /// The file.
    pub content: &'d [u8],
    /// For pictures within the HTML text: the id that `cid:` names, without angle brackets.
    pub content_id: Option<&'d str>,
}

/// A message as the HTTP interface takes it. Recipients are given to [`Composed::head_for`].
#[derive(Clone)]
pub struct Draft<'d> {
    /// From.
    pub from: Mailbox,
    /// Cc, for copies that all recipients share.
    pub cc: Vec<Mailbox>,
    /// Reply-To.
    pub reply_to: Vec<Mailbox>,
    /// Subject: any Unicode text of one line.
    pub subject: &'d str,
    /// Plain text, any line ends.
    pub text: Option<&'d str>,
    /// HTML, any line ends.
    pub html: Option<&'d str>,
    /// Further fields, name and value.
    pub headers: &'d [(String, String)],
    /// Files.
    pub attachments: Vec<Attachment<'d>>,
}

/// Why a draft cannot be composed. The text names the field of the draft or of the header, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// CR, LF, NUL or another control character where one line of text belongs.
    #[error("{field} contains a line break or control character")]
    Control {
        /// `subject`, `from.name`, `headers.X-Order`, …
        field: String,
    },
    /// NUL in a text.
    #[error("{field} contains a NUL character")]
    Nul {
        /// `text` or `html`.
        field: &'static str,
    },
    /// Longer or more than the limit.
    #[error("{field} is longer or has more entries than the limit of {limit}")]
    TooMuch {
        /// Name of the field.
        field: String,
        /// Octets or entries.
        limit: usize,
    },
    /// A custom field that is not the sender's to set.
    #[error("headers.{name} cannot be set: it is written by the platform or has a field of its own in the request")]
    Reserved {
        /// Name of the field.
        name: String,
    },
    /// A custom field given twice.
    #[error("headers.{name} is given more than once")]
    Repeated {
        /// Name of the field.
        name: String,
    },
    /// An attachment's type is not `type/subtype`, or is a multipart type.
    #[error("the type of an attachment must be `type/subtype`, such as application/pdf, and not multipart")]
    ContentType,
    /// An attachment's content id.
    #[error("the content id of an attachment must be printable ASCII without spaces and angle brackets")]
    ContentId,
    /// A recipient is needed.
    #[error("the message has no visible recipient")]
    NoRecipient,
    /// Neither text nor HTML nor an attachment.
    #[error("the message needs text, html or an attachment")]
    NoContent,
    /// A header field.
    #[error("{0}")]
    Field(#[from] FieldError),
    /// What was built is not fit to be sent: a fault of ours.
    #[error("the composed message is not canonical; report this with the parts of the message that caused it")]
    NotCanonical,
}

/// A composed message without the fields that differ from one recipient to the next.
#[derive(Debug, Clone)]
pub struct Composed {
    /// From, Cc, Reply-To, Subject, the sender's fields, MIME-Version and Content-*; without blank line.
    shared: Vec<u8>,
    /// The MIME body, shared by all copies.
    pub body: Bytes,
}

/// Composes a draft.
///
/// # Errors
/// A part that cannot stand in a message; the error names it.
pub fn compose(draft: &Draft<'_>) -> Result<Composed, ComposeError> {
    let mut shared = Vec::with_capacity(SHARED_OCTETS_TYPICAL);
    append_mailboxes("From", "from", std::slice::from_ref(&draft.from), &mut shared)?;
    append_mailboxes("Reply-To", "reply_to", &draft.reply_to, &mut shared)?;
    append_mailboxes("Cc", "cc", &draft.cc, &mut shared)?;
    limit("subject", draft.subject.len(), SUBJECT_OCTETS_MAX)?;
    one_line("subject", draft.subject)?;
    append_text("Subject", draft.subject, &mut shared)?;
    append_custom(draft.headers, &mut shared)?;
    shared.extend_from_slice(b"MIME-Version: 1.0\r\n");
    let mut entity = parts::build(draft, &boundary_stem(draft))?;
    // The top part's own fields belong to the message's header; its content is the body.
    let head_end = memchr::memmem::find(&entity, b"\r\n\r\n").ok_or(ComposeError::NotCanonical)?;
    let body = entity.split_off(head_end + 4);
    shared.extend_from_slice(entity.get(..head_end + 2).unwrap_or_default());
    // RFC 6532 §3.2: outside ASCII are local parts of addresses alone.
    if std::str::from_utf8(&shared).is_err() || !body.is_ascii() || message::ensure_lines_at_most_998(&body).is_err() {
        return Err(ComposeError::NotCanonical);
    }
    Ok(Composed { shared, body: Bytes::from(body) })
}

/// From to Content-Type without long lists.
const SHARED_OCTETS_TYPICAL: usize = 1024;

impl Composed {
    /// The header block, with its blank line, of the copy for `to`. `message_id` is without angle brackets and must be
    /// the copy's own; `date_unix_s` is in seconds since 1970.
    ///
    /// # Errors
    /// No recipient, a name that is not one line, a message id that is none.
    pub fn head_for(&self, to: &[Mailbox], message_id: &str, date_unix_s: u64) -> Result<Vec<u8>, ComposeError> {
        if to.is_empty() {
            return Err(ComposeError::NoRecipient);
        }
        let mut head = Vec::with_capacity(self.shared.len() + 256);
        append_field("Date", &rfc5322_date(date_unix_s), &mut head)?;
        append_field("Message-ID", &message::bracketed_message_id(message_id)?, &mut head)?;
        append_mailboxes("To", "to", to, &mut head)?;
        head.extend_from_slice(&self.shared);
        head.extend_from_slice(b"\r\n");
        Ok(head)
    }
}

fn append_mailboxes(name: &str, field: &str, mailboxes: &[Mailbox], out: &mut Vec<u8>) -> Result<(), ComposeError> {
    if mailboxes.is_empty() {
        return Ok(());
    }
    limit(field, mailboxes.len(), MAILBOXES_MAX)?;
    let mut list = Vec::with_capacity(mailboxes.len());
    for mailbox in mailboxes {
        let shown = mailbox.name.as_deref().map(str::trim).filter(|shown| !shown.is_empty());
        if let Some(shown) = shown {
            let field = format!("{field}.name");
            limit(&field, shown.len(), NAME_OCTETS_MAX)?;
            one_line(&field, shown)?;
        }
        list.push(BuilderAddress::new_address(shown, mailbox.address.to_wire()));
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    BuilderAddress::new_list(list).write_header(out, name.len() + 2);
    Ok(())
}

/// A field of free text: folded as it is where it is ASCII, as RFC 2047 words where it is not.
fn append_text(name: &str, value: &str, out: &mut Vec<u8>) -> Result<(), ComposeError> {
    if value.is_ascii() {
        return Ok(append_field(name, value, out)?);
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    Text::new(value.trim()).write_header(out, name.len() + 2);
    Ok(())
}

fn append_custom(headers: &[(String, String)], out: &mut Vec<u8>) -> Result<(), ComposeError> {
    limit("headers", headers.len(), CUSTOM_FIELDS_MAX)?;
    for (index, (name, value)) in headers.iter().enumerate() {
        if !crate::header::is_field_name(name.as_bytes()) {
            return Err(FieldError::Name.into());
        }
        if is_reserved(name) {
            return Err(ComposeError::Reserved { name: name.clone() });
        }
        if headers.iter().take(index).any(|(earlier, _)| earlier.eq_ignore_ascii_case(name)) {
            return Err(ComposeError::Repeated { name: name.clone() });
        }
        let field = format!("headers.{name}");
        limit(&field, value.len(), CUSTOM_VALUE_OCTETS_MAX)?;
        one_line(&field, value)?;
        append_text(name, value, out)?;
    }
    Ok(())
}

/// Fields with a place of their own in a draft, or written by us, or claims that only a receiving host may make.
const RESERVED: [&str; 15] = [
    "From",
    "To",
    "Cc",
    "Bcc",
    "Subject",
    "Date",
    "Message-ID",
    "Sender",
    "Reply-To",
    "DKIM-Signature",
    "DomainKey-Signature",
    "Received",
    "Return-Path",
    "MIME-Version",
    "Authentication-Results",
];
const RESERVED_PREFIXES: [&str; 4] = ["Content-", "X-Postern-", "Resent-", "ARC-"];

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
}

/// No CR, LF, NUL or other control character, also not those of Unicode that end lines.
fn one_line(field: &str, value: &str) -> Result<(), ComposeError> {
    let breaks = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
    if value.chars().any(breaks) {
        return Err(ComposeError::Control { field: field.to_owned() });
    }
    Ok(())
}

fn limit(field: &str, amount: usize, limit: usize) -> Result<(), ComposeError> {
    if amount > limit {
        return Err(ComposeError::TooMuch { field: field.to_owned(), limit });
    }
    Ok(())
}

/// A boundary that no part contains. Base64 and quoted-printable cannot contain its underscore followed by these many
/// hexadecimal digits of a hash over the texts; a text sent as it is would have to contain its own hash.
fn boundary_stem(draft: &Draft<'_>) -> String {
    use std::fmt::Write;
    let mut context = Context::new(&SHA256);
    for text in [draft.text, draft.html].into_iter().flatten() {
        context.update(&canonical_crlf(text.as_bytes()));
        context.update(b"\0");
    }
    let mut stem = String::from("pst_");
    for octet in context.finish().as_ref().iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(stem, "{octet:02x}");
    }
    stem
}
