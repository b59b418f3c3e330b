//! Imports: a slice of persons in one transaction of a few statements.
//!
//! Invariants: persons come by their tags, so that two imports never wait for each other in a ring; erasures wait for
//! the slice (GDPR Art. 17) and those that follow see it; an import that is being undone takes nothing more in.

use super::Core;
use super::accounts::raise;
use super::columns::{Set as _, columns};
use super::db::{Db, Fault, Param, Repeat, alone, column, many, one, run, transact};
use super::rows::{moment_if_any, number, slot_at};
use crate::engine::{Changed, ImportAnswer, ImportBars, ImportRows, KnownSubject, Step};
use crate::error::{Error, Result};
use crate::statement as sql;
use deadpool_postgres::Transaction;
use std::collections::HashSet;

columns! {
    /// Persons.
    Subject => Subjects<'a> {
        tag: &'a [u8],
        block: i64,
        slot: i64,
        address: Option<&'a [u8]>,
        batch: Option<i64>,
    }
}

columns! {
    /// Their bases.
    Basis => Bases<'a> {
        tag: &'a [u8],
        purpose: i64,
        kind: &'a str,
        given: i64,
        confirmed: Option<i64>,
        evidence: &'a str,
        notice: Option<i64>,
        origin: Option<&'a [u8]>,
        inform: Option<i64>,
    }
}

columns! {
    /// Rows that wait.
    Waiting => WaitingRows<'a> {
        line: i64,
        tag: &'a [u8],
        missing: &'a str,
        sealed: &'a [u8],
    }
}

/// See [`crate::engine::Engine::import_known`].
pub(super) async fn known(db: &Db, controller: i64, tags: &[[u8; 16]]) -> Result<Vec<Option<KnownSubject>>> {
    let asked: Vec<&[u8]> = tags.iter().map(<[u8; 16]>::as_slice).collect();
    let mut known = vec![None; tags.len()];
    let read = async {
        for row in alone(db, &sql::SUBJECTS_KEPT, &[&controller, &asked]).await? {
            let place: usize = number(&row, 0, "subject.number")?;
            let is_kept: i64 = column(&row, 3, "subject.address")?;
            if let Some(one) = place.checked_sub(1).and_then(|at| known.get_mut(at)) {
                let slot = slot_at(&row, 1, "subject.slot")?;
                let leaving = moment_if_any(&row, 4, "subject.leaving")?;
                *one = Some(KnownSubject { slot, has_address: is_kept != 0, leaving });
            }
        }
        Ok::<_, Fault>(())
    };
    read.await.map_err(Fault::into_error)?;
    Ok(known)
}

/// See [`crate::engine::Engine::import`]. A second run after a COMMIT that was not answered finds what the first one
/// wrote: those persons are told as there already.
pub(super) async fn import(db: &Db, rows: &ImportRows) -> Result<Vec<ImportAnswer>> {
    let written: Result<_, Fault> = transact!(db, Repeat::Safe, tx => { write(&tx, rows).await });
    written.map_err(Fault::into_error)
}

async fn write(tx: &Transaction<'_>, rows: &ImportRows) -> Result<Vec<ImportAnswer>, Fault> {
    run(tx, &sql::INTAKE_SHARE, &[]).await?;
    let held = one(tx, &sql::BATCH_HELD, &[&rows.controller, &rows.batch]).await?;
    let state: Option<String> = held.map(|row| column(&row, 0, "batch.state")).transpose()?;
    if state.as_deref() != Some("running") {
        return Err(Error::NotFound { what: "running import" }.into());
    }
    let bars = bars(tx, rows).await?;
    let mut answers: Vec<ImportAnswer> = rows
        .persons
        .iter()
        .zip(&bars)
        .map(|(person, bars)| {
            let barred = person.bases.iter().all(|basis| bars.bar(basis.purpose));
            let is_blocked = bars.is_restricted || (barred && person.waiting.is_none());
            if is_blocked { ImportAnswer::Blocked } else { ImportAnswer::There }
        })
        .collect();
    subjects(tx, rows, &mut answers).await?;
    waiting(tx, rows, &mut answers).await?;
    bases(tx, rows, &bars, &mut answers).await?;
    Ok(answers)
}

async fn bars(tx: &Transaction<'_>, rows: &ImportRows) -> Result<Vec<ImportBars>, Fault> {
    let tags: Vec<&[u8]> = rows.persons.iter().map(|person| person.tag.as_slice()).collect();
    let mut bars = vec![ImportBars::default(); tags.len()];
    for row in many(tx, &sql::STANDING_OF, &[&rows.controller, &tags]).await? {
        let place: usize = number(&row, 0, "suppression.number")?;
        let Some(bars) = place.checked_sub(1).and_then(|at| bars.get_mut(at)) else { continue };
        bars.is_restricted |= column::<Option<&str>>(&row, 1, "restriction.kind")?.is_some();
        if let Some(scope) = column(&row, 2, "suppression.scope")? {
            let ends = moment_if_any(&row, 4, "suppression.ends")?;
            bars.note(scope, column(&row, 3, "suppression.reason")?, ends, rows.at);
        }
    }
    Ok(bars)
}

async fn subjects(tx: &Transaction<'_>, rows: &ImportRows, answers: &mut [ImportAnswer]) -> Result<(), Fault> {
    let mut set = Subjects::default();
    let mut normaliser = 0;
    for (person, answer) in rows.persons.iter().zip(&*answers) {
        if let (Some(subject), ImportAnswer::There) = (&person.subject, answer) {
            normaliser = i64::from(subject.normaliser);
            set.push(Subject {
                tag: &person.tag,
                block: subject.slot.block,
                slot: i64::from(subject.slot.slot),
                address: subject.address.as_deref(),
                batch: subject.address.as_ref().map(|_| rows.batch),
            });
        }
    }
    if set.rows() == 0 {
        return Ok(());
    }
    let params: Vec<Param<'_>> = [&rows.controller as Param<'_>, &normaliser].into_iter().chain(set.params()).collect();
    let done = tags(&many(tx, &sql::SUBJECTS_IMPORT, &params).await?)?;
    for (person, answer) in rows.persons.iter().zip(answers) {
        if person.subject.is_some() && *answer == ImportAnswer::There && !done.contains(&person.tag) {
            *answer = ImportAnswer::Again;
        }
    }
    Ok(())
}

async fn waiting(tx: &Transaction<'_>, rows: &ImportRows, answers: &mut [ImportAnswer]) -> Result<(), Fault> {
    let mut set = WaitingRows::default();
    for (person, answer) in rows.persons.iter().zip(answers) {
        if let (Some(row), ImportAnswer::There) = (&person.waiting, &*answer) {
            set.push(Waiting { line: row.line, tag: &person.tag, missing: &row.missing, sealed: &row.sealed });
            *answer = ImportAnswer::Waits;
        }
    }
    if set.rows() == 0 {
        return Ok(());
    }
    let params: Vec<Param<'_>> = [&rows.batch as Param<'_>, &rows.controller].into_iter().chain(set.params()).collect();
    run(tx, &sql::QUARANTINES_IMPORT, &params).await.map(drop)
}

async fn bases(
    tx: &Transaction<'_>,
    rows: &ImportRows,
    bars: &[ImportBars],
    answers: &mut [ImportAnswer],
) -> Result<(), Fault> {
    let mut set = Bases::default();
    for ((person, bars), answer) in rows.persons.iter().zip(bars).zip(&*answers) {
        if *answer != ImportAnswer::There {
            continue;
        }
        for basis in person.bases.iter().filter(|basis| !bars.bar(basis.purpose)) {
            set.push(Basis {
                tag: &person.tag,
                purpose: basis.purpose.id,
                kind: basis.kind,
                given: basis.given.micros(),
                confirmed: basis.confirmed.map(model::Timestamp::micros),
                evidence: basis.evidence,
                notice: basis.notice,
                origin: basis.origin.as_deref(),
                inform: basis.inform.map(model::Timestamp::micros),
            });
        }
    }
    if set.rows() == 0 {
        return Ok(());
    }
    let params: Vec<Param<'_>> = [&rows.controller as Param<'_>, &rows.batch].into_iter().chain(set.params()).collect();
    let added = tags(&many(tx, &sql::BASES_IMPORT, &params).await?)?;
    for (person, answer) in rows.persons.iter().zip(answers) {
        if *answer == ImportAnswer::There && added.contains(&person.tag) {
            *answer = ImportAnswer::Added;
        }
    }
    Ok(())
}

fn tags(rows: &[tokio_postgres::Row]) -> Result<HashSet<[u8; 16]>, Fault> {
    let tag = |row: &tokio_postgres::Row| {
        let octets: &[u8] = column(row, 0, "subject.tag")?;
        octets.try_into().map_err(|_| Fault::Final(Error::Row { column: "subject.tag" }))
    };
    rows.iter().map(tag).collect()
}

/// See [`crate::engine::Engine::bulk`].
pub(super) async fn bulk(core: &Core, controller: i64, steps: &[Step]) -> Result<Vec<usize>> {
    let done: Result<_, Fault> = transact!(core.main, Repeat::Safe, tx => {
        raise(&tx, &[controller]).await?;
        let mut touched = Vec::with_capacity(steps.len());
        for step in steps {
            let params: Vec<Param<'_>> = step.values.iter().map(|value| -> Param<'_> { value }).collect();
            touched.push(run(&tx, step.statement, &params).await?);
        }
        Ok(touched)
    });
    let touched = done.map_err(Fault::into_error)?;
    core.tell(Changed { controllers: vec![controller], policy: None });
    Ok(touched)
}
