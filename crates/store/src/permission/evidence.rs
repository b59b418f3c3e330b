//! Evidence of consent as the ledger commits to it, and what opens that commitment (GDPR Art. 7(1), law.md R5).
//!
//! Each act has one statement: JSON in canonical form (RFC 8785) that says everything about it. Its leaf commits to
//! HMAC-SHA-256(blind, SHA-256(statement)); the blind comes of the person's ledger key for this one leaf, so it opens
//! no other, and none opens once the key is gone. The statement is not kept: the rows give it again, octet for octet,
//! and rows that were changed give another one, which the leaf does not commit to.
//! Never: an address in a statement.

use super::*;
use crate::engine::EntryRow;
use crate::journal::SystemEvent;
use model::ids::{EventId, hex};
use model::{DocumentId, FormId, PurposeId, Timestamp};
use serde::Serialize;
use std::collections::HashMap;

/// Version of a statement's form.
const VERSION: u8 = 1;
/// What stands for all marketing where a purpose is named.
const ALL: &str = "all";

/// An act to be kept.
pub(super) struct Kept<'a> {
    pub(super) controller: ControllerId,
    pub(super) tag: RecipientTag,
    pub(super) secret: Option<&'a Secret>,
    pub(super) event: EventId,
    pub(super) at: Timestamp,
    pub(super) act: &'a Act<'a>,
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
    /// Each purpose, and `requested`, `refused`, `given` or `withdrawn`. Purpose 0 is all marketing.
    pub decisions: Vec<(PurposeId, String)>,
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
    v: u8,
}

#[derive(Serialize)]
struct Decided<'a> {
    decision: &'a str,
    purpose: String,
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
    decisions: &'a [(PurposeId, &'a str)],
}

/// What evidence is sealed for: bytes moved to another row do not open.
pub(super) fn context(id: i64) -> Vec<u8> {
    [b"consent event".as_slice(), &id.to_be_bytes()].concat()
}

impl Store {
    /// Rows and hash of an act: one row for each purpose.
    pub(super) async fn evidence(&self, kept: &Kept<'_>, decisions: &[(PurposeId, &str)]) -> Result<Evidence> {
        let act = kept.act;
        let statement = self.statement(&Said {
            controller: kept.controller,
            event: kept.event,
            at: kept.at,
            method: act.method.as_str(),
            notice: self.hash_of(kept.controller, act.notice).await?,
            form: act.form,
            details: act.details,
            decisions,
        })?;
        let steps = decisions.iter().map(|(purpose, what)| {
            let id = self.next_id();
            let sealed = match kept.secret {
                Some(secret) => crypto::seal(&secret.wrap, &context(id), act.details.as_bytes())?,
                None => Vec::new(),
            };
            let values = vec![
                id.into(),
                kept.controller.0.into(),
                kept.tag.0.into(),
                purpose.0.into(),
                (*what).into(),
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

    async fn hash_of(&self, controller: ControllerId, document: Option<DocumentId>) -> Result<Option<[u8; 32]>> {
        let Some(id) = document else { return Ok(None) };
        let rows = self.found(&sql::DOCUMENT_HASH, vec![controller.0.into(), id.0.into()]).await?;
        rows.into_iter().next().map(|mut row| row.array()).transpose()
    }

    fn statement(&self, said: &Said<'_>) -> Result<Vec<u8>> {
        let named = |purpose: PurposeId| if purpose.0 == 0 { ALL.to_owned() } else { self.public_id(purpose) };
        let decisions: Vec<Decided<'_>> =
            said.decisions.iter().map(|(purpose, decision)| Decided { decision, purpose: named(*purpose) }).collect();
        let statement = Statement {
            at: said.at.micros(),
            controller: &self.public_id(said.controller),
            decisions: &decisions,
            details: said.details,
            event: &said.event.to_hex(),
            form: said.form.map(|id| self.public_id(id)),
            method: said.method,
            notice: said.notice.map(|sha256| hex(&sha256)),
            v: VERSION,
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
                    opening: Opening { statement: Vec::new(), blind: blind(&secret, row.event) },
                });
            }
            if let Some(act) = acts.get_mut(place) {
                act.decisions.push((row.purpose, row.what));
            }
        }
        for act in &mut acts {
            let decisions: Vec<_> = act.decisions.iter().map(|(purpose, what)| (*purpose, what.as_str())).collect();
            act.opening.statement = self.statement(&Said {
                controller,
                event: act.event,
                at: act.at,
                method: &act.method,
                notice: self.hash_of(controller, act.notice).await?,
                form: act.form,
                details: &act.details,
                decisions: &decisions,
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
