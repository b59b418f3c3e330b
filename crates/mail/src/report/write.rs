//! Writes a delivery status notification about one recipient.
//!
//! Invariants: three parts in their order: a text for people, the fields for machines, and what comes back of the
//! message; no address but the one the report is about, its sender's and its reader's, unless the whole message was
//! asked for; every line ends with CRLF and is at most 998 octets; fields from outside were read strictly before.
//! One that goes to an address outside ASCII is itself internationalised; any other stays readable everywhere, and
//! writes such addresses in ASCII.
//! Never: a word of the receiving system, which may name anybody.
//! Standards: RFC 3461 §6, RFC 6522 (multipart/report; RFC 3462 before), RFC 3464 §2, RFC 3834 §5 (Auto-Submitted),
//! RFC 6533 §3 to §5 (addresses outside ASCII).

use std::fmt::Write as _;

use crate::address::{Address, Domain, Repertoire};
use crate::dsn::{INTERNATIONAL, OriginalRecipient, in_ascii};
use crate::header::{HeaderBlock, Limits};
use crate::message::{FieldError, append_field, append_international_field, rfc5322_date};

#[cfg(test)]
mod tests;

/// Fields of the message that name people the report is not about, or hosts on the way.
const LEFT_OUT: [&str; 12] = [
    "To",
    "Cc",
    "Bcc",
    "Sender",
    "Reply-To",
    "Received",
    "Resent-To",
    "Resent-Cc",
    "Resent-Bcc",
    "Resent-From",
    "Resent-Sender",
    "Delivered-To",
];

/// RFC 3464 §2.3.3: what has become of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It will not be delivered.
    Failed,
    /// It is tried further.
    Delayed,
    /// It went to a system that reports nothing.
    Relayed,
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::Failed => "Undelivered mail",
            Self::Delayed => "Delayed mail",
            Self::Relayed => "Relayed mail",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Failed => "Your message could not be delivered to this recipient, and will not be tried again:",
            Self::Delayed => {
                "Your message could not be delivered to this recipient yet. It is tried further; you need not do \
                 anything:"
            }
            Self::Relayed => {
                "Your message was handed over to the recipient's mail system. That system does not report whether it \
                 reaches the mailbox:"
            }
        }
    }
}

/// What comes back of the message (RFC 3461 §4.3). The header block ends with its blank line.
#[derive(Clone, Copy)]
pub enum Returned<'a> {
    /// Its header block, without the fields that name others.
    Headers(&'a [u8]),
    /// Header block and body, as they are.
    Full(&'a [u8], &'a [u8]),
}

/// Everything a notification says.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// What has become of it.
    pub action: Action,
    /// Who reports (RFC 3464 §2.2.2).
    pub reporting: &'a Domain,
    /// Who sends the notification.
    pub from: &'a Address,
    /// Who gets it.
    pub to: &'a Address,
    /// Its Message-ID without angle brackets.
    pub message_id: &'a str,
    /// When it is written, seconds since 1970.
    pub unix_s: u64,
    /// The client's own name for the transaction, decoded (RFC 3464 §2.2.1).
    pub envelope_id: Option<&'a str>,
    /// When the message was taken in, seconds since 1970 (RFC 3464 §2.2.5).
    pub arrived_unix_s: u64,
    /// As the first sender named the recipient (RFC 3464 §2.3.1).
    pub original: Option<&'a OriginalRecipient>,
    /// The recipient (RFC 3464 §2.3.2).
    pub recipient: &'a Address,
    /// The enhanced code (RFC 3463), such as `5.1.1`.
    pub status: &'a str,
    /// The receiving system's code, where it gave one (RFC 3464 §2.3.6).
    pub code: Option<u16>,
    /// When it is given up, seconds since 1970 (RFC 3464 §2.3.9).
    pub until_unix_s: Option<u64>,
    /// What comes back.
    pub returned: Returned<'a>,
}

/// A notification, ready to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The header block with its blank line.
    pub head: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
}

/// Writes the notification.
///
/// # Errors
/// A value that cannot stand in a field.
pub fn write(report: &Report<'_>) -> Result<Written, FieldError> {
    let (kind, returned) = returned(report.returned);
    let text = text(report);
    let status = status(report)?;
    let boundary = boundary(report.message_id, &[text.as_bytes(), &status, &returned]);
    let encoding = |octets: &[u8]| if octets.is_ascii() { "7bit" } else { "8bit" };
    let whole = [text.as_bytes(), &status, &returned].map(encoding).into_iter().max().unwrap_or_default();
    let mut head = Vec::with_capacity(1024);
    append_field("Date", &rfc5322_date(report.unix_s), &mut head)?;
    append_field("From", &format!("Mail delivery <{}>", report.from.to_wire()), &mut head)?;
    append_international_field("To", &format!("<{}>", report.to.to_wire()), &mut head)?;
    append_field("Message-ID", &format!("<{}>", report.message_id), &mut head)?;
    append_field("Subject", report.action.subject(), &mut head)?;
    append_field("Auto-Submitted", "auto-replied", &mut head)?;
    append_field("MIME-Version", "1.0", &mut head)?;
    let content_type = format!("multipart/report; report-type=delivery-status; boundary=\"{boundary}\"");
    append_field("Content-Type", &content_type, &mut head)?;
    append_field("Content-Transfer-Encoding", whole, &mut head)?;
    head.extend_from_slice(b"\r\n");
    let mut body = Vec::with_capacity(text.len() + status.len() + returned.len() + 512);
    let mut part = |content_type: &str, content: &[u8]| {
        let encoding = encoding(content);
        let fields =
            format!("--{boundary}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
        body.extend_from_slice(fields.as_bytes());
        body.extend_from_slice(content);
        if !content.ends_with(b"\r\n") {
            body.extend_from_slice(b"\r\n");
        }
    };
    part(if text.is_ascii() { "text/plain; charset=us-ascii" } else { "text/plain; charset=utf-8" }, text.as_bytes());
    // RFC 6533 §4: in UTF-8 only for a reader whose own address is.
    let is_global = report.to.repertoire() == Repertoire::Utf8;
    part(if is_global { "message/global-delivery-status" } else { "message/delivery-status" }, &status);
    part(kind, &returned);
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(Written { head, body })
}

fn text(report: &Report<'_>) -> String {
    let mut text = format!(
        "This is the mail system at {}.\r\n\r\n{}\r\n\r\n    {}\r\n\r\nStatus: {}\r\n",
        report.reporting,
        report.action.sentence(),
        report.recipient.to_wire(),
        report.status,
    );
    // Writing into a String cannot fail.
    if let Some(id) = report.envelope_id {
        let _ = write!(text, "Your reference: {id}\r\n");
    }
    if let Some(until) = report.until_unix_s {
        let _ = write!(text, "It is tried until: {}\r\n", rfc5322_date(until));
    }
    text
}

/// RFC 3464 §2.1: the fields about the message, a blank line, the fields about the recipient.
fn status(report: &Report<'_>) -> Result<Vec<u8>, FieldError> {
    let mut out = Vec::with_capacity(512);
    if let Some(id) = report.envelope_id {
        append_field("Original-Envelope-Id", id, &mut out)?;
    }
    append_field("Reporting-MTA", &format!("dns; {}", report.reporting), &mut out)?;
    append_field("Arrival-Date", &rfc5322_date(report.arrived_unix_s), &mut out)?;
    out.extend_from_slice(b"\r\n");
    // RFC 6533 §3: the form of ASCII wherever the report is not in UTF-8 itself.
    let typed = |kind: &str, address: &str| match (kind, report.to.repertoire()) {
        (INTERNATIONAL, Repertoire::Ascii) => format!("{kind}; {}", in_ascii(address)),
        _ => format!("{kind}; {address}"),
    };
    if let Some(original) = report.original {
        let (kind, address) = original.parts();
        // An address outside ASCII of a type that has none: the final recipient says enough.
        if address.is_ascii() || kind == INTERNATIONAL {
            append_international_field("Original-Recipient", &typed(kind, &address), &mut out)?;
        }
    }
    let kind = if report.recipient.repertoire() == Repertoire::Ascii { "rfc822" } else { INTERNATIONAL };
    append_international_field("Final-Recipient", &typed(kind, &report.recipient.to_wire()), &mut out)?;
    append_field("Action", report.action.word(), &mut out)?;
    append_field("Status", report.status, &mut out)?;
    if let Some(code) = report.code {
        append_field("Diagnostic-Code", &format!("smtp; {code} {}", report.status), &mut out)?;
    }
    if let Some(until) = report.until_unix_s {
        append_field("Will-Retry-Until", &rfc5322_date(until), &mut out)?;
    }
    Ok(out)
}

fn returned(what: Returned<'_>) -> (&'static str, Vec<u8>) {
    match what {
        // RFC 6532 §3.7, RFC 6533 §5: header fields outside ASCII have types of their own.
        Returned::Full(head, body) => {
            let kind = if head.is_ascii() { "message/rfc822" } else { "message/global" };
            (kind, [head, body].concat())
        }
        Returned::Headers(head) => {
            let mut kept = Vec::with_capacity(head.len());
            if let Ok(block) = HeaderBlock::scan(head, Limits::INBOUND) {
                let others = |name: &str| LEFT_OUT.iter().any(|left| left.eq_ignore_ascii_case(name));
                for field in block.fields() {
                    let is_left_out = std::str::from_utf8(field.name()).map_or(true, others);
                    let octets = head.get(field.range()).unwrap_or_default();
                    if !is_left_out {
                        kept.extend_from_slice(octets);
                    }
                }
            }
            (if kept.is_ascii() { "text/rfc822-headers" } else { "message/global-headers" }, kept)
        }
    }
}

/// RFC 2046 §5.1.1: a line that occurs in no part.
fn boundary(message_id: &str, parts: &[&[u8]]) -> String {
    let token: String = message_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let mut number = 0_u32;
    loop {
        let boundary = format!("=_report_{token}_{number}");
        if !parts.iter().any(|part| memchr::memmem::find(part, boundary.as_bytes()).is_some()) {
            return boundary;
        }
        number = number.wrapping_add(1);
    }
}
