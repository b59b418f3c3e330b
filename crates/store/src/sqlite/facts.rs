//! Facts about persons: one prepared statement per kind of fact, one read transaction for a whole set.

use crate::engine::{BasisRow, PersonQuery, PersonRow, SlotRef, SuppressionRow};
use crate::error::Result;
use crate::sqlite::query::{fault, one, prepared};
use crate::statement as sql;
use model::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, params};

/// See [`crate::engine::Engine::persons`]. The connection is in a transaction.
pub(super) fn persons(connection: &Connection, queries: &[PersonQuery]) -> Result<Vec<PersonRow>> {
    let mut subjects = prepared(connection, &sql::SUBJECT)?;
    let mut suppressions = prepared(connection, &sql::SUPPRESSIONS)?;
    let mut restrictions = prepared(connection, &sql::RESTRICTION)?;
    let mut bases = prepared(connection, &sql::BASIS)?;
    let mut pauses = prepared(connection, &sql::PAUSED)?;
    let mut mailed = prepared(connection, &sql::MAILED)?;
    let mut persons = Vec::with_capacity(queries.len());
    for query in queries {
        let person = params![query.controller, query.tag];
        let preference = first(&mut pauses, person, |row| Ok((moment_if_any(row, 0)?, row.get(1)?)))?;
        let (paused, pace) = preference.map_or((None, None), |(paused, pace)| (paused, Some(pace)));
        let asked = params![query.controller, query.tag, query.purpose];
        let standing = first(&mut bases, asked, |row| Ok((basis(row, query)?, moment_if_any(row, 8)?)))?;
        let subject = first(&mut subjects, person, |row| Ok((slot(row)?, moment_if_any(row, 2)?)))?;
        persons.push(PersonRow {
            slot: subject.map(|(slot, _)| slot),
            leaving: subject.and_then(|(_, leaving)| leaving),
            suppressions: suppressed(&mut suppressions, query)?,
            restriction: first(&mut restrictions, person, |row| row.get(0))?,
            paused,
            pace,
            mailed: first(&mut mailed, person, |row| Ok((row.get(0)?, row.get(1)?)))?,
            inform: standing.as_ref().and_then(|(_, inform)| *inform),
            basis: standing.map(|(basis, _)| basis),
        });
    }
    Ok(persons)
}

/// A person's secret.
pub(super) fn subject(connection: &Connection, controller: i64, tag: &[u8; 16]) -> Result<Option<SlotRef>> {
    one(connection, &sql::SUBJECT, params![controller, tag], slot)
}

/// See [`crate::engine::Engine::quota_used`].
pub(super) fn quota_used(connection: &Connection, controller: i64, day: i64) -> Result<u64> {
    let used: Option<i64> = one(connection, &sql::QUOTA, params![controller, day], |row| row.get(0))?;
    Ok(unsigned(used.unwrap_or(0)))
}

/// A count as SQLite keeps it; those below zero are never written.
pub(super) const fn unsigned(value: i64) -> u64 {
    if value < 0 { 0 } else { value.unsigned_abs() }
}

/// A moment in a column.
pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

/// A moment in a column that may be empty.
pub(super) fn moment_if_any(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
}

/// A slot in two columns.
pub(super) fn slot_at(row: &Row<'_>, column: usize) -> rusqlite::Result<SlotRef> {
    Ok(SlotRef { block: row.get(column)?, slot: row.get(column + 1)? })
}

fn slot(row: &Row<'_>) -> rusqlite::Result<SlotRef> {
    slot_at(row, 0)
}

fn first<T>(
    statement: &mut CachedStatement<'_>,
    params: impl Params,
    map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>> {
    statement.query_row(params, map).optional().map_err(fault)
}

fn suppressed(statement: &mut CachedStatement<'_>, query: &PersonQuery) -> Result<Vec<SuppressionRow>> {
    let rows = statement.query_map(params![query.controller, query.tag], |row| {
        Ok(SuppressionRow {
            controller: query.controller,
            tag: query.tag,
            scope: row.get(0)?,
            reason: row.get(1)?,
            since: moment(row, 2)?,
            until: moment_if_any(row, 3)?,
            address: None,
        })
    });
    rows.and_then(Iterator::collect).map_err(fault)
}

fn basis(row: &Row<'_>, query: &PersonQuery) -> rusqlite::Result<BasisRow> {
    Ok(BasisRow {
        controller: query.controller,
        tag: query.tag,
        purpose: query.purpose,
        kind: row.get(0)?,
        given: moment(row, 1)?,
        confirmed: moment_if_any(row, 2)?,
        withdrawn: moment_if_any(row, 3)?,
        expires: moment_if_any(row, 4)?,
        evidence: row.get(5)?,
        notice: row.get(6)?,
        batch: row.get(7)?,
    })
}
