//! Charsets of texts: which are known, and what can be written in them as it is.
//!
//! `encoding_rs` reads labels as browsers do, where `us-ascii` and `iso-8859-1` stand for windows-1252. For writing
//! that is too generous: what a mail program of the letter would not show is not written.
//! Standards: RFC 2046 §4.1.2, WHATWG Encoding, RFC 2781 §4 (no UTF-16 in mail).

use std::borrow::Cow;

use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};

/// A charset that a footer can be written in, or that can be turned into UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    /// US-ASCII, declared or not.
    Ascii,
    /// UTF-8.
    Utf8,
    /// ISO 8859-1, which `encoding_rs` reads as windows-1252.
    Latin1(&'static Encoding),
    /// Another one under its own name, so that what `encoding_rs` writes is what the name says.
    Exact(&'static Encoding),
    /// Another one under a name that may mean less than what `encoding_rs` writes.
    Like(&'static Encoding),
}

impl Charset {
    /// The charset of that name; `None` where it is unknown or has no place in mail.
    pub(crate) fn named(label: &[u8]) -> Option<Self> {
        let label = label.trim_ascii().to_ascii_lowercase();
        match label.as_slice() {
            b"us-ascii" | b"ascii" | b"ansi_x3.4-1968" => return Some(Self::Ascii),
            _ => {}
        }
        let encoding = Encoding::for_label(&label)?;
        // RFC 2781 §4: UTF-16 is no charset of text in mail; the replacement encoding is none at all.
        if [UTF_16BE, UTF_16LE, REPLACEMENT].contains(&encoding) {
            return None;
        }
        Some(match label.as_slice() {
            _ if encoding == UTF_8 => Self::Utf8,
            b"iso-8859-1" | b"latin1" => Self::Latin1(encoding),
            label if encoding.name().as_bytes().eq_ignore_ascii_case(label) => Self::Exact(encoding),
            _ => Self::Like(encoding),
        })
    }

    /// Whether octets below 128 mean ASCII wherever a character begins, so that ASCII can be put in between.
    pub(crate) fn holds_ascii(self) -> bool {
        match self {
            Self::Ascii | Self::Utf8 => true,
            Self::Latin1(encoding) | Self::Exact(encoding) | Self::Like(encoding) => encoding.is_ascii_compatible(),
        }
    }

    /// The text in this charset; `None` where it has no characters for it.
    pub(crate) fn encode(self, text: &str) -> Option<Cow<'_, [u8]>> {
        if text.is_ascii() && self.holds_ascii() {
            return Some(Cow::Borrowed(text.as_bytes()));
        }
        match self {
            Self::Utf8 => Some(Cow::Borrowed(text.as_bytes())),
            Self::Exact(encoding) if encoding.is_ascii_compatible() => {
                let (octets, _, unmappable) = encoding.encode(text);
                (!unmappable).then_some(octets)
            }
            // The first 256 characters of Unicode are those of ISO 8859-1.
            Self::Latin1(_) => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
            Self::Exact(_) | Self::Ascii | Self::Like(_) => None,
        }
    }

    /// Octets of this charset as UTF-8; `None` where they are not in it.
    pub(crate) fn to_utf8(self, octets: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Ascii => octets.is_ascii().then(|| String::from_utf8_lossy(octets)),
            Self::Utf8 => std::str::from_utf8(octets).ok().map(Cow::Borrowed),
            Self::Latin1(encoding) | Self::Exact(encoding) | Self::Like(encoding) => {
                encoding.decode_without_bom_handling_and_without_replacement(octets)
            }
        }
    }
}
