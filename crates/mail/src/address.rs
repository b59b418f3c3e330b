//! Addresses and domains as SMTP knows them: parsed once, strictly, and never printed by accident.
//!
//! Invariants: a [`Domain`] is always lower-case A-labels; an [`Address`] always has a form that may stand
//! between `<` and `>` on the wire; neither holds a CR, LF, NUL or any other control character. However an address is
//! written, it gives one [`Address::normalised`].
//! Never: a `Display` for an address (it would end up in a log), an error text that repeats its input.
//! Standards: RFC 5321 §4.1.2 (Mailbox), §4.5.3.1 (lengths), RFC 5890 and UTS 46 non-transitional (domains),
//! RFC 6531 §3.3 and RFC 6532 §3.1 (local parts outside ASCII).

use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

mod unicode;

#[cfg(test)]
mod tests;

/// Version of [`Address::normalised`]. Stored beside every keyed tag, because a tag can only be compared with
/// tags made by the same rule. That of local parts outside ASCII came later and changes no text that there was before.
pub const NORMALISER_VERSION: u8 = 1;

/// RFC 5321 §4.5.3.1.1: octets of a local part, quotes and backslashes included.
pub const LOCAL_OCTETS_MAX: usize = 64;
/// RFC 5321 §4.5.3.1.3: 256 octets for a path, less the two angle brackets (RFC 3696 erratum 1690).
pub const ADDRESS_OCTETS_MAX: usize = 254;
/// Input longer than this is not looked at: U-labels need more octets than the A-labels they become.
const DOMAIN_INPUT_OCTETS_MAX: usize = 1024;

/// Why a text is no address or no domain. The text names the fault and never repeats the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AddressError {
    /// Nothing at all was given.
    #[error("the address is empty")]
    Empty,
    /// There is no `@` outside quotes.
    #[error("the address has no @ between local part and domain")]
    NoAt,
    /// The local part is neither a dot-atom nor a quoted string.
    #[error("the part before the @ is not valid: use letters, digits and .!#$%&'*+-/=?^_`{{|}}~, or quote it")]
    LocalPart,
    /// The local part has characters that nobody sees, that have no meaning yet, or that turn the text around.
    #[error("the part before the @ has a character that cannot be seen or has no meaning")]
    LocalPartCharacter,
    /// RFC 5321 §4.5.3.1.1.
    #[error("the part before the @ is longer than 64 octets")]
    LocalPartTooLong,
    /// RFC 5321 §4.5.3.1.3.
    #[error("the address is longer than 254 octets")]
    TooLong,
    /// `user@[192.0.2.1]`: nobody can show that he controls such a domain, so mail to it is not taken.
    #[error("the address names a host by its network address; use a domain name")]
    AddressLiteral,
    /// The domain is not a valid DNS name.
    #[error("the domain is not a valid DNS name")]
    Domain,
    /// RFC 1035 §2.3.4: a label above 63 or a name above 253 octets.
    #[error("the domain or one of its labels is too long")]
    DomainTooLong,
}

/// RFC 6531 §3.4: in which characters paths and fields are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repertoire {
    /// Printable ASCII alone.
    #[default]
    Ascii,
    /// UTF-8: the parameter SMTPUTF8 was given, or is needed.
    Utf8,
}

/// A DNS domain in lower-case A-labels, without the trailing dot.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Box<str>);

impl Domain {
    /// Reads A-labels or U-labels in any case.
    ///
    /// # Errors
    /// [`AddressError::Domain`] or [`AddressError::DomainTooLong`]; [`AddressError::AddressLiteral`] for
    /// `[192.0.2.1]` and for names whose last label is a number.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Domain);
        }
        if text.starts_with('[') {
            return Err(AddressError::AddressLiteral);
        }
        if text.len() > DOMAIN_INPUT_OCTETS_MAX {
            return Err(AddressError::DomainTooLong);
        }
        // UTS 46 §4 non-transitional, STD3 rules: only letters, digits and hyphens survive.
        let ascii = Uts46::new()
            .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore)
            .map_err(|_| AddressError::Domain)?;
        if ascii.split('.').any(str::is_empty) {
            return Err(AddressError::Domain);
        }
        if !idna::uts46::verify_dns_length(&ascii, false) {
            return Err(AddressError::DomainTooLong);
        }
        // RFC 3696 §2: a last label of digits only is the tail of a dotted quad, not a top-level domain.
        let last = ascii.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(AddressError::AddressLiteral);
        }
        Ok(Self(ascii.into_owned().into_boxed_str()))
    }

    /// The A-labels, lower case, no trailing dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `parent` itself or a name below it, by whole labels.
    #[must_use]
    pub fn is_within(&self, parent: &Self) -> bool {
        match self.0.strip_suffix(parent.as_str()) {
            Some(rest) => rest.is_empty() || rest.ends_with('.'),
            None => false,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Domain({})", self.0)
    }
}

/// A mailbox: local part and domain.
///
/// The local part is kept without quotes, since RFC 5321 §4.1.2 gives `"ada"@x` and `ada@x` one meaning; quotes
/// come back in [`Address::to_wire`] where they are needed. What is outside ASCII is kept in NFC (RFC 6532 §3.1).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    local: Box<str>,
    domain: Domain,
}

impl Address {
    /// Reads a `Mailbox` of RFC 5321 §4.1.2, without angle brackets, display name or source route.
    ///
    /// # Errors
    /// An [`AddressError`] that says what to mend and does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let (local_wire, domain) = split_mailbox(text)?;
        let local_wire = unicode::composed(local_wire)?;
        if local_wire.len() > LOCAL_OCTETS_MAX {
            return Err(AddressError::LocalPartTooLong);
        }
        let local = read_local(&local_wire)?;
        let domain = Domain::parse(domain)?;
        let address = Self { local, domain };
        if address.wire_octets() > ADDRESS_OCTETS_MAX {
            return Err(AddressError::TooLong);
        }
        Ok(address)
    }

    /// The address of `postmaster` at a domain: RFC 5321 §4.5.1 lets clients name it without a domain.
    #[must_use]
    pub fn postmaster(domain: Domain) -> Self {
        Self { local: "postmaster".into(), domain }
    }

    /// The local part without quotes. Personal data.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Whether it can stand on the wire without SMTPUTF8. The domain always can: it is in A-labels.
    #[must_use]
    pub fn repertoire(&self) -> Repertoire {
        if self.local.is_ascii() { Repertoire::Ascii } else { Repertoire::Utf8 }
    }

    /// The form for the wire and for headers: quoted only where RFC 5321 needs it. Personal data.
    #[must_use]
    pub fn to_wire(&self) -> String {
        let mut wire = String::with_capacity(self.wire_octets());
        if is_dot_atom(&self.local) {
            wire.push_str(&self.local);
        } else {
            push_quoted(&self.local, &mut wire);
        }
        wire.push('@');
        wire.push_str(self.domain.as_str());
        wire
    }

    /// The text that keyed tags are made of ([`NORMALISER_VERSION`] 1): local part without quotes, case-folded and
    /// without differences of form (NFKC), `@`, A-labels. Personal data.
    ///
    /// RFC 5321 §2.4 leaves the case of a local part to its host, but an objection by `Ada@…` must also stop mail
    /// to `ada@…` (GDPR Art. 21(3)), so tags ignore it, as they ignore how the characters outside ASCII are coded.
    #[must_use]
    pub fn normalised(&self) -> String {
        let mut text = String::with_capacity(self.local.len() + 1 + self.domain.0.len());
        text.push_str(&unicode::folded(&self.local));
        text.push('@');
        text.push_str(self.domain.as_str());
        text
    }

    fn wire_octets(&self) -> usize {
        let local = if is_dot_atom(&self.local) {
            self.local.len()
        } else {
            let escaped = self.local.bytes().filter(|octet| matches!(octet, b'"' | b'\\')).count();
            self.local.len() + escaped + 2
        };
        local + 1 + self.domain.0.len()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Address(redacted)")
    }
}

/// The argument of MAIL FROM: RFC 5321 §4.5.5 has the empty path for mail that must not be answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`
    Null,
    /// A mailbox to which failures are returned.
    Address(Address),
}

impl ReversePath {
    /// The text between the angle brackets. Personal data.
    #[must_use]
    pub fn to_wire(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Address(address) => address.to_wire(),
        }
    }

    /// The mailbox, where there is one.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }
}

/// Splits at the `@` that ends the local part: the first one after a quoted string, otherwise the only one.
fn split_mailbox(text: &str) -> Result<(&str, &str), AddressError> {
    if !text.starts_with('"') {
        return text.split_once('@').ok_or(AddressError::NoAt);
    }
    let mut escaped = false;
    for (position, octet) in text.bytes().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => {
                let (local, rest) = text.split_at(position + 1);
                let domain = rest.strip_prefix('@').ok_or(AddressError::LocalPart)?;
                return Ok((local, domain));
            }
            _ => {}
        }
    }
    Err(AddressError::LocalPart)
}

/// A local part as it stands on the wire, without quotes.
fn read_local(wire: &str) -> Result<Box<str>, AddressError> {
    let Some(quoted) = wire.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return if is_dot_atom(wire) { Ok(wire.into()) } else { Err(AddressError::LocalPart) };
    };
    // RFC 5321 §4.1.2: qtextSMTP is printable ASCII and space, RFC 6531 §3.3 adds what is outside ASCII; control
    // characters cannot even be escaped.
    let mut local = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        let meant = if letter == '\\' { letters.next().ok_or(AddressError::LocalPart)? } else { letter };
        let is_control = meant.is_ascii() && !matches!(meant, ' '..='~');
        if is_control || letter == '"' {
            return Err(AddressError::LocalPart);
        }
        local.push(meant);
    }
    Ok(local.into_boxed_str())
}

fn is_dot_atom(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// RFC 5322 §3.2.3, and RFC 6531 §3.3: octets of characters outside ASCII. Which of those is looked at before.
fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet >= 0x80 || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}

fn push_quoted(local: &str, wire: &mut String) {
    wire.push('"');
    for letter in local.chars() {
        if matches!(letter, '"' | '\\') {
            wire.push('\\');
        }
        wire.push(letter);
    }
    wire.push('"');
}
