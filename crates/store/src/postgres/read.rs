//! Reads that are not on the way of a message: one message's record, bodies outside, ids, counters.

use super::db::{Db, Fault, column, glance, many, one};
use super::rows::{moment, number_if_any, octets, slot_at};
use crate::engine::{AttemptRecord, MessageRecord, News};
use crate::error::Result;
use crate::statement::{self as sql, Statement};
use deadpool_postgres::Transaction;
use std::time::Duration;
use tokio_postgres::Row;

/// How long news may take: they are asked for several times a second, and soon again.
const NEWS_MAX: Duration = Duration::from_secs(2);

/// See [`crate::engine::Engine::message`].
pub(super) async fn message(db: &Db, controller: i64, id: i64) -> Result<Option<MessageRecord>> {
    let read: Result<_, Fault> = glance!(db, tx => {
        let Some(row) = one(&tx, &sql::MESSAGE, &[&id, &controller]).await? else { return Ok(None) };
        let attempts = many(&tx, &sql::ATTEMPTS, &[&id, &controller]).await?;
        Ok(Some(MessageRecord {
            id: column(&row, 0, "message.id")?,
            stream: column(&row, 1, "message.stream")?,
            state: column(&row, 2, "message.state")?,
            accepted: moment(&row, 3, "message.accepted")?,
            event: octets(&row, 4, "message.event")?,
            slot: slot_at(&row, 5, "message.slot")?,
            envelope: column(&row, 7, "message.envelope")?,
            rule: column(&row, 8, "message.rule")?,
            purpose: column(&row, 9, "message.purpose")?,
            tag: octets(&row, 10, "message.tag")?,
            attempts: attempts.iter().map(attempt).collect::<Result<_, Fault>>()?,
        }))
    });
    read.map_err(Fault::into_error)
}

fn attempt(row: &Row) -> Result<AttemptRecord, Fault> {
    Ok(AttemptRecord {
        // Below zero: held, which is no attempt.
        attempt: u32::try_from(column::<i64>(row, 0, "attempt.attempt")?).unwrap_or(0),
        at: moment(row, 1, "attempt.ended")?,
        event_word: column(row, 2, "attempt.word")?,
        code: number_if_any(row, 3, "attempt.code")?,
        enhanced: column(row, 4, "attempt.enhanced")?,
        rule: column(row, 5, "attempt.rule")?,
        event: octets(row, 6, "attempt.event")?,
        uncertain: column::<i64>(row, 7, "attempt.uncertain")? != 0,
        transcript: column(row, 8, "attempt.transcript")?,
    })
}

/// See [`crate::engine::Engine::bodies_outside`].
pub(super) async fn bodies_outside(db: &Db, ids: &[i64]) -> Result<Vec<i64>> {
    let read: Result<_, Fault> = glance!(db, tx => { numbers(many(&tx, &sql::BODIES_OUTSIDE, &[&ids]).await?) });
    read.map_err(Fault::into_error)
}

/// See [`crate::engine::Engine::epochs_used`].
pub(super) async fn epochs_used(db: &Db, before: i64) -> Result<Vec<i64>> {
    let read: Result<_, Fault> = glance!(db, tx => { numbers(many(&tx, &sql::EPOCHS_USED, &[&before]).await?) });
    read.map_err(Fault::into_error)
}

/// See [`crate::engine::Engine::last_id`].
pub(super) async fn last_id(db: &Db) -> Result<i64> {
    let read: Result<_, Fault> = glance!(db, tx => { scalar(&tx, &sql::LAST_ID).await });
    read.map_err(Fault::into_error)
}

/// See [`crate::engine::Engine::news`].
pub(super) async fn news(db: &Db) -> Result<News> {
    let read: Result<_, Fault> = glance!(db, within NEWS_MAX, tx => {
        let mut news = News::default();
        for row in many(&tx, &sql::GENERATIONS, &[]).await? {
            let value: i64 = column(&row, 1, "generation.value")?;
            match column(&row, 0, "generation.controller")? {
                super::accounts::ACCOUNTS => news.accounts = value,
                super::accounts::ERASURES => news.erasures = value,
                controller => news.generations.push((controller, value)),
            }
        }
        Ok(news)
    });
    read.map_err(Fault::into_error)
}

/// The one number that a statement answers.
pub(super) async fn scalar(tx: &Transaction<'_>, statement: &Statement) -> Result<i64, Fault> {
    let row = one(tx, statement, &[]).await?;
    Ok(row.map(|row| column(&row, 0, statement.name)).transpose()?.unwrap_or(0))
}

fn numbers(rows: Vec<Row>) -> Result<Vec<i64>, Fault> {
    rows.iter().map(|row| column(row, 0, "id")).collect()
}
