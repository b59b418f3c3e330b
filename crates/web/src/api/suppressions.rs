//! `POST /v1/suppressions`: the controller puts a person on his suppression list.
//!
//! Any valid key may do it, whether or not an agreement is in force: it only takes processing away. Its effect on mail
//! that waits is immediate: the store raises the permission generation with the commit. There is no
//! route that takes an entry away: an opt-out is lifted by the person alone (GDPR Art. 21(3)).

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use mail::address::Address;
use model::person::{SuppressionReason, SuppressionScope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::problem::Problem;
use store::{Authority, Store};

#[cfg(test)]
mod tests;

/// Whom to mail no more, and how far that reaches.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@dest.example", "scope": "marketing", "reason": "objection"}))]
pub(crate) struct SuppressionRequest {
    /// The address.
    email: String,
    /// `all`, `marketing`, `delivery`, or `stream:` and the name of a stream.
    scope: String,
    /// `controller` (default), `opt-out`, `complaint` or `objection`.
    #[serde(default)]
    reason: Option<String>,
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
    let received = body::read(api.budget(), &parts.headers, body).await?;
    let asked: SuppressionRequest = json::parse(&received.octets)?;
    let address = address(&asked.email)?;
    let scope = scope(&asked.scope, &authority, api.store())?;
    let reason = reason(asked.reason.as_deref())?;
    to_the_end(async move {
        let done = api.store().suppress(authority.controller(), &address, scope, reason).await;
        done.map_err(|error| store_failed(&error))?;
        Ok((StatusCode::CREATED, Json(Suppression { scope: asked.scope, reason: reason.as_str() })))
    })
    .await
}

/// The address of a request's `email`; the fault's text does not repeat it.
pub(crate) fn address(text: &str) -> Result<Address, Problem> {
    Address::parse(text).map_err(|fault| Problem::field("email", fault.to_string()))
}

fn scope(text: &str, authority: &Authority, store: &Store) -> Result<SuppressionScope, Problem> {
    match text {
        "all" => Ok(SuppressionScope::All),
        "marketing" => Ok(SuppressionScope::Marketing),
        "delivery" => Ok(SuppressionScope::Delivery),
        _ => match text.strip_prefix("stream:") {
            Some(name) => match store.stream_named(authority.controller(), name) {
                Some(stream) => Ok(SuppressionScope::Purpose(stream.default_purpose())),
                None => Err(Problem::field("scope", "there is no stream of this name")),
            },
            None => Err(Problem::field("scope", "expected all, marketing, delivery or stream:NAME")),
        },
    }
}

/// What a controller may state. Bounces are ours to record; an erasure has a procedure of its own (GDPR Art. 17).
fn reason(word: Option<&str>) -> Result<SuppressionReason, Problem> {
    match word.map_or(Some(SuppressionReason::Controller), SuppressionReason::from_word) {
        Some(
            reason @ (SuppressionReason::Controller
            | SuppressionReason::OptOut
            | SuppressionReason::Complaint
            | SuppressionReason::Objection),
        ) => Ok(reason),
        _ => Err(Problem::field("reason", "expected controller, opt-out, complaint or objection")),
    }
}
