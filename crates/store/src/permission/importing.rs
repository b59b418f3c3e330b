//! The persons of an import, on their way into the store: looked up and sealed in slices while the slice before is
//! written.
//!
//! Invariants: a person who is known keeps his secret; what is sealed under a secret is written with that secret or
//! not at all; at most a few slices are in memory. Never: a person's row replaced by what a file says.

use super::imports::{ORIGIN, RunningImport, WAITING};
use super::*;
use crate::engine::{
    ImportAnswer, ImportBars, ImportBasis, ImportPerson, ImportPurpose, ImportRows, ImportSubject, ImportWaiting,
    KnownSubject, PersonQuery, SlotRef,
};
use model::basis::{BasisKind, Evidence};
use model::{DocumentId, PurposeId, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Persons of a slice where short work waits behind it: about 5 ms of the writer.
const SLICE: usize = 512;
/// The same where nothing waits behind it.
const SLICE_SHARED: usize = 2_048;
/// Slices that are sealed and wait for the writer.
const SLICES_READY: usize = 2;
/// Slices that are being written: one, and the next, so that the writer never waits for us.
const SLICES_UNDER_WAY: usize = 2;

/// A person who comes with an import.
#[derive(Clone)]
pub struct ImportedPerson {
    /// The line of his row.
    pub line: u64,
    /// Who.
    pub tag: RecipientTag,
    /// The address, in the form that mail is sent to.
    pub address: String,
    /// On what mail to him may rest. Empty for one whose row waits.
    pub bases: Vec<ImportedBasis>,
    /// His row, when it waits for its provenance.
    pub waiting: Option<WaitingRow>,
}

/// A basis as a file states it.
#[derive(Clone)]
pub struct ImportedBasis {
    /// The purpose.
    pub purpose: PurposeId,
    /// Its kind.
    pub kind: BasisKind,
    /// When it was given.
    pub given: Timestamp,
    /// When it was confirmed, on the controller's word.
    pub confirmed: Option<Timestamp>,
    /// How well it is shown.
    pub evidence: Evidence,
    /// The words that were shown, where they are kept here.
    pub notice: Option<DocumentId>,
    /// What the row says differently from its file: JSON.
    pub origin: Option<Arc<str>>,
    /// From then on it is late that the person was not informed (GDPR Art. 14(3)(a)); nothing where the data came from
    /// himself.
    pub inform: Option<Timestamp>,
}

/// A row that waits for its provenance.
#[derive(Clone)]
pub struct WaitingRow {
    /// What it lacks: words parted by spaces.
    pub missing: String,
    /// What it says: JSON.
    pub row: String,
}

/// What became of a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ImportFate {
    /// A basis was recorded.
    Added,
    /// What it says was recorded before, or something that stands before it.
    AlreadyThere,
    /// The person's own wish, or a restriction, stands against it (GDPR Art. 18, 21(3)).
    Blocked,
    /// It waits for its provenance.
    Quarantined,
}

impl ImportFate {
    /// The stable word of reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "contact",
            Self::AlreadyThere => "already-there",
            Self::Blocked => "blocked",
            Self::Quarantined => "quarantine",
        }
    }
}

/// Told what became of the rows of each slice, by their lines, when that is durable.
pub type ToldFates<'a> = &'a mut (dyn FnMut(&[(u64, ImportFate)]) + Send);

/// A slice, sealed.
struct Prepared {
    rows: ImportRows,
    people: Vec<ImportedPerson>,
}

type Written = (Vec<ImportedPerson>, Result<Vec<ImportAnswer>>);

impl Store {
    /// Takes people in, in the order of their tags, each once: a file of millions fills the trees from left to right.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the import is not running any more; those of the engine. What was told before is kept.
    pub async fn import_people<I>(
        self: &Arc<Self>,
        import: &RunningImport,
        people: I,
        told: ToldFates<'_>,
    ) -> Result<()>
    where
        I: Iterator<Item = ImportedPerson> + Send + 'static,
    {
        let mut again = self.import_round(import, people, told).await?;
        for _ in 0..CLAIMS_MAX {
            if again.is_empty() {
                return Ok(());
            }
            again = self.import_round(import, again.into_iter(), told).await?;
        }
        Err(Error::NotFound { what: "person" })
    }

    async fn import_round<I>(
        self: &Arc<Self>,
        import: &RunningImport,
        people: I,
        told: ToldFates<'_>,
    ) -> Result<Vec<ImportedPerson>>
    where
        I: Iterator<Item = ImportedPerson> + Send + 'static,
    {
        let (give, mut ready) = mpsc::channel(SLICES_READY);
        let (store, of) = (Arc::clone(self), *import);
        let preparing = tokio::spawn(async move { store.prepare_all(of, people, give).await });
        let (mut writing, mut again) = (JoinSet::<Written>::new(), Vec::new());
        loop {
            let next = ready.recv().await;
            let is_end = next.is_none();
            if let Some(Prepared { rows, people }) = next {
                let engine = Arc::clone(&self.engine);
                writing.spawn(async move { (people, engine.import(rows).await) });
            }
            while writing.len() > if is_end { 0 } else { SLICES_UNDER_WAY - 1 } {
                // A task that fell over: nobody knows how far it came.
                let Some(Ok((people, answers))) = writing.join_next().await else { return Err(Error::Unknown) };
                tell(people, &answers?, told, &mut again);
            }
            if is_end {
                preparing.await.map_err(|_| Error::Closed)??;
                return Ok(again);
            }
        }
    }

    async fn prepare_all<I>(
        self: Arc<Self>,
        import: RunningImport,
        mut people: I,
        give: mpsc::Sender<Prepared>,
    ) -> Result<()>
    where
        I: Iterator<Item = ImportedPerson> + Send + 'static,
    {
        let size = if self.engine.sharing().is_none() { SLICE } else { SLICE_SHARED };
        let marketing = self.marketing_purposes(import.controller);
        loop {
            let slice: Vec<ImportedPerson> = people.by_ref().take(size).collect();
            if slice.is_empty() {
                return Ok(());
            }
            let prepared = self.prepare(import, slice, &marketing).await?;
            if give.send(prepared).await.is_err() {
                // Writing has failed, and says why.
                return Ok(());
            }
        }
    }

    fn marketing_purposes(&self, controller: ControllerId) -> Arc<HashMap<PurposeId, ImportPurpose>> {
        let of = |one: Arc<model::purpose::Purpose>| {
            (one.id, ImportPurpose { id: one.id.0, is_marketing: one.kind.is_marketing() })
        };
        Arc::new(self.purposes(controller).into_iter().map(of).collect())
    }

    async fn prepare(
        &self,
        import: RunningImport,
        people: Vec<ImportedPerson>,
        purposes: &Arc<HashMap<PurposeId, ImportPurpose>>,
    ) -> Result<Prepared> {
        let controller = import.controller.0;
        let mut known = self.engine.import_known(controller, people.iter().map(|one| one.tag.0).collect()).await?;
        for (person, known) in people.iter().zip(&mut known) {
            if let Some(found) = known
                && self.usable(import.controller, person.tag, found.slot, found.leaving).await?.is_none()
            {
                *known = None;
            }
        }
        let missing = known.iter().filter(|one| one.is_none()).count();
        let mut fresh = self.vault.new_slots(controller, missing, || self.next_id()).await?.into_iter();
        let old: Vec<(i64, SlotRef)> = known.iter().flatten().map(|known| (controller, known.slot)).collect();
        let mut old = self.needed_secrets(&people, &known, &old).await?.into_iter();
        let places = known.into_iter().map(|known| match known {
            Some(known) => {
                let secret = old.next().flatten();
                Some(Place { slot: known.slot, is_new: false, is_kept: known.has_address, secret })
            }
            None => {
                fresh.next().map(|(slot, secret)| Place { slot, is_new: true, is_kept: false, secret: Some(secret) })
            }
        });
        let places: Vec<Option<Place>> = places.collect();
        let (purposes, at) = (Arc::clone(purposes), self.now());
        let seal = move || -> Result<Prepared> {
            let persons = people
                .iter()
                .zip(places)
                .map(|(person, place)| person_row(person, place.ok_or(Error::Sealed { what: "secret" })?, &purposes))
                .collect::<Result<Vec<_>>>()?;
            Ok(Prepared { rows: ImportRows { controller, batch: import.id.0, at, persons }, people })
        };
        tokio::task::spawn_blocking(seal).await.map_err(|_| Error::Closed)?
    }

    /// Secrets of those who are known, where something will be sealed under them.
    async fn needed_secrets(
        &self,
        people: &[ImportedPerson],
        known: &[Option<KnownSubject>],
        slots: &[(i64, SlotRef)],
    ) -> Result<Vec<Option<Secret>>> {
        let needs = |(person, known): (&ImportedPerson, &Option<KnownSubject>)| {
            known.is_some_and(|known| {
                !known.has_address
                    || person.waiting.is_some()
                    || person.bases.iter().any(|basis| basis.origin.is_some())
            })
        };
        if people.iter().zip(known).any(needs) {
            return self.vault.secrets(slots).await;
        }
        Ok(vec![None; slots.len()])
    }

    /// What would become of people, if they came now. Nothing is written.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn foresee_import(&self, controller: ControllerId, people: &[ImportedPerson]) -> Result<Vec<ImportFate>> {
        let purposes = self.marketing_purposes(controller);
        let mut queries = Vec::with_capacity(people.len());
        for person in people {
            let query = |purpose| PersonQuery { controller: controller.0, purpose, tag: person.tag.0 };
            match person.bases.as_slice() {
                [] => queries.push(query(0)),
                bases => queries.extend(bases.iter().map(|basis| query(basis.purpose.0))),
            }
        }
        let mut rows = self.engine.persons(queries).await?.into_iter();
        let now = self.now();
        let fates = people.iter().map(|person| {
            let rows: Vec<_> = rows.by_ref().take(person.bases.len().max(1)).collect();
            let mut bars = ImportBars::default();
            if let Some(first) = rows.first() {
                bars.is_restricted = first.restriction.is_some();
                first.suppressions.iter().for_each(|one| bars.note(&one.scope, &one.reason, one.until, now));
            }
            if bars.is_restricted {
                return ImportFate::Blocked;
            }
            if person.waiting.is_some() {
                return ImportFate::Quarantined;
            }
            let open = person.bases.iter().zip(&rows).filter(|(basis, _)| !bars.bar(purpose_of(basis, &purposes)));
            let found: Vec<bool> = open.map(|(_, row)| row.basis.is_some()).collect();
            match found.iter().all(|is_there| *is_there) {
                _ if found.is_empty() => ImportFate::Blocked,
                true => ImportFate::AlreadyThere,
                false => ImportFate::Added,
            }
        });
        Ok(fates.collect())
    }
}

/// Where a person's secret is, and what is recorded under it.
struct Place {
    slot: SlotRef,
    is_new: bool,
    is_kept: bool,
    /// Nothing where nothing is sealed, or where it was destroyed.
    secret: Option<Secret>,
}

fn purpose_of(basis: &ImportedBasis, purposes: &HashMap<PurposeId, ImportPurpose>) -> ImportPurpose {
    // Of a purpose that is not known every wish counts.
    let unknown = ImportPurpose { id: basis.purpose.0, is_marketing: true };
    purposes.get(&basis.purpose).copied().unwrap_or(unknown)
}

fn person_row(
    person: &ImportedPerson,
    place: Place,
    purposes: &HashMap<PurposeId, ImportPurpose>,
) -> Result<ImportPerson> {
    // A person whose secret is gone was erased: the engine finds his restriction and writes nothing of him.
    let seal = |context: &[u8], plain: &str| match &place.secret {
        Some(secret) => crypto::seal(&secret.wrap, context, plain.as_bytes()),
        None => Ok(Vec::new()),
    };
    let comes = person.waiting.is_none() && !place.is_kept && place.secret.is_some();
    let address = comes.then(|| seal(b"subject address", &person.address)).transpose()?;
    let subject = (place.is_new || address.is_some()).then_some(ImportSubject {
        slot: place.slot,
        normaliser: NORMALISER_VERSION,
        address,
    });
    let basis = |basis: &ImportedBasis| {
        Ok(ImportBasis {
            purpose: purpose_of(basis, purposes),
            kind: basis.kind.as_str(),
            given: basis.given,
            confirmed: basis.confirmed,
            evidence: basis.evidence.as_str(),
            notice: basis.notice.map(|id| id.0),
            origin: basis.origin.as_deref().map(|text| seal(ORIGIN, text)).transpose()?,
            inform: basis.inform,
        })
    };
    let waiting = person.waiting.as_ref().map(|row| {
        let line = i64::try_from(person.line).unwrap_or(i64::MAX);
        Ok::<_, Error>(ImportWaiting { line, missing: row.missing.clone(), sealed: seal(WAITING, &row.row)? })
    });
    Ok(ImportPerson {
        tag: person.tag.0,
        subject,
        bases: person.bases.iter().map(basis).collect::<Result<_>>()?,
        waiting: waiting.transpose()?,
    })
}

fn tell(people: Vec<ImportedPerson>, answers: &[ImportAnswer], told: ToldFates<'_>, again: &mut Vec<ImportedPerson>) {
    let mut fates = Vec::with_capacity(people.len());
    for (person, answer) in people.into_iter().zip(answers) {
        let fate = match answer {
            ImportAnswer::Added => ImportFate::Added,
            ImportAnswer::There => ImportFate::AlreadyThere,
            ImportAnswer::Blocked => ImportFate::Blocked,
            ImportAnswer::Waits => ImportFate::Quarantined,
            ImportAnswer::Again => {
                again.push(person);
                continue;
            }
        };
        fates.push((person.line, fate));
    }
    told(&fates);
}
