//! Puts a footer into the text of a message at sending time, whoever composed the message.
//!
//! [`plan`] looks at a message as it is accepted and says whether a footer can be placed; [`FooterPlan::apply`] places
//! one, and cannot fail. The footer goes into the first plain and the first HTML text that a reader is shown, and into
//! every version of the text where the message offers several (RFC 2046 §5.1.4).
//! Invariants: octets of all other parts, of preambles and epilogues stay the same; a message of US-ASCII stays one; no
//! line grows beyond 998 octets; no footer can end its own part; depth, parts and time are bounded.
//! Never: a footer in what is signed, encrypted, attached, forwarded or a report; a guess about a charset, a boundary
//! or a transfer encoding that two readers could read differently; a value of the message in an error or in Debug.
//! A DKIM signature that the message brought does not survive a footer: sign afterwards.
//! Standards: RFC 1847, 2045, 2046, 2183, 2387, 8551; RFC 4880 §6.2 (armour).

use std::fmt;

use crate::header::{BLOCK_OCTETS_MAX, FIELDS_MAX, HeaderBlock, Limits};
use crate::message::{canonical_crlf, ensure_lines_at_most_998};

use self::slot::{Place, Slot};

pub(crate) mod charset;
mod entity;
mod insert;
pub(crate) mod parameters;
mod rewrite;
mod slot;
mod swallowed;
#[cfg(test)]
mod tests;
pub(crate) mod transfer;
pub(crate) mod tree;

/// Most multipart levels around a text.
pub const DEPTH_MAX: usize = 8;
/// Most parts of a message, multiparts included.
pub const PARTS_MAX: usize = 200;
/// Longest footer in octets of UTF-8, for each of its forms.
pub const FOOTER_OCTETS_MAX: usize = 16 * 1024;

/// The two kinds of text that a footer goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// `text/plain`
    Plain,
    /// `text/html`
    Html,
}

/// Why no footer can be placed honestly. The text names what the sender can change, never a value of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// `multipart/signed` (RFC 1847) or S/MIME signed data (RFC 8551): a footer would break the signature.
    #[error("the message is signed (multipart/signed or S/MIME), so that no footer can be added")]
    Signed,
    /// `multipart/encrypted` (RFC 1847) or S/MIME enveloped data (RFC 8551).
    #[error("the message is encrypted (multipart/encrypted or S/MIME), so that no footer can be added")]
    Encrypted,
    /// A text with inline PGP armour.
    #[error("the text of the message holds PGP armour, so that no footer can be added")]
    PgpArmour,
    /// No text that a reader is shown: attachments, forwarded messages and reports do not count.
    #[error("the message has no part of type text/plain or text/html that is its text")]
    NoText,
    /// The structure, or the header of a part, can be read in two ways or not at all.
    #[error("the MIME structure of the message is not well-formed: boundaries, part headers or line ends")]
    Malformed,
    /// More than [`DEPTH_MAX`] multiparts within each other.
    #[error("the message has more than {DEPTH_MAX} levels of multiparts")]
    TooDeep,
    /// More than [`PARTS_MAX`] parts.
    #[error("the message has more than {PARTS_MAX} parts")]
    TooManyParts,
    /// The charset is unknown, or the text is not in the charset that it declares (US-ASCII where it declares none).
    #[error("the charset of the text is unknown, or the text is not in the charset that it declares")]
    Charset,
    /// The transfer encoding is unknown, or the content is not in it.
    #[error("the transfer encoding of a part is unknown, or the content does not follow it")]
    TransferEncoding,
}

/// Why a footer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FooterError {
    /// One of the forms has nothing to read.
    #[error("the footer needs a plain and an HTML form")]
    Empty,
    /// One of the forms is too long.
    #[error("the footer is longer than {limit} octets")]
    TooLong {
        /// Octets.
        limit: usize,
    },
    /// NUL or another control character but TAB and line ends.
    #[error("the footer contains a control character")]
    Control,
}

/// A footer in both its forms. The HTML form is a fragment; whoever makes it escapes what he puts in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    plain: String,
    html: String,
}

impl Footer {
    /// A footer, in any line ends.
    ///
    /// # Errors
    /// [`FooterError`]
    pub fn new(plain: &str, html: &str) -> Result<Self, FooterError> {
        Ok(Self { plain: footer_form(plain)?, html: footer_form(html)? })
    }

    fn form(&self, kind: TextKind) -> &str {
        match kind {
            TextKind::Plain => &self.plain,
            TextKind::Html => &self.html,
        }
    }
}

/// One form with CRLF between its lines and none at its ends.
fn footer_form(text: &str) -> Result<String, FooterError> {
    if text.len() > FOOTER_OCTETS_MAX {
        return Err(FooterError::TooLong { limit: FOOTER_OCTETS_MAX });
    }
    if text.trim().is_empty() {
        return Err(FooterError::Empty);
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r' | '\n')) {
        return Err(FooterError::Control);
    }
    let canonical = canonical_crlf(text.trim_matches(['\r', '\n']).as_bytes());
    // Only CR and LF were touched, so it is UTF-8 as before.
    String::from_utf8(canonical.into_owned()).map_err(|_| FooterError::Control)
}

/// Where the footer of one message goes. It borrows the message and serves any number of footers, such as those of the
/// copies of a message.
#[derive(Clone)]
pub struct FooterPlan<'m> {
    body: &'m [u8],
    slots: Vec<Slot<'m>>,
}

impl fmt::Debug for FooterPlan<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<TextKind> = self.slots.iter().map(|slot| slot.kind).collect();
        out.debug_struct("FooterPlan").field("texts", &kinds).finish_non_exhaustive()
    }
}

/// A message with its footer.
#[derive(Clone, PartialEq, Eq)]
pub struct Footed {
    /// The new header block with its blank line; `None` where the one that was given still fits.
    pub head: Option<Vec<u8>>,
    /// The new body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Footed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Footed").field("body_octets", &self.body.len()).finish_non_exhaustive()
    }
}

/// Finds where a footer can go. `head` is the header block with its blank line, `body` the body with CRLF line ends.
///
/// Takes time linear in the message and needs no footer, so that a door can ask before it takes the message.
///
/// # Errors
/// [`Unfit`]
pub fn plan<'m>(head: &'m [u8], body: &'m [u8]) -> Result<FooterPlan<'m>, Unfit> {
    let block = HeaderBlock::scan(head, Limits::INTERNATIONAL).map_err(|_| Unfit::Malformed)?;
    let full =
        block.block().len() + ADDED_OCTETS > BLOCK_OCTETS_MAX || block.fields().len() + ADDED_FIELDS > FIELDS_MAX;
    if full || !block.body().is_empty() || ensure_lines_at_most_998(body).is_err() {
        return Err(Unfit::Malformed);
    }
    let slots = tree::slots(block, body)?;
    if slots.is_empty() {
        return Err(Unfit::NoText);
    }
    Ok(FooterPlan { body, slots })
}

/// What a header block may grow by: MIME-Version, Content-Type, Content-Transfer-Encoding.
const ADDED_FIELDS: usize = 3;
const ADDED_OCTETS: usize = 256;

impl FooterPlan<'_> {
    /// The kinds of the texts that the footer goes into, in the order of the message.
    pub fn kinds(&self) -> impl Iterator<Item = TextKind> {
        self.slots.iter().map(|slot| slot.kind)
    }

    /// The message with the footer.
    #[must_use]
    pub fn apply(&self, footer: &Footer) -> Footed {
        let mut head = None;
        let mut body = Vec::with_capacity(self.body.len() + FOOTER_OCTETS_MAX);
        let mut copied = 0;
        for slot in &self.slots {
            let written = slot.write(footer.form(slot.kind));
            match &slot.place {
                Place::Whole => {
                    head = written.fields.map(|fields| [&fields[..], b"\r\n"].concat());
                    body.extend_from_slice(&written.content);
                    copied = self.body.len();
                }
                Place::Within(span) => {
                    body.extend_from_slice(self.body.get(copied..span.start).unwrap_or_default());
                    body.extend_from_slice(written.fields.as_deref().unwrap_or(slot.block.block()));
                    body.extend_from_slice(b"\r\n");
                    body.extend_from_slice(&written.content);
                    copied = span.end;
                }
            }
            // RFC 2046 §5.1.1: the CRLF before a delimiter line belongs to that line.
            if matches!(slot.place, Place::Within(_)) || !body.ends_with(b"\r\n") {
                body.extend_from_slice(b"\r\n");
            }
        }
        body.extend_from_slice(self.body.get(copied..).unwrap_or_default());
        Footed { head, body }
    }
}
