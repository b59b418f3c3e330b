//! `/c/{token}`: the link of a confirmation request. It shows one button; pressing it is the consent.
//!
//! GDPR Art. 4(11), 7(1): an act of the person, not of a program that follows links. Whoever objected since is not told
//! that anything was confirmed, and nothing is (Art. 21(3)).

use axum::extract::{Path, Request, State};
use axum::response::Response;
use model::person::SuppressionScope;
use model::{ConfirmationId, PurposeId};
use store::permission::{Evidenced, Link, LinkTarget, Renewed};

use super::asking::wanted;
use super::{Owner, Visit, failed, link, notice_words, unusable};
use crate::api::Api;
use crate::public::{AskedBy, Confirm, Confirmation, Confirmed, Notice, Post, Purpose, respond};

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
    let purposes = match &asked.state {
        Renewed::Done(purposes) => purposes,
        answered => return answer(api, (&owner, &found, token), (answered, &asked), visit).await,
    };
    let words = match asked.notice {
        Some(id) => Some(notice_words(api, found.controller, id).await.ok_or_else(|| unusable(visit))?),
        None => None,
    };
    let notice =
        words.as_ref().map(|(full, language, version)| Notice { short: "", full, language: *language, version });
    let wanted = wanted(api, found.controller, (purposes, asked.returning.as_ref()), visit.language);
    let action = format!("/c/{token}");
    Ok(respond(&Confirm {
        frame: owner.frame(visit.language, Some(&visit.here)),
        confirm: Post { action: &action, token: None },
        asked_at: asked.asked,
        asked_by: if asked.returning.is_some() { AskedBy::Link } else { AskedBy::Form },
        purposes: &shown(&wanted),
        notice,
    }))
}

/// Confirms.
pub(crate) async fn post_confirm(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    match confirm(&api, &token, &visit).await {
        Ok(response) | Err(response) => response,
    }
}

async fn confirm(api: &Api, token: &str, visit: &Visit) -> Result<Response, Response> {
    let (found, id, asked) = asked(api, token, visit).await?;
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
        Ok(Ok(state)) => answer(api, (&owner, &found, token), (&state, &asked), visit).await,
        Ok(Err(error)) => Err(failed(api, &error)),
        Err(error) => Err(failed(api, &error)),
    }
}

/// What became of the request.
async fn answer(
    api: &Api,
    (owner, link, token): (&Owner, &Link, &str),
    (state, asked): (&Renewed, &Evidenced),
    visit: &Visit,
) -> Result<Response, Response> {
    let (when, purposes) = match state {
        Renewed::Done(purposes) => (Confirmation::Now, purposes),
        Renewed::Before(purposes) => (Confirmation::Before, purposes),
        Renewed::Opposed => (Confirmation::Opposed, &asked.purposes),
        Renewed::Ended => return Err(unusable(visit)),
    };
    let standing = api.store().decided(link.controller, link.tag).await.map_err(|error| failed(api, &error))?;
    // `architecture.md` §10: what he left altogether he takes back on his own page, and until then nothing comes.
    let has_left = standing
        .suppressions
        .iter()
        .any(|entry| matches!(entry.scope, SuppressionScope::Marketing | SuppressionScope::All));
    let takes_back = asked.returning.as_ref().is_some_and(|returning| returning.objection);
    let when = match when {
        _ if standing.is_opposed(ALL) => Confirmation::Opposed,
        Confirmation::Now | Confirmation::Before if takes_back && asked.purposes.is_empty() => Confirmation::TakenBack,
        Confirmation::Now | Confirmation::Before if has_left => Confirmation::Waiting,
        when => when,
    };
    let mut titles = wanted(api, link.controller, (purposes, asked.returning.as_ref()), visit.language);
    if when == Confirmation::TakenBack {
        titles.clear();
    }
    // For a while the link of the request shows on that page who is there.
    let preferences = format!("/p/{token}");
    let own = preferences_path(api, link);
    let preferences = if when == Confirmation::Opposed { own.as_deref() } else { Some(preferences.as_str()) };
    Ok(respond(&Confirmed { frame: owner.frame(visit.language, None), when, purposes: &shown(&titles), preferences }))
}

/// No purpose: only whether something stands against all marketing.
const ALL: PurposeId = PurposeId(0);
