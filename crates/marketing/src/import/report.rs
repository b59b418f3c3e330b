//! What became of the rows of a file, in numbers, and the first problems one by one.
//!
//! Invariants: `contacts + quarantined + duplicates + malformed` are the rows read; the counts by reason add up to
//! `malformed`. Never: an address, or any value of the file but names of columns; memory that grows with the file.

use std::collections::BTreeMap;

use model::Timestamp;

use super::informing::{last_day, overdue_from};
use super::{Column, Field, Fields, Given, Obtained, PROBLEMS_KEPT_MAX, Reason, RowFate};

/// One row about which there is something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    /// The line on which the row begins, counted from 1.
    pub line: u64,
    /// What there is to say.
    pub what: What,
}

/// What there is to say about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Its provenance has gaps.
    Missing(Fields),
    /// The address came before.
    Duplicate {
        /// Where.
        first_line: u32,
    },
    /// It cannot be read.
    Malformed {
        /// Where, if it is one cell.
        column: Option<Column>,
        /// Why.
        reason: Reason,
    },
    /// Cells that a spreadsheet would take for formulas. The row's fate is another matter.
    Formulas(Fields),
}

/// What became of the rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Rows read: not the header, not blank lines, not comments.
    pub rows: u64,
    /// Rows that are fine.
    pub contacts: u64,
    /// Rows whose provenance has gaps.
    pub quarantined: u64,
    /// Rows whose address came before.
    pub duplicates: u64,
    /// Rows that cannot be read.
    pub malformed: u64,
    /// Blank lines and comments.
    pub blank: u64,
    /// Malformed rows by [`Reason::code`].
    pub reasons: BTreeMap<&'static str, u64>,
    /// Rows in quarantine by what they lack; a row may lack more than one thing.
    pub missing: BTreeMap<Field, u64>,
    /// Rows, contacts or in quarantine, with cells that a spreadsheet would take for formulas.
    pub formulas: u64,
    /// Rows whose address was not remembered for want of room ([`super::REMEMBERED_MAX`]).
    pub unremembered: u64,
    /// Rows, contacts or in quarantine, that were not collected from the person himself ([`super::Method::Other`]).
    pub indirect: u64,
    /// When the earliest of them was collected.
    pub indirect_since: Option<Timestamp>,
    /// Columns that nobody mapped.
    pub ignored: Vec<String>,
    /// The first problems.
    pub problems: Vec<Problem>,
    /// Problems that were not kept.
    pub problems_left_out: u64,
    kept: usize,
}

impl Report {
    pub(super) fn keeping(problems: usize) -> Self {
        Self { kept: problems.min(PROBLEMS_KEPT_MAX), ..Self::default() }
    }

    /// Whether the numbers agree with each other. They always do; tests and doubtful readers may look.
    #[must_use]
    pub fn reconciles(&self) -> bool {
        let fates = self.contacts + self.quarantined + self.duplicates + self.malformed;
        fates == self.rows && self.reasons.values().sum::<u64>() == self.malformed
    }

    pub(super) fn note(&mut self, fate: &RowFate) {
        self.rows += 1;
        let line = fate.line();
        let what = match fate {
            RowFate::Contact(row) => {
                self.contacts += 1;
                self.collected(row.evidence.obtained, Some(row.evidence.given));
                None
            }
            RowFate::Quarantine(row) => {
                self.quarantined += 1;
                self.collected(Obtained::of(row.known.obtained, row.known.method), row.known.given);
                for field in row.missing.iter() {
                    *self.missing.entry(field).or_default() += 1;
                }
                Some(What::Missing(row.missing))
            }
            RowFate::Duplicate { first_line, .. } => {
                self.duplicates += 1;
                Some(What::Duplicate { first_line: *first_line })
            }
            RowFate::Malformed { column, reason, .. } => {
                self.malformed += 1;
                *self.reasons.entry(reason.code()).or_default() += 1;
                Some(What::Malformed { column: *column, reason: *reason })
            }
        };
        if let Some(what) = what {
            self.keep(Problem { line, what });
        }
        let formulas = fate.formulas();
        if !formulas.is_empty() {
            self.formulas += 1;
            self.keep(Problem { line, what: What::Formulas(formulas) });
        }
    }

    fn collected(&mut self, obtained: Obtained, given: Option<Given>) {
        if obtained == Obtained::Person {
            return;
        }
        self.indirect += 1;
        let at = given.map(|given| match given {
            Given::At(at) => at,
            Given::Between(collected) => collected.from(),
        });
        self.indirect_since = match (self.indirect_since, at) {
            (Some(before), Some(at)) => Some(before.min(at)),
            (before, at) => before.or(at),
        };
    }

    /// GDPR Art. 14(3)(a): people whose data were not collected from themselves are informed within one month; by
    /// this day, for the earliest of them. (Art. 14(3)(b): with the first message at the latest.)
    #[must_use]
    pub fn inform_by(&self, now: Timestamp) -> Option<String> {
        if self.indirect == 0 {
            return None;
        }
        last_day(self.indirect_since.unwrap_or(now)).map(|day| day.to_string())
    }

    /// The moment after that day, when it is late.
    #[must_use]
    pub fn inform_until(&self, now: Timestamp) -> Option<Timestamp> {
        (self.indirect > 0).then(|| overdue_from(self.indirect_since.unwrap_or(now)))
    }

    fn keep(&mut self, problem: Problem) {
        if self.problems.len() < self.kept {
            self.problems.push(problem);
        } else {
            self.problems_left_out += 1;
        }
    }
}
