//! Reads the content of a message up to CRLF.CRLF, undoing transparency.
//!
//! Invariants: the end is found strictly whatever else is wrong, so that no octet of a message is ever taken for a
//! command; the content is copied once, into the buffer that is handed on; after a fault nothing is kept.
//! Standards: RFC 5321 §2.3.8 (CRLF alone ends lines), §4.1.1.4 (end of data), §4.5.2 (transparency), §4.5.3.1.

use bytes::{Buf as _, Bytes, BytesMut};

use super::{BareNewlines, Limits};

/// The last line of content.
const END_OF_DATA: &[u8] = b".\r\n";
/// Room for a usual message before anything is known of its size.
const RESERVED_OCTETS_MIN: usize = 8 * 1024;
/// A client that keeps sending after a fault is heard out for this many times the limit, then disconnected.
pub(super) const DISCARDED_LIMITS_MAX: usize = 4;

/// Why the machine itself refuses a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentFault {
    /// RFC 1870 §6.3.
    TooLarge,
    /// RFC 5321 §4.5.3.1.6.
    LineTooLong,
    /// RFC 5321 §2.3.8.
    BareNewline,
    /// RFC 5322 §4: obsolete, and a way to hide things from scanners.
    Nul,
}

#[derive(Debug)]
pub(super) enum Content {
    More,
    Whole(Bytes),
    Refused(ContentFault),
    /// Refused, and the end does not come.
    Endless(ContentFault),
}

/// How the line before the present one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// By CRLF, or there was none: only here can the end of data stand.
    Crlf,
    /// By LF alone.
    BareLf,
    /// It has not ended: the present octets continue a line that was too long to wait for.
    Unended,
}

pub(super) struct Reader {
    content: BytesMut,
    fault: Option<ContentFault>,
    before: Before,
    discarded: usize,
    newlines: BareNewlines,
    message_octets: usize,
    line_octets: usize,
}

impl Reader {
    pub(super) fn new(limits: &Limits, newlines: BareNewlines, reserve: usize) -> Self {
        Self {
            content: BytesMut::with_capacity(reserve.max(RESERVED_OCTETS_MIN)),
            fault: None,
            before: Before::Crlf,
            discarded: 0,
            newlines,
            message_octets: limits.message_octets(),
            // CRLF is the shortest line there is.
            line_octets: limits.text_line_octets_max.max(2),
        }
    }

    /// Takes whole lines off `input` until the end of data or until there are no more.
    pub(super) fn read(&mut self, input: &mut BytesMut) -> Content {
        let mut taken = 0;
        let mut ended = false;
        while let Some(rest) = input.get(taken..) {
            let Some(end) = memchr::memchr(b'\n', rest) else { break };
            let line = rest.get(..=end).unwrap_or_default();
            taken += line.len();
            if self.before == Before::Crlf && line == END_OF_DATA {
                ended = true;
                break;
            }
            self.line(line);
        }
        input.advance(taken);
        if ended {
            return match self.fault {
                None => Content::Whole(std::mem::take(&mut self.content).freeze()),
                Some(fault) => Content::Refused(fault),
            };
        }
        self.overlong(input);
        match self.fault {
            Some(fault) if self.discarded / DISCARDED_LIMITS_MAX > self.message_octets => Content::Endless(fault),
            _ => Content::More,
        }
    }

    /// Octets without a line end are left in `input` only as long as their line may still be good.
    fn overlong(&mut self, input: &mut BytesMut) {
        // One more than the limit for the dot of transparency.
        if input.len() <= self.line_octets {
            return;
        }
        self.fail(ContentFault::LineTooLong);
        // A CR at the end may belong to a CRLF whose LF has not come: it stays.
        let kept = usize::from(input.last() == Some(&b'\r'));
        let taken = input.len() - kept;
        self.discarded = self.discarded.saturating_add(taken);
        input.advance(taken);
        self.before = Before::Unended;
    }

    /// One line with its LF.
    fn line(&mut self, line: &[u8]) {
        let (body, bare) = match line.strip_suffix(b"\r\n") {
            Some(body) => (body, false),
            None => (line.strip_suffix(b"\n").unwrap_or(line), true),
        };
        let before = std::mem::replace(&mut self.before, if bare { Before::BareLf } else { Before::Crlf });
        if self.fault.is_some() {
            self.discarded = self.discarded.saturating_add(line.len());
            return;
        }
        let body = unstuffed(body, before);
        match self.inspect(body, bare) {
            Err(fault) => self.fail(fault),
            Ok(lone_cr) => self.keep(body, lone_cr),
        }
    }

    /// Whether the line may be kept, and whether it has a CR that must be made a CRLF.
    fn inspect(&self, body: &[u8], bare: bool) -> Result<bool, ContentFault> {
        let mut lone_cr = false;
        for position in memchr::memchr2_iter(b'\r', 0, body) {
            match body.get(position) {
                Some(b'\r') => lone_cr = true,
                _ => return Err(ContentFault::Nul),
            }
        }
        // RFC 5321 §2.3.8; CVE-2023-51764: what others might take for a line end must not pass through us.
        if (bare || lone_cr) && !self.newlines.are_tolerated() {
            return Err(ContentFault::BareNewline);
        }
        if body.len() + 2 > self.line_octets {
            return Err(ContentFault::LineTooLong);
        }
        Ok(lone_cr)
    }

    fn keep(&mut self, body: &[u8], lone_cr: bool) {
        if lone_cr {
            for piece in body.split(|octet| *octet == b'\r') {
                self.append(piece);
            }
        } else {
            self.append(body);
        }
    }

    fn append(&mut self, line: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        if self.content.len() + line.len() + 2 > self.message_octets {
            self.fail(ContentFault::TooLarge);
            return;
        }
        self.content.extend_from_slice(line);
        self.content.extend_from_slice(b"\r\n");
    }

    /// The first fault is the one that is told. What was kept is let go at once.
    fn fail(&mut self, fault: ContentFault) {
        if self.fault.is_none() {
            self.fault = Some(fault);
            self.discarded = self.content.len();
            self.content = BytesMut::new();
        }
    }
}

/// RFC 5321 §4.5.2: the first of two dots goes. After a bare LF a lone dot is content, not an end, and stays.
fn unstuffed(body: &[u8], before: Before) -> &[u8] {
    match (before, body) {
        (Before::Crlf, [b'.', rest @ ..]) => rest,
        (Before::BareLf, [b'.', rest @ ..]) if !rest.is_empty() => rest,
        _ => body,
    }
}
