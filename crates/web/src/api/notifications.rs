//! `GET /v1/notifications`: what the processor told the controller (GDPR Art. 28(3), last subparagraph).

use axum::Json;
use axum::extract::{Query, State};
use http::HeaderMap;
use model::NoticeId;
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
pub(crate) struct NotificationsPage {
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// A page of what you were told, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct Notifications {
    /// What you were told.
    notifications: Vec<Notification>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Something that you were told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "ntc_…", "kind": "instruction-held", "at": "2026-11-22T10:00:00Z",
    "text": "streams[1].opt_out: marketing is sent without a way to opt out in each message (ePrivacy Art. 13(4))"}))]
pub(crate) struct Notification {
    /// Its id.
    id: String,
    /// `instruction-held`, `instruction-confirmed`, `instruction-review`, `agreement-review`, `right-exercised`.
    kind: String,
    /// When.
    at: String,
    /// What.
    text: String,
}

/// What you were told: instructions that look infringing and why, reviews that are due, rights that people exercised.
#[utoipa::path(
    get, path = "/v1/notifications", tag = "authority", params(NotificationsPage),
    responses(
        (status = 200, description = "A page", body = Notifications),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_notifications(
    State(api): State<Api>,
    headers: HeaderMap,
    page: Result<Query<NotificationsPage>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Notifications>, Problem> {
    let authority = api.authenticate_for(&headers, Scope::Authority)?;
    let unread = || Problem::field("after", "is not the `next` of a page");
    let Query(page) = page.map_err(|_| unread())?;
    let below = match &page.after {
        Some(text) => api.store().parse_public::<NoticeId>(text).ok_or_else(unread)?.0,
        None => i64::MAX,
    };
    let found = api.store().notices(authority.controller(), below, PAGE).await;
    let found = found.map_err(|error| store_failed(&error))?;
    let next = (found.len() == PAGE).then(|| found.last().map(|last| api.store().public_id(last.id))).flatten();
    let notifications = found.into_iter().map(|told| Notification {
        id: api.store().public_id(told.id),
        kind: told.kind,
        at: rfc3339(told.at),
        text: told.text,
    });
    Ok(Json(Notifications { notifications: notifications.collect(), next }))
}
