//! Days' allowances, shared between nodes by grants.
//!
//! The row of a busy controller's day would be locked from one commit to the next, by every node. So a node takes a
//! grant of it, about a second's worth of what it took in lately, in a short transaction of its own, and uses that up
//! in memory. Small allowances, and what is left of a large one, are taken exactly, by the acceptance itself.
//! Invariants: what is granted is in the table before it is used, so the nodes together never pass the allowance;
//! what is not used goes back when the day changes and when the node stops. A node that dies wastes one grant at most.

use super::columns::{Set, columns};
use super::db::{Db, Fault, Param, alone, column};
use super::rows::{number, signed};
use crate::engine::AcceptRows;
use crate::statement as sql;
use model::Timestamp;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex as Turn;

/// Smaller allowances are always taken exactly.
const LARGE: u64 = 10_000;
/// A grant is at most one part in so many of the allowance.
const PARTS: u64 = 100;
/// A grant is at most so many times the one before, or the first that is more than a need.
const GROWTH_MAX: u64 = 4;
const FIRST: u64 = 64;
/// A grant lasts about so long, at the pace of the one before.
const SPAN: Duration = Duration::from_secs(1);

columns! {
    /// What is taken exactly.
    Take => TakeColumns {
        controller: i64,
        day: i64,
        taken: i64,
        allowed: i64,
    }
}

/// What a transaction has to take by itself.
#[derive(Default)]
pub(super) struct Takes {
    columns: TakeColumns,
    /// More is wanted than the whole allowance.
    pub(super) is_hopeless: bool,
}

impl Set for Takes {
    fn rows(&self) -> usize {
        self.columns.rows()
    }

    fn params(&self) -> Vec<Param<'_>> {
        self.columns.params()
    }
}

/// What acceptances may rest on.
#[derive(Default)]
pub(super) struct Reserved {
    /// Had from grants: controller, day, count.
    had: Vec<(i64, i64, u64)>,
    /// What is left to take.
    pub(super) takes: Takes,
}

/// What is wanted of one day's allowance.
#[derive(Clone, Copy)]
struct Want {
    controller: i64,
    day: i64,
    count: u64,
    allowed: u64,
    at: Timestamp,
}

/// A grant.
struct Grant {
    day: i64,
    left: u64,
    /// Taken the last time, and when.
    size: u64,
    since: Timestamp,
    /// What the table had as used after that.
    known: u64,
    /// The allowance of which nothing more than exact parts was left.
    tight: Option<u64>,
}

/// What memory says to a want.
enum Answer {
    /// It is had.
    Had,
    /// It is to be taken exactly.
    Exact,
    /// So much is missing, and so much more would be of use.
    Missing(u64, u64),
}

/// The grants of this node.
pub(super) struct Grants {
    db: Arc<Db>,
    held: Mutex<HashMap<i64, Grant>>,
    /// Unused parts of days that are over: controller, day, count.
    owed: Mutex<Vec<(i64, i64, u64)>>,
    /// One look at the table at a time: what was taken there is in memory before anybody compares the two.
    turn: Turn<()>,
}

impl Grants {
    pub(super) fn new(db: Arc<Db>) -> Self {
        Self { db, held: Mutex::default(), owed: Mutex::default(), turn: Turn::default() }
    }

    /// Reserves what acceptances want, as far as grants go.
    pub(super) async fn reserve(&self, jobs: &[AcceptRows]) -> Result<Reserved, Fault> {
        let mut wants: BTreeMap<(i64, i64), Want> = BTreeMap::new();
        for job in jobs {
            let none = Want { controller: job.account, day: job.day, count: 0, allowed: job.quota_max, at: job.at };
            let want = wants.entry((job.account, job.day)).or_insert(none);
            want.count += job.messages.len() as u64;
            want.allowed = want.allowed.min(job.quota_max);
            want.at = want.at.max(job.at);
        }
        let mut reserved = Reserved::default();
        for want in wants.into_values() {
            match self.has(want).await {
                Ok(true) => {
                    reserved.had.push((want.controller, want.day, want.count));
                    continue;
                }
                Ok(false) => {}
                Err(fault) => {
                    self.give_back(&reserved);
                    return Err(fault);
                }
            }
            let (controller, day) = (want.controller, want.day);
            reserved.takes.is_hopeless |= want.count > want.allowed;
            let taken = signed(want.count, "quota.used")?;
            let allowed = i64::try_from(want.allowed).unwrap_or(i64::MAX);
            reserved.takes.columns.push(Take { controller, day, taken, allowed });
        }
        Ok(reserved)
    }

    /// Nothing was kept of what was reserved.
    pub(super) fn give_back(&self, reserved: &Reserved) {
        let mut held = self.held.lock();
        for (controller, day, count) in &reserved.had {
            match held.get_mut(controller) {
                Some(grant) if grant.day == *day => grant.left += count,
                _ => self.owed.lock().push((*controller, *day, *count)),
            }
        }
    }

    /// See [`crate::engine::Engine::quota_used`]: without what this node was granted and has not used.
    pub(super) async fn used(&self, controller: i64, day: i64) -> Result<u64, Fault> {
        let _turn = self.turn.lock().await;
        let rows = alone(&self.db, &sql::QUOTA, &[&controller, &day]).await?;
        let used: i64 = rows.first().map_or(Ok(0), |row| column(row, 0, "quota.used"))?;
        let held = self.held.lock().get(&controller).filter(|grant| grant.day == day).map_or(0, |grant| grant.left);
        let is_his = |owed: &&(i64, i64, u64)| owed.0 == controller && owed.1 == day;
        let unused = held + self.owed.lock().iter().filter(is_his).map(|(_, _, count)| count).sum::<u64>();
        Ok(u64::try_from(used).unwrap_or(0).saturating_sub(unused))
    }

    /// Gives everything back that is not used.
    pub(super) async fn close(&self) -> Result<(), Fault> {
        let _turn = self.turn.lock().await;
        for (controller, grant) in self.held.lock().drain() {
            self.owed.lock().push((controller, grant.day, grant.left));
        }
        self.pay().await
    }

    /// Takes a want from a grant, if need be from a new one. False: it is to be taken exactly.
    async fn has(&self, want: Want) -> Result<bool, Fault> {
        match self.remembered(want) {
            Answer::Had => return Ok(true),
            Answer::Exact => {
                // An allowance that became small must not be used up by what was granted of the large one.
                if !self.owed.lock().is_empty() {
                    let _turn = self.turn.lock().await;
                    self.pay().await?;
                }
                return Ok(false);
            }
            Answer::Missing(..) => {}
        }
        let _turn = self.turn.lock().await;
        // Another batch may have had its turn meanwhile.
        let (missing, more) = match self.remembered(want) {
            Answer::Had => return Ok(true),
            Answer::Exact => return Ok(false),
            Answer::Missing(missing, more) => (missing, more),
        };
        self.pay().await?;
        let with_more = missing.saturating_add(more);
        let mut taken = self.take(want, with_more).await?.map(|known| (with_more, known));
        if taken.is_none() && more > 0 {
            self.tighten(want);
            taken = self.take(want, missing).await?.map(|known| (missing, known));
        }
        let Some((size, known)) = taken else { return Ok(false) };
        let mut held = self.held.lock();
        let fresh = Grant { day: want.day, left: 0, size: 0, since: want.at, known: 0, tight: None };
        let grant = held.entry(want.controller).or_insert(fresh);
        (grant.size, grant.since, grant.known) = (size, want.at, known);
        // Others may have used some of what was left while the table was asked: then it is taken exactly after all.
        grant.left += size;
        let is_had = grant.left >= want.count;
        if is_had {
            grant.left -= want.count;
        }
        Ok(is_had)
    }

    fn remembered(&self, want: Want) -> Answer {
        let mut held = self.held.lock();
        let is_small = want.allowed < LARGE;
        if let Some(grant) = held.get(&want.controller)
            && (is_small || grant.day < want.day)
        {
            self.owed.lock().push((want.controller, grant.day, grant.left));
            held.remove(&want.controller);
        }
        if is_small || want.count > want.allowed {
            return Answer::Exact;
        }
        let Some(grant) = held.get_mut(&want.controller) else { return Answer::Missing(want.count, 0) };
        // Of a day that is over nothing is granted any more.
        if grant.day != want.day {
            return Answer::Exact;
        }
        // The allowance may have become smaller since the grant was taken.
        let used = grant.known.saturating_sub(grant.left);
        if used.saturating_add(want.count) > want.allowed {
            return Answer::Exact;
        }
        if grant.left >= want.count {
            grant.left -= want.count;
            return Answer::Had;
        }
        let missing = want.count - grant.left;
        let more = if grant.tight == Some(want.allowed) { 0 } else { grant.next(want) };
        Answer::Missing(missing, more)
    }

    fn tighten(&self, want: Want) {
        if let Some(grant) = self.held.lock().get_mut(&want.controller) {
            grant.tight = Some(want.allowed);
        }
    }

    /// Takes from the table; answers what is used there now. Run twice after an unknown end, it takes twice: that is
    /// given away, not used.
    async fn take(&self, want: Want, count: u64) -> Result<Option<u64>, Fault> {
        if count > want.allowed {
            return Ok(None);
        }
        let taken = signed(count, "quota.used")?;
        let allowed = i64::try_from(want.allowed).unwrap_or(i64::MAX);
        let mut columns = TakeColumns::default();
        columns.push(Take { controller: want.controller, day: want.day, taken, allowed });
        let rows = alone(&self.db, &sql::QUOTAS_TAKE, &columns.params()).await?;
        rows.first().map(|row| number(row, 2, "quota.used")).transpose()
    }

    /// Gives back what is owed. Whoever calls has the turn.
    async fn pay(&self) -> Result<(), Fault> {
        loop {
            let Some((controller, day, count)) = self.owed.lock().pop() else { return Ok(()) };
            if count > 0 {
                let given = signed(count, "quota.used")?;
                if let Err(fault) = alone(&self.db, &sql::QUOTA_GIVE, &[&controller, &day, &given]).await {
                    self.owed.lock().push((controller, day, count));
                    return Err(fault);
                }
            }
        }
    }
}

impl Grant {
    /// What is taken beyond the need: a second's worth, at the pace at which the last one went.
    fn next(&self, want: Want) -> u64 {
        let micros = want.at.since(self.since).as_micros().max(1);
        let pace = u128::from(self.size) * SPAN.as_micros() / micros;
        let steady = self.size.saturating_mul(GROWTH_MAX).max(FIRST);
        u64::try_from(pace).unwrap_or(u64::MAX).min(steady).min(want.allowed / PARTS)
    }
}
