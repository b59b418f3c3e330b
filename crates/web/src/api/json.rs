//! Strict JSON: unknown, missing, doubled and ill-typed fields are refused, lists and maps are counted while they are
//! read, and what is said about a fault names the field and never repeats its content.
//!
//! Standards: RFC 8259; RFC 7493 §2.3 (no name twice in an object, which RFC 8259 §4 leaves open).

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::problem::Problem;

mod bounded;
#[cfg(test)]
mod tests;

pub(crate) use bounded::{Anything, Content, Email, Fields, Line, Lines, Metadata, Pairs, Text, Word};

/// Reads one value that fills the whole text.
pub(crate) fn parse<T: DeserializeOwned>(octets: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(octets);
    match serde_path_to_error::deserialize(&mut reader) {
        Ok(value) => match reader.end() {
            Ok(()) => Ok(value),
            Err(error) => Err(problem("", &error)),
        },
        Err(error) => Err(problem(&error.path().to_string(), error.inner())),
    }
}

/// A list of at most `MAX` entries; `null` is an empty one.
pub(crate) fn list<'de, D, T, const MAX: usize>(reader: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct List<T, const MAX: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a list")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(entry) = entries.next_element()? {
                if all.len() == MAX {
                    return Err(serde::de::Error::custom(format_args!("{LIMIT}at most {MAX} entries are taken")));
                }
                all.push(entry);
            }
            Ok(all)
        }
    }

    reader.deserialize_any(List::<T, MAX>(PhantomData))
}

/// An object of at most `MAX` strings, in the order given, no name twice; `null` is an empty one.
pub(crate) fn pairs<'de, D, const MAX: usize>(reader: D) -> Result<Vec<(String, String)>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Pairs<const MAX: usize>;

    impl<'de, const MAX: usize> Visitor<'de> for Pairs<MAX> {
        type Value = Vec<(String, String)>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("an object whose values are strings")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut all: Vec<(String, String)> = Vec::new();
            while let Some((name, value)) = entries.next_entry::<String, String>()? {
                if all.len() == MAX {
                    return Err(serde::de::Error::custom(format_args!("{LIMIT}at most {MAX} entries are taken")));
                }
                if all.iter().any(|(earlier, _)| *earlier == name) {
                    return Err(serde::de::Error::custom(format_args!("{LIMIT}a name occurs twice")));
                }
                all.push((name, value));
            }
            Ok(all)
        }
    }

    reader.deserialize_any(Pairs::<MAX>)
}

/// Marks texts of our own among those of the reader.
const LIMIT: &str = "limit: ";
/// Longest name of a field that is repeated in an answer.
const NAME_CHARACTERS_MAX: usize = 64;

/// What is wrong, and at which name (as given), without any value: the reader's own texts quote values, and a value
/// may be an address.
fn without_content(error: &serde_json::Error) -> (Option<String>, String) {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let full = error.to_string();
    let text = full.strip_suffix(&place).unwrap_or(&full);
    if error.classify() != Category::Data {
        // Of the text's form, not of its content.
        return (None, format!("the body is not valid JSON: {text}{place}"));
    }
    if let Some(own) = text.strip_prefix(LIMIT) {
        return (None, own.to_owned());
    }
    for (start, say) in [
        ("unknown field `", "unknown field"),
        ("duplicate field `", "given twice: field"),
        ("missing field `", "missing field"),
    ] {
        if let Some(rest) = text.strip_prefix(start) {
            let name = rest.split('`').next().unwrap_or_default();
            return (Some(name.to_owned()), format!("{say} `{}`", printable(name)));
        }
    }
    // `invalid type: string "…", expected a list`: what is expected is ours, what stands before it is not.
    match text.rsplit_once("expected ") {
        Some((_, expected)) => (None, format!("expected {expected}")),
        None => (None, "not what is expected here".to_owned()),
    }
}

/// A name, cut and cleared of what could disturb a terminal, or be an address.
fn printable(name: &str) -> String {
    name.chars()
        .take(NAME_CHARACTERS_MAX)
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '?' })
        .collect()
}

/// The path without names that the client made up: header names and metadata may hold anything.
fn path_of(path: &str) -> String {
    let mut kept = Vec::new();
    for part in path.split('.') {
        // Our own names are small letters; `to[0]` carries an index.
        let ours = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'[' | b']');
        if part.is_empty() || !part.bytes().all(ours) {
            break;
        }
        kept.push(part);
        if matches!(part, "headers" | "metadata") {
            break;
        }
    }
    kept.join(".")
}

/// The fault at `path`, or at a name below it. The path of an unknown name ends in it already.
fn problem(path: &str, error: &serde_json::Error) -> Problem {
    let (name, detail) = without_content(error);
    let Some(name) = name else { return Problem::field(path_of(path), detail) };
    let parent = path_of(path.strip_suffix(name.as_str()).unwrap_or(path));
    let name = printable(&name);
    let field = if parent.is_empty() { name } else { format!("{parent}.{name}") };
    Problem::field(field, detail)
}
