//! `/w/{token}`: "why did I get this?", and the wishes that follow from it.
//!
//! GDPR Art. 12(2), 15: who decides, what for, on which basis, since when, with which words. A right that is exercised
//! here is recorded and told to the controller at once, and within a day it is the same wish however often it is sent;
//! objecting and withdrawing are in force when they are answered.

use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::Response;
use model::basis::BasisKind;
use model::person::{SuppressionReason, SuppressionScope};
use model::{PurposeId, Timestamp};
use std::net::SocketAddr;
use std::time::Duration;
use store::MessageView;
use store::permission::{BasisView, Exercised, Leaving, Link, LinkTarget, Method, Right as Kept};

use super::fields::Fields;
use super::leave::leave;
use super::mailing;
use super::{Owner, Visit, busy, failed, link, notice_words, told, unusable};
use crate::api::Api;
use crate::public::{Authority, BasisShown, Means, Notice, Post, Purpose, Right, Why, WishRecorded, respond};

/// The controller has a person's wish within so long (law.md R16).
const FORWARDED_WITHIN: Duration = Duration::from_secs(24 * 3_600);
/// And answers it within a month (GDPR Art. 12(3)), told in days.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30 * 86_400);

fn fits(target: &LinkTarget) -> bool {
    *target == LinkTarget::Preferences
}

/// The link and the message that it came with; of another controller's or person's message nothing is shown.
async fn message(api: &Api, token: &str, visit: &Visit) -> Result<(Link, MessageView), Response> {
    let Some(found) = link(api, token, fits) else { return Err(unusable(visit)) };
    let Some(id) = found.message else { return Err(unusable(visit)) };
    match api.store().message(found.controller, id).await {
        Ok(Some(message)) if message.tag == found.tag => Ok((found, message)),
        Ok(_) => Err(unusable(visit)),
        Err(error) => Err(failed(api, &error)),
    }
}

/// Shows; changes nothing.
pub(crate) async fn get_why(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    match show(&api, &token, &visit).await {
        Ok(response) | Err(response) => response,
    }
}

async fn show(api: &Api, token: &str, visit: &Visit) -> Result<Response, Response> {
    let (link, message) = message(api, token, visit).await?;
    let owner = Owner::load(api, link.controller).await?;
    let store = api.store();
    let standing = store.decided(link.controller, link.tag).await.map_err(|error| failed(api, &error))?;
    let above = store.purpose(link.controller, message.purpose);
    let root = above.as_ref().map_or(message.purpose, |purpose| purpose.id);
    let own = standing.bases.iter().find(|basis| basis.purpose == root);
    let common = above.as_ref().and_then(|purpose| purpose.bases.first().copied()).unwrap_or(BasisKind::Contract);
    let words = match own.and_then(|basis| basis.notice) {
        Some(id) => notice_words(api, link.controller, id).await,
        None => None,
    };
    let means = match own {
        Some(basis) => means(api, &link, basis).await,
        None => Means::Interface,
    };
    let (title, description) = told(api, link.controller, message.purpose, visit.language);
    let notice =
        words.as_ref().map(|(full, language, version)| Notice { short: "", full, language: *language, version });
    let instruction = store.instruction_in_force(link.controller).unwrap_or_default();
    let (action, preferences) = (format!("/w/{token}"), format!("/p/{token}"));
    Ok(respond(&Why {
        frame: owner.frame(visit.language, Some(&visit.here)),
        purpose: Purpose { id: "1", title: &title, description: &description },
        basis: BasisShown {
            kind: own.map_or(common, |basis| basis.kind),
            given_at: own.map_or(message.accepted_at, |basis| basis.given),
            means,
            confirmed_at: own.and_then(|basis| basis.confirmed),
            notice,
        },
        instruction: &instruction,
        wish: Post { action: &action, token: None },
        authority: owner.profile.authority.as_deref().map(|name| Authority { name, site: None }),
        preferences: Some(&preferences),
    }))
}

/// How a basis came to be recorded: as its newest evidence says.
async fn means(api: &Api, link: &Link, basis: &BasisView) -> Means {
    if basis.batch.is_some() {
        return Means::Brought;
    }
    let events = api.store().consent_events(link.controller, link.tag).await.unwrap_or_default();
    let given = events.iter().rev().find(|event| event.purpose == basis.purpose && event.what == "given");
    match given.and_then(|event| Method::from_word(&event.method)) {
        Some(Method::Form | Method::DoubleOptIn) => Means::Form,
        Some(Method::Page | Method::OneClick | Method::Mail) => Means::Preferences,
        Some(Method::Paper) => Means::Paper,
        Some(Method::Verbal) => Means::Spoken,
        Some(Method::Import) => Means::Brought,
        Some(Method::Embedded) => Means::Embedded,
        Some(Method::Api) | None => Means::Interface,
    }
}

/// A right is exercised.
pub(crate) async fn post_wish(
    State(api): State<Api>,
    Path(token): Path<String>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    let (parts, body) = request.into_parts();
    let sent = match Fields::read(&parts.headers, body).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let Some(right) = sent.first("right").and_then(Right::from_word) else { return unusable(&visit) };
    // Withdrawing and objecting take away, and are never kept waiting (GDPR Art. 7(3), 21(3)).
    if !matches!(right, Right::Withdraw | Right::Object)
        && let Some(found) = link(&api, &token, fits)
        && let Err(wait) =
            api.throttle().change(peer.ip(), (found.controller, found.tag.0), api.store().clock().monotonic())
    {
        return busy(&visit, wait);
    }
    let done = tokio::spawn(async move { wish(&api, &token, right, &visit).await.unwrap_or_else(|refused| refused) });
    done.await.unwrap_or_else(|_| unusable(&Visit { language: crate::public::Language::English, here: String::new() }))
}

async fn wish(api: &Api, token: &str, right: Right, visit: &Visit) -> Result<Response, Response> {
    let (link, message) = message(api, token, visit).await?;
    let owner = Owner::load(api, link.controller).await?;
    let fault = |error: store::Error| failed(api, &error);
    let root = api.store().purpose(link.controller, message.purpose).map_or(message.purpose, |purpose| purpose.id);
    let reference = match kept(right) {
        None => {
            leave(api, &link, Leaving::Purpose(root), Method::Page).await?;
            message.public_id.clone()
        }
        Some(right) => {
            if right == Kept::Objection {
                object(api, &link, root).await.map_err(fault)?;
            }
            let address = message.to.as_deref();
            let recorded = api.store().exercise_right(link.controller, link.tag, right, address).await;
            match recorded.map_err(fault)? {
                Exercised::Before(id) => api.store().public_id(id),
                Exercised::Now(id) => {
                    let reference = api.store().public_id(id);
                    let wish = mailing::Wish { owner: &owner, right, address, reference: &reference };
                    let claimed = api.store().claim_wish(link.controller, id).await.map_err(fault)?;
                    if claimed && mailing::forward_now(api, &wish).await {
                        api.store().wish_forwarded(link.controller, id).await.map_err(fault)?;
                    }
                    reference
                }
            }
        }
    };
    let (now, back) = (api.store().now(), format!("/w/{token}"));
    Ok(respond(&WishRecorded {
        frame: owner.frame(visit.language, None),
        right,
        reference: &reference,
        forwarded_by: now.plus(FORWARDED_WITHIN),
        answered_by: due(now),
        back: Some(&back),
    }))
}

fn due(now: Timestamp) -> Timestamp {
    now.plus(ANSWERED_WITHIN)
}

/// GDPR Art. 21(2), (3): against direct marketing it holds at once and for all of it; against another purpose, for
/// that one.
async fn object(api: &Api, link: &Link, purpose: PurposeId) -> Result<(), store::Error> {
    let marketing = api.store().purpose(link.controller, purpose).is_none_or(|purpose| purpose.kind.is_marketing());
    let scope = if marketing { SuppressionScope::Marketing } else { SuppressionScope::Purpose(purpose) };
    api.store().suppress_person(link.controller, link.tag, scope, SuppressionReason::Objection).await.map(drop)
}

/// What is kept as a wish for the controller; a withdrawal is done, not wished for.
const fn kept(right: Right) -> Option<Kept> {
    Some(match right {
        Right::Withdraw => return None,
        Right::Access => Kept::Access,
        Right::Rectify => Kept::Rectification,
        Right::Erase => Kept::Erasure,
        Right::Restrict => Kept::Restriction,
        Right::Portability => Kept::Portability,
        Right::Object => Kept::Objection,
    })
}
