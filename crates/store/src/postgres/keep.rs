//! Partitions by time: made ahead, dropped whole when they are old enough. Nothing that grows is cleaned row by row.
//!
//! Invariants: one node at a time, by a lock on the record of migrations; a lock on a table is waited for only
//! briefly, for whoever comes after waits behind it; what was not had now is had at the next call; a partition goes
//! only when no message of its ids waits, and by the database's calendar: one node's wrong clock drops nothing.
//! Texts are made here, of numbers and of the names below: DDL takes no parameters.

use super::db::{Db, Fault, Param, Repeat, alone, column, glance, many, one, transact};
use super::read::scalar;
use crate::error::Result;
use crate::statement as sql;
use deadpool_postgres::Transaction;
use model::Timestamp;
use std::collections::BTreeSet;

const DAY_MICROS: i64 = 86_400_000_000;
const WEEK_MICROS: i64 = 7 * DAY_MICROS;
/// Ids are microseconds times this, and a seat.
const IDS_PER_MICRO: i64 = 1_024;
/// law.md R38: headers and events 90 days.
const MAIL_KEPT_DAYS: i64 = 90;
/// Answers to repeats: at least a day, and the rest of the one in which they were made.
const ANSWERS_KEPT_DAYS: i64 = 2;
/// Weeks made ahead.
const WEEKS_AHEAD: i64 = 4;
/// Days made ahead.
const DAYS_AHEAD: i64 = 3;
/// A message and its body are made within moments; so far apart their ids are at most.
const BODY_APART_IDS: i64 = 3_600 * 1_000_000 * IDS_PER_MICRO;
/// Only one node at a time, and nobody waits long behind us.
const ALONE: &str = "SET LOCAL lock_timeout = '250ms'; LOCK TABLE migration IN SHARE UPDATE EXCLUSIVE MODE";

/// A table that is cut by time.
struct Cut {
    table: &'static str,
    /// The column by which it is cut.
    column: &'static str,
    by: By,
    /// What its partitions are made with.
    with: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// Weeks, of ids.
    Week,
    /// Days, of a number of the day.
    Day,
}

/// Bodies before messages, as they are taken in.
const CUTS: [Cut; 4] = [
    Cut { table: "body", column: "id", by: By::Week, with: "" },
    Cut { table: "message", column: "id", by: By::Week, with: " WITH (fillfactor = 80)" },
    Cut { table: "attempt", column: "message", by: By::Week, with: "" },
    Cut { table: "idempotency", column: "day", by: By::Day, with: "" },
];

impl By {
    /// The number of the unit that a moment is in.
    const fn unit(self, at: Timestamp) -> i64 {
        match self {
            Self::Week => at.micros().div_euclid(WEEK_MICROS),
            Self::Day => at.micros().div_euclid(DAY_MICROS),
        }
    }

    /// Where a unit begins, as the column counts.
    const fn start(self, unit: i64) -> i64 {
        match self {
            Self::Week => unit.saturating_mul(WEEK_MICROS).saturating_mul(IDS_PER_MICRO),
            Self::Day => unit,
        }
    }

    /// The unit that a value of the column is in.
    const fn unit_of(self, value: i64) -> i64 {
        match self {
            Self::Week => value.div_euclid(WEEK_MICROS * IDS_PER_MICRO),
            Self::Day => value,
        }
    }

    /// Units that are needed now and soon.
    const fn needed(self, at: Timestamp) -> std::ops::RangeInclusive<i64> {
        let unit = self.unit(at);
        match self {
            Self::Week => unit..=unit + WEEKS_AHEAD,
            // An answer is looked for, and guarded, under the day before too.
            Self::Day => unit - 1..=unit + DAYS_AHEAD,
        }
    }

    /// Units before this one are old enough.
    const fn oldest_kept(self, now: Timestamp) -> i64 {
        let days = match self {
            Self::Week => MAIL_KEPT_DAYS,
            Self::Day => ANSWERS_KEPT_DAYS,
        };
        self.unit(Timestamp::from_micros(now.micros() - days * DAY_MICROS))
    }

    const fn letter(self) -> char {
        match self {
            Self::Week => 'w',
            Self::Day => 'd',
        }
    }
}

impl Cut {
    fn name(&self, unit: i64) -> String {
        format!("{}_{}{unit}", self.table, self.by.letter())
    }

    /// The unit of a partition of ours; others (the rest, what an operator made) are left alone.
    fn unit(&self, name: &str) -> Option<i64> {
        name.strip_prefix(self.table)?.strip_prefix('_')?.strip_prefix(self.by.letter())?.parse().ok()
    }

    /// Rows that lie in the rest, because they came before their partition, move along.
    fn making(&self, unit: i64) -> String {
        let Self { table, column, with, .. } = self;
        let (name, from, to) = (self.name(unit), self.by.start(unit), self.by.start(unit + 1));
        format!(
            "LOCK TABLE {table}_rest IN ACCESS EXCLUSIVE MODE; \
             CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE){with}; \
             WITH moved AS (DELETE FROM {table}_rest WHERE {column} >= {from} AND {column} < {to} RETURNING *) \
             INSERT INTO {name} SELECT * FROM moved; \
             ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to})"
        )
    }
}

/// See [`crate::engine::Engine::keep`]. A lock that was not had is no failure: there is a next time.
pub(super) async fn keep(db: &Db, now: Timestamp) -> Result<()> {
    make(db, now, now).await?;
    for cut in &CUTS {
        // What came before its partition did, the oldest first.
        if let Some(unit) = oldest_in_rest(db, cut).await? {
            later(make_all(db, cut, &[unit]).await)?;
        }
    }
    let today: Result<i64, Fault> = glance!(db, tx => { scalar(&tx, &sql::DATABASE_TIME).await });
    let today = Timestamp::from_micros(today.map_err(Fault::into_error)?).min(now);
    for cut in &CUTS {
        let old = units(db, cut).await?.into_iter().filter(|unit| *unit < cut.by.oldest_kept(today));
        for unit in old {
            later(drop_one(db, cut, unit).await)?;
        }
    }
    alone(db, &sql::QUOTA_FORGET, &[&(today.utc_day() - 1)]).await.map(drop).map_err(Fault::into_error)
}

/// Makes room for what comes from `from` until some time after `now`.
pub(super) async fn make(db: &Db, from: Timestamp, now: Timestamp) -> Result<()> {
    for cut in &CUTS {
        let (first, last) = (cut.by.needed(from), cut.by.needed(now));
        let there = units(db, cut).await?;
        let missing: Vec<i64> = (*first.start()..=*last.end()).filter(|unit| !there.contains(unit)).collect();
        if !missing.is_empty() {
            later(make_all(db, cut, &missing).await)?;
        }
    }
    Ok(())
}

/// What took too long now is tried again at the next call.
fn later(outcome: Result<(), Fault>) -> Result<()> {
    match outcome {
        Err(Fault::Spent(why)) => {
            tracing::info!(why, "a partition is kept in order later");
            Ok(())
        }
        outcome => outcome.map_err(Fault::into_error),
    }
}

/// The partitions that are there.
async fn units(db: &Db, cut: &Cut) -> Result<BTreeSet<i64>> {
    let read: Result<_, Fault> = glance!(db, tx => { units_in(&tx, cut).await });
    read.map_err(Fault::into_error)
}

async fn units_in(tx: &Transaction<'_>, cut: &Cut) -> Result<BTreeSet<i64>, Fault> {
    let rows = many(tx, &sql::PARTITIONS, &[&cut.table]).await?;
    let names = rows.iter().map(|row| column::<&str>(row, 0, "partition")).collect::<Result<Vec<_>, _>>()?;
    Ok(names.into_iter().filter_map(|name| cut.unit(name)).collect())
}

async fn oldest_in_rest(db: &Db, cut: &Cut) -> Result<Option<i64>> {
    let text = format!("SELECT MIN({}) FROM {}_rest", cut.column, cut.table);
    let read: Result<Option<i64>, Fault> = glance!(db, tx => {
        column(&tx.query_one(&text, &[]).await?, 0, "partition")
    });
    Ok(read.map_err(Fault::into_error)?.map(|value| cut.by.unit_of(value)))
}

async fn make_all(db: &Db, cut: &Cut, missing: &[i64]) -> Result<(), Fault> {
    transact!(db, Repeat::Safe, tx => {
        tx.batch_execute(ALONE).await?;
        // Another node may have made them while we waited.
        let there = units_in(&tx, cut).await?;
        for unit in missing.iter().filter(|unit| !there.contains(unit)) {
            tx.batch_execute(&cut.making(*unit)).await?;
        }
        Ok(())
    })
}

/// Each in a transaction of its own: it needs its table alone, and must not wait for another one while it has it.
async fn drop_one(db: &Db, cut: &Cut, unit: i64) -> Result<(), Fault> {
    let (from, to) = (cut.by.start(unit), cut.by.start(unit + 1));
    let dropped: Result<bool, Fault> = transact!(db, Repeat::Safe, tx => {
        tx.batch_execute(ALONE).await?;
        let params: [Param<'_>; 2] = [&from, &to.saturating_add(BODY_APART_IDS)];
        if cut.by == By::Week && one(&tx, &sql::QUEUE_IN, &params).await?.is_some() {
            return Ok(false);
        }
        tx.batch_execute(&format!("DROP TABLE IF EXISTS {}", cut.name(unit))).await?;
        Ok(true)
    });
    if dropped? {
        tracing::info!(partition = cut.name(unit), "a partition was old enough and is gone");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_seconds(number * 86_400 + 3_600)
    }

    #[test]
    fn law_r38_mail_is_kept_for_ninety_days_and_never_shorter() {
        for number in 20_000..20_050 {
            let oldest = By::Week.oldest_kept(day(number));
            let kept_from = oldest * WEEK_MICROS;
            let age_days = (day(number).micros() - kept_from) / DAY_MICROS;
            assert!((MAIL_KEPT_DAYS..MAIL_KEPT_DAYS + 7).contains(&age_days), "{age_days}");
            assert_eq!(By::Day.oldest_kept(day(number)), number - 2);
        }
    }

    #[test]
    fn an_id_lies_in_the_partition_of_its_time() {
        for cut in CUTS.iter().filter(|cut| cut.by == By::Week) {
            let at = day(20_777);
            let id = at.micros() * IDS_PER_MICRO + 1_023;
            let unit = cut.by.unit(at);
            assert_eq!(cut.by.unit_of(id), unit);
            assert!((cut.by.start(unit)..cut.by.start(unit + 1)).contains(&id));
            assert_eq!(cut.unit(&cut.name(unit)), Some(unit));
            assert_eq!(cut.unit(&format!("{}_rest", cut.table)), None);
        }
        assert_eq!(By::Day.needed(day(20_777)), 20_776..=20_780);
        assert_eq!(CUTS[0].unit("bodywork_w7"), None);
    }
}
