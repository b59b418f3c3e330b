//! Instructions (GDPR Art. 28(3)(a), 29): written from presets or in whole, given, held when they look infringing, and
//! what you were told of them.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use duties::document::instruction::{Instruction, preset as from_preset};
use duties::document::terms::{Date, Language};
use duties::document::{Document, Preset};
use duties::instruction::{self, NotInstructed, Outcome, Paper};
use http::{HeaderMap, StatusCode};
use model::ids::hex;
use model::{ControllerId, DocumentId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::agreements::{REVIEW_DAYS, document_id, read};
use crate::api::json::{Line, Text, Word};
use crate::api::signing::{self, Found, METHOD, Signed, Signer};
use crate::api::{Api, store_failed, to_the_end};
use crate::problem::Problem;
use crate::public::door;
use crate::router::Fault;
use crate::timestamp::rfc3339;
use store::Scope;

/// Why an instruction is confirmed.
type Statement = Text<STATEMENT_MAX>;

/// An instruction to be written: by a preset, or in whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"preset": "newsletter", "issued_by": "Sam Sample", "language": "en"}))]
pub(crate) struct InstructionRequest {
    /// `transactional`, `newsletter`, `both`, `soft-opt-in-shop` or `legal-notices`.
    #[serde(default)]
    #[schema(value_type = Option<Word>)]
    preset: Option<Preset>,
    /// `en` or `de`.
    #[serde(default)]
    #[schema(value_type = Option<Word>)]
    language: Option<Language>,
    /// Who gives it.
    #[serde(default)]
    issued_by: Option<Line>,
    /// The day on which you look at it again. Without it, in a year.
    #[serde(default)]
    #[schema(value_type = Option<Word>)]
    review_due: Option<Date>,
    /// The whole instruction, as `GET /v1/instructions/{id}/document` shows one.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    content: Option<Box<Instruction>>,
}

/// An instruction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "doc_…", "version": 1, "state": "proposed", "sha256": "…",
    "made": "2026-11-22T10:00:00Z", "signatures": [], "findings": []}))]
pub(crate) struct InstructionAnswer {
    /// Its id.
    id: String,
    /// Its version.
    version: u32,
    /// `proposed`, `in-force`, `held` or `superseded`.
    state: &'static str,
    /// SHA-256 of its canonical JSON.
    sha256: String,
    /// When it was written.
    made: String,
    /// Since when it stands so.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// When you look at it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    review_due: Option<String>,
    /// Who gave it.
    signatures: Vec<Signed>,
    /// What looks infringing, under the agreement in force. Absent where that is not asked, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<Found>>,
}

/// A controller's instructions, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct InstructionsAnswer {
    /// The instructions.
    instructions: Vec<InstructionAnswer>,
}

/// Who confirms, and what he says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Sam Sample", "capacity": "managing director",
    "statement": "the law of our trade obliges us to keep these records for seven years"}))]
pub(crate) struct Confirmation {
    /// The name of who confirms.
    name: Line,
    /// In which capacity.
    capacity: Line,
    /// Why you want it nevertheless.
    statement: Statement,
}

/// Characters of a statement.
const STATEMENT_MAX: usize = 2_000;

fn answer(api: &Api, paper: Paper, findings: Option<Vec<Found>>) -> InstructionAnswer {
    let standing = paper.standing.as_ref();
    InstructionAnswer {
        id: api.store().public_id(paper.id),
        version: paper.version,
        state: paper.state().as_str(),
        sha256: hex(&paper.sha256),
        made: rfc3339(paper.made),
        from: standing.map(|known| rfc3339(known.from)),
        review_due: standing.and_then(|known| known.review).map(rfc3339),
        signatures: paper.signatures.into_iter().map(Signed::of).collect(),
        findings,
    }
}

fn not_instructed(error: NotInstructed) -> Problem {
    match error {
        NotInstructed::Unknown => Problem::of(Fault::NotFound),
        NotInstructed::NoAgreement
        | NotInstructed::Given
        | NotInstructed::Superseded
        | NotInstructed::NotHeld
        | NotInstructed::Moving
        | NotInstructed::OtherKind
        | NotInstructed::MustBeAmended(_) => Problem::of(Fault::OutOfTurn).saying(error.to_string()),
        NotInstructed::Senseless(mistakes) => signing::senseless(&mistakes),
        NotInstructed::Impossible(ref list) => {
            let path = list.first().map(|first| first.path.clone()).unwrap_or_default();
            Problem::placed(path, error.to_string())
        }
        NotInstructed::Nameless => Problem::field("name", error.to_string()),
        NotInstructed::Other(duties::Error::Store(store::Error::Exists { .. })) => {
            Problem::of(Fault::OutOfTurn).saying("another version was written at the same moment; send it again")
        }
        NotInstructed::Other(duties::Error::Store(error)) => store_failed(&error),
        NotInstructed::Other(error) => {
            tracing::error!(%error, "an instruction could not be read or written");
            Problem::of(Fault::Internal)
        }
    }
}

/// Writes an instruction as a draft, and says what looks infringing in it.
#[utoipa::path(
    post, path = "/v1/instructions", tag = "authority", request_body = InstructionRequest,
    responses(
        (status = 201, description = "Written", body = InstructionAnswer),
        (status = 400, description = "A field is at fault, or asks for what this node cannot do", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another version was written at the same moment", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_instruction(
    State(api): State<Api>,
    request: Request,
) -> Result<(StatusCode, Json<InstructionAnswer>), Problem> {
    let (authority, asked) = read::<InstructionRequest>(&api, request).await?;
    let controller = authority.controller();
    let content = match (asked.preset, asked.content) {
        (None, Some(content)) => *content,
        (Some(preset), None) => {
            let by = asked.issued_by.ok_or_else(|| Problem::field("issued_by", "is missing"))?;
            let today = Date::of(api.store().now());
            let review = asked.review_due.unwrap_or_else(|| today.plus_days(REVIEW_DAYS));
            from_preset(preset, asked.language.unwrap_or(Language::English), &by, review)
        }
        _ => return Err(Problem::field("preset", "say either a preset, or the whole content")),
    };
    to_the_end(async move {
        let id = instruction::draft(api.store(), controller, content).await.map_err(not_instructed)?;
        Ok((StatusCode::CREATED, Json(with_findings(&api, controller, id).await?)))
    })
    .await
}

async fn found(api: &Api, controller: ControllerId, id: DocumentId) -> Result<Paper, Problem> {
    let paper = instruction::paper(api.store(), controller, id).await;
    paper.map_err(|error| not_instructed(error.into()))?.ok_or_else(|| Problem::of(Fault::NotFound))
}

async fn with_findings(api: &Api, controller: ControllerId, id: DocumentId) -> Result<InstructionAnswer, Problem> {
    let paper = found(api, controller, id).await?;
    let content = instruction::content(api.store(), controller, id).await;
    let content = content.map_err(|error| not_instructed(error.into()))?;
    let content = content.ok_or_else(|| Problem::of(Fault::NotFound))?;
    let findings = match instruction::look(api.store(), controller, &content).await {
        Ok((_, findings)) => Some(findings.iter().map(Found::of).collect()),
        Err(NotInstructed::NoAgreement) => None,
        Err(error) => return Err(not_instructed(error)),
    };
    Ok(answer(api, paper, findings))
}

/// Your instructions, oldest first.
#[utoipa::path(
    get, path = "/v1/instructions", tag = "authority",
    responses(
        (status = 200, description = "The instructions", body = InstructionsAnswer),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_instructions(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Json<InstructionsAnswer>, Problem> {
    let authority = api.authenticate_for(&headers, Scope::Authority)?;
    let papers = instruction::papers(api.store(), authority.controller()).await;
    let papers = papers.map_err(|error| not_instructed(error.into()))?;
    let instructions = papers.into_iter().map(|paper| answer(&api, paper, None)).collect();
    Ok(Json(InstructionsAnswer { instructions }))
}

/// One of your instructions, with what looks infringing in it.
#[utoipa::path(
    get, path = "/v1/instructions/{id}", tag = "authority", params(("id" = String, Path, description = "doc_…")),
    responses(
        (status = 200, description = "The instruction", body = InstructionAnswer),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_instruction(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<InstructionAnswer>, Problem> {
    let authority = api.authenticate_for(&headers, Scope::Authority)?;
    Ok(Json(with_findings(&api, authority.controller(), document_id(&api, &id)?).await?))
}

async fn document(api: &Api, headers: &HeaderMap, id: &str) -> Result<Document, Problem> {
    let authority = api.authenticate_for(headers, Scope::Authority)?;
    let found = instruction::document(api.store(), authority.controller(), document_id(api, id)?).await;
    let found = found.map_err(|error| not_instructed(error.into()))?;
    found.map(|(document, _)| document).ok_or_else(|| Problem::of(Fault::NotFound))
}

/// The instruction's canonical JSON: the octets under the hash.
#[utoipa::path(
    get, path = "/v1/instructions/{id}/document", tag = "authority",
    params(("id" = String, Path, description = "doc_…")),
    responses(
        (status = 200, description = "Canonical JSON (RFC 8785)", body = Object, content_type = "application/json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_instruction_document(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(signing::canonical(&document(&api, &headers, &id).await?))
}

/// The instruction as people read it, made from the same octets, with their hash.
#[utoipa::path(
    get, path = "/v1/instructions/{id}/page", tag = "authority",
    params(("id" = String, Path, description = "doc_…")),
    responses(
        (status = 200, description = "A page", body = String, content_type = "text/html"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_instruction_page(
    State(api): State<Api>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    signing::shown::<Instruction>(&document(&api, &headers, &id).await?, &headers)
}

/// Gives the instruction. One that looks infringing is held, and you are told why: the one before stays in force.
#[utoipa::path(
    post, path = "/v1/instructions/{id}/issue", tag = "authority",
    params(("id" = String, Path, description = "doc_…")), request_body = Signer,
    responses(
        (status = 200, description = "In force, or held: see `state` and `findings`", body = InstructionAnswer),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Given already, behind a newer one, or no agreement in force", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_instruction_issue(
    State(api): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<InstructionAnswer>, Problem> {
    let (authority, asked) = read::<Signer>(&api, request).await?;
    let (controller, id) = (authority.controller(), document_id(&api, &id)?);
    to_the_end(async move {
        let by = asked.signatory();
        let outcome = instruction::give(api.store(), controller, id, (&by, METHOD)).await.map_err(not_instructed)?;
        if let Outcome::Held(_, found) = outcome {
            let lines: Vec<String> =
                found.iter().map(|one| format!("- {}: {} ({})", one.path, one.sentence, one.article)).collect();
            door::tell_held(&api, controller, &api.store().public_id(id), &lines.join("\n")).await;
        }
        Ok(Json(with_findings(&api, controller, id).await?))
    })
    .await
}

/// Confirms an instruction that is held, where what looks infringing turns on facts that you alone know.
#[utoipa::path(
    post, path = "/v1/instructions/{id}/confirmation", tag = "authority",
    params(("id" = String, Path, description = "doc_…")), request_body = Confirmation,
    responses(
        (status = 200, description = "In force", body = InstructionAnswer),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not held, or to be amended", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_instruction_confirmation(
    State(api): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<InstructionAnswer>, Problem> {
    let (authority, asked) = read::<Confirmation>(&api, request).await?;
    let (controller, id) = (authority.controller(), document_id(&api, &id)?);
    let Confirmation { name, capacity, statement } = asked;
    if statement.trim().is_empty() {
        return Err(Problem::field("statement", format!("is 1 to {STATEMENT_MAX} characters")));
    }
    to_the_end(async move {
        let by = Signer { name, capacity }.signatory();
        let confirmed = instruction::confirm(api.store(), controller, id, &by, &statement).await;
        confirmed.map_err(not_instructed)?;
        Ok(Json(with_findings(&api, controller, id).await?))
    })
    .await
}
