//! `/u/{token}`: the footer's link and the one click of mail programs.
//!
//! RFC 8058 §3.1, §3.2: a POST with `List-Unsubscribe=One-Click`, as `multipart/form-data` or urlencoded, is done
//! without any further question, without cookie or login; GDPR Art. 7(3), 21: in force when it is answered.

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use model::{PurposeId, Timestamp};
use store::permission::{Act, Leaving, Link, LinkTarget, Method};

use super::fields::Fields;
use super::{Owner, Visit, failed, link, told, unusable};
use crate::api::Api;
use crate::public::{Left, Post, Purpose, Scope, Unsubscribe, Unsubscribed, respond};

fn fits(target: &LinkTarget) -> bool {
    matches!(target, LinkTarget::Unsubscribe { .. })
}

/// What the link leaves: the list, or the purpose.
fn leaving(link: &Link) -> Option<(Leaving, PurposeId)> {
    match link.target {
        LinkTarget::Unsubscribe { list: Some(list), .. } => Some((Leaving::List(list), PurposeId(list.0))),
        LinkTarget::Unsubscribe { purpose, list: None } => Some((Leaving::Purpose(purpose), purpose)),
        LinkTarget::Preferences | LinkTarget::Confirm(_) | LinkTarget::Complain { .. } => None,
    }
}

fn preferences_path(api: &Api, link: &Link) -> Option<String> {
    let own = Link { target: LinkTarget::Preferences, ..*link };
    api.store().link_token(&own).ok().map(|token| format!("/p/{token}"))
}

/// Shows the buttons; changes nothing.
pub(crate) async fn get_leave(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    let Some((found, id)) = link(&api, &token, fits).and_then(|found| leaving(&found).map(|(_, id)| (found, id)))
    else {
        return unusable(&visit);
    };
    let owner = match Owner::load(&api, found.controller).await {
        Ok(owner) => owner,
        Err(response) => return response,
    };
    let (title, description) = told(&api, found.controller, id, visit.language);
    let (action, preferences) = (format!("/u/{token}"), preferences_path(&api, &found));
    respond(&Unsubscribe {
        frame: owner.frame(visit.language, Some(&visit.here)),
        leave: Post { action: &action, token: None },
        purpose: Purpose { id: "1", title: &title, description: &description },
        preferences: preferences.as_deref(),
    })
}

/// Leaves.
pub(crate) async fn post_leave(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    let Some((found, (from, id))) =
        link(&api, &token, fits).and_then(|found| leaving(&found).map(|leaving| (found, leaving)))
    else {
        return unusable(&visit);
    };
    let (parts, body) = request.into_parts();
    let sent = match Fields::read(&parts.headers, body).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let one_click = sent.is_one_click();
    let scope = sent.first("scope").and_then(Scope::from_word);
    let (from, method) = match (one_click, scope) {
        (true, _) => (from, Method::OneClick),
        (false, Some(Scope::Purpose)) => (from, Method::Page),
        (false, Some(Scope::All)) => (Leaving::Marketing, Method::Page),
        (false, None) => return unusable(&visit),
    };
    if let Err(response) = leave(&api, &found, from, method).await {
        return response;
    }
    if one_click {
        // A program asked, not a person.
        return "unsubscribed\n".into_response();
    }
    let owner = match Owner::load(&api, found.controller).await {
        Ok(owner) => owner,
        Err(response) => return response,
    };
    let (title, _) = told(&api, found.controller, id, visit.language);
    let preferences = preferences_path(&api, &found);
    let left = if from == Leaving::Marketing { Left::All } else { Left::Purpose(&title) };
    respond(&Unsubscribed { frame: owner.frame(visit.language, None), left, preferences: preferences.as_deref() })
}

/// Leaving again what was left by a link within so long is the same word.
const SAME_US: i64 = 86_400 * 1_000_000;

/// On a task of its own: a browser that goes away changes nothing of what was asked. What was said before and stands is
/// not written again: links are opened by programs, and nothing may grow without end by one.
pub(super) async fn leave(api: &Api, link: &Link, from: Leaving, method: Method) -> Result<(), Response> {
    let (store, link) = (api.store().clone(), *link);
    let left = tokio::spawn(async move {
        let since = Timestamp::from_micros(store.now().micros().saturating_sub(SAME_US));
        if store.has_just_left(link.controller, link.tag, from, since).await? {
            return Ok(());
        }
        store.leave(link.controller, link.tag, from, &Act::by(method)).await
    });
    match left.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(failed(api, &error)),
        Err(error) => Err(failed(api, &error)),
    }
}
