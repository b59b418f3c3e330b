//! Taking a message in: everything in one commit, and only then an answer.

use super::bodies::NewBody;
use super::content::{self, seal_body};
use super::grounds::Grounds;
use super::intake::Entering;
use super::{Acceptance, Content, Envelope, Item, Lane, NotQueued, QueueRow, Replay, SANDBOX_SITE, Uncertain};
use crate::accounts::Mode;
use crate::cluster::queue_part;
use crate::engine::{
    AcceptOutcome, AcceptRows, BodyKey, BodyPlace, BodyRow, EntryRow, IdempotencyRow, MailedRow, MessageRow, SlotRef,
};
use crate::error::{Error, Result};
use crate::facts::{Counting, Whom};
use crate::journal::MessageEvent;
use crate::open::{Hint, Store};
use crate::vault::{Key, Lease, Secret, crypto};
use bytes::Bytes;
use model::event::EventType;
use model::message::Queued;
use model::stream::Class;
use model::{ControllerId, CredentialId, RecipientTag, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// A held message is looked at again after this long.
const HELD_FOR: Duration = Duration::from_secs(15 * 60);
/// How often an acceptance is tried when a person's secret was given elsewhere meanwhile.
const TRIES_MAX: usize = 4;

impl Store {
    /// Queues a message for the recipients that have a permit. When it returns `Ok`, body, rows, ledger
    /// entries, quota and idempotency key are durable together.
    ///
    /// Crash before the commit: the client has no answer and offers it again (RFC 5321 §6.1). Crash
    /// after it: the row is due, the scheduler finds it. A caller who goes away before the answer stops what
    /// was not yet given to the engine, and nothing after that.
    ///
    /// # Errors
    /// [`NotQueued`]: nothing was kept.
    pub async fn accept(&self, acceptance: Acceptance<'_>) -> std::result::Result<Vec<Queued>, NotQueued> {
        let Some(first) = acceptance.items.first() else { return Ok(Vec::new()) };
        let controller = first.permit.controller();
        // GDPR Art. 28(3)(a): a permit queues mail of one controller for one person; another's is a fault of ours.
        let is_his = |item: &Item<'_>| item.permit.controller() == controller && item.permit.tag() == item.person.tag;
        if !acceptance.items.iter().all(is_his) {
            return Err(Error::Engine("a permit was not given for this person and controller".into()).into());
        }
        let _awaited = self.intake.awaited();
        let persons: Vec<_> = acceptance.items.iter().map(|item| &item.person).collect();
        let known = self.usable_of(controller, &persons).await?;
        // What is in memory of them does not know that it was put off.
        acceptance.items.iter().filter(|item| item.person.leaving.is_some()).for_each(|item| {
            self.intake.facts.forget(who_of(item));
        });
        let mut slots = self.slots(controller, &known).await?;
        for _ in 0..TRIES_MAX {
            let Some(taken) = slots else {
                self.forget_persons(&acceptance.items);
                return Err(NotQueued::Stale);
            };
            match self.enter(&acceptance, taken).await? {
                AcceptOutcome::Done => return Ok(acceptance.items.iter().map(|item| self.queued(item)).collect()),
                AcceptOutcome::SlotTaken => slots = self.slots_again(controller, &acceptance.items).await?,
                AcceptOutcome::Quota => {
                    self.quota_unknown(self.account(controller, first.permit.credential()));
                    return Err(NotQueued::Quota);
                }
                AcceptOutcome::Repeated => return Err(NotQueued::Repeated),
                AcceptOutcome::Erased | AcceptOutcome::Mailed => {
                    self.forget_persons(&acceptance.items);
                    return Err(NotQueued::Stale);
                }
            }
        }
        Err(NotQueued::Failed(Error::Engine("a recipient's secret keeps changing".into())))
    }

    /// Seals the rows and has them committed by a task of its own.
    async fn enter(
        &self,
        acceptance: &Acceptance<'_>,
        slots: Vec<PersonSlot>,
    ) -> std::result::Result<AcceptOutcome, NotQueued> {
        let (rows, file) = self.rows(acceptance, &slots).await?;
        // GDPR Art. 7(3), 21(3): a permit rests on facts; what was withdrawn since it was given is asked anew. What
        // changes between here and the commit is found by the clearance before the message leaves.
        let present = self.generation(ControllerId(rows.controller));
        if acceptance.items.iter().any(|item| item.permit.generation() != present) {
            return Err(NotQueued::Stale);
        }
        // A seat that was silent for long may be another node's by now, and so may the ids that were made on it.
        if !self.tenure.is_seated() {
            return Err(Error::Engine("this node's heartbeat is overdue".to_owned()).into());
        }
        let leaves = self.mode_of(acceptance)? == Mode::Live;
        let counted = acceptance.items.iter().filter(|item| leaves && item.permit.counts_for().is_some());
        let counted = counted.map(who_of).collect();
        let waiting = self.queue_rows(acceptance, &rows);
        let pairs = acceptance.items.iter().zip(&slots).filter(|(_, slot)| slot.lease.is_some());
        let new_slots: Vec<(Whom, SlotRef)> = pairs.map(|(item, slot)| (who_of(item), slot.slot)).collect();
        let leases = slots.into_iter().filter_map(|slot| slot.lease).collect();
        let account = match acceptance.items.first() {
            Some(first) => self.account(first.permit.controller(), first.permit.credential()),
            None => return Ok(AcceptOutcome::Done),
        };
        let entering = Entering { rows, account, file, waiting, new_slots, counted, leases };
        let task = tokio::spawn(entering.enter(Arc::clone(&self.engine), Arc::clone(&self.intake)));
        // The task ends without an answer only when the process does.
        Ok(task.await.unwrap_or(Err(Error::Unknown))?)
    }

    fn queued(&self, item: &Item<'_>) -> Queued {
        Queued { id: item.id, public_id: self.public_id(item.id) }
    }

    /// Whether a client waits at this moment for an acceptance. For work that can wait itself: a hint, no promise.
    #[must_use]
    pub fn is_accepting(&self) -> bool {
        self.intake.is_awaited()
    }

    /// Who is told of each acceptance: the scheduler, which then needs no read.
    pub fn set_hint(&self, hint: Hint) {
        *self.intake.hint.write() = Some(hint);
    }

    /// The secrets of persons as they are known, or new ones; `None` when one is gone: its person was erased.
    pub(crate) async fn slots(
        &self,
        controller: ControllerId,
        known: &[(RecipientTag, Option<SlotRef>)],
    ) -> Result<Option<Vec<PersonSlot>>> {
        let asked: Vec<_> = known.iter().filter_map(|(_, slot)| slot.map(|slot| (controller.0, slot))).collect();
        let mut secrets = self.vault.secrets(&asked).await?.into_iter();
        let mut out = Vec::with_capacity(known.len());
        for (tag, slot) in known {
            out.push(match slot {
                Some(slot) => {
                    let Some(secret) = secrets.next().flatten() else { return Ok(None) };
                    PersonSlot { slot: *slot, secret, lease: None }
                }
                None => {
                    let (slot, secret, lease) = self.vault.new_slot(controller.0, *tag, self.next_id()).await?;
                    PersonSlot { slot, secret, lease: Some(lease) }
                }
            });
        }
        Ok(Some(out))
    }

    /// Slots as the store has them now, after another acceptance was first.
    async fn slots_again(&self, controller: ControllerId, items: &[Item<'_>]) -> Result<Option<Vec<PersonSlot>>> {
        self.forget_persons(items);
        let purpose = items.first().map_or(model::PurposeId(0), |item| item.permit.purpose());
        let addresses: Vec<_> = items.iter().map(|item| item.address).collect();
        let persons = self.recipient_facts(controller, purpose, &addresses).await?;
        let known = self.usable_of(controller, &persons.iter().collect::<Vec<_>>()).await?;
        self.slots(controller, &known).await
    }

    /// What is in memory about these persons is doubtful.
    fn forget_persons(&self, items: &[Item<'_>]) {
        for item in items {
            self.intake.facts.forget(who_of(item));
        }
    }

    async fn rows(&self, acceptance: &Acceptance<'_>, slots: &[PersonSlot]) -> Result<(AcceptRows, Option<NewBody>)> {
        let Some((first, first_slot)) = acceptance.items.first().zip(slots.first()) else {
            return Err(Error::NotFound { what: "recipient" });
        };
        let now = self.now();
        let controller = first.permit.controller();
        let (body, file) = self.body_row(acceptance, first, first_slot, now).await?;
        let mut messages = Vec::with_capacity(acceptance.items.len());
        let mut entries = Vec::with_capacity(acceptance.items.len());
        for (item, slot) in acceptance.items.iter().zip(slots) {
            let event = crypto::random()?;
            messages.push(self.message_row(acceptance, item, slot, body.id, event, now)?);
            let entry = self.message_entry(&MessageEvent {
                kind: EventType::MessageAccepted,
                controller,
                event,
                at: now,
                message: item.id,
                agreement: Some(item.permit.agreement()),
                instruction: Some(item.permit.instruction()),
                detail: &[],
                secret: Some(&slot.secret),
            })?;
            entries.push(EntryRow { controller: controller.0, bytes: entry });
        }
        let credential = first.permit.credential();
        let idempotency = acceptance
            .idempotency
            .as_ref()
            .map(|kept| {
                Ok::<_, Error>(IdempotencyRow {
                    credential: credential.0,
                    key: self.idempotency_tag(controller, &kept.key),
                    request: kept.request_hash,
                    answer: self.vault.seal_for_controller(controller.0, "idempotency", &kept.answer)?,
                })
            })
            .transpose()?;
        let (day, quota_max) = (now.utc_day(), self.quota_max(controller));
        // What never leaves is no mail that anybody got.
        let mailed = match self.mode_of(acceptance)? {
            Mode::Live => self.mailed_rows(&acceptance.items, now),
            Mode::Sandbox => Vec::new(),
        };
        let rows = AcceptRows {
            controller: controller.0,
            account: self.account(controller, credential).number(),
            messages,
            body,
            entries,
            day,
            quota_max,
            idempotency,
            mailed,
            at: now,
        };
        Ok((rows, file))
    }

    /// Whether what is offered leaves: as the credential says that all its permits were given for. One that is not
    /// there any more sends nothing.
    fn mode_of(&self, acceptance: &Acceptance<'_>) -> Result<Mode> {
        let missing = || Error::NotFound { what: "credential" };
        let first = acceptance.items.first().map(|item| item.permit.credential()).ok_or_else(missing)?;
        if acceptance.items.iter().any(|item| item.permit.credential() != first) {
            return Err(Error::Engine("permits of one message were given for several credentials".into()));
        }
        self.policy.current().credential(first).map(|known| known.mode).ok_or_else(missing)
    }

    /// What counts among the marketing that these persons get: a row a person, over what was decided on.
    fn mailed_rows(&self, items: &[Item<'_>], now: Timestamp) -> Vec<MailedRow> {
        let mut persons: Vec<Counting> = Vec::new();
        for item in items {
            let (controller, tag) = (item.permit.controller(), item.person.tag);
            let Some(purpose) = item.permit.counts_for() else { continue };
            match persons.iter_mut().find(|counting| counting.tag() == tag) {
                Some(counting) => counting.add(purpose, now),
                None => {
                    let person = &item.person;
                    let mut counting = Counting::of(controller, tag, person.counted, &person.facts.mailed);
                    counting.add(purpose, now);
                    persons.push(counting);
                }
            }
        }
        let Some(first) = items.first().filter(|_| !persons.is_empty()) else { return Vec::new() };
        let days = self.longest_bound(first.permit.controller());
        persons.into_iter().map(|counting| counting.row(days, now)).collect()
    }

    async fn body_row(
        &self,
        acceptance: &Acceptance<'_>,
        first: &Item<'_>,
        slot: &PersonSlot,
        now: Timestamp,
    ) -> Result<(BodyRow, Option<NewBody>)> {
        let (key, wrap): (BodyKey, Arc<Key>) = if acceptance.items.len() == 1 {
            (BodyKey::Subject(slot.slot), Arc::clone(&slot.secret.wrap))
        } else {
            let (epoch, key) = self.vault.epoch(first.permit.controller().0, now).await?;
            (BodyKey::Epoch(epoch), key)
        };
        // Its own, and another one each time the acceptance is tried: an object's name is used once.
        let id = self.next_id();
        let (wrapped, sealed) = seal_body(&wrap, id, &acceptance.body)?;
        let refs = u32::try_from(acceptance.items.len()).unwrap_or(u32::MAX);
        if !self.intake.bodies.takes(sealed.len()) {
            let sealed = Bytes::from(sealed);
            return Ok((BodyRow { id, refs, key, wrapped, sealed, place: BodyPlace::Row }, None));
        }
        let file = self.intake.bodies.write(id, sealed).await?;
        Ok((BodyRow { id, refs, key, wrapped, sealed: Bytes::new(), place: BodyPlace::File }, Some(file)))
    }

    fn message_row(
        &self,
        acceptance: &Acceptance<'_>,
        item: &Item<'_>,
        slot: &PersonSlot,
        body: i64,
        event: [u8; 16],
        now: Timestamp,
    ) -> Result<MessageRow> {
        let permit = item.permit;
        let id = item.id.0;
        let site = match self.mode_of(acceptance)? {
            Mode::Live => self.site_of(item.address.domain()),
            Mode::Sandbox => Arc::from(SANDBOX_SITE),
        };
        let envelope = Envelope {
            to: item.address.to_wire(),
            from: acceptance.from.to_wire(),
            sender: acceptance.sender.filter(|sender| *sender != acceptance.from).map(mail::address::Address::to_wire),
            metadata: acceptance.metadata.to_owned(),
            notice: item.notice.clone(),
        };
        Ok(MessageRow {
            id,
            controller: permit.controller().0,
            stream: permit.stream().0,
            purpose: permit.purpose().0,
            kind: permit.kind().as_str(),
            class: class_number(permit.kind().class()),
            credential: permit.credential().0,
            agreement: permit.agreement().0,
            instruction: permit.instruction().0,
            domain: acceptance.domain.0,
            tag: item.person.tag.0,
            slot: slot.slot,
            slot_is_new: slot.lease.is_some(),
            accepted: now,
            // A hold that ends by itself is looked at when it ends.
            due: permit.held().map_or(now, |held| held.again().unwrap_or(now.plus(HELD_FOR)).max(now)),
            expires: now.plus(permit.kind().retry_plan().expires_after),
            state: if permit.held().is_some() { "held" } else { "queued" },
            rule: permit.held().map(|refusal| refusal.rule().id()),
            grounds: Grounds::of(permit, &item.person.facts).to_text(),
            event,
            envelope: envelope.seal(&slot.secret, id)?,
            head: content::seal_head(&slot.secret, id, &item.head)?,
            body,
            part: queue_part(&site),
            site,
        })
    }

    fn queue_rows(&self, acceptance: &Acceptance<'_>, rows: &AcceptRows) -> Vec<(QueueRow, Content)> {
        let pairs = acceptance.items.iter().zip(&rows.messages);
        pairs
            .map(|(item, row)| {
                let kind = item.permit.kind();
                let controller = item.permit.controller();
                let queue_row = QueueRow {
                    id: item.id,
                    controller,
                    stream: item.permit.stream(),
                    purpose: item.permit.purpose(),
                    kind,
                    lane: Lane { site: Arc::clone(&row.site), class: kind.class(), controller },
                    tag: item.person.tag,
                    domain: acceptance.domain,
                    due: row.due,
                    attempts: 0,
                    accepted_at: row.accepted,
                    expires_at: row.expires,
                    uncertain: Uncertain::No,
                    body: row.body,
                    slot: row.slot,
                };
                let content = Content {
                    recipient: item.address.clone(),
                    sender: acceptance.sender.unwrap_or(acceptance.from).clone(),
                    head: item.head.clone(),
                    body: acceptance.body.clone(),
                    notice: item.notice.clone().map(Arc::new),
                };
                (queue_row, content)
            })
            .collect()
    }

    /// What is known of an idempotency key of this credential.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn idempotent(
        &self,
        controller: ControllerId,
        credential: CredentialId,
        key: &str,
        request_hash: [u8; 32],
    ) -> Result<Replay> {
        let tag = self.idempotency_tag(controller, key);
        let Some(record) = self.engine.idempotency(controller.0, credential.0, tag).await? else {
            return Ok(Replay::New);
        };
        if record.request != request_hash {
            return Ok(Replay::Conflict);
        }
        Ok(Replay::Same(self.vault.open_for_controller(controller.0, "idempotency", &record.answer)?))
    }

    /// The client's key may say something about a person: only a keyed hash of it is kept.
    fn idempotency_tag(&self, controller: ControllerId, key: &str) -> [u8; 16] {
        let whole = self.vault.secret_hash("idempotency", &format!("{}:{key}", controller.0));
        let mut tag = [0; 16];
        tag.copy_from_slice(whole.split_at(16).0);
        tag
    }
}

fn who_of(item: &Item<'_>) -> Whom {
    (item.permit.controller(), item.permit.purpose(), item.person.tag)
}

/// A person's slot for one acceptance.
pub(crate) struct PersonSlot {
    pub(crate) slot: SlotRef,
    pub(crate) secret: Secret,
    /// There while the slot is new and no commit has given it to the person.
    lease: Option<Lease>,
}

pub(super) const fn class_number(class: Class) -> u8 {
    match class {
        Class::Prompt => 0,
        Class::Bulk => 1,
    }
}
