//! Agreements (GDPR Art. 28(3), (9)): drafted from the built-in template or in your own words, signed by both sides,
//! suspended, ended.
//!
//! Invariants: what is signed is shown under one hash as JSON and for people; nothing is in force with one signature.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use duties::agreement::{self, NotAgreed, Paper};
use duties::document::agreement::ProcessingAgreement;
use duties::document::terms::{Date, Language, Party, Role};
use duties::document::{Document, Preset};
use http::{HeaderMap, StatusCode};
use model::agreement::AgreementState;
use model::ids::hex;
use model::{ControllerId, DocumentId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::Scope;
use store::permission::Side;
use utoipa::ToSchema;

use crate::api::signing::{self, METHOD, OwnWords, Signed, Signer};
use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::problem::Problem;
use crate::router::Fault;
use crate::timestamp::rfc3339;

/// Days until agreement and instruction are looked at again, when nothing is said.
pub(crate) const REVIEW_DAYS: u16 = 365;

/// An agreement to be drafted: by a preset, or in your own words.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"preset": "newsletter", "language": "en", "controller": {"name": "Sample Shop Ltd",
    "address": "1 Example Street, 1000 Sampletown", "contact": "privacy@sample.example"}}))]
pub(crate) struct AgreementRequest {
    /// `transactional`, `newsletter`, `both`, `soft-opt-in-shop` or `legal-notices`: what the built-in template is made
    /// for. The operator has signed what comes of it.
    #[serde(default)]
    #[schema(value_type = Option<json::Word>)]
    preset: Option<Preset>,
    /// `en` or `de`.
    #[serde(default)]
    #[schema(value_type = Option<json::Word>)]
    language: Option<Language>,
    /// You, as you stand in the agreement.
    #[serde(default)]
    controller: Option<Identity>,
    /// The day on which the parties look at it again: `2027-11-22`. Without it, in a year.
    #[serde(default)]
    #[schema(value_type = Option<json::Word>)]
    review_due: Option<Date>,
    /// The whole agreement in your own words, as `GET /v1/agreements/{id}/document` shows one. The operator reads it
    /// before he signs.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    content: Option<OwnWords>,
}

/// A party.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Sample Shop Ltd", "address": "1 Example Street, 1000 Sampletown",
    "contact": "privacy@sample.example"}))]
pub(crate) struct Identity {
    /// Legal name.
    name: json::Line,
    /// Postal address.
    address: json::Line,
    /// Who answers for data protection, and how he is reached.
    contact: json::Line,
}

/// An agreement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "doc_…", "version": 1, "state": "draft", "sha256": "…", "made": "2026-11-22T10:00:00Z",
    "signatures": []}))]
pub(crate) struct AgreementAnswer {
    /// Its id.
    id: String,
    /// Its version.
    version: u32,
    /// `draft`, `signed` (its first day has not come), `in-force`, `suspended` or `ended`.
    state: &'static str,
    /// SHA-256 of its canonical JSON: what is signed.
    sha256: String,
    /// When it was written.
    made: String,
    /// From when.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// When the parties look at it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    review_due: Option<String>,
    /// Who signed.
    signatures: Vec<Signed>,
}

/// A controller's agreements, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct AgreementsAnswer {
    /// The agreements.
    agreements: Vec<AgreementAnswer>,
}

/// Where an agreement should stand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"state": "suspended"}))]
pub(crate) struct StateRequest {
    /// `suspended`, `in-force` (to take up what you suspended), or `ended`.
    state: json::Word,
}

fn answer(api: &Api, paper: Paper) -> AgreementAnswer {
    let standing = paper.standing.as_ref();
    AgreementAnswer {
        id: api.store().public_id(paper.id),
        version: paper.version,
        state: paper.state().as_str(),
        sha256: hex(&paper.sha256),
        made: rfc3339(paper.made),
        from: standing.map(|known| rfc3339(known.from)),
        until: standing.and_then(|known| known.until).map(rfc3339),
        review_due: standing.and_then(|known| known.review).map(rfc3339),
        signatures: paper.signatures.into_iter().map(Signed::of).collect(),
    }
}

fn not_agreed(error: NotAgreed) -> Problem {
    match error {
        NotAgreed::Unknown => Problem::of(Fault::NotFound),
        NotAgreed::NoOperator
        | NotAgreed::Signed
        | NotAgreed::Stopped
        | NotAgreed::Superseded
        | NotAgreed::OutOfTurn { .. } => Problem::of(Fault::OutOfTurn).saying(error.to_string()),
        NotAgreed::Lacks(ref missing) => {
            let field = missing.first().map(|first| first.field.clone()).unwrap_or_default();
            Problem::placed(field, error.to_string())
        }
        NotAgreed::Senseless(mistakes) => signing::senseless(&mistakes),
        NotAgreed::Nameless => Problem::field("name", error.to_string()),
        NotAgreed::Other(duties::Error::Store(store::Error::Exists { .. })) => {
            Problem::of(Fault::OutOfTurn).saying("another version was written at the same moment; send it again")
        }
        NotAgreed::Other(duties::Error::Store(error)) => store_failed(&error),
        NotAgreed::Other(error) => {
            tracing::error!(%error, "an agreement could not be read or written");
            Problem::of(Fault::Internal)
        }
    }
}

pub(crate) async fn read<T: DeserializeOwned + Send + 'static>(
    api: &Api,
    request: Request,
) -> Result<(store::Authority, T), Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate_for(&parts.headers, Scope::Authority)?;
    let most = body::DOCUMENT_OCTETS_MAX;
    let received = body::read(api.budget(), authority.controller(), &parts.headers, body, most).await?;
    Ok((authority, received.parse().await?))
}

pub(crate) fn document_id(api: &Api, text: &str) -> Result<DocumentId, Problem> {
    api.store().parse_public(text).ok_or_else(|| Problem::of(Fault::NotFound))
}

/// Drafts an agreement. What the template says is signed by the operator already; your signature concludes it.
#[utoipa::path(
    post, path = "/v1/agreements", tag = "authority", request_body = AgreementRequest,
    responses(
        (status = 201, description = "Drafted", body = AgreementAnswer),
        (status = 400, description = "A field is at fault, or missing", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The operator has not said who he is", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_agreement(
    State(api): State<Api>,
    request: Request,
) -> Result<(StatusCode, Json<AgreementAnswer>), Problem> {
    let (authority, asked) = read::<AgreementRequest>(&api, request).await?;
    let controller = authority.controller();
    to_the_end(async move {
        let id = match (asked.preset, asked.content) {
            (None, Some(content)) => agreement::propose(api.store(), controller, *content).await,
            (Some(preset), None) => {
                let identity = asked.controller.ok_or_else(|| Problem::field("controller", "is missing"))?;
                let Identity { name, address, contact } = identity;
                let (name, address, contact) = ((&*name).into(), (&*address).into(), (&*contact).into());
                let party = Party { role: Role::Controller, name, address, contact };
                let language = asked.language.unwrap_or(Language::English);
                let today = Date::of(api.store().now());
                let review = asked.review_due.unwrap_or_else(|| today.plus_days(REVIEW_DAYS));
                agreement::offer(api.store(), controller, party, (preset, language), review).await
            }
            _ => return Err(Problem::field("preset", "say either a preset, or the whole content in your own words")),
        };
        let paper = found(&api, controller, id.map_err(not_agreed)?).await?;
        Ok((StatusCode::CREATED, Json(answer(&api, paper))))
    })
    .await
}

async fn found(api: &Api, controller: ControllerId, id: DocumentId) -> Result<Paper, Problem> {
    let paper = agreement::paper(api.store(), controller, id).await;
    paper.map_err(|error| not_agreed(error.into()))?.ok_or_else(|| Problem::of(Fault::NotFound))
}

/// Your agreements, oldest first.
#[utoipa::path(
    get, path = "/v1/agreements", tag = "authority",
    responses(
        (status = 200, description = "The agreements", body = AgreementsAnswer),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_agreements(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Json<AgreementsAnswer>, Problem> {
    let authority = api.authenticate_for(&headers, Scope::Authority)?;
    let papers = agreement::papers(api.store(), authority.controller()).await;
    let papers = papers.map_err(|error| not_agreed(error.into()))?;
    Ok(Json(AgreementsAnswer { agreements: papers.into_iter().map(|paper| answer(&api, paper)).collect() }))
}

/// One of your agreements.
#[utoipa::path(
    get, path = "/v1/agreements/{id}", tag = "authority", params(("id" = String, Path, description = "doc_…")),
    responses(
        (status = 200, description = "The agreement", body = AgreementAnswer),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_agreement(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<AgreementAnswer>, Problem> {
    let authority = api.authenticate_for(&headers, Scope::Authority)?;
    let paper = found(&api, authority.controller(), document_id(&api, &id)?).await?;
    Ok(Json(answer(&api, paper)))
}

async fn document(api: &Api, headers: &HeaderMap, id: &str) -> Result<Document, Problem> {
    let authority = api.authenticate_for(headers, Scope::Authority)?;
    let found = agreement::document(api.store(), authority.controller(), document_id(api, id)?).await;
    let found = found.map_err(|error| not_agreed(error.into()))?;
    found.map(|(document, _)| document).ok_or_else(|| Problem::of(Fault::NotFound))
}

/// The agreement's canonical JSON: the octets under the hash that both sides sign.
#[utoipa::path(
    get, path = "/v1/agreements/{id}/document", tag = "authority",
    params(("id" = String, Path, description = "doc_…")),
    responses(
        (status = 200, description = "Canonical JSON (RFC 8785)", body = Object, content_type = "application/json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_agreement_document(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(signing::canonical(&document(&api, &headers, &id).await?))
}

/// The agreement as people read it, made from the same octets, with their hash: HTML, or plain text when the request
/// accepts that alone.
#[utoipa::path(
    get, path = "/v1/agreements/{id}/page", tag = "authority", params(("id" = String, Path, description = "doc_…")),
    responses(
        (status = 200, description = "A page", body = String, content_type = "text/html"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_agreement_page(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    signing::shown::<ProcessingAgreement>(&document(&api, &headers, &id).await?, &headers)
}

/// Signs for you, the controller. When the operator has signed too, the agreement is concluded.
#[utoipa::path(
    post, path = "/v1/agreements/{id}/signature", tag = "authority",
    params(("id" = String, Path, description = "doc_…")), request_body = Signer,
    responses(
        (status = 200, description = "Signed", body = AgreementAnswer),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Signed already, or replaced by a newer version", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_agreement_signature(
    State(api): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<AgreementAnswer>, Problem> {
    let (authority, asked) = read::<Signer>(&api, request).await?;
    let id = document_id(&api, &id)?;
    to_the_end(async move {
        let by = asked.signatory();
        let signed = agreement::sign(api.store(), authority.controller(), id, (Side::Controller, &by, METHOD)).await;
        Ok(Json(answer(&api, signed.map_err(not_agreed)?)))
    })
    .await
}

/// Suspends the agreement, takes up what you suspended, or ends it. It takes effect before it is answered.
#[utoipa::path(
    post, path = "/v1/agreements/{id}/state", tag = "authority",
    params(("id" = String, Path, description = "doc_…")), request_body = StateRequest,
    responses(
        (status = 200, description = "Done", body = AgreementAnswer),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "From where it stands it cannot go there, or not by you", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_agreement_state(
    State(api): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<AgreementAnswer>, Problem> {
    let (authority, asked) = read::<StateRequest>(&api, request).await?;
    let id = document_id(&api, &id)?;
    let state = AgreementState::from_word(&asked.state);
    let state = state.ok_or_else(|| Problem::field("state", "is suspended, in-force or ended"))?;
    to_the_end(async move {
        let turned = agreement::turn(api.store(), authority.controller(), id, state, Side::Controller).await;
        Ok(Json(answer(&api, turned.map_err(not_agreed)?)))
    })
    .await
}
