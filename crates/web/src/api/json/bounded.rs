//! Strings and objects that are counted while they are read, and that say their bound in the OpenAPI document.
//!
//! Invariants: every string, list and object of a request type is one of these or of [`super::list`]; a test walks the
//! document and fails at one that has no bound.

use std::fmt;
use std::ops::Deref;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{LIMIT, pairs};

/// A string of at most `MAX` characters.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Text<const MAX: usize>(String);

/// An address (RFC 5321 §4.5.3.1 allows fewer).
pub(crate) type Email = Text<320>;
/// A name, an id, a word.
pub(crate) type Word = Text<200>;
/// A line of text.
pub(crate) type Line = Text<1_000>;
/// Some lines.
pub(crate) type Lines = Text<4_000>;
/// A text that a message or document is made of; the body's own limit is the narrower one.
pub(crate) type Content = Text<{ crate::api::body::OCTETS_MAX }>;
/// At most 50 header fields.
pub(crate) type Fields = Pairs<50, 10_000>;
/// At most 100 words of the client's own.
pub(crate) type Metadata = Pairs<100, 10_240>;

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> From<Text<MAX>> for String {
    fn from(text: Text<MAX>) -> Self {
        text.0
    }
}

/// What we say ourselves is as long as it is.
impl<const MAX: usize> From<String> for Text<MAX> {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// How long it is; what it says may be an address.
impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Text({})", self.0.len())
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Read<const MAX: usize>;

        impl<const MAX: usize> Visitor<'_> for Read<MAX> {
            type Value = Text<MAX>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                if text.len() > MAX && text.chars().count() > MAX {
                    return Err(E::custom(format_args!("{LIMIT}has at most {MAX} characters")));
                }
                Ok(Text(text.to_owned()))
            }
        }

        reader.deserialize_str(Read::<MAX>)
    }
}

impl<const MAX: usize> PartialSchema for Text<MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).max_length(Some(MAX)).into()
    }
}

impl<const MAX: usize> ToSchema for Text<MAX> {
    fn name() -> Cow<'static, str> {
        format!("Text{MAX}").into()
    }
}

/// An object of at most `COUNT` strings of at most `MAX` characters each, in the order given, no name twice.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Pairs<const COUNT: usize, const MAX: usize>(pub(crate) Vec<(String, String)>);

impl<'de, const COUNT: usize, const MAX: usize> Deserialize<'de> for Pairs<COUNT, MAX> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let all = pairs::<D, COUNT>(reader)?;
        if all.iter().any(|(name, value)| name.len() > MAX || value.chars().count() > MAX) {
            return Err(D::Error::custom(format_args!("{LIMIT}a value has at most {MAX} characters")));
        }
        Ok(Self(all))
    }
}

impl<const COUNT: usize, const MAX: usize> PartialSchema for Pairs<COUNT, MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Object))
            .max_properties(Some(COUNT))
            .additional_properties(Some(AdditionalProperties::RefOr(Text::<MAX>::schema())))
            .into()
    }
}

impl<const COUNT: usize, const MAX: usize> ToSchema for Pairs<COUNT, MAX> {
    fn name() -> Cow<'static, str> {
        format!("Strings{COUNT}x{MAX}").into()
    }
}

/// An object of whatever a client likes to say: at most [`Anything::MEMBERS_MAX`] members, and
/// [`Anything::OCTETS_MAX`] octets of JSON in all.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Anything(pub(crate) Map<String, Value>);

impl Anything {
    /// Members of the object.
    pub(crate) const MEMBERS_MAX: usize = 32;
    /// Octets of it as JSON.
    pub(crate) const OCTETS_MAX: usize = 4 * 1_024;
}

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let all = Map::deserialize(reader)?;
        let (members, octets) = (Self::MEMBERS_MAX, Self::OCTETS_MAX);
        if all.len() > members || serde_json::to_string(&all).map_err(D::Error::custom)?.len() > octets {
            let said = format_args!("{LIMIT}has at most {members} members, and {octets} octets as JSON");
            return Err(D::Error::custom(said));
        }
        Ok(Self(all))
    }
}

impl PartialSchema for Anything {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Object))
            .max_properties(Some(Self::MEMBERS_MAX))
            .description(Some("At most 4 KiB as JSON"))
            .into()
    }
}

impl ToSchema for Anything {
    fn name() -> Cow<'static, str> {
        "Anything".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_its_characters_and_not_one_more() {
        let read = |text: &str| crate::api::json::parse::<Text<3>>(format!("\"{text}\"").as_bytes()).is_ok();
        assert!(read("") && read("abc") && read("äöü"));
        assert!(!read("abcd") && !read("äöüß"));
    }

    #[test]
    fn an_object_has_its_members_and_each_its_length() {
        let read = |text: &str| crate::api::json::parse::<Pairs<2, 3>>(text.as_bytes()).is_ok();
        assert!(read("{}") && read(r#"{"a":"abc","b":""}"#));
        assert!(!read(r#"{"a":"","b":"","c":""}"#) && !read(r#"{"a":"abcd"}"#) && !read(r#"{"abcd":""}"#));
    }

    #[test]
    fn what_a_client_likes_to_say_is_counted_too() {
        let read = |text: &str| crate::api::json::parse::<Anything>(text.as_bytes()).is_ok();
        let members = |count: usize| {
            let all: Map<String, Value> = (0..count).map(|at| (at.to_string(), at.into())).collect();
            Value::Object(all).to_string()
        };
        assert!(read(&members(32)) && !read(&members(33)));
        assert!(!read(&format!("{{\"a\":\"{}\"}}", "x".repeat(5_000))));
    }
}
