//! The mailbox as JSON: for tests and scripts that want to see what arrived.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Serialize;

use super::parsed::Parsed;
use super::{Arrived, Passed, Shared, SignatureVerdict, Summary, not_found, together};
use crate::problem::Problem;
use crate::timestamp::rfc3339;

/// The list, newest first.
#[derive(Serialize)]
pub(super) struct Listed {
    messages: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    number: u64,
    at: String,
    from: String,
    to: String,
    subject: String,
    dkim: &'static str,
    octets: usize,
}

/// One message.
#[derive(Serialize)]
pub(super) struct Shown {
    number: u64,
    at: String,
    reverse_path: String,
    recipients: Vec<String>,
    tls: Option<String>,
    octets: usize,
    from: String,
    to: String,
    subject: String,
    date: Option<String>,
    message_id: Option<String>,
    dkim: &'static str,
    signatures: Vec<Signature>,
    headers: Vec<Field>,
    text: Option<String>,
    html: Option<String>,
    attachments: Vec<File>,
}

#[derive(Serialize)]
struct Signature {
    domain: String,
    selector: String,
    algorithm: String,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Field {
    name: String,
    value: String,
}

#[derive(Serialize)]
struct File {
    name: String,
    #[serde(rename = "type")]
    content_type: String,
    octets: usize,
}

/// `GET /api/messages`
pub(super) async fn get_messages(State(mailbox): Shared) -> Json<Listed> {
    Json(Listed { messages: mailbox.list().into_iter().map(line).collect() })
}

/// `DELETE /api/messages`
pub(super) async fn delete_messages(State(mailbox): Shared) -> StatusCode {
    mailbox.clear();
    StatusCode::NO_CONTENT
}

/// `GET /api/messages/{number}`
pub(super) async fn get_message(State(mailbox): Shared, Path(number): Path<u64>) -> Result<Json<Shown>, Problem> {
    let arrived = mailbox.get(number).ok_or_else(not_found)?;
    Ok(Json(shown(&arrived)))
}

/// `GET /api/messages/{number}/raw`: the octets as they arrived, never shown by a browser as a page.
pub(super) async fn get_raw(State(mailbox): Shared, Path(number): Path<u64>) -> Result<Response, Problem> {
    let arrived = mailbox.get(number).ok_or_else(not_found)?;
    let name = format!("attachment; filename=\"message-{number}.eml\"");
    let fields = [(CONTENT_TYPE, "message/rfc822".to_owned()), (CONTENT_DISPOSITION, name)];
    Ok((fields, arrived.raw.clone()).into_response())
}

/// `pass`, `fail`, `unknown`, or `none` where nothing is signed.
pub(super) fn word(passed: Option<Passed>) -> &'static str {
    match passed {
        None => "none",
        Some(Passed::Yes) => "pass",
        Some(Passed::No) => "fail",
        Some(Passed::Unknown) => "unknown",
    }
}

fn line(summary: Summary) -> Line {
    Line {
        number: summary.number,
        at: rfc3339(summary.at),
        from: summary.from,
        to: summary.to,
        subject: summary.subject,
        dkim: word(summary.dkim),
        octets: summary.octets,
    }
}

pub(super) fn shown(arrived: &Arrived) -> Shown {
    let parsed = Parsed::of(&arrived.raw);
    let file =
        |file: super::parsed::File| File { name: file.name, content_type: file.content_type, octets: file.octets };
    Shown {
        number: arrived.number,
        at: rfc3339(arrived.at),
        reverse_path: arrived.reverse_path.clone(),
        recipients: arrived.recipients.clone(),
        tls: arrived.tls.clone(),
        octets: arrived.raw.len(),
        from: parsed.from,
        to: parsed.to,
        subject: parsed.subject,
        date: parsed.date,
        message_id: parsed.message_id,
        dkim: word(together(&arrived.verdicts)),
        signatures: arrived.verdicts.iter().map(signature).collect(),
        headers: parsed.headers.into_iter().map(|(name, value)| Field { name, value }).collect(),
        text: parsed.text,
        html: parsed.html,
        attachments: parsed.files.into_iter().map(file).collect(),
    }
}

fn signature(verdict: &SignatureVerdict) -> Signature {
    Signature {
        domain: verdict.domain.clone(),
        selector: verdict.selector.clone(),
        algorithm: verdict.algorithm.clone(),
        result: word(Some(verdict.passed)),
        reason: verdict.reason.clone(),
    }
}
