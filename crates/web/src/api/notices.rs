//! `POST /v1/notices`: keeps the words that people were shown, so that a consent can be shown with them (GDPR
//! Art. 7(1)).

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use model::ids::hex;
use serde::{Deserialize, Serialize};
use store::Scope;
use store::permission::{DocumentKind, NewDocument};
use utoipa::ToSchema;

use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::problem::Problem;

/// Octets of a notice.
const TEXT_OCTETS_MAX: usize = 256 * 1_024;

/// What was shown.
type Words = json::Text<TEXT_OCTETS_MAX>;

/// The words.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "newsletter", "version": 3, "language": "en", "text": "We send you …"}))]
pub(crate) struct NoticeRequest {
    /// Letters, digits and hyphens.
    name: json::Word,
    /// From 1. The same words in several languages have one number.
    #[schema(maximum = 4294967295_u32)]
    version: u32,
    /// BCP 47 tag.
    language: json::Word,
    /// Exactly as it was shown.
    text: Words,
}

/// What is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "doc_…", "sha256": "…"}))]
pub(crate) struct NoticeAnswer {
    /// Its id, for `POST /v1/consents`.
    id: String,
    /// SHA-256 of the text's octets.
    sha256: String,
}

/// Keeps a version of a notice for good. The same again is answered alike.
#[utoipa::path(
    post, path = "/v1/notices", tag = "people", request_body = NoticeRequest,
    responses(
        (status = 201, description = "Kept", body = NoticeAnswer),
        (status = 400, description = "A field is at fault, or this version says something else", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_notice(
    State(api): State<Api>,
    request: Request,
) -> Result<(StatusCode, Json<NoticeAnswer>), Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate_for(&parts.headers, Scope::People)?;
    let received =
        body::read(api.budget(), authority.controller(), &parts.headers, body, body::DOCUMENT_OCTETS_MAX).await?;
    let asked: NoticeRequest = received.parse().await?;
    let plain = |text: &str| {
        (1..=64).contains(&text.len()) && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
    };
    if !plain(&asked.name) {
        return Err(Problem::field("name", "is 1 to 64 letters, digits and hyphens"));
    }
    if !plain(&asked.language) {
        return Err(Problem::field("language", "is a language tag such as en or de-AT"));
    }
    if asked.version == 0 {
        return Err(Problem::field("version", "begins with 1"));
    }
    if asked.text.trim().is_empty() || asked.text.len() > TEXT_OCTETS_MAX {
        return Err(Problem::field("text", format!("is 1 to {TEXT_OCTETS_MAX} octets")));
    }
    to_the_end(async move {
        let new = NewDocument {
            kind: DocumentKind::Notice,
            name: &asked.name,
            version: asked.version,
            language: &asked.language,
            octets: asked.text.as_bytes(),
        };
        let id = match api.store().keep_document(authority.controller(), &new).await {
            Ok(id) => id,
            Err(store::Error::Exists { .. }) => {
                return Err(Problem::field("version", "is kept with other words; words are never changed: raise it"));
            }
            Err(error) => return Err(store_failed(&error)),
        };
        let kept = api.store().document(authority.controller(), id).await.map_err(|error| store_failed(&error))?;
        let sha256 = kept.map(|kept| hex(&kept.sha256)).unwrap_or_default();
        Ok((StatusCode::CREATED, Json(NoticeAnswer { id: api.store().public_id(id), sha256 })))
    })
    .await
}
