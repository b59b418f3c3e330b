//! What the operator asks his own node, on the Unix socket in its data folder: the queue of all controllers, and what
//! is ordered about it; where a message stands.
//!
//! Invariants: it answers on that socket alone ([`crate::listener::operator`]), never on a port; what it shows are
//! numbers, codes and names of accounts (GDPR Art. 28(3)(b), 32(4): nobody reads recipients to look after a queue).
//! Never: an address (but of those that a domain itself publishes in DNS), a subject, the words of a receiving system's
//! reply.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use model::stream::Class;
use model::{ControllerId, MessageId};
use mta::delivery::{BoxFuture, DomainSecurity, SiteStatus};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{NotOrdered, OrderKind, OrderedBy, Store, Which};

use crate::api::store_failed;
use crate::problem::Problem;
use crate::router::Fault;
use crate::timestamp::rfc3339;
use security::security_told;
use told::{groups, order_told, site_named};

mod security;
mod standing;
pub(crate) mod told;

pub use standing::standing;

/// How a destination site stands on this node for mail of a controller and class; nothing when it is not delivered to
/// here.
pub type Sites = Arc<dyn Fn(&str, ControllerId, Class) -> Option<SiteStatus> + Send + Sync>;

/// How the free room of the node's disks went, as JSON.
pub type Room = Arc<dyn Fn() -> Value + Send + Sync>;
/// What a domain says of its transport security, as this node finds it; nothing where it does not deliver any more.
pub type Demands = Arc<dyn Fn(String) -> BoxFuture<Option<DomainSecurity>> + Send + Sync>;

/// What the routes are given.
#[derive(Clone)]
pub struct Operator {
    store: Arc<Store>,
    sites: Option<Sites>,
    room: Option<Room>,
    demands: Option<Demands>,
}

impl Operator {
    /// Over a store; `sites` where this node delivers.
    #[must_use]
    pub const fn new(store: Arc<Store>, sites: Option<Sites>) -> Self {
        Self { store, sites, room: None, demands: None }
    }

    /// The same, with how the free room of the node's disks went.
    #[must_use]
    pub fn with_room(self, room: Room) -> Self {
        Self { room: Some(room), ..self }
    }

    /// With what this node finds of domains, where it delivers.
    #[must_use]
    pub fn with_demands(self, demands: Option<Demands>) -> Self {
        Self { demands, ..self }
    }
}

/// The routes of the operator's door.
pub fn router(operator: Operator) -> Router {
    Router::new()
        .route("/queue", get(get_queue))
        .route("/queue/{verb}", post(post_order))
        .route("/messages/{id}", get(get_message))
        .route("/standing", get(get_standing))
        .route("/domains/{domain}/security", get(get_security))
        .fallback(async || Problem::of(Fault::NotFound))
        .with_state(operator)
}

async fn get_queue(State(operator): State<Operator>) -> Result<Json<Value>, Problem> {
    let store = &operator.store;
    let failed = |error: store::Error| store_failed(&error);
    let mut orders = Vec::new();
    for controller in store.controllers() {
        orders.push((controller, store.orders(controller).await.map_err(failed)?));
    }
    let waiting = store.waiting(None).await.map_err(failed)?;
    let groups = groups(store, operator.sites.as_ref(), waiting, &orders);
    let all = orders.into_iter().flat_map(|(id, orders)| orders.into_iter().map(move |order| (id, order)));
    let orders: Vec<_> = all.map(|(id, order)| order_told(store, id, order)).collect();
    Ok(Json(json!({"groups": groups, "orders": orders})))
}

/// What is ordered, and for which messages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    controller: Option<String>,
    site: Option<String>,
    stream: Option<String>,
    message: Option<String>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    reason: String,
}

async fn post_order(
    State(operator): State<Operator>,
    Path(verb): Path<String>,
    Json(asked): Json<Asked>,
) -> Result<Json<Value>, Problem> {
    let meant = meant(&operator.store, &asked).await?;
    let work = async move { ordered(&operator.store, &verb, meant, &asked.reason).await };
    crate::api::to_the_end(work).await
}

/// For each controller whose mail is meant, which of it.
async fn meant(store: &Store, asked: &Asked) -> Result<Vec<(ControllerId, Which)>, Problem> {
    let named = [&asked.controller, &asked.site, &asked.stream, &asked.message].iter().any(|one| one.is_some());
    if asked.all == named {
        return Err(Problem::field("all", "name a site, a controller, a stream or a message, or all and nothing else"));
    }
    let site = asked.site.as_deref().map(site_named);
    if let Some(id) = &asked.message {
        let (controller, message) = message_of_any(store, id).await?;
        return Ok(vec![(controller, Which { site, stream: None, message: Some(message) })]);
    }
    let controllers = match &asked.controller {
        None => store.controllers(),
        Some(name) => {
            let found = store.controller_named(name).or_else(|| store.parse_public(name));
            vec![found.ok_or_else(|| Problem::field("controller", "there is no such controller"))?]
        }
    };
    let Some(name) = &asked.stream else {
        let which = Which { site, ..Which::default() };
        return Ok(controllers.into_iter().map(|id| (id, which.clone())).collect());
    };
    let of = |id: ControllerId| {
        let stream = store.stream_named(id, name)?.id;
        Some((id, Which { site: site.clone(), stream: Some(stream), message: None }))
    };
    let meant: Vec<_> = controllers.into_iter().filter_map(of).collect();
    if meant.is_empty() {
        return Err(Problem::field("stream", "there is no such stream"));
    }
    Ok(meant)
}

async fn message_of_any(store: &Store, id: &str) -> Result<(ControllerId, MessageId), Problem> {
    let missing = || Problem::of(Fault::NotFound).saying("there is no such message, or it is not kept any more");
    let message: MessageId = store.parse_public(id).ok_or_else(missing)?;
    for controller in store.controllers() {
        if store.message(controller, message).await.map_err(|error| store_failed(&error))?.is_some() {
            return Ok((controller, message));
        }
    }
    Err(missing())
}

async fn ordered(
    store: &Store,
    verb: &str,
    meant: Vec<(ControllerId, Which)>,
    reason: &str,
) -> Result<Json<Value>, Problem> {
    let failed = |error: &store::Error| store_failed(error);
    let (mut controllers, mut messages) = (0_u64, 0_u64);
    for (controller, which) in meant {
        let kind = match verb {
            "hold" => OrderKind::Hold,
            "purge" => OrderKind::Purge,
            "release" => {
                if let Some(hurried) =
                    store.release(controller, OrderedBy::Operator, &which).await.map_err(|error| failed(&error))?
                {
                    controllers += 1;
                    messages += hurried;
                }
                continue;
            }
            "retry" => {
                controllers += 1;
                messages += store.hurry(controller, &which).await.map_err(|error| failed(&error))?;
                continue;
            }
            _ => return Err(Problem::of(Fault::NotFound)),
        };
        let done = store.order(controller, (OrderedBy::Operator, kind), &which, reason).await;
        done.map_err(|error| match error {
            NotOrdered::Reason => Problem::field("reason", error.to_string()),
            NotOrdered::TooMany => Problem::of(Fault::OutOfTurn).saying(error.to_string()),
            NotOrdered::Store(error) => failed(&error),
        })?;
        controllers += 1;
    }
    if controllers == 0 {
        return Err(Problem::of(Fault::NotFound).saying("the operator holds nothing by these words"));
    }
    Ok(Json(json!({"controllers": controllers, "messages": messages})))
}

async fn get_standing(State(operator): State<Operator>) -> Json<Value> {
    let mut told = standing(&operator.store);
    told["room"] = operator.room.as_ref().map_or(Value::Null, |room| room());
    Json(told)
}

async fn get_security(State(operator): State<Operator>, Path(domain): Path<String>) -> Result<Json<Value>, Problem> {
    let bad = |_| Problem::field("domain", "it is no domain name such as dest.example");
    let domain = mail::address::Domain::parse(&domain).map_err(bad)?.to_string();
    let missing = || Problem::of(Fault::NotFound).saying("this node does not deliver; ask one that does");
    let demands = operator.demands.as_ref().ok_or_else(missing)?;
    let found = demands(domain).await.ok_or_else(missing)?;
    Ok(Json(security_told(found)))
}

/// From which address of ours it left, and under which name: one of the first lines of a dialogue, before anything that
/// the peer said. Nothing where no address was configured.
fn left_from(transcript: &str) -> Option<&str> {
    transcript.lines().take(2).find_map(|line| line.strip_prefix("from "))
}

async fn get_message(State(operator): State<Operator>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let store = &operator.store;
    let (controller, message) = message_of_any(store, &id).await?;
    let found = store.message(controller, message).await.map_err(|error| store_failed(&error))?;
    let view = found.ok_or_else(|| Problem::of(Fault::NotFound))?;
    let line = |item: store::TimelineItem| {
        json!({
            "at": rfc3339(item.at), "event": item.event, "event_id": item.event_id, "attempt": item.attempt,
            "code": item.code, "enhanced": item.enhanced, "rule": item.rule,
            "uncertain": item.uncertain == store::Uncertain::Yes,
            "egress": item.transcript.as_deref().and_then(left_from),
        })
    };
    Ok(Json(json!({
        "id": view.public_id,
        "controller": store.controller_name(controller),
        "stream": view.stream,
        "state": view.state.as_str(),
        "require_tls": view.require_tls.is_asked(),
        "accepted_at": rfc3339(view.accepted_at),
        "timeline": view.timeline.into_iter().map(line).collect::<Vec<_>>(),
    })))
}
