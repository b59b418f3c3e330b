//! From a draft to the queue: facts in sets, one decision a recipient, one commit for all.
//!
//! Called by `smtpd` at MAIL, RCPT and the end of data, and by `web`. Never answers before the commit.

use crate::error::Error;
use gate::facts::{FromDomain, QuotaFacts};
use gate::{Facts, MessageFacts, Permit, RecipientFacts, Refusal, Rule, SenderFacts, Verdict, check, decide};
use mail::address::Address;
use model::message::{Draft, Queued};
use model::{MessageId, Timestamp};
use std::sync::Arc;
use store::{Acceptance, Authority, Idempotency, Item, NotQueued, Person, Store};

/// What became of one recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Queued; durable.
    Queued(Queued),
    /// Queued and held until the reason is dealt with; durable.
    Held(Queued, Refusal),
    /// Not taken.
    Refused(Refusal),
}

/// The one way in.
pub struct Submission {
    store: Arc<Store>,
}

/// An ample allowance: asked before the content is known, when the count is not yet at stake.
const QUOTA_NOT_ASKED: QuotaFacts = QuotaFacts { allowed: 1, used: 0 };

impl Submission {
    /// Over a store.
    #[must_use]
    pub const fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The store behind it.
    #[must_use]
    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Is the sender as a whole refused (SMTP MAIL)? Agreement, instruction, stream, credential.
    #[must_use]
    pub fn check_sender(&self, authority: &Authority) -> Option<Refusal> {
        let (sender, generation) = self.store.sender_facts(authority, authority.stream().id);
        let nobody = RecipientFacts::default();
        let refusal = self.ask(&sender, &nobody, generation, self.store.now())?;
        // With no recipient yet, only what concerns the sender counts.
        if !refusal.rule().concerns_sender() {
            return None;
        }
        self.store.count_refusal(authority.controller(), authority.credential(), refusal.rule());
        Some(refusal)
    }

    /// Is this recipient refused (SMTP RCPT)? A `None` is no permit: all is asked again at the end.
    ///
    /// # Errors
    /// When the facts cannot be loaded.
    pub async fn check_recipient(&self, authority: &Authority, address: &Address) -> Result<Option<Refusal>, Error> {
        let stream = authority.stream().id;
        let (sender, generation) = self.store.sender_facts(authority, stream);
        let persons = self.store.recipient_facts(authority.controller(), stream, &[address]).await?;
        let Some(person) = persons.first() else { return Ok(Some(gate::facts_unavailable())) };
        let refusal = self.ask(&sender, &person.facts, generation, self.store.now());
        if let Some(refusal) = refusal {
            self.store.count_refusal(authority.controller(), authority.credential(), refusal.rule());
        }
        Ok(refusal)
    }

    fn ask(
        &self,
        sender: &SenderFacts,
        recipient: &RecipientFacts,
        generation: u64,
        now: Timestamp,
    ) -> Option<Refusal> {
        let facts = Facts {
            now,
            generation,
            sender: Some(sender),
            message: MessageFacts { from_domain: FromDomain::NotYetKnown },
            recipient: Some(recipient),
            quota: QUOTA_NOT_ASKED,
        };
        match check(&facts) {
            // What is only held is taken in, and held after the content is there.
            Verdict::Pass(()) | Verdict::Hold(_) => None,
            Verdict::Refuse(refusal) => Some(refusal),
        }
    }

    /// Takes a draft in. One answer a recipient, in order. Everything that is queued is durable when this
    /// returns; what the gate refuses is not kept in any form.
    ///
    /// # Errors
    /// When nothing could be decided or kept. Never for a refusal.
    pub async fn accept(
        &self,
        authority: &Authority,
        draft: Draft,
        idempotency: Option<Idempotency>,
    ) -> Result<Vec<Answer>, Error> {
        let ids = draft.recipients.iter().map(|_| self.store.new_message_id()).collect();
        self.accept_as(authority, draft, ids, |_| idempotency).await
    }

    /// The same, with ids the caller made beforehand (they stand in Message-ID fields) and an idempotency
    /// record that is made from the answers before they are committed.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub async fn accept_as(
        &self,
        authority: &Authority,
        draft: Draft,
        ids: Vec<MessageId>,
        keep: impl FnOnce(&[Answer]) -> Option<Idempotency> + Send,
    ) -> Result<Vec<Answer>, Error> {
        let controller = authority.controller();
        let (sender, generation) = self.store.sender_facts(authority, draft.stream);
        let addresses: Vec<&Address> = draft.recipients.iter().collect();
        let persons = self.store.recipient_facts(controller, draft.stream, &addresses).await?;
        let (from_domain, domain) = self.store.from_domain(controller, draft.from.domain());
        let quota = self.store.quota(controller).await?;
        let facts = Facts {
            now: self.store.now(),
            generation,
            sender: Some(&sender),
            message: MessageFacts { from_domain },
            recipient: None,
            quota,
        };
        let decisions = decide_each(&facts, &persons);
        let mut answers: Vec<Answer> = decisions
            .iter()
            .zip(&ids)
            .map(|(decision, id)| match decision {
                Verdict::Pass(permit) => {
                    let queued = Queued { id: *id, public_id: self.store.public_id(*id) };
                    permit.held().map_or(Answer::Queued(queued.clone()), |refusal| Answer::Held(queued, refusal))
                }
                Verdict::Hold(refusal) | Verdict::Refuse(refusal) => Answer::Refused(*refusal),
            })
            .collect();
        if let Some(domain) = domain {
            let kept = keep(&answers);
            let items = items(&draft, &decisions, persons, &ids);
            let acceptance = Acceptance {
                items,
                body: draft.body.clone(),
                from: &draft.from,
                domain,
                metadata: &draft.metadata,
                idempotency: kept,
            };
            match self.store.accept(acceptance).await {
                Ok(_) => {}
                Err(NotQueued::Quota) => refuse_queued(&mut answers),
                Err(NotQueued::Repeated) => return Err(Error::Repeated),
                Err(NotQueued::Failed(error)) => return Err(error.into()),
            }
        }
        for answer in &answers {
            if let Answer::Refused(refusal) = answer {
                if refusal.rule() == Rule::Quota {
                    self.store.quota_unknown(controller);
                }
                self.store.count_refusal(controller, authority.credential(), refusal.rule());
            }
        }
        Ok(answers)
    }
}

/// One decision a recipient. The quota is used up as the permits are given.
fn decide_each(facts: &Facts<'_>, persons: &[Person]) -> Vec<Verdict<Permit>> {
    let mut quota = facts.quota;
    persons
        .iter()
        .map(|person| {
            let decision = decide(&Facts { recipient: Some(&person.facts), quota, ..*facts });
            if matches!(decision, Verdict::Pass(_)) {
                quota.used += 1;
            }
            decision
        })
        .collect()
}

fn items<'a>(
    draft: &'a Draft,
    decisions: &'a [Verdict<Permit>],
    persons: Vec<Person>,
    ids: &[MessageId],
) -> Vec<Item<'a>> {
    let mut items = Vec::with_capacity(persons.len());
    for (at, ((decision, person), id)) in decisions.iter().zip(persons).zip(ids).enumerate() {
        let (Verdict::Pass(permit), Some(address)) = (decision, draft.recipients.get(at)) else { continue };
        items.push(Item { permit, address, person, head: draft.heads.of(at), id: *id });
    }
    items
}

/// The day's allowance was used up by others between decision and commit: nothing was kept.
fn refuse_queued(answers: &mut [Answer]) {
    for answer in answers.iter_mut().filter(|answer| !matches!(answer, Answer::Refused(_))) {
        *answer = Answer::Refused(gate::quota_used_up());
    }
}
