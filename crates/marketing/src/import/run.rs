//! A file of contacts on its way into the store.
//!
//! The way: one thread reads and judges rows, a second one makes tags and keeps what is known of each row in little
//! room; when the file ends, or the room does, the rows are put in the order of their tags and go into the store in
//! slices, sealed beside the writer. Invariants: each row has one fate, and the counts add up to the rows; a dry run
//! writes nothing; an import that fails is taken back, and one that was killed can be; memory does not grow with the
//! file, but for the table of duplicates.
//! Never: a fate told before it is durable; a basis better than its evidence (GDPR Art. 7(1), law.md R5, R14).

mod origins;
mod packed;
mod reading;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use model::ids::hex;
use model::{BatchId, ControllerId, PurposeId};
use serde_json::json;
use store::Store;
use store::permission::{DocumentKind, ImportCounts, ImportFate, ImportReceipt, ImportedPerson, RunningImport};
use tokio::sync::mpsc;

use self::origins::{Notices, Origins};
use self::packed::Packer;
use self::reading::Reading;
use super::{Fields, FileDigest, FileFault, Given, Input, Mapping, OpenError, Provenance, Report, Settings};

/// People whose fate is foreseen together.
const FORESEEN_AT_ONCE: usize = 512;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What the file says.
    Write,
    /// Nothing: it is only told what would become of each row.
    DryRun,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The import has this id: with it, what is cut short can be taken back.
    Begun(BatchId),
    /// So many octets of the file were read.
    Read(u64),
    /// So many rows are in the store, of so many that were read so far.
    Written(u64, u64),
}

/// Told how far it is. Short; it may come from several threads, one after the other.
pub type Tell = Arc<dyn Fn(Progress) + Send + Sync>;

/// Told what became of each row: line, stable word, and more where there is more to say. Lines come in no order.
pub trait Rows: Send {
    /// A row of the file as it was read.
    ///
    /// # Errors
    /// When it cannot be noted; then the import ends.
    fn read(&mut self, fate: &super::RowFate) -> std::io::Result<()>;

    /// What became of a contact in the store, and what it lacks when it waits.
    ///
    /// # Errors
    /// When it cannot be noted; then the import ends.
    fn settled(&mut self, line: u64, word: &'static str, missing: Fields) -> std::io::Result<()>;

    /// There are no more.
    ///
    /// # Errors
    /// When what was noted cannot be kept.
    fn end(&mut self) -> std::io::Result<()>;
}

/// Where one is told of rows, if anywhere.
pub type Notes = Option<Box<dyn Rows>>;

/// What to import, and how.
pub struct Plan {
    /// Whose contacts they are.
    pub controller: ControllerId,
    /// What kind of file it is.
    pub input: Input,
    /// Which column is what; without it, what [`Mapping::suggest`] proposes.
    pub mapping: Option<Mapping>,
    /// What is said of the whole file.
    pub settings: Settings,
    /// For what, where a row does not say it: purposes of the controller.
    pub purposes: Vec<PurposeId>,
    /// The purposes for which anything may be recorded at all: those that the instruction in force covers, and the
    /// credential may use (GDPR Art. 28(3)(a), 29). A row that names another waits.
    pub within: Vec<PurposeId>,
    /// Is anything written?
    pub mode: Mode,
}

/// How an import ended.
#[derive(Debug, Clone)]
pub struct Imported {
    /// What the controller keeps; nothing after a dry run.
    pub receipt: Option<ImportReceipt>,
    /// What the file was.
    pub digest: FileDigest,
    /// What became of its rows. They add up.
    pub counts: ImportCounts,
    /// Of the contacts, those for whom something was recorded; the others were there.
    pub added: u64,
    /// What the reading found.
    pub report: Report,
}

/// Why there was no import. What was written of it was taken back, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file, or what was said of it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file broke off.
    #[error(transparent)]
    File(#[from] FileFault),
    /// A purpose that is not the controller's, or a list.
    #[error("the purpose does not exist or has ended, is a list below one, or no instruction in force covers it")]
    Purpose,
    /// Somebody could not be told what became of a row.
    #[error("the report could not be written: {0}")]
    Notes(std::io::ErrorKind),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A thread fell over.
    #[error("the import fell over")]
    Broken,
    /// Something was written and could not be taken back now.
    #[error(
        "{cause}; what was written could not be taken back now ({undo}): undo the import when the store works again"
    )]
    Left {
        /// Which import.
        id: BatchId,
        /// What happened.
        cause: Box<Self>,
        /// Why it was not taken back.
        undo: store::Error,
    },
}

/// Imports a file.
///
/// # Errors
/// [`ImportError`]: then nothing of the file is left in the store, unless it says so.
pub async fn run<R>(
    store: &Arc<Store>,
    plan: Plan,
    reader: R,
    notes: Notes,
    tell: &Tell,
) -> Result<Imported, ImportError>
where
    R: Read + Send + 'static,
{
    let Plan { controller, input, mapping, settings, purposes, within, mode } = plan;
    store.may_import(controller).await?;
    let mut covered = store.purposes(controller);
    covered.retain(|known| within.contains(&known.id));
    if !purposes.iter().all(|id| covered.iter().any(|known| known.id == *id)) {
        return Err(ImportError::Purpose);
    }
    let notices = Notices::new(store, store.documents(controller, DocumentKind::Notice).await?);
    let about = about(store, controller, &settings.provenance, &purposes);
    let origins = Origins::new(covered, notices, &settings.provenance, purposes);
    let (opened, fates) = Reading::open(reader, input, mapping, settings, Arc::clone(tell)).await?;
    let work = Work { store: Arc::clone(store), controller, tell: Arc::clone(tell) };
    let packer = Packer::new(Arc::clone(store), controller, origins, notes);
    if mode == Mode::DryRun {
        return work.all(None, opened, fates, packer).await;
    }
    let import = store.begin_import(controller, &about).await?;
    tell(Progress::Begun(import.id));
    match work.all(Some(import), opened, fates, packer).await {
        Ok(imported) => Ok(imported),
        Err(cause) => match store.undo_import(controller, import.id).await {
            Ok(_) => Err(cause),
            Err(undo) => Err(ImportError::Left { id: import.id, cause: Box::new(cause), undo }),
        },
    }
}

impl Imported {
    /// What the controller is given, as JSON: with a receipt, everything that is needed to check the ledger's leaf.
    #[must_use]
    pub fn to_json(&self, store: &Store) -> serde_json::Value {
        let (counts, digest) = (&self.counts, &self.digest);
        let shown: serde_json::Map<_, _> =
            counts.shown().iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
        let missing: BTreeMap<_, _> = self.report.missing.iter().map(|(field, rows)| (field.as_str(), *rows)).collect();
        let mut all = json!({
            "rows": counts.rows(),
            "counts": shown,
            "added": self.added,
            "already_there": counts.contacts - self.added,
            "missing": missing,
            "reasons": self.report.reasons,
            "columns_not_used": self.report.ignored,
            "file_sha256": hex(&digest.sha256),
            "file_octets": digest.octets,
        });
        if let Some(day) = self.report.inform_by(store.now()) {
            all["inform"] = json!({ "rows": self.report.indirect, "by": day, "article": "GDPR Art. 14(3)" });
        }
        if let (Some(receipt), serde_json::Value::Object(fields)) = (&self.receipt, &mut all) {
            fields.insert("id".to_owned(), json!(store.public_id(receipt.id)));
            fields.insert("event".to_owned(), json!(receipt.event.to_hex()));
            fields.insert("nonce".to_owned(), json!(hex(&receipt.nonce)));
            fields.insert("commitment".to_owned(), json!(hex(&receipt.commitment)));
        }
        all
    }
}

/// What is said of a whole file, as it is kept.
fn about(store: &Store, controller: ControllerId, known: &Provenance, purposes: &[PurposeId]) -> String {
    let names: Vec<String> = store
        .purposes(controller)
        .iter()
        .filter(|purpose| purposes.contains(&purpose.id))
        .map(|purpose| purpose.name.clone())
        .collect();
    let (from, until) = match known.given {
        Some(Given::Between(collected)) => (Some(collected.from().micros()), Some(collected.until().micros())),
        Some(Given::At(at)) => (Some(at.micros()), Some(at.micros())),
        None => (None, None),
    };
    json!({
        "source": known.source.as_deref(),
        "method": known.method.map(super::Method::as_str),
        "notice": known.notice.as_deref(),
        "basis": known.basis.map(model::basis::BasisKind::as_str),
        "soft_opt_in": known.customer.words(),
        "obtained": known.obtained.map(super::Obtained::as_str),
        "collected_from_us": from,
        "collected_until_us": until,
        "purposes": names,
    })
    .to_string()
}

/// One import that is under way.
struct Work {
    store: Arc<Store>,
    controller: ControllerId,
    tell: Tell,
}

/// What became of contacts in the store.
#[derive(Default)]
struct Tally {
    added: u64,
    there: u64,
    blocked: u64,
    waiting: u64,
    /// For whoever is told of rows.
    settled: Option<Vec<(u64, ImportFate)>>,
}

impl Tally {
    fn note(&mut self, fates: &[(u64, ImportFate)]) {
        for (line, fate) in fates {
            let count = match fate {
                ImportFate::Added => &mut self.added,
                ImportFate::AlreadyThere => &mut self.there,
                ImportFate::Blocked => &mut self.blocked,
                ImportFate::Quarantined => &mut self.waiting,
            };
            *count += 1;
            if let Some(settled) = &mut self.settled {
                settled.push((*line, *fate));
            }
        }
    }

    const fn rows(&self) -> u64 {
        self.added + self.there + self.blocked + self.waiting
    }
}

impl Work {
    async fn all<R: Read + Send + 'static>(
        &self,
        import: Option<RunningImport>,
        reading: Reading<R>,
        mut fates: mpsc::Receiver<Vec<super::RowFate>>,
        mut packer: Packer,
    ) -> Result<Imported, ImportError> {
        let reading = reading.begin();
        let (mut tally, mut repeated) = (Tally::default(), 0);
        tally.settled = packer.is_told().then(Vec::new);
        loop {
            let packing = tokio::task::spawn_blocking(move || {
                let packed = packer.pack(&mut fates);
                (packer, fates, packed)
            });
            let packed;
            (packer, fates, packed) = packing.await.map_err(|_| ImportError::Broken)?;
            let (people, is_end) = packed?;
            repeated += people.repeated();
            self.settle(import.as_ref(), people, &mut tally).await?;
            packer = tokio::task::spawn_blocking({
                let settled = tally.settled.as_mut().map(std::mem::take).unwrap_or_default();
                move || packer.told(settled)
            })
            .await
            .map_err(|_| ImportError::Broken)??;
            if is_end {
                break;
            }
        }
        let finished = reading.await.map_err(|_| ImportError::Broken)??;
        if let Some(fault) = finished.fault {
            return Err(fault.into());
        }
        let counts = ImportCounts {
            contacts: tally.added + tally.there,
            quarantined: tally.waiting,
            blocked: tally.blocked,
            duplicates: finished.report.duplicates + repeated,
            malformed: finished.report.malformed,
        };
        // Every row that was read has been told; anything else would be a row lost in silence.
        if counts.rows() != finished.report.rows {
            return Err(ImportError::Broken);
        }
        let receipt = match &import {
            Some(import) => {
                let inform = finished.report.inform_until(self.store.now());
                Some(self.store.finish_import(import, finished.digest.sha256, counts, inform).await?)
            }
            None => None,
        };
        Ok(Imported { receipt, digest: finished.digest, counts, added: tally.added, report: finished.report })
    }

    async fn settle(
        &self,
        import: Option<&RunningImport>,
        people: packed::People,
        tally: &mut Tally,
    ) -> Result<(), ImportError> {
        let of = tally.rows() + people.len() as u64;
        let Some(import) = import else { return self.foresee(people, tally, of).await };
        let tell = Arc::clone(&self.tell);
        let mut told = |fates: &[(u64, ImportFate)]| {
            tally.note(fates);
            tell(Progress::Written(tally.rows(), of));
        };
        Ok(self.store.import_people(import, people, &mut told).await?)
    }

    async fn foresee(&self, mut people: packed::People, tally: &mut Tally, of: u64) -> Result<(), ImportError> {
        loop {
            let some: Vec<ImportedPerson> = people.by_ref().take(FORESEEN_AT_ONCE).collect();
            if some.is_empty() {
                return Ok(());
            }
            let fates = self.store.foresee_import(self.controller, &some).await?;
            let fates: Vec<_> = some.iter().map(|person| person.line).zip(fates).collect();
            tally.note(&fates);
            (self.tell)(Progress::Written(tally.rows(), of));
        }
    }
}
