//! Imports of contacts: begun, ended with one leaf, undone, looked at (GDPR Art. 5(2), 7(1), 14).
//!
//! Invariants: an import names its provenance from its first commit on, so what a cut-short one left can be undone;
//! undoing takes away what came and was not renewed since, and never a wish; the nonce of the commitment is given to
//! the controller and kept nowhere (`architecture.md` §4).

use super::informing::INFORMATION;
use super::*;
use crate::engine::EntryRow;
use crate::journal::SystemEvent;
use crate::policy::before;
use model::agreement::AgreementState;
use model::ids::EventId;
use model::instruction::{InstructionState, Operation};
use model::{BatchId, PurposeId, Timestamp};

/// An import that is under way.
#[derive(Clone, Copy, Debug)]
pub struct RunningImport {
    /// Its id.
    pub id: BatchId,
    /// Whose.
    pub controller: ControllerId,
    /// Its leaf in the ledger.
    pub event: EventId,
    /// When it began.
    pub at: Timestamp,
}

/// What a file was, in numbers. The first five add up to its rows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ImportCounts {
    /// Rows whose contact is on record now: those added, and those that were there.
    pub contacts: u64,
    /// Rows that wait for their provenance.
    pub quarantined: u64,
    /// Rows of persons whose own wish, or a restriction, stands against it.
    pub blocked: u64,
    /// Rows whose address came before in the file.
    pub duplicates: u64,
    /// Rows that cannot be read.
    pub malformed: u64,
}

impl ImportCounts {
    /// Rows of the file.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.contacts + self.quarantined + self.blocked + self.duplicates + self.malformed
    }

    /// As the leaf shows them: names ascending.
    #[must_use]
    pub const fn shown(&self) -> [(&'static str, u64); 5] {
        [
            ("blocked", self.blocked),
            ("contacts", self.contacts),
            ("duplicates", self.duplicates),
            ("malformed", self.malformed),
            ("quarantined", self.quarantined),
        ]
    }
}

/// What the controller is given when an import has ended. With it he can show what the leaf is about, and nobody can
/// without it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportReceipt {
    /// The import.
    pub id: BatchId,
    /// Its leaf in the ledger.
    pub event: EventId,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// What it was.
    pub counts: ImportCounts,
    /// 32 random octets, kept by the controller alone.
    pub nonce: [u8; 32],
    /// HMAC-SHA-256 under the nonce of the hash of the file and the counts ([`import_commitment`]).
    pub commitment: [u8; 32],
}

/// The commitment of an import's leaf: HMAC-SHA-256 with the nonce as its key, of the 32 octets of the file's SHA-256
/// and the five counts, as the leaf shows them, each as eight octets, the highest first.
#[must_use]
pub fn import_commitment(nonce: &[u8; 32], sha256: &[u8; 32], counts: &ImportCounts) -> [u8; 32] {
    let numbers: Vec<u8> = counts.shown().iter().flat_map(|(_, count)| count.to_be_bytes()).collect();
    crypto::mac(nonce, &[sha256, &numbers])
}

/// An import as it is kept.
#[derive(Clone, Debug)]
pub struct ImportView {
    /// Its id.
    pub id: BatchId,
    /// When it began.
    pub at: Timestamp,
    /// `running` (or cut short), `done`, `undoing`, `undone`.
    pub state: String,
    /// See [`ImportCounts`]; 0 until it is done.
    pub contacts: u64,
    /// See [`ImportCounts`].
    pub quarantined: u64,
    /// See [`ImportCounts`].
    pub blocked: u64,
    /// What its leaf commits to; empty until it is done.
    pub commitment: Vec<u8>,
    /// Its leaf.
    pub event: EventId,
    /// Where the contacts came from: JSON.
    pub about: String,
    /// From this moment on the first of those whose data came from somebody else is informed too late
    /// (GDPR Art. 14(3)(a)); nothing where there is nobody.
    pub inform: Option<Timestamp>,
    /// What the controller says of how they were informed, and when he said it: JSON.
    pub information: Option<(Timestamp, String)>,
}

/// A row that waits.
#[derive(Clone, Debug)]
pub struct QuarantineView {
    /// Its line in the file.
    pub line: u64,
    /// What it lacks: words parted by spaces.
    pub missing: String,
    /// The row: JSON. Nothing when the person was erased.
    pub row: Option<String>,
}

/// On what an imported basis of a person rests.
#[derive(Clone, Debug)]
pub struct ImportedEvidence {
    /// The purpose.
    pub purpose: PurposeId,
    /// With which import it came.
    pub batch: BatchId,
    /// What was said of the whole file: JSON.
    pub about: String,
    /// What the person's own row said differently: JSON.
    pub origin: Option<String>,
}

/// What undoing an import took away.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Undone {
    /// Bases.
    pub bases: u64,
    /// Addresses of persons of whom nothing else is recorded.
    pub addresses: u64,
    /// Rows in quarantine.
    pub quarantined: u64,
}

const SEALED: &str = "import";
/// What is sealed for.
pub(super) const ORIGIN: &[u8] = b"basis origin";
pub(super) const WAITING: &[u8] = b"quarantine row";
/// Persons looked at in one commit: about 5 ms of the writer where short work waits behind it.
const UNDO_SLICE: i64 = 512;
/// The same where nothing waits.
const UNDO_SLICE_SHARED: i64 = 4_096;

impl Store {
    /// May contacts of this controller be kept now (GDPR Art. 28(3)(a))?
    ///
    /// # Errors
    /// [`Error::NotFound`] that names what is missing.
    pub async fn may_import(&self, controller: ControllerId) -> Result<()> {
        self.catch_up().await?;
        let (policy, now) = (self.policy.current(), self.now());
        let known = policy.controller(controller).ok_or(Error::NotFound { what: "controller" })?;
        let is_agreed = known
            .agreement
            .as_ref()
            .is_some_and(|one| one.state == AgreementState::InForce && one.from <= now && before(now, one.until));
        if !is_agreed {
            return Err(Error::NotFound { what: "agreement in force" });
        }
        let is_instructed = known
            .instruction
            .as_ref()
            .is_some_and(|one| one.state == InstructionState::InForce && one.operations.contains(&Operation::Store));
        if is_instructed { Ok(()) } else { Err(Error::NotFound { what: "instruction in force that covers storing" }) }
    }

    /// A key for the hashes by which one import remembers addresses.
    ///
    /// # Errors
    /// When the system gives no random octets.
    pub fn import_key(&self) -> Result<[u8; 16]> {
        crypto::random()
    }

    /// Begins an import. `about` is JSON: where the contacts came from and what else is said of the whole file.
    ///
    /// # Errors
    /// [`Error::NotFound`] as in [`Self::may_import`]; those of the engine.
    pub async fn begin_import(&self, controller: ControllerId, about: &str) -> Result<RunningImport> {
        self.may_import(controller).await?;
        let (id, at) = (BatchId(self.next_id()), self.now());
        let event = EventId(crypto::random()?);
        let insert = Step::new(
            &sql::BATCH_INSERT,
            vec![
                id.0.into(),
                controller.0.into(),
                at.into(),
                Vec::<u8>::new().into(),
                event.0.into(),
                self.vault.seal_for_controller(controller.0, SEALED, about.as_bytes())?.into(),
            ],
        );
        // No leaf yet: what came is not known before the end, and an import has one. Nobody's permission changes by it.
        let begun = Change::Rows(of_batch(controller, Reach::Nothing, insert));
        self.engine.change(vec![(begun, None)]).await?;
        Ok(RunningImport { id, controller, event, at })
    }

    /// Ends an import: its counts, its one leaf, and a receipt. From here on everybody decides by what came. `inform`
    /// is the moment from which on the first of those who must be informed is informed too late (GDPR Art. 14(3)(a)).
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not running any more; those of the engine.
    pub async fn finish_import(
        &self,
        import: &RunningImport,
        sha256: [u8; 32],
        counts: ImportCounts,
        inform: Option<Timestamp>,
    ) -> Result<ImportReceipt> {
        let nonce = crypto::random()?;
        let commitment = import_commitment(&nonce, &sha256, &counts);
        let done = Step::new(
            &sql::BATCH_DONE,
            vec![
                import.controller.0.into(),
                import.id.0.into(),
                number(counts.contacts).into(),
                number(counts.quarantined).into(),
                number(counts.blocked).into(),
                commitment.into(),
                inform.into(),
            ],
        );
        let bytes = self.system_entry(&SystemEvent {
            event: Some(import.event.0),
            kind: EventType::Imported,
            controller: import.controller,
            agreement: None,
            instruction: None,
            counts: &counts.shown(),
            detail: b"",
            commitment: Some(commitment),
            secret: None,
        })?;
        let entry = EntryRow { controller: import.controller.0, bytes };
        // The one rise of the controller's permission generation: "no basis" that is remembered of these persons is
        // forgotten now, and mail that is on its way meanwhile was never cut off for it.
        let change = Change::Rows(of_batch(import.controller, Reach::Rows, done));
        let touched = self.engine.change(vec![(change, Some(entry))]).await?;
        if touched.first().is_none_or(|rows| *rows == 0) {
            return Err(Error::NotFound { what: "running import" });
        }
        Ok(ImportReceipt { id: import.id, event: import.event, sha256, counts, nonce, commitment })
    }

    /// Takes back what came with an import, whether it was ended or cut short: bases that were neither renewed nor
    /// withdrawn since, addresses of persons of whom nothing else is recorded, rows that wait. Wishes stay. It may be
    /// called again, also after it was cut short itself.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the controller has no such import; those of the engine.
    pub async fn undo_import(&self, controller: ControllerId, id: BatchId) -> Result<Undone> {
        let which = || vec![controller.0.into(), id.0.into()];
        if self.import_view(controller, id).await?.is_none() {
            return Err(Error::NotFound { what: "import" });
        }
        // First nothing comes in with it any more. What is taken away is heeded at the end, in one rise.
        let undoing = Step::new(&sql::BATCH_UNDOING, which());
        self.engine.change(vec![(Change::Rows(of_batch(controller, Reach::Nothing, undoing)), None)]).await?;
        let mut undone = self.undo_persons(controller, id).await?;
        undone.quarantined = self.undo_lines(controller, id, i64::MAX).await?;
        let counts = [("addresses", undone.addresses), ("bases", undone.bases), ("quarantined", undone.quarantined)];
        let numbers: Vec<u8> = counts.iter().flat_map(|(_, count)| count.to_be_bytes()).collect();
        let bytes = self.system_entry(&SystemEvent {
            event: None,
            kind: EventType::Imported,
            controller,
            agreement: None,
            instruction: None,
            counts: &counts,
            detail: &[b"undone".as_slice(), &id.0.to_be_bytes(), &numbers].concat(),
            commitment: None,
            secret: None,
        })?;
        // The second time it touches nothing, and then the ledger has no entry.
        let change = Change::Rows(of_batch(controller, Reach::Rows, Step::new(&sql::BATCH_UNDONE, which())));
        self.engine.change(vec![(change, Some(EntryRow { controller: controller.0, bytes }))]).await?;
        Ok(undone)
    }

    async fn undo_persons(&self, controller: ControllerId, id: BatchId) -> Result<Undone> {
        let mut undone = Undone::default();
        let mut after: Vec<u8> = Vec::new();
        loop {
            let limit = self.undo_slice();
            let page = vec![controller.0.into(), after.clone().into(), limit.into()];
            let mut tags = self.found(&sql::SUBJECTS_AFTER, page).await?;
            let is_last = i64::try_from(tags.len()).is_ok_and(|found| found < limit);
            let upto: Vec<u8> = match tags.pop() {
                Some(mut row) if !is_last => row.octets()?,
                _ => vec![u8::MAX; 17],
            };
            let range = || vec![controller.0.into(), after.clone().into(), upto.clone().into(), id.0.into()];
            // In this order: an address goes when no basis is left. Then its person may be forgotten.
            let addresses = [range(), vec![self.now().into()]].concat();
            let steps = vec![Step::new(&sql::UNDO_BASES, range()), Step::new(&sql::UNDO_ADDRESSES, addresses)];
            let touched = self.engine.bulk(controller.0, steps).await?;
            let count = |at: usize| touched.get(at).map_or(0, |rows| *rows as u64);
            undone.bases += count(0);
            undone.addresses += count(1);
            if is_last {
                return Ok(undone);
            }
            after = upto;
        }
    }

    /// The waiting rows of an import, up to a line, came in by another one: they wait no more with this one. Again is
    /// as good as once.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn rows_released(&self, controller: ControllerId, id: BatchId, upto: u64) -> Result<u64> {
        let gone = self.undo_lines(controller, id, number(upto)).await?;
        let counted = Step::new(&sql::BATCH_WAITING, vec![controller.0.into(), id.0.into()]);
        self.engine.change(vec![(Change::Rows(of_batch(controller, Reach::Nothing, counted)), None)]).await?;
        Ok(gone)
    }

    async fn undo_lines(&self, controller: ControllerId, id: BatchId, end: i64) -> Result<u64> {
        let (mut gone, mut after) = (0, -1);
        loop {
            let page = vec![controller.0.into(), id.0.into(), after.into(), self.undo_slice().into()];
            let Some(mut last) = self.found(&sql::LINES_AFTER, page).await?.pop() else { return Ok(gone) };
            if after >= end {
                return Ok(gone);
            }
            let upto = last.number()?.min(end);
            let lines = || vec![controller.0.into(), id.0.into(), after.into(), upto.into()];
            let strangers = [lines(), vec![self.now().into()]].concat();
            let steps = vec![Step::new(&sql::UNDO_STRANGERS, strangers), Step::new(&sql::UNDO_QUARANTINE, lines())];
            let touched = self.engine.bulk(controller.0, steps).await?;
            gone += touched.get(1).map_or(0, |rows| *rows as u64);
            after = upto;
        }
    }

    fn undo_slice(&self) -> i64 {
        if self.engine.sharing().is_none() { UNDO_SLICE } else { UNDO_SLICE_SHARED }
    }

    /// An import of this controller.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn import_view(&self, controller: ControllerId, id: BatchId) -> Result<Option<ImportView>> {
        let rows = self.found(&sql::BATCH, vec![controller.0.into(), id.0.into()]).await?;
        rows.into_iter().next().map(|row| self.batch(controller, row)).transpose()
    }

    /// Imports of this controller, newest first, below an id.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn imports(&self, controller: ControllerId, below: i64, limit: usize) -> Result<Vec<ImportView>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.found(&sql::BATCHES, vec![controller.0.into(), below.into(), limit.into()]).await?;
        rows.into_iter().map(|row| self.batch(controller, row)).collect()
    }

    fn batch(&self, controller: ControllerId, mut row: Columns) -> Result<ImportView> {
        let (id, at, state) = (BatchId(row.number()?), row.moment()?, row.text()?);
        let mut count = || row.number().map(|count| u64::try_from(count).unwrap_or_default());
        let (contacts, quarantined, blocked) = (count()?, count()?, count()?);
        let (commitment, event) = (row.octets()?, EventId(row.array()?));
        let about = self.about(controller, &row.octets()?)?;
        let (inform, informed) = (row.moment_if_any()?, row.moment_if_any()?);
        let sealed = row.octets_if_any()?;
        let said = sealed.map(|sealed| self.opened(controller, INFORMATION, &sealed)).transpose()?;
        let information = informed.zip(said);
        Ok(ImportView { id, at, state, contacts, quarantined, blocked, commitment, event, about, inform, information })
    }

    fn about(&self, controller: ControllerId, sealed: &[u8]) -> Result<String> {
        self.opened(controller, SEALED, sealed)
    }

    fn opened(&self, controller: ControllerId, label: &'static str, sealed: &[u8]) -> Result<String> {
        let plain = self.vault.open_for_controller(controller.0, label, sealed)?;
        String::from_utf8(plain).map_err(|_| Error::Sealed { what: label })
    }

    /// Rows of an import that wait, from after a line on.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn quarantined(
        &self,
        controller: ControllerId,
        id: BatchId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<QuarantineView>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let from = vec![controller.0.into(), id.0.into(), number(after).into(), limit.into()];
        let mut views = Vec::new();
        for mut row in self.found(&sql::QUARANTINE_FROM, from).await? {
            let (line, missing) = (u64::try_from(row.number()?).unwrap_or_default(), row.text()?);
            let (sealed, block) = (row.octets()?, row.number()?);
            let slot = u8::try_from(row.number()?).map_err(|_| Error::Row { column: "subject.slot" })?;
            let slot = crate::engine::SlotRef { block, slot };
            let secret = self.vault.secrets(&[(controller.0, slot)]).await?.pop().flatten();
            let row = secret.and_then(|secret| unsealed(&secret, WAITING, &sealed));
            views.push(QuarantineView { line, missing, row });
        }
        Ok(views)
    }

    /// On what the imported bases of a person rest (GDPR Art. 7(1), 15(1)(g)).
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn imported_evidence(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
    ) -> Result<Vec<ImportedEvidence>> {
        let rows = self.found(&sql::IMPORTED, vec![controller.0.into(), tag.0.into()]).await?;
        let secret = self.secret_of(controller, tag).await?;
        let read = |mut row: Columns| {
            let (purpose, batch) = (PurposeId(row.number()?), BatchId(row.number()?));
            let sealed = row.octets_if_any()?;
            let open = |sealed: Vec<u8>| unsealed(secret.as_ref()?, ORIGIN, &sealed);
            let about = self.about(controller, &row.octets()?)?;
            Ok(ImportedEvidence { purpose, batch, about, origin: sealed.and_then(open) })
        };
        rows.into_iter().map(read).collect()
    }
}

fn unsealed(secret: &Secret, context: &[u8], sealed: &[u8]) -> Option<String> {
    let plain = crypto::open(&secret.wrap, context, sealed, "row").ok()?;
    String::from_utf8(plain).ok()
}

pub(super) fn of_batch(controller: ControllerId, reach: Reach, step: Step) -> Writes {
    Writes {
        controller: controller.0,
        person: None,
        reach,
        what: "import",
        event: None,
        detail: [0; 32],
        steps: vec![step],
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
