//! Transfer encodings of texts.
//!
//! Invariants: what is written has lines of 76 octets in quoted-printable and base64, of 998 otherwise, is US-ASCII if
//! it was, and has no line that a multipart around it could take for its delimiter.
//! Never: content repaired that does not follow its encoding.
//! Standards: RFC 2045 §6.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;

use crate::header::LINE_OCTETS_MAX;
use crate::message::ensure_lines_at_most_998;

/// RFC 2045 §6.7, §6.8.
const ENCODED_LINE_OCTETS: usize = 76;

/// A transfer encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// `7bit`, also where there is no field.
    SevenBit,
    /// `8bit`, and `binary`, whose lines are as short here.
    EightBit,
    /// `quoted-printable`
    QuotedPrintable,
    /// `base64`
    Base64,
}

impl Transfer {
    /// The encoding of that name in lower case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "7bit" => Self::SevenBit,
            "8bit" | "binary" => Self::EightBit,
            "quoted-printable" => Self::QuotedPrintable,
            "base64" => Self::Base64,
            _ => return None,
        })
    }

    /// The name for the field.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }

    /// The content without its encoding; `None` where it does not follow it.
    pub(crate) fn decode(self, octets: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::SevenBit | Self::EightBit => Some(Cow::Borrowed(octets)),
            Self::QuotedPrintable => from_quoted_printable(octets).map(Cow::Owned),
            Self::Base64 => {
                let digits: Vec<u8> = octets.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
                STANDARD.decode(digits).ok().map(Cow::Owned)
            }
        }
    }

    /// Writes content that came in this encoding, in the same one if it can be. `eight_bit` says whether it came with
    /// octets above 127; `boundaries` are those of the multiparts around it.
    pub(crate) fn encode(self, content: Vec<u8>, eight_bit: bool, boundaries: &[Vec<u8>]) -> (Self, Vec<u8>) {
        match self {
            Self::QuotedPrintable | Self::Base64 => (self, self.written(&content)),
            Self::SevenBit | Self::EightBit => {
                // RFC 6152: a message that needed no 8BITMIME shall not need it now.
                let allowed = content.is_ascii() || (self == Self::EightBit && eight_bit);
                if allowed && ensure_lines_at_most_998(&content).is_ok() && !holds_delimiter(&content, boundaries) {
                    return (self, content);
                }
                let shorter = Self::shorter_for(&content);
                (shorter, shorter.written(&content))
            }
        }
    }

    /// Which of the two encodings of US-ASCII takes less room for a text.
    pub(crate) fn shorter_for(content: &[u8]) -> Self {
        let foreign = content.iter().filter(|octet| !octet.is_ascii()).count();
        // Three octets for one in quoted-printable, four for three in base64.
        if foreign * 4 > content.len() { Self::Base64 } else { Self::QuotedPrintable }
    }

    /// Content in this encoding. As it is in those that change nothing.
    pub(crate) fn written(self, content: &[u8]) -> Vec<u8> {
        match self {
            Self::QuotedPrintable => to_quoted_printable(content),
            Self::Base64 => to_base64(content),
            Self::SevenBit | Self::EightBit => content.to_vec(),
        }
    }
}

/// Whether a line begins like a delimiter line of one of the boundaries (RFC 2046 §5.1.1: the rest does not matter).
fn holds_delimiter(content: &[u8], boundaries: &[Vec<u8>]) -> bool {
    boundaries.iter().any(|boundary| {
        let delimiter = [b"--", &boundary[..]].concat();
        memmem::find_iter(content, &delimiter)
            .any(|at| at == 0 || content.get(..at).is_some_and(|before| before.ends_with(b"\n")))
    })
}

fn to_base64(content: &[u8]) -> Vec<u8> {
    let digits = STANDARD.encode(content);
    let mut out = Vec::with_capacity(digits.len() / ENCODED_LINE_OCTETS * 78 + 78);
    for line in digits.as_bytes().chunks(ENCODED_LINE_OCTETS) {
        if !out.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(line);
    }
    out
}

/// RFC 2045 §6.7. Octets above 127 that should have been encoded are taken as they are, as all readers do.
fn from_quoted_printable(octets: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while !rest.is_empty() {
        let (line, hard) = match memchr::memchr(b'\n', rest) {
            Some(lf) => (rest.get(..lf.saturating_sub(1))?, true),
            None => (rest, false),
        };
        rest = rest.get(line.len() + 2..).unwrap_or_default();
        // RFC 2045 §6.7 (3): white space at the end of a line was added on the way.
        let end = line.iter().rposition(|b| !matches!(b, b' ' | b'\t')).map_or(0, |last| last + 1);
        let line = line.get(..end)?;
        let (line, soft) = line.strip_suffix(b"=").map_or((line, false), |line| (line, true));
        decode_line(line, &mut out)?;
        if hard && !soft {
            out.extend_from_slice(b"\r\n");
        }
    }
    Some(out)
}

fn decode_line(line: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut octets = line.iter().copied();
    while let Some(octet) = octets.next() {
        if octet == b'=' {
            let mut digit = || octets.next().and_then(|digit| char::from(digit).to_digit(16));
            let value = digit()? * 16 + digit()?;
            out.push(u8::try_from(value).ok()?);
        } else {
            out.push(octet);
        }
    }
    Some(())
}

/// RFC 2045 §6.7, with CRLF as line ends of the text and anything else of CR and LF as octets.
fn to_quoted_printable(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + content.len() / 8 + ENCODED_LINE_OCTETS);
    let mut column = 0;
    let mut at = 0;
    while let Some(&octet) = content.get(at) {
        let next = content.get(at + 1).copied();
        if octet == b'\r' && next == Some(b'\n') {
            out.extend_from_slice(b"\r\n");
            column = 0;
            at += 2;
            continue;
        }
        let ends_line = next.is_none() || content.get(at + 1..at + 3) == Some(b"\r\n");
        let width = if is_literal(octet, ends_line) { 1 } else { 3 };
        // Room for the `=` of a soft line break, unless the line ends here anyway.
        if column + width > ENCODED_LINE_OCTETS - usize::from(!ends_line) {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        // RFC 2046 §5.1.1: no line of ours begins like a delimiter line.
        if width == 1 && !(column == 0 && octet == b'-') {
            out.push(octet);
            column += 1;
        } else {
            out.extend_from_slice(&escaped(octet));
            column += 3;
        }
        at += 1;
    }
    out
}

fn is_literal(octet: u8, ends_line: bool) -> bool {
    match octet {
        b'=' => false,
        b' ' | b'\t' => !ends_line,
        _ => octet.is_ascii_graphic(),
    }
}

fn escaped(octet: u8) -> [u8; 3] {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'A' + value - 10 };
    [b'=', digit(octet >> 4), digit(octet & 15)]
}

const _: () = assert!(ENCODED_LINE_OCTETS < LINE_OCTETS_MAX);
