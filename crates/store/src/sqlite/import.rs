//! Imports: a slice of persons in one commit of the bulk lane.
//!
//! Invariants: persons come by their tags, so that each tree is filled from left to right; nothing is written for whom
//! a wish or a restriction stands against it (GDPR Art. 18, 21(3)), also when it was made a moment ago.

use crate::engine::{ImportAnswer, ImportBars, ImportPerson, ImportRows, KnownSubject, Step};
use crate::error::{Error, Result};
use crate::sqlite::facts::{moment_if_any, slot_at};
use crate::sqlite::query::{fault, one, prepared};
use crate::statement as sql;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params, params_from_iter};

/// See [`crate::engine::Engine::import_known`].
pub(super) fn known(connection: &Connection, controller: i64, tags: &[[u8; 16]]) -> Result<Vec<Option<KnownSubject>>> {
    let mut subjects = prepared(connection, &sql::SUBJECT_KEPT)?;
    let mut find = |tag: &[u8; 16]| {
        let row = subjects.query_row(params![controller, tag], |row| {
            let (slot, leaving) = (slot_at(row, 0)?, moment_if_any(row, 3)?);
            Ok(KnownSubject { slot, has_address: row.get(2)?, leaving })
        });
        row.optional().map_err(fault)
    };
    tags.iter().map(&mut find).collect()
}

/// See [`crate::engine::Engine::import`].
pub(super) fn import(connection: &Connection, rows: &ImportRows) -> Result<Vec<ImportAnswer>> {
    let state: Option<String> =
        one(connection, &sql::BATCH_STATE, params![rows.controller, rows.batch], |row| row.get(0))?;
    if state.as_deref() != Some("running") {
        return Err(Error::NotFound { what: "running import" });
    }
    let mut writing = Writing {
        rows,
        restrictions: prepared(connection, &sql::RESTRICTION)?,
        suppressions: prepared(connection, &sql::SUPPRESSIONS)?,
        subjects: prepared(connection, &sql::SUBJECT_IMPORT)?,
        bases: prepared(connection, &sql::BASIS_IMPORT)?,
        waiting: prepared(connection, &sql::QUARANTINE_IMPORT)?,
    };
    rows.persons.iter().map(|person| writing.person(person)).collect()
}

/// See [`crate::engine::Engine::bulk`].
pub(super) fn bulk(connection: &Connection, steps: &[Step]) -> Result<Vec<usize>> {
    let run =
        |step: &Step| prepared(connection, step.statement)?.execute(params_from_iter(&step.values)).map_err(fault);
    steps.iter().map(run).collect()
}

struct Writing<'c> {
    rows: &'c ImportRows,
    restrictions: CachedStatement<'c>,
    suppressions: CachedStatement<'c>,
    subjects: CachedStatement<'c>,
    bases: CachedStatement<'c>,
    waiting: CachedStatement<'c>,
}

impl Writing<'_> {
    fn person(&mut self, person: &ImportPerson) -> Result<ImportAnswer> {
        let bars = self.bars(person)?;
        let barred = person.bases.iter().all(|basis| bars.bar(basis.purpose));
        if bars.is_restricted || (barred && person.waiting.is_none()) {
            return Ok(ImportAnswer::Blocked);
        }
        if !self.subject(person)? {
            return Ok(ImportAnswer::Again);
        }
        if let Some(row) = &person.waiting {
            let values = params![self.rows.batch, row.line, self.rows.controller, person.tag, row.missing, row.sealed];
            self.waiting.execute(values).map_err(fault)?;
            return Ok(ImportAnswer::Waits);
        }
        let mut added = 0;
        for basis in person.bases.iter().filter(|basis| !bars.bar(basis.purpose)) {
            let values = params![
                self.rows.controller,
                person.tag,
                basis.purpose.id,
                basis.kind,
                basis.given.micros(),
                basis.confirmed.map(model::Timestamp::micros),
                basis.evidence,
                basis.notice,
                self.rows.batch,
                basis.origin,
                basis.inform.map(model::Timestamp::micros),
            ];
            added += self.bases.execute(values).map_err(fault)?;
        }
        Ok(if added > 0 { ImportAnswer::Added } else { ImportAnswer::There })
    }

    fn bars(&mut self, person: &ImportPerson) -> Result<ImportBars> {
        let who = params![self.rows.controller, person.tag];
        let mut bars = ImportBars { is_restricted: self.restrictions.exists(who).map_err(fault)?, wishes: Vec::new() };
        let mut found = self.suppressions.query(params![self.rows.controller, person.tag]).map_err(fault)?;
        while let Some(row) = found.next().map_err(fault)? {
            let text = |column: usize| row.get_ref(column).and_then(|value| Ok(value.as_str()?)).map_err(fault);
            let ends = moment_if_any(row, 3).map_err(fault)?;
            bars.note(text(0)?, text(1)?, ends, self.rows.at);
        }
        Ok(bars)
    }

    /// False when he has another secret by now.
    fn subject(&mut self, person: &ImportPerson) -> Result<bool> {
        let Some(subject) = &person.subject else { return Ok(true) };
        let values = params![
            self.rows.controller,
            person.tag,
            subject.slot.block,
            subject.slot.slot,
            subject.normaliser,
            subject.address,
            subject.address.as_ref().map(|_| self.rows.batch),
        ];
        Ok(self.subjects.execute(values).map_err(fault)? > 0)
    }
}
