//! Writing single header fields: folding, dates, message ids, and the refusal of injected lines.

use crate::header::{LINE_OCTETS_MAX, is_field_name};

/// RFC 5322 §2.1.1: lines should be of 78 octets at most.
pub const FOLD_OCTETS: usize = 78;

/// Why a field cannot be written. The text names the field, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// The name is no field name.
    #[error("a header field's name must be 1 to 76 printable ASCII characters without colon")]
    Name,
    /// The value has CR, LF, NUL, another control character or an octet above 127.
    #[error("the value of the field {field} contains a line break, control or non-ASCII character")]
    Value {
        /// Name of the field.
        field: String,
    },
    /// A word of the value is longer than a line can be.
    #[error("the value of the field {field} has a word longer than a line of 998 octets")]
    TooLong {
        /// Name of the field.
        field: String,
    },
    /// Not `left@right` in printable ASCII.
    #[error("a message id must be `left@right` in printable ASCII without spaces and angle brackets")]
    MessageId,
}

/// Appends `name: value` with folding and CRLF. White space at the ends of the value is cut; inside, unfolding gives
/// the value back exactly.
///
/// # Errors
/// A name or value that would not be one field, such as one with a line break.
pub fn append_field(name: &str, value: &str, out: &mut Vec<u8>) -> Result<(), FieldError> {
    if !value.is_ascii() {
        return Err(FieldError::Value { field: name.to_owned() });
    }
    append_international_field(name, value, out)
}

/// The same for a value that may hold characters outside ASCII (RFC 6532 §3.2), such as an address.
///
/// # Errors
/// As [`append_field`].
pub fn append_international_field(name: &str, value: &str, out: &mut Vec<u8>) -> Result<(), FieldError> {
    if !is_field_name(name.as_bytes()) {
        return Err(FieldError::Name);
    }
    // A CR or LF here would begin another field: the classic injection by way of a subject or a name.
    let breaks = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
    if value.chars().any(breaks) {
        return Err(FieldError::Value { field: name.to_owned() });
    }
    let rollback = out.len();
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut column = name.len() + 1;
    let mut rest = value.trim_ascii();
    let mut space: &str = " ";
    while !rest.is_empty() {
        let end = rest.find([' ', '\t']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        // Fold before the white space, so that a line never consists of white space only.
        if column + space.len() + word.len() > FOLD_OCTETS && column > name.len() + 1 {
            out.extend_from_slice(b"\r\n");
            column = 0;
        }
        column += space.len() + word.len();
        if column > LINE_OCTETS_MAX {
            out.truncate(rollback);
            return Err(FieldError::TooLong { field: name.to_owned() });
        }
        out.extend_from_slice(space.as_bytes());
        out.extend_from_slice(word.as_bytes());
        let next = after.len() - after.trim_ascii_start().len();
        (space, rest) = after.split_at(next);
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Whether `id` can be a message id (RFC 5322 §3.6.4) without its angle brackets.
#[must_use]
pub fn is_message_id(id: &str) -> bool {
    let plain = id.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'(' | b')' | b'"' | b'\\'));
    let sided =
        id.split_once('@').is_some_and(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains('@'));
    plain && sided && id.len() <= MESSAGE_ID_OCTETS_MAX
}

/// Room for a local part, an `@` and a domain; everything that stores ids relies on a bound.
const MESSAGE_ID_OCTETS_MAX: usize = 320;

/// `<id>`
pub(crate) fn bracketed_message_id(id: &str) -> Result<String, FieldError> {
    if is_message_id(id) { Ok(format!("<{id}>")) } else { Err(FieldError::MessageId) }
}

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// RFC 5322 §3.3 date and time in UTC, from seconds since 1970: `Sun, 22 Nov 2026 10:11:04 +0000`.
///
/// The grammar has years of four digits; a later time is written as the last second of 9999.
#[must_use]
pub fn rfc5322_date(unix_s: u64) -> String {
    let unix_s = unix_s.min(LAST_SECOND_OF_9999);
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    // Calendar arithmetic in years that begin on 1 March, so that the leap day is the last of its year, and in eras of
    // 400 years, after which the Gregorian calendar repeats.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month_index = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + u64::from(month_index < 2);
    let name = |names: &[&'static str], index: u64| {
        usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
    };
    format!(
        "{}, {day} {} {year} {:02}:{:02}:{:02} +0000",
        name(&WEEKDAYS, days % 7),
        name(&MONTHS, month_index),
        second / 3600,
        second / 60 % 60,
        second % 60,
    )
}

const LAST_SECOND_OF_9999: u64 = 253_402_300_799;
