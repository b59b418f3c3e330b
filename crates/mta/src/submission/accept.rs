//! From a draft to the queue: facts in sets, one decision a recipient, one commit for all.
//!
//! Called by `smtpd` at MAIL, RCPT and the end of data, and by `web`. Never answers before the commit.

use super::declined::{Declined, Told};
use super::way_out;
use crate::error::Error;
use crate::way_out::Pages;
use gate::facts::{Connection, FromDomain, Mailed, QuotaFacts, WayOut};
use gate::{Facts, MessageFacts, Permit, RecipientFacts, Refusal, Rule, SenderFacts, Verdict, check, decide};
use mail::address::Address;
use model::message::{Draft, Queued};
use model::{DomainId, MessageId, RecipientTag};
use std::collections::HashMap;
use std::sync::Arc;
use store::{Acceptance, Authority, Idempotency, Item, NotQueued, Person, Store, TurnedAway};

/// What became of one recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Queued; durable.
    Queued(Queued),
    /// Queued and held until the reason is dealt with; durable.
    Held(Queued, Refusal),
    /// Not taken.
    Refused(Declined),
}

impl Answer {
    const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// May a message be taken in for some of its recipients while others are refused?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Partly {
    /// Yes: the caller tells each recipient's answer (HTTP).
    Allowed,
    /// No: the caller has one answer for all (SMTP after the final dot).
    AllOrNothing,
}

/// The one way in.
pub struct Submission {
    store: Arc<Store>,
    pages: Option<Pages>,
}

/// An ample allowance: asked of the sender alone, when no recipient is counted yet.
const QUOTA_NOT_ASKED: QuotaFacts = QuotaFacts { allowed: 1, used: 0 };
/// How often it is decided anew when what is known changes under our eyes; then the client tries again.
const TRIES_MAX: usize = 8;

/// What the day's allowance is reckoned by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    /// Memory, which may count too much.
    Remembered,
    /// What is written: a refusal rests on it.
    Written,
}

/// The decisions about one draft and what they rest on.
struct Decided {
    domain: Option<DomainId>,
    sender: SenderFacts,
    persons: Vec<Person>,
    each: Vec<Verdict<Permit>>,
}

impl Decided {
    fn lacks_quota(&self) -> bool {
        self.each.iter().any(|one| matches!(one, Verdict::Refuse(refusal) if refusal.rule() == Rule::Quota))
    }
}

impl Submission {
    /// Over a store. Without pages for recipients marketing is refused (ePrivacy Art. 13(4)).
    #[must_use]
    pub const fn new(store: Arc<Store>) -> Self {
        Self { store, pages: None }
    }

    /// The same with the pages, if there are any.
    #[must_use]
    pub fn with_pages(self, pages: Option<Pages>) -> Self {
        Self { pages, ..self }
    }

    /// The store behind it.
    #[must_use]
    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Can marketing carry a link of ours?
    pub(super) const fn has_pages(&self) -> bool {
        self.pages.is_some()
    }

    /// Is the sender as a whole refused (SMTP MAIL)? Agreement, instruction, stream, credential.
    #[must_use]
    pub fn check_sender(&self, authority: &Authority) -> Option<Refusal> {
        let (sender, generation) =
            self.store.sender_facts(authority, authority.stream().id, authority.stream().default_purpose());
        let nobody = RecipientFacts::default();
        let refusal = self.ask(&sender, &nobody, generation, QUOTA_NOT_ASKED)?;
        // With no recipient yet, only what concerns the sender counts.
        if !refusal.rule().concerns_sender() {
            return None;
        }
        self.store.count_refusal(authority.controller(), authority.credential(), refusal.rule());
        Some(refusal)
    }

    /// Is this recipient refused (SMTP RCPT), after `accepted` others of the same transaction that were not?
    /// A `None` is no permit: all is asked again at the end.
    ///
    /// # Errors
    /// When the facts cannot be loaded.
    pub async fn check_recipient(
        &self,
        authority: &Authority,
        address: &Address,
        accepted: usize,
    ) -> Result<Option<Declined>, Error> {
        let stream = authority.stream();
        let purpose = stream.default_purpose();
        let (sender, generation) = self.store.sender_facts(authority, stream.id, purpose);
        let persons = self.store.recipient_facts(authority.controller(), purpose, &[address]).await?;
        let Some(person) = persons.first() else { return Ok(Some(Declined::unlogged(gate::facts_unavailable()))) };
        let ask = |mut quota: QuotaFacts| {
            quota.used = quota.used.saturating_add(u64::try_from(accepted).unwrap_or(u64::MAX));
            self.ask(&sender, &person.facts, generation, quota)
        };
        let account = self.store.account_of(authority);
        let mut refusal = ask(self.store.quota(account).await?);
        if refusal.is_some_and(|refusal| refusal.rule() == Rule::Quota) {
            // What is counted in memory may be too much: a refusal rests on what is written.
            refusal = ask(self.store.quota_written(account).await?);
        }
        let Some(refusal) = refusal else { return Ok(None) };
        self.store.count_refusal(authority.controller(), authority.credential(), refusal.rule());
        let turned = TurnedAway {
            authority,
            stream: stream.id,
            purpose,
            rule: refusal.rule(),
            sender: &sender,
            person: Some((address, person)),
        };
        Ok(Some(Declined::logged(&self.store, refusal, &turned)))
    }

    fn ask(
        &self,
        sender: &SenderFacts,
        recipient: &RecipientFacts,
        generation: u64,
        quota: QuotaFacts,
    ) -> Option<Refusal> {
        let facts = Facts {
            now: self.store.now(),
            generation,
            sender: Some(sender),
            message: MessageFacts {
                from_domain: FromDomain::NotYetKnown,
                way_out: WayOut::Fits,
                connection: Connection::NotYet,
                order: None,
            },
            recipient: Some(recipient),
            quota,
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
        self.accept_as(authority, draft, ids, |_| idempotency.clone()).await
    }

    /// The same, with ids the caller made beforehand (they stand in Message-ID fields) and an idempotency
    /// record that is made from the answers before they are committed, anew whenever it is decided anew.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub async fn accept_as(
        &self,
        authority: &Authority,
        draft: Draft,
        ids: Vec<MessageId>,
        keep: impl FnMut(&[Answer]) -> Option<Idempotency> + Send,
    ) -> Result<Vec<Answer>, Error> {
        self.take(authority, draft, ids, Partly::Allowed, keep).await
    }

    /// Takes a draft in for all of its recipients, or for none. The answers are then all of the one kind: whoever
    /// alone would have been taken in shares the refusal of another, a temporary one if there is one.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub async fn accept_all(
        &self,
        authority: &Authority,
        draft: Draft,
        ids: Vec<MessageId>,
    ) -> Result<Vec<Answer>, Error> {
        let mut answers = self.take(authority, draft, ids, Partly::AllOrNothing, |_| None).await?;
        share_refusal(&mut answers);
        Ok(answers)
    }

    async fn take(
        &self,
        authority: &Authority,
        draft: Draft,
        ids: Vec<MessageId>,
        partly: Partly,
        mut keep: impl FnMut(&[Answer]) -> Option<Idempotency> + Send,
    ) -> Result<Vec<Answer>, Error> {
        let mut count = Count::Remembered;
        let mut told = Told::default();
        let way_out = way_out::of(&self.store, self.pages.as_ref(), authority, &draft).await;
        for _ in 0..TRIES_MAX {
            let decided = self.decide(authority, &draft, way_out, count).await?;
            if decided.lacks_quota() && count == Count::Remembered {
                count = Count::Written;
                continue;
            }
            let mut answers = self.answers(authority, &draft, &decided, &ids, &mut told);
            let nothing = partly == Partly::AllOrNothing && answers.iter().any(Answer::is_refused);
            if let Some(domain) = decided.domain.filter(|_| !nothing) {
                let acceptance = Acceptance {
                    items: items(&draft, &decided.each, decided.persons, &ids),
                    body: draft.body.clone(),
                    from: &draft.from,
                    sender: draft.reverse_path.as_ref(),
                    domain,
                    metadata: &draft.metadata,
                    idempotency: keep(&answers),
                };
                match self.store.accept(acceptance).await {
                    Ok(_) => {}
                    Err(NotQueued::Stale) => continue,
                    Err(NotQueued::Quota) if count == Count::Remembered => {
                        count = Count::Written;
                        continue;
                    }
                    Err(NotQueued::Quota) => refuse_queued(&mut answers),
                    Err(NotQueued::Repeated) => return Err(Error::Repeated),
                    Err(NotQueued::Failed(error)) => return Err(error.into()),
                }
            }
            self.count_refused(authority, &answers);
            return Ok(answers);
        }
        Err(Error::Changing)
    }

    /// Asks the gate about each recipient.
    async fn decide(
        &self,
        authority: &Authority,
        draft: &Draft,
        way_out: WayOut,
        count: Count,
    ) -> Result<Decided, Error> {
        let (controller, account) = (authority.controller(), self.store.account_of(authority));
        let (sender, generation) = self.store.sender_facts(authority, draft.stream, draft.purpose);
        let addresses: Vec<&Address> = draft.recipients.iter().collect();
        let persons = self.store.recipient_facts(controller, draft.purpose, &addresses).await?;
        let (from_domain, domain) = self.store.from_domain(controller, draft.from.domain());
        let facts = Facts {
            now: self.store.now(),
            generation,
            sender: Some(&sender),
            message: MessageFacts { from_domain, way_out, connection: Connection::NotYet, order: None },
            recipient: None,
            quota: match count {
                Count::Remembered => self.store.quota(account).await?,
                Count::Written => self.store.quota_written(account).await?,
            },
        };
        let each = decide_each(&facts, &persons);
        Ok(Decided { domain, sender, persons, each })
    }

    /// The answers; each refusal is kept in the log, once however often it is decided anew.
    fn answers(
        &self,
        authority: &Authority,
        draft: &Draft,
        decided: &Decided,
        ids: &[MessageId],
        told: &mut Told,
    ) -> Vec<Answer> {
        let pairs = decided.each.iter().zip(ids).enumerate();
        let answer = |(at, (decision, id)): (usize, (&Verdict<Permit>, &MessageId))| match decision {
            Verdict::Pass(permit) => {
                let queued = Queued { id: *id, public_id: self.store.public_id(*id) };
                permit.held().map_or(Answer::Queued(queued.clone()), |refusal| Answer::Held(queued, refusal))
            }
            Verdict::Hold(refusal) | Verdict::Refuse(refusal) => {
                let turned = TurnedAway {
                    authority,
                    stream: draft.stream,
                    purpose: draft.purpose,
                    rule: refusal.rule(),
                    sender: &decided.sender,
                    person: draft.recipients.get(at).zip(decided.persons.get(at)),
                };
                Answer::Refused(told.declined(&self.store, at, *refusal, &turned))
            }
        };
        pairs.map(answer).collect()
    }

    fn count_refused(&self, authority: &Authority, answers: &[Answer]) {
        for answer in answers {
            if let Answer::Refused(refusal) = answer {
                self.store.count_refusal(authority.controller(), authority.credential(), refusal.rule());
            }
        }
    }
}

/// One decision a recipient. The quota is used up as the permits are given, and so is the room of one who is named
/// more than once.
fn decide_each(facts: &Facts<'_>, persons: &[Person]) -> Vec<Verdict<Permit>> {
    let mut quota = facts.quota;
    let mut counted: HashMap<RecipientTag, Vec<Mailed>> = HashMap::new();
    persons
        .iter()
        .map(|person| {
            let before = counted.get(&person.tag).map(|more| RecipientFacts {
                mailed: [person.facts.mailed.as_slice(), more].concat(),
                ..person.facts.clone()
            });
            let recipient = Some(before.as_ref().unwrap_or(&person.facts));
            let decision = decide(&Facts { recipient, quota, ..*facts });
            if let Verdict::Pass(permit) = &decision {
                quota.used += 1;
                if let Some(purpose) = permit.counts_for() {
                    counted.entry(person.tag).or_default().push(Mailed { purpose, at: facts.now });
                }
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
        let notice = draft.notices.get(at).filter(|notice| !notice.is_empty()).cloned();
        items.push(Item { permit, address, person, head: draft.heads.of(at), id: *id, notice });
    }
    items
}

/// The day's allowance was used up by others between decision and commit: nothing was kept.
fn refuse_queued(answers: &mut [Answer]) {
    for answer in answers.iter_mut().filter(|answer| !answer.is_refused()) {
        *answer = Answer::Refused(Declined::unlogged(gate::quota_used_up()));
    }
}

/// One refusal is a refusal of all: nothing was kept. RFC 5321 §4.2.1: after a temporary one (4yz) the client tries
/// again, and RCPT then parts those who may be mailed from those who may not; so it goes before a lasting one.
fn share_refusal(answers: &mut [Answer]) {
    let refusals = answers.iter().filter_map(|answer| match answer {
        Answer::Refused(refusal) => Some(refusal),
        Answer::Queued(_) | Answer::Held(..) => None,
    });
    let Some(shared) = refusals.min_by_key(|declined| declined.refusal().row().smtp / 100).cloned() else { return };
    answers.fill(Answer::Refused(shared));
}
