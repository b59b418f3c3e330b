//! `/c/{token}`: the link of a confirmation request. It shows one button; pressing it is the consent.
//!
//! GDPR Art. 4(11), 7(1): an act of the person, not of a program that follows links.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use model::{ConfirmationId, PurposeId};
use store::permission::{Evidenced, Link, LinkTarget, Renewed};

use super::{Owner, Visit, failed, link, notice_words, told, unusable};
use crate::api::Api;
use crate::public::{Confirm, Confirmation, Confirmed, Notice, Post, Purpose, respond};

fn fits(target: &LinkTarget) -> bool {
    matches!(target, LinkTarget::Confirm(_))
}

async fn asked(api: &Api, token: &str, visit: &Visit) -> Result<(Link, ConfirmationId, Evidenced), Response> {
    let Some(found) = link(api, token, fits) else { return Err(unusable(visit)) };
    let LinkTarget::Confirm(id) = found.target else { return Err(unusable(visit)) };
    match api.store().confirmation(found.controller, found.tag, id).await {
        Ok(Some(asked)) => Ok((found, id, asked)),
        Ok(None) => Err(unusable(visit)),
        Err(error) => Err(failed(api, &error)),
    }
}

fn titles(api: &Api, link: &Link, purposes: &[PurposeId], visit: &Visit) -> Vec<(String, String, String)> {
    let one = |id: &PurposeId| {
        let (title, description) = told(api, link.controller, *id, visit.language);
        (api.store().public_id(*id), title, description)
    };
    purposes.iter().map(one).collect()
}

fn shown(titles: &[(String, String, String)]) -> Vec<Purpose<'_>> {
    titles.iter().map(|(id, title, description)| Purpose { id, title, description }).collect()
}

fn preferences_path(api: &Api, link: &Link) -> Option<String> {
    let own = Link { target: LinkTarget::Preferences, ..*link };
    api.store().link_token(&own).ok().map(|token| format!("/p/{token}"))
}

/// Shows what would be confirmed; changes nothing.
pub(crate) async fn get_confirm(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    match show(&api, &token, &visit).await {
        Ok(response) | Err(response) => response,
    }
}

async fn show(api: &Api, token: &str, visit: &Visit) -> Result<Response, Response> {
    let (found, _, asked) = asked(api, token, visit).await?;
    let owner = Owner::load(api, found.controller).await?;
    match &asked.state {
        Renewed::Ended => Err(unusable(visit)),
        Renewed::Before(purposes) => Ok(done(api, &owner, &found, Confirmation::Before, purposes, visit)),
        Renewed::Done(purposes) => {
            let words = notice_words(api, found.controller, asked.notice).await;
            let Some((full, language, version)) = words else { return Err(unusable(visit)) };
            let (titles, action) = (titles(api, &found, purposes, visit), format!("/c/{token}"));
            Ok(respond(&Confirm {
                frame: owner.frame(visit.language, Some(&visit.here)),
                confirm: Post { action: &action, token: None },
                asked_at: asked.asked,
                purposes: &shown(&titles),
                notice: Notice { short: "", full: &full, language, version: &version },
            }))
        }
    }
}

/// Confirms.
pub(crate) async fn post_confirm(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    match confirm(&api, &token, &visit).await {
        Ok(response) | Err(response) => response,
    }
}

async fn confirm(api: &Api, token: &str, visit: &Visit) -> Result<Response, Response> {
    let (found, id, _) = asked(api, token, visit).await?;
    let owner = Owner::load(api, found.controller).await?;
    if !owner.may_collect(api) {
        return Err(unusable(visit));
    }
    let details = serde_json::json!({
        "action": "button",
        "page": "confirm",
        "language": visit.language.tag(),
        "controller": owner.profile.name,
        "withdrawal": "one-click, preference centre",
    });
    let (store, details) = (api.store().clone(), details.to_string());
    let confirmed = tokio::spawn(async move { store.confirm(found.controller, found.tag, id, &details).await }).await;
    match confirmed {
        Ok(Ok(Renewed::Done(purposes))) => Ok(done(api, &owner, &found, Confirmation::Now, &purposes, visit)),
        Ok(Ok(Renewed::Before(purposes))) => Ok(done(api, &owner, &found, Confirmation::Before, &purposes, visit)),
        Ok(Ok(Renewed::Ended)) => Err(unusable(visit)),
        Ok(Err(error)) => Err(failed(api, &error)),
        Err(error) => Err(failed(api, &error)),
    }
}

fn done(api: &Api, owner: &Owner, link: &Link, when: Confirmation, purposes: &[PurposeId], visit: &Visit) -> Response {
    let (titles, preferences) = (titles(api, link, purposes, visit), preferences_path(api, link));
    respond(&Confirmed {
        frame: owner.frame(visit.language, None),
        when,
        purposes: &shown(&titles),
        preferences: preferences.as_deref(),
    })
}
