//! Reading the queue: what waits, what is due, what was begun by nodes that are gone, and sealed contents.
//!
//! Each verb is one statement, which needs no transaction around it.

use super::db::{Db, Fault, alone, column};
use super::rows::{limit, moment, number, number_if_any, octets, slot_at};
use crate::engine::{BacklogRow, BodyKey, BodyPlace, BodyRow, ContentRow, QueuedRow, Scope, Seat};
use crate::statement as sql;
use bytes::Bytes;
use model::Timestamp;
use std::collections::HashMap;
use std::time::Duration;
use tokio_postgres::Row;

/// Which lane.
#[derive(Clone, Copy)]
pub(super) struct Lane<'a> {
    pub(super) site: &'a str,
    pub(super) class: u8,
    pub(super) controller: i64,
}

fn parts(of: &Scope) -> Option<Vec<i64>> {
    of.parts.as_ref().map(|parts| parts.iter().copied().map(i64::from).collect())
}

/// See [`crate::engine::Engine::backlog`].
pub(super) async fn backlog(db: &Db, of: &Scope) -> Result<Vec<BacklogRow>, Fault> {
    let rows = alone(db, &sql::BACKLOG_OF, &[&of.from_id, &parts(of)]).await?;
    let read = |row: &Row| {
        Ok(BacklogRow {
            site: column(row, 0, "queue.site")?,
            class: number(row, 1, "queue.class")?,
            controller: column(row, 2, "queue.controller")?,
            due: moment(row, 3, "queue.due")?,
            count: number(row, 4, "queue")?,
        })
    };
    rows.iter().map(read).collect()
}

/// See [`crate::engine::Engine::due`].
pub(super) async fn due(db: &Db, lane: Lane<'_>, now: Timestamp, rows: usize) -> Result<Vec<QueuedRow>, Fault> {
    let (class, now, rows) = (i64::from(lane.class), now.micros(), limit(rows));
    queued(&alone(db, &sql::DUE, &[&lane.site, &class, &lane.controller, &now, &rows]).await?)
}

/// See [`crate::engine::Engine::expired`].
pub(super) async fn expired(
    db: &Db,
    site: &str,
    now: Timestamp,
    before: i64,
    rows: usize,
) -> Result<Vec<QueuedRow>, Fault> {
    queued(&alone(db, &sql::EXPIRED, &[&site, &now.micros(), &before, &limit(rows)]).await?)
}

/// See [`crate::engine::Engine::started`]. A node is asked about its own starts by nobody but itself: they are not
/// among these.
pub(super) async fn started(
    db: &Db,
    seat: Option<Seat>,
    time_to_live: Duration,
    of: &Scope,
    rows: usize,
) -> Result<Vec<QueuedRow>, Fault> {
    // Nodes whose clocks differ must agree on who is alive: by the database's.
    let now: i64 = alone(db, &sql::DATABASE_TIME, &[]).await?.first().map_or(Ok(0), |row| column(row, 0, "clock"))?;
    let living = now.saturating_sub(i64::try_from(time_to_live.as_micros()).unwrap_or(i64::MAX));
    // Incarnations are counted from one.
    let own = seat.map_or(0, |seat| seat.incarnation);
    queued(&alone(db, &sql::STARTED_OF, &[&of.from_id, &parts(of), &own, &living, &limit(rows)]).await?)
}

/// See [`crate::engine::Engine::contents`].
pub(super) async fn contents(db: &Db, ids: &[i64]) -> Result<Vec<Option<ContentRow>>, Fault> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = alone(db, &sql::CONTENTS, &[&ids]).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        found.insert(column::<i64>(row, 0, "message.id")?, row);
    }
    ids.iter().map(|id| found.get(id).map(|row| content(row)).transpose()).collect()
}

fn queued(rows: &[Row]) -> Result<Vec<QueuedRow>, Fault> {
    let read = |row: &Row| {
        Ok(QueuedRow {
            id: column(row, 0, "queue.id")?,
            controller: column(row, 1, "queue.controller")?,
            stream: column(row, 2, "queue.stream")?,
            kind: column(row, 3, "queue.kind")?,
            site: column(row, 4, "queue.site")?,
            tag: octets(row, 5, "queue.tag")?,
            slot: slot_at(row, 6, "queue.slot")?,
            domain: column(row, 8, "queue.domain")?,
            body: column(row, 9, "queue.body")?,
            due: moment(row, 10, "queue.due")?,
            attempts: number(row, 11, "queue.attempts")?,
            accepted: moment(row, 12, "queue.accepted")?,
            expires: moment(row, 13, "queue.expires")?,
            uncertain: column::<i64>(row, 14, "queue.uncertain")? != 0,
            purpose: column(row, 15, "queue.purpose")?,
        })
    };
    rows.iter().map(read).collect()
}

fn content(row: &Row) -> Result<ContentRow, Fault> {
    let key = match number_if_any(row, 7, "body.epoch")? {
        Some(epoch) => BodyKey::Epoch(epoch),
        None => BodyKey::Subject(slot_at(row, 5, "body.slot")?),
    };
    let place = if column::<i64>(row, 8, "body.place")? == 0 { BodyPlace::Row } else { BodyPlace::File };
    Ok(ContentRow {
        envelope: column(row, 1, "message.envelope")?,
        head: column(row, 2, "message.head")?,
        body: BodyRow {
            id: column(row, 3, "body.id")?,
            refs: number(row, 4, "body.refs")?,
            key,
            wrapped: column(row, 9, "body.wrapped")?,
            sealed: Bytes::from(column::<Vec<u8>>(row, 10, "body.sealed")?),
            place,
        },
    })
}
