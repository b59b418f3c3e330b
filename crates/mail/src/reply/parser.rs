//! Reads replies as they arrive, in pieces of any size.
//!
//! Invariants: at most [`LINE_OCTETS_MAX`] octets wait for their line end; at most [`LINES_MAX`] lines and
//! [`REPLY_OCTETS_MAX`] octets make a reply; at most [`TEXT_OCTETS_MAX`] octets of text are kept.
//! Standards: RFC 5321 §4.2.1; §4.5.3.1.5 asks for 512 octets a line, peers send more and are tolerated up to 4,096.

use std::fmt;

use bytes::{Buf as _, BytesMut};

use super::EnhancedCode;

pub(super) const LINE_OCTETS_MAX: usize = 4096;
pub(super) const LINES_MAX: usize = 128;
pub(super) const REPLY_OCTETS_MAX: usize = 64 * 1024;
pub(super) const TEXT_OCTETS_MAX: usize = 16 * 1024;

/// Why what a peer sent is no reply. The connection is of no use after any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// More than 4,096 octets without a line end.
    #[error("the peer sent a reply line longer than 4096 octets")]
    LineTooLong,
    /// More than 128 lines.
    #[error("the peer sent a reply of more than 128 lines")]
    TooManyLines,
    /// More than 64 KiB.
    #[error("the peer sent a reply of more than 64 KiB")]
    TooLong,
    /// A line without three digits and a space or hyphen.
    #[error("the peer sent a line that is no SMTP reply")]
    Malformed,
    /// RFC 5321 §4.2.1: all lines of a reply have one code.
    #[error("the peer changed the code within one reply")]
    CodeChanged,
}

/// A complete reply of a peer.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedReply {
    /// 200 to 599.
    pub code: u16,
    /// The first enhanced code whose class agrees with `code`.
    pub enhanced: Option<EnhancedCode>,
    /// The lines without codes, parted by `\n`, not always UTF-8 before it was made so. May hold personal data.
    pub text: String,
}

impl ReceivedReply {
    /// 2xx.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// 3xx.
    #[must_use]
    pub fn is_intermediate(&self) -> bool {
        (300..400).contains(&self.code)
    }

    /// 4xx.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// 5xx.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        (500..600).contains(&self.code)
    }
}

impl fmt::Debug for ReceivedReply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ReceivedReply({}", self.code)?;
        if let Some(code) = self.enhanced {
            write!(out, " {code}")?;
        }
        write!(out, ", {} octets of text)", self.text.len())
    }
}

/// Collects lines until a reply is whole.
#[derive(Debug, Default)]
pub struct ReplyParser {
    partial: Option<ReceivedReply>,
    lines: usize,
    octets: usize,
}

impl ReplyParser {
    /// A parser at the start of a reply.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one reply off `input`, or what there is of it. `None` means that more octets are needed.
    ///
    /// # Errors
    /// [`ReplyError`]; nothing that follows on this connection can be trusted.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<ReceivedReply>, ReplyError> {
        while let Some(end) = memchr::memchr(b'\n', input.get(..LINE_OCTETS_MAX).unwrap_or(input)) {
            let finished = self.line(input.get(..end).unwrap_or_default())?;
            input.advance(end + 1);
            if finished {
                self.lines = 0;
                self.octets = 0;
                return Ok(self.partial.take());
            }
        }
        if input.len() >= LINE_OCTETS_MAX { Err(ReplyError::LineTooLong) } else { Ok(None) }
    }

    /// Whether a reply has begun and not ended.
    #[must_use]
    pub fn is_within_reply(&self) -> bool {
        self.partial.is_some()
    }

    /// One line without its LF; true when it is the last one of its reply.
    fn line(&mut self, line: &[u8]) -> Result<bool, ReplyError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.lines += 1;
        self.octets += line.len() + 2;
        if self.lines > LINES_MAX {
            return Err(ReplyError::TooManyLines);
        }
        if self.octets > REPLY_OCTETS_MAX {
            return Err(ReplyError::TooLong);
        }
        let (code, last, text) = split_line(line)?;
        let text = String::from_utf8_lossy(text);
        let (enhanced, text) = split_enhanced(code, &text);
        match &mut self.partial {
            None => self.partial = Some(ReceivedReply { code, enhanced, text: text.to_owned() }),
            Some(reply) if reply.code != code => return Err(ReplyError::CodeChanged),
            Some(reply) => {
                reply.enhanced = reply.enhanced.or(enhanced);
                if reply.text.len() + 1 + text.len() <= TEXT_OCTETS_MAX {
                    reply.text.push('\n');
                    reply.text.push_str(text);
                }
            }
        }
        Ok(last)
    }
}

fn split_line(line: &[u8]) -> Result<(u16, bool, &[u8]), ReplyError> {
    let (code, rest) = line.split_at_checked(3).ok_or(ReplyError::Malformed)?;
    let mut number = 0;
    for digit in code {
        if !digit.is_ascii_digit() {
            return Err(ReplyError::Malformed);
        }
        number = number * 10 + u16::from(digit - b'0');
    }
    if !(200..600).contains(&number) {
        return Err(ReplyError::Malformed);
    }
    match rest.split_first() {
        None => Ok((number, true, &[])),
        Some((b' ', text)) => Ok((number, true, text)),
        Some((b'-', text)) => Ok((number, false, text)),
        Some(_) => Err(ReplyError::Malformed),
    }
}

/// RFC 2034 §4: the code counts only when its class is the first digit of the reply.
fn split_enhanced(code: u16, text: &str) -> (Option<EnhancedCode>, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match EnhancedCode::parse(word) {
        Some(enhanced) if u16::from(enhanced.class) == code / 100 => (Some(enhanced), rest),
        _ => (None, text),
    }
}
