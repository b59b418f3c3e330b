//! `/v1/credentials`: credentials of your systems, for a key that has the scope `credentials` (GDPR Art. 29, 32(4)).
//!
//! Invariants: nothing here gives a right that the asking key has not itself; a secret is in one answer and in none
//! after it; credentials of others, and those of the platform, look as if they did not exist.

use axum::Json;
use axum::extract::{Path, Request, State};
use http::{HeaderMap, StatusCode};
use model::CredentialId;
use serde::{Deserialize, Serialize};
use store::{Authority, CredentialPlan, CredentialView, Mode, NotMade, Scope, Scopes, to_send};
use utoipa::ToSchema;

use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::problem::Problem;
use crate::router::Fault;
use crate::timestamp::rfc3339;

/// Streams of one request.
const STREAMS_MAX: usize = 100;
/// Characters of a note.
const NOTE_MAX: usize = 200;

/// A credential to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"streams": ["newsletter"], "scopes": ["api"], "note": "campaigns"}))]
pub(crate) struct CredentialRequest {
    /// Names of streams, the default first. `["*"]`: every one, those included that an instruction adds later.
    #[serde(deserialize_with = "json::list::<_, _, STREAMS_MAX>")]
    #[schema(max_items = 100)]
    streams: Vec<json::Word>,
    /// `smtp`, `api` (send, and tell that somebody wishes no more), `people` (consents, lists, imports, rights),
    /// `authority` (agreements, instructions, profile, host names), `credentials`. Without it, `smtp` and `api`.
    #[serde(default, deserialize_with = "json::list::<_, _, 5>")]
    #[schema(max_items = 5)]
    scopes: Vec<json::Word>,
    /// For trying out: what it sends passes the gate, is queued, signed and told of, ends as `sandboxed`, and nothing
    /// of it leaves. A key of the sandbox makes no other.
    #[serde(default)]
    sandbox: bool,
    /// What it is for.
    #[serde(default)]
    note: json::Line,
}

/// A credential, without its secrets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "crd_…", "username": "key-…", "streams": ["newsletter"], "scopes": ["smtp"],
    "sandbox": false, "note": "", "state": "valid"}))]
pub(crate) struct CredentialAnswer {
    /// Its id.
    id: String,
    /// User name for SMTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// The first half of its API key, by which you tell keys apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_begins: Option<String>,
    /// Names of its streams; `*` for all.
    streams: Vec<String>,
    /// What it may do.
    scopes: Vec<&'static str>,
    /// Whether it is for trying out: nothing that it sends leaves.
    sandbox: bool,
    /// What it is for.
    note: String,
    /// `valid`, `expired` or `revoked`.
    state: &'static str,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<String>,
    /// Until when it can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    /// Since when it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
}

/// A credential that was made. Its secrets are in this answer alone.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"id": "crd_…", "username": "key-…", "password": "…"}))]
pub(crate) struct CredentialMade {
    /// Its id.
    id: String,
    /// User name for SMTP. Absent without the scope `smtp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// Password for SMTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// API key. Absent without the scope `api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
}

/// Your credentials.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct CredentialList {
    /// The credentials, oldest first. One that ended is listed for 30 days.
    credentials: Vec<CredentialAnswer>,
}

fn answer(api: &Api, view: CredentialView) -> CredentialAnswer {
    let has = |scope| view.scopes.contains(&scope);
    let is_over = view.expires.is_some_and(|at| at <= api.store().now());
    CredentialAnswer {
        id: api.store().public_id(view.id),
        username: has(Scope::Smtp).then_some(view.username),
        key_begins: has(Scope::Api).then_some(view.key_name),
        streams: view.streams.unwrap_or_else(|| vec!["*".to_owned()]),
        scopes: view.scopes.iter().map(|scope| scope.as_str()).collect(),
        sandbox: view.mode == Mode::Sandbox,
        note: view.note,
        state: match view.revoked {
            Some(_) => "revoked",
            None if is_over => "expired",
            None => "valid",
        },
        made: view.made.map(rfc3339),
        expires: view.expires.map(rfc3339),
        revoked: view.revoked.map(rfc3339),
    }
}

/// Who asks, if his key may administer credentials.
fn administrator(api: &Api, headers: &HeaderMap) -> Result<Authority, Problem> {
    api.authenticate_for(headers, Scope::Credentials)
}

fn scopes(words: &[String]) -> Result<Scopes, Problem> {
    if words.is_empty() {
        return Ok(to_send());
    }
    let scope = |word: &String| Scope::from_word(word);
    let unknown = || Problem::field("scopes", "has a word that is none of smtp, api, people, authority, credentials");
    words.iter().map(scope).collect::<Option<_>>().ok_or_else(unknown)
}

fn not_made(error: NotMade) -> Problem {
    match error {
        NotMade::NoStream(_) => Problem::field("streams", "names no stream that a credential can be made for"),
        NotMade::NoDoor => Problem::field("scopes", error.to_string()),
        NotMade::Beyond(_) => Problem::of(Fault::OutOfScope).saying(error.to_string()),
        NotMade::TooMany => Problem::of(Fault::OutOfTurn).saying(error.to_string()),
        NotMade::Store(error) => store_failed(&error),
    }
}

/// Your credentials, without their secrets.
#[utoipa::path(
    get, path = "/v1/credentials", tag = "credentials",
    responses(
        (status = 200, description = "Your credentials", body = CredentialList),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The key has not the scope `credentials`", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_credentials(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Json<CredentialList>, Problem> {
    let controller = administrator(&api, &headers)?.controller();
    let known = api.store().credentials_of(controller).await.map_err(|error| store_failed(&error))?;
    Ok(Json(CredentialList { credentials: known.into_iter().map(|view| answer(&api, view)).collect() }))
}

/// Makes a credential. Its secrets are in the answer and cannot be had again. It may do nothing that the asking key may
/// not do, and ends when that key expires.
#[utoipa::path(
    post, path = "/v1/credentials", tag = "credentials", request_body = CredentialRequest,
    responses(
        (status = 201, description = "Made", body = CredentialMade),
        (status = 400, description = "A field is at fault", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The key has not the scope `credentials`, or asks for more than it may itself",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There are too many", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_credential(
    State(api): State<Api>,
    request: Request,
) -> Result<(StatusCode, Json<CredentialMade>), Problem> {
    let (parts, body) = request.into_parts();
    let authority = administrator(&api, &parts.headers)?;
    let received =
        body::read(api.budget(), authority.controller(), &parts.headers, body, body::SMALL_OCTETS_MAX).await?;
    let asked: CredentialRequest = json::parse(&received.octets)?;
    let own = |words: Vec<json::Word>| words.into_iter().map(String::from).collect::<Vec<_>>();
    let (streams, scopes, note) = (own(asked.streams), scopes(&own(asked.scopes))?, String::from(asked.note));
    if note.chars().count() > NOTE_MAX || note.chars().any(char::is_control) {
        return Err(Problem::field("note", format!("is one line of at most {NOTE_MAX} characters")));
    }
    let streams = api.store().streams_for(authority.controller(), &streams).map_err(not_made)?;
    let mode = if asked.sandbox { Mode::Sandbox } else { Mode::Live };
    let plan = CredentialPlan { streams, scopes, mode, note };
    to_the_end(async move {
        let made = api.store().make_credential_by(&authority, &plan).await.map_err(not_made)?;
        let by_smtp = plan.scopes.contains(&Scope::Smtp);
        let answer = CredentialMade {
            id: api.store().public_id(made.id),
            username: by_smtp.then_some(made.username),
            password: by_smtp.then_some(made.password),
            api_key: plan.scopes.contains(&Scope::Api).then_some(made.api_key),
        };
        Ok((StatusCode::CREATED, Json(answer)))
    })
    .await
}

/// Revokes a credential. It is refused from now on; other nodes refuse it within five seconds.
#[utoipa::path(
    delete, path = "/v1/credentials/{id}", tag = "credentials",
    params(("id" = String, Path, description = "Id of the credential")),
    responses(
        (status = 204, description = "Revoked"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The key has not the scope `credentials`", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "None of yours by this id, or revoked before", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn delete_credential(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let controller = administrator(&api, &headers)?.controller();
    let missing = || Problem::of(Fault::NotFound);
    let id: CredentialId = api.store().parse_public(&id).ok_or_else(missing)?;
    to_the_end(async move {
        match api.store().revoke_credential(controller, id).await {
            Ok(()) => Ok(StatusCode::NO_CONTENT),
            Err(store::Error::NotFound { .. }) => Err(missing()),
            Err(error) => Err(store_failed(&error)),
        }
    })
    .await
}
