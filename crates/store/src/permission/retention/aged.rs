//! What goes by days that terms name: the evidence of bases that ended, and bounces.
//!
//! Invariants: the evidence of a basis stays while the basis is in force, and for its days after it ended by
//! withdrawal, by its own time or with the person (GDPR Art. 5(1)(e), 7(1), 17(3)(e)); before a withdrawn basis goes,
//! it stands as an opt-out, so that no wish is lost with what shows it (Art. 7(3), 21(3)). Only bounces run out.
//! Never: anything of a person whose data are restricted (Art. 18(1)(c)): he may need them for claims of his own.

use super::*;
use crate::accounts::{BOUNCES, EVIDENCE};
use crate::value::Columns;
use model::PurposeId;
use std::collections::HashMap;

/// Persons of one commit.
const PERSONS: i64 = 25;

impl Store {
    pub(super) async fn forget_aged(&self, now: Timestamp) -> Result<()> {
        for (controller, purpose, days) in self.evidence_days() {
            self.forget_evidence(controller, purpose, before(now, DAY.saturating_mul(days))).await?;
        }
        self.forget_bounces(now).await
    }

    /// How long a bounce keeps a person from being mailed, where the terms of its stream say so.
    pub(crate) fn bounce_days(&self, controller: ControllerId, stream: StreamId) -> Option<u32> {
        self.policy.current().stream(controller, stream)?.terms.retention_days.get(BOUNCES).copied()
    }

    /// Purposes whose evidence goes by days: those that every stream which serves them bounds, by the longest bound. Of
    /// what no stream serves any more nothing is said, so its evidence stays as long as the agreement.
    fn evidence_days(&self) -> Vec<(ControllerId, PurposeId, u32)> {
        let policy = self.policy.current();
        let mut all = Vec::new();
        for known in policy.controllers() {
            let mut bounds: HashMap<PurposeId, Option<u32>> = HashMap::new();
            for stream in &known.streams {
                let days = stream.terms.retention_days.get(EVIDENCE).copied();
                for purpose in &stream.purposes {
                    let bound = bounds.entry(*purpose).or_insert(days);
                    *bound = bound.zip(days).map(|(one, other)| one.max(other));
                }
            }
            all.extend(bounds.into_iter().filter_map(|(purpose, days)| Some((known.id, purpose, days?))));
        }
        all
    }

    async fn forget_evidence(&self, controller: ControllerId, purpose: PurposeId, until: Timestamp) -> Result<()> {
        for due in [&sql::EVIDENCE_WITHDRAWN, &sql::EVIDENCE_EXPIRED, &sql::EVIDENCE_ERASED] {
            loop {
                let values = vec![controller.0.into(), purpose.0.into(), until.into(), PERSONS.into()];
                let tags: Vec<[u8; 16]> =
                    self.found(due, values).await?.into_iter().map(|mut row| row.array()).collect::<Result<_>>()?;
                let Some(first) = tags.first() else { break };
                let which = |tag: &[u8; 16]| -> Vec<Value> {
                    vec![controller.0.into(), (*tag).into(), purpose.0.into(), until.into()]
                };
                // Whose basis was renewed since he was found keeps everything; if he is the first, the slice waits.
                let mut steps = vec![Step::new(&sql::EVIDENCE_BEGIN, which(first))];
                for tag in &tags {
                    let scope = write_scope(SuppressionScope::Purpose(purpose));
                    steps.push(Step::new(&sql::EVIDENCE_WISH, [which(tag), vec![scope.into()]].concat()));
                    steps.push(Step::new(&sql::EVIDENCE_EVENTS, which(tag)));
                    steps.push(Step::new(&sql::EVIDENCE_BASIS, which(tag)));
                    let rest = vec![controller.0.into(), (*tag).into(), until.into()];
                    steps.push(Step::new(&sql::EVIDENCE_REST, rest));
                }
                let count = u64::try_from(tags.len()).unwrap_or_default();
                self.forget_slice(controller, ("evidence", count), steps).await?;
                if i64::try_from(tags.len()).is_ok_and(|found| found < PERSONS) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Bounces that have run out: nothing asks for them any more.
    async fn forget_bounces(&self, now: Timestamp) -> Result<()> {
        loop {
            let page = self.found(&sql::BOUNCES_OVER, vec![now.into(), SLICE.into()]).await?;
            let is_last = i64::try_from(page.len()).is_ok_and(|rows| rows < SLICE);
            let mut due: BTreeMap<i64, Vec<Step>> = BTreeMap::new();
            for row in page {
                let (controller, step) = bounce(row, now)?;
                due.entry(controller).or_default().push(step);
            }
            for (controller, steps) in due {
                let count = u64::try_from(steps.len()).unwrap_or_default();
                self.forget_slice(ControllerId(controller), ("bounces", count), steps).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

fn bounce(mut row: Columns, now: Timestamp) -> Result<(i64, Step)> {
    let (controller, tag, scope) = (row.number()?, row.array::<16>()?, row.text()?);
    let values = vec![controller.into(), tag.into(), scope.into(), now.into()];
    Ok((controller, Step::new(&sql::BOUNCE_FORGET, values)))
}
