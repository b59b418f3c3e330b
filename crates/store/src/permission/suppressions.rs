//! The controller's suppression list: written by his systems and by files, listed, and never shared.
//!
//! Invariants: an entry gives way only to something stronger (see the statement); the controller takes back what he or
//! a bounce said, never what a person wished (GDPR Art. 21(3)).

use super::*;
use crate::engine::{EntryRow, SlotRef, SuppressionRow};
use crate::facts::{read_scope, write_scope};
use crate::journal::SystemEvent;
use crate::spool::PersonSlot;
use model::Timestamp;
use model::ids::EventId;
use model::person::{SuppressionReason, SuppressionScope};
use std::collections::BTreeMap;

/// An entry of the list.
#[derive(Clone, Debug)]
pub struct ListedSuppression {
    /// Whom: as the controller's own key makes it of the address.
    pub tag: RecipientTag,
    /// The address, as long as it is kept.
    pub address: Option<String>,
    /// How far.
    pub scope: SuppressionScope,
    /// Why.
    pub reason: SuppressionReason,
    /// Since.
    pub since: Timestamp,
    /// Until (bounces only).
    pub until: Option<Timestamp>,
}

/// Which entries are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SuppressionFilter {
    /// Of this scope alone.
    pub scope: Option<SuppressionScope>,
    /// For this reason alone.
    pub reason: Option<SuppressionReason>,
}

/// An entry to be made.
#[derive(Clone, Debug)]
pub struct NewSuppression {
    /// Whom.
    pub address: Address,
    /// How far.
    pub scope: SuppressionScope,
    /// Why.
    pub reason: SuppressionReason,
}

/// What became of an entry that was to be taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lifted {
    /// It is gone.
    Done,
    /// It stands: the person wished it, and he alone takes it back (GDPR Art. 7(3), 21(3)).
    Stands(SuppressionReason),
    /// There is none.
    Absent,
}

/// Entries written in one commit: about 5 ms of the writer.
pub const SUPPRESSIONS_AT_ONCE: usize = 128;

/// After which entry a page begins. Opaque to clients.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SuppressionCursor {
    /// Person.
    pub tag: RecipientTag,
    /// Scope.
    pub scope: String,
}

impl SuppressionCursor {
    /// Behind this entry.
    #[must_use]
    pub fn after(tag: RecipientTag, scope: SuppressionScope) -> Self {
        Self { tag, scope: write_scope(scope) }
    }
}

const SEALED: &[u8] = b"suppression address";
/// Of the person's own row.
const OWN: &[u8] = b"subject address";

/// What became of the rows of a file of suppressions.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FileCounts {
    /// Entries that are new or stronger now.
    pub added: u64,
    /// Rows whose entry stood already.
    pub unchanged: u64,
    /// Rows that say nothing that can be kept.
    pub faulty: u64,
}

impl FileCounts {
    /// As the leaf shows them.
    #[must_use]
    pub const fn shown(&self) -> [(&'static str, u64); 3] {
        [("added", self.added), ("faulty", self.faulty), ("unchanged", self.unchanged)]
    }
}

/// What a controller is given of a file that was taken in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileReceipt {
    /// Its leaf.
    pub event: EventId,
    /// 32 random octets, kept by the controller alone.
    pub nonce: [u8; 32],
    /// What the leaf commits to ([`file_commitment`]).
    pub commitment: [u8; 32],
}

/// The commitment of the leaf of a file of suppressions: HMAC-SHA-256 with the nonce as its key, of the 32 octets of
/// the file's SHA-256 and the three counts, as the leaf shows them, each as eight octets, the highest first.
#[must_use]
pub fn file_commitment(nonce: &[u8; 32], sha256: &[u8; 32], counts: &FileCounts) -> [u8; 32] {
    let numbers: Vec<u8> = counts.shown().iter().flat_map(|(_, count)| count.to_be_bytes()).collect();
    crypto::mac(nonce, &[sha256, &numbers])
}

impl Store {
    /// Suppresses a person. An entry of the same scope gives way only to something stronger: what the person wished
    /// himself before what a bounce or the controller says, what lasts before what ends. The address is kept under the
    /// person's secret, for the list. True when it changed something.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn suppress(
        &self,
        controller: ControllerId,
        address: &Address,
        scope: SuppressionScope,
        reason: SuppressionReason,
    ) -> Result<bool> {
        // Whoever was erased is suppressed by his tag alone.
        let known = self.known(controller, address).await?;
        let tag = match &known {
            Some(known) => known.tag,
            None => self.vault.tag(controller, address)?,
        };
        let sealed =
            known.map(|known| crypto::seal(&known.secret.wrap, SEALED, address.to_wire().as_bytes())).transpose()?;
        let row = SuppressionRow {
            controller: controller.0,
            tag: tag.0,
            scope: write_scope(scope),
            reason: reason.as_str().into(),
            since: self.now(),
            until: None,
            address: sealed,
        };
        Ok(self.write(EventType::Suppressed, Change::Suppress(row)).await? > 0)
    }

    /// The same for a person who acts himself, of whom only the tag is known.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn suppress_person(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        scope: SuppressionScope,
        reason: SuppressionReason,
    ) -> Result<bool> {
        let row = SuppressionRow {
            controller: controller.0,
            tag: tag.0,
            scope: write_scope(scope),
            reason: reason.as_str().into(),
            since: self.now(),
            until: None,
            address: None,
        };
        Ok(self.write(EventType::Suppressed, Change::Suppress(row)).await? > 0)
    }

    /// Suppresses several persons, [`SUPPRESSIONS_AT_ONCE`] at most in one commit, by the rule of [`Self::suppress`].
    /// True for each that changed something.
    ///
    /// # Errors
    /// Those of the engine; entries of earlier commits stand, and doing it again is as good as doing it once.
    pub async fn suppress_many(&self, controller: ControllerId, entries: &[NewSuppression]) -> Result<Vec<bool>> {
        let mut changed = Vec::with_capacity(entries.len());
        for slice in entries.chunks(SUPPRESSIONS_AT_ONCE) {
            changed.extend(self.suppress_slice(controller, slice).await?);
        }
        Ok(changed)
    }

    async fn suppress_slice(&self, controller: ControllerId, entries: &[NewSuppression]) -> Result<Vec<bool>> {
        let mut persons: BTreeMap<[u8; 16], &Address> = BTreeMap::new();
        for entry in entries {
            persons.entry(self.vault.tag(controller, &entry.address)?.0).or_insert(&entry.address);
        }
        let known = self.engine.import_known(controller.0, persons.keys().copied().collect()).await?;
        let (mut secrets, mut claims, mut held) = (BTreeMap::new(), Vec::new(), Vec::new());
        for ((tag, address), known) in persons.into_iter().zip(known) {
            let slot = match known {
                Some(known) => self.usable(controller, RecipientTag(tag), known.slot, known.leaving).await?,
                None => None,
            };
            // Whoever was erased is suppressed by his tag alone.
            let Some(person) = self.slots(controller, &[(RecipientTag(tag), slot)]).await? else { continue };
            for person in person {
                let claim = claim(controller, RecipientTag(tag), person.slot, &person.secret, address)?;
                claims.push((Change::Rows(claim), None));
                secrets.insert(tag, held.len());
                held.push(person);
            }
        }
        let claimed = self.engine.change(claims).await?;
        let since = self.now();
        let (mut changes, mut marks) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            let tag = self.vault.tag(controller, &entry.address)?;
            // Without the claim the person has another secret by now; his entry stands without the address.
            let place = secrets.get(&tag.0).filter(|place| claimed.get(**place).is_some_and(|rows| *rows > 0));
            let person = place.and_then(|place| held.get(*place));
            let seal =
                |person: &PersonSlot| crypto::seal(&person.secret.wrap, SEALED, entry.address.to_wire().as_bytes());
            let row = SuppressionRow {
                controller: controller.0,
                tag: tag.0,
                scope: write_scope(entry.scope),
                reason: entry.reason.as_str().into(),
                since,
                until: None,
                address: person.map(seal).transpose()?,
            };
            let change = Change::Suppress(row);
            let leaf = self.entry_of(EventType::Suppressed, &change).await?;
            marks.extend(self.mark_of(EventType::Suppressed, &change).map(|mark| (mark, None)));
            changes.push((change, Some(leaf)));
        }
        changes.extend(marks);
        let touched = self.engine.change(changes).await?;
        Ok(touched.into_iter().take(entries.len()).map(|rows| rows > 0).collect())
    }

    /// A file of suppressions was taken in to its end: its leaf commits to the file and the counts, as that of an
    /// import does. What opens it is answered, and kept nowhere here.
    ///
    /// Crash before it ⇒ the entries stand, each with its own leaf, and the file has none: it is given again.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn suppressions_imported(
        &self,
        controller: ControllerId,
        sha256: [u8; 32],
        counts: FileCounts,
    ) -> Result<FileReceipt> {
        let (event, nonce) = (EventId(crypto::random()?), crypto::random()?);
        let commitment = file_commitment(&nonce, &sha256, &counts);
        let bytes = self.system_entry(&SystemEvent {
            event: Some(event.0),
            kind: EventType::SuppressionsImported,
            controller,
            agreement: None,
            instruction: None,
            counts: &counts.shown(),
            detail: b"",
            commitment: Some(commitment),
            secret: None,
        })?;
        self.engine.append(vec![EntryRow { controller: controller.0, bytes }]).await?;
        Ok(FileReceipt { event, nonce, commitment })
    }

    /// Takes back what the controller or a bounce said, and nothing else.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn lift_suppression(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        scope: SuppressionScope,
    ) -> Result<Lifted> {
        let word = write_scope(scope);
        let detail = crypto::sha256_of_fields(&[b"lifted", word.as_bytes()]);
        let lift = Step::new(&sql::SUPPRESSION_LIFT, vec![controller.0.into(), tag.0.into(), word.into()]);
        let writes = Writes {
            controller: controller.0,
            person: Some(tag.0),
            reach: Reach::Rows,
            what: "suppression",
            event: None,
            detail,
            steps: vec![lift],
        };
        if self.act(EventType::SuppressionLifted, writes).await? {
            return Ok(Lifted::Done);
        }
        let standing = self.decided(controller, tag).await?;
        let entry = standing.suppressions.into_iter().find(|entry| entry.scope == scope);
        Ok(entry.map_or(Lifted::Absent, |entry| Lifted::Stands(entry.reason)))
    }

    /// A page of the controller's list, and where the next begins; nothing when this was the last.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn suppressions(
        &self,
        controller: ControllerId,
        filter: SuppressionFilter,
        after: &SuppressionCursor,
        limit: usize,
    ) -> Result<(Vec<ListedSuppression>, Option<SuppressionCursor>)> {
        let rows = self
            .found(
                &sql::SUPPRESSIONS_FROM,
                vec![
                    controller.0.into(),
                    after.tag.0.into(),
                    after.scope.as_str().into(),
                    i64::try_from(limit).unwrap_or(i64::MAX).into(),
                    filter.scope.map(write_scope).unwrap_or_default().into(),
                    filter.reason.map(SuppressionReason::as_str).unwrap_or_default().into(),
                ],
            )
            .await?;
        let is_full = rows.len() == limit;
        let (mut listed, mut sealed) = (Vec::with_capacity(rows.len()), Vec::new());
        let mut next = None;
        for mut row in rows {
            let (tag, word) = (RecipientTag(row.array()?), row.text()?);
            next = Some(SuppressionCursor { tag, scope: word.clone() });
            let entry = ListedSuppression {
                tag,
                address: None,
                scope: read_scope(&word).ok_or(Error::Row { column: "suppression.scope" })?,
                reason: SuppressionReason::from_word(&row.text()?)
                    .ok_or(Error::Row { column: "suppression.reason" })?,
                since: row.moment()?,
                until: row.moment_if_any()?,
            };
            let (address, block, slot) = (row.octets_if_any()?, row.number_if_any()?, row.number_if_any()?);
            // Who opted out himself, or bounced, has no address in his entry; there may be one of him all the same.
            let kept = match (address, row.octets_if_any()?) {
                (Some(address), _) => Some((address, SEALED)),
                (None, own) => own.map(|own| (own, OWN)),
            };
            if let (Some(address), Some(block), Some(slot)) = (kept, block, slot) {
                let slot = u8::try_from(slot).map_err(|_| Error::Row { column: "subject.slot" })?;
                sealed.push((listed.len(), SlotRef { block, slot }, address));
            }
            listed.push(entry);
        }
        let slots: Vec<_> = sealed.iter().map(|(_, slot, _)| (controller.0, *slot)).collect();
        let secrets = self.vault.secrets(&slots).await?;
        for ((at, _, (address, label)), secret) in sealed.into_iter().zip(secrets) {
            // An address that does not open any more is that of an erased person: the tag stays.
            let open = |secret: Secret| crypto::open(&secret.wrap, label, &address, "address").ok();
            let text = secret.and_then(open).and_then(|plain| String::from_utf8(plain).ok());
            if let Some(entry) = listed.get_mut(at) {
                entry.address = text;
            }
        }
        Ok((listed, next.filter(|_| is_full)))
    }
}
