//! What agreements and instructions have in common: who signs, what is shown of a signature, the document itself.

use axum::response::{IntoResponse, Response};
use duties::document::Document;
use duties::document::agreement::ProcessingAgreement;
use duties::document::page::Page;
use duties::document::{Content, Mistake};
use duties::operator::Signatory;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderValue};
use http::{HeaderMap, StatusCode};
use model::ids::hex;
use serde::{Deserialize, Serialize};
use store::permission::Signature;
use utoipa::ToSchema;

use crate::api::json::Line;
use crate::problem::Problem;
use crate::router::Fault;
use crate::timestamp::rfc3339;

/// How what comes by this door is signed.
pub(crate) const METHOD: &str = "api";

/// Who signs, and as what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Sam Sample", "capacity": "managing director"}))]
pub(crate) struct Signer {
    /// The name of who signs.
    pub(crate) name: Line,
    /// In which capacity.
    pub(crate) capacity: Line,
}

impl Signer {
    pub(crate) fn signatory(self) -> Signatory {
        Signatory { name: self.name.into(), capacity: self.capacity.into() }
    }
}

/// A signature that was given.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"side": "controller", "name": "Sam Sample", "capacity": "managing director",
    "method": "api", "at": "2026-11-22T10:00:00Z"}))]
pub(crate) struct Signed {
    /// `controller` or `processor`.
    side: String,
    /// Who.
    name: String,
    /// As what.
    capacity: String,
    /// How: `api`, `cli`, `admission`, or `standing-offer` for what the operator offers to everybody.
    method: String,
    /// When.
    at: String,
}

impl Signed {
    pub(crate) fn of(signature: Signature) -> Self {
        let Signature { side, at, method, name, capacity } = signature;
        Self { side, name, capacity, method, at: rfc3339(at) }
    }
}

/// Something that must be mended, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "no-opt-out", "path": "streams[1].opt_out", "article": "ePrivacy Art. 13(4)",
    "sentence": "marketing is sent without a way to opt out in each message", "can_be_confirmed": false}))]
pub(crate) struct Found {
    /// What kind of finding.
    id: &'static str,
    /// Where.
    path: String,
    /// The article that it looks at.
    article: &'static str,
    /// What looks infringing.
    sentence: &'static str,
    /// May you confirm it, having been told? Otherwise the instruction, or the agreement, is amended.
    can_be_confirmed: bool,
}

impl Found {
    pub(crate) fn of(finding: &duties::document::instruction::Finding) -> Self {
        Self {
            id: finding.id.as_str(),
            path: finding.path.clone(),
            article: finding.article,
            sentence: finding.sentence,
            can_be_confirmed: finding.id.can_be_confirmed(),
        }
    }
}

/// The canonical JSON, whose SHA-256 is the hash that both sides signed.
pub(crate) fn canonical(document: &Document) -> Response {
    let mut response = (StatusCode::OK, document.canonical().to_vec()).into_response();
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", hex(&document.sha256()))) {
        fields.insert(ETAG, tag);
    }
    response
}

/// What people read: HTML, or plain text where that is asked for.
pub(crate) fn shown<T: Content>(document: &Document, asked: &HeaderMap) -> Result<Response, Problem> {
    let page: Page = document.page::<T>().map_err(|_| Problem::of(Fault::Internal))?;
    let accepts = asked.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_plain = accepts.contains("text/plain") && !accepts.contains("text/html");
    let (kind, text) = if is_plain {
        ("text/plain; charset=utf-8", page.text())
    } else {
        ("text/html; charset=utf-8", html(&page.html()))
    };
    Ok(([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response())
}

fn html(section: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Document</title>\n\
         <link rel=\"stylesheet\" href=\"/style.css\"></head>\n<body><main>\n{section}</main></body>\n</html>\n"
    )
}

/// The problem of values that make no sense.
pub(crate) fn senseless(mistakes: &[Mistake]) -> Problem {
    let path = mistakes.first().map(|first| first.path.clone()).unwrap_or_default();
    let texts: Vec<String> = mistakes.iter().map(|one| format!("{}: {}", one.path, one.sentence)).collect();
    Problem::placed(path, texts.join("; "))
}

/// The content of an agreement, boxed: it is far larger than a preset's name.
pub(crate) type OwnWords = Box<ProcessingAgreement>;
