//! What a controller tells of a basis (GDPR Art. 6, 7): his word, beside what the person himself did here.
//!
//! Invariants: it never stands in the place of what the person did himself on a page of ours, as long as that is whole
//! and has not run out; the time of an act is that of its first telling, so telling it again makes nothing fresh; what
//! has run out is followed by another act with evidence alone (GDPR Art. 7(1)). What the person withdrew, or his wish
//! against it, stays.

use super::consents::basis_values;
use super::evidence::{ActFacts, Kept, Recorder};
use super::*;
use crate::accounts::{NewBasis, Verified};
use crate::engine::BasisRow;
use crate::facts::write_scope;
use model::PurposeId;
use model::basis::Evidence;
use model::ids::EventId;
use model::person::SuppressionScope;

/// What became of what a controller told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recording {
    /// It is recorded.
    Recorded,
    /// Nothing was changed: the person's own act stands, or this very act was told before. How well it is shown.
    AlreadyThere(Evidence),
    /// What stands has run out, and this is no later act with evidence.
    RanOut,
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
    ) -> Result<Recording> {
        let Some(Known { tag, secret }) = self.known(controller, address).await? else { return Err(Error::Erased) };
        let now = self.now();
        let is_confirmed = basis.confirmed == Verified::Yes;
        let facts = ActFacts { basis: Some(basis.kind), confirmed: is_confirmed, by: Recorder::Controller };
        let is_marketing = self.purpose(controller, purpose).is_none_or(|known| known.kind.is_marketing());
        if let Some(stands) = self.stands(controller, tag, purpose, is_marketing).await? {
            let has_run_out = stands.expires.is_some_and(|end| end <= now);
            let is_known = self.is_told(controller, tag, &stands, act, facts).await?;
            if has_run_out && (is_known || basis.evidence == Evidence::Unverified) {
                return Ok(Recording::RanOut);
            }
            if is_known {
                return Ok(Recording::AlreadyThere(stands.evidence));
            }
        }
        let row = BasisRow {
            controller: controller.0,
            tag: tag.0,
            purpose: purpose.0,
            kind: basis.kind.as_str().into(),
            evidence: basis.evidence.as_str().into(),
            notice: act.notice.map(|id| id.0),
            batch: None,
            given: now,
            confirmed: is_confirmed.then_some(now),
            withdrawn: None,
            expires: basis.expires,
        };
        let event = EventId(crypto::random()?);
        let kept = Kept { controller, tag, secret: Some(&secret), event, at: now, act, facts };
        let mut writes = put_basis(&row, is_marketing);
        writes.event = Some(event.0);
        let evidence = self.evidence(&kept, &[(purpose, "given")]).await?;
        writes.detail = evidence.sha256;
        writes.steps.extend(evidence.steps);
        if self.act(EventType::BasisRecorded, writes).await? {
            return Ok(Recording::Recorded);
        }
        // Nothing was written: by his wish, or by what he did himself.
        let stands = self.stands(controller, tag, purpose, is_marketing).await?.ok_or(Error::Withdrawn)?;
        Ok(Recording::AlreadyThere(stands.evidence))
    }

    /// The basis of a person for a purpose that is not withdrawn.
    ///
    /// # Errors
    /// [`Error::Withdrawn`] when his own wish stands against it.
    async fn stands(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        purpose: PurposeId,
        is_marketing: bool,
    ) -> Result<Option<BasisView>> {
        let standing = self.decided(controller, tag).await?;
        if standing.suppressions.iter().any(|one| one.is_against(purpose, is_marketing)) {
            return Err(Error::Withdrawn);
        }
        Ok(standing.bases.into_iter().find(|one| one.purpose == purpose && one.withdrawn.is_none()))
    }

    /// Is what stands this very act, told before: of the same kind, in the same way, with the same words and details?
    async fn is_told(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        stands: &BasisView,
        act: &Act<'_>,
        facts: ActFacts,
    ) -> Result<bool> {
        let events = self.consent_events(controller, tag).await?;
        Ok(events.iter().any(|event| {
            event.purpose == stands.purpose
                && event.what == "given"
                && event.at == stands.given
                && event.facts == Some(facts)
                && event.method == act.method.as_str()
                && event.notice == act.notice
                && event.details.as_deref() == Some(act.details)
        }))
    }
}

/// A basis in the place of the one before, unless the person withdrew that, his wish stands against it, or it is his
/// own act.
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
