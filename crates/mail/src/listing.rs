//! The header fields to opt out of and to file a message by: List-Unsubscribe, List-Unsubscribe-Post, List-Id.
//!
//! Invariants: there is one field of each name and it is ours, whatever the sender wrote; the opt-out is one https URL
//! that a mail program can post to without asking back; no value can begin a field of its own.
//! Never: a `mailto:` opt-out alone, a URL that a reader would have to repair, a value of the message in an error text.
//! Standards: RFC 2369 §3.2, RFC 6068, RFC 8058 §2 and §3.1, RFC 2919 §2 and §3, RFC 2047 §5.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::header::{HeaderBlock, HeaderError, LINE_OCTETS_MAX, Limits};
use crate::message::{FieldError, append_field};

#[cfg(test)]
mod tests;

/// Longest opt-out URL in octets: a URL cannot be folded, so that the field must fit a line of 998 octets.
pub const UNSUBSCRIBE_URL_OCTETS_MAX: usize = LINE_OCTETS_MAX - "List-Unsubscribe: <>".len();
/// Longest list id in octets (RFC 2919 §2).
pub const LIST_ID_OCTETS_MAX: usize = 255;
/// Longest description of a list in octets of UTF-8.
pub const DESCRIPTION_OCTETS_MAX: usize = 255;

/// The names of the fields that this module writes and removes.
pub const FIELDS: [&str; 3] = ["List-Unsubscribe", "List-Unsubscribe-Post", "List-Id"];
/// RFC 8058 §2: the only value that there is.
const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

/// Why listing fields cannot be written. No text repeats a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// The opt-out URL.
    #[error("the opt-out URL must be `https://host/…` in ASCII as of RFC 3986, without user name and fragment")]
    Url,
    /// The opt-out URL is too long.
    #[error("the opt-out URL is longer than {limit} octets")]
    UrlTooLong {
        /// Octets.
        limit: usize,
    },
    /// The list id.
    #[error(
        "a list id must be labels of letters, digits, '-' and '_' joined by dots, three at least, 255 octets at most"
    )]
    ListId,
    /// The description of a list.
    #[error("the description of a list must be one line without control characters, {limit} octets at most")]
    Description {
        /// Octets.
        limit: usize,
    },
    /// The header block that the fields go into is not well-formed, or would become too large.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// A field cannot be written: a fault of ours, since the values were checked.
    #[error("{0}")]
    Field(#[from] FieldError),
}

/// Which list a message belongs to (RFC 2919).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListId<'l> {
    id: &'l str,
    description: Option<&'l str>,
}

impl<'l> ListId<'l> {
    /// A list id such as `offers.c17.news.example`, without angle brackets, and what it is called, any Unicode text of
    /// one line. A description of nothing but white space is none.
    ///
    /// # Errors
    /// [`ListingError::ListId`], [`ListingError::Description`]
    pub fn new(id: &'l str, description: Option<&'l str>) -> Result<Self, ListingError> {
        if !is_list_id(id) {
            return Err(ListingError::ListId);
        }
        let description = description.map(str::trim).filter(|text| !text.is_empty());
        if description.is_some_and(|text| text.len() > DESCRIPTION_OCTETS_MAX || !is_one_line(text)) {
            return Err(ListingError::Description { limit: DESCRIPTION_OCTETS_MAX });
        }
        Ok(Self { id, description })
    }
}

/// What the listing fields of one copy of a message say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing<'l> {
    unsubscribe_url: &'l str,
    by_mail: Option<&'l str>,
    list_id: ListId<'l>,
}

impl<'l> Listing<'l> {
    /// The opt-out URL of this copy and the list that it belongs to.
    ///
    /// # Errors
    /// [`ListingError::Url`], [`ListingError::UrlTooLong`]
    pub fn new(unsubscribe_url: &'l str, list_id: ListId<'l>) -> Result<Self, ListingError> {
        if unsubscribe_url.len() > UNSUBSCRIBE_URL_OCTETS_MAX {
            return Err(ListingError::UrlTooLong { limit: UNSUBSCRIBE_URL_OCTETS_MAX });
        }
        if !is_opt_out_url(unsubscribe_url) {
            return Err(ListingError::Url);
        }
        Ok(Self { unsubscribe_url, by_mail: None, list_id })
    }

    /// With a `mailto:` URL beside it, for programs that know no other (RFC 2369 §3.2): `mailto:address?subject=token`.
    ///
    /// # Errors
    /// [`ListingError::Url`], [`ListingError::UrlTooLong`]
    pub fn with_mail(self, url: &'l str) -> Result<Self, ListingError> {
        if url.len() > UNSUBSCRIBE_URL_OCTETS_MAX {
            return Err(ListingError::UrlTooLong { limit: UNSUBSCRIBE_URL_OCTETS_MAX });
        }
        match url.strip_prefix("mailto:") {
            Some(rest) if rest.contains('@') && is_escaped(rest) => Ok(Self { by_mail: Some(url), ..self }),
            _ => Err(ListingError::Url),
        }
    }

    /// The three fields, each ending in CRLF, to be put into a header block.
    ///
    /// # Errors
    /// [`ListingError::Field`], which would be a fault of ours.
    pub fn fields(&self) -> Result<Vec<u8>, ListingError> {
        let mut out = Vec::with_capacity(self.unsubscribe_url.len() + FIELDS_OCTETS_TYPICAL);
        // RFC 8058 §3.1: one HTTPS URI in List-Unsubscribe; RFC 2369 §2: within angle brackets.
        let by_mail = self.by_mail.map(|url| format!(", <{url}>")).unwrap_or_default();
        append_field("List-Unsubscribe", &format!("<{}>{by_mail}", self.unsubscribe_url), &mut out)?;
        // RFC 8058 §3.1: the field by which a mail program knows that a POST is enough.
        append_field("List-Unsubscribe-Post", ONE_CLICK, &mut out)?;
        let id = self.list_id.id;
        let value = match self.list_id.description {
            Some(text) => format!("{} <{id}>", phrase(text)),
            None => format!("<{id}>"),
        };
        append_field("List-Id", &value, &mut out)?;
        Ok(out)
    }
}

/// The three names and what surrounds the values.
const FIELDS_OCTETS_TYPICAL: usize = 256;

/// Gives a header block with our listing fields instead of any that the sender wrote. `head` is a header block with its
/// blank line; so is the result. All other fields stay octet for octet and in their order.
///
/// Ours come last. The trace fields stay on top, where RFC 5321 §4.4 wants them, and a signer reads repeated fields
/// from the bottom (RFC 6376 §5.4.2), so that whatever were put above later is never taken for ours.
///
/// # Errors
/// [`ListingError::Header`]: `head` is not well-formed, or would pass the limits of what is taken from senders.
pub fn put_into(head: &[u8], listing: &Listing<'_>) -> Result<Vec<u8>, ListingError> {
    let block = HeaderBlock::scan(head, Limits::INTERNATIONAL)?;
    let fields = listing.fields()?;
    let mut out = Vec::with_capacity(block.block().len() + fields.len() + 2);
    // RFC 8058 §3.1: exactly one field of each name; with the sender's beside ours the reader would choose.
    for field in block.fields().iter().filter(|field| !FIELDS.iter().any(|name| field.is(name))) {
        out.extend_from_slice(block.block().get(field.range()).unwrap_or_default());
    }
    out.extend_from_slice(&fields);
    out.extend_from_slice(b"\r\n");
    // The signer scans with the same limits: a block that has grown beyond them is refused here and not there.
    HeaderBlock::scan(&out, Limits::INTERNATIONAL)?;
    Ok(out)
}

/// RFC 3986, with what an opt-out needs: https, a host, no user name, no fragment (which a POST would lose).
fn is_opt_out_url(url: &str) -> bool {
    // RFC 8058 §3.1: HTTPS, and nothing that can be read on the way.
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    is_authority(authority) && is_escaped(rest)
}

/// A DNS name in A-labels, and a port if any.
fn is_authority(authority: &str) -> bool {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let labels = host.split('.').all(is_dns_label);
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
    labels && host.len() <= DNS_NAME_OCTETS_MAX && digits
}

/// RFC 1035 §2.3.4.
const DNS_NAME_OCTETS_MAX: usize = 253;

/// RFC 3986 §2: reserved and unreserved characters, and `%` with two hexadecimal digits.
fn is_escaped(text: &str) -> bool {
    const MARKS: &[u8] = b"-._~:/?@!$&'()*+,;=[]";
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let pair = |digit: Option<u8>| digit.is_some_and(|digit| digit.is_ascii_hexdigit());
        let fits = match octet {
            b'%' => pair(octets.next()) && pair(octets.next()),
            _ => octet.is_ascii_alphanumeric() || MARKS.contains(&octet),
        };
        if !fits {
            return false;
        }
    }
    true
}

/// RFC 2919 §2 allows more in the leftmost label; this much every mail program can show and filter by. The namespace is
/// a domain of two labels at least: `localhost` (§3) is for lists without a domain.
fn is_list_id(id: &str) -> bool {
    id.len() <= LIST_ID_OCTETS_MAX && id.split('.').count() >= 3 && id.split('.').all(is_id_label)
}

fn is_id_label(label: &str) -> bool {
    is_dns_label(&label.replace('_', "x"))
}

/// RFC 1035 §2.3.1: letters, digits and inner hyphens, 63 octets at most.
fn is_dns_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_one_line(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// RFC 5322 §3.2.5: words of atoms as they are, other ASCII in quotes, the rest as RFC 2047 words.
fn phrase(text: &str) -> String {
    // What looks like an encoded word would be decoded by many readers, quotes or not.
    if !text.is_ascii() || text.contains("=?") {
        return encoded_words(text);
    }
    let atoms = text.bytes().all(|b| b.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&b));
    if atoms { text.to_owned() } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
}

/// RFC 2047 §2: a line with an encoded word is of 76 octets at most, so 39 octets of text beside the field's name; §5:
/// each word holds whole characters.
fn encoded_words(text: &str) -> String {
    const TEXT_OCTETS: usize = 39;
    let mut words = Vec::new();
    let mut chunk = String::new();
    for c in text.chars() {
        if chunk.len() + c.len_utf8() > TEXT_OCTETS {
            words.push(std::mem::take(&mut chunk));
        }
        chunk.push(c);
    }
    words.push(chunk);
    // RFC 2047 §6.2: white space between two encoded words is not part of the text.
    let words: Vec<String> = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join(" ")
}
