//! Rows between reading and writing: about 70 octets each, put in the order of their tags.
//!
//! Invariants: so many rows and octets at most, then they are written and room is made; a tag stands once.

use std::collections::HashMap;
use std::sync::Arc;

use model::basis::BasisKind;
use model::{ControllerId, RecipientTag, Timestamp};
use serde_json::{Value, json};
use store::Store;
use store::permission::{ImportFate, ImportedBasis, ImportedPerson, WaitingRow};
use tokio::sync::mpsc;

use super::super::informing::overdue_from;
use super::super::{
    ConfirmedClaim, Contact, CustomerFacts, Details, Fields, Given, Method, Obtained, Provenance, RowFate,
};
use super::origins::{Meaning, Origin, Origins};
use super::{ImportError, Notes};

/// Rows that are put in order together: a million contacts and some, so that most files are one run.
const ROWS_MAX: usize = 1 << 20;
/// Octets of their addresses and, of those that wait, their rows.
const OCTETS_MAX: usize = 64 * 1024 * 1024;

/// A row.
struct Packed {
    tag: [u8; 16],
    line: u64,
    given: i64,
    /// Where in the octets its address begins; what waits lies behind it.
    at: u32,
    /// Octets of what waits; 0 for a contact.
    waiting: u32,
    origin: u32,
    address: u16,
    missing: Fields,
}

/// Packs rows.
pub(super) struct Packer {
    store: Arc<Store>,
    controller: ControllerId,
    origins: Origins,
    notes: Notes,
    /// What rows that wait lack, for whoever is told of rows.
    waits: HashMap<u64, Fields>,
}

/// What was packed, in the order of the tags.
pub(super) struct People {
    rows: std::vec::IntoIter<Packed>,
    octets: Vec<u8>,
    origins: Vec<Origin>,
    repeated: u64,
}

impl Packer {
    pub(super) fn new(store: Arc<Store>, controller: ControllerId, origins: Origins, notes: Notes) -> Self {
        Self { store, controller, origins, notes, waits: HashMap::new() }
    }

    pub(super) const fn is_told(&self) -> bool {
        self.notes.is_some()
    }

    /// Packs until there is no more room, or the file has ended; whether it has.
    pub(super) fn pack(&mut self, fates: &mut mpsc::Receiver<Vec<RowFate>>) -> Result<(People, bool), ImportError> {
        // Room that is not used is never touched.
        let (mut rows, mut octets) = (Vec::with_capacity(ROWS_MAX), Vec::with_capacity(OCTETS_MAX));
        let mut is_end = true;
        while let Some(batch) = fates.blocking_recv() {
            for fate in &batch {
                self.row(fate, &mut rows, &mut octets)?;
            }
            let is_full = rows.len() + batch.len() > ROWS_MAX || octets.len() > OCTETS_MAX / 2;
            if is_full || self.origins.is_full() {
                is_end = false;
                break;
            }
        }
        rows.sort_unstable_by_key(|row: &Packed| (row.tag, row.line));
        let before = rows.len();
        let mut repeated_lines = Vec::new();
        rows.dedup_by(|later, first| {
            let is_repeated = later.tag == first.tag;
            if is_repeated && self.notes.is_some() {
                repeated_lines.push(later.line);
            }
            is_repeated
        });
        if let Some(notes) = &mut self.notes {
            for line in repeated_lines {
                notes
                    .settled(line, "duplicate", Fields::default())
                    .map_err(|error| ImportError::Notes(error.kind()))?;
            }
        }
        let repeated = (before - rows.len()) as u64;
        Ok((People { rows: rows.into_iter(), octets, origins: self.origins.take(), repeated }, is_end))
    }

    /// Tells what became of contacts, in the order of their lines.
    pub(super) fn told(mut self, mut settled: Vec<(u64, ImportFate)>) -> Result<Self, ImportError> {
        if let Some(notes) = &mut self.notes {
            settled.sort_unstable_by_key(|(line, _)| *line);
            for (line, fate) in settled {
                let missing = self.waits.get(&line).copied().filter(|_| fate == ImportFate::Quarantined);
                let told = notes.settled(line, fate.as_str(), missing.unwrap_or_default());
                told.map_err(|error| ImportError::Notes(error.kind()))?;
            }
            self.waits.clear();
            notes.end().map_err(|error| ImportError::Notes(error.kind()))?;
        }
        Ok(self)
    }

    fn row(&mut self, fate: &RowFate, rows: &mut Vec<Packed>, octets: &mut Vec<u8>) -> Result<(), ImportError> {
        let (line, address) = match fate {
            RowFate::Contact(row) => (row.line, &row.address),
            RowFate::Quarantine(row) => (row.line, &row.address),
            RowFate::Duplicate { .. } | RowFate::Malformed { .. } => {
                let noted = self.notes.as_mut().map_or(Ok(()), |notes| notes.read(fate));
                return noted.map_err(|error| ImportError::Notes(error.kind()));
            }
        };
        let tag = self.store.tag_of(self.controller, address)?.0;
        let wire = address.to_wire();
        let (at, length) = (small(octets.len()), u16::try_from(wire.len()).unwrap_or(u16::MAX));
        octets.extend_from_slice(wire.as_bytes());
        let mut packed =
            Packed { tag, line, given: 0, at, waiting: 0, origin: 0, address: length, missing: Fields::default() };
        match fate {
            RowFate::Contact(contact) => {
                packed.given = given(contact.evidence.given).micros();
                packed.origin = self.origins.of(&contact.evidence, contact.details.language.as_deref());
                if let Some(missing) = self.origins.missing(packed.origin) {
                    packed.missing = missing;
                    packed.waiting = append(octets, &contact_row(contact));
                }
            }
            RowFate::Quarantine(row) => {
                packed.missing = row.missing;
                packed.waiting = append(octets, &row_of(&wire, &row.known, &row.details));
            }
            RowFate::Duplicate { .. } | RowFate::Malformed { .. } => {}
        }
        if packed.waiting > 0 && self.notes.is_some() {
            self.waits.insert(line, packed.missing);
        }
        rows.push(packed);
        Ok(())
    }
}

impl People {
    /// Rows whose address came before, found only here.
    pub(super) const fn repeated(&self) -> u64 {
        self.repeated
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    fn text(&self, at: usize, length: usize) -> String {
        let octets = self.octets.get(at..at + length).unwrap_or_default();
        // What was packed was text.
        String::from_utf8_lossy(octets).into_owned()
    }
}

impl Iterator for People {
    type Item = ImportedPerson;

    fn next(&mut self) -> Option<ImportedPerson> {
        let row = self.rows.next()?;
        let (at, length) = (row.at as usize, usize::from(row.address));
        let address = self.text(at, length);
        let waiting = (row.waiting > 0).then(|| {
            let words: Vec<&str> = row.missing.iter().map(super::super::Field::as_str).collect();
            WaitingRow { missing: words.join(" "), row: self.text(at + length, row.waiting as usize) }
        });
        let origin = if waiting.is_some() { None } else { self.origins.get(row.origin as usize) };
        let bases = match origin.map(|origin| (origin, &origin.meaning)) {
            Some((origin, Meaning::Bases(purposes))) => {
                let given = Timestamp::from_micros(row.given);
                let basis = |purpose: &model::PurposeId| ImportedBasis {
                    purpose: *purpose,
                    kind: origin.kind,
                    given,
                    confirmed: origin.is_confirmed.then_some(given),
                    evidence: origin.evidence,
                    notice: origin.notice,
                    origin: origin.text.clone(),
                    inform: (origin.obtained == Obtained::ThirdParty).then(|| overdue_from(given)),
                };
                purposes.iter().map(basis).collect()
            }
            _ => Vec::new(),
        };
        Some(ImportedPerson { line: row.line, tag: RecipientTag(row.tag), address, bases, waiting })
    }
}

/// Of a span its first moment: what was given later is only younger than it seems.
fn given(given: Given) -> Timestamp {
    match given {
        Given::At(at) => at,
        Given::Between(collected) => collected.from(),
    }
}

fn contact_row(contact: &Contact) -> String {
    let evidence = contact.evidence.clone();
    let known = Provenance {
        source: Some(evidence.source),
        given: Some(evidence.given),
        method: Some(evidence.method),
        notice: Some(evidence.notice),
        basis: Some(evidence.basis),
        // Whole for a contact: without it the row would wait for it.
        customer: match evidence.basis {
            BasisKind::SoftOptIn => CustomerFacts::from_words(CustomerFacts::WORDS).unwrap_or_default(),
            _ => CustomerFacts::default(),
        },
        obtained: Some(evidence.obtained),
        purposes: evidence.purposes,
    };
    row_of(&contact.address.to_wire(), &known, &contact.details)
}

/// A row that waits, as JSON; what it does not say is left out.
fn row_of(address: &str, known: &Provenance, details: &Details) -> String {
    let purposes: Vec<&str> = known.purposes.iter().map(|name| &**name).collect();
    let confirmed = details.confirmed.map(|claim| match claim {
        ConfirmedClaim::Yes => json!(true),
        ConfirmedClaim::No => json!(false),
        ConfirmedClaim::At(at) => json!(at.micros()),
    });
    let mut row = json!({
        "address": address,
        "source": known.source.as_deref(),
        "given_us": known.given.map(|at| given(at).micros()),
        "method": known.method.map(Method::as_str),
        "notice": known.notice.as_deref(),
        "basis": known.basis.map(BasisKind::as_str),
        "soft_opt_in": known.customer.words(),
        "obtained": known.obtained.map(Obtained::as_str),
        "purposes": purposes,
        "language": details.language.as_deref(),
        "confirmed": confirmed,
    });
    if let Value::Object(fields) = &mut row {
        fields.retain(|_, value| !value.is_null());
        if !details.attributes.is_empty() {
            let pairs = details.attributes.iter().map(|(name, value)| (name.to_string(), json!(value)));
            fields.insert("attributes".to_owned(), Value::Object(pairs.collect()));
        }
    }
    row.to_string()
}

fn append(octets: &mut Vec<u8>, text: &str) -> u32 {
    octets.extend_from_slice(text.as_bytes());
    small(text.len())
}

fn small(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
