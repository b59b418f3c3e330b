//! Values as both engines keep them: a number, a word, octets, or nothing.

use crate::error::{Error, Result};
use bytes::BytesMut;
use model::Timestamp;
use rusqlite::types::{FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use std::error::Error as Fault;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// What a column of a row holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing.
    Null,
    /// A number.
    Integer(i64),
    /// A word.
    Text(String),
    /// Octets.
    Octets(Vec<u8>),
}

impl Value {
    /// How much memory it takes, about.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) => 8,
            Self::Text(text) => text.len(),
            Self::Octets(octets) => octets.len(),
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Octets(octets) => ValueRef::Blob(octets),
        }))
    }
}

impl rusqlite::types::FromSql for Value {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(value) => Self::Integer(value),
            ValueRef::Text(_) => Self::Text(value.as_str()?.to_owned()),
            ValueRef::Blob(octets) => Self::Octets(octets.to_vec()),
            ValueRef::Real(_) => return Err(FromSqlError::InvalidType),
        })
    }
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Box<dyn Fault + Sync + Send>> {
        match (self, kind) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Integer(value), &Type::INT8) => value.to_sql(kind, out),
            (Self::Text(text), &Type::TEXT) => text.as_str().to_sql(kind, out),
            (Self::Octets(octets), &Type::BYTEA) => octets.as_slice().to_sql(kind, out),
            _ => Err("a value of another kind than its column".into()),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA].contains(kind)
    }

    to_sql_checked!();
}

impl<'r> FromSql<'r> for Value {
    fn from_sql(kind: &Type, raw: &'r [u8]) -> std::result::Result<Self, Box<dyn Fault + Sync + Send>> {
        match *kind {
            Type::INT8 => i64::from_sql(kind, raw).map(Self::Integer),
            Type::TEXT => String::from_sql(kind, raw).map(Self::Text),
            _ => Ok(Self::Octets(raw.to_vec())),
        }
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Box<dyn Fault + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        <Self as ToSql>::accepts(kind)
    }
}

impl std::fmt::Debug for Value {
    /// The kind alone: a value may be a person's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "nothing",
            Self::Integer(_) => "a number",
            Self::Text(_) => "a word",
            Self::Octets(_) => "octets",
        })
    }
}

macro_rules! value_of {
    ($($type:ty => |$value:ident| $made:expr;)+) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $made
            }
        })+
    };
}

value_of! {
    i64 => |value| Self::Integer(value);
    u32 => |value| Self::Integer(i64::from(value));
    Timestamp => |value| Self::Integer(value.micros());
    &str => |value| Self::Text(value.to_owned());
    String => |value| Self::Text(value);
    Vec<u8> => |value| Self::Octets(value);
    [u8; 16] => |value| Self::Octets(value.to_vec());
    [u8; 32] => |value| Self::Octets(value.to_vec());
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Reads a found row column by column, in order. What is of another kind than asked is a row that is not understood.
pub(crate) struct Columns {
    of: &'static str,
    values: std::vec::IntoIter<Value>,
}

impl Columns {
    /// Of a row that a statement of this name found.
    pub(crate) fn of(statement: &'static str, row: Vec<Value>) -> Self {
        Self { of: statement, values: row.into_iter() }
    }

    fn fault<T>(&self) -> Result<T> {
        Err(Error::Row { column: self.of })
    }

    /// A number.
    pub(crate) fn number(&mut self) -> Result<i64> {
        match self.values.next() {
            Some(Value::Integer(value)) => Ok(value),
            _ => self.fault(),
        }
    }

    /// A number that may be absent.
    pub(crate) fn number_if_any(&mut self) -> Result<Option<i64>> {
        match self.values.next() {
            Some(Value::Integer(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => self.fault(),
        }
    }

    /// A moment.
    pub(crate) fn moment(&mut self) -> Result<Timestamp> {
        self.number().map(Timestamp::from_micros)
    }

    /// A moment that may be absent.
    pub(crate) fn moment_if_any(&mut self) -> Result<Option<Timestamp>> {
        Ok(self.number_if_any()?.map(Timestamp::from_micros))
    }

    /// A word.
    pub(crate) fn text(&mut self) -> Result<String> {
        match self.values.next() {
            Some(Value::Text(value)) => Ok(value),
            _ => self.fault(),
        }
    }

    /// A word that may be absent.
    pub(crate) fn text_if_any(&mut self) -> Result<Option<String>> {
        match self.values.next() {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => self.fault(),
        }
    }

    /// Octets.
    pub(crate) fn octets(&mut self) -> Result<Vec<u8>> {
        match self.values.next() {
            Some(Value::Octets(value)) => Ok(value),
            _ => self.fault(),
        }
    }

    /// Octets that may be absent.
    pub(crate) fn octets_if_any(&mut self) -> Result<Option<Vec<u8>>> {
        match self.values.next() {
            Some(Value::Octets(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => self.fault(),
        }
    }

    /// So many octets.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let found = self.octets()?;
        found.try_into().or_else(|_| self.fault())
    }
}
