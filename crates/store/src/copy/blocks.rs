//! Blocks of persons' secrets: on SQLite one row of 256 slots of one width, in a copy a row a slot.
//!
//! Invariants: a block is read and written whole; a slot of zeros, a destroyed one, stays one.

use super::side::{PageLimit, Result};
use super::value::{Row, Value};
use crate::error::Error;
use crate::sqlite::bare::fault_of;
use rusqlite::{Connection, params};

/// Slots of a block.
pub(super) const SLOTS: usize = 256;

/// Whole blocks above the one of the last key.
pub(super) fn page(connection: &Connection, after: &[Value], limit: PageLimit) -> Result<Vec<Row>> {
    let last = match after.first() {
        Some(Value::Integer(block)) => *block,
        _ => i64::MIN,
    };
    let blocks = i64::try_from(limit.rows.div_ceil(SLOTS).max(1)).unwrap_or(i64::MAX);
    let text = "SELECT block, controller, sealed FROM subject_block WHERE block > ?1 ORDER BY block LIMIT ?2";
    let mut statement = connection.prepare_cached(text).map_err(fault_of)?;
    let mut rows = statement.query(params![last, blocks]).map_err(fault_of)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(fault_of)? {
        let (block, controller): (i64, i64) = (row.get(0).map_err(fault_of)?, row.get(1).map_err(fault_of)?);
        let sealed: Vec<u8> = row.get(2).map_err(fault_of)?;
        if sealed.is_empty() || !sealed.len().is_multiple_of(SLOTS) {
            return Err(Error::Row { column: "subject_block.sealed" }.into());
        }
        found.extend((0..).zip(sealed.chunks_exact(sealed.len() / SLOTS)).map(|(slot, sealed)| {
            vec![
                Value::Integer(block),
                Value::Integer(slot),
                Value::Integer(controller),
                Value::Octets(sealed.to_vec()),
            ]
        }));
    }
    Ok(found)
}

/// Writes whole blocks.
pub(super) fn write(connection: &Connection, rows: &[Row]) -> Result<()> {
    let text = "INSERT INTO subject_block (block, controller, sealed) VALUES (?1, ?2, ?3)";
    let mut statement = connection.prepare_cached(text).map_err(fault_of)?;
    for slots in rows.chunks(SLOTS) {
        let (block, controller, sealed) = whole(slots).ok_or(Error::Row { column: "subject_block.slot" })?;
        statement.execute(params![block, controller, sealed]).map_err(fault_of)?;
    }
    Ok(())
}

/// One block of its slots: all of them, in order, of one width, of one controller.
fn whole(slots: &[Row]) -> Option<(i64, i64, Vec<u8>)> {
    let [Value::Integer(block), _, Value::Integer(controller), Value::Octets(first)] = slots.first()?.as_slice() else {
        return None;
    };
    let mut sealed = Vec::with_capacity(first.len() * SLOTS);
    for (number, row) in (0_i64..).zip(slots) {
        let [one, Value::Integer(slot), whose, Value::Octets(octets)] = row.as_slice() else { return None };
        let fits = *one == Value::Integer(*block) && *whose == Value::Integer(*controller) && *slot == number;
        if !fits || octets.len() != first.len() {
            return None;
        }
        sealed.extend_from_slice(octets);
    }
    (slots.len() == SLOTS && !first.is_empty()).then_some((*block, *controller, sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(block: i64) -> Vec<Row> {
        let row = |slot: i64| {
            let octet = u8::try_from(slot).unwrap();
            vec![Value::Integer(block), Value::Integer(slot), Value::Integer(7), Value::Octets(vec![octet; 3])]
        };
        (0..256).map(row).collect()
    }

    #[test]
    fn only_a_whole_block_is_one() {
        let (block, controller, sealed) = whole(&slots(5)).unwrap();
        assert_eq!((block, controller, sealed.len(), sealed[0], sealed[767]), (5, 7, 768, 0, 255));
        let damaged: [fn(&mut Vec<Row>); 6] = [
            |rows| drop(rows.pop()),
            |rows| drop(rows.remove(0)),
            |rows| rows.swap(3, 4),
            |rows| rows[9][0] = Value::Integer(6),
            |rows| rows[9][2] = Value::Integer(8),
            |rows| rows[9][3] = Value::Octets(vec![1; 4]),
        ];
        for (number, damage) in damaged.iter().enumerate() {
            let mut rows = slots(5);
            damage(&mut rows);
            assert!(whole(&rows).is_none(), "{number}");
        }
        assert!(whole(&[]).is_none());
    }
}
