//! Columns as the rows of the engine have them: every integer is a BIGINT, every moment its microseconds.

use super::db::{Fault, column};
use crate::engine::SlotRef;
use crate::error::{Error, Result};
use model::Timestamp;
use tokio_postgres::Row;

/// A number that fits its type.
pub(super) fn number<T: TryFrom<i64>>(row: &Row, at: usize, name: &'static str) -> Result<T, Fault> {
    T::try_from(column::<i64>(row, at, name)?).map_err(|_| Fault::Final(Error::Row { column: name }))
}

/// The same, where there may be none.
pub(super) fn number_if_any<T: TryFrom<i64>>(row: &Row, at: usize, name: &'static str) -> Result<Option<T>, Fault> {
    let found: Option<i64> = column(row, at, name)?;
    found.map(|found| T::try_from(found).map_err(|_| Fault::Final(Error::Row { column: name }))).transpose()
}

/// So many octets.
pub(super) fn octets<const N: usize>(row: &Row, at: usize, name: &'static str) -> Result<[u8; N], Fault> {
    <[u8; N]>::try_from(column::<&[u8]>(row, at, name)?).map_err(|_| Fault::Final(Error::Row { column: name }))
}

/// A moment.
pub(super) fn moment(row: &Row, at: usize, name: &'static str) -> Result<Timestamp, Fault> {
    column(row, at, name).map(Timestamp::from_micros)
}

/// A moment, where there may be none.
pub(super) fn moment_if_any(row: &Row, at: usize, name: &'static str) -> Result<Option<Timestamp>, Fault> {
    Ok(column::<Option<i64>>(row, at, name)?.map(Timestamp::from_micros))
}

/// A slot, of two columns.
pub(super) fn slot_at(row: &Row, at: usize, name: &'static str) -> Result<SlotRef, Fault> {
    Ok(SlotRef { block: column(row, at, name)?, slot: number(row, at + 1, name)? })
}

/// A count or index as a column has it.
pub(super) fn signed(value: u64, name: &'static str) -> Result<i64, Fault> {
    i64::try_from(value).map_err(|_| Fault::Final(Error::Row { column: name }))
}

/// A limit as a statement takes it.
pub(super) fn limit(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
