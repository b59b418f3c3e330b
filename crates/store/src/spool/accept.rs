//! Taking a message in: everything in one commit, and only then an answer.

use super::content::{self, ROW_BODY_OCTETS_MAX, seal_body};
use super::{Acceptance, Content, Envelope, Item, Lane, NotQueued, QueueRow, Replay, Uncertain};
use crate::engine::{
    AcceptOutcome, AcceptRows, BodyKey, BodyPlace, BodyRow, EntryRow, IdempotencyRow, MessageRow, SlotRef,
};
use crate::error::{Error, Result};
use crate::journal::MessageEvent;
use crate::open::{Hint, Store};
use crate::vault::{Key, Secret, crypto};
use bytes::Bytes;
use model::event::EventType;
use model::message::Queued;
use model::stream::Class;
use model::{ControllerId, CredentialId, Timestamp};
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
    /// after it: the row is due, the scheduler finds it.
    ///
    /// # Errors
    /// [`NotQueued`]: nothing was kept.
    pub async fn accept(&self, acceptance: Acceptance<'_>) -> std::result::Result<Vec<Queued>, NotQueued> {
        let Some(first) = acceptance.items.first() else { return Ok(Vec::new()) };
        let controller = first.permit.controller();
        let mut slots = self.slots(controller, &acceptance.items).await?;
        let mut outcome = AcceptOutcome::SlotTaken;
        for _ in 0..TRIES_MAX {
            let rows = self.rows(&acceptance, &slots).await?;
            let (day, waiting) = (rows.day, self.queue_rows(&acceptance, &rows));
            let accepted = self.engine.accept(rows).await;
            self.settle_slots(controller, &acceptance.items, &slots);
            outcome = accepted?;
            match outcome {
                AcceptOutcome::Done => {
                    self.quota_taken(controller, day, acceptance.items.len());
                    self.remember_slots(&acceptance.items, &slots);
                    self.hand_over(waiting);
                    return Ok(acceptance.items.iter().map(|item| self.queued(item)).collect());
                }
                AcceptOutcome::SlotTaken => slots = self.slots_again(controller, &acceptance.items).await?,
                AcceptOutcome::Quota => {
                    self.quota_unknown(controller);
                    break;
                }
                AcceptOutcome::Repeated => break,
            }
        }
        Err(match outcome {
            AcceptOutcome::Quota => NotQueued::Quota,
            AcceptOutcome::Repeated => NotQueued::Repeated,
            _ => NotQueued::Failed(Error::Engine("a recipient's secret keeps changing".into())),
        })
    }

    fn queued(&self, item: &Item<'_>) -> Queued {
        Queued { id: item.id, public_id: self.public_id(item.id) }
    }

    fn hand_over(&self, waiting: Vec<(QueueRow, Content)>) {
        let hint = self.hint.read().clone();
        if let Some(hint) = hint {
            hint(waiting);
        }
    }

    /// Who is told of each acceptance: the scheduler, which then needs no read.
    pub fn set_hint(&self, hint: Hint) {
        *self.hint.write() = Some(hint);
    }

    async fn slots(&self, controller: ControllerId, items: &[Item<'_>]) -> Result<Vec<PersonSlot>> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            out.push(match item.person.slot {
                Some(slot) => PersonSlot { slot, secret: self.vault.secret(controller.0, slot).await?, is_new: false },
                None => {
                    let (slot, secret) = self.vault.new_slot(controller.0, item.person.tag, self.next_id()).await?;
                    PersonSlot { slot, secret, is_new: true }
                }
            });
        }
        Ok(out)
    }

    /// Slots as the store has them now, after another acceptance was first.
    async fn slots_again(&self, controller: ControllerId, items: &[Item<'_>]) -> Result<Vec<PersonSlot>> {
        let stream = items.first().map_or(model::StreamId(0), |item| item.permit.stream());
        let addresses: Vec<_> = items.iter().map(|item| item.address).collect();
        for item in items {
            self.facts.forget((controller, stream, item.person.tag));
        }
        let persons = self.recipient_facts(controller, stream, &addresses).await?;
        let mut out = Vec::with_capacity(items.len());
        for person in persons {
            out.push(match person.slot {
                Some(slot) => PersonSlot { slot, secret: self.vault.secret(controller.0, slot).await?, is_new: false },
                None => {
                    let (slot, secret) = self.vault.new_slot(controller.0, person.tag, self.next_id()).await?;
                    PersonSlot { slot, secret, is_new: true }
                }
            });
        }
        Ok(out)
    }

    /// Persons who just got their secret: what is in memory says that they have none.
    fn remember_slots(&self, items: &[Item<'_>], slots: &[PersonSlot]) {
        for (item, slot) in items.iter().zip(slots).filter(|(_, slot)| slot.is_new) {
            let who = (item.permit.controller(), item.permit.stream(), item.person.tag);
            self.facts.set_slot(who, slot.slot);
        }
    }

    fn settle_slots(&self, controller: ControllerId, items: &[Item<'_>], slots: &[PersonSlot]) {
        for (item, slot) in items.iter().zip(slots) {
            if slot.is_new {
                self.vault.slot_settled(controller.0, item.person.tag);
            }
        }
    }

    async fn rows(&self, acceptance: &Acceptance<'_>, slots: &[PersonSlot]) -> Result<AcceptRows> {
        let Some((first, first_slot)) = acceptance.items.first().zip(slots.first()) else {
            return Err(Error::NotFound { what: "recipient" });
        };
        let now = self.now();
        let controller = first.permit.controller();
        let body = self.body_row(acceptance, first, first_slot, now).await?;
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
        Ok(AcceptRows {
            controller: controller.0,
            messages,
            body,
            entries,
            day: now.utc_day(),
            quota_max: self.quota_max(controller),
            idempotency,
            at: now,
        })
    }

    async fn body_row(
        &self,
        acceptance: &Acceptance<'_>,
        first: &Item<'_>,
        slot: &PersonSlot,
        now: Timestamp,
    ) -> Result<BodyRow> {
        let (key, wrap): (BodyKey, Arc<Key>) = if acceptance.items.len() == 1 {
            (BodyKey::Subject(slot.slot), Arc::clone(&slot.secret.wrap))
        } else {
            let (epoch, key) = self.vault.epoch(first.permit.controller().0, now).await?;
            (BodyKey::Epoch(epoch), key)
        };
        let id = first.id.0;
        let (wrapped, sealed) = seal_body(&wrap, id, &acceptance.body)?;
        let refs = u32::try_from(acceptance.items.len()).unwrap_or(u32::MAX);
        if sealed.len() <= ROW_BODY_OCTETS_MAX {
            let sealed = Bytes::from(sealed);
            return Ok(BodyRow { id, refs, key, wrapped, sealed, place: BodyPlace::Row });
        }
        self.bodies.write(id, sealed).await?;
        Ok(BodyRow { id, refs, key, wrapped, sealed: Bytes::new(), place: BodyPlace::File })
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
        let envelope = Envelope {
            to: item.address.to_wire(),
            from: acceptance.from.to_wire(),
            metadata: acceptance.metadata.to_owned(),
        };
        Ok(MessageRow {
            id,
            controller: permit.controller().0,
            stream: permit.stream().0,
            kind: permit.kind().as_str(),
            class: class_number(permit.kind().class()),
            credential: permit.credential().0,
            agreement: permit.agreement().0,
            instruction: permit.instruction().0,
            domain: acceptance.domain.0,
            tag: item.person.tag.0,
            slot: slot.slot,
            slot_is_new: slot.is_new,
            accepted: now,
            due: if permit.held().is_some() { now.plus(HELD_FOR) } else { now },
            expires: now.plus(permit.kind().retry_plan().expires_after),
            state: if permit.held().is_some() { "held" } else { "queued" },
            rule: permit.held().map(|refusal| refusal.rule().id()),
            event,
            envelope: envelope.seal(&slot.secret, id)?,
            head: content::seal_head(&slot.secret, id, &item.head)?,
            body,
            site: self.site_of(item.address.domain()),
        })
    }

    fn queue_rows(&self, acceptance: &Acceptance<'_>, rows: &AcceptRows) -> Vec<(QueueRow, Content)> {
        let pairs = acceptance.items.iter().zip(&rows.messages).filter(|(item, _)| item.permit.held().is_none());
        pairs
            .map(|(item, row)| {
                let kind = item.permit.kind();
                let controller = item.permit.controller();
                let queue_row = QueueRow {
                    id: item.id,
                    controller,
                    stream: item.permit.stream(),
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
                let content =
                    Content { recipient: item.address.clone(), head: item.head.clone(), body: acceptance.body.clone() };
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

/// A person's slot for one acceptance.
struct PersonSlot {
    slot: SlotRef,
    secret: Secret,
    is_new: bool,
}

pub(super) const fn class_number(class: Class) -> u8 {
    match class {
        Class::Prompt => 0,
        Class::Bulk => 1,
    }
}
