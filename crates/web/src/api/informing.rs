//! `POST /v1/imports/{id}/information`: how the people of an import were informed whose data came from somebody else
//! (GDPR Art. 14).
//!
//! Invariants: it is the controller's word, kept as such, with a leaf; after it marketing to them goes on. Never: a
//! guess that somebody was informed because something was mailed to him.

use axum::Json;
use axum::extract::{Path, Request, State};
use marketing::import::Informing;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::imports::{Import, batch, shown};
use crate::api::{Api, body, json, store_failed};
use crate::problem::Problem;
use crate::router::Fault;
use store::Scope;

/// When and how they were informed, or why they need not be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"on": "2026-11-20", "how": "by e-mail, with the notice", "notice": "privacy:3:en"}))]
pub(crate) struct InformationRequest {
    /// The day on which the last of them was informed: YYYY-MM-DD.
    #[serde(default)]
    on: Option<json::Line>,
    /// How, in words.
    #[serde(default)]
    how: Option<json::Line>,
    /// The notice that they got: any reference.
    #[serde(default)]
    notice: Option<json::Line>,
    /// Why they need not be informed, instead: a, b, c or d, the letter of GDPR Art. 14(5).
    #[serde(default)]
    exemption: Option<json::Line>,
    /// Where the assessment of that exemption is.
    #[serde(default)]
    assessment: Option<json::Line>,
}

impl InformationRequest {
    fn words(self) -> Informing {
        Informing {
            on: self.on.map(String::from),
            how: self.how.map(String::from),
            notice: self.notice.map(String::from),
            exemption: self.exemption.map(String::from),
            assessment: self.assessment.map(String::from),
        }
    }
}

/// Says how the people of an import were informed. In force when it is answered; saying it again replaces it, and the
/// ledger has both.
#[utoipa::path(
    post, path = "/v1/imports/{id}/information", tag = "people", request_body = InformationRequest,
    params(("id" = String, Path, description = "The import's id")),
    responses(
        (status = 200, description = "In force: the import, with what was said", body = Import),
        (status = 400, description = "A field is at fault, the import is not done, or nobody is to be informed",
         body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The credential has not the scope", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "No import of this controller by that id", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_information(
    State(api): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Import>, Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate_for(&parts.headers, Scope::People)?;
    let id = batch(&api, &id)?;
    let controller = authority.controller();
    let received = body::read(api.budget(), controller, &parts.headers, body, body::SMALL_OCTETS_MAX).await?;
    let asked: InformationRequest = received.parse().await?;
    let store = api.store();
    let view = async || store.import_view(controller, id).await.map_err(|error| store_failed(&error));
    let found = view().await?.ok_or_else(|| Problem::of(Fault::NotFound))?;
    if found.state != "done" {
        return Err(Problem::field("", format!("the import is {}, and not done", found.state)));
    }
    if found.inform.is_none() {
        return Err(Problem::field("", "the data of nobody who came with this import came from somebody else"));
    }
    let said = asked.words().said(store.now()).map_err(|fault| Problem::field(fault.field, fault.fault))?;
    store.people_informed(controller, id, &said).await.map_err(|error| store_failed(&error))?;
    let told = view().await?.ok_or_else(|| Problem::of(Fault::NotFound))?;
    Ok(Json(shown(&api, told)))
}
