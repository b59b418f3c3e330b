//! Rows as both engines keep them, and their canonical form.
//!
//! Canonical: the table's name; then for each row, by its primary key, each compared column as a tag (what it is), its
//! length where that is not known, and its octets. Two tables with one hash hold the same rows.

use super::tables::{Column, Table};
use crate::error::{Error, Result};
pub(super) use crate::value::Value;
use aws_lc_rs::digest;

/// A row: a value for each column of its table, in the order of [`Table::columns`].
pub(super) type Row = Vec<Value>;

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
