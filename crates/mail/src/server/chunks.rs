//! Reads the content of a message that comes in chunks of a stated length.
//!
//! Invariants: exactly the stated octets belong to a chunk, whatever they are, so that none is ever taken for a
//! command; what DATA would refuse is refused here; after a fault nothing is kept.
//! Standards: RFC 3030 §2 (BDAT), RFC 5321 §2.3.8 (CRLF alone ends lines), §4.5.3.1.

use bytes::{Bytes, BytesMut};

use super::{BareNewlines, ContentFault, Limits};

/// One line with its end is this long at least.
const LINE_END_OCTETS: usize = 2;

/// The chunks of one message so far.
pub(super) struct Chunks {
    content: BytesMut,
    fault: Option<ContentFault>,
    /// Octets of the line that has not ended.
    line: usize,
    /// The last octet was a CR, which may belong to a CRLF whose LF comes with the next chunk.
    waiting_cr: bool,
    newlines: BareNewlines,
    message_octets: usize,
    line_octets: usize,
}

impl Chunks {
    pub(super) fn new(limits: &Limits, newlines: BareNewlines, reserve: usize) -> Self {
        Self {
            content: BytesMut::with_capacity(reserve),
            fault: None,
            line: 0,
            waiting_cr: false,
            newlines,
            message_octets: limits.message_octets(),
            line_octets: limits.text_line_octets_max.max(LINE_END_OCTETS),
        }
    }

    /// Why the message is refused, if it is.
    pub(super) fn fault(&self) -> Option<ContentFault> {
        self.fault
    }

    /// RFC 1870 §6.3: a chunk is announced. One that cannot fit is not kept in part.
    pub(super) fn announce(&mut self, octets: u64) {
        let room = self.message_octets.saturating_sub(self.content.len());
        if octets > u64::try_from(room).unwrap_or(u64::MAX) {
            self.fail(ContentFault::TooLarge);
        }
    }

    /// Takes the next octets of a chunk.
    pub(super) fn take(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while self.fault.is_none()
            && let Some(first) = rest.first()
        {
            if std::mem::take(&mut self.waiting_cr) {
                if *first == b'\n' {
                    self.end_line();
                    rest = rest.get(1..).unwrap_or_default();
                    continue;
                }
                self.bare_newline();
            }
            let Some(at) = memchr::memchr3(b'\r', b'\n', 0, rest) else {
                self.text(rest);
                return;
            };
            let (text, mark) = rest.split_at(at);
            self.text(text);
            match mark.first() {
                Some(b'\r') => self.waiting_cr = true,
                Some(b'\n') => self.bare_newline(),
                _ => self.fail(ContentFault::Nul),
            }
            rest = mark.get(1..).unwrap_or_default();
        }
    }

    /// The last chunk is there. A last line without an end gets one, as DATA would have given it.
    ///
    /// # Errors
    /// The fault for which the message is refused.
    pub(super) fn finish(mut self) -> Result<Bytes, ContentFault> {
        if std::mem::take(&mut self.waiting_cr) {
            self.bare_newline();
        }
        if self.line > 0 {
            self.end_line();
        }
        match self.fault {
            None => Ok(self.content.freeze()),
            Some(fault) => Err(fault),
        }
    }

    fn text(&mut self, text: &[u8]) {
        self.line = self.line.saturating_add(text.len());
        if self.line > self.line_octets - LINE_END_OCTETS {
            self.fail(ContentFault::LineTooLong);
        } else if self.content.len() + text.len() > self.message_octets {
            self.fail(ContentFault::TooLarge);
        } else if self.fault.is_none() {
            self.content.extend_from_slice(text);
        }
    }

    fn end_line(&mut self) {
        self.line = 0;
        if self.content.len() + LINE_END_OCTETS > self.message_octets {
            self.fail(ContentFault::TooLarge);
        } else if self.fault.is_none() {
            self.content.extend_from_slice(b"\r\n");
        }
    }

    /// RFC 5321 §2.3.8; CVE-2023-51764: what others might take for a line end must not pass through us.
    fn bare_newline(&mut self) {
        if self.newlines.are_tolerated() {
            self.end_line();
        } else {
            self.fail(ContentFault::BareNewline);
        }
    }

    /// The first fault is the one that is told. What was kept is let go at once.
    fn fail(&mut self, fault: ContentFault) {
        if self.fault.is_none() {
            self.fault = Some(fault);
            self.content = BytesMut::new();
        }
    }
}
