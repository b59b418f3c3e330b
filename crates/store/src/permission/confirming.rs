//! Requests to confirm: what somebody asked for with a form, or with the link of a mail, and the answer that the person
//! gives out of the mailbox at the address that is kept (GDPR Art. 7(1), law.md R5).
//!
//! Invariants: at most one request to a person in its rest (`architecture.md` §10), and none while his objection or
//! complaint stands: what was asked for before that changes nothing any more. A confirmation lifts his opt-out from its
//! purposes; that from all marketing only where it was asked for on his own page, and only if it is not later than the
//! request. Never: consent by who merely holds a link.

use super::consents::{coming_back, giving, rows};
use super::evidence::{ActFacts, Kept};
use super::*;
use crate::policy::{number_list, numbers};
use model::ids::EventId;
use model::person::SuppressionScope;
use model::{ConfirmationId, DocumentId, FormId, ListId, PurposeId, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a person is asked to confirm.
#[derive(Clone, Copy, Debug)]
pub struct Confirming<'a> {
    /// What he said.
    pub decisions: &'a [Decision],
    /// What else he asked for on his own page; nothing where he was asked by a form.
    pub returning: Option<&'a Returning>,
    /// How long the request may be answered.
    pub valid_for: Duration,
    /// No request went to him for at least so long.
    pub rest: Duration,
}

/// What the person's own page takes away at once and gives back only when he confirms it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Returning {
    /// Lists to which he comes back.
    pub lists: Vec<ListId>,
    /// How often at most from then on, where that is more often than before.
    pub frequency: Option<String>,
    /// When his pause ends, where that is earlier than before: at once when it is over by then.
    pub pause_ends: Option<Timestamp>,
    /// He takes back his objection or complaint: what is left of it is that he left all that it was about.
    pub objection: bool,
}

impl Returning {
    /// Is nothing of it asked for?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How [`Returning`] is kept.
#[derive(Serialize, Deserialize)]
struct Back {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lists: Vec<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frequency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pause_ends: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    objection: bool,
}

impl Back {
    fn write(returning: &Returning) -> Result<String> {
        let back = Self {
            lists: returning.lists.iter().map(|list| list.0).collect(),
            frequency: returning.frequency.clone(),
            pause_ends: returning.pause_ends.map(Timestamp::micros),
            objection: returning.objection,
        };
        serde_json::to_string(&back).map_err(|_| Error::Row { column: "confirmation.back" })
    }

    fn read(text: &str) -> Result<Returning> {
        let back: Self = serde_json::from_str(text).map_err(|_| Error::Row { column: "confirmation.back" })?;
        Ok(Returning {
            lists: back.lists.into_iter().map(ListId).collect(),
            frequency: back.frequency,
            pause_ends: back.pause_ends.map(Timestamp::from_micros),
            objection: back.objection,
        })
    }
}

/// A request that was kept, and is to be mailed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requested {
    /// Its id.
    pub id: ConfirmationId,
    /// The person.
    pub tag: RecipientTag,
    /// Of what was asked for, the purposes against which no objection stands.
    pub purposes: Vec<PurposeId>,
}

/// What became of a confirmation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Renewed {
    /// In force now, for these purposes.
    Done(Vec<PurposeId>),
    /// It had been confirmed before.
    Before(Vec<PurposeId>),
    /// Nothing was changed: the person's objection or complaint stands.
    Opposed,
    /// It ran out, or is not known.
    Ended,
}

/// A confirmation request, as evidence names it.
#[derive(Clone, Debug)]
pub struct Evidenced {
    /// The form; nothing where it was asked for otherwise, or on a page whose version is not known.
    pub form: Option<FormId>,
    /// What would be confirmed.
    pub purposes: Vec<PurposeId>,
    /// The words that were shown; nothing where there were none.
    pub notice: Option<DocumentId>,
    /// Asked when.
    pub asked: Timestamp,
    /// Answered when.
    pub done: Option<Timestamp>,
    /// What else was asked for on the person's own page; nothing where a form asked.
    pub returning: Option<Returning>,
    /// Was it confirmed, and is it still in time?
    pub state: Renewed,
}

/// What is confirmed at once: which purposes, and whether the words that were shown speak of them.
struct Part {
    purposes: Vec<PurposeId>,
    notice: Option<DocumentId>,
}

impl Store {
    /// Keeps that a person was asked to confirm, unless that was done lately. Nothing when it was, when he was erased,
    /// or when his objection or complaint stands against all that was asked for: then nothing may be sent to him.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn ask_confirmation(
        &self,
        controller: ControllerId,
        address: &Address,
        asked: &Confirming<'_>,
        act: &Act<'_>,
    ) -> Result<Option<Requested>> {
        let standing = self.decided(controller, self.vault.tag(controller, address)?).await?;
        let given: Vec<PurposeId> = asked
            .decisions
            .iter()
            .filter_map(|one| match one {
                Decision::Given(purpose) => Some(*purpose).filter(|purpose| !standing.is_opposed(*purpose)),
                Decision::Refused(_) => None,
            })
            .collect();
        let returns = asked.returning.is_some_and(|returning| !returning.is_empty());
        let takes_back = asked.returning.is_some_and(|returning| returning.objection);
        if given.is_empty() && !takes_back && (!returns || standing.is_opposed(ALL)) {
            return Ok(None);
        }
        let Some(Known { tag, secret }) = self.known(controller, address).await? else { return Ok(None) };
        let (id, at) = (ConfirmationId(self.next_id()), self.now());
        let since = Timestamp::from_micros(at.micros().saturating_sub(micros(asked.rest)));
        let event = EventId(crypto::random()?);
        let facts = ActFacts::requested(act.method);
        let kept = Kept { controller, tag, secret: Some(&secret), event, at, act, facts };
        let mut steps = vec![Step::new(
            &sql::CONFIRMATION_INSERT,
            vec![
                id.0.into(),
                controller.0.into(),
                tag.0.into(),
                act.form.map_or(0, |form| form.0).into(),
                number_list(given.iter().map(|purpose| purpose.0)).into(),
                act.notice.map_or(0, |notice| notice.0).into(),
                at.into(),
                at.plus(asked.valid_for).into(),
                since.into(),
                asked.returning.map(Back::write).transpose()?.into(),
            ],
        )];
        let said = asked.decisions.iter().filter_map(|decision| match decision {
            Decision::Given(purpose) => given.contains(purpose).then_some((*purpose, "requested")),
            Decision::Refused(purpose) => Some((*purpose, "refused")),
        });
        let evidence = self.evidence(&kept, &said.collect::<Vec<_>>()).await?;
        steps.extend(evidence.steps);
        let writes = rows(controller, tag, event, evidence.sha256, steps);
        let is_kept = self.act(EventType::ConsentRequested, writes).await?;
        Ok(is_kept.then_some(Requested { id, tag, purposes: given }))
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
        let form = Some(FormId(row.number()?)).filter(|form| form.0 != 0);
        let purposes: Vec<_> = numbers(&row.text()?, "confirmation.purposes")?.into_iter().map(PurposeId).collect();
        let notice = Some(DocumentId(row.number()?)).filter(|notice| notice.0 != 0);
        let (asked, ends, done) = (row.moment()?, row.moment()?, row.moment_if_any()?);
        let returning = row.text_if_any()?.map(|text| Back::read(&text)).transpose()?;
        let state = match done {
            Some(_) => Renewed::Before(purposes.clone()),
            None if ends <= self.now() => Renewed::Ended,
            None if returning.as_ref().is_some_and(|returning| returning.objection) => Renewed::Done(purposes.clone()),
            None => self.still_open(controller, tag, &purposes).await?,
        };
        Ok(Some(Evidenced { form, purposes, notice, asked, done, returning, state }))
    }

    /// What could be confirmed now of a request that is in time.
    async fn still_open(&self, controller: ControllerId, tag: RecipientTag, asked: &[PurposeId]) -> Result<Renewed> {
        let standing = self.decided(controller, tag).await?;
        let open: Vec<_> = asked.iter().copied().filter(|purpose| !standing.is_opposed(*purpose)).collect();
        let is_opposed = standing.is_opposed(ALL) || (open.is_empty() && !asked.is_empty());
        Ok(if is_opposed { Renewed::Opposed } else { Renewed::Done(open) })
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
        let Renewed::Done(purposes) = &asked.state else { return Ok(asked.state) };
        let act = Act { method: Method::DoubleOptIn, notice: asked.notice, form: asked.form, details };
        let takes_back = asked.returning.as_ref().is_some_and(|returning| returning.objection);
        let values =
            vec![controller.0.into(), id.0.into(), tag.0.into(), self.now().into(), i64::from(takes_back).into()];
        let mut first = Some(values);
        for part in self.parts(controller, &asked, purposes).await? {
            let act = Act { notice: part.notice, ..act };
            let (mut before, mut after) = (Vec::new(), Vec::new());
            if let Some(values) = first.take() {
                before.push(Step::new(&sql::CONFIRMATION_DONE, values));
                if let Some(returning) = &asked.returning {
                    after = self.returning(controller, tag, returning).await?;
                    if takes_back {
                        let values = vec![controller.0.into(), tag.0.into(), asked.asked.into()];
                        after.push(Step::new(&sql::OBJECTION_BACK, values));
                    }
                    if !purposes.is_empty() {
                        after.push(coming_back(controller, tag, SuppressionScope::Marketing, asked.asked));
                    }
                }
            }
            let is_first = !before.is_empty();
            if !self.give(controller, tag, &part.purposes, &act, (before, after)).await? && is_first {
                // Another press of the same button was first, or an objection.
                let now = self.confirmation(controller, tag, id).await?.map_or(Renewed::Ended, |now| now.state);
                return Ok(if matches!(now, Renewed::Done(_)) { Renewed::Opposed } else { now });
            }
        }
        Ok(Renewed::Done(purposes.clone()))
    }

    /// Purposes of which the words that were shown speak, and those of which they do not (GDPR Art. 7(1)): a commit
    /// each, for an act names one notice.
    async fn parts(&self, controller: ControllerId, asked: &Evidenced, purposes: &[PurposeId]) -> Result<Vec<Part>> {
        let whole = vec![Part { purposes: purposes.to_vec(), notice: asked.notice }];
        // A form shows a notice that speaks of all that it asks about.
        let (Some(notice), Some(_)) = (asked.notice, &asked.returning) else { return Ok(whole) };
        let forms = self.forms(controller).await?;
        let spoke = |purpose: &PurposeId| forms.iter().any(|form| form.spoke_of(notice, *purpose));
        let (told, untold): (Vec<_>, Vec<_>) = purposes.iter().copied().partition(spoke);
        if untold.is_empty() {
            return Ok(whole);
        }
        let parts = [Part { purposes: told, notice: Some(notice) }, Part { purposes: untold, notice: None }];
        Ok(parts.into_iter().filter(|part| !part.purposes.is_empty()).collect())
    }

    /// What the person's own page gives back beside consent.
    async fn returning(&self, controller: ControllerId, tag: RecipientTag, returning: &Returning) -> Result<Vec<Step>> {
        let at = self.now();
        let lists = returning.lists.iter().map(|list| coming_back(controller, tag, SuppressionScope::List(*list), at));
        let mut steps: Vec<Step> = lists.collect();
        if returning.frequency.is_some() || returning.pause_ends.is_some() {
            let before = self.decided(controller, tag).await?.preference;
            let paused = match (returning.pause_ends, before.paused) {
                (Some(ends), Some(paused)) => Some(ends.min(paused)).filter(|ends| at < *ends),
                (_, paused) => paused,
            };
            let frequency = returning.frequency.clone().unwrap_or_else(|| before.frequency.clone());
            let preference = Preference { frequency, paused, ..before };
            steps.push(super::people::preferring(controller, tag, &preference, at));
        }
        Ok(steps)
    }

    /// The person confirms: in force when it returns.
    async fn give(
        &self,
        controller: ControllerId,
        tag: RecipientTag,
        purposes: &[PurposeId],
        act: &Act<'_>,
        (mut steps, after): (Vec<Step>, Vec<Step>),
    ) -> Result<bool> {
        let secret = self.secret_to_use(controller, tag).await?;
        let (at, event) = (self.now(), EventId(crypto::random()?));
        let facts = ActFacts::consent(true);
        let kept = Kept { controller, tag, secret: secret.as_ref(), event, at, act, facts };
        let said: Vec<_> = purposes.iter().map(|purpose| (*purpose, "given")).collect();
        let evidence = self.evidence(&kept, &said).await?;
        steps.extend(evidence.steps);
        for purpose in purposes {
            steps.extend(giving(&kept, *purpose));
        }
        steps.extend(after);
        let writes = rows(controller, tag, event, evidence.sha256, steps);
        let kind = if purposes.is_empty() { EventType::PreferenceChanged } else { EventType::BasisRecorded };
        self.act(kind, writes).await
    }
}

/// No purpose: what is asked is only whether something stands against all marketing.
const ALL: PurposeId = PurposeId(0);

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_asked_for_is_kept_and_read_again(
            lists in proptest::collection::vec(any::<i64>(), 0..4),
            pause in any::<Option<i64>>(),
            often in any::<bool>(),
        ) {
            let returning = Returning {
                lists: lists.into_iter().map(ListId).collect(),
                frequency: often.then(|| "every".to_owned()),
                pause_ends: pause.map(Timestamp::from_micros),
                objection: !often,
            };
            prop_assert_eq!(Back::read(&Back::write(&returning).unwrap()).unwrap(), returning);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,80}") {
            drop(Back::read(&text));
        }
    }
}
