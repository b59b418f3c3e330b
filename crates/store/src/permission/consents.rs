//! Consent: asked for, given, confirmed, withdrawn; each step kept as evidence (GDPR Art. 7(1), law.md R5).
//!
//! Invariants: only the person's own confirmation replaces what he withdrew, and lifts his opt-out from that purpose
//! alone, if it is not later than it; what he said in a complaint, in an objection or for all marketing stays
//! (`architecture.md` §10). Every withdrawal ends the bases and is kept, however often it is said. The time of a step
//! is the server's.

use super::evidence::{ActFacts, Kept, Recorder};
use super::*;
use crate::accounts::{NewBasis, Verified};
use crate::engine::{BasisRow, PersonQuery};
use crate::facts::write_scope;
use crate::policy::{number_list, numbers};
use model::basis::{BasisKind, Evidence};
use model::ids::EventId;
use model::person::{SuppressionReason, SuppressionScope};
use model::{ConfirmationId, DocumentId, FormId, ListId, PurposeId, Timestamp};
use std::time::Duration;

/// How something was done, as evidence.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// How.
    pub method: Method,
    /// The words that were shown.
    pub notice: Option<DocumentId>,
    /// The form it was done with.
    pub form: Option<FormId>,
    /// What else is evidence: JSON, kept under the person's secret.
    pub details: &'a str,
}

impl Act<'_> {
    /// Done in this way, with nothing more to say.
    #[must_use]
    pub const fn by(method: Method) -> Act<'static> {
        Act { method, notice: None, form: None, details: "" }
    }
}

/// What a person said to a purpose he was asked about by itself (GDPR Art. 7(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Yes.
    Given(PurposeId),
    /// No.
    Refused(PurposeId),
}

/// What a person is asked to confirm.
#[derive(Clone, Copy, Debug)]
pub struct Confirming<'a> {
    /// What he said.
    pub decisions: &'a [Decision],
    /// How long the request may be answered.
    pub valid_for: Duration,
    /// No request went to him for at least so long.
    pub rest: Duration,
}

/// What became of a confirmation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Renewed {
    /// In force now, for these purposes.
    Done(Vec<PurposeId>),
    /// It had been confirmed before.
    Before(Vec<PurposeId>),
    /// It ran out, or is not known.
    Ended,
}

/// From what a person goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// One purpose.
    Purpose(PurposeId),
    /// One list below a purpose; the purpose stays.
    List(ListId),
    /// All marketing.
    Marketing,
}

/// A confirmation request, as evidence names it.
#[derive(Clone, Debug)]
pub struct Evidenced {
    /// The form.
    pub form: FormId,
    /// What would be confirmed.
    pub purposes: Vec<PurposeId>,
    /// The words that were shown.
    pub notice: DocumentId,
    /// Asked when.
    pub asked: Timestamp,
    /// Was it confirmed, and is it still in time?
    pub state: Renewed,
}

impl Store {
    /// Records why a person may be mailed for a purpose (GDPR Art. 6, 7), on the controller's word.
    ///
    /// # Errors
    /// [`Error::Withdrawn`] when the person withdrew it earlier, or his own wish (an opt-out, a complaint, an
    /// objection) stands against it: only he takes that back; [`Error::Erased`] when he was erased.
    pub async fn record_basis(
        &self,
        controller: ControllerId,
        purpose: PurposeId,
        address: &Address,
        basis: NewBasis,
        act: &Act<'_>,
    ) -> Result<()> {
        let Some(Known { tag, secret }) = self.known(controller, address).await? else { return Err(Error::Erased) };
        let now = self.now();
        let row = BasisRow {
            controller: controller.0,
            tag: tag.0,
            purpose: purpose.0,
            kind: basis.kind.as_str().into(),
            evidence: basis.evidence.as_str().into(),
            notice: act.notice.map(|id| id.0),
            batch: None,
            given: now,
            confirmed: (basis.confirmed == Verified::Yes).then_some(now),
            withdrawn: None,
            expires: basis.expires,
        };
        let event = EventId(crypto::random()?);
        let is_confirmed = basis.confirmed == Verified::Yes;
        let facts = ActFacts { basis: Some(basis.kind), confirmed: is_confirmed, by: Recorder::Controller };
        let kept = Kept { controller, tag, secret: Some(&secret), event, at: now, act, facts };
        let is_marketing = self.purpose(controller, purpose).is_none_or(|known| known.kind.is_marketing());
        let mut writes = put_basis(&row, is_marketing);
        writes.event = Some(event.0);
        let evidence = self.evidence(&kept, &[(purpose, "given")]).await?;
        writes.detail = evidence.sha256;
        writes.steps.extend(evidence.steps);
        if self.act(EventType::BasisRecorded, writes).await? { Ok(()) } else { Err(Error::Withdrawn) }
    }

    /// The person withdraws (GDPR Art. 7(3)), as the controller tells: as if he had done it on his own page. When this
    /// returns, no marketing for that purpose passes the gate, whatever was recorded. True when a basis stood.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn withdraw_basis(
        &self,
        controller: ControllerId,
        purpose: PurposeId,
        address: &Address,
        act: &Act<'_>,
    ) -> Result<bool> {
        let tag = self.vault.tag(controller, address)?;
        let query = PersonQuery { controller: controller.0, purpose: purpose.0, tag: tag.0 };
        let person = self.engine.persons(vec![query]).await?.pop();
        let stood = person.and_then(|person| person.basis).is_some_and(|basis| basis.withdrawn.is_none());
        self.leave(controller, tag, Leaving::Purpose(purpose), act).await?;
        Ok(stood)
    }

    /// Keeps that a person was asked to confirm, unless that was done lately. Nothing when it was, or when he was
    /// erased: then nothing may be sent to him.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn ask_confirmation(
        &self,
        controller: ControllerId,
        address: &Address,
        asked: &Confirming<'_>,
        act: &Act<'_>,
    ) -> Result<Option<(ConfirmationId, RecipientTag)>> {
        let Some(Known { tag, secret }) = self.known(controller, address).await? else { return Ok(None) };
        let (Some(form), Some(notice)) = (act.form, act.notice) else { return Err(Error::NotFound { what: "form" }) };
        let (id, at) = (ConfirmationId(self.next_id()), self.now());
        let since = Timestamp::from_micros(at.micros().saturating_sub(micros(asked.rest)));
        let given: Vec<PurposeId> = asked
            .decisions
            .iter()
            .filter_map(|one| match one {
                Decision::Given(purpose) => Some(*purpose),
                Decision::Refused(_) => None,
            })
            .collect();
        let event = EventId(crypto::random()?);
        let kept = Kept { controller, tag, secret: Some(&secret), event, at, act, facts: ActFacts::consent(false) };
        let mut steps = vec![Step::new(
            &sql::CONFIRMATION_INSERT,
            vec![
                id.0.into(),
                controller.0.into(),
                tag.0.into(),
                form.0.into(),
                number_list(given.iter().map(|purpose| purpose.0)).into(),
                notice.0.into(),
                at.into(),
                at.plus(asked.valid_for).into(),
                since.into(),
            ],
        )];
        let said = asked.decisions.iter().map(|decision| match decision {
            Decision::Given(purpose) => (*purpose, "requested"),
            Decision::Refused(purpose) => (*purpose, "refused"),
        });
        let evidence = self.evidence(&kept, &said.collect::<Vec<_>>()).await?;
        steps.extend(evidence.steps);
        let writes = rows(controller, tag, event, evidence.sha256, steps);
        Ok(self.act(EventType::ConsentRequested, writes).await?.then_some((id, tag)))
    }

    /// A request to confirm, as the page behind its link shows it.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn confirmation(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        id: ConfirmationId,
    ) -> Result<Option<Evidenced>> {
        let rows = self.found(&sql::CONFIRMATION, vec![controller.0.into(), id.0.into()]).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        if row.array::<16>()? != tag.0 {
            return Ok(None);
        }
        let form = FormId(row.number()?);
        let purposes: Vec<_> = numbers(&row.text()?, "confirmation.purposes")?.into_iter().map(PurposeId).collect();
        let (notice, asked) = (DocumentId(row.number()?), row.moment()?);
        let (ends, done) = (row.moment()?, row.moment_if_any()?);
        let state = match done {
            Some(_) => Renewed::Before(purposes.clone()),
            None if ends <= self.now() => Renewed::Ended,
            None => Renewed::Done(purposes.clone()),
        };
        Ok(Some(Evidenced { form, purposes, notice, asked, state }))
    }

    /// The person himself confirms: his consent is in force, and his earlier opt-out from these purposes is lifted.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn confirm(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        id: ConfirmationId,
        details: &str,
    ) -> Result<Renewed> {
        let Some(asked) = self.confirmation(controller, tag, id).await? else { return Ok(Renewed::Ended) };
        let Renewed::Done(purposes) = asked.state else { return Ok(asked.state) };
        let at = self.now();
        let act = Act { method: Method::DoubleOptIn, notice: Some(asked.notice), form: Some(asked.form), details };
        let done = vec![controller.0.into(), id.0.into(), tag.0.into(), at.into()];
        let first = Step::new(&sql::CONFIRMATION_DONE, done);
        let given = self.give(controller, tag, &purposes, &act, vec![first]).await?;
        // Another press of the same button was first.
        Ok(if given { Renewed::Done(purposes) } else { Renewed::Before(purposes) })
    }

    /// The person confirms: in force when it returns.
    async fn give(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        purposes: &[PurposeId],
        act: &Act<'_>,
        mut steps: Vec<Step>,
    ) -> Result<bool> {
        let secret = self.secret_of(controller, tag).await?;
        let (at, event) = (self.now(), EventId(crypto::random()?));
        let facts = ActFacts::consent(true);
        let kept = Kept { controller, tag, secret: secret.as_ref(), event, at, act, facts };
        let said: Vec<_> = purposes.iter().map(|purpose| (*purpose, "given")).collect();
        let evidence = self.evidence(&kept, &said).await?;
        steps.extend(evidence.steps);
        for purpose in purposes {
            steps.extend(giving(&kept, *purpose));
        }
        let writes = rows(controller, tag, event, evidence.sha256, steps);
        self.act(EventType::BasisRecorded, writes).await
    }

    /// The person goes: nothing that this stops leaves after it returns (GDPR Art. 7(3), 21(3)). Doing it again is as
    /// good as doing it once.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn leave(&self, controller: ControllerId, tag: RecipientTag, from: Leaving, act: &Act<'_>) -> Result<()> {
        let secret = self.secret_of(controller, tag).await?;
        let (at, event) = (self.now(), EventId(crypto::random()?));
        let by = if act.method == Method::Api { Recorder::Controller } else { Recorder::Page };
        let facts = ActFacts::withdrawal(by);
        let kept = Kept { controller, tag, secret: secret.as_ref(), event, at, act, facts };
        let (scope, purpose) = match from {
            Leaving::Purpose(purpose) => (SuppressionScope::Purpose(purpose), purpose),
            Leaving::List(list) => (SuppressionScope::List(list), PurposeId(list.0)),
            Leaving::Marketing => (SuppressionScope::Marketing, PurposeId(0)),
        };
        // Evidence first: whatever stood before, the word is kept and the bases end (GDPR Art. 5(2), 7(3)).
        let evidence = self.evidence(&kept, &[(purpose, "withdrawn")]).await?;
        let mut steps = evidence.steps;
        match from {
            Leaving::Purpose(purpose) => steps.extend(leaving(&kept, purpose)),
            Leaving::Marketing => {
                let values = vec![controller.0.into(), tag.0.into(), at.into()];
                steps.push(Step::new(&sql::BASIS_LEAVE_ALL, values));
                steps.push(opting_out(&kept, scope));
            }
            Leaving::List(_) => steps.push(opting_out(&kept, scope)),
        }
        let writes = rows(controller, tag, event, evidence.sha256, steps);
        self.act(EventType::BasisWithdrawn, writes).await.map(drop)
    }
}

/// The person's own consent comes into force, and his earlier opt-out from that purpose is lifted.
pub(super) fn giving(kept: &Kept<'_>, purpose: PurposeId) -> [Step; 2] {
    let evidence = if kept.act.notice.is_some() { Evidence::Complete } else { Evidence::Unverified };
    let row = BasisRow {
        controller: kept.controller.0,
        tag: kept.tag.0,
        purpose: purpose.0,
        kind: BasisKind::Consent.as_str().into(),
        evidence: evidence.as_str().into(),
        notice: kept.act.notice.map(|id| id.0),
        batch: None,
        given: kept.at,
        confirmed: Some(kept.at),
        withdrawn: None,
        expires: None,
    };
    let scope = SuppressionScope::Purpose(purpose);
    let mut values = basis_values(&row);
    values.push(write_scope(scope).into());
    [Step::new(&sql::BASIS_RENEW, values), coming_back(kept.controller, kept.tag, scope, kept.at)]
}

/// A purpose ends for a person: what it rested on, and by his wish.
pub(super) fn leaving(kept: &Kept<'_>, purpose: PurposeId) -> [Step; 2] {
    let values = vec![kept.controller.0.into(), kept.tag.0.into(), purpose.0.into(), kept.at.into()];
    [Step::new(&sql::BASIS_LEAVE, values), opting_out(kept, SuppressionScope::Purpose(purpose))]
}

fn opting_out(kept: &Kept<'_>, scope: SuppressionScope) -> Step {
    Step::new(
        &sql::OPT_OUT,
        vec![
            kept.controller.0.into(),
            kept.tag.0.into(),
            write_scope(scope).into(),
            SuppressionReason::OptOut.as_str().into(),
            kept.at.into(),
            Value::Null,
            Value::Null,
        ],
    )
}

/// An opt-out in one scope is taken back by what the person said then.
pub(super) fn coming_back(controller: ControllerId, tag: RecipientTag, scope: SuppressionScope, at: Timestamp) -> Step {
    let values = vec![controller.0.into(), tag.0.into(), write_scope(scope).into(), at.into()];
    Step::new(&sql::OPT_OUT_LIFT, values)
}

pub(super) fn rows(
    controller: ControllerId,
    tag: RecipientTag,
    event: EventId,
    detail: [u8; 32],
    steps: Vec<Step>,
) -> Writes {
    Writes {
        controller: controller.0,
        person: Some(tag.0),
        reach: Reach::Rows,
        what: "consent",
        event: Some(event.0),
        detail,
        steps,
    }
}

/// A basis in the place of the one before, unless the person withdrew that, or his wish stands against it.
pub(crate) fn put_basis(row: &BasisRow, is_marketing: bool) -> Writes {
    let mut values = basis_values(row);
    values.push(write_scope(SuppressionScope::Purpose(PurposeId(row.purpose))).into());
    let all = if is_marketing { write_scope(SuppressionScope::Marketing) } else { String::new() };
    values.push(all.into());
    let kind = row.kind.as_bytes();
    let given = row.given.micros().to_be_bytes();
    Writes {
        controller: row.controller,
        person: Some(row.tag),
        reach: Reach::Rows,
        what: "basis",
        event: None,
        detail: crypto::sha256_of_fields(&[&row.purpose.to_be_bytes(), kind, &given, row.evidence.as_bytes()]),
        steps: vec![Step::new(&sql::BASIS_PUT, values)],
    }
}

/// Withdraws a basis alone; the first withdrawal's time stays.
#[cfg(test)]
pub(crate) fn leave_basis(controller: i64, tag: [u8; 16], purpose: i64, at: Timestamp) -> Writes {
    let values = vec![controller.into(), tag.into(), purpose.into(), at.into()];
    Writes {
        controller,
        person: Some(tag),
        reach: Reach::Rows,
        what: "withdrawal",
        event: None,
        detail: crypto::sha256_of_fields(&[&purpose.to_be_bytes(), &at.micros().to_be_bytes()]),
        steps: vec![Step::new(&sql::BASIS_LEAVE, values)],
    }
}

fn basis_values(row: &BasisRow) -> Vec<Value> {
    vec![
        row.controller.into(),
        row.tag.into(),
        row.purpose.into(),
        row.kind.as_str().into(),
        row.given.into(),
        row.confirmed.into(),
        row.withdrawn.into(),
        row.expires.into(),
        row.evidence.as_str().into(),
        row.notice.into(),
        row.batch.into(),
    ]
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
