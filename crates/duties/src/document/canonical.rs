//! Canonical JSON (RFC 8785) for a restricted set of values, and SHA-256 of it.
//!
//! The set: strings, integers up to 2^53 - 1 either way, booleans, arrays, objects with ASCII names. Within it RFC 8785
//! asks for three things only: names in order, no white space, and one spelling of each string. Fractions and `null`
//! are refused, so the number format of ECMAScript never comes into play.
//!
//! Never: the text of a value in an error.

use aws_lc_rs::digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// Bytes of a document at most.
pub const SIZE_MAX: usize = 1024 * 1024;

/// Characters of a text in a document that is written.
const TEXT_MAX: usize = 65_536;
/// Characters of a name in it.
const NAME_MAX: usize = 200;
/// Places that are named at once.
const EXCESSES_MAX: usize = 20;

/// Largest integer that every reader of JSON keeps exactly (RFC 8785 §3.2.2.3, RFC 7493 §2.2).
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// A value that has no canonical form here, or bytes that are not one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CanonicalError {
    /// A fraction, or an integer beyond 2^53 - 1.
    #[error("a number is not an integer within 2^53 - 1")]
    Number,
    /// `null`: what is not said is left out.
    #[error("null has no place in a document")]
    Null,
    /// A name with characters outside ASCII.
    #[error("a name in an object is not ASCII")]
    Name,
    /// The value cannot be written as JSON.
    #[error("the value cannot be written as JSON")]
    Unwritable,
    /// Not JSON, or not of this shape.
    #[error("not a document of this shape, at byte {column}")]
    Shape {
        /// Byte of the line, from 1; canonical JSON has one line.
        column: usize,
    },
    /// The same JSON spelled in another way.
    #[error("not in canonical form")]
    NotCanonical,
    /// More than `SIZE_MAX` bytes.
    #[error("longer than a document may be")]
    TooLong,
}

/// Writes a value.
///
/// # Errors
/// When the value is outside the restricted set or too long.
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let value = serde_json::to_value(value).map_err(|_| CanonicalError::Unwritable)?;
    let mut out = Vec::new();
    write(&value, &mut out)?;
    if out.len() > SIZE_MAX {
        return Err(CanonicalError::TooLong);
    }
    Ok(out)
}

/// Places of a value that no document may hold, each with what is wrong, as in `streams[0].name`. For who writes one:
/// what was written before is read as it is.
pub(super) fn excesses<T: Serialize>(value: &T) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::to_value(value) {
        exceeds(&value, "", &mut found);
    }
    if found.is_empty() && to_bytes(value) == Err(CanonicalError::TooLong) {
        found.push((String::new(), "the document is longer than 1 MiB"));
    }
    found
}

fn exceeds(value: &Value, at: &str, found: &mut Vec<(String, &'static str)>) {
    if found.len() >= EXCESSES_MAX {
        return;
    }
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match value {
        Value::Number(number) => {
            let size = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
            if size.is_none_or(|size| size > INTEGER_MAX) {
                found.push((at.to_owned(), "is an integer of at most 9007199254740991"));
            }
        }
        Value::String(text) if text.chars().count() > TEXT_MAX => {
            found.push((at.to_owned(), "has at most 65536 characters"));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| exceeds(item, &format!("{at}[{index}]"), found));
        }
        Value::Object(members) => {
            for (name, member) in members {
                if !name.is_ascii() || name.len() > NAME_MAX {
                    found.push((at.to_owned(), "has a name that is not ASCII, or longer than 200 characters"));
                } else {
                    exceeds(member, &below(name), found);
                }
            }
        }
        Value::String(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// Reads a value from its canonical form and from nothing else.
///
/// # Errors
/// When the bytes are too long, not of the shape, or not canonical.
pub fn from_bytes<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CanonicalError> {
    if bytes.len() > SIZE_MAX {
        return Err(CanonicalError::TooLong);
    }
    let value: T = serde_json::from_slice(bytes).map_err(|error| CanonicalError::Shape { column: error.column() })?;
    // A doubled name, another order, white space or a needless escape all show here.
    if to_bytes(&value)? != bytes {
        return Err(CanonicalError::NotCanonical);
    }
    Ok(value)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match value {
        Value::Null => return Err(CanonicalError::Null),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => write_object(members, out)?,
    }
    Ok(())
}

/// RFC 8785 §3.2.2.3: an integer has no sign for zero, no fraction, no exponent.
fn write_number(number: &Number, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    let size = number.as_i64().map(i64::unsigned_abs).or(number.as_u64()).ok_or(CanonicalError::Number)?;
    if size > INTEGER_MAX {
        return Err(CanonicalError::Number);
    }
    out.extend_from_slice(number.to_string().as_bytes());
    Ok(())
}

/// RFC 8785 §3.2.3: by UTF-16 code units, which for ASCII is the order of bytes. Sorted here, whatever order the map
/// has, because another crate may switch serde_json's map to order of insertion.
fn write_object(members: &Map<String, Value>, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    out.push(b'{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if !name.is_ascii() {
            return Err(CanonicalError::Name);
        }
        if index > 0 {
            out.push(b',');
        }
        write_string(name, out);
        out.push(b':');
        write(value, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// RFC 8785 §3.2.2.2: two-letter escapes where JSON has them, `\u00xx` in small letters for other control characters,
/// everything else as it is.
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0x00..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// A SHA-256, in documents and before people as 64 small hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sha256(pub [u8; 32]);

/// Not 64 small hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a SHA-256 in 64 small hexadecimal digits")]
pub struct NotASha256;

impl Sha256 {
    /// Of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()) {
            *to = *from;
        }
        Self(hash)
    }

    /// From 64 small hexadecimal digits.
    ///
    /// # Errors
    /// `NotASha256`.
    pub fn from_hex(text: &str) -> Result<Self, NotASha256> {
        let digits = text.as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 64 {
            return Err(NotASha256);
        }
        for (to, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let &[high, low] = pair else { return Err(NotASha256) };
            *to = nibble(high)? << 4 | nibble(low)?;
        }
        Ok(Self(hash))
    }
}

const fn nibble(digit: u8) -> Result<u8, NotASha256> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(NotASha256),
    }
}

impl std::fmt::Display for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<Sha256> for String {
    fn from(hash: Sha256) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for Sha256 {
    type Error = NotASha256;

    fn try_from(text: String) -> Result<Self, NotASha256> {
        Self::from_hex(&text)
    }
}
