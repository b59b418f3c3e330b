//! Asking a person to confirm, by a mail to his address: what a form asked for, or who holds the link of a mail.
//!
//! Invariants: it is done behind the answer, so that neither its words nor its delay say anything of the address; what
//! the mail and the page behind its link name is what would be confirmed.

use mail::address::Address;
use model::{ControllerId, DocumentId, FormId, PurposeId};
use std::sync::Arc;
use std::time::Duration;
use store::permission::{Act, Confirming, Decision, Link, LinkTarget, Method, Returning};

use super::{Owner, mailing, told};
use crate::api::Api;
use crate::public::words;
use crate::public::{Frequency, Language};

/// How long a request to confirm can be answered (law.md R5: at most seven days).
pub(super) const VALID: Duration = Duration::from_secs(7 * 86_400);
/// At most one request an address in so long (`architecture.md` §10).
const REST: Duration = Duration::from_secs(30 * 86_400);

/// Everything that is needed to ask a person to confirm.
pub(super) struct Asking {
    pub(super) address: Address,
    pub(super) language: Language,
    pub(super) decisions: Vec<Decision>,
    /// What else his own page asked for; nothing where it was a form.
    pub(super) returning: Option<Returning>,
    /// How he was asked about it, or somebody in his name.
    pub(super) method: Method,
    pub(super) notice: Option<DocumentId>,
    pub(super) form: Option<FormId>,
    pub(super) details: String,
}

impl Asking {
    /// Begins to keep the request as evidence and to mail it. What becomes of it is told to nobody: neither in words
    /// nor by how long it takes. False when too many are under way already, whoever they are for.
    pub(super) fn begin(self, api: &Api, owner: &Owner) -> bool {
        let Ok(turn) = Arc::clone(&api.throttle().under_way).try_acquire_owned() else { return false };
        let (api, controller) = (api.clone(), owner.controller);
        let (name, sender) = (owner.profile.name.clone(), owner.profile.sender.clone());
        tokio::spawn(async move {
            if let Err(error) = self.ask(&api, controller, (&name, &sender)).await {
                tracing::warn!(%error, "a request to confirm could not be kept");
            }
            drop(turn);
        });
        true
    }

    async fn ask(&self, api: &Api, controller: ControllerId, (name, sender): (&str, &str)) -> store::Result<()> {
        if !mailing::has_room(api, controller, &self.address) {
            return Ok(());
        }
        let act = Act { method: self.method, notice: self.notice, form: self.form, details: &self.details };
        let returning = self.returning.as_ref();
        let asking = Confirming { decisions: &self.decisions, returning, valid_for: VALID, rest: REST };
        let Some(asked) = api.store().ask_confirmation(controller, &self.address, &asking, &act).await? else {
            return Ok(());
        };
        let link = Link { controller, tag: asked.tag, target: LinkTarget::Confirm(asked.id), message: None };
        let url = format!("{}/c/{}", api.pages_of(controller), api.store().link_token(&link)?);
        let wanted = wanted(api, controller, (&asked.purposes, returning), self.language);
        let titles: Vec<String> = wanted.into_iter().map(|(_, title, _)| title).collect();
        let request = mailing::Request {
            controller,
            name,
            sender,
            to: &self.address,
            language: self.language,
            purposes: &titles,
            url: &url,
            valid: VALID,
        };
        mailing::send(api, &request).await;
        Ok(())
    }
}

/// Id, title and description of each thing that a request would confirm.
pub(super) fn wanted(
    api: &Api,
    controller: ControllerId,
    (purposes, returning): (&[PurposeId], Option<&Returning>),
    language: Language,
) -> Vec<(String, String, String)> {
    let one = |id: PurposeId| {
        let (title, description) = told(api, controller, id, language);
        (api.store().public_id(id), title, description)
    };
    let mut all: Vec<_> = purposes.iter().map(|id| one(*id)).collect();
    let Some(returning) = returning else { return all };
    all.extend(returning.lists.iter().map(|list| one(PurposeId(list.0))));
    let words = &words::of(language).preferences;
    if let Some(frequency) = returning.frequency.as_deref().and_then(Frequency::from_word) {
        all.push(("frequency".to_owned(), words.frequency.clone(), frequency.label(language).to_owned()));
    }
    if returning.objection {
        all.push(("objection".to_owned(), words.objection.clone(), words.objection_confirm.clone()));
    }
    if returning.pause_ends.is_some() {
        all.push(("pause".to_owned(), words.pause_sooner.clone(), words.pause_sooner_text.clone()));
    }
    all
}
