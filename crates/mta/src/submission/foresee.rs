//! The dry run: what would the gate say to each of many recipients, were they written to now?
//!
//! Invariants: the facts and the gate are those of acceptance; no permit is made, nothing is written, counted or
//! remembered, and nobody becomes known by being asked about. Each set of recipients is as of its own moment.
//! Standards: GDPR Art. 5(2): what may be done is shown before it is done.

use super::Submission;
use crate::error::Error;
use gate::facts::{Connection, FromDomain, QuotaFacts, WayOut};
use gate::{Facts, MessageFacts, RecipientFacts, Rule, Verdict, check};
use mail::address::{Address, Domain};
use model::{PurposeId, RecipientTag};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use store::Authority;

/// Recipients whose facts are read together.
const SET: usize = 1_024;
/// Sets that are read at once: tags are reckoned and rows read on as many threads.
const SETS_AT_ONCE: usize = 4;

/// What would become of one recipient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Foreseen {
    /// He would be queued.
    Queued,
    /// He would be taken in and held for this reason.
    Held(Rule),
    /// He would be refused.
    Refused(Rule),
    /// He is who stands earlier in the list, at this place.
    Repeats(usize),
}

/// What would be sent.
#[derive(Clone, Copy, Debug)]
pub struct Intent<'a> {
    /// For this purpose or list, on the stream of the authority.
    pub purpose: PurposeId,
    /// From this domain; when it is not said, the rule about it is not asked.
    pub from: Option<&'a Domain>,
}

impl Submission {
    /// What would become of each of these, in order. The day's allowance is reckoned as if all of them were sent to
    /// now. The content is not known and taken to be fit.
    ///
    /// # Errors
    /// When the facts cannot be loaded.
    pub async fn foresee(
        &self,
        authority: &Authority,
        intent: Intent<'_>,
        recipients: &[Address],
    ) -> Result<Vec<Foreseen>, Error> {
        let (store, controller) = (self.store(), authority.controller());
        let stream = authority.stream();
        let (sender, generation) = store.sender_facts(authority, stream.id, intent.purpose);
        let way_out = if self.has_pages() { WayOut::Fits } else { WayOut::DoesNotFit };
        let nobody = RecipientFacts::default();
        let mut facts = Facts {
            now: store.now(),
            generation,
            sender: Some(&sender),
            message: MessageFacts {
                from_domain: intent.from.map_or(FromDomain::NotYetKnown, |from| store.from_domain(controller, from).0),
                way_out,
                connection: Connection::NotYet,
                order: None,
            },
            recipient: Some(&nobody),
            quota: store.quota_written(store.account_of(authority)).await?,
        };
        // GDPR Art. 28(3): without agreement or instruction nothing is looked up about anybody.
        if let Some(rule) = refuses_all(&facts) {
            return Ok(vec![Foreseen::Refused(rule); recipients.len()]);
        }
        let mut foreseen = Vec::with_capacity(recipients.len());
        let mut seen: HashMap<RecipientTag, usize> = HashMap::with_capacity(recipients.len());
        let mut sets = recipients.chunks(SET).map(|set| {
            let (store, set, purpose) = (Arc::clone(store), set.to_vec(), intent.purpose);
            tokio::spawn(async move {
                let addresses: Vec<&Address> = set.iter().collect();
                store.facts_aside(controller, purpose, &addresses).await
            })
        });
        let mut under_way: VecDeque<_> = sets.by_ref().take(SETS_AT_ONCE).collect();
        while let Some(set) = under_way.pop_front() {
            // A task that was cut short: this process ends, or has a fault.
            let persons = set.await.map_err(|_| Error::Store(store::Error::Closed))??;
            under_way.extend(sets.next());
            for person in &persons {
                foreseen.push(match seen.entry(person.tag) {
                    Entry::Occupied(first) => Foreseen::Repeats(*first.get()),
                    Entry::Vacant(place) => {
                        place.insert(foreseen.len());
                        ask(&Facts { recipient: Some(&person.facts), ..facts }, &mut facts.quota)
                    }
                });
            }
        }
        Ok(foreseen)
    }
}

/// The rule that refuses whatever recipient: those about the sender, which are asked before any about a person.
fn refuses_all(facts: &Facts<'_>) -> Option<Rule> {
    match check(facts) {
        Verdict::Refuse(refusal) => {
            Some(refusal.rule()).filter(|rule| rule.concerns_sender() && *rule != Rule::OptOutMissing)
        }
        Verdict::Pass(()) | Verdict::Hold(_) => None,
    }
}

fn ask(facts: &Facts<'_>, quota: &mut QuotaFacts) -> Foreseen {
    let taken = match check(facts) {
        Verdict::Refuse(refusal) => return Foreseen::Refused(refusal.rule()),
        // Without facts nobody is taken in.
        Verdict::Hold(refusal) if refusal.rule() == Rule::FactsUnavailable => {
            return Foreseen::Refused(Rule::FactsUnavailable);
        }
        Verdict::Hold(refusal) => Foreseen::Held(refusal.rule()),
        Verdict::Pass(()) => Foreseen::Queued,
    };
    quota.used = quota.used.saturating_add(1);
    taken
}
