//! One text that a footer goes into: decoded once, written with any number of footers.
//!
//! What can fail is done while reading, so that writing cannot fail.
//! Never: a text converted to another charset where the footer can be written in its own.
//! Standards: RFC 2046 §4.1, RFC 2045 §6, HTML (numeric character references).

use std::borrow::Cow;
use std::ops::Range;

use super::charset::Charset;
use super::entity::Entity;
use super::parameters::Structured;
use super::rewrite::{self, Rewritten};
use super::transfer::Transfer;
use super::{TextKind, Unfit, insert};
use crate::header::HeaderBlock;

/// Where a part lies.
#[derive(Clone)]
pub(super) enum Place {
    /// The body is the part; its fields are in the message's header.
    Whole,
    /// In the body, up to the delimiter line after it.
    Within(Range<usize>),
}

/// A text and all that is needed to write it anew.
#[derive(Clone)]
pub(super) struct Slot<'m> {
    pub(super) place: Place,
    pub(super) block: HeaderBlock<'m>,
    pub(super) kind: TextKind,
    /// Decoded.
    content: Cow<'m, [u8]>,
    /// Of `content`.
    charset: Charset,
    label: rewrite::Label,
    transfer: Transfer,
    /// Whether the content came with octets above 127.
    eight_bit: bool,
    insert_at: usize,
    /// Of the multiparts around it.
    boundaries: Vec<Vec<u8>>,
}

/// A text with its footer, in its transfer encoding.
pub(super) struct Written {
    /// The part's fields without the blank line; `None` where they stay as they are.
    pub(super) fields: Option<Vec<u8>>,
    pub(super) content: Vec<u8>,
}

impl<'m> Slot<'m> {
    /// Decodes a text and finds the place for its footer.
    pub(super) fn read(
        entity: Entity<'m>,
        kind: TextKind,
        content_type: Option<&Structured>,
        octets: &'m [u8],
        boundaries: Vec<Vec<u8>>,
    ) -> Result<Self, Unfit> {
        let transfer = entity.transfer()?;
        let mut content = transfer.decode(octets).ok_or(Unfit::TransferEncoding)?;
        let parameter = match content_type {
            Some(value) => value.parameter("charset").map_err(|_| Unfit::Malformed)?,
            None => None,
        };
        // RFC 2046 §4.1.2: without a parameter the charset is US-ASCII.
        let mut charset = match parameter {
            Some(parameter) => Charset::named(&parameter.value).ok_or(Unfit::Charset)?,
            None => Charset::Ascii,
        };
        let mut label = rewrite::Label::kept(parameter.map(|parameter| parameter.range.clone()));
        if !charset.holds_ascii() {
            content = Cow::Owned(charset.to_utf8(&content).ok_or(Unfit::Charset)?.into_owned().into_bytes());
            charset = Charset::Utf8;
            label = label.replaced();
        }
        // A plain text must be convertible, since the footer may need it. HTML can name any character in ASCII.
        if kind == TextKind::Plain && charset != Charset::Utf8 && charset.to_utf8(&content).is_none() {
            return Err(Unfit::Charset);
        }
        if insert::holds_armour(&content, kind) {
            return Err(Unfit::PgpArmour);
        }
        let insert_at = insert::position(&content, kind).ok_or(Unfit::Malformed)?;
        let eight_bit = !octets.is_ascii();
        let Entity { block, place, .. } = entity;
        Ok(Self { place, block, kind, content, charset, label, transfer, eight_bit, insert_at, boundaries })
    }

    /// The text with a footer of CRLF lines.
    pub(super) fn write(&self, footer: &str) -> Written {
        let mut label = self.label.clone();
        let content = match self.kind {
            TextKind::Html if self.charset == Charset::Utf8 => self.with(footer.as_bytes()),
            TextKind::Html => self.with(insert::in_ascii(footer).as_bytes()),
            TextKind::Plain => match self.charset.encode(footer) {
                Some(footer) => self.with(&footer),
                None => {
                    label = label.replaced();
                    // That it can be converted was seen while reading.
                    let text = self.charset.to_utf8(&self.content).unwrap_or_default();
                    insert::splice(text.as_bytes(), text.len(), footer.as_bytes(), self.kind)
                }
            },
        };
        let (transfer, content) = self.transfer.encode(content, self.eight_bit, &self.boundaries);
        let rewritten =
            Rewritten { label: &label, transfer: (transfer != self.transfer).then_some(transfer), place: &self.place };
        Written { fields: rewrite::fields(&self.block, &rewritten), content }
    }

    fn with(&self, footer: &[u8]) -> Vec<u8> {
        insert::splice(&self.content, self.insert_at, footer, self.kind)
    }
}
