//! One part of a message: its header, its content, and what it is to a reader.
//!
//! Never: a part that could be text for one reader and a file for another.
//! Standards: RFC 2045 §5, §6, RFC 2046 §5, RFC 2183 §2, RFC 1847, RFC 8551 §3.

use std::ops::Range;

use super::parameters::Structured;
use super::slot::Place;
use super::transfer::Transfer;
use super::{TextKind, Unfit};
use crate::header::{Field, HeaderBlock, Limits};

/// A boundary is of 70 octets at most (RFC 2046 §5.1.1).
const BOUNDARY_OCTETS_MAX: usize = 70;
/// Room to rewrite a charset within a line of 998 octets.
const TYPE_LINE_OCTETS_MAX: usize = 900;

/// What a part is.
pub(super) enum Kind {
    /// Text that a reader is shown, with its Content-Type if it has one.
    Text(TextKind, Option<Structured>),
    /// Parts of any kind, shown one after the other (RFC 2046 §5.1.3; §5.1.7 for types that nobody knows).
    Mixed(Inner),
    /// Versions of the same, of which a reader is shown one (RFC 2046 §5.1.4).
    Alternative(Inner),
    /// Files, forwarded messages, reports: nothing that a footer goes into or looks into.
    Other,
}

/// The inside of a multipart.
pub(super) struct Inner {
    pub(super) boundary: Vec<u8>,
    /// What a part without Content-Type is.
    pub(super) untyped: Untyped,
    /// RFC 2387 §3.2: the Content-ID of the root.
    pub(super) root: Option<Vec<u8>>,
}

/// What a part without Content-Type is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Untyped {
    /// RFC 2045 §5.2.
    Text,
    /// RFC 2046 §5.1.5: within `multipart/digest`.
    Message,
}

/// A part.
pub(super) struct Entity<'m> {
    pub(super) block: HeaderBlock<'m>,
    pub(super) content: Range<usize>,
    pub(super) place: Place,
}

impl<'m> Entity<'m> {
    /// The part that lies at `span` of the body, up to its delimiter line and with the CRLF before it.
    pub(super) fn read(body: &'m [u8], span: Range<usize>) -> Result<Self, Unfit> {
        let octets = body.get(span.clone()).unwrap_or_default();
        let block = HeaderBlock::scan(octets, Limits::INBOUND).map_err(|_| Unfit::Malformed)?;
        // RFC 2046 §5.1.1: the CRLF before a delimiter line belongs to that line. In a part without content it is the
        // blank line as well.
        let start = span.start + block.body_start();
        let end = span.end.saturating_sub(2).max(start);
        Ok(Self { block, content: start..end, place: Place::Within(span) })
    }

    /// The transfer encoding.
    pub(super) fn transfer(&self) -> Result<Transfer, Unfit> {
        let Some(field) = self.block.first("Content-Transfer-Encoding") else { return Ok(Transfer::SevenBit) };
        let value = Structured::parse(field.raw_value()).ok_or(Unfit::TransferEncoding)?;
        Transfer::named(&value.lead).ok_or(Unfit::TransferEncoding)
    }

    /// What the part is.
    pub(super) fn kind(&self, untyped: Untyped) -> Result<Kind, Unfit> {
        // RFC 2045 §3: each at most once; with two of them one reader is shown a file and the other a text.
        let mime = ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "MIME-Version"];
        if mime.iter().any(|name| self.block.count(name) > 1) {
            return Err(Unfit::Malformed);
        }
        let field = self.block.first("Content-Type");
        let value = field.map(|field| Structured::parse(field.raw_value()));
        if let Some(Some(value)) = &value {
            refuse_sealed(value)?;
        }
        if self.is_file() {
            return Ok(Kind::Other);
        }
        match (field, value) {
            (Some(field), Some(Some(value))) => self.typed(field, value),
            (None, _) if untyped == Untyped::Message => Ok(Kind::Other),
            // RFC 2045 §5.2: plain text in US-ASCII.
            (None, _) => Ok(Kind::Text(TextKind::Plain, None)),
            _ => Err(Unfit::Malformed),
        }
    }

    fn typed(&self, field: &Field<'_>, value: Structured) -> Result<Kind, Unfit> {
        let kind = match value.lead.as_str() {
            "text/plain" => TextKind::Plain,
            "text/html" => TextKind::Html,
            // RFC 6522: what a report says is for machines, and its text is not the sender's.
            "multipart/report" => return Ok(Kind::Other),
            "multipart/alternative" => return Ok(Kind::Alternative(self.inner(&value)?)),
            lead if lead.starts_with("multipart/") => return Ok(Kind::Mixed(self.inner(&value)?)),
            lead if lead.contains('/') => return Ok(Kind::Other),
            _ => return Err(Unfit::Malformed),
        };
        if field.raw_value().split(|&b| b == b'\n').any(|line| line.len() > TYPE_LINE_OCTETS_MAX) {
            return Err(Unfit::Malformed);
        }
        Ok(Kind::Text(kind, Some(value)))
    }

    fn inner(&self, value: &Structured) -> Result<Inner, Unfit> {
        // RFC 2045 §6.4: a multipart is never encoded itself.
        if !matches!(self.transfer()?, Transfer::SevenBit | Transfer::EightBit) {
            return Err(Unfit::TransferEncoding);
        }
        let boundary = value.parameter("boundary").ok().flatten().ok_or(Unfit::Malformed)?.value.clone();
        let visible = boundary.iter().all(|&b| b.is_ascii_graphic() || b == b' ');
        if !visible || boundary.ends_with(b" ") || !(1..=BOUNDARY_OCTETS_MAX).contains(&boundary.len()) {
            return Err(Unfit::Malformed);
        }
        let untyped = if value.lead == "multipart/digest" { Untyped::Message } else { Untyped::Text };
        let root = match value.lead.as_str() {
            "multipart/related" => value.parameter("start").map_err(|_| Unfit::Malformed)?,
            _ => None,
        };
        Ok(Inner { boundary, untyped, root: root.map(|root| root.value.clone()) })
    }

    /// RFC 2183 §2.8: a disposition that nobody knows is an attachment; so is what has a file name, since readers show
    /// it as a file.
    fn is_file(&self) -> bool {
        let Some(field) = self.block.first("Content-Disposition") else { return false };
        let Some(value) = Structured::parse(field.raw_value()) else { return true };
        value.lead != "inline" || !matches!(value.parameter("filename"), Ok(None))
    }
}

/// RFC 1847 §2, RFC 8551 §3: what is signed must not be changed, what is encrypted cannot be.
fn refuse_sealed(value: &Structured) -> Result<(), Unfit> {
    match value.lead.as_str() {
        "multipart/signed" => Err(Unfit::Signed),
        "multipart/encrypted" => Err(Unfit::Encrypted),
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => {
            let signed = match value.parameter("smime-type") {
                Ok(Some(parameter)) => parameter.value.to_ascii_lowercase().starts_with(b"signed"),
                _ => false,
            };
            Err(if signed { Unfit::Signed } else { Unfit::Encrypted })
        }
        _ => Ok(()),
    }
}
