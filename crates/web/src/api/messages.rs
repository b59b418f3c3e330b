//! `GET /v1/messages/{id}`: where a message stands and what happened to it.
//!
//! Never: another controller's message. Its id is answered exactly like one that does not exist (GDPR Art. 32(1)(b)).

use axum::Json;
use axum::extract::{Path, State};
use http::HeaderMap;
use model::MessageId;
use serde::Serialize;
use serde_json::Value;
use store::{MessageView, TimelineItem, Uncertain};
use utoipa::ToSchema;

use crate::api::{Api, store_failed};
use crate::problem::Problem;
use crate::router::Fault;
use crate::timestamp::rfc3339;

#[cfg(test)]
mod tests;

/// A message.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "msg_2f9c6a1be07d4483", "stream": "transactional", "to": "ada@dest.example", "state": "delivered",
    "accepted_at": "2026-03-01T12:00:00.000000Z",
    "timeline": [
        {"at": "2026-03-01T12:00:00.000000Z", "event": "accepted",
         "event_id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "attempt": 0, "uncertain": false},
        {"at": "2026-03-01T12:00:01.250000Z", "event": "delivered",
         "event_id": "f0e1d2c3b4a5968778695a4b3c2d1e0f", "attempt": 1, "code": 250, "enhanced": "2.0.0",
         "uncertain": false}
    ]
}))]
pub(crate) struct Message {
    /// Its id.
    id: String,
    /// Name of its stream.
    stream: String,
    /// The recipient; absent once the person is erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// As given when it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>)]
    metadata: Option<Value>,
    /// As given when it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    tags: Option<Value>,
    /// The ENVID of the SMTP transaction it came with (RFC 3461): the client's own name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope_id: Option<String>,
    /// RFC 8689: it leaves over TLS to receivers that are known and ask the same of the next, or not at all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    require_tls: bool,
    /// `queued`, `held`, `delivered`, `bounced`, `stopped`, `expired` or, for what was sent with a credential of the
    /// sandbox, `sandboxed`: nothing of it left.
    state: String,
    /// When it was taken in, RFC 3339 in UTC.
    accepted_at: String,
    /// What happened, in order of time.
    timeline: Vec<Happening>,
}

/// One thing that happened to a message.
#[derive(Serialize, ToSchema)]
pub(crate) struct Happening {
    /// When, RFC 3339 in UTC.
    at: String,
    /// `accepted`, `delivered`, `deferred`, `uncertain`, `bounced`, `stopped`, `held`, `expired` or
    /// `sandboxed`; and of what came back by mail `bounced`, `delayed`, `relayed` or `complained`, as attempt 0.
    event: String,
    /// The event's random name, which links it to the ledger's leaf.
    event_id: String,
    /// Which attempt at delivery, from 1; 0 before the first.
    attempt: u32,
    /// The receiving system's reply code.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    /// Its enhanced status code (RFC 3463).
    #[serde(skip_serializing_if = "Option::is_none")]
    enhanced: Option<String>,
    /// The rule of the gate that stopped or holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// The dialogue with the receiving system, as long as it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The attempt's outcome is not known (the node died during it); the message is sent again.
    uncertain: bool,
}

/// The message with this id.
#[utoipa::path(
    get, path = "/v1/messages/{id}", tag = "messages",
    params(("id" = String, Path, description = "The id that POST /v1/messages answered",
            example = "msg_2f9c6a1be07d4483")),
    responses(
        (status = 200, description = "The message and its timeline", body = Message),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such message of yours", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_message(
    State(api): State<Api>,
    Path(id): Path<String>,
    fields: HeaderMap,
) -> Result<Json<Message>, Problem> {
    let authority = api.authenticate(&fields)?;
    let store = api.store();
    let id: MessageId = store.parse_public(&id).ok_or_else(|| Problem::of(Fault::NotFound))?;
    match store.message(authority.controller(), id).await {
        Ok(Some(view)) => Ok(Json(shown(view))),
        Ok(None) => Err(Problem::of(Fault::NotFound)),
        Err(error) => Err(store_failed(&error)),
    }
}

fn shown(view: MessageView) -> Message {
    let (metadata, tags) = kept(&view.metadata);
    Message {
        id: view.public_id,
        stream: view.stream,
        to: view.to,
        metadata,
        tags,
        envelope_id: view.envelope_id,
        require_tls: view.require_tls.is_asked(),
        state: view.state.as_str().to_owned(),
        accepted_at: rfc3339(view.accepted_at),
        timeline: view.timeline.into_iter().map(happened).collect(),
    }
}

fn happened(item: TimelineItem) -> Happening {
    Happening {
        at: rfc3339(item.at),
        event: item.event,
        event_id: item.event_id,
        attempt: item.attempt,
        code: item.code,
        enhanced: item.enhanced,
        rule: item.rule,
        detail: item.transcript,
        uncertain: item.uncertain == Uncertain::Yes,
    }
}

/// Metadata and tags out of the object that was kept with the message; a message that came by SMTP has none.
fn kept(text: &str) -> (Option<Value>, Option<Value>) {
    let mut object: Value = serde_json::from_str(text).unwrap_or_default();
    let mut take = |name: &str| object.get_mut(name).map(Value::take).filter(is_filled);
    (take("metadata"), take("tags"))
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Object(entries) => !entries.is_empty(),
        Value::Array(entries) => !entries.is_empty(),
        _ => false,
    }
}
