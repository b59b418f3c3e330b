//! SMTP replies: what the server writes, and an incremental reader for what the client receives.
//!
//! Invariants: a written reply is ASCII, each line at most 512 octets, and cannot be broken by a CR or LF in its
//! text; a received reply is bounded in line, lines and octets before anything of it is kept.
//! Never: a `Debug` that prints the text of a received reply (peers repeat addresses in it).
//! Standards: RFC 5321 §4.2 (form), §4.5.3.1.5 (lengths), RFC 2034 and 3463 (enhanced codes).

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use bytes::{BufMut as _, BytesMut};

mod parser;
#[cfg(test)]
mod tests;

pub use parser::{ReceivedReply, ReplyError, ReplyParser};

/// RFC 5321 §4.5.3.1.5: a reply line holds at most 512 octets, code and CRLF included.
const LINE_OCTETS_MAX: usize = 512;
/// Longest prefix of a reply line: `250-`, `5.999.999 `, and CRLF.
const PREFIX_OCTETS_MAX: usize = 4 + 10 + 2;
/// No reply of ours has more lines than this; the rest of the text is cut.
const LINES_MAX: usize = 64;

/// RFC 3463 §2: `class.subject.detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnhancedCode {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub class: u8,
    /// 0 to 999.
    pub subject: u16,
    /// 0 to 999.
    pub detail: u16,
}

impl EnhancedCode {
    /// Puts the three numbers together.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self { class, subject, detail }
    }

    /// Reads `5.7.1` and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let class = match parts.next()? {
            "2" => 2,
            "4" => 4,
            "5" => 5,
            _ => return None,
        };
        let (subject, detail) = (parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        Some(Self { class, subject: up_to_three_digits(subject)?, detail: up_to_three_digits(detail)? })
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

fn up_to_three_digits(text: &str) -> Option<u16> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// A reply of ours. Several lines are parted by `\n` in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// RFC 5321 §4.2.1: 200 to 599.
    pub code: u16,
    /// Written after EHLO with 2xx, 4xx and 5xx.
    pub enhanced: Option<EnhancedCode>,
    /// What a person reads. Must not hold an address or anything else about a person.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced code given as `(class, subject, detail)`.
    #[must_use]
    pub fn new(code: u16, enhanced: (u8, u16, u16), text: impl Into<Cow<'static, str>>) -> Self {
        let (class, subject, detail) = enhanced;
        Self { code, enhanced: Some(EnhancedCode::new(class, subject, detail)), text: text.into() }
    }

    /// A reply that never has an enhanced code: greeting, EHLO, 334, 354.
    #[must_use]
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, text: text.into() }
    }

    /// `235 2.7.0`: the usual acceptance of an authentication.
    #[must_use]
    pub fn authenticated() -> Self {
        Self::new(235, (2, 7, 0), "authentication succeeded")
    }

    /// `250 2.1.0`: the usual acceptance of MAIL.
    #[must_use]
    pub fn sender_accepted() -> Self {
        Self::new(250, (2, 1, 0), "sender accepted")
    }

    /// `250 2.1.5`: the usual acceptance of RCPT.
    #[must_use]
    pub fn recipient_accepted() -> Self {
        Self::new(250, (2, 1, 5), "recipient accepted")
    }

    /// `354`: the only acceptance of DATA.
    #[must_use]
    pub fn start_content() -> Self {
        Self::plain(354, "send the message, end it with a line that holds a single dot")
    }

    /// Whether the first digit is 4 or 5.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.code >= 400
    }

    /// Appends the reply to `out`, with the enhanced code on every line where `enhanced` and RFC 2034 §4 allow it.
    pub fn write(&self, enhanced: bool, out: &mut BytesMut) {
        // RFC 2034 §4: only 2xx, 4xx and 5xx carry a code; 3xx never does.
        let prefix = self.enhanced.filter(|_| enhanced && !(300..400).contains(&self.code));
        let mut lines = self.text.split('\n').flat_map(Wrapped::new).take(LINES_MAX).peekable();
        while let Some(line) = lines.next() {
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            // Writing into a buffer that grows cannot fail.
            let _ = write!(out, "{}{separator}", self.code);
            if let Some(code) = prefix {
                let _ = write!(out, "{code} ");
            }
            // A reply must stay one reply whatever is in its text.
            out.extend(line.bytes().map(|octet| if matches!(octet, b' '..=b'~') { octet } else { b'?' }));
            out.put_slice(b"\r\n");
        }
    }
}

/// The pieces of one line, none longer than a reply line may be.
struct Wrapped<'a> {
    rest: Option<&'a str>,
}

impl<'a> Wrapped<'a> {
    fn new(line: &'a str) -> Self {
        Self { rest: Some(line) }
    }
}

impl<'a> Iterator for Wrapped<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        let room = LINE_OCTETS_MAX - PREFIX_OCTETS_MAX;
        if rest.len() <= room {
            return Some(rest);
        }
        let mut cut = room;
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let (head, _) = rest.split_at(cut);
        let (head, tail) = rest.split_at(head.rfind(' ').filter(|space| *space > 0).unwrap_or(cut));
        self.rest = Some(tail.trim_start_matches(' '));
        Some(head)
    }
}
