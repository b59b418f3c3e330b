//! Reports that come back by mail: bounces, delays, complaints, answers of machines; and what a refusal means.
//!
//! [`read`] takes any message and says what it is. [`classify`] is the one table by which refusals are judged, whether
//! they came as an SMTP reply or in a report.
//! Invariants: pure; whatever comes in, work and memory are bounded by [`OCTETS_MAX`] and the limits of `mime`; an
//! answer of a machine is never a bounce; what is not understood is [`Report::Other`], never a guess.
//! Never: a decision about a person (a report proves nothing; who may believe it is for the caller to say), a text of
//! a report in a `Debug`.
//! Standards: RFC 3462/6522 (multipart/report), 3464, 6533 (DSN), 5965, 6591 (ARF), 9477 (CFBL), 3834 (automatic
//! answers), 8098 (MDN).

mod arf;
mod auto;
pub mod classify;
mod dsn;
mod mime;
#[cfg(test)]
mod tests;
mod text;
mod tlsrpt;
pub mod write;

pub use arf::{Complaint, FeedbackType};
pub use tlsrpt::{ATTACHMENT_OCTETS_MAX, Attachment, Packing, tls_report};

use crate::reply::EnhancedCode;
use std::fmt;

/// So much of a message is looked at: what a report says stands at its beginning, the returned message behind it.
pub const OCTETS_MAX: usize = 1024 * 1024;
/// Longest text of a refusal that is kept, in octets.
pub const TEXT_OCTETS_MAX: usize = 2_000;
/// Recipients of one report that are looked at.
const RECIPIENTS_MAX: usize = 64;

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A report about delivery.
    Delivery(DeliveryReport),
    /// Somebody complains, or a mailbox provider tells that he does.
    Complaint(Box<Complaint>),
    /// An answer of a machine: a vacation notice, a receipt that it was read.
    Automatic,
    /// Anything else.
    Other,
}

/// How the sender of a message was named in its envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// `<>`: RFC 5321 §4.5.5 wants it of reports.
    Null,
    /// Anything else.
    Named,
}

/// A report about delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Which form it has: `rfc3464`, or the id of a row of `text`.
    pub form: &'static str,
    /// RFC 3464 §2.2.1.
    pub envelope_id: Option<String>,
    /// What is said of each recipient.
    pub fates: Vec<Fate>,
}

/// RFC 3464 §2.3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It went on to a system that sends no reports.
    Relayed,
    /// To the members of a list.
    Expanded,
    /// It arrived.
    Delivered,
    /// Not yet; it is tried again.
    Delayed,
    /// Never.
    Failed,
}

/// What a report says of one recipient.
#[derive(Clone, PartialEq, Eq)]
pub struct Fate {
    /// What became of it.
    pub action: Action,
    /// The most telling enhanced code.
    pub status: Option<EnhancedCode>,
    /// The SMTP code, where one is named.
    pub code: Option<u16>,
    /// Who it was for in the end, as the reporting system names him. Personal data.
    pub recipient: Option<String>,
    /// What the refusing system said, at most [`TEXT_OCTETS_MAX`]. Personal data.
    pub text: String,
}

impl fmt::Debug for Fate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Fate")
            .field("action", &self.action)
            .field("status", &self.status)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

impl Fate {
    /// As the table wants it.
    #[must_use]
    pub fn answer(&self) -> classify::Answer<'_> {
        let stage = classify::Stage::Report;
        classify::Answer { stage, code: self.code.unwrap_or_default(), enhanced: self.status, text: &self.text }
    }
}

/// What a message is. `message`: CRLF-canonical or not; only its first [`OCTETS_MAX`] are looked at.
#[must_use]
pub fn read(message: &[u8], envelope: Envelope) -> Report {
    let message = message.get(..OCTETS_MAX).unwrap_or(message);
    let mail = mime::Mail::read(message);
    if let Some(complaint) = arf::complaint(&mail) {
        return Report::Complaint(Box::new(complaint));
    }
    if let Some(report) = dsn::report(&mail) {
        return Report::Delivery(report);
    }
    // Before the texts: a vacation notice may quote anything.
    if auto::is_surely_automatic(&mail) {
        return Report::Automatic;
    }
    if let Some(report) = text::report(&mail, envelope) {
        return Report::Delivery(report);
    }
    if auto::is_automatic(&mail) { Report::Automatic } else { Report::Other }
}

/// The subject of any message, unfolded.
#[must_use]
pub fn subject(message: &[u8]) -> Option<String> {
    let (fields, _) = mime::Fields::read(message.get(..OCTETS_MAX).unwrap_or(message));
    fields.get("subject").map(ToOwned::to_owned)
}

/// At most `octets`, cut between characters.
fn cut(text: &str, octets: usize) -> &str {
    let end = (0..=octets.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}

/// The first SMTP code and the first enhanced code of a text. `550-5.1.1`, `#5.1.1` and `(550)` are all found;
/// addresses of the network are not taken for codes, since they have four numbers.
fn codes_in(text: &str) -> (Option<u16>, Option<EnhancedCode>) {
    let (mut code, mut enhanced) = (None, None);
    let separates = |c: char| c.is_whitespace() || "-#()[]<>;:,\"'/=".contains(c);
    for word in text.split(separates) {
        let word = word.trim_end_matches('.');
        let is_code = word.len() == 3 && word.starts_with(['4', '5']) && word.bytes().all(|b| b.is_ascii_digit());
        if code.is_none() && is_code {
            code = word.parse().ok().filter(|code| (400..560).contains(code));
        }
        if enhanced.is_none() {
            enhanced = EnhancedCode::parse(word).filter(|code| code.class != 2);
        }
        if code.is_some() && enhanced.is_some() {
            break;
        }
    }
    (code, enhanced)
}
