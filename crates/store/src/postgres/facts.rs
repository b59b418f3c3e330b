//! Facts about persons: one statement for a whole set, so all of them are as of one moment, and that is after they
//! were asked for. Questions that come while one set is on its way are the next set.

use super::batch::{Size, Work};
use super::columns::{Set as _, columns};
use super::db::{Db, Fault, alone, column};
use super::rows::{moment, moment_if_any, number, slot_at};
use crate::engine::{BasisRow, PersonQuery, PersonRow, SuppressionRow};
use crate::error::Error;
use crate::statement as sql;
use std::sync::Arc;
use tokio_postgres::Row;

columns! {
    /// A question about a person.
    Asked => Questions<'a> {
        controller: i64,
        tag: &'a [u8],
        purpose: i64,
    }
}

/// Answers questions about persons: those that come together in one statement.
pub(super) struct Asking {
    pub(super) db: Arc<Db>,
}

impl Work for Asking {
    type Job = Vec<PersonQuery>;
    type Answer = Vec<PersonRow>;

    fn size(job: &Vec<PersonQuery>) -> Size {
        Size { rows: job.len(), octets: 0 }
    }

    async fn together(&self, jobs: &[Vec<PersonQuery>]) -> Result<Vec<Vec<PersonRow>>, Fault> {
        let queries: Vec<&PersonQuery> = jobs.iter().flatten().collect();
        let mut persons = persons(&self.db, &queries).await?.into_iter();
        Ok(jobs.iter().map(|job| persons.by_ref().take(job.len()).collect()).collect())
    }
}

async fn persons(db: &Db, queries: &[&PersonQuery]) -> Result<Vec<PersonRow>, Fault> {
    let mut persons = vec![PersonRow::default(); queries.len()];
    if queries.is_empty() {
        return Ok(persons);
    }
    let mut questions = Questions::default();
    for query in queries {
        questions.push(Asked { controller: query.controller, tag: &query.tag, purpose: query.purpose });
    }
    for row in alone(db, &sql::PERSONS, &questions.params()).await? {
        let number: usize = number(&row, 0, "persons.number")?;
        let found = number.checked_sub(1).and_then(|at| Some((persons.get_mut(at)?, *queries.get(at)?)));
        let Some((person, query)) = found else { return Err(Error::Row { column: "persons.number" }.into()) };
        read(&row, query, person)?;
    }
    Ok(persons)
}

/// A row of the set: the same facts each time, and one suppression more.
fn read(row: &Row, query: &PersonQuery, person: &mut PersonRow) -> Result<(), Fault> {
    if column::<Option<i64>>(row, 1, "subject.block")?.is_some() {
        person.slot = Some(slot_at(row, 1, "subject.slot")?);
        person.leaving = moment_if_any(row, 20, "subject.leaving")?;
    }
    person.restriction = column(row, 3, "restriction.kind")?;
    if let Some(kind) = column(row, 4, "basis.kind")? {
        person.basis = Some(BasisRow {
            controller: query.controller,
            tag: query.tag,
            purpose: query.purpose,
            kind,
            given: moment(row, 5, "basis.given")?,
            confirmed: moment_if_any(row, 6, "basis.confirmed")?,
            withdrawn: moment_if_any(row, 7, "basis.withdrawn")?,
            expires: moment_if_any(row, 8, "basis.expires")?,
            evidence: column(row, 13, "basis.evidence")?,
            notice: column(row, 14, "basis.notice")?,
            batch: column(row, 15, "basis.batch")?,
        });
        person.inform = moment_if_any(row, 21, "basis.inform")?;
    }
    person.paused = moment_if_any(row, 16, "preference.paused")?;
    person.pace = column(row, 17, "preference.frequency")?;
    if let Some(version) = column(row, 18, "mailed.version")? {
        person.mailed = Some((version, column(row, 19, "mailed.times")?));
    }
    if let Some(scope) = column(row, 9, "suppression.scope")? {
        person.suppressions.push(SuppressionRow {
            controller: query.controller,
            tag: query.tag,
            scope,
            reason: column(row, 10, "suppression.reason")?,
            since: moment(row, 11, "suppression.since")?,
            until: moment_if_any(row, 12, "suppression.ends")?,
            address: None,
        });
    }
    Ok(())
}
