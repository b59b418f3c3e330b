//! Evidence of consent as the ledger commits to it, and what opens that commitment (GDPR Art. 7(1), law.md R5).
//!
//! Each act has one statement: JSON in canonical form (RFC 8785) that says everything about it. Its leaf commits to
//! HMAC-SHA-256(blind, SHA-256(statement)); the blind comes of the person's ledger key for this one leaf, so it opens
//! no other, and none opens once the key is gone. The statement is not kept: the rows give it again, octet for octet,
//! and rows that were changed give another one, which the leaf does not commit to. Version 2 says besides what is
//! recorded (consent or another basis, confirmed or not), who recorded it, about whom, and which words each purpose
//! had; rows of version 1 still give statements of version 1.
//! Never: an address in a statement.

#[cfg(test)]
mod tests;

use super::*;
use crate::engine::EntryRow;
use crate::journal::SystemEvent;
use model::basis::BasisKind;
use model::ids::{EventId, hex};
use model::{DocumentId, FormId, PurposeId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Version of a statement's form.
const VERSION: u8 = 2;
/// Of what was kept before statements said about whom they are.
const FIRST_VERSION: u8 = 1;
/// What stands for all marketing where a purpose is named.
const ALL: &str = "all";

/// Who recorded an act.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recorder {
    /// A page of ours, where the person acted himself.
    Page,
    /// The controller told it; nobody here saw it.
    Controller,
    /// Somebody who did not say who he is: a page of ours had no part in it, and no key of the controller's.
    Stranger,
}

/// What an act is, beside its words: known since version 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ActFacts {
    /// What it records; nothing for a withdrawal, which ends whatever there is.
    pub basis: Option<BasisKind>,
    /// Did the person confirm it?
    pub confirmed: bool,
    /// Who recorded it.
    pub by: Recorder,
}

impl ActFacts {
    /// Consent on a page of ours.
    pub(super) const fn consent(confirmed: bool) -> Self {
        Self { basis: Some(BasisKind::Consent), confirmed, by: Recorder::Page }
    }

    /// Consent that was asked for in this way, and is not confirmed.
    pub(super) fn requested(method: Method) -> Self {
        let by = if method == Method::Embedded { Recorder::Stranger } else { Recorder::Page };
        Self { by, ..Self::consent(false) }
    }

    /// A withdrawal.
    pub(super) const fn withdrawal(by: Recorder) -> Self {
        Self { basis: None, confirmed: false, by }
    }
}

/// One decision of an act.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActDecision {
    /// About what; purpose 0 is all marketing.
    pub purpose: PurposeId,
    /// `requested`, `refused`, `given` or `withdrawn`.
    pub word: String,
    /// The words that the purpose had then: title and description. Nothing before version 2.
    pub text: Option<String>,
}

/// What a row keeps under the person's secret since version 2.
#[derive(Serialize, Deserialize)]
struct Envelope {
    basis: Option<String>,
    by: Recorder,
    confirmed: bool,
    details: String,
    text: Option<String>,
}

/// A row's sealed part, opened.
pub(super) struct Unsealed {
    pub(super) details: String,
    pub(super) facts: Option<ActFacts>,
    pub(super) text: Option<String>,
}

/// An act to be kept.
pub(super) struct Kept<'a> {
    pub(super) controller: ControllerId,
    pub(super) tag: RecipientTag,
    pub(super) secret: Option<&'a Secret>,
    pub(super) event: EventId,
    pub(super) at: Timestamp,
    pub(super) act: &'a Act<'a>,
    pub(super) facts: ActFacts,
}

/// What an act leaves: its rows, and the hash that its leaf commits to.
pub(super) struct Evidence {
    pub(super) steps: Vec<Step>,
    pub(super) sha256: [u8; 32],
}

/// One act of a person, or of his controller about him, as it was kept.
#[derive(Clone, Debug)]
pub struct ConsentAct {
    /// Its leaf in the ledger.
    pub event: EventId,
    /// When.
    pub at: Timestamp,
    /// How, as `Method` words say.
    pub method: String,
    /// The words that were shown.
    pub notice: Option<DocumentId>,
    /// With which form.
    pub form: Option<FormId>,
    /// What else is evidence: JSON.
    pub details: String,
    /// Each purpose and what was said to it.
    pub decisions: Vec<ActDecision>,
    /// What it is; nothing for an act whose statement is of version 1.
    pub facts: Option<ActFacts>,
    /// What opens its leaf.
    pub opening: Opening,
}

/// What opens a leaf's commitment.
#[derive(Clone, Debug)]
pub struct Opening {
    /// What the leaf is about, octet for octet.
    pub statement: Vec<u8>,
    /// Key of the HMAC over the statement's SHA-256.
    pub blind: [u8; 32],
}

impl Opening {
    /// What the leaf must have under `commit`.
    #[must_use]
    pub fn commitment(&self) -> [u8; 32] {
        commitment(&self.blind, &crypto::sha256(&[&self.statement]))
    }
}

/// Evidence that is about to be handed over.
#[derive(Clone, Debug)]
pub struct Disclosure {
    /// Its leaf in the ledger.
    pub event: EventId,
    /// When.
    pub at: Timestamp,
    /// Key of the HMAC over the SHA-256 of what is handed over.
    pub blind: [u8; 32],
}

/// What a leaf has under `commit` for something with this hash.
#[must_use]
pub fn commitment(blind: &[u8; 32], sha256: &[u8; 32]) -> [u8; 32] {
    crypto::mac(blind, &[sha256])
}

/// Members in the order of their names: RFC 8785 §3.2.3.
#[derive(Serialize)]
struct Statement<'a> {
    /// Microseconds since 1970.
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Recorder>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<bool>,
    controller: &'a str,
    decisions: &'a [Decided<'a>],
    details: &'a str,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<String>,
    method: &'a str,
    /// SHA-256 of the words shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
    /// About whom: the reference that stays his own when the controller's tags change.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    v: u8,
}

#[derive(Serialize)]
struct Decided<'a> {
    decision: &'a str,
    purpose: String,
    /// SHA-256 of the purpose's title and description.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
}

/// What a statement is made of, whether it is being kept or was.
struct Said<'a> {
    controller: ControllerId,
    event: EventId,
    at: Timestamp,
    method: &'a str,
    notice: Option<[u8; 32]>,
    form: Option<FormId>,
    details: &'a str,
    decisions: &'a [ActDecision],
    facts: Option<ActFacts>,
    subject: Option<String>,
}

/// What evidence of version 1 is sealed for: bytes moved to another row do not open.
fn first_context(id: i64) -> Vec<u8> {
    [b"consent event".as_slice(), &id.to_be_bytes()].concat()
}

/// The same since version 2: bytes of one version do not open as those of the other.
fn context(id: i64) -> Vec<u8> {
    [b"consent event 2".as_slice(), &id.to_be_bytes()].concat()
}

/// What a row keeps, if it is whole.
pub(super) fn unsealed(secret: &Secret, id: i64, sealed: &[u8]) -> Option<Unsealed> {
    let Ok(plain) = crypto::open(&secret.wrap, &context(id), sealed, "evidence") else {
        let plain = crypto::open(&secret.wrap, &first_context(id), sealed, "evidence").ok()?;
        return Some(Unsealed { details: String::from_utf8(plain).ok()?, facts: None, text: None });
    };
    let kept: Envelope = serde_json::from_slice(&plain).ok()?;
    let basis = match &kept.basis {
        Some(word) => Some(BasisKind::from_word(word)?),
        None => None,
    };
    let facts = Some(ActFacts { basis, confirmed: kept.confirmed, by: kept.by });
    Some(Unsealed { details: kept.details, facts, text: kept.text })
}

/// The reference by which evidence names a person. It dies with his secret, and outlives a change of the controller's
/// tags.
fn subject(secret: &Secret) -> String {
    let mac = crypto::mac(secret.ledger.as_slice(), &[b"subject of evidence"]);
    format!("sub_{}", hex(mac.first_chunk::<16>().unwrap_or(&[0; 16])))
}

impl Store {
    /// Rows and hash of an act: one row for each purpose.
    pub(super) async fn evidence(&self, kept: &Kept<'_>, decisions: &[(PurposeId, &str)]) -> Result<Evidence> {
        let act = kept.act;
        let notice = match act.notice {
            Some(id) => self.document(kept.controller, id).await?,
            None => None,
        };
        let language = notice.as_ref().map(|notice| notice.language.as_str());
        let decisions: Vec<ActDecision> = decisions
            .iter()
            .map(|(purpose, word)| ActDecision {
                purpose: *purpose,
                word: (*word).to_owned(),
                text: self.words_of(kept.controller, *purpose, language),
            })
            .collect();
        let statement = self.statement(&Said {
            controller: kept.controller,
            event: kept.event,
            at: kept.at,
            method: act.method.as_str(),
            notice: notice.as_ref().map(|notice| notice.sha256),
            form: act.form,
            details: act.details,
            decisions: &decisions,
            facts: Some(kept.facts),
            subject: kept.secret.map(subject),
        })?;
        let steps = decisions.iter().map(|decision| {
            let id = self.next_id();
            let envelope = Envelope {
                basis: kept.facts.basis.map(|kind| kind.as_str().to_owned()),
                by: kept.facts.by,
                confirmed: kept.facts.confirmed,
                details: act.details.to_owned(),
                text: decision.text.clone(),
            };
            let plain = serde_json::to_vec(&envelope).map_err(|_| Error::Row { column: "consent_event.sealed" })?;
            let sealed = match kept.secret {
                Some(secret) => crypto::seal(&secret.wrap, &context(id), &plain)?,
                None => Vec::new(),
            };
            let values = vec![
                id.into(),
                kept.controller.0.into(),
                kept.tag.0.into(),
                decision.purpose.0.into(),
                decision.word.as_str().into(),
                kept.at.into(),
                act.method.as_str().into(),
                act.notice.map(|id| id.0).into(),
                act.form.map(|id| id.0).into(),
                Value::Null,
                kept.event.0.into(),
                sealed.into(),
            ];
            Ok(Step::new(&sql::CONSENT_EVENT_INSERT, values))
        });
        Ok(Evidence { steps: steps.collect::<Result<_>>()?, sha256: crypto::sha256(&[&statement]) })
    }

    /// Title and description of a purpose, in the language of the words that were shown, or else in English.
    fn words_of(&self, controller: ControllerId, purpose: PurposeId, language: Option<&str>) -> Option<String> {
        let known = self.purpose(controller, purpose)?;
        let text = language.and_then(|language| known.text(language)).or_else(|| known.text("en"));
        let text = text.or_else(|| known.texts.values().next())?;
        Some(format!("{}: {}", text.title, text.description))
    }

    /// The reference by which evidence names a person; nothing for one who was erased, or is not known.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn evidence_subject(&self, controller: ControllerId, tag: RecipientTag) -> Result<Option<String>> {
        Ok(self.secret_of(controller, tag).await?.as_ref().map(subject))
    }

    async fn hash_of(&self, controller: ControllerId, document: Option<DocumentId>) -> Result<Option<[u8; 32]>> {
        let Some(id) = document else { return Ok(None) };
        let rows = self.found(&sql::DOCUMENT_HASH, vec![controller.0.into(), id.0.into()]).await?;
        rows.into_iter().next().map(|mut row| row.array()).transpose()
    }

    fn statement(&self, said: &Said<'_>) -> Result<Vec<u8>> {
        let named = |purpose: PurposeId| if purpose.0 == 0 { ALL.to_owned() } else { self.public_id(purpose) };
        let decisions: Vec<Decided<'_>> = said
            .decisions
            .iter()
            .map(|one| Decided {
                decision: &one.word,
                purpose: named(one.purpose),
                words: one.text.as_ref().map(|text| hex(&crypto::sha256(&[text.as_bytes()]))),
            })
            .collect();
        let statement = Statement {
            at: said.at.micros(),
            basis: said.facts.and_then(|facts| facts.basis).map(BasisKind::as_str),
            by: said.facts.map(|facts| facts.by),
            confirmed: said.facts.map(|facts| facts.confirmed),
            controller: &self.public_id(said.controller),
            decisions: &decisions,
            details: said.details,
            event: &said.event.to_hex(),
            form: said.form.map(|id| self.public_id(id)),
            method: said.method,
            notice: said.notice.map(|sha256| hex(&sha256)),
            subject: said.subject.clone(),
            v: if said.facts.is_some() { VERSION } else { FIRST_VERSION },
        };
        serde_json::to_vec(&statement).map_err(|_| Error::Row { column: "consent_event" })
    }

    /// A person's acts of consent with what opens their leaves, oldest first. None of a person who was erased: nothing
    /// opens their leaves any more.
    ///
    /// # Errors
    /// Those of the engine; [`Error::Sealed`] when a row was damaged.
    pub async fn consent_acts(&self, controller: ControllerId, tag: RecipientTag) -> Result<Vec<ConsentAct>> {
        let Some(secret) = self.secret_of(controller, tag).await? else { return Ok(Vec::new()) };
        let (mut acts, mut places) = (Vec::new(), HashMap::new());
        for row in self.consent_events(controller, tag).await? {
            let details = row.details.ok_or(Error::Sealed { what: "evidence of consent" })?;
            let place = *places.entry(row.event.0).or_insert(acts.len());
            if place == acts.len() {
                acts.push(ConsentAct {
                    event: row.event,
                    at: row.at,
                    method: row.method,
                    notice: row.notice,
                    form: row.form,
                    details,
                    decisions: Vec::new(),
                    facts: row.facts,
                    opening: Opening { statement: Vec::new(), blind: blind(&secret, row.event) },
                });
            }
            if let Some(act) = acts.get_mut(place) {
                act.decisions.push(ActDecision { purpose: row.purpose, word: row.what, text: row.text });
            }
        }
        for act in &mut acts {
            act.opening.statement = self.statement(&Said {
                controller,
                event: act.event,
                at: act.at,
                method: &act.method,
                notice: self.hash_of(controller, act.notice).await?,
                form: act.form,
                details: &act.details,
                decisions: &act.decisions,
                facts: act.facts,
                subject: act.facts.map(|_| subject(&secret)),
            })?;
        }
        Ok(acts)
    }

    /// Before evidence about a person is handed over: the leaf that will say so, and its blind. Nothing for a person
    /// who has no secret: he was erased, or is not known.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn plan_disclosure(&self, controller: ControllerId, tag: RecipientTag) -> Result<Option<Disclosure>> {
        let Some(secret) = self.secret_of(controller, tag).await? else { return Ok(None) };
        let event = EventId(crypto::random()?);
        Ok(Some(Disclosure { event, at: self.now(), blind: blind(&secret, event) }))
    }

    /// Evidence with this hash is handed over: the ledger says so before it is (GDPR Art. 5(2)).
    ///
    /// # Errors
    /// Those of the engine; [`Error::Erased`] when the person was erased meanwhile.
    pub async fn disclose(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        planned: &Disclosure,
        sha256: &[u8; 32],
    ) -> Result<()> {
        let secret = self.secret_of(controller, tag).await?.ok_or(Error::Erased)?;
        let bytes = self.system_entry(&SystemEvent {
            event: Some(planned.event.0),
            kind: EventType::EvidenceExported,
            controller,
            agreement: None,
            instruction: None,
            counts: &[],
            detail: sha256,
            commitment: None,
            secret: Some(&secret),
        })?;
        self.engine.append(vec![EntryRow { controller: controller.0, bytes }]).await
    }
}

fn blind(secret: &Secret, event: EventId) -> [u8; 32] {
    crate::journal::blind(secret, &event.0)
}
