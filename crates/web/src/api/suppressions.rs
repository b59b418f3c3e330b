//! `/v1/suppressions`: the controller puts people on his suppression list, reads it, and takes back what he said.
//!
//! Any valid key may add, whether or not an agreement is in force: it only takes processing away. Its effect on mail
//! that waits is immediate: the store raises the permission generation with the commit. What a person wished is lifted
//! by the person alone (GDPR Art. 7(3), 21(3)).
//! Never: an address in a path or query.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use http::{HeaderMap, StatusCode};
use mail::address::Address;
use marketing::suppressions::{REASONS, SCOPES, entry_id, parse_entry, reason_from, scope_from, shown};
use model::person::{SuppressionReason, SuppressionScope};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::permission::{Lifted, SuppressionCursor, SuppressionFilter};
use utoipa::{IntoParams, ToSchema};

use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::problem::Problem;
use crate::router::Fault;
use store::{Authority, Scope, Store};

#[cfg(test)]
mod tests;

/// Whom to mail no more, and how far that reaches.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@dest.example", "scope": "marketing", "reason": "objection"}))]
pub(crate) struct SuppressionRequest {
    /// The address.
    email: json::Email,
    /// `all`, `marketing`, `delivery`, `purpose:NAME`, `list:NAME`, or `stream:NAME` for the stream's first purpose.
    scope: json::Word,
    /// `controller` (default), `opt-out`, `complaint` or `objection`.
    #[serde(default)]
    reason: Option<json::Word>,
}

/// What was recorded. The address is not repeated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"scope": "marketing", "reason": "objection"}))]
pub(crate) struct Suppression {
    /// How far it reaches.
    scope: String,
    /// Why.
    reason: &'static str,
}

/// Records a suppression; it holds for mail that waits, too.
#[utoipa::path(
    post, path = "/v1/suppressions", tag = "people", request_body = SuppressionRequest,
    responses(
        (status = 201, description = "Recorded, and in force", body = Suppression),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_suppression(
    State(api): State<Api>,
    request: Request,
) -> Result<(StatusCode, Json<Suppression>), Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate(&parts.headers)?;
    let received =
        body::read(api.budget(), authority.controller(), &parts.headers, body, body::SMALL_OCTETS_MAX).await?;
    let asked: SuppressionRequest = received.parse().await?;
    let address = address(&asked.email)?;
    let scope = scope(&asked.scope, &authority, api.store())?;
    let reason = reason(asked.reason.as_deref())?;
    to_the_end(async move {
        let done = api.store().suppress(authority.controller(), &address, scope, reason).await;
        done.map_err(|error| store_failed(&error))?;
        Ok((StatusCode::CREATED, Json(Suppression { scope: asked.scope.into(), reason: reason.as_str() })))
    })
    .await
}

/// The address of a request's `email`; the fault's text does not repeat it.
pub(crate) fn address(text: &str) -> Result<Address, Problem> {
    Address::parse(text).map_err(|fault| Problem::field("email", fault.to_string()))
}

pub(crate) fn scope(text: &str, authority: &Authority, store: &Store) -> Result<SuppressionScope, Problem> {
    let known = scope_from(store, authority.controller(), text);
    known.ok_or_else(|| Problem::field("scope", format!("expected {SCOPES}, with a name that is there")))
}

/// What a controller may state. Bounces are ours to record; an erasure has a procedure of its own (GDPR Art. 17).
pub(crate) fn reason(word: Option<&str>) -> Result<SuppressionReason, Problem> {
    let known = word.map_or(Some(SuppressionReason::Controller), reason_from);
    known.ok_or_else(|| Problem::field("reason", format!("expected {REASONS}")))
}

/// Rows of a page, unless fewer are asked for.
const PAGE: usize = 100;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// Of this scope alone.
    #[serde(default)]
    scope: Option<String>,
    /// For this reason alone.
    #[serde(default)]
    reason: Option<String>,
    /// 1 to 100.
    #[serde(default)]
    limit: Option<usize>,
}

/// A page of the list, in no order that says anything.
#[derive(Serialize, ToSchema)]
pub(crate) struct Suppressions {
    /// The entries: `id`, `scope`, `reason`, `since`; `until` of a bounce; `email` as long as it is kept.
    #[schema(value_type = Vec<Object>)]
    suppressions: Vec<Value>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The controller's list, page by page. Whose address is not kept is named by the entry's id alone, which stays the
/// same for him.
#[utoipa::path(
    get, path = "/v1/suppressions", tag = "people", params(Page),
    responses(
        (status = 200, description = "A page", body = Suppressions),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_suppressions(
    State(api): State<Api>,
    fields: HeaderMap,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Suppressions>, Problem> {
    let authority = api.authenticate_for(&fields, Scope::People)?;
    let Query(page) =
        page.map_err(|_| Problem::field("", "a parameter is not known, stands twice, or is no number"))?;
    let (store, controller) = (api.store(), authority.controller());
    let filter = filter(page.scope.as_deref(), page.reason.as_deref(), &authority, store)?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(Problem::field("limit", format!("is 1 to {PAGE}")));
    }
    let after = match &page.after {
        Some(text) => {
            let entry = parse_entry(store, controller, text)
                .ok_or_else(|| Problem::field("after", "is not the `next` of a page"))?;
            SuppressionCursor::after(entry.0, entry.1)
        }
        None => SuppressionCursor::default(),
    };
    let found = store.suppressions(controller, filter, &after, limit).await;
    let (entries, next) = found.map_err(|error| store_failed(&error))?;
    let next = next.and_then(|_| entries.last().map(|last| entry_id(store, controller, last.tag, last.scope)));
    let suppressions = entries.iter().map(|entry| shown(store, controller, entry)).collect();
    Ok(Json(Suppressions { suppressions, next }))
}

pub(crate) fn filter(
    scope_asked: Option<&str>,
    reason_asked: Option<&str>,
    authority: &Authority,
    store: &Store,
) -> Result<SuppressionFilter, Problem> {
    let scope = scope_asked.map(|text| scope(text, authority, store)).transpose()?;
    let reason = reason_asked.map(|text| {
        SuppressionReason::from_word(text).ok_or_else(|| Problem::field("reason", "there is no such reason"))
    });
    Ok(SuppressionFilter { scope, reason: reason.transpose()? })
}

/// Takes an entry back that the controller made himself, or a bounce made. What a person wished (opt-out, complaint,
/// objection, erasure) stands: he alone takes it back, on his own page.
#[utoipa::path(
    delete, path = "/v1/suppressions/{id}", tag = "people",
    params(("id" = String, Path, description = "The entry's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Refused for the sender as a whole: agreement, instruction or credential",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No entry of this controller by that id", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "The person wished it", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn delete_suppression(
    State(api): State<Api>,
    Path(id): Path<String>,
    fields: HeaderMap,
) -> Result<StatusCode, Problem> {
    let authority = api.authenticate_for(&fields, Scope::People)?;
    // GDPR Art. 28(3): it opens the way for mail, so it is done only where mail might go.
    if let Some(refusal) = api.submission().check_sender(&authority) {
        return Err(Problem::refused(refusal.rule(), api.base_url()));
    }
    let (tag, scope) =
        parse_entry(api.store(), authority.controller(), &id).ok_or_else(|| Problem::of(Fault::NotFound))?;
    to_the_end(async move {
        match api.store().lift_suppression(authority.controller(), tag, scope).await {
            Ok(Lifted::Done) => Ok(StatusCode::NO_CONTENT),
            Ok(Lifted::Absent) => Err(Problem::of(Fault::NotFound)),
            Ok(Lifted::Stands(reason)) => Err(Problem::of(Fault::PersonsWish).saying(format!(
                "its reason is {}: only the person himself takes it back, on his own page",
                reason.as_str()
            ))),
            Err(error) => Err(store_failed(&error)),
        }
    })
    .await
}
