//! What went wrong, as RFC 9457 `application/problem+json`.
//!
//! Invariants: every answer that is not what was asked for has this one shape; its texts name the field, the limit
//! and what to do, and never repeat an address, a subject or a key.
//! Status codes come from [`crate::router`]'s table and from the gate's.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use gate::Rule;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::api::Disposition;
use crate::router::{Fault, status_of};

/// A problem: one pointer wide, since it is the other half of nearly every result here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Problem(Box<Members>);

/// RFC 9457 §3.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "/problems/suppressed", "title": "Refused by the gate", "status": 422,
    "detail": "this recipient is on your suppression list for this kind of mail; see the entry's reason; an opt-out \
               is lifted only by the person himself",
    "rule": "suppressed", "article": "GDPR Art. 21(3)", "help": "https://mail.example/help/rules#suppressed"
}))]
struct Members {
    /// A page that explains it: `/problems/` and the rule.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every problem of one kind.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong here, and what to do.
    detail: String,
    /// The stable id: a rule of the gate, or a fault of the request.
    rule: &'static str,
    /// The article or section that the rule enforces.
    #[serde(skip_serializing_if = "Option::is_none")]
    article: Option<&'static str>,
    /// Where the rule is explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// The field of the request that is at fault, as a path such as `messages[2].to[0].email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What became of each recipient, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<Disposition>>,
    /// Seconds after which to try again; sent as a field of the answer.
    #[serde(skip)]
    retry_after_s: Option<u32>,
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        Members::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Problem")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Members::schemas(schemas);
    }
}

impl Problem {
    /// A fault of the request or of the node, in the words of the table.
    #[must_use]
    pub(crate) fn of(fault: Fault) -> Self {
        let row = fault.row();
        Self(Box::new(Members {
            kind: format!("/problems/{}", row.id),
            title: row.title,
            status: row.status.as_u16(),
            detail: row.remedy.to_owned(),
            rule: row.id,
            article: None,
            help: None,
            field: None,
            results: None,
            retry_after_s: row.retry_after_s,
        }))
    }

    /// A field of the request is at fault. `detail` must not repeat its content.
    #[must_use]
    pub(crate) fn field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let (field, detail) = (field.into(), detail.into());
        let detail = if field.is_empty() { detail } else { format!("{field}: {detail}") };
        Self::placed(field, detail)
    }

    /// A field is at fault, and `detail` already says which.
    #[must_use]
    pub(crate) fn placed(field: String, detail: String) -> Self {
        let mut problem = Self::of(Fault::Malformed).saying(detail);
        problem.0.field = Some(field).filter(|field| !field.is_empty());
        problem
    }

    /// The gate said no to the whole request.
    #[must_use]
    pub(crate) fn refused(rule: Rule, base_url: &str) -> Self {
        let row = rule.row();
        let status = status_of(rule);
        Self(Box::new(Members {
            kind: format!("/problems/{}", row.id),
            title: "Refused by the gate",
            status: status.as_u16(),
            detail: format!("{}; {}", row.sentence, row.remedy),
            rule: row.id,
            article: Some(row.article),
            help: Some(help(base_url, rule)),
            field: None,
            results: None,
            retry_after_s: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_S),
        }))
    }

    /// With another text.
    #[must_use]
    pub(crate) fn saying(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = detail.into();
        self
    }

    /// With what became of each recipient.
    #[must_use]
    pub(crate) fn with_results(mut self, results: Vec<Disposition>) -> Self {
        self.0.results = Some(results);
        self
    }

    /// Placed in the message at `index` of a batch.
    #[must_use]
    pub(crate) fn in_batch(mut self, index: usize) -> Self {
        let place = format!("messages[{index}]");
        self.0.detail = format!("{place}: {}", self.0.detail);
        let field = self.0.field.take();
        self.0.field = Some(field.map_or_else(|| place.clone(), |field| format!("{place}.{field}")));
        self
    }

    /// The status with which it is answered.
    #[must_use]
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Seconds after which a client may try again when nothing better is known.
pub(crate) const RETRY_AFTER_S: u32 = 30;

/// Where a rule is explained.
pub(crate) fn help(base_url: &str, rule: Rule) -> String {
    format!("{base_url}/help/rules#{}", rule.id())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Only strings and numbers: there is nothing in it that cannot be written as JSON.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.0.retry_after_s {
            fields.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        // RFC 9110 §11.6.1: a 401 says how to authenticate; RFC 6750 §3: the scheme is Bearer.
        if self.0.status == StatusCode::UNAUTHORIZED.as_u16() {
            fields.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"postern\""));
        }
        response
    }
}
