//! Facts for the gate, in sets: a query per kind of fact, not per message.
//!
//! The generation is read **before** the facts, so that a change in between shows as a stale one.

mod cache;
mod mailed;
mod quiet;

pub(crate) use cache::FactsCache;
pub(crate) use mailed::Counting;
pub(crate) use quiet::{DAY_MINUTES, zone};

use crate::accounts::SYSTEM_USERNAME;
use crate::accounts::is_kept;
use crate::authority::Authority;
use crate::engine::{PersonQuery, PersonRow, SlotRef};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::policy::{ControllerPolicy, CredentialPolicy, Policy, before};
use crate::spool::{Account, QueueRow, QuotaCount};
use gate::facts::{
    AgreementFacts, BasisForAll, Connection, Covers, CredentialFacts, FromDomain, InstructionFacts, PurposeFacts,
    QuotaFacts, Standing, StreamFacts, SuppressionFacts, WayOut,
};
use gate::{MessageFacts, RecipientFacts, SenderFacts};
use mail::address::{Address, Domain};
use model::basis::{BasisKind, BasisRecord, Evidence};
use model::instruction::Operation;
use model::person::{Restriction, SuppressionReason, SuppressionScope};
use model::{ControllerId, CredentialId, DomainId, ListId, PurposeId, RecipientTag, StreamId, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// A recipient as the store knows him: tag, facts, and where his secret is.
#[derive(Clone, Debug)]
pub struct Person {
    /// Keyed tag.
    pub tag: RecipientTag,
    /// Facts for the gate.
    pub facts: RecipientFacts,
    pub(crate) slot: Option<SlotRef>,
    /// Since when nothing may speak of him any more.
    pub(crate) leaving: Option<Timestamp>,
    /// The version of what was counted for him; 0 when nothing was.
    pub(crate) counted: i64,
}

/// Everything the gate asks before a message leaves, and the generation as of before it was read.
pub type Clearing = (SenderFacts, MessageFacts, RecipientFacts, u64);

/// Among several nodes, what others take from a day's allowance is read again after so long.
const QUOTA_REMEMBERED: Duration = Duration::from_secs(1);

/// Of whom something is asked: controller, purpose or list, person.
pub(crate) type Whom = (ControllerId, PurposeId, RecipientTag);

impl Store {
    /// Facts about the sender, and the controller's generation as of before they were read.
    #[must_use]
    pub fn sender_facts(&self, authority: &Authority, stream: StreamId, purpose: PurposeId) -> (SenderFacts, u64) {
        let controller = authority.controller();
        let generation = self.generation(controller);
        let policy = self.policy.current();
        // The credential is looked up anew: it may have been revoked since it was shown.
        let credential = policy.credential(authority.credential());
        let credential = credential.map(|credential| &**credential);
        let region = self.region.as_deref();
        (sender(&policy, (controller, region), (stream, purpose), credential, self.now()), generation)
    }

    /// The controller's permission generation: one atomic load. Among several nodes it moves by itself when what others
    /// change cannot be known.
    #[must_use]
    pub fn generation(&self, controller: ControllerId) -> u64 {
        if let Some(follower) = &self.follower {
            follower.look();
        }
        self.policy.generation(controller)
    }

    /// Among several nodes: what is in memory may be believed, or nothing is decided.
    async fn keep_up(&self) -> Result<()> {
        match &self.follower {
            Some(follower) => follower.keep_up().await,
            None => Ok(()),
        }
    }

    /// Among several nodes: what any of them committed before this call is in memory.
    pub(crate) async fn catch_up(&self) -> Result<()> {
        match &self.follower {
            Some(follower) => follower.catch_up().await,
            None => Ok(()),
        }
    }

    /// What is known of a From domain.
    #[must_use]
    pub fn from_domain(&self, controller: ControllerId, domain: &Domain) -> (FromDomain, Option<DomainId>) {
        match self.policy.current().domain(controller, domain) {
            Some(known) if known.verified => (FromDomain::Verified, Some(known.id)),
            _ => (FromDomain::NotVerified, None),
        }
    }

    /// What is left of the day's allowance.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn quota(&self, account: impl Into<Account> + Send) -> Result<QuotaFacts> {
        let account = account.into();
        let (allowed, day) = (self.quota_max(account.controller()), self.now().utc_day());
        // Memory counts what this node accepts. What others accept is read from time to time; the commit enforces it.
        let read_at = self.clock().monotonic();
        let oldest = if self.tenure().is_alone() { Duration::ZERO } else { read_at.saturating_sub(QUOTA_REMEMBERED) };
        let used = match self.intake.quota_known(account, day, oldest) {
            Some(used) => used,
            None => {
                let used = self.engine.quota_used(account.number(), day).await?;
                self.intake.quotas.lock().insert(account, QuotaCount { day, used, read_at });
                used
            }
        };
        Ok(QuotaFacts { allowed, used })
    }

    /// The same as it is written. Memory may count a commit twice, when it was read after that commit and before its
    /// count: a refusal rests on this.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn quota_written(&self, account: impl Into<Account> + Send) -> Result<QuotaFacts> {
        let account = account.into();
        self.quota_unknown(account);
        let (allowed, day) = (self.quota_max(account.controller()), self.now().utc_day());
        Ok(QuotaFacts { allowed, used: self.engine.quota_used(account.number(), day).await? })
    }

    /// On whose account messages of an authority are counted.
    #[must_use]
    pub fn account_of(&self, authority: &Authority) -> Account {
        self.account(authority.controller(), authority.credential())
    }

    /// The same of a credential.
    pub(crate) fn account(&self, controller: ControllerId, credential: CredentialId) -> Account {
        let policy = self.policy.current();
        let username = policy.credential(credential).map(|known| known.row.username.as_str());
        // The name is long to make, so the beginning is looked at first.
        let is_platform =
            username.is_some_and(|name| name.starts_with(SYSTEM_USERNAME) && *name == self.system_username(controller));
        if is_platform { Account::OfPlatform(controller) } else { Account::Own(controller) }
    }

    /// What memory says of the day's allowance is doubtful: it is read anew at the next decision.
    pub(crate) fn quota_unknown(&self, account: Account) {
        self.intake.quotas.lock().remove(&account);
    }

    /// The longest time over which a bound of the controller counts marketing, in days.
    pub(crate) fn longest_bound(&self, controller: ControllerId) -> u32 {
        let policy = self.policy.current();
        let streams = policy.controller(controller).into_iter().flat_map(|known| &known.streams);
        streams.filter_map(|stream| stream.terms.frequency).map(|most| most.days).max().unwrap_or(0)
    }

    /// How many messages a day the instruction in force allows; as many again the platform may write for him.
    #[must_use]
    pub fn quota_max(&self, controller: ControllerId) -> u64 {
        let policy = self.policy.current();
        policy
            .controller(controller)
            .and_then(|entry| entry.instruction.as_ref())
            .map_or(0, |instruction| instruction.messages_per_day_max)
    }

    /// Facts about recipients, in the order given.
    ///
    /// # Errors
    /// Those of the engine: then there are no facts, and the gate holds.
    pub async fn recipient_facts(
        &self,
        controller: ControllerId,
        purpose: PurposeId,
        addresses: &[&Address],
    ) -> Result<Vec<Person>> {
        let tags: Vec<RecipientTag> =
            addresses.iter().map(|address| self.vault.tag(controller, address)).collect::<Result<_>>()?;
        let whom: Vec<Whom> = tags.into_iter().map(|tag| (controller, purpose, tag)).collect();
        Ok(self.persons(&whom).await?.into_iter().map(|(person, _)| person).collect())
    }

    /// Persons and the generation under which what is said of them is true, in the order asked. Those
    /// that are not in memory are read together.
    async fn persons(&self, whom: &[Whom]) -> Result<Vec<(Person, u64)>> {
        self.keep_up().await?;
        // The generations first: a change in between shows as a stale one.
        let mut known: Vec<(Option<Person>, u64)> = whom
            .iter()
            .map(|who| {
                let generation = self.generation(who.0);
                (self.intake.facts.get(*who, generation), generation)
            })
            .collect();
        let missing: Vec<usize> =
            (0..known.len()).filter(|at| known.get(*at).is_some_and(|one| one.0.is_none())).collect();
        if !missing.is_empty() {
            let asked: Vec<Whom> = missing.iter().filter_map(|at| whom.get(*at).copied()).collect();
            let read = self.read_persons(&asked).await?;
            for ((at, who), person) in missing.into_iter().zip(asked).zip(read) {
                if let Some((place, generation)) = known.get_mut(at) {
                    self.intake.facts.put(who, *generation, &person);
                    *place = Some(person);
                }
            }
        }
        known
            .into_iter()
            .map(|(person, generation)| Ok((person.ok_or(Error::NotFound { what: "person" })?, generation)))
            .collect()
    }

    async fn read_persons(&self, asked: &[Whom]) -> Result<Vec<Person>> {
        let policy = self.policy.current();
        let queries = asked.iter().map(|who| query(&policy, *who)).collect();
        let rows = self.engine.persons(queries).await?;
        let read = |(who, row): (&Whom, PersonRow)| {
            let counted = row.mailed.as_ref().map_or(0, |(version, _)| *version);
            let (slot, leaving) = (row.slot, row.leaving);
            Ok(Person { tag: who.2, slot, leaving, counted, facts: recipient(who.2, row)? })
        };
        asked.iter().zip(rows).map(read).collect()
    }

    /// The same facts for a question after which nothing is queued: past the memory of persons, which belongs to
    /// those who are being mailed, and leaving nothing in it.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn facts_aside(
        &self,
        controller: ControllerId,
        purpose: PurposeId,
        addresses: &[&Address],
    ) -> Result<Vec<Person>> {
        self.keep_up().await?;
        let whom: Vec<Whom> = addresses
            .iter()
            .map(|address| Ok((controller, purpose, self.vault.tag(controller, address)?)))
            .collect::<Result<_>>()?;
        self.read_persons(&whom).await
    }

    /// Everything the gate asks before a message leaves, for a batch of queue rows.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn clearance_facts(&self, rows: &[&QueueRow]) -> Result<Vec<Clearing>> {
        let facts = self.facts_known(rows).await?;
        if self.follower.is_none() || facts.iter().all(|known| passes(known, self.now())) {
            return Ok(facts);
        }
        // Another node may have taken the message in because of something that is not known here yet (an agreement
        // signed, a consent given a moment ago): nothing is refused on facts that are older than this question.
        self.catch_up().await?;
        self.facts_known(rows).await
    }

    async fn facts_known(&self, rows: &[&QueueRow]) -> Result<Vec<Clearing>> {
        let whom: Vec<Whom> = rows.iter().map(|row| (row.controller, row.purpose, row.tag)).collect();
        let persons = self.persons(&whom).await?;
        let policy = self.policy.current();
        let now = self.now();
        let facts = rows.iter().zip(persons).map(|(row, (person, generation))| {
            let place = (row.controller, self.region.as_deref());
            let sender = sender(&policy, place, (row.stream, row.purpose), None, now);
            let domain = policy.domain_by_id(row.domain).filter(|domain| domain.controller == row.controller);
            let verified = domain.is_some_and(|domain| domain.verified);
            let from_domain = if verified { FromDomain::Verified } else { FromDomain::NotVerified };
            let (connection, order) = (Connection::NotYet, policy.order_on(row));
            let message = MessageFacts { from_domain, way_out: WayOut::Fits, connection, order };
            (sender, message, person.facts, generation)
        });
        Ok(facts.collect())
    }

    /// The two signers of a controller's domain (RSA and Ed25519). Nobody signs with another controller's.
    #[must_use]
    pub fn dkim_signers(&self, controller: ControllerId, domain: DomainId) -> Option<Arc<Vec<mail::dkim::Signer>>> {
        let policy = self.policy.current();
        let domain = policy.domain_by_id(domain).filter(|domain| domain.controller == controller)?;
        Some(Arc::clone(&domain.signers))
    }
}

/// Has the gate nothing against it?
fn passes((sender, message, recipient, generation): &Clearing, now: Timestamp) -> bool {
    let verdict = gate::clear(&gate::Facts {
        now,
        generation: *generation,
        sender: Some(sender),
        // It is not known yet, and no reason to read the facts anew.
        message: MessageFacts { connection: Connection::Verified, ..*message },
        recipient: Some(recipient),
        // Counted at acceptance.
        quota: QuotaFacts { allowed: u64::MAX, used: 0 },
    });
    matches!(verdict, gate::Verdict::Pass(_))
}

fn sender(
    policy: &Policy,
    (controller, region): (ControllerId, Option<&str>),
    (stream, purpose): (StreamId, PurposeId),
    credential: Option<&CredentialPolicy>,
    now: Timestamp,
) -> SenderFacts {
    let known: Option<&ControllerPolicy> = policy.controller(controller);
    let stream_facts = stream_facts(policy, controller, (stream, purpose), now);
    // Another node may have taken it in, or this one has moved.
    let kept = policy.stream(controller, stream).is_some_and(|stream| is_kept(stream, region));
    SenderFacts {
        controller,
        agreement: known.and_then(|known| known.agreement.as_ref()).map(|agreement| AgreementFacts {
            id: agreement.id,
            state: agreement.state,
            from: agreement.from,
            until: agreement.until,
        }),
        instruction: known.and_then(|known| known.instruction.as_ref()).map(|instruction| {
            let named = stream_facts.is_some()
                && instruction.streams.contains(&stream)
                && Operation::ALL.iter().all(|operation| instruction.operations.contains(operation));
            InstructionFacts {
                id: instruction.id,
                state: instruction.state,
                from: instruction.from,
                covers: match (named, kept) {
                    (true, true) => Covers::Yes,
                    (true, false) => Covers::NotHere,
                    (false, _) => Covers::No,
                },
            }
        }),
        stream: stream_facts,
        credential: credential.map(|credential| CredentialFacts {
            id: credential.id,
            standing: if credential.row.revoked.is_some() || !before(now, credential.row.expires) {
                Standing::Revoked
            } else if policy.stream(controller, stream).is_some_and(|stream| credential.may_use(stream)) {
                Standing::Good
            } else {
                Standing::OutOfScope
            },
        }),
    }
}

/// The stream and what the message is for, if the stream serves that.
fn stream_facts(
    policy: &Policy,
    controller: ControllerId,
    (stream, purpose): (StreamId, PurposeId),
    now: Timestamp,
) -> Option<StreamFacts> {
    let stream = policy.stream(controller, stream)?;
    let sent_for = policy.sent_for(controller, purpose)?;
    if !stream.purposes.contains(&sent_for.purpose.id) || sent_for.purpose.kind != stream.kind {
        return None;
    }
    let basis_for_all = if sent_for.purpose.has_basis_for_all() { BasisForAll::Complete } else { BasisForAll::Missing };
    Some(StreamFacts {
        id: stream.id,
        kind: stream.kind,
        purpose: PurposeFacts { id: sent_for.purpose.id, list: sent_for.list, basis_for_all },
        opt_out: stream.terms.opt_out,
        unverified: stream.terms.unverified,
        frequency: stream.terms.frequency,
        quiet: stream.terms.quiet.as_ref().and_then(|terms| quiet::hours(terms, now)),
        tls_floor: stream.terms.tls_floor,
    })
}

/// A person's basis is that of the purpose, also where a list below it is asked about.
fn query(policy: &Policy, (controller, purpose, tag): Whom) -> PersonQuery {
    let root = policy.sent_for(controller, purpose).map_or(purpose, |sent_for| sent_for.purpose.id);
    PersonQuery { controller: controller.0, purpose: root.0, tag: tag.0 }
}

fn recipient(tag: RecipientTag, row: PersonRow) -> Result<RecipientFacts> {
    let suppressions = row
        .suppressions
        .iter()
        .map(|entry| {
            let reason = SuppressionReason::from_word(&entry.reason);
            Ok(SuppressionFacts {
                scope: read_scope(&entry.scope).ok_or(Error::Row { column: "suppression.scope" })?,
                reason: reason.ok_or(Error::Row { column: "suppression.reason" })?,
                until: entry.until,
            })
        })
        .collect::<Result<_>>()?;
    let restriction = row
        .restriction
        .map(|word| read_restriction(&word).ok_or(Error::Row { column: "restriction.kind" }))
        .transpose()?;
    let basis = row
        .basis
        .map(|basis| {
            Ok::<_, Error>(BasisRecord {
                purpose: PurposeId(basis.purpose),
                evidence: Evidence::from_word(&basis.evidence).ok_or(Error::Row { column: "basis.evidence" })?,
                kind: BasisKind::from_word(&basis.kind).ok_or(Error::Row { column: "basis.kind" })?,
                given_at: basis.given,
                confirmed_at: basis.confirmed,
                withdrawn_at: basis.withdrawn,
                expires_at: basis.expires,
            })
        })
        .transpose()?;
    let mailed = row.mailed.map_or(Ok(Vec::new()), |(_, times)| mailed::read(&times))?;
    let pace = row.pace.and_then(|word| mailed::pace(&word));
    let (inform_until, paused_until) = (row.inform, row.paused);
    Ok(RecipientFacts { tag, suppressions, restriction, basis, inform_until, paused_until, pace, mailed })
}

/// The stored form of a scope.
pub(crate) fn write_scope(scope: SuppressionScope) -> String {
    match scope {
        SuppressionScope::All => "all".into(),
        SuppressionScope::Marketing => "marketing".into(),
        SuppressionScope::Delivery => "delivery".into(),
        SuppressionScope::Purpose(purpose) => format!("purpose:{}", purpose.0),
        SuppressionScope::List(list) => format!("list:{}", list.0),
    }
}

pub(crate) fn read_scope(word: &str) -> Option<SuppressionScope> {
    Some(match word {
        "all" => SuppressionScope::All,
        "marketing" => SuppressionScope::Marketing,
        "delivery" => SuppressionScope::Delivery,
        _ => match word.split_once(':')? {
            ("purpose", id) => SuppressionScope::Purpose(PurposeId(id.parse().ok()?)),
            ("list", id) => SuppressionScope::List(ListId(id.parse().ok()?)),
            _ => return None,
        },
    })
}

/// The stored form of a restriction.
pub(crate) const fn write_restriction(restriction: Restriction) -> &'static str {
    match restriction {
        Restriction::Restricted => "restricted",
        Restriction::Erased => "erased",
        Restriction::CaseOpen => "case-open",
    }
}

pub(crate) fn read_restriction(word: &str) -> Option<Restriction> {
    Some(match word {
        "restricted" => Restriction::Restricted,
        "erased" => Restriction::Erased,
        "case-open" => Restriction::CaseOpen,
        _ => return None,
    })
}
