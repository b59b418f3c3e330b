//! Consent: given and withdrawn; each step kept as evidence (GDPR Art. 7(1), law.md R5). How it is asked for and
//! confirmed is in `confirming`.
//!
//! Invariants: only the person's own confirmation replaces what he withdrew, and lifts his opt-out from that purpose
//! alone, if it is not later than it; what he said in a complaint, in an objection or for all marketing stays
//! (`architecture.md` §10). Every withdrawal ends the bases and is kept, however often it is said. The time of a step
//! is the server's.

use super::evidence::{ActFacts, Kept, Recorder};
use super::*;
use crate::engine::{BasisRow, PersonQuery};
use crate::facts::write_scope;
use model::basis::{BasisKind, Evidence};
use model::ids::EventId;
use model::person::{SuppressionReason, SuppressionScope};
use model::{DocumentId, FormId, ListId, PurposeId, Timestamp};

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

impl Store {
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

    /// The person goes: nothing that this stops leaves after it returns (GDPR Art. 7(3), 21(3)). Doing it again is as
    /// good as doing it once.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn leave(&self, controller: ControllerId, tag: RecipientTag, from: Leaving, act: &Act<'_>) -> Result<()> {
        let secret = self.secret_to_use(controller, tag).await?;
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

pub(super) fn basis_values(row: &BasisRow) -> Vec<Value> {
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
