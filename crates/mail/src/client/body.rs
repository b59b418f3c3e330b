//! Writes content with the dots of transparency.
//!
//! Invariants: what goes out has no CR or LF outside a CRLF; every line that begins with a dot gets another; content
//! that breaks the rule goes out neither in part nor repaired, because a repair would break its signatures.
//! Standards: RFC 5321 §2.3.8, §4.1.1.4, §4.5.2.

use bytes::BytesMut;

/// Why content was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The peer has not asked for content.
    #[error("no content is awaited on this connection")]
    NotAsked,
    /// RFC 5321 §2.3.8; such content is how messages are smuggled past the next server.
    #[error("the content has a CR or LF that is not part of a CR LF")]
    BareNewline,
}

/// The last octet that was written, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tail {
    /// Nothing yet, or a CRLF.
    #[default]
    LineStart,
    /// A CR that waits for its LF.
    Cr,
    Text,
}

#[derive(Default)]
pub(super) struct Writer {
    tail: Tail,
    octets: u64,
    begun: bool,
    failed: bool,
}

impl Writer {
    /// Whether any content was handed in.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    pub(super) fn write(&mut self, parts: &[&[u8]], out: &mut BytesMut) -> Result<(), BodyError> {
        self.begun = true;
        let start = out.len();
        // Most lines need no dot: the length as it is, and a little.
        out.reserve(parts.iter().map(|part| part.len()).sum::<usize>() + 64);
        for part in parts {
            if let Err(error) = self.part(part, out) {
                out.truncate(start);
                self.failed = true;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Goes from line to line; runs of lines without a leading dot are copied as one.
    fn part(&mut self, part: &[u8], out: &mut BytesMut) -> Result<(), BodyError> {
        let mut copied = 0;
        let mut position = 0;
        while let Some(rest) = part.get(position..)
            && let Some(first) = rest.first()
        {
            if self.tail == Tail::LineStart && *first == b'.' {
                out.extend_from_slice(part.get(copied..position).unwrap_or_default());
                out.extend_from_slice(b".");
                copied = position;
            }
            position += self.line(rest)?;
        }
        out.extend_from_slice(part.get(copied..).unwrap_or_default());
        self.octets = self.octets.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Looks at the octets up to and with the next newline; returns how many they are.
    fn line(&mut self, rest: &[u8]) -> Result<usize, BodyError> {
        let (first, waiting) = (rest.first().copied(), self.tail == Tail::Cr);
        if waiting && first != Some(b'\n') {
            return Err(BodyError::BareNewline);
        }
        let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
            self.tail = Tail::Text;
            return Ok(rest.len());
        };
        match (rest.get(end), rest.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => {
                self.tail = Tail::LineStart;
                Ok(end + 2)
            }
            (Some(b'\r'), None) => {
                self.tail = Tail::Cr;
                Ok(end + 1)
            }
            (Some(b'\n'), _) if waiting && end == 0 => {
                self.tail = Tail::LineStart;
                Ok(1)
            }
            _ => Err(BodyError::BareNewline),
        }
    }

    /// Returns the octets of content, before stuffing.
    pub(super) fn finish(&mut self, out: &mut BytesMut) -> Result<u64, BodyError> {
        if self.failed || self.tail == Tail::Cr {
            return Err(BodyError::BareNewline);
        }
        if self.tail == Tail::Text {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
        Ok(self.octets)
    }
}
