//! `GET /v1/requests`: rights that people exercised on their pages, for the controller to answer (GDPR Art. 12, 15-21).

use axum::Json;
use axum::extract::{Query, State};
use http::HeaderMap;
use model::WishId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::{Api, store_failed};
use crate::problem::Problem;
use crate::timestamp::rfc3339;
use store::Scope;

/// Rows of a page.
const PAGE: usize = 100;

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// A page of requests, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct Requests {
    /// The requests.
    requests: Vec<Asked>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A right that a person exercised.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "wsh_…", "right": "access", "email": "ada@dest.example", "came_by": "mail-link", "authenticated": false
}))]
pub(crate) struct Asked {
    /// The reference that the person was given.
    id: String,
    /// `access`, `rectification`, `erasure`, `restriction`, `portability`, `objection`.
    right: &'static str,
    /// How it came: `mail-link`, by the link of a message.
    came_by: &'static str,
    /// Is it known that the person asked himself? Messages are forwarded, and so are their links: make sure of it
    /// before you answer or erase (GDPR Art. 12(6)).
    authenticated: bool,
    /// Whose message it was, as long as the address is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// When.
    at: String,
    /// When it was mailed to you; absent when it could not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded: Option<String>,
}

/// Rights that your recipients exercised on their pages. You answer them; we do not.
#[utoipa::path(
    get, path = "/v1/requests", tag = "people", params(Page),
    responses(
        (status = 200, description = "A page of requests", body = Requests),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_requests(
    State(api): State<Api>,
    headers: HeaderMap,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Requests>, Problem> {
    let authority = api.authenticate_for(&headers, Scope::People)?;
    let unread = || Problem::field("after", "is not the `next` of a page");
    let Query(page) = page.map_err(|_| unread())?;
    let below = match &page.after {
        Some(text) => api.store().parse_public::<WishId>(text).ok_or_else(unread)?.0,
        None => i64::MAX,
    };
    let found = api.store().wishes(authority.controller(), below, PAGE).await;
    let found = found.map_err(|error| store_failed(&error))?;
    let next = (found.len() == PAGE).then(|| found.last().map(|last| api.store().public_id(last.id))).flatten();
    let requests = found.into_iter().map(|wish| Asked {
        id: api.store().public_id(wish.id),
        right: wish.right.as_str(),
        came_by: "mail-link",
        authenticated: false,
        email: wish.address,
        at: rfc3339(wish.at),
        forwarded: wish.forwarded.map(rfc3339),
    });
    Ok(Json(Requests { requests: requests.collect(), next }))
}
