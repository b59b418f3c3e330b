//! What is kept for a time, and goes when that is over (GDPR Art. 5(1)(e)); and wishes that still have to be passed on.
//!
//! Invariants: a slice is one short commit, behind whatever others wait for, and has one leaf that says how many and
//! names nobody; a crash between two of them leaves what is still due for the next time; several nodes may do it at
//! once.
//! Never: a row that something still counts, waits for, or has to show. An opt-out.

mod aged;
mod leaving;

#[cfg(test)]
pub(crate) use leaving::{ending, staying};

use super::wishes::{WishView, opened_wish, right_of};
use super::*;
use crate::accounts::{TIMELINE, TIMELINE_DAYS_MAX};
use crate::engine::EntryRow;
use crate::facts::write_scope;
use crate::journal::SystemEvent;
use model::person::SuppressionScope;
use model::{StreamId, Timestamp, WishId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// Rows of one commit.
const SLICE: i64 = 100;
const DAY: Duration = Duration::from_secs(86_400);
/// After a request to confirm has run out, its person is forgotten so much later: a click at the last moment counts.
const GRACE: Duration = DAY;
/// How long a request that nobody answered keeps its person from being asked again (`architecture.md` §10), and a day.
const ASKED_ONCE: Duration = Duration::from_secs(31 * 86_400);
/// Whoever's mailbox was full is counted from anew after this long; then nobody needs the count.
const FAILING_KEPT: Duration = Duration::from_secs(31 * 86_400);
/// What others report of TLS: a year can be compared with the one before.
const TLS_REPORTED_KEPT: Duration = Duration::from_secs(400 * 86_400);
/// law.md R16: a wish is with the controller within a day.
const FORWARDED_WITHIN: Duration = DAY;
/// A credential that ended is listed for so long.
const CREDENTIAL_ENDED: Duration = Duration::from_secs(30 * 86_400);
/// What was ended in the queue is told of for so long.
const ORDERS_KEPT: Duration = Duration::from_secs(90 * 86_400);
/// By how much ids may be ahead of the clock.
const HURRY: Duration = Duration::from_secs(60);
/// Wishes of one look.
const WISHES_MAX: i64 = 100;

/// Days for which timelines of streams are kept, where their terms say so.
type Timelines = HashMap<(ControllerId, StreamId), u32>;

fn before(now: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(now.micros().saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

impl Store {
    /// Takes away whatever has been kept for its time.
    pub(crate) async fn forget(&self, now: Timestamp) -> Result<()> {
        self.forget_messages(now).await?;
        self.forget_sign_ups(now).await?;
        self.forget_aged(now).await?;
        let asked = Self::first_id_of(before(now, ASKED_ONCE));
        self.forget_rows("request", &sql::CONFIRMATIONS_FORGET, asked.into()).await?;
        self.forget_rows("count", &sql::MAILED_FORGET, now.into()).await?;
        self.forget_rows("order", &sql::QUEUE_ORDERS_FORGET, before(now, ORDERS_KEPT).into()).await?;
        self.forget_rows("refusal", &sql::FAILING_FORGET, before(now, FAILING_KEPT).into()).await?;
        let reported = crate::day_of(before(now, TLS_REPORTED_KEPT));
        self.forget_rows("TLS report", &sql::TLS_REPORTED_FORGET, reported.into()).await?;
        self.forget_credentials(before(now, CREDENTIAL_ENDED)).await?;
        // Last: when everything that ran out has gone.
        self.forget_left(now).await
    }

    /// Rows of which no leaf speaks: that they ran out says nothing that earlier leaves do not.
    async fn forget_rows(&self, what: &'static str, statement: &'static Statement, until: Value) -> Result<()> {
        loop {
            let step = Step::new(statement, vec![until.clone(), SLICE.into()]);
            let writes = writes(ControllerId::OPERATOR, what, vec![step]);
            if self.engine.change_bulk(vec![(Change::Rows(writes), None)]).await?.first() == Some(&0) {
                return Ok(());
            }
        }
    }

    /// Steps of one slice, with the leaf that counts what goes.
    async fn forget_slice(
        &self,
        controller: ControllerId,
        (what, count): (&'static str, u64),
        steps: Vec<Step>,
    ) -> Result<()> {
        self.forget_together((what, count), writes(controller, what, steps)).await.map(drop)
    }

    /// The same; answers how many rows the first step touched.
    async fn forget_together(&self, (what, count): (&'static str, u64), writes: Writes) -> Result<usize> {
        let controller = ControllerId(writes.controller);
        let bytes = self.system_entry(&SystemEvent {
            event: None,
            kind: EventType::Deleted,
            controller,
            agreement: None,
            instruction: None,
            counts: &[(what, count)],
            detail: what.as_bytes(),
            commitment: None,
            secret: None,
        })?;
        let entry = EntryRow { controller: controller.0, bytes };
        let touched = self.engine.change_bulk(vec![(Change::Rows(writes), Some(entry))]).await?;
        Ok(touched.first().copied().unwrap_or(0))
    }

    /// How long what became of messages of a stream is kept: as its terms say, and 90 days at most (law.md R38).
    fn timelines(&self) -> Timelines {
        let policy = self.policy.current();
        let streams = policy.controllers().flat_map(|known| &known.streams);
        let days = |stream: &model::Stream| stream.terms.retention_days.get(TIMELINE).copied();
        streams
            .filter_map(|stream| Some(((stream.controller, stream.id), days(stream)?.min(TIMELINE_DAYS_MAX))))
            .collect()
    }

    async fn forget_messages(&self, now: Timestamp) -> Result<()> {
        let timelines = self.timelines();
        let lengths: BTreeSet<u32> = timelines.values().copied().chain([TIMELINE_DAYS_MAX]).collect();
        for days in lengths {
            self.forget_messages_of(&timelines, days, now).await?;
        }
        Ok(())
    }

    /// Those of streams whose timelines are kept for so many days. The walk begins where the last one of this process
    /// left something that was not due; before that there is nothing.
    async fn forget_messages_of(&self, timelines: &Timelines, days: u32, now: Timestamp) -> Result<()> {
        let until = before(now, DAY.saturating_mul(days));
        // Ids carry the moment of acceptance, which is before the end, or a little later when many come at once.
        let below = Self::first_id_of(until.plus(HURRY));
        let mut after = self.forgotten.lock().get(&days).copied().unwrap_or(0);
        let mut waits = None;
        loop {
            let page = self.found(&sql::MESSAGES_BETWEEN, vec![after.into(), below.into(), SLICE.into()]).await?;
            let is_last = i64::try_from(page.len()).is_ok_and(|rows| rows < SLICE);
            let mut due: BTreeMap<(i64, i64), (i64, i64, u64)> = BTreeMap::new();
            for mut row in page {
                let (id, controller, stream) = (row.number()?, row.number()?, row.number()?);
                let finished = row.moment_if_any()?;
                after = id;
                let whose = (ControllerId(controller), StreamId(stream));
                if timelines.get(&whose).copied().unwrap_or(TIMELINE_DAYS_MAX) != days {
                    continue;
                }
                if finished.is_some_and(|at| at <= until) {
                    let slice = due.entry((controller, stream)).or_insert((id, id, 0));
                    *slice = (slice.0, id, slice.2 + 1);
                } else {
                    waits.get_or_insert(id - 1);
                }
            }
            for ((controller, stream), (first, last, count)) in due {
                let range = || vec![first.into(), last.into(), controller.into()];
                let messages = [range(), vec![stream.into(), until.into()]].concat();
                // In this order: attempts go when their message is gone.
                let steps = vec![Step::new(&sql::MESSAGES_FORGET, messages), Step::new(&sql::ATTEMPTS_FORGET, range())];
                self.forget_slice(ControllerId(controller), ("messages", count), steps).await?;
            }
            if is_last {
                self.forgotten.lock().insert(days, waits.unwrap_or(after));
                return Ok(());
            }
        }
    }

    /// Who signed up and never confirmed is forgotten: his address and what he had asked for go. That he was asked
    /// stays for its 30 days, by his tag alone, so that nobody is asked again at once; then, and when the timeline of
    /// the request is over, he goes himself ([`leaving`]).
    async fn forget_sign_ups(&self, now: Timestamp) -> Result<()> {
        let ended = before(now, GRACE);
        let asked = before(now, ASKED_ONCE);
        let mut after = Self::first_id_of(asked);
        loop {
            let values = vec![after.into(), ended.into(), asked.into(), SLICE.into()];
            let page = self.found(&sql::SIGN_UPS_LAPSED, values).await?;
            let is_last = i64::try_from(page.len()).is_ok_and(|rows| rows < SLICE);
            for mut row in page {
                let (id, controller, tag) = (row.number()?, ControllerId(row.number()?), row.array::<16>()?);
                after = id;
                let who = || vec![controller.0.into(), tag.into()];
                let address = [who(), vec![ended.into(), now.into()]].concat();
                let steps = vec![Step::new(&sql::SIGN_UP_ADDRESS, address), Step::new(&sql::SIGN_UP_EVENTS, who())];
                // What is in memory of him does not know yet that he may be forgotten.
                let writes = Writes { reach: Reach::Rows, ..writes(controller, "sign_ups", steps) };
                self.forget_together(("sign_ups", 1), writes).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Rights that were exercised in the last 24 hours and that their controllers were not told of by mail, after one,
    /// oldest first.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn wishes_waiting(&self, after: WishId) -> Result<Vec<(ControllerId, WishView)>> {
        let since = Self::first_id_of(before(self.now(), FORWARDED_WITHIN)).max(after.0);
        let mut waiting = Vec::new();
        for mut row in self.found(&sql::WISHES_WAITING, vec![since.into(), WISHES_MAX.into()]).await? {
            let (id, controller) = (WishId(row.number()?), ControllerId(row.number()?));
            let (tag, right, at) = (RecipientTag(row.array()?), right_of(&row.text()?)?, row.moment()?);
            let sealed = row.octets()?;
            let secret = self.secret_of(controller, tag).await?;
            let address = secret.and_then(|secret| opened_wish(&secret, id, &sealed));
            waiting.push((controller, WishView { id, tag, right, at, forwarded: None, address }));
        }
        Ok(waiting)
    }

    /// How many rights of the day before that their controllers were never told of by mail: they are late.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn wishes_late(&self) -> Result<u64> {
        let (now, day) = (self.now(), FORWARDED_WITHIN);
        let range = [before(now, 2 * day), before(now, day)].map(|at| Self::first_id_of(at).into());
        let found = self.found(&sql::WISHES_LATE, range.to_vec()).await?.into_iter().next();
        Ok(found.map_or(Ok(0), |mut row| row.number())?.unsigned_abs())
    }
}

fn writes(controller: ControllerId, what: &'static str, steps: Vec<Step>) -> Writes {
    let (person, event, detail) = (None, None, [0; 32]);
    // Nothing that anybody decides by is taken away.
    Writes { controller: controller.0, person, reach: Reach::Nothing, what, event, detail, steps }
}
