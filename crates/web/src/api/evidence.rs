//! `POST /v1/consents/export`: the evidence of one person's consent to one purpose, as a file that anybody can check
//! without us (GDPR Art. 7(1)).
//!
//! Invariants: the address is in the body, never in the path, where logs would keep it; what is handed over is in the
//! ledger before it is.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use duties::consent::{NotExported, export};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::suppressions::address;
use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::problem::Problem;
use crate::router::Fault;
use store::Scope;

/// Whose consent to what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@dest.example", "purpose": "newsletter"}))]
pub(crate) struct EvidenceRequest {
    /// The address.
    email: json::Email,
    /// Name of the purpose.
    purpose: json::Word,
}

/// Exports the evidence: a ZIP archive with the record (ISO/IEC TS 27560 in W3C DPV JSON-LD), the exact words shown,
/// what each leaf of the ledger is about, its receipts (`.tlog-proof`), and a README that says how to check them. Each
/// export is itself an entry of the ledger.
#[utoipa::path(
    post, path = "/v1/consents/export", tag = "people", request_body = EvidenceRequest,
    responses(
        (status = 200, description = "The file", content_type = "application/zip"),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nothing is recorded of this person for this purpose", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment, or an act is not in the ledger yet", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_export(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate_for(&parts.headers, Scope::People)?;
    let received =
        body::read(api.budget(), authority.controller(), &parts.headers, body, body::SMALL_OCTETS_MAX).await?;
    let asked: EvidenceRequest = received.parse().await?;
    let (address, controller) = (address(&asked.email)?, authority.controller());
    let purpose = api.store().purpose_named(controller, &asked.purpose);
    let purpose = purpose.ok_or_else(|| Problem::field("purpose", "there is no purpose of this name"))?;
    to_the_end(async move {
        let file = export(api.store(), controller, &address, purpose).await.map_err(|error| refused(&error))?;
        let fields = [
            (CONTENT_TYPE, HeaderValue::from_static("application/zip")),
            (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"consent.zip\"")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        Ok((fields, file).into_response())
    })
    .await
}

fn refused(error: &NotExported) -> Problem {
    match error {
        NotExported::NothingRecorded => Problem::of(Fault::NotFound).saying("nothing is recorded of this person"),
        NotExported::NotInLogYet => Problem::of(Fault::Temporary).saying(error.to_string()),
        NotExported::Other(duties::Error::Store(error)) => store_failed(error),
        error => {
            tracing::error!(%error, "evidence could not be exported");
            Problem::of(Fault::Internal)
        }
    }
}
