//! `POST /v1/imports/{id}/release`: rows that wait for their provenance come in, once it is named (GDPR Art. 5(2), 14).
//!
//! Invariants: the same judgement as for a file: nobody who objects is raised by it (GDPR Art. 21(3)), what a row said
//! itself stands before what is named now, and rows that still lack something wait on.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use http::StatusCode;
use marketing::import::{Comments, Format, Mode, Tell, Words, release};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::api::imports::{batch, told, within};
use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::listener::Patience;
use crate::problem::Problem;
use crate::router::Fault;
use store::Scope;

/// Purposes of a file.
const PURPOSES_MAX: usize = 64;

/// What the rows lack. What a row, or its file, said before stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"source": "summer fair 2025", "method": "paper", "notice": "signup:3"}))]
pub(crate) struct ReleaseRequest {
    /// Where the contacts came from, in words.
    #[serde(default)]
    source: Option<json::Line>,
    /// How: form, double_opt_in, paper, verbal, api, existing_customer, other.
    #[serde(default)]
    method: Option<json::Line>,
    /// The notice that was shown: id or SHA-256 of a document that is kept, NAME:VERSION:LANGUAGE, or any reference.
    #[serde(default)]
    notice: Option<json::Line>,
    /// The lawful basis: consent, soft-opt-in, contract, legal-obligation.
    #[serde(default)]
    basis: Option<json::Line>,
    /// Of a soft opt-in, beside the method existing_customer: similar-products, opt-out-at-collection (both needed).
    #[serde(default)]
    soft_opt_in: Option<json::Line>,
    /// From whom the data were obtained: person or third-party (GDPR Art. 14).
    #[serde(default)]
    obtained: Option<json::Line>,
    /// The first day on which they were collected.
    #[serde(default)]
    collected_from: Option<json::Line>,
    /// The last day.
    #[serde(default)]
    collected_until: Option<json::Line>,
    /// Names of purposes; without any, those that were said of the file.
    #[serde(default, deserialize_with = "json::list::<_, _, PURPOSES_MAX>")]
    #[schema(max_items = 64)]
    purposes: Vec<json::Word>,
}

impl ReleaseRequest {
    fn words(self) -> Words {
        Words {
            purposes: self.purposes.into_iter().map(String::from).collect(),
            source: self.source.map(String::from),
            method: self.method.map(String::from),
            notice: self.notice.map(String::from),
            basis: self.basis.map(String::from),
            soft_opt_in: self.soft_opt_in.map(String::from),
            obtained: self.obtained.map(String::from),
            collected_from: self.collected_from.map(String::from),
            collected_until: self.collected_until.map(String::from),
            ..Words::default()
        }
    }
}

/// Lets the waiting rows of an import go. They come in as an import of its own, with a receipt like any other; what
/// still lacks something waits with that one.
#[utoipa::path(
    post, path = "/v1/imports/{id}/release", tag = "people", request_body = ReleaseRequest,
    params(("id" = String, Path, description = "The id of the import whose rows wait")),
    responses(
        (status = 201, description = "In force: the receipt of the import as which the rows came in", body = Value),
        (status = 400, description = "A field is at fault, or the import is not done", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Refused for the sender as a whole", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "No import of this controller by that id", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment, or another import is under way", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_release(
    State(api): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate_for(&parts.headers, Scope::People)?;
    let id = batch(&api, &id)?;
    let controller = authority.controller();
    let found = api.store().import_view(controller, id).await.map_err(|error| store_failed(&error))?;
    let found = found.ok_or_else(|| Problem::of(Fault::NotFound))?;
    let received =
        body::read(api.budget(), authority.controller(), &parts.headers, body, body::SMALL_OCTETS_MAX).await?;
    let asked: ReleaseRequest = received.parse().await?;
    // GDPR Art. 28(3): contacts are kept only where mail might go to them.
    if let Some(refusal) = api.submission().check_sender(&authority) {
        return Err(Problem::refused(refusal.rule(), api.base_url()));
    }
    if found.state != "done" {
        return Err(Problem::field("", format!("the import is {}: only rows of one that is done wait", found.state)));
    }
    let turn = api.turn().take(api.store(), controller)?;
    let store = Arc::clone(api.store());
    // The rows are read from the store: of the plan only what is said of them all counts.
    let format = Format::PlainList { comments: Comments::None };
    let plan = asked.words().plan(&store, controller, store.now(), format, Mode::Write);
    let mut plan = plan.map_err(|fault| Problem::field(fault.field, fault.fault))?;
    plan.within = within(&api, &authority, &plan.purposes)?;
    // Bounded by the rows that wait; the nonce is told once.
    Patience::lift_for(&parts.extensions);
    to_the_end(async move {
        let tell: Tell = Arc::new(|_| ());
        let mut receipt = told(&api, release(&store, id, plan, &tell).await)?;
        drop(turn);
        receipt["released_from"] = json!(store.public_id(id));
        Ok((StatusCode::CREATED, Json(receipt)))
    })
    .await
}
