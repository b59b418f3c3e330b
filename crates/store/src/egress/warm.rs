//! Warm-up: which addresses are being warmed, and how their days stand at each provider.
//!
//! Invariants: of a day's cap no more is granted than there is, whatever nodes ask at once: a grant is one conditional
//! change; a day is turned over by one of them; what is counted for a day that is over is dropped.

use super::{Error, Result, Store, writes};
use crate::engine::{Change, Step};
use crate::statement as sql;
use crate::value::Columns;
use model::Timestamp;

#[cfg(test)]
mod tests;

/// Rows that are read.
pub(super) const PLANS_MAX: i64 = 1_000;
/// Rows that are read.
pub(super) const DAYS_MAX: i64 = 100_000;

pub(super) const DAY_SECONDS: i64 = 86_400;

/// An address that is being warmed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WarmPlan {
    /// Its name in the settings.
    pub address: String,
    /// Messages of the first day, to a provider of full weight.
    pub base: u32,
    /// Why, in the operator's words.
    pub why: String,
    /// Who ordered it.
    pub who: String,
    /// When.
    pub since: Timestamp,
}

/// How the day of an address at a provider stands.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct WarmDay {
    /// The address's name.
    pub address: String,
    /// A provider's id, or `others`.
    pub provider: String,
    /// The day, counted from 1970 (UTC).
    pub day: i64,
    /// How often it has grown.
    pub step: u32,
    /// Messages that it may have.
    pub cap: u32,
    /// What of them nodes have taken.
    pub granted: u32,
    /// Messages that were delivered.
    pub delivered: u32,
    /// Attempts that were put off.
    pub deferred: u32,
    /// Messages that were refused for good.
    pub bounced: u32,
    /// The last day on which anything was granted.
    pub used: i64,
}

impl Store {
    /// What is warmed, and how its days stand.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn warm_up(&self) -> Result<(Vec<WarmPlan>, Vec<WarmDay>)> {
        let plans = self.found(&sql::WARM_PLANS, vec![PLANS_MAX.into()]).await?;
        let plans = plans.into_iter().map(plan_of).collect::<Result<Vec<_>>>()?;
        if plans.is_empty() {
            return Ok((plans, Vec::new()));
        }
        let days = self.found(&sql::WARM_DAYS, vec![DAYS_MAX.into()]).await?;
        Ok((plans, days.into_iter().map(day_of).collect::<Result<_>>()?))
    }

    /// Begins a day: the first of an address at a provider, or the one after `before`. Nothing where another node has.
    ///
    /// # Errors
    /// Those of the engine; nothing is kept then.
    pub async fn begin_warm_day(&self, day: &WarmDay, before: Option<i64>) -> Result<()> {
        let mut values = vec![
            day.address.as_str().into(),
            day.provider.as_str().into(),
            day.day.into(),
            i64::from(day.step).into(),
            i64::from(day.cap).into(),
            day.used.into(),
        ];
        let statement = match before {
            None => &sql::WARM_DAY_FIRST,
            Some(before) => {
                values.push(before.into());
                &sql::WARM_DAY_NEXT
            }
        };
        self.warm(Step::new(statement, values)).await.map(drop)
    }

    /// Takes so much of the day's cap, or nothing of it: true if it was there.
    ///
    /// # Errors
    /// Those of the engine; nothing is taken then, or it is lost to the day.
    pub async fn take_warm(&self, day: &WarmDay, count: u32) -> Result<bool> {
        let values =
            vec![day.address.as_str().into(), day.provider.as_str().into(), day.day.into(), i64::from(count).into()];
        self.warm(Step::new(&sql::WARM_TAKE, values)).await
    }

    /// Gives back what was taken and not used: of that day, if it is still the day.
    ///
    /// # Errors
    /// Those of the engine; it is lost to the day then.
    pub async fn return_warm(&self, day: &WarmDay, count: u32) -> Result<()> {
        let values =
            vec![day.address.as_str().into(), day.provider.as_str().into(), day.day.into(), i64::from(count).into()];
        self.warm(Step::new(&sql::WARM_RETURN, values)).await.map(drop)
    }

    /// Adds what became of messages; the counts of `seen` are those to be added.
    ///
    /// # Errors
    /// Those of the engine; nothing is counted then.
    pub async fn count_warm(&self, seen: &WarmDay) -> Result<()> {
        let mut values = vec![seen.address.as_str().into(), seen.provider.as_str().into(), seen.day.into()];
        let counts = [seen.delivered, seen.deferred, seen.bounced];
        values.extend(counts.map(|count| i64::from(count).into()));
        self.warm(Step::new(&sql::WARM_COUNT, values)).await.map(drop)
    }

    async fn warm(&self, step: Step) -> Result<bool> {
        let touched = self.engine.change(vec![(Change::Rows(writes(vec![step])), None)]).await?;
        Ok(touched.into_iter().sum::<usize>() > 0)
    }
}

pub(super) fn plan_of(mut row: Columns) -> Result<WarmPlan> {
    Ok(WarmPlan {
        address: row.text()?,
        base: count(&mut row)?,
        why: row.text()?,
        who: row.text()?,
        since: row.moment()?,
    })
}

pub(super) fn day_of(mut row: Columns) -> Result<WarmDay> {
    Ok(WarmDay {
        address: row.text()?,
        provider: row.text()?,
        day: row.number()?,
        step: count(&mut row)?,
        cap: count(&mut row)?,
        granted: count(&mut row)?,
        delivered: count(&mut row)?,
        deferred: count(&mut row)?,
        bounced: count(&mut row)?,
        used: row.number()?,
    })
}

fn count(row: &mut Columns) -> Result<u32> {
    u32::try_from(row.number()?).map_err(|_| Error::Row { column: "warm_day" })
}
