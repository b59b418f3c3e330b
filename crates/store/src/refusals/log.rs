//! The log of refusals: who was refused lately, by which rule, on which facts (GDPR Art. 5(2)).
//!
//! Invariants: a bounded number of rows for each controller, and none older than [`KEPT_FOR`]; an address stands in no
//! column, but sealed: under the person's secret, or, when he has none, under the controller's epoch key, which lives a
//! few days; of an erased person, and of anybody while the sender as a whole is refused, nothing is kept but the rule.
//! Refusals wait in bounded memory and are written in sets; what finds no room is not kept, and whoever refused is told
//! so. A crash loses what waited: at most a second's. Never: a person made known by being refused, a leaf in the ledger
//! (the counts have theirs).

use crate::authority::Authority;
use crate::decisions::{Fact, refused_on};
use crate::engine::{Change, Reach, SlotRef, Step, Writes};
use crate::error::{Error, Result};
use crate::facts::Person;
use crate::open::Store;
use crate::statement as sql;
use crate::value::Value;
use crate::vault::{Key, crypto};
use gate::rule::Stage;
use gate::{Rule, SenderFacts};
use mail::address::Address;
use model::Timestamp;
use model::person::Restriction;
use model::{AgreementId, ControllerId, CredentialId, DecisionId, InstructionId, PurposeId, RecipientTag, StreamId};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Refusals of a controller that are kept, the newest.
pub(crate) const KEPT_MAX: i64 = 10_000;
/// No refusal is kept for longer.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);
/// Refusals that wait to be written.
const WAITING_MAX: usize = 16_384;
/// Those of one controller among them: nobody's flood takes the others' room.
const WAITING_OF_ONE_MAX: usize = 4_096;
/// Written in one commit.
const SET: usize = 256;

/// A refusal at a door, for the log.
#[derive(Clone, Copy, Debug)]
pub struct TurnedAway<'a> {
    /// Who asked.
    pub authority: &'a Authority,
    /// On which stream.
    pub stream: StreamId,
    /// For which purpose or list.
    pub purpose: PurposeId,
    /// The rule that fired.
    pub rule: Rule,
    /// What was known of the sender.
    pub sender: &'a SenderFacts,
    /// Whom it was about.
    pub person: Option<(&'a Address, &'a Person)>,
}

/// What waits to be written.
#[derive(Default)]
pub(crate) struct Waiting {
    rows: VecDeque<Row>,
    of: HashMap<ControllerId, usize>,
}

#[derive(Clone)]
struct Row {
    id: DecisionId,
    at: Timestamp,
    controller: ControllerId,
    credential: CredentialId,
    stream: StreamId,
    purpose: PurposeId,
    agreement: Option<AgreementId>,
    instruction: Option<InstructionId>,
    rule: Rule,
    whom: Option<Whom>,
}

#[derive(Clone)]
struct Whom {
    tag: RecipientTag,
    slot: Option<SlotRef>,
    /// Nothing of a person who was erased.
    content: Option<Content>,
}

/// What lies sealed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The address.
    pub(crate) to: String,
    /// On what the rule fired.
    pub(crate) facts: Vec<Fact>,
}

/// Bytes moved to another row do not open.
pub(crate) fn context(id: DecisionId) -> Vec<u8> {
    [b"refusal".as_slice(), &id.0.to_be_bytes()].concat()
}

impl Store {
    /// Keeps a refusal, and says under which id it can be asked about; nothing when there is no room for it.
    pub fn keep_refusal(&self, turned: &TurnedAway<'_>) -> Option<DecisionId> {
        let controller = turned.authority.controller();
        // GDPR Art. 28(3): while no agreement or instruction covers it, nothing about a person is kept.
        let person = turned.person.filter(|_| turned.rule.row().stage == Stage::Recipient);
        let whom = person.map(|(address, person)| Whom {
            tag: person.tag,
            // Under the secret of one who may be forgotten nothing is begun.
            slot: person.slot.filter(|_| person.leaving.is_none()),
            content: (person.facts.restriction != Some(Restriction::Erased))
                .then(|| Content { to: address.to_wire(), facts: refused_on(turned.rule, &person.facts) }),
        });
        let mut waiting = self.refusals.waiting.lock();
        let of_one = waiting.of.get(&controller).copied().unwrap_or_default();
        if waiting.rows.len() >= WAITING_MAX || of_one >= WAITING_OF_ONE_MAX {
            return None;
        }
        let id = DecisionId(self.next_id());
        waiting.of.insert(controller, of_one + 1);
        waiting.rows.push_back(Row {
            id,
            at: self.now(),
            controller,
            credential: turned.authority.credential(),
            stream: turned.stream,
            purpose: turned.purpose,
            agreement: turned.sender.agreement.map(|agreement| agreement.id),
            instruction: turned.sender.instruction.map(|instruction| instruction.id),
            rule: turned.rule,
            whom,
        });
        Some(id)
    }

    /// Writes what waits. Called every second, before the log is read, and on closing.
    ///
    /// # Errors
    /// Those of the engine; what was not written is kept for the next time.
    pub async fn flush_refusal_log(&self) -> Result<()> {
        // One at a time: what a call found waiting is written when it returns, by it or by another.
        let _turn = self.refusals.writing.lock().await;
        loop {
            let set = self.refusals.waiting.lock().take();
            let Some(first) = set.first() else { return Ok(()) };
            if let Err(error) = self.write_refusals(first.controller, &set).await {
                self.refusals.waiting.lock().put_back(set);
                return Err(error);
            }
        }
    }

    async fn write_refusals(&self, controller: ControllerId, set: &[Row]) -> Result<()> {
        let slots: Vec<_> =
            set.iter().filter_map(|row| row.whom.as_ref()?.slot).map(|slot| (controller.0, slot)).collect();
        let mut secrets = self.vault.secrets(&slots).await?.into_iter();
        let is_stranger = |row: &Row| row.whom.as_ref().is_some_and(|whom| whom.slot.is_none());
        let epoch = match set.iter().any(is_stranger) {
            true => Some(self.vault.epoch(controller.0, self.now()).await?),
            false => None,
        };
        let mut steps = Vec::with_capacity(set.len() + 1);
        for row in set {
            let (key, of_epoch) = match row.whom.as_ref() {
                // Without a secret he was erased meanwhile.
                Some(Whom { slot: Some(_), .. }) => (secrets.next().flatten().map(|secret| secret.wrap), None),
                Some(_) => epoch.as_ref().map_or((None, None), |(epoch, key)| (Some(Arc::clone(key)), Some(*epoch))),
                None => (None, None),
            };
            steps.push(row.step(key, of_epoch)?);
        }
        steps.push(Step::new(&sql::REFUSALS_TRIM, vec![controller.0.into(), KEPT_MAX.into()]));
        self.change_log(controller, steps).await
    }

    /// Forgets what is older than [`KEPT_FOR`].
    pub(crate) async fn forget_old_refusals(&self) -> Result<()> {
        let bound = Self::first_id_of(Timestamp::from_micros(
            self.now().micros().saturating_sub(i64::try_from(KEPT_FOR.as_micros()).unwrap_or(i64::MAX)),
        ));
        let controllers: Vec<_> = self.policy.current().controllers().map(|known| known.id).collect();
        for controller in controllers {
            let step = Step::new(&sql::REFUSALS_FORGET, vec![controller.0.into(), bound.into()]);
            self.engine.change_bulk(vec![(log_writes(controller, vec![step]), None)]).await?;
        }
        Ok(())
    }

    /// GDPR Art. 17: what is kept of refusals of a person goes with him.
    pub(crate) async fn erase_refusals(&self, controller: ControllerId, tag: RecipientTag) -> Result<()> {
        self.flush_refusal_log().await?;
        let step = Step::new(&sql::REFUSALS_ERASE, vec![controller.0.into(), tag.0.into()]);
        self.change_log(controller, vec![step]).await
    }

    async fn change_log(&self, controller: ControllerId, steps: Vec<Step>) -> Result<()> {
        self.engine.change(vec![(log_writes(controller, steps), None)]).await.map(drop)
    }
}

/// No leaf: the ledger has the counts of refusals, and names nobody in them.
fn log_writes(controller: ControllerId, steps: Vec<Step>) -> Change {
    let (person, reach, event) = (None, Reach::Nothing, None);
    Change::Rows(Writes { controller: controller.0, person, reach, what: "refusal", event, detail: [0; 32], steps })
}

impl Row {
    fn step(&self, key: Option<Arc<Key>>, epoch: Option<i64>) -> Result<Step> {
        let content = self.whom.as_ref().and_then(|whom| whom.content.as_ref());
        let sealed = match (key, content) {
            (Some(key), Some(content)) => {
                let plain = serde_json::to_vec(content).map_err(|_| Error::Sealed { what: "refusal" })?;
                Some(crypto::seal(&key, &context(self.id), &plain)?)
            }
            _ => None,
        };
        let slot = self.whom.as_ref().and_then(|whom| whom.slot).filter(|_| sealed.is_some());
        let values: Vec<Value> = vec![
            self.controller.0.into(),
            self.id.0.into(),
            self.at.into(),
            self.credential.0.into(),
            self.stream.0.into(),
            self.purpose.0.into(),
            self.agreement.map(|id| id.0).into(),
            self.instruction.map(|id| id.0).into(),
            self.rule.id().into(),
            self.whom.as_ref().map(|whom| whom.tag.0).into(),
            slot.map(|slot| slot.block).into(),
            slot.map(|slot| i64::from(slot.slot)).into(),
            epoch.filter(|_| sealed.is_some()).into(),
            sealed.into(),
        ];
        Ok(Step::new(&sql::REFUSAL_INSERT, values))
    }
}

impl Waiting {
    /// The next to be written together: all of one controller.
    fn take(&mut self) -> Vec<Row> {
        let Some(controller) = self.rows.front().map(|row| row.controller) else { return Vec::new() };
        let mut set = Vec::new();
        while set.len() < SET
            && let Some(row) = self.rows.pop_front_if(|row| row.controller == controller)
        {
            set.push(row);
        }
        self.leave(controller, set.len());
        set
    }

    /// It could not be written: it is the first again, as far as there is room.
    fn put_back(&mut self, set: Vec<Row>) {
        let room = WAITING_MAX.saturating_sub(self.rows.len());
        for row in set.into_iter().take(room).rev() {
            *self.of.entry(row.controller).or_default() += 1;
            self.rows.push_front(row);
        }
    }

    fn leave(&mut self, controller: ControllerId, count: usize) {
        let left = self.of.get(&controller).copied().unwrap_or_default().saturating_sub(count);
        if left == 0 {
            self.of.remove(&controller);
        } else {
            self.of.insert(controller, left);
        }
    }
}
