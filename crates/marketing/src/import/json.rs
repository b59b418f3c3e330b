//! One JSON object as a row: the values of mapped keys in the places of their columns (RFC 8259).
//!
//! Invariants: a mapped key stands in an object at most once (RFC 8259 §4 leaves open which of two is meant, so the row
//! is malformed); values are text, or what text is plainly made of; others are not understood.
//! Never: an error that repeats a key's value; more unknown keys remembered than [`super::COLUMNS_MAX`].

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::mapping::{Bound, same, tellable_name};
use super::split::Cells;
use super::{CELL_OCTETS_MAX, COLUMNS_MAX, Column, Field, Reason};

/// The keys that are read, and the row that was read last.
pub(super) struct Objects {
    keys: Vec<String>,
    text: String,
    spans: Vec<(usize, usize)>,
    filled: Vec<bool>,
    /// Keys that nobody mapped, as they may be told.
    ignored: Vec<String>,
    flaw: Option<(Option<Column>, Reason)>,
}

impl Objects {
    pub(super) fn new(keys: Vec<String>) -> Self {
        let places = keys.len();
        Self {
            keys,
            text: String::with_capacity(1024),
            spans: vec![(0, 0); places],
            filled: vec![false; places],
            ignored: Vec::new(),
            flaw: None,
        }
    }

    /// Reads one line.
    pub(super) fn read(&mut self, line: &str, bound: &Bound) -> Result<Cells<'_>, (Option<Column>, Reason)> {
        self.text.clear();
        self.spans.fill((0, 0));
        self.filled.fill(false);
        self.flaw = None;
        if !line.trim_start().starts_with('{') {
            return Err((None, Reason::JsonNotObject));
        }
        let mut json = serde_json::Deserializer::from_str(line);
        let read = json.deserialize_map(MappedKeys { objects: self, bound }).and_then(|()| json.end());
        match (self.flaw, read) {
            (Some(flaw), _) => Err(flaw),
            (None, Err(_)) => Err((None, Reason::JsonInvalid)),
            (None, Ok(())) => Ok(Cells { text: &self.text, spans: &self.spans }),
        }
    }

    /// Keys that nobody mapped.
    pub(super) fn ignored(&self) -> &[String] {
        &self.ignored
    }

    fn fail<E: Error>(&mut self, field: Option<Field>, reason: Reason) -> E {
        let column = field.map(|_| Column { number: None, field });
        self.flaw.get_or_insert((column, reason));
        E::custom("row")
    }

    fn ignore(&mut self, key: &str) {
        if self.ignored.len() >= COLUMNS_MAX {
            return;
        }
        let name = tellable_name(self.ignored.len(), key);
        // Keys that are not told stand in the list once.
        let name = if name == key { name } else { "(a key that is not repeated)".to_owned() };
        if !self.ignored.contains(&name) {
            self.ignored.push(name);
        }
    }
}

/// The names of the keys of an object; none if it is no object.
pub(super) fn keys_of(line: &str) -> Vec<String> {
    struct Keys;
    impl<'de> Visitor<'de> for Keys {
        type Value = Vec<String>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut keys = Vec::new();
            while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                if keys.len() < COLUMNS_MAX {
                    keys.push(key);
                }
            }
            Ok(keys)
        }
    }
    serde_json::Deserializer::from_str(line).deserialize_map(Keys).unwrap_or_default()
}

struct MappedKeys<'a> {
    objects: &'a mut Objects,
    bound: &'a Bound,
}

impl<'de> Visitor<'de> for MappedKeys<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let MappedKeys { objects, bound } = self;
        let mut count = 0;
        while let Some(key) = map.next_key_seed(Key)? {
            count += 1;
            if count > COLUMNS_MAX {
                return Err(objects.fail(None, Reason::TooManyCells));
            }
            let Some(place) = objects.keys.iter().position(|known| same(known, &key)) else {
                objects.ignore(&key);
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let field = bound.field_at(place);
            if objects.filled.get(place).copied().unwrap_or(true) {
                return Err(objects.fail(field, Reason::JsonDuplicateKey));
            }
            let start = objects.text.len();
            map.next_value_seed(Value { objects, field })?;
            let end = objects.text.len();
            if end - start > CELL_OCTETS_MAX {
                return Err(objects.fail(field, Reason::CellTooLong));
            }
            if let (Some(span), Some(filled)) = (objects.spans.get_mut(place), objects.filled.get_mut(place)) {
                *span = (start, end);
                *filled = true;
            }
        }
        Ok(())
    }
}

/// A key, borrowed where it needs no unescaping.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// The value of a mapped key, appended to the text of the row.
struct Value<'a> {
    objects: &'a mut Objects,
    field: Option<Field>,
}

impl Value<'_> {
    /// Numbers, `true` and `false` are text only where text is not looked into, and in claims.
    fn plain<E: Error>(self, value: impl fmt::Display) -> Result<(), E> {
        let fits = matches!(self.field, Some(Field::Attribute | Field::Confirmed));
        if fits && write!(self.objects.text, "{value}").is_ok() {
            return Ok(());
        }
        Err(self.objects.fail(self.field, Reason::JsonWrongType))
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        // Other NULs end the reading of the file; this one was written as an escape.
        if text.contains('\0') {
            return Err(self.objects.fail(self.field, Reason::NulCharacter));
        }
        self.objects.text.push_str(text);
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.plain(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.plain(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.plain(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.plain(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.objects.fail(self.field, Reason::JsonWrongType))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.objects.fail(self.field, Reason::JsonWrongType))
    }
}
