//! Taking messages in: everything that one acceptance commits together, a batch of them in one commit.
//!
//! All statements of a batch go out together, however many messages it has: the lock that erasures wait for, then
//! what may refuse (an answer kept before, a person with another secret, a person erased, one who got other marketing),
//! then the rows, the exact part of the day's allowances, and at last the ledger entries.
//! Invariants: an acceptance that is not `Done` has kept nothing; a batch in which one is refused is rolled back and
//! halved ([`super::batch`]), so that who is refused is alone in the end, with the reason; after a COMMIT whose fate
//! is not known the second run meets the first one's rows, and says `Done` when they are its own.
//! Crash before the COMMIT ⇒ nothing is kept; after it ⇒ the rows are due, their partition's node finds them.

mod plan;

use super::batch::{Size, Work};
use super::columns::Set as _;
use super::db::{Db, Fault, Repeat, alone, column, transact};
use super::grants::{Grants, Takes};
use super::pipeline::{fetch, ready, touch};
use super::rows::{number, octets};
use crate::engine::{AcceptOutcome, AcceptRows, IdempotencyRecord};
use crate::statement as sql;
use model::Timestamp;
use plan::Plan;
use std::sync::Arc;

/// Takes acceptances in.
pub(super) struct Accepting {
    pub(super) db: Arc<Db>,
    pub(super) grants: Arc<Grants>,
}

/// How far writing came.
#[derive(Default)]
struct Course {
    /// Why the only one was refused.
    refused: Option<AcceptOutcome>,
    /// Was a COMMIT sent? Unless it is answered, nobody knows whether it took place.
    is_sent: bool,
}

impl Work for Accepting {
    type Job = AcceptRows;
    type Answer = AcceptOutcome;

    fn size(job: &AcceptRows) -> Size {
        let messages = job.messages.iter().map(|message| message.envelope.len() + message.head.len());
        Size { rows: job.messages.len(), octets: job.body.sealed.len() + messages.sum::<usize>() }
    }

    async fn together(&self, jobs: &[AcceptRows]) -> Result<Vec<AcceptOutcome>, Fault> {
        let plan = Plan::of(jobs);
        if plan.clashes && jobs.len() > 1 {
            return Err(Fault::Conflict);
        }
        let reserved = self.grants.reserve(jobs).await?;
        if reserved.takes.is_hopeless && jobs.len() > 1 {
            self.grants.give_back(&reserved);
            return Err(Fault::Conflict);
        }
        let mut course = Course::default();
        let fault = match self.write(&plan, &reserved.takes, &mut course).await {
            Ok(()) => return Ok(vec![AcceptOutcome::Done; jobs.len()]),
            Err(fault) => fault,
        };
        if let ([job], Fault::Conflict) = (jobs, &fault) {
            if self.is_kept(job).await? {
                return Ok(vec![AcceptOutcome::Done]);
            }
            course.is_sent = false;
        }
        if !course.is_sent {
            self.grants.give_back(&reserved);
        }
        match course.refused {
            Some(outcome) if jobs.len() == 1 => Ok(vec![outcome]),
            _ => Err(fault),
        }
    }
}

impl Accepting {
    /// Writes a plan. A refusal is a conflict, and its reason is left in the course.
    async fn write(&self, plan: &Plan<'_>, takes: &Takes, course: &mut Course) -> Result<(), Fault> {
        transact!(self.db, Repeat::Safe, tx => {
            let share = ready(&tx, &sql::INTAKE_SHARE).await?;
            let keep_answers = ready(&tx, &sql::IDEMPOTENCY_KEEP).await?;
            let keep_subjects = ready(&tx, &sql::SUBJECTS_KEEP).await?;
            let count_erased = ready(&tx, &sql::ERASED_AMONG).await?;
            let insert_bodies = ready(&tx, &sql::BODIES_INSERT).await?;
            let insert_messages = ready(&tx, &sql::MESSAGES_INSERT).await?;
            let insert_queue = ready(&tx, &sql::QUEUES_INSERT).await?;
            let keep_mailed = ready(&tx, &sql::MAILED_KEEP).await?;
            let take_quotas = ready(&tx, &sql::QUOTAS_TAKE).await?;
            let insert_entries = ready(&tx, &sql::INBOX_INSERT_ALL).await?;
            let (shared, answers, given, erased, mailed, bodies, messages, queue, taken, entries) = tokio::join!(
                biased;
                touch(&tx, &share, &()),
                touch(&tx, &keep_answers, &plan.answers),
                touch(&tx, &keep_subjects, &plan.subjects),
                fetch(&tx, &count_erased, &plan.persons),
                touch(&tx, &keep_mailed, &plan.mailed),
                touch(&tx, &insert_bodies, &plan.bodies),
                touch(&tx, &insert_messages, &plan.messages),
                touch(&tx, &insert_queue, &plan.queue),
                touch(&tx, &take_quotas, takes),
                touch(&tx, &insert_entries, &plan.entries),
            );
            shared?;
            if answers? < plan.answers.rows() {
                course.refused = Some(AcceptOutcome::Repeated);
                return Err(Fault::Conflict);
            }
            if given? < plan.subjects.rows() {
                course.refused = Some(AcceptOutcome::SlotTaken);
                return Err(Fault::Conflict);
            }
            // GDPR Art. 17: whoever is erased from here on waits for this commit.
            let erased: i64 = erased?.first().map_or(Ok(0), |row| column(row, 0, "restriction"))?;
            if erased > 0 {
                course.refused = Some(AcceptOutcome::Erased);
                return Err(Fault::Conflict);
            }
            if mailed? < plan.mailed.rows() {
                course.refused = Some(AcceptOutcome::Mailed);
                return Err(Fault::Conflict);
            }
            bodies?;
            messages?;
            queue?;
            if taken? < takes.rows() || takes.is_hopeless {
                course.refused = Some(AcceptOutcome::Quota);
                return Err(Fault::Conflict);
            }
            entries?;
            course.is_sent = true;
            Ok(())
        })
    }

    /// Is this very acceptance kept already, by a run whose COMMIT was not answered?
    async fn is_kept(&self, job: &AcceptRows) -> Result<bool, Fault> {
        let Some(first) = job.messages.first() else { return Ok(false) };
        Ok(!alone(&self.db, &sql::ACCEPTED, &[&first.id, &first.event.as_slice()]).await?.is_empty())
    }
}

/// See [`crate::engine::Engine::idempotency`].
pub(super) async fn idempotency(
    db: &Db,
    controller: i64,
    credential: i64,
    key: &[u8; 16],
) -> Result<Option<IdempotencyRecord>, Fault> {
    let rows = alone(db, &sql::IDEMPOTENCY_NEWEST, &[&controller, &credential, &key.as_slice()]).await?;
    rows.first()
        .map(|row| {
            let request = octets(row, 0, "idempotency.request")?;
            Ok(IdempotencyRecord { request, answer: column(row, 1, "idempotency.answer")? })
        })
        .transpose()
}

/// See [`crate::engine::Engine::forget_idempotency`]. Days go whole, by [`super::keep`]; here goes what has no day.
pub(super) async fn forget(db: &Db, before: Timestamp) -> Result<usize, Fault> {
    let rows = alone(db, &sql::IDEMPOTENCY_FORGET_REST, &[&before.micros()]).await?;
    rows.first().map_or(Ok(0), |row| number(row, 0, "idempotency.day"))
}
