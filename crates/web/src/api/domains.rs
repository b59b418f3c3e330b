//! `/v1/domains/{domain}/tls-reports`: what other mail systems report of their TLS connections with a domain of yours.
//!
//! Never: an address of a person or of a host. Standards: RFC 8460.

use axum::Json;
use axum::extract::{Path, State};
use http::HeaderMap;
use mail::address::Domain;
use model::Timestamp;
use serde::Serialize;
use store::{Scope, TlsReported};
use utoipa::ToSchema;

use crate::api::{Api, store_failed};
use crate::problem::Problem;
use crate::router::Fault;
use crate::timestamp::rfc3339;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Sessions of one kind on one day, as one system counted them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "day": "2027-01-14", "domain": "bounce.shop.example", "submitter": "mail.example", "policy": "sts",
    "result": "certificate-expired", "sessions": 3
}))]
pub(crate) struct TlsReportRow {
    /// As the reporting system tells days.
    day: String,
    /// The domain of recipients: the one asked for, or the name to which failures of its mail return.
    domain: String,
    /// Who reports: the domain that signed the report.
    submitter: String,
    /// `tlsa`, `sts` or `no-policy-found` (RFC 8460 §4.4).
    policy: String,
    /// `successful`, why they failed in the words of RFC 8460 §4.3, or `other`.
    result: String,
    /// How many.
    sessions: u64,
}

/// What is reported of a domain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct TlsReportsAnswer {
    /// The newest days first; at most 1,000 rows, and 400 days.
    reports: Vec<TlsReportRow>,
}

/// What other mail systems report of their TLS connections with a domain of yours (RFC 8460). Only reports that came
/// signed by whoever wrote them count.
#[utoipa::path(
    get, path = "/v1/domains/{domain}/tls-reports", tag = "domains",
    params(("domain" = String, Path, description = "A verified domain of yours, or the name of its return path")),
    responses(
        (status = 200, description = "What is reported", body = TlsReportsAnswer),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours by this name", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_tls_reports(
    State(api): State<Api>,
    Path(domain): Path<String>,
    headers: HeaderMap,
) -> Result<Json<TlsReportsAnswer>, Problem> {
    let controller = api.authenticate_for(&headers, Scope::Authority)?.controller();
    let missing = || Problem::of(Fault::NotFound);
    let domain = Domain::parse(&domain).map_err(|_| missing())?;
    let found = api.store().tls_reported(controller, &domain).await.map_err(|error| store_failed(&error))?;
    let reports = found.ok_or_else(missing)?.into_iter().map(row).collect();
    Ok(Json(TlsReportsAnswer { reports }))
}

fn row(told: TlsReported) -> TlsReportRow {
    let moment = rfc3339(Timestamp::from_micros(told.day.saturating_mul(MICROS_PER_DAY)));
    let day = moment.split('T').next().unwrap_or_default().to_owned();
    let result = if told.failure.is_empty() { "successful".to_owned() } else { told.failure };
    let TlsReported { domain, submitter, policy, sessions, .. } = told;
    TlsReportRow { day, domain, submitter, policy, result, sessions }
}
