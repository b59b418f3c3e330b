//! `/v1/hosts`: host names of a controller's own, under which his pages are served.
//!
//! He claims a name, puts the records into DNS that he is told, and says so; the name is in force when the TXT record
//! was found. A certificate is ordered by itself then, where the operator has named an authority.

use axum::Json;
use axum::extract::{Path, Request, State};
use http::{HeaderMap, StatusCode};
use model::{HostId, Timestamp};
use serde::{Deserialize, Serialize};
use store::Scope;
use store::permission::{HostState, HostView, Looked};
use utoipa::ToSchema;

use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::hosts::proof::{self, Proof};
use crate::hosts::{GRACE, LOOK_EVERY, ORDER_WITHIN, RETIRED, forget, host_of_url, parse};
use crate::problem::Problem;
use crate::router::Fault;
use crate::timestamp::rfc3339;

/// A name to be claimed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "mail.shop.example"}))]
pub(crate) struct HostRequest {
    /// A host name below a domain of yours.
    name: json::Word,
}

/// A record to be put into DNS.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct DnsRecord {
    /// `TXT` or `CNAME`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Its name.
    name: String,
    /// What it says.
    value: String,
    /// What it is for.
    purpose: &'static str,
}

/// The certificate of a name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct HostCertificate {
    /// `none`, `valid`, `expired`.
    state: &'static str,
    /// Until when it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
    /// When the next one is ordered. Absent while the name is not served.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_order: Option<String>,
    /// Orders that failed since the last certificate.
    failures: u32,
    /// Why the last one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

/// A host name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "hst_…", "name": "mail.shop.example", "state": "claimed"}))]
pub(crate) struct HostAnswer {
    /// Its id.
    id: String,
    /// The name, in A-labels and small letters.
    name: String,
    /// `claimed`: not in force. `verified`: in force. `failing`: in force, but its TXT record is missing. `retired`:
    /// given up or lapsed; no new link leads there, and what was sent before works until `retired_until`.
    state: &'static str,
    /// What DNS has to say for it, for as long as you use it.
    records: Vec<DnsRecord>,
    /// What is wrong with its TXT record.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    /// When DNS answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<String>,
    /// When it will not be in force any more, if its TXT record stays away.
    #[serde(skip_serializing_if = "Option::is_none")]
    lapses: Option<String>,
    /// Until when a retired name is served. Then it is forgotten; verified again before, it is in force again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_until: Option<String>,
    /// Its certificate.
    certificate: HostCertificate,
    /// Do links in your mail lead there now? If not, they lead to the node's own address.
    links: bool,
}

/// Your host names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct HostList {
    /// The names, oldest first.
    hosts: Vec<HostAnswer>,
}

fn words(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn answer(api: &Api, host: &HostView, reached: Option<HostId>) -> HostAnswer {
    let now = api.store().now();
    let txt = DnsRecord {
        kind: "TXT",
        name: proof::record_name(&host.name),
        value: proof::record_value(&host.token),
        purpose: "shows that the name is yours",
    };
    let target = host_of_url(api.pages_url());
    let cname = target.map(|value| DnsRecord {
        kind: "CNAME",
        name: host.name.clone(),
        value,
        purpose: "leads to the pages; where a CNAME cannot stand, its addresses (A, AAAA)",
    });
    let holds = |(starts, ends): &(Timestamp, Timestamp)| *starts <= now && now < *ends;
    HostAnswer {
        id: api.store().public_id(host.id),
        name: host.name.clone(),
        state: host.state().as_str(),
        records: std::iter::once(txt).chain(cname).collect(),
        fault: words(&host.fault),
        checked: host.checked.map(rfc3339),
        lapses: host.verified.and(host.missing).map(|since| rfc3339(since.plus(GRACE))),
        retired_until: host.retired.map(|since| rfc3339(since.plus(RETIRED))),
        certificate: HostCertificate {
            state: match &host.certificate {
                None => "none",
                Some(span) if holds(span) => "valid",
                Some(_) => "expired",
            },
            ends: host.certificate.map(|(_, ends)| rfc3339(ends)),
            next_order: (host.state() != HostState::Claimed).then(|| rfc3339(host.order_due)),
            failures: host.failures,
            fault: words(&host.order_fault),
        },
        links: reached == Some(host.id),
    }
}

/// The name under which the controller's pages are reached now.
fn reached(api: &Api, controller: model::ControllerId) -> Option<HostId> {
    api.store().host_book().reached(controller, api.store().now()).map(|host| host.id)
}

/// Your host names, where each stands, and what is wrong with it.
#[utoipa::path(
    get, path = "/v1/hosts", tag = "hosts",
    responses(
        (status = 200, description = "Your host names", body = HostList),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_hosts(State(api): State<Api>, headers: HeaderMap) -> Result<Json<HostList>, Problem> {
    let controller = api.authenticate_for(&headers, Scope::Authority)?.controller();
    let hosts = api.store().hosts_of(controller).await.map_err(|error| store_failed(&error))?;
    let reached = reached(&api, controller);
    Ok(Json(HostList { hosts: hosts.iter().map(|host| answer(&api, host, reached)).collect() }))
}

/// Claims a host name. The answer names the records to put into DNS; then ask to verify it.
#[utoipa::path(
    post, path = "/v1/hosts", tag = "hosts", request_body = HostRequest,
    responses(
        (status = 201, description = "Claimed, and not yet in force", body = HostAnswer),
        (status = 400, description = "The name cannot be claimed", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_host(
    State(api): State<Api>,
    request: Request,
) -> Result<(StatusCode, Json<HostAnswer>), Problem> {
    let (parts, body) = request.into_parts();
    let controller = api.authenticate_for(&parts.headers, Scope::Authority)?.controller();
    let received = body::read(api.budget(), controller, &parts.headers, body, body::SMALL_OCTETS_MAX).await?;
    let asked: HostRequest = received.parse().await?;
    let name = parse(&asked.name, api.hosts()).map_err(|unfit| Problem::field("name", unfit.sentence()))?;
    to_the_end(async move {
        if api.store().is_of_another(controller, name.as_str()).await.map_err(|error| store_failed(&error))? {
            return Err(Problem::field("name", OF_ANOTHER));
        }
        match api.store().claim_host(controller, &name).await {
            Ok(Some(host)) => Ok((StatusCode::CREATED, Json(answer(&api, &host, None)))),
            Ok(None) => Err(Problem::field("name", "is one too many; give up a name that you do not use")),
            Err(store::Error::Exists { .. }) => Err(Problem::field("name", "is claimed by you already")),
            Err(error) => Err(store_failed(&error)),
        }
    })
    .await
}

const OF_ANOTHER: &str = "was verified by another controller; it is free when he gives it up or his record is gone";

/// Looks for the TXT record of a name now. A name in force stays so for seven days without it, a retired one is in
/// force again with it. Where the name was another controller's who gave it up, it is yours alone from now on.
#[utoipa::path(
    post, path = "/v1/hosts/{id}/verify", tag = "hosts",
    params(("id" = String, Path, description = "Id of the host name")),
    responses(
        (status = 200, description = "In force", body = HostAnswer),
        (status = 400, description = "The record was not found", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours by this id", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "DNS does not answer", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_verify(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<HostAnswer>, Problem> {
    let controller = api.authenticate_for(&headers, Scope::Authority)?.controller();
    let missing = || Problem::of(Fault::NotFound);
    let id: HostId = api.store().parse_public(&id).ok_or_else(missing)?;
    to_the_end(async move {
        let store = api.store();
        let failed = |error: store::Error| store_failed(&error);
        let host = store.host(controller, id).await.map_err(failed)?.ok_or_else(missing)?;
        let known = api.hosts().ok_or_else(|| Problem::of(Fault::Temporary).saying("this node asks no DNS"))?;
        let proof = proof::look(known.names(), &host.name, &host.token).await;
        let sentence = proof.sentence(&host.name);
        match proof {
            Proof::There if host.verified.is_some() => {
                let looked = Looked::Seen { order_within: ORDER_WITHIN };
                store.looked(controller, id, looked, LOOK_EVERY).await.map_err(failed)?;
            }
            Proof::There => match store.verify_host(controller, id, LOOK_EVERY).await {
                Ok(true) => forget(store).await.map_err(failed)?,
                Ok(false) | Err(store::Error::Exists { .. }) => return Err(Problem::field("name", OF_ANOTHER)),
                Err(error) => return Err(failed(error)),
            },
            // What is in force is looked after by the daily round, which counts the days.
            Proof::Absent | Proof::Other => {
                return Err(Problem::field("", format!("{sentence}; publish it, and ask again")));
            }
            Proof::NoAnswer => return Err(Problem::of(Fault::Temporary).saying(sentence)),
        }
        let host = store.host(controller, id).await.map_err(failed)?.ok_or_else(missing)?;
        Ok(Json(answer(&api, &host, reached(&api, controller))))
    })
    .await
}

/// Gives a host name up. No new link leads there. If mail may name it, it is retired: its pages are there for 60 days
/// more, as long as DNS leads here and nobody else proves that the name is his; then it is forgotten.
#[utoipa::path(
    delete, path = "/v1/hosts/{id}", tag = "hosts",
    params(("id" = String, Path, description = "Id of the host name")),
    responses(
        (status = 204, description = "Given up: retired, or gone if no mail can name it"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "None of yours by this id", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn delete_host(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let controller = api.authenticate_for(&headers, Scope::Authority)?.controller();
    let missing = || Problem::of(Fault::NotFound);
    let id: HostId = api.store().parse_public(&id).ok_or_else(missing)?;
    to_the_end(async move {
        match api.store().give_host_up(controller, id).await {
            Ok(true) => Ok(StatusCode::NO_CONTENT),
            Ok(false) => Err(missing()),
            Err(error) => Err(store_failed(&error)),
        }
    })
    .await
}
