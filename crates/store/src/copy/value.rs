//! Rows as both engines keep them, and their canonical form.
//!
//! Canonical: the table's name; then for each row, by its primary key, each compared column as a tag (what it is), its
//! length where that is not known, and its octets. Two tables with one hash hold the same rows.

use super::tables::{Column, Table};
use crate::error::{Error, Result};
use aws_lc_rs::digest;
use bytes::BytesMut;
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::error::Error as Fault;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// What a column of a row holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// Nothing.
    Null,
    /// A number.
    Integer(i64),
    /// A word.
    Text(String),
    /// Octets.
    Octets(Vec<u8>),
}

/// A row: a value for each column of its table, in the order of [`Table::columns`].
pub(super) type Row = Vec<Value>;

impl Value {
    /// How much memory it takes, about.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) => 8,
            Self::Text(text) => text.len(),
            Self::Octets(octets) => octets.len(),
        }
    }
}

/// How much memory a row takes, about.
pub(super) fn weight(row: &[Value]) -> usize {
    row.iter().map(Value::weight).sum()
}

/// The number in a column.
pub(super) fn integer(table: &'static Table, row: &[Value], name: &'static str) -> Result<i64> {
    match at(table, row, name) {
        Some(Value::Integer(value)) => Ok(*value),
        _ => Err(Error::Row { column: name }),
    }
}

/// The word in a column.
pub(super) fn text<'r>(table: &'static Table, row: &'r [Value], name: &'static str) -> Result<&'r str> {
    match at(table, row, name) {
        Some(Value::Text(value)) => Ok(value),
        _ => Err(Error::Row { column: name }),
    }
}

/// The octets in a column.
pub(super) fn octets<'r>(table: &'static Table, row: &'r [Value], name: &'static str) -> Result<&'r [u8]> {
    match at(table, row, name) {
        Some(Value::Octets(value)) => Ok(value),
        _ => Err(Error::Row { column: name }),
    }
}

fn at<'r>(table: &'static Table, row: &'r [Value], name: &str) -> Option<&'r Value> {
    row.get(table.place(name)?)
}

/// Puts a value in the place of another.
pub(super) fn set(table: &'static Table, row: &mut [Value], name: &'static str, value: Value) -> Result<()> {
    let place = table.place(name).and_then(|place| row.get_mut(place)).ok_or(Error::Row { column: name })?;
    *place = value;
    Ok(())
}

/// The hash of a table that is read row by row.
pub(super) struct TableHash {
    columns: &'static [Column],
    context: digest::Context,
    /// Rows so far.
    pub(super) rows: u64,
}

impl TableHash {
    pub(super) fn new(table: &'static Table) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        put(&mut context, b'h', table.name.as_bytes());
        Self { columns: table.columns, context, rows: 0 }
    }

    pub(super) fn add(&mut self, row: &[Value]) {
        for (_, value) in self.columns.iter().zip(row).filter(|(column, _)| column.compared) {
            match value {
                Value::Null => self.context.update(b"n"),
                Value::Integer(value) => {
                    self.context.update(b"i");
                    self.context.update(&value.to_be_bytes());
                }
                Value::Text(text) => put(&mut self.context, b't', text.as_bytes()),
                Value::Octets(octets) => put(&mut self.context, b'o', octets),
            }
        }
        self.rows += 1;
    }

    pub(super) fn finish(self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.context.finish().as_ref());
        hash
    }
}

fn put(context: &mut digest::Context, tag: u8, octets: &[u8]) {
    context.update(&[tag]);
    context.update(&(octets.len() as u64).to_be_bytes());
    context.update(octets);
}

/// A key as the state of a copy keeps it.
pub(super) fn key_to_octets(key: &[Value]) -> Vec<u8> {
    let mut out = Vec::with_capacity(32);
    for value in key {
        match value {
            Value::Null => out.push(b'n'),
            Value::Integer(value) => {
                out.push(b'i');
                out.extend_from_slice(&value.to_be_bytes());
            }
            Value::Text(text) => part(&mut out, b't', text.as_bytes()),
            Value::Octets(octets) => part(&mut out, b'o', octets),
        }
    }
    out
}

fn part(out: &mut Vec<u8>, tag: u8, octets: &[u8]) {
    out.push(tag);
    out.extend_from_slice(&(octets.len() as u64).to_be_bytes());
    out.extend_from_slice(octets);
}

/// Reads what [`key_to_octets`] wrote.
pub(super) fn key_from_octets(mut octets: &[u8]) -> Result<Vec<Value>> {
    const MALFORMED: Error = Error::Row { column: "copy_state.last" };
    let mut key = Vec::new();
    while let Some((tag, rest)) = octets.split_first() {
        let (number, rest) = match (*tag, rest.split_first_chunk::<8>()) {
            (b'n', _) => (0, rest),
            (_, Some((number, rest))) => (i64::from_be_bytes(*number), rest),
            (_, None) => return Err(MALFORMED),
        };
        let long = usize::try_from(number).unwrap_or(usize::MAX);
        let (value, rest) = match (*tag, rest.split_at_checked(long)) {
            (b'n', _) => (Value::Null, rest),
            (b'i', _) => (Value::Integer(number), rest),
            (b't', Some((text, rest))) => (Value::Text(String::from_utf8(text.to_vec()).map_err(|_| MALFORMED)?), rest),
            (b'o', Some((octets, rest))) => (Value::Octets(octets.to_vec()), rest),
            _ => return Err(MALFORMED),
        };
        key.push(value);
        octets = rest;
    }
    Ok(key)
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
    fn column_result(value: ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        Ok(match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(value) => Self::Integer(value),
            ValueRef::Text(_) => Self::Text(value.as_str()?.to_owned()),
            ValueRef::Blob(octets) => Self::Octets(octets.to_vec()),
            ValueRef::Real(_) => return Err(rusqlite::types::FromSqlError::InvalidType),
        })
    }
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Fault + Sync + Send>> {
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
    fn from_sql(kind: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Fault + Sync + Send>> {
        match *kind {
            Type::INT8 => i64::from_sql(kind, raw).map(Self::Integer),
            Type::TEXT => String::from_sql(kind, raw).map(Self::Text),
            _ => Ok(Self::Octets(raw.to_vec())),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Fault + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        <Self as ToSql>::accepts(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_as_it_was_written_and_nothing_else_is() {
        let key = vec![
            Value::Integer(-7),
            Value::Text("scope".into()),
            Value::Octets(vec![0, 1, 255]),
            Value::Null,
            Value::Octets(Vec::new()),
        ];
        let octets = key_to_octets(&key);
        assert_eq!(key_from_octets(&octets).unwrap(), key);
        assert_eq!(key_from_octets(&[]).unwrap(), Vec::new());
        for cut in [1, 5, 9, 10, 12, octets.len() - 1] {
            assert!(key_from_octets(&octets[..cut]).map_or(true, |read| read != key), "cut at {cut}");
        }
        assert!(key_from_octets(b"x00000000").is_err());
    }

    #[test]
    fn what_differs_hashes_differently() {
        let table = super::super::tables::TABLES.iter().find(|table| table.name == "stream").unwrap();
        let row = |name: &str, kind: &str| {
            vec![
                Value::Integer(1),
                Value::Integer(2),
                Value::Text(name.into()),
                Value::Text(kind.into()),
                Value::Text(String::new()),
            ]
        };
        let hash = |rows: &[Row]| {
            let mut hash = TableHash::new(table);
            rows.iter().for_each(|row| hash.add(row));
            hash.finish()
        };
        let all = [
            hash(&[]),
            hash(&[row("ab", "c")]),
            hash(&[row("a", "bc")]),
            hash(&[row("ab", "c"), row("ab", "c")]),
            hash(&[vec![Value::Null, Value::Integer(2), Value::Null, Value::Null, Value::Null]]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one));
        }
        assert_eq!(hash(&[row("ab", "c")]), hash(&[row("ab", "c")]));
    }
}
