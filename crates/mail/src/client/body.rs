//! Writes content with the dots of transparency, or in chunks as it is.
//!
//! Invariants: what goes out has no CR or LF outside a CRLF; every line that begins with a dot gets another; content
//! that breaks the rule goes out neither in part nor repaired, because a repair would break its signatures.
//! Standards: RFC 5321 §2.3.8, §4.1.1.4, §4.5.2; RFC 3030 §2.

use std::fmt::Write as _;

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
    /// RFC 3030: there are chunks, and no dots.
    chunking: bool,
    /// What is gathered for the next chunk.
    chunk: BytesMut,
    /// Chunks without a reply.
    unanswered: usize,
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

    /// A writer of chunks.
    pub(super) fn chunked() -> Self {
        Self { chunking: true, ..Self::default() }
    }

    /// Octets that wait for their chunk.
    pub(super) fn gathered(&self) -> usize {
        self.chunk.len()
    }

    /// Chunks whose reply has not come.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// A reply to the oldest chunk has come. Returns whether more are awaited.
    pub(super) fn chunk_answered(&mut self) -> bool {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.unanswered > 0
    }

    /// Writes what was gathered as a chunk that is not the last; returns its octets, `None` without chunks.
    pub(super) fn end_chunk(&mut self, out: &mut BytesMut) -> Option<usize> {
        if self.chunk.is_empty() {
            return None;
        }
        self.unanswered += 1;
        Some(write_chunk(&mut self.chunk, "", out))
    }

    pub(super) fn write(&mut self, parts: &[&[u8]], out: &mut BytesMut) -> Result<(), BodyError> {
        self.begun = true;
        if self.chunking {
            let mut chunk = std::mem::take(&mut self.chunk);
            let written = self.write_to(parts, &mut chunk);
            self.chunk = chunk;
            return written;
        }
        self.write_to(parts, out)
    }

    fn write_to(&mut self, parts: &[&[u8]], out: &mut BytesMut) -> Result<(), BodyError> {
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
            if !self.chunking && self.tail == Tail::LineStart && *first == b'.' {
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

    /// Writes the end: the final dot, or the last chunk. Returns the octets of content, before stuffing, or those of
    /// the last chunk.
    pub(super) fn finish(&mut self, out: &mut BytesMut) -> Result<End, BodyError> {
        if self.failed || self.tail == Tail::Cr {
            return Err(BodyError::BareNewline);
        }
        if self.chunking {
            if self.tail == Tail::Text {
                self.chunk.extend_from_slice(b"\r\n");
            }
            self.unanswered += 1;
            return Ok(End::LastChunk(write_chunk(&mut self.chunk, " LAST", out)));
        }
        if self.tail == Tail::Text {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
        Ok(End::Dot(self.octets))
    }
}

fn write_chunk(chunk: &mut BytesMut, role: &str, out: &mut BytesMut) -> usize {
    let octets = chunk.len();
    // Writing into a buffer that grows cannot fail.
    let _ = write!(out, "BDAT {octets}{role}\r\n");
    out.extend_from_slice(chunk);
    chunk.clear();
    octets
}

/// How content ended.
pub(super) enum End {
    /// All its octets, before stuffing.
    Dot(u64),
    /// Octets of the last chunk.
    LastChunk(usize),
}
