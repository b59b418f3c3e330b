//! From the cells of a row to its fate.
//!
//! Invariants: what a row says stands before what is said of the file; an empty cell says nothing; a value that cannot
//! be read makes the row malformed rather than letting the file's default speak for it.
//! Never: evidence made better by a claim; a date after the present moment.

use std::sync::Arc;

use mail::address::Address;

use super::duplicates::{Seen, Table};
use super::mapping::Bound;
use super::provenance::basis_from;
use super::split::Cells;
use super::{
    Column, ConfirmedClaim, Contact, CustomerFacts, Dates, Details, Field, Fields, Given, Method, Obtained,
    PURPOSES_MAX, Provenance, Quarantined, Reason, Remember, RowFate,
};

type Flaw = (Option<Column>, Reason);

/// Octets of a language tag; RFC 5646 §4.4.1 asks for room for 35.
const LANGUAGE_OCTETS_MAX: usize = 35;

pub(super) struct Judge {
    bound: Bound,
    defaults: Provenance,
    dates: Dates,
    table: Table,
    source: Repeated,
    notice: Repeated,
    language: Repeated,
    purposes: Option<(String, Arc<[Box<str>]>)>,
}

/// The fate of a row, and whether its address was remembered.
pub(super) struct Verdict {
    pub(super) fate: RowFate,
    pub(super) remembered: Remembered,
}

/// Whether the table of duplicates had room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remembered {
    Yes,
    NoRoom,
}

impl Judge {
    pub(super) fn new(bound: Bound, defaults: Provenance, dates: Dates, remember: Remember) -> Self {
        Self {
            bound,
            defaults,
            dates,
            table: Table::new(remember),
            source: Repeated::default(),
            notice: Repeated::default(),
            language: Repeated::default(),
            purposes: None,
        }
    }

    pub(super) const fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Octets that the table of duplicates takes.
    #[cfg(test)]
    pub(super) fn table_octets(&self) -> usize {
        self.table.octets()
    }

    /// A row of cells that could not be told apart.
    pub(super) fn malformed(&self, line: u64, (column, reason): Flaw) -> Verdict {
        // What was found while splitting knows only the number of the column.
        let column = column.map(|column| Column {
            field: column.field.or_else(|| self.bound.field_at(usize::from(column.number?).checked_sub(1)?)),
            ..column
        });
        Verdict { fate: RowFate::Malformed { line, column, reason }, remembered: Remembered::Yes }
    }

    pub(super) fn judge(&mut self, line: u64, cells: Cells<'_>) -> Verdict {
        if cells.len() != self.bound.columns {
            let reason = Reason::CellCount { expected: small(self.bound.columns), found: small(cells.len()) };
            return self.malformed(line, (None, reason));
        }
        match self.read(cells) {
            Ok((address, known, details)) => self.fate(line, address, known, details),
            Err(flaw) => self.malformed(line, flaw),
        }
    }

    fn fate(&mut self, line: u64, address: Address, known: Provenance, details: Details) -> Verdict {
        let remembered = match self.table.see(&address.normalised(), line) {
            Seen::Before(first_line) => {
                let fate = RowFate::Duplicate { line, first_line, address };
                return Verdict { fate, remembered: Remembered::Yes };
            }
            Seen::First => Remembered::Yes,
            Seen::Full => Remembered::NoRoom,
        };
        let fate = match known.complete() {
            Ok(evidence) => RowFate::Contact(Contact { line, address, evidence, details }),
            Err(known) => {
                let missing = known.missing();
                RowFate::Quarantine(Quarantined { line, address, known, missing, details })
            }
        };
        Verdict { fate, remembered }
    }

    fn read(&mut self, cells: Cells<'_>) -> Result<(Address, Provenance, Details), Flaw> {
        let mut formulas = Fields::default();
        let email = self.text(cells, Field::Email, &mut formulas).unwrap_or_default();
        let address = Address::parse(email).map_err(|error| self.flaw(Field::Email, Reason::Address(error)))?;
        let mut known = self.defaults.clone();
        if let Some(text) = self.cell(cells, Field::GivenAt) {
            let at = self.dates.read(text).map_err(|reason| self.flaw(Field::GivenAt, reason))?;
            known.given = Some(Given::At(at));
        }
        if let Some(text) = self.cell(cells, Field::Method) {
            let method = Method::from_word(text).ok_or_else(|| self.flaw(Field::Method, Reason::MethodUnknown))?;
            known.method = Some(method);
        }
        if let Some(text) = self.cell(cells, Field::Basis) {
            let basis = basis_from(text).ok_or_else(|| self.flaw(Field::Basis, Reason::BasisUnknown))?;
            known.basis = Some(basis);
        }
        if let Some(text) = self.cell(cells, Field::SoftOptIn) {
            let facts = CustomerFacts::from_words(text);
            known.customer = facts.ok_or_else(|| self.flaw(Field::SoftOptIn, Reason::SoftOptInUnknown))?;
        }
        if let Some(text) = self.cell(cells, Field::Obtained) {
            let obtained = Obtained::from_word(text);
            known.obtained = Some(obtained.ok_or_else(|| self.flaw(Field::Obtained, Reason::ObtainedUnknown))?);
        }
        if let Some(text) = self.text(cells, Field::Source, &mut formulas) {
            known.source = Some(self.source.get(text));
        }
        if let Some(text) = self.text(cells, Field::Notice, &mut formulas) {
            known.notice = Some(self.notice.get(text));
        }
        if let Some(text) = self.text(cells, Field::Purpose, &mut formulas) {
            known.purposes = self.purposes(text)?;
        }
        let mut details = Details { formulas, ..self.claims(cells)? };
        for (name, place) in &self.bound.attributes {
            let raw = cells.get(*place);
            let value = raw.trim();
            if is_formula(raw) {
                details.formulas.insert(Field::Attribute);
            }
            if !value.is_empty() {
                details.attributes.push((Arc::clone(name), value.into()));
            }
        }
        Ok((address, known, details))
    }

    fn claims(&mut self, cells: Cells<'_>) -> Result<Details, Flaw> {
        let mut details = Details::default();
        if let Some(text) = self.cell(cells, Field::Language) {
            if !is_language(text) {
                return Err(self.flaw(Field::Language, Reason::LanguageInvalid));
            }
            let tag = self.language.get(text);
            details.language = Some(if text.contains('_') { Arc::from(text.replace('_', "-")) } else { tag });
        }
        if let Some(text) = self.cell(cells, Field::Confirmed) {
            let claim = claim(text, &self.dates).map_err(|reason| self.flaw(Field::Confirmed, reason))?;
            details.confirmed = Some(claim);
        }
        Ok(details)
    }

    /// The cell of a field, if it says something.
    fn cell<'a>(&self, cells: Cells<'a>, field: Field) -> Option<&'a str> {
        let cell = cells.get(self.bound.place(field)?).trim();
        (!cell.is_empty()).then_some(cell)
    }

    /// The same, and whether it would be a formula is noted.
    fn text<'a>(&self, cells: Cells<'a>, field: Field, formulas: &mut Fields) -> Option<&'a str> {
        if is_formula(cells.get(self.bound.place(field)?)) {
            formulas.insert(field);
        }
        self.cell(cells, field)
    }

    fn purposes(&mut self, text: &str) -> Result<Arc<[Box<str>]>, Flaw> {
        if let Some((last, purposes)) = &self.purposes
            && last == text
        {
            return Ok(Arc::clone(purposes));
        }
        let parts = text.split([';', '|', ',']).map(str::trim).filter(|purpose| !purpose.is_empty());
        let purposes: Arc<[Box<str>]> = parts.take(PURPOSES_MAX + 1).map(Box::from).collect();
        if purposes.len() > PURPOSES_MAX {
            return Err(self.flaw(Field::Purpose, Reason::TooManyPurposes));
        }
        self.purposes = Some((text.to_owned(), Arc::clone(&purposes)));
        Ok(purposes)
    }

    fn flaw(&self, field: Field, reason: Reason) -> Flaw {
        let number = self.bound.place(field).and_then(|place| self.bound.number(place));
        (Some(Column { number, field: Some(field) }), reason)
    }
}

/// A text that most rows share: made once for a run of equal ones.
#[derive(Default)]
struct Repeated(Option<Arc<str>>);

impl Repeated {
    fn get(&mut self, text: &str) -> Arc<str> {
        match &self.0 {
            Some(last) if **last == *text => Arc::clone(last),
            _ => {
                let new: Arc<str> = Arc::from(text);
                self.0 = Some(Arc::clone(&new));
                new
            }
        }
    }
}

/// Whether a spreadsheet would take the cell for a formula when it opens a file that holds it.
pub(super) fn is_formula(cell: &str) -> bool {
    let first = |text: &str| text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    cell.starts_with(['\t', '\r', '\n']) || first(cell) || first(cell.trim_start())
}

/// RFC 5646 §2.1 as far as it is about form, `_` for `-` as some systems write it.
fn is_language(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let first = parts.next().unwrap_or_default();
    let whole = text.len() <= LANGUAGE_OCTETS_MAX;
    whole
        && (2..=8).contains(&first.len())
        && first.bytes().all(|octet| octet.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_alphanumeric()))
}

fn claim(text: &str, dates: &Dates) -> Result<ConfirmedClaim, Reason> {
    const YES: &[&str] = &["yes", "y", "true", "1", "ja", "j", "x", "confirmed", "bestätigt"];
    const NO: &[&str] = &["no", "n", "false", "0", "nein", "pending", "unconfirmed"];
    let is_in = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is_in(YES) {
        return Ok(ConfirmedClaim::Yes);
    }
    if is_in(NO) {
        return Ok(ConfirmedClaim::No);
    }
    match dates.read(text) {
        Ok(at) => Ok(ConfirmedClaim::At(at)),
        Err(Reason::DateInvalid) => Err(Reason::ConfirmedInvalid),
        Err(reason) => Err(reason),
    }
}

fn small(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
