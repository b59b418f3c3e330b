//! What evidence says of a moment: on which record an acceptance rested, and on what a rule fired later.
//!
//! Evidence is never changed, so what held at a moment is found by its time. Suppressions and restrictions are told as
//! they stand; one that was taken back since is not there any more.

use super::{About, Basis, Fact, Shown};
use crate::engine::PersonQuery;
use crate::error::{Error, Result};
use crate::open::Store;
use crate::permission::EventView;
use crate::spool::Grounds;
use crate::statement as sql;
use gate::Rule;
use model::{ControllerId, DocumentId, PurposeId, Timestamp};

impl Store {
    /// The basis of an acceptance.
    pub(super) async fn basis_of(
        &self,
        about: &About,
        grounds: &Grounds,
        accepted: Timestamp,
    ) -> Result<Option<Basis>> {
        let policy = self.policy.current();
        let sent_for = policy.sent_for(about.controller, about.purpose);
        let root = sent_for.as_ref().map_or(about.purpose, |sent_for| sent_for.purpose.id);
        let Some(own) = grounds.basis else {
            let basis = |sent_for: crate::policy::SentFor| Basis {
                kinds: sent_for.purpose.bases.clone(),
                reference: Some(sent_for.purpose.reference.clone()),
                ..Basis::default()
            };
            return Ok(sent_for.map(basis));
        };
        let events = self.consent_events(about.controller, about.tag).await?;
        // The step is written together with the record, a moment later; a later consent has a record of its own.
        let is_it = |event: &EventView| {
            event.purpose == root && event.what == "given" && event.at >= own.given && event.at <= accepted
        };
        let event = events.into_iter().find(is_it);
        let shown = match event.as_ref().and_then(|event| event.notice) {
            Some(notice) => self.shown(about.controller, notice).await?,
            None => None,
        };
        let import = match event {
            None => self.import_of(about, root, own.given).await?,
            Some(_) => None,
        };
        Ok(Some(Basis {
            kinds: vec![own.kind],
            reference: None,
            given: Some(own.given),
            confirmed: own.confirmed,
            expires: own.expires,
            evidence: Some(own.evidence),
            event,
            shown,
            import,
        }))
    }

    async fn import_of(
        &self,
        about: &About,
        root: PurposeId,
        given: Timestamp,
    ) -> Result<Option<(model::BatchId, String)>> {
        let bases = self.decided(about.controller, about.tag).await?.bases;
        // What was recorded since in its place is not what the message rested on.
        if !bases.iter().any(|basis| basis.purpose == root && basis.given == given && basis.batch.is_some()) {
            return Ok(None);
        }
        let imported = self.imported_evidence(about.controller, about.tag).await?;
        let of_it = imported.into_iter().find(|one| one.purpose == root);
        Ok(of_it.map(|one| (one.batch, one.about)))
    }

    /// A notice by its name and hash.
    pub(super) async fn shown(&self, controller: ControllerId, notice: DocumentId) -> Result<Option<Shown>> {
        let document = self.document(controller, notice).await?;
        Ok(document.map(|document| Shown {
            name: document.name,
            version: document.version,
            language: document.language,
            sha256: document.sha256,
        }))
    }

    /// What a rule fired on at a moment after the acceptance.
    pub(super) async fn facts_then(&self, about: &About, rule: Rule, at: Timestamp) -> Result<Vec<Fact>> {
        let (controller, tag) = (about.controller, about.tag);
        match rule {
            Rule::Suppressed | Rule::Objected => self.suppressed_then(about, at).await,
            Rule::RecipientErased | Rule::RecipientRestricted | Rule::CaseOpen => {
                let rows = self.found(&sql::RESTRICTED_SINCE, vec![controller.0.into(), tag.0.into()]).await?;
                let read = |mut row: crate::value::Columns| {
                    let (kind, since) = (row.text()?, row.moment()?);
                    Ok(Fact { kind: Some(kind), at: Some(since), ..Fact::of("restriction") })
                };
                rows.into_iter().map(read).collect()
            }
            Rule::Paused => {
                let until = self.decided(controller, tag).await?.preference.paused;
                Ok(vec![Fact { until, ..Fact::of("pause") }])
            }
            Rule::InformationOverdue => {
                let policy = self.policy.current();
                let root = policy.sent_for(controller, about.purpose).map_or(about.purpose, |found| found.purpose.id);
                let query = PersonQuery { controller: controller.0, purpose: root.0, tag: tag.0 };
                let person = self.engine.persons(vec![query]).await?.pop();
                let until = person.and_then(|person| person.inform);
                Ok(vec![Fact { until, ..Fact::of("information") }])
            }
            Rule::NoBasis => Ok(vec![Fact::of("no-basis")]),
            Rule::ConsentMissing
            | Rule::ConsentUnconfirmed
            | Rule::ConsentWithdrawn
            | Rule::ConsentExpired
            | Rule::ConsentTextUnknown
            | Rule::SoftOptInIncomplete => self.consent_then(about, at).await,
            Rule::AgreementNotInForce => {
                let policy = self.policy.current();
                let known = policy.controller(controller).and_then(|known| known.agreement.as_ref());
                let fact = known.map(|agreement| Fact {
                    kind: Some(agreement.state.as_str().to_owned()),
                    until: agreement.until,
                    ..Fact::of("agreement")
                });
                Ok(fact.into_iter().collect())
            }
            Rule::InstructionMissing
            | Rule::InstructionInfringing
            | Rule::OperationNotInstructed
            | Rule::TermsNotKept => {
                let policy = self.policy.current();
                let known = policy.controller(controller).and_then(|known| known.instruction.as_ref());
                let fact = known.map(|instruction| Fact {
                    kind: Some(instruction.state.as_str().to_owned()),
                    at: Some(instruction.from),
                    ..Fact::of("instruction")
                });
                Ok(fact.into_iter().collect())
            }
            Rule::FactsUnavailable
            | Rule::CredentialScope
            | Rule::FromNotVerified
            | Rule::OptOutMissing
            | Rule::FrequencyCap
            | Rule::Purged
            | Rule::HeldByOperator
            | Rule::HeldByController
            | Rule::QuietHours
            | Rule::TlsFloor
            | Rule::Quota => Ok(Vec::new()),
        }
    }

    async fn suppressed_then(&self, about: &About, at: Timestamp) -> Result<Vec<Fact>> {
        let known = self.decided(about.controller, about.tag).await?.suppressions;
        let then = known.into_iter().filter(|entry| entry.since <= at);
        let fact = then.map(|entry| Fact {
            kind: Some(entry.reason.as_str().to_owned()),
            scope: Some(self.scope_name(about.controller, entry.scope)),
            at: Some(entry.since),
            until: entry.until,
            ..Fact::of("suppression")
        });
        Ok(fact.collect())
    }

    /// The last step of his consent before that moment.
    async fn consent_then(&self, about: &About, at: Timestamp) -> Result<Vec<Fact>> {
        let policy = self.policy.current();
        let root = policy.sent_for(about.controller, about.purpose).map_or(about.purpose, |found| found.purpose.id);
        let events = self.consent_events(about.controller, about.tag).await?;
        // Purpose 0 is all marketing.
        let before = |event: &EventView| event.at <= at && (event.purpose == root || event.purpose.0 == 0);
        let Some(event) = events.into_iter().rfind(before) else {
            let bases = self.decided(about.controller, about.tag).await?.bases;
            let basis = bases.into_iter().find(|basis| basis.purpose == root);
            let fact = basis.map(|basis| Fact {
                kind: Some(basis.kind.as_str().to_owned()),
                evidence: Some(basis.evidence.as_str().to_owned()),
                at: Some(basis.given),
                confirmed: basis.confirmed,
                withdrawn: basis.withdrawn.filter(|withdrawn| *withdrawn <= at),
                until: basis.expires,
                ..Fact::of("basis")
            });
            return Ok(fact.into_iter().collect());
        };
        let what = match event.what.as_str() {
            "withdrawn" => "withdrawal",
            "given" => "basis",
            "requested" => "request",
            "refused" => "no",
            _ => return Err(Error::Row { column: "consent_event.what" }),
        };
        Ok(vec![Fact { at: Some(event.at), method: Some(event.method), ..Fact::of(what) }])
    }
}
