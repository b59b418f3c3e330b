//! A message with octets above 127, written anew for a peer that takes none: the transfer encoding of its parts
//! changes, and nothing else.
//!
//! Each part with such octets becomes quoted-printable or base64, at any depth; what a reader decodes is what it was,
//! octet for octet. Whoever signs does so afterwards: the signature is over what leaves.
//! Invariants: the result is US-ASCII; parts that are US-ASCII, preambles and epilogues stay as they are; no line above
//! 998 octets; depth, parts and time are bounded.
//! Never: a change within what is signed, encrypted or forwarded; a guess about a boundary or a transfer encoding that
//! two readers could read differently; a value of the message in an error.
//! Standards: RFC 6152 §3, RFC 2045 §6, RFC 2046 §5, RFC 1847 §2.1, RFC 6532 §3.7 (`message/global`).

use std::ops::Range;

use crate::footer::parameters::Structured;
use crate::footer::transfer::Transfer;
use crate::footer::tree::split;
use crate::footer::{DEPTH_MAX, PARTS_MAX, Unfit};
use crate::header::{BLOCK_OCTETS_MAX, FIELDS_MAX, HeaderBlock, Limits};

#[cfg(test)]
mod tests;

/// A boundary is of 70 octets at most (RFC 2046 §5.1.1).
const BOUNDARY_OCTETS_MAX: usize = 70;
/// What a header block may grow by: MIME-Version, Content-Transfer-Encoding.
const ADDED_FIELDS: usize = 2;
const ADDED_OCTETS: usize = 128;

/// Why a message cannot be written in seven bits. The text never holds a value of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unaltered {
    /// `multipart/signed`, `multipart/encrypted` or S/MIME: the octets are what was signed.
    #[error("a part with 8-bit content is signed or encrypted")]
    Sealed,
    /// `message/rfc822` and its like, which must not be encoded (RFC 2046 §5.2.1).
    #[error("a forwarded message or a report has 8-bit content")]
    Forwarded,
    /// Fields with octets above 127: they need SMTPUTF8 (RFC 6531), and no transfer encoding is for them.
    #[error("header fields have 8-bit content")]
    Fields,
    /// The structure can be read in two ways or not at all, or octets above 127 stand between parts.
    #[error("the MIME structure is not well-formed")]
    Malformed,
    /// The transfer encoding is unknown, or the content does not follow it.
    #[error("the transfer encoding of a part is unknown, or the content does not follow it")]
    TransferEncoding,
    /// More than 8 multiparts within each other, or more than 200 parts.
    #[error("the message has more than {DEPTH_MAX} levels of multiparts or more than {PARTS_MAX} parts")]
    TooMuch,
}

impl From<Unfit> for Unaltered {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::TooManyParts | Unfit::TooDeep => Self::TooMuch,
            _ => Self::Malformed,
        }
    }
}

/// A message in seven bits.
#[derive(Clone, PartialEq, Eq)]
pub struct SevenBit {
    /// The new header block with its blank line; `None` where the one that was given still fits.
    pub head: Option<Vec<u8>>,
    /// The new body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for SevenBit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SevenBit").field("body_octets", &self.body.len()).finish_non_exhaustive()
    }
}

/// Writes a message in seven bits. `head` is the header block with its blank line, `body` the body with CRLF line ends.
///
/// Takes time linear in the message for each level of multiparts, of which there are at most 8.
///
/// # Errors
/// [`Unaltered`]: say 5.6.3 (RFC 3463 §3.7: conversion required but not supported).
pub fn seven_bit(head: &[u8], body: &[u8]) -> Result<SevenBit, Unaltered> {
    let block = scan(head)?;
    if !block.body().is_empty() {
        return Err(Unaltered::Malformed);
    }
    let mut walk = Walk { body, parts: 1, depth: 0 };
    let Some(part) = walk.part(&block, 0..body.len(), Untyped::Text)? else {
        return Ok(SevenBit { head: None, body: body.to_vec() });
    };
    let head = fields(&block, part.transfer, Whole::Yes).map(|mut fields| {
        fields.extend_from_slice(b"\r\n");
        fields
    });
    let mut body = part.content;
    if !body.ends_with(b"\r\n") {
        body.extend_from_slice(b"\r\n");
    }
    Ok(SevenBit { head, body })
}

/// What a part without Content-Type is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Untyped {
    /// RFC 2045 §5.2.
    Text,
    /// RFC 2046 §5.1.5: within `multipart/digest`.
    Message,
}

/// Whether fields are those of the message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

/// A part that was written anew.
struct Rewritten {
    /// `None` where its encoding stays.
    transfer: Option<Transfer>,
    content: Vec<u8>,
}

struct Walk<'m> {
    body: &'m [u8],
    parts: usize,
    depth: usize,
}

impl Walk<'_> {
    /// The part with these fields and this content; `None` where it stays as it is.
    fn part(
        &mut self,
        block: &HeaderBlock<'_>,
        content: Range<usize>,
        untyped: Untyped,
    ) -> Result<Option<Rewritten>, Unaltered> {
        if !block.block().is_ascii() {
            return Err(Unaltered::Fields);
        }
        let octets = self.body.get(content.clone()).unwrap_or_default();
        if octets.is_ascii() {
            return Ok(None);
        }
        // RFC 2045 §3: with two of them readers differ about what the content is.
        let doubled = ["Content-Type", "Content-Transfer-Encoding"].iter().any(|name| block.count(name) > 1);
        if doubled {
            return Err(Unaltered::Malformed);
        }
        let transfer = transfer(block)?;
        let media = match block.first("Content-Type") {
            Some(field) => Some(Structured::parse(field.raw_value()).ok_or(Unaltered::Malformed)?),
            None => None,
        };
        let lead = match (&media, untyped) {
            (Some(media), _) => media.lead.as_str(),
            (None, Untyped::Text) => "text/plain",
            (None, Untyped::Message) => "message/rfc822",
        };
        match (lead, &media) {
            ("multipart/signed" | "multipart/encrypted", _) => Err(Unaltered::Sealed),
            ("application/pkcs7-mime" | "application/x-pkcs7-mime", _) => Err(Unaltered::Sealed),
            (lead, Some(media)) if lead.starts_with("multipart/") => self.multipart(media, transfer, content).map(Some),
            // RFC 6532 §3.7, RFC 6533 §4, §5: the types of internationalised mail may be encoded, those before may not.
            (lead, _) if lead.starts_with("message/") && !lead.starts_with("message/global") => {
                Err(Unaltered::Forwarded)
            }
            (lead, _) => leaf(lead.starts_with("text/"), transfer, octets).map(Some),
        }
    }

    fn multipart(
        &mut self,
        media: &Structured,
        transfer: Transfer,
        content: Range<usize>,
    ) -> Result<Rewritten, Unaltered> {
        // RFC 2045 §6.4: a multipart is never encoded itself.
        if !matches!(transfer, Transfer::SevenBit | Transfer::EightBit) {
            return Err(Unaltered::TransferEncoding);
        }
        if self.depth >= DEPTH_MAX {
            return Err(Unaltered::TooMuch);
        }
        let boundary = media.parameter("boundary").ok().flatten().ok_or(Unaltered::Malformed)?.value.clone();
        let visible = boundary.iter().all(|&octet| octet.is_ascii_graphic() || octet == b' ');
        if !visible || boundary.ends_with(b" ") || !(1..=BOUNDARY_OCTETS_MAX).contains(&boundary.len()) {
            return Err(Unaltered::Malformed);
        }
        let untyped = if media.lead == "multipart/digest" { Untyped::Message } else { Untyped::Text };
        let spans = split(self.body, &boundary, content.clone(), &mut self.parts)?;
        let mut out = Vec::with_capacity(content.len() + content.len() / 4);
        let mut copied = content.start;
        self.depth += 1;
        for span in spans {
            let octets = self.body.get(span.clone()).unwrap_or_default();
            let block = scan(octets)?;
            // RFC 2046 §5.1.1: the CRLF before a delimiter line belongs to that line. In a part without content it is
            // the blank line as well.
            let start = span.start + block.body_start();
            let end = span.end.saturating_sub(2).max(start);
            let Some(part) = self.part(&block, start..end, untyped)? else { continue };
            self.between(copied..span.start, &mut out)?;
            out.extend_from_slice(fields(&block, part.transfer, Whole::No).as_deref().unwrap_or(block.block()));
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&part.content);
            out.extend_from_slice(b"\r\n");
            copied = span.end;
        }
        self.depth -= 1;
        self.between(copied..content.end, &mut out)?;
        let transfer = (transfer == Transfer::EightBit).then_some(Transfer::SevenBit);
        Ok(Rewritten { transfer, content: out })
    }

    /// Copies delimiter lines, parts that stay, preamble and epilogue.
    fn between(&self, range: Range<usize>, out: &mut Vec<u8>) -> Result<(), Unaltered> {
        let octets = self.body.get(range).unwrap_or_default();
        if !octets.is_ascii() {
            return Err(Unaltered::Malformed);
        }
        out.extend_from_slice(octets);
        Ok(())
    }
}

/// A part that holds no others.
fn leaf(is_text: bool, transfer: Transfer, octets: &[u8]) -> Result<Rewritten, Unaltered> {
    match transfer {
        Transfer::SevenBit | Transfer::EightBit => {
            let transfer = if is_text { Transfer::shorter_for(octets) } else { Transfer::Base64 };
            Ok(Rewritten { transfer: Some(transfer), content: transfer.written(octets) })
        }
        // Octets that should have been encoded and were not: all readers take them as they are.
        Transfer::QuotedPrintable => {
            let content = transfer.decode(octets).ok_or(Unaltered::TransferEncoding)?;
            Ok(Rewritten { transfer: None, content: transfer.written(&content) })
        }
        // Some readers skip what is no digit, others stop there.
        Transfer::Base64 => Err(Unaltered::TransferEncoding),
    }
}

fn scan(octets: &[u8]) -> Result<HeaderBlock<'_>, Unaltered> {
    let block = HeaderBlock::scan(octets, Limits::INBOUND).map_err(|_| Unaltered::Malformed)?;
    let is_full =
        block.block().len() + ADDED_OCTETS > BLOCK_OCTETS_MAX || block.fields().len() + ADDED_FIELDS > FIELDS_MAX;
    if is_full { Err(Unaltered::Malformed) } else { Ok(block) }
}

fn transfer(block: &HeaderBlock<'_>) -> Result<Transfer, Unaltered> {
    let Some(field) = block.first("Content-Transfer-Encoding") else { return Ok(Transfer::SevenBit) };
    let value = Structured::parse(field.raw_value()).ok_or(Unaltered::TransferEncoding)?;
    Transfer::named(&value.lead).ok_or(Unaltered::TransferEncoding)
}

/// The fields of a part whose encoding has changed, without the blank line; `None` where they stay.
fn fields(block: &HeaderBlock<'_>, transfer: Option<Transfer>, whole: Whole) -> Option<Vec<u8>> {
    let transfer = transfer?;
    let line = format!("Content-Transfer-Encoding: {}\r\n", transfer.name());
    let mut out = Vec::with_capacity(block.block().len() + ADDED_OCTETS);
    for field in block.fields() {
        if field.is("Content-Transfer-Encoding") {
            out.extend_from_slice(line.as_bytes());
        } else if !field.is("Content-Length") {
            // A length of octets that are others now would cut the message for those who believe it.
            out.extend_from_slice(block.block().get(field.range()).unwrap_or_default());
        }
    }
    if whole == Whole::Yes && block.first("MIME-Version").is_none() {
        // RFC 2045 §4: without it nobody has to look at the encoding.
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    if block.first("Content-Transfer-Encoding").is_none() {
        out.extend_from_slice(line.as_bytes());
    }
    Some(out)
}
