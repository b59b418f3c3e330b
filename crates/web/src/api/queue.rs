//! `/v1/queue`: what waits of your mail, why, and what you order about it.
//!
//! Never: an address, or the words of a receiving system's reply, which quote addresses; a message's own timeline has
//! them. What the operator holds is shown with his reason, and is his to let go.

use axum::Json;
use axum::extract::{Request, State};
use http::HeaderMap;
use model::MessageId;
use serde::{Deserialize, Serialize};
use store::{Authority, NotOrdered, OrderKind, OrderedBy, Scope, Which};
use utoipa::ToSchema;

use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::operator::told::{Group, OrderTold, groups, order_told, site_named};
use crate::problem::Problem;
use crate::router::Fault;

/// Which messages are meant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"stream": "newsletter", "reason": "wrong prices in the footer"}))]
pub(crate) struct QueueRequest {
    /// Those for this destination site, as `GET /v1/queue` names it.
    #[serde(default)]
    site: Option<json::Word>,
    /// Those of this stream.
    #[serde(default)]
    stream: Option<json::Word>,
    /// This one.
    #[serde(default)]
    message: Option<json::Word>,
    /// All of them: to be said when nothing else is.
    #[serde(default)]
    all: bool,
    /// Why, for `hold`: one line, without anybody's address.
    #[serde(default)]
    reason: json::Line,
}

/// What waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct QueueAnswer {
    /// Messages of one stream for one site, the largest groups first; at most 1,000 groups.
    groups: Vec<Group>,
    /// What is ordered for your mail.
    orders: Vec<OrderTold>,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"messages": 17}))]
pub(crate) struct QueueDone {
    /// How many messages were to wait for longer and are due now.
    messages: u64,
}

/// What waits of your mail, for whom it waits, and why.
#[utoipa::path(
    get, path = "/v1/queue", tag = "messages",
    responses(
        (status = 200, description = "What waits", body = QueueAnswer),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_queue(State(api): State<Api>, headers: HeaderMap) -> Result<Json<QueueAnswer>, Problem> {
    let controller = api.authenticate(&headers)?.controller();
    let orders = api.store().orders(controller).await.map_err(|error| store_failed(&error))?;
    let waiting = api.store().waiting(Some(controller)).await.map_err(|error| store_failed(&error))?;
    let groups = groups(api.store(), api.sites(), waiting, &[(controller, orders.clone())]);
    let orders = orders.into_iter().map(|order| order_told(api.store(), controller, order)).collect();
    Ok(Json(QueueAnswer { groups, orders }))
}

/// What a request means.
struct Meant {
    authority: Authority,
    which: Which,
    reason: String,
}

async fn meant(api: &Api, scope: Scope, request: Request) -> Result<Meant, Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate_for(&parts.headers, scope)?;
    let controller = authority.controller();
    let received = body::read(api.budget(), controller, &parts.headers, body, body::SMALL_OCTETS_MAX).await?;
    let asked: QueueRequest = json::parse(&received.octets)?;
    let stream = asked.stream.map(|name| {
        let known = api.store().stream_named(controller, &name);
        known.map(|stream| stream.id).ok_or_else(|| Problem::field("stream", "names no stream of yours"))
    });
    let message = asked.message.map(|id| {
        let parsed: Option<MessageId> = api.store().parse_public(&id);
        parsed.ok_or_else(|| Problem::of(Fault::NotFound))
    });
    let message = message.transpose()?;
    if let Some(id) = message {
        let found = api.store().message(controller, id).await.map_err(|error| store_failed(&error))?;
        found.ok_or_else(|| Problem::of(Fault::NotFound))?;
    }
    let which = Which { site: asked.site.map(|site| site_named(&site)), stream: stream.transpose()?, message };
    if asked.all != (which == Which::default()) {
        return Err(Problem::field(
            "all",
            "name a site, a stream or a message, or say `\"all\": true` and nothing else",
        ));
    }
    Ok(Meant { authority, which, reason: asked.reason.into() })
}

/// Holds what waits, and what comes in meanwhile: nothing of it leaves or runs out until you let it go.
#[utoipa::path(
    post, path = "/v1/queue/hold", tag = "messages", request_body = QueueRequest,
    responses(
        (status = 200, description = "Held", body = QueueDone),
        (status = 400, description = "A field is at fault", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The key has not the scope `authority`", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "No such message of yours", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "Too many orders stand", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_hold(State(api): State<Api>, request: Request) -> Result<Json<QueueDone>, Problem> {
    let Meant { authority, which, reason } = meant(&api, Scope::Authority, request).await?;
    to_the_end(async move {
        let how = (OrderedBy::Controller, OrderKind::Hold);
        let ordered = api.store().order(authority.controller(), how, &which, &reason).await;
        ordered.map_err(|error| not_ordered(&error))?;
        Ok(Json(QueueDone { messages: 0 }))
    })
    .await
}

/// Lets go what you held by the same words; it is tried at once.
#[utoipa::path(
    post, path = "/v1/queue/release", tag = "messages", request_body = QueueRequest,
    responses(
        (status = 200, description = "Let go", body = QueueDone),
        (status = 400, description = "A field is at fault", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The key has not the scope `authority`", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "You hold nothing by these words", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_release(State(api): State<Api>, request: Request) -> Result<Json<QueueDone>, Problem> {
    let Meant { authority, which, .. } = meant(&api, Scope::Authority, request).await?;
    to_the_end(async move {
        match api.store().release(authority.controller(), OrderedBy::Controller, &which).await {
            Ok(Some(messages)) => Ok(Json(QueueDone { messages })),
            Ok(None) => Err(Problem::of(Fault::NotFound)),
            Err(error) => Err(store_failed(&error)),
        }
    })
    .await
}

/// Tries what waits now, and sites that are left alone with it. What is held stays held.
#[utoipa::path(
    post, path = "/v1/queue/retry", tag = "messages", request_body = QueueRequest,
    responses(
        (status = 200, description = "Due now", body = QueueDone),
        (status = 400, description = "A field is at fault", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such message of yours", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_retry(State(api): State<Api>, request: Request) -> Result<Json<QueueDone>, Problem> {
    let Meant { authority, which, .. } = meant(&api, Scope::Api, request).await?;
    to_the_end(async move {
        let hurried = api.store().hurry(authority.controller(), &which).await;
        Ok(Json(QueueDone { messages: hurried.map_err(|error| store_failed(&error))? }))
    })
    .await
}

fn not_ordered(error: &NotOrdered) -> Problem {
    match error {
        NotOrdered::Reason => Problem::field("reason", error.to_string()),
        NotOrdered::TooMany => Problem::of(Fault::OutOfTurn).saying(error.to_string()),
        NotOrdered::Store(error) => store_failed(error),
    }
}
