//! The words of RFC 3461: what a client asks to be told about a message's fate, as it stands on the wire.
//!
//! Invariants: every value was read strictly and is kept in the form in which it came, so that it can be passed on
//! unchanged (an address of the type `utf-8` in its form of ASCII, which every host takes); none holds a space, a
//! control character or anything else that could end its command.
//! Never: a decision whether somebody is told. Values may hold addresses: `Debug` shows none.
//! Standards: RFC 3461 §4 (RET, ENVID, NOTIFY, ORCPT, xtext), RFC 6533 §3 (addresses outside ASCII).

use std::fmt::{self, Write as _};

#[cfg(test)]
mod tests;

/// RFC 3461 §4.4: characters of ENVID on the wire.
pub const ENVELOPE_ID_OCTETS_MAX: usize = 100;
/// RFC 3461 §4.2: characters of ORCPT on the wire.
pub const ORIGINAL_OCTETS_MAX: usize = 500;
/// RFC 3461 §4: what RET and ENVID add to a MAIL command.
pub const MAIL_OCTETS: usize = " RET=HDRS ENVID=".len() + ENVELOPE_ID_OCTETS_MAX;
/// RFC 3461 §4: what NOTIFY and ORCPT add to a RCPT command.
pub const RECIPIENT_OCTETS: usize = " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=".len() + ORIGINAL_OCTETS_MAX;

/// RFC 3461 §4.3: how much of a message comes back with its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// The whole of it.
    Full,
    /// Its header.
    Headers,
}

impl Return {
    /// Reads the value of RET, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Full, Self::Headers].into_iter().find(|word| word.as_str().eq_ignore_ascii_case(text))
    }

    /// The value of RET.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }
}

/// RFC 3461 §4.1: of what the client is told. Nothing at all is `NEVER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notify {
    /// The message reached the recipient, or a system that tells nobody.
    pub success: bool,
    /// It never will.
    pub failure: bool,
    /// It takes long.
    pub delay: bool,
}

impl Notify {
    /// `NEVER`.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };
    /// What holds where the client says nothing: RFC 3461 §4.1 leaves the choice between this and FAILURE,DELAY.
    pub const DEFAULT: Self = Self { success: false, failure: true, delay: false };

    /// Reads the value of NOTIFY: `NEVER` alone, or words parted by commas.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("NEVER") {
            return Some(Self::NEVER);
        }
        let mut notify = Self::NEVER;
        for word in text.split(',') {
            let flag = match word.to_ascii_uppercase().as_str() {
                "SUCCESS" => &mut notify.success,
                "FAILURE" => &mut notify.failure,
                "DELAY" => &mut notify.delay,
                _ => return None,
            };
            // Said twice is no list of words.
            if std::mem::replace(flag, true) {
                return None;
            }
        }
        Some(notify)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return out.write_str("NEVER");
        }
        let words = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let mut comma = "";
        for (_, word) in words.into_iter().filter(|(is_asked, _)| *is_asked) {
            write!(out, "{comma}{word}")?;
            comma = ",";
        }
        Ok(())
    }
}

/// RFC 3461 §4.4: the client's own name for the transaction.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvelopeId(Box<str>);

impl EnvelopeId {
    /// Reads the value of ENVID: xtext of printable ASCII.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_good = (1..=ENVELOPE_ID_OCTETS_MAX).contains(&text.len())
            && decoded(text).is_some_and(|octets| octets.iter().all(|octet| matches!(octet, b' '..=b'~')));
        is_good.then(|| Self(text.into()))
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn as_wire(&self) -> &str {
        &self.0
    }

    /// As the client means it.
    #[must_use]
    pub fn text(&self) -> String {
        decoded(&self.0).map(|octets| String::from_utf8_lossy(&octets).into_owned()).unwrap_or_default()
    }
}

impl fmt::Debug for EnvelopeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "EnvelopeId({} octets)", self.0.len())
    }
}

/// RFC 3461 §4.2: the recipient as the first sender named him: `rfc822;ada@dest.example`.
#[derive(Clone, PartialEq, Eq)]
pub struct OriginalRecipient(Box<str>);

impl OriginalRecipient {
    /// Reads the value of ORCPT: an address type, a semicolon, xtext without control characters. An address of the type
    /// `utf-8` may also be as RFC 6533 §3 writes it, in UTF-8 or with `\x{…}`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, address) = text.split_once(';')?;
        if kind.eq_ignore_ascii_case(INTERNATIONAL) {
            let shown = international(address)?;
            let wire = format!("{INTERNATIONAL};{}", in_ascii(&shown));
            return (text.len() <= ORIGINAL_OCTETS_MAX && wire.len() <= ORIGINAL_OCTETS_MAX).then(|| Self(wire.into()));
        }
        let is_atom = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*-/?^_`{|}~".contains(&octet);
        let octets = decoded(address)?;
        let shown = std::str::from_utf8(&octets).ok()?;
        let is_good = text.len() <= ORIGINAL_OCTETS_MAX
            && !kind.is_empty()
            && kind.bytes().all(is_atom)
            && !shown.is_empty()
            && !shown.chars().any(char::is_control);
        is_good.then(|| Self(text.into()))
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn as_wire(&self) -> &str {
        &self.0
    }

    /// Type and decoded address, for the Original-Recipient field of RFC 3464 §2.3.1. Personal data.
    #[must_use]
    pub fn parts(&self) -> (&str, String) {
        let (kind, address) = self.0.split_once(';').unwrap_or_default();
        if kind == INTERNATIONAL {
            return (kind, international(address).unwrap_or_default());
        }
        (kind, decoded(address).map(|octets| String::from_utf8_lossy(&octets).into_owned()).unwrap_or_default())
    }
}

impl fmt::Debug for OriginalRecipient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("OriginalRecipient(redacted)")
    }
}

/// RFC 6533 §3: the type of addresses outside ASCII.
pub(crate) const INTERNATIONAL: &str = "utf-8";

/// RFC 6533 §3: an address of that type in any of its forms, decoded; `None` for what is no printable text.
pub(crate) fn international(address: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(address.len());
    let mut rest = address.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            // Not in the grammar of this type, but in that of ORCPT.
            b'+' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            b'=' => return None,
            b'!'..=b'~' | 0x80.. => octet,
            _ => return None,
        });
    }
    let text = String::from_utf8(octets).ok()?;
    let mut shown = String::with_capacity(text.len());
    let mut pieces = text.split('\\');
    shown.push_str(pieces.next()?);
    for piece in pieces {
        let (point, after) = piece.strip_prefix("x{")?.split_once('}')?;
        let is_point = (2..=6).contains(&point.len()) && point.bytes().all(|octet| digit(octet).is_some());
        let point = u32::from_str_radix(point, 16).ok().filter(|_| is_point)?;
        shown.push(char::from_u32(point)?);
        shown.push_str(after);
    }
    let is_good = !shown.is_empty() && !shown.chars().any(char::is_control);
    is_good.then_some(shown)
}

/// RFC 6533 §3, `utf-8-addr-xtext`: an address in ASCII, so that it can stand wherever SMTPUTF8 is not offered.
pub(crate) fn in_ascii(address: &str) -> String {
    let mut text = String::with_capacity(address.len());
    for letter in address.chars() {
        if matches!(letter, '!'..='~') && !matches!(letter, '\\' | '+' | '=') {
            text.push(letter);
        } else {
            // Writing into a String cannot fail.
            let _ = write!(text, "\\x{{{:02X}}}", u32::from(letter));
        }
    }
    text
}

/// RFC 3461 §4: `+` and two upper-case hexadecimal digits stand for an octet; `+` and `=` never for themselves.
fn decoded(xtext: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(xtext.len());
    let mut rest = xtext.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            b'=' => return None,
            b'!'..=b'~' => octet,
            _ => return None,
        });
    }
    Some(octets)
}

fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}
