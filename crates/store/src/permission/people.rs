//! What is recorded about one person, for his own page, for his controller, and as evidence.

use super::*;
use crate::facts::read_scope;
use model::basis::{BasisKind, Evidence};
use model::ids::EventId;
use model::person::{SuppressionReason, SuppressionScope};
use model::{BatchId, DocumentId, FormId, ListId, PurposeId, StepId, Timestamp};

/// Everything that is recorded of what a person decided.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// His bases, by purpose.
    pub bases: Vec<BasisView>,
    /// In which scopes he is not mailed.
    pub suppressions: Vec<SuppressionView>,
    /// How he wants to be mailed.
    pub preference: Preference,
}

impl Standing {
    /// Is there an objection or a complaint of his, against whatever it is?
    #[must_use]
    pub fn has_objection(&self) -> bool {
        let reasons = [SuppressionReason::Objection, SuppressionReason::Complaint];
        self.suppressions.iter().any(|entry| reasons.contains(&entry.reason))
    }

    /// Does his objection or complaint (or that he was erased) stand against this purpose? No tick lifts it
    /// (`architecture.md` §10). What stands against all marketing stands against every purpose.
    #[must_use]
    pub fn is_opposed(&self, purpose: PurposeId) -> bool {
        self.suppressions.iter().any(|entry| {
            let is_about = matches!(entry.scope, SuppressionScope::All | SuppressionScope::Marketing)
                || entry.scope == SuppressionScope::Purpose(purpose);
            let reasons = [SuppressionReason::Objection, SuppressionReason::Complaint, SuppressionReason::Erasure];
            is_about && reasons.contains(&entry.reason)
        })
    }
}

/// A basis.
#[derive(Clone, Debug)]
pub struct BasisView {
    /// The purpose.
    pub purpose: PurposeId,
    /// Its kind.
    pub kind: BasisKind,
    /// How well it is shown.
    pub evidence: Evidence,
    /// Given.
    pub given: Timestamp,
    /// Confirmed.
    pub confirmed: Option<Timestamp>,
    /// Withdrawn.
    pub withdrawn: Option<Timestamp>,
    /// Runs out.
    pub expires: Option<Timestamp>,
    /// The words that were shown.
    pub notice: Option<DocumentId>,
    /// The import it came with.
    pub batch: Option<BatchId>,
}

/// A suppression.
#[derive(Clone, Copy, Debug)]
pub struct SuppressionView {
    /// How far.
    pub scope: SuppressionScope,
    /// Why.
    pub reason: SuppressionReason,
    /// Since.
    pub since: Timestamp,
    /// Until (bounces only).
    pub until: Option<Timestamp>,
}

impl SuppressionView {
    /// Is it the person's own wish, against this purpose?
    pub(super) fn is_against(&self, purpose: PurposeId, is_marketing: bool) -> bool {
        use SuppressionReason::{Complaint, Erasure, Objection, OptOut};
        matches!(self.reason, OptOut | Complaint | Objection | Erasure)
            && match self.scope {
                SuppressionScope::All => true,
                SuppressionScope::Marketing => is_marketing,
                SuppressionScope::Purpose(only) => only == purpose,
                SuppressionScope::List(_) | SuppressionScope::Delivery => false,
            }
    }
}

/// How a person wants to be mailed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Preference {
    /// BCP 47 tag; empty when he chose none.
    pub language: String,
    /// `every`, `weekly`, `monthly`: at most one message of marketing in so long; empty when he chose none.
    pub frequency: String,
    /// `yes` or `no`; empty when he chose none, which is no.
    pub tracking: String,
    /// No marketing until then.
    pub paused: Option<Timestamp>,
}

/// A step of a consent, as it was kept.
#[derive(Clone, Debug)]
pub struct EventView {
    /// The step.
    pub id: StepId,
    /// For which purpose; 0 stands for all marketing.
    pub purpose: PurposeId,
    /// `requested`, `refused`, `given`, `withdrawn`.
    pub what: String,
    /// When.
    pub at: Timestamp,
    /// How, as `Method` words say.
    pub method: String,
    /// The words that were shown.
    pub notice: Option<DocumentId>,
    /// With which form.
    pub form: Option<FormId>,
    /// With which import.
    pub batch: Option<BatchId>,
    /// Its leaf in the ledger.
    pub event: EventId,
    /// What else is evidence: JSON. Nothing when it does not open any more.
    pub details: Option<String>,
    /// What it is; nothing for what was kept before that was, or when it does not open any more.
    pub facts: Option<ActFacts>,
    /// The words that the purpose had then.
    pub text: Option<String>,
}

impl Store {
    /// What a person decided.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn decided(&self, controller: ControllerId, tag: RecipientTag) -> Result<Standing> {
        let who = || vec![controller.0.into(), tag.0.into()];
        let bases = self.found(&sql::BASES_OF, who()).await?;
        let suppressions = self.found(&sql::SUPPRESSIONS_OF, who()).await?;
        Ok(Standing {
            bases: bases.into_iter().map(basis).collect::<Result<_>>()?,
            suppressions: suppressions.into_iter().map(suppression).collect::<Result<_>>()?,
            preference: self.preference(controller, tag).await?,
        })
    }

    async fn preference(&self, controller: ControllerId, tag: RecipientTag) -> Result<Preference> {
        let rows = self.found(&sql::PREFERENCE, vec![controller.0.into(), tag.0.into()]).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(Preference::default()) };
        Ok(Preference {
            language: row.text()?,
            frequency: row.text()?,
            tracking: row.text()?,
            paused: row.moment_if_any()?,
        })
    }

    /// The person says how he wants to be mailed. In force when it returns.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn set_preference(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        preference: &Preference,
    ) -> Result<()> {
        let at = self.now();
        let put = preferring(controller, tag, preference, at);
        let paused = preference.paused.map_or(0, Timestamp::micros).to_be_bytes();
        let words = [&preference.language, &preference.frequency, &preference.tracking].map(|word| word.as_bytes());
        let detail = crypto::sha256_of_fields(&[words[0], words[1], words[2], &paused]);
        let event = EventId(crypto::random()?);
        let writes = super::consents::rows(controller, tag, event, detail, vec![put]);
        self.act(EventType::PreferenceChanged, writes).await.map(drop)
    }

    /// The person himself takes back his opt-out from a list; never one that he made by complaint or objection.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn come_back(&self, controller: ControllerId, tag: RecipientTag, list: ListId) -> Result<bool> {
        let scope = SuppressionScope::List(list);
        let detail = crypto::sha256_of_fields(&[b"come back", crate::facts::write_scope(scope).as_bytes()]);
        let lift = super::consents::coming_back(controller, tag, scope, self.now());
        let event = EventId(crypto::random()?);
        let writes = super::consents::rows(controller, tag, event, detail, vec![lift]);
        self.act(EventType::PreferenceChanged, writes).await
    }

    /// The evidence of a person's consents, oldest first.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn consent_events(&self, controller: ControllerId, tag: RecipientTag) -> Result<Vec<EventView>> {
        let rows = self.found(&sql::CONSENT_EVENTS, vec![controller.0.into(), tag.0.into()]).await?;
        let secret = self.secret_of(controller, tag).await?;
        rows.into_iter().map(|row| event(row, secret.as_ref())).collect()
    }

    /// So many steps of a person's evidence after one, oldest first.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn consent_events_after(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        after: StepId,
        limit: usize,
    ) -> Result<Vec<EventView>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![controller.0.into(), tag.0.into(), after.0.into(), limit.into()];
        let rows = self.found(&sql::CONSENT_EVENTS_AFTER, values).await?;
        let secret = self.secret_of(controller, tag).await?;
        rows.into_iter().map(|row| event(row, secret.as_ref())).collect()
    }

    /// Has the person left this by a link since a moment, and does it stand as it did then? Whoever says it again has
    /// nothing more to say.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn has_just_left(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        from: Leaving,
        since: Timestamp,
    ) -> Result<bool> {
        let standing = self.decided(controller, tag).await?;
        let (scope, about) = match from {
            Leaving::Purpose(purpose) => (SuppressionScope::Purpose(purpose), purpose.0),
            Leaving::List(list) => (SuppressionScope::List(list), list.0),
            Leaving::Marketing => (SuppressionScope::Marketing, 0),
        };
        let rests = standing.bases.iter().any(|basis| {
            let is_about = from == Leaving::Marketing || from == Leaving::Purpose(basis.purpose);
            is_about && basis.withdrawn.is_none()
        });
        let stops = standing.suppressions.iter().any(|entry| {
            entry.scope == scope
                && !matches!(entry.reason, SuppressionReason::Controller | SuppressionReason::HardBounce)
        });
        if rests || !stops {
            return Ok(false);
        }
        let values = vec![controller.0.into(), tag.0.into(), about.into(), since.into()];
        Ok(!self.found(&sql::LEFT_SINCE, values).await?.is_empty())
    }

    /// A person of this controller, by his address: nothing is made for one who is not known.
    ///
    /// # Errors
    /// Those of the vault.
    pub fn tag_of(&self, controller: ControllerId, address: &Address) -> Result<RecipientTag> {
        self.vault.tag(controller, address)
    }
}

/// How a person wants to be mailed, in the place of what he said before.
pub(super) fn preferring(controller: ControllerId, tag: RecipientTag, preference: &Preference, at: Timestamp) -> Step {
    let values = vec![
        controller.0.into(),
        tag.0.into(),
        preference.language.as_str().into(),
        preference.frequency.as_str().into(),
        preference.tracking.as_str().into(),
        preference.paused.into(),
        at.into(),
    ];
    Step::new(&sql::PREFERENCE_PUT, values)
}

fn basis(mut row: Columns) -> Result<BasisView> {
    let unread = |column| Error::Row { column };
    let purpose = PurposeId(row.number()?);
    let kind = BasisKind::from_word(&row.text()?).ok_or_else(|| unread("basis.kind"))?;
    let (given, confirmed) = (row.moment()?, row.moment_if_any()?);
    let (withdrawn, expires) = (row.moment_if_any()?, row.moment_if_any()?);
    let evidence = Evidence::from_word(&row.text()?).ok_or_else(|| unread("basis.evidence"))?;
    let (notice, batch) = (row.number_if_any()?.map(DocumentId), row.number_if_any()?.map(BatchId));
    Ok(BasisView { purpose, kind, evidence, given, confirmed, withdrawn, expires, notice, batch })
}

fn suppression(mut row: Columns) -> Result<SuppressionView> {
    let unread = |column| Error::Row { column };
    Ok(SuppressionView {
        scope: read_scope(&row.text()?).ok_or_else(|| unread("suppression.scope"))?,
        reason: SuppressionReason::from_word(&row.text()?).ok_or_else(|| unread("suppression.reason"))?,
        since: row.moment()?,
        until: row.moment_if_any()?,
    })
}

fn event(mut row: Columns, secret: Option<&Secret>) -> Result<EventView> {
    let id = row.number()?;
    let purpose = PurposeId(row.number()?);
    let (what, at, method) = (row.text()?, row.moment()?, row.text()?);
    let notice = row.number_if_any()?.map(DocumentId);
    let (form, batch) = (row.number_if_any()?.map(FormId), row.number_if_any()?.map(BatchId));
    let event = EventId(row.array()?);
    let sealed = row.octets()?;
    // What was damaged is not shown, and what is whole beside it is.
    let opened = secret.and_then(|secret| super::evidence::unsealed(secret, id, &sealed));
    let (details, facts, text) = match opened {
        Some(opened) => (Some(opened.details), opened.facts, opened.text),
        None => (None, None, None),
    };
    Ok(EventView { id: StepId(id), purpose, what, at, method, notice, form, batch, event, details, facts, text })
}
