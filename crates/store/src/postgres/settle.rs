//! Recording what became of attempts, a batch of outcomes in one commit.
//!
//! Invariants: an outcome of an attempt counts once, however often it is recorded, and is never fenced: a node that
//! lost everything meanwhile still tells what it saw. A hold is no attempt. A body goes with the last message that
//! needs it, also when its messages end on two nodes at once: whoever decrements last sees that it was the last.
//! Ledger entries are written last. Generations of whom is suppressed rise first, as in every change, so that changes
//! and outcomes lock in one order.
//! Crash before the COMMIT ⇒ the attempt is uncertain; after it ⇒ nothing is left to do but to remove free body files,
//! which collection does.

mod round;

use super::Core;
use super::batch::{Size, Work};
use super::columns::Set as _;
use super::db::{Fault, Repeat, column, run, transact};
use super::entries::Entries;
use super::pipeline::{fetch, ready, touch};
use crate::engine::{Changed, SettleRow};
use crate::statement as sql;
use deadpool_postgres::Transaction;
use round::{
    Attempts, Deferrals, Ends, Fewer, Holds, Lates, Needless, Placed, Rejoins, Releases, Suppressions, Unneeded, rounds,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Records outcomes.
pub(super) struct Settling {
    pub(super) core: Arc<Core>,
}

impl Work for Settling {
    type Job = Vec<SettleRow>;
    /// Bodies outside the rows that are free now.
    type Answer = Vec<i64>;

    fn size(job: &Vec<SettleRow>) -> Size {
        let octets = job.iter().map(|row| row.transcript.len() + row.entry.len()).sum();
        Size { rows: job.len(), octets }
    }

    async fn together(&self, jobs: &[Vec<SettleRow>]) -> Result<Vec<Vec<i64>>, Fault> {
        let batch = Batch::of(jobs);
        let freed = transact!(self.core.main, Repeat::Safe, tx => { batch.write(&tx).await })?;
        if !batch.suppressed.is_empty() {
            self.core.tell(Changed { controllers: batch.suppressed.iter().copied().collect(), policy: None });
        }
        Ok(batch.share(jobs, &freed))
    }
}

/// Outcomes that are written together.
struct Batch<'a> {
    rounds: Vec<Vec<Placed<'a>>>,
    /// Controllers for whom somebody may be suppressed.
    suppressed: BTreeSet<i64>,
}

/// Ledger entries with their places: row, and number within what it says.
type Said<'a> = BTreeMap<(usize, u8), (i64, &'a [u8])>;

impl<'a> Batch<'a> {
    fn of(jobs: &'a [Vec<SettleRow>]) -> Self {
        let suppressed = jobs.iter().flatten().filter_map(|row| row.suppress.as_ref());
        Self {
            rounds: rounds(jobs.iter().flatten()),
            suppressed: suppressed.map(|(suppression, _)| suppression.controller).collect(),
        }
    }

    /// Answers the bodies outside the rows that are free now.
    async fn write(&self, tx: &Transaction<'_>) -> Result<HashSet<i64>, Fault> {
        if !self.suppressed.is_empty() {
            let controllers: Vec<i64> = self.suppressed.iter().copied().collect();
            run(tx, &sql::GENERATIONS_RAISE, &[&controllers]).await?;
        }
        let (mut said, mut freed) = (Said::new(), HashSet::new());
        for round in &self.rounds {
            freed.extend(write_round(tx, round, &mut said).await?);
        }
        let mut entries = Entries::default();
        for (controller, entry) in said.into_values() {
            entries.add(controller, entry);
        }
        let insert = ready(tx, &sql::INBOX_INSERT_ALL).await?;
        touch(tx, &insert, &entries).await?;
        Ok(freed)
    }

    /// Which job freed which body: the last one that let go of it.
    fn share(&self, jobs: &[Vec<SettleRow>], freed: &HashSet<i64>) -> Vec<Vec<i64>> {
        let mut shares = vec![Vec::new(); jobs.len()];
        let mut given = HashSet::new();
        for (job, share) in jobs.iter().zip(&mut shares).rev() {
            let ends = job.iter().rev().filter(|row| row.final_state.is_some());
            share.extend(ends.map(|row| row.body).filter(|body| freed.contains(body) && given.insert(*body)));
            share.reverse();
        }
        shares
    }
}

/// Writes one round. Answers the bodies outside the rows that are free now.
async fn write_round<'a>(tx: &Transaction<'_>, round: &[Placed<'a>], said: &mut Said<'a>) -> Result<Vec<i64>, Fault> {
    let counted = count_attempts(tx, round).await?;
    let (mut ends, mut deferrals) = (Ends::default(), Deferrals::default());
    let (mut holds, mut suppressions) = (Holds::default(), Suppressions::default());
    for (place, row) in round {
        if let Some(until) = row.held_until {
            holds.add(row, until);
            continue;
        }
        if !counted.contains(&row.id) {
            continue;
        }
        match row.final_state {
            Some(state) => ends.add(row, state),
            None => deferrals.add(row),
        }
        said.insert((*place, 0), (row.controller, &row.entry));
        if let Some((suppression, _)) = &row.suppress {
            suppressions.add(suppression);
        }
    }
    let end = ready(tx, &sql::MESSAGES_END).await?;
    let defer = ready(tx, &sql::MESSAGES_DEFER).await?;
    let hold = ready(tx, &sql::MESSAGES_HOLD).await?;
    let suppress = ready(tx, &sql::SUPPRESS_ALL).await?;
    let (ended, deferred, held, suppressed) = tokio::join!(
        biased;
        fetch(tx, &end, &ends),
        touch(tx, &defer, &deferrals),
        fetch(tx, &hold, &holds),
        fetch(tx, &suppress, &suppressions),
    );
    let ended = ended?;
    deferred?;
    let mut news = HashSet::new();
    for row in held? {
        news.insert(column::<i64>(&row, 0, "attempt.message")?);
    }
    let suppressed = suppressed?;
    let mut changed: HashSet<(i64, &[u8], &str)> = HashSet::new();
    for row in &suppressed {
        let (controller, tag) = (column(row, 0, "suppression.controller")?, column(row, 1, "suppression.tag")?);
        changed.insert((controller, tag, column(row, 2, "suppression.scope")?));
    }
    for (place, row) in round {
        // Only the step from `queued` to `held` is news; being held on is none.
        if row.held_until.is_some() && news.contains(&row.id) {
            said.insert((*place, 0), (row.controller, &row.entry));
        }
        if let Some((suppression, entry)) = &row.suppress
            && changed.contains(&(suppression.controller, &suppression.tag[..], &suppression.scope[..]))
        {
            said.insert((*place, 1), (suppression.controller, entry));
        }
    }
    release(tx, &ended).await
}

/// Records the attempts of a round. Answers the messages of those that count: recorded now for the first time, or
/// taken for lost before. For the others everything was in an earlier commit; only a message that waits for that very
/// attempt goes on under the next number.
async fn count_attempts(tx: &Transaction<'_>, round: &[Placed<'_>]) -> Result<HashSet<i64>, Fault> {
    let mut attempts = Attempts::default();
    let tried = || round.iter().map(|(_, row)| *row).filter(|row| row.held_until.is_none());
    for row in tried() {
        attempts.add(row);
    }
    let mut counted = HashSet::with_capacity(attempts.rows());
    let insert = ready(tx, &sql::ATTEMPTS_INSERT).await?;
    for row in fetch(tx, &insert, &attempts).await? {
        counted.insert(column(&row, 0, "attempt.message")?);
    }
    if counted.len() == attempts.rows() {
        return Ok(counted);
    }
    let mut lates = Lates::default();
    for row in tried().filter(|row| row.final_state.is_some() && !counted.contains(&row.id)) {
        lates.add(row);
    }
    let amend = ready(tx, &sql::ATTEMPTS_AMEND).await?;
    for row in fetch(tx, &amend, &lates).await? {
        counted.insert(column(&row, 0, "attempt.message")?);
    }
    let mut rejoins = Rejoins::default();
    for row in tried().filter(|row| !counted.contains(&row.id)) {
        rejoins.add(row);
    }
    let rejoin = ready(tx, &sql::QUEUES_REJOIN).await?;
    touch(tx, &rejoin, &rejoins).await?;
    Ok(counted)
}

/// Lets go of the bodies of messages that ended. A body that one message needs went with it; others count down.
/// Answers those outside the rows that nobody needs any more.
async fn release(tx: &Transaction<'_>, ended: &[tokio_postgres::Row]) -> Result<Vec<i64>, Fault> {
    let mut users: BTreeMap<i64, i64> = BTreeMap::new();
    let mut places: HashMap<i64, i64> = HashMap::new();
    for row in ended {
        let body = column(row, 0, "body.id")?;
        match column::<Option<i64>>(row, 1, "body.place")? {
            Some(place) => drop(places.insert(body, place)),
            None => *users.entry(body).or_default() += 1,
        }
    }
    users.retain(|body, _| !places.contains_key(body));
    let mut fewer = Releases::default();
    for (id, users) in users {
        fewer.push(Fewer { id, users });
    }
    if fewer.rows() > 0 {
        let mut gone = Unneeded::default();
        let unref = ready(tx, &sql::BODIES_UNREF).await?;
        for row in fetch(tx, &unref, &fewer).await? {
            if column::<i64>(&row, 1, "body.refs")? <= 0 {
                gone.push(Needless { id: column(&row, 0, "body.id")? });
            }
        }
        let delete = ready(tx, &sql::BODIES_RELEASE).await?;
        for row in fetch(tx, &delete, &gone).await? {
            places.insert(column(&row, 0, "body.id")?, column(&row, 1, "body.place")?);
        }
    }
    Ok(places.into_iter().filter(|(_, place)| *place != 0).map(|(body, _)| body).collect())
}
