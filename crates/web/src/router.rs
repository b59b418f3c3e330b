//! The routes, and the one table from faults to HTTP statuses.
//!
//! Invariants: a route that is not in [`table`] does not exist; every answer that is no success is an RFC 9457
//! problem; every answer carries the header fields of [`crate::secure`].
//! Never: logic. What a route does is in its own file.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use http::header::CONTENT_TYPE;

use crate::api::{self, Api};
use crate::hosts::door as own_host;
use crate::pages;
use crate::problem::Problem;
use crate::public::door;
use crate::secure;

mod fault;
#[cfg(test)]
mod tests;

pub(crate) use fault::{Fault, status_of};

/// One path and what it answers.
pub(crate) struct Route {
    /// The path, with parameters in braces.
    pub(crate) path: &'static str,
    /// Its methods in small letters, for the comparison with the OpenAPI document.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the comparison with the OpenAPI document"))]
    pub(crate) methods: &'static [&'static str],
    answer: MethodRouter<Api>,
}

impl Route {
    fn get<H, T>(path: &'static str, answer: H) -> Self
    where
        H: axum::handler::Handler<T, Api>,
        T: 'static,
    {
        Self { path, methods: &["get"], answer: get(answer) }
    }

    fn both<G, H, T, U>(path: &'static str, shown: G, done: H) -> Self
    where
        G: axum::handler::Handler<T, Api>,
        H: axum::handler::Handler<U, Api>,
        T: 'static,
        U: 'static,
    {
        Self { path, methods: &["get", "post"], answer: get(shown).post(done) }
    }

    fn delete<H, T>(path: &'static str, answer: H) -> Self
    where
        H: axum::handler::Handler<T, Api>,
        T: 'static,
    {
        Self { path, methods: &["delete"], answer: delete(answer) }
    }

    fn post<H, T>(path: &'static str, answer: H) -> Self
    where
        H: axum::handler::Handler<T, Api>,
        T: 'static,
    {
        Self { path, methods: &["post"], answer: post(answer) }
    }
}

/// Every route of the API listener.
pub(crate) fn table() -> Vec<Route> {
    vec![
        Route::post("/v1/messages", api::send::post_messages),
        Route::post("/v1/messages/raw", api::send::raw::post_raw),
        Route::get("/v1/messages/{id}", api::messages::get_message),
        Route::get("/v1/queue", api::queue::get_queue),
        Route::post("/v1/queue/hold", api::queue::post_hold),
        Route::post("/v1/queue/release", api::queue::post_release),
        Route::post("/v1/queue/retry", api::queue::post_retry),
        Route::post("/v1/decisions", api::decisions::post_decisions),
        Route::post("/v1/decisions/search", api::decisions::explain::post_search),
        Route::get("/v1/decisions/{id}", api::decisions::explain::get_decision),
        Route::both("/v1/suppressions", api::suppressions::get_suppressions, api::suppressions::post_suppression),
        Route::delete("/v1/suppressions/{id}", api::suppressions::delete_suppression),
        Route::get("/v1/suppressions/export", api::suppression_files::get_export),
        Route::post("/v1/suppressions/import", api::suppression_files::post_import),
        Route::post("/v1/consents", api::consents::post_consent),
        Route::post("/v1/consents/withdraw", api::consents::post_withdrawal),
        Route::post("/v1/consents/export", api::evidence::post_export),
        Route::both("/v1/credentials", api::credentials::get_credentials, api::credentials::post_credential),
        Route::delete("/v1/credentials/{id}", api::credentials::delete_credential),
        Route::get("/v1/requests", api::requests::get_requests),
        Route::both("/v1/agreements", api::agreements::get_agreements, api::agreements::post_agreement),
        Route::get("/v1/agreements/{id}", api::agreements::get_agreement),
        Route::get("/v1/agreements/{id}/document", api::agreements::get_agreement_document),
        Route::get("/v1/agreements/{id}/page", api::agreements::get_agreement_page),
        Route::post("/v1/agreements/{id}/signature", api::agreements::post_agreement_signature),
        Route::post("/v1/agreements/{id}/state", api::agreements::post_agreement_state),
        Route::both("/v1/instructions", api::instructions::get_instructions, api::instructions::post_instruction),
        Route::get("/v1/instructions/{id}", api::instructions::get_instruction),
        Route::get("/v1/instructions/{id}/document", api::instructions::get_instruction_document),
        Route::get("/v1/instructions/{id}/page", api::instructions::get_instruction_page),
        Route::post("/v1/instructions/{id}/issue", api::instructions::post_instruction_issue),
        Route::post("/v1/instructions/{id}/confirmation", api::instructions::post_instruction_confirmation),
        Route::get("/v1/notifications", api::notifications::get_notifications),
        Route::both("/v1/profile", api::profile::get_profile, api::profile::post_profile),
        Route::post("/v1/notices", api::notices::post_notice),
        Route::post("/v1/forms", api::forms::post_form),
        Route::get("/v1/forms/{name}", api::forms::get_form),
        Route::both("/f/{controller}/{form}", door::get_sign_up, door::post_sign_up),
        Route::get("/f/{controller}/{form}/embed", door::get_embed),
        Route::both("/c/{token}", door::get_confirm, door::post_confirm),
        Route::both("/u/{token}", door::get_leave, door::post_leave),
        Route::both("/p/{token}", door::get_preferences, door::post_preferences),
        Route::post("/p/{token}/leave", door::post_leave_all),
        Route::post("/p/{token}/objection", door::post_objection),
        Route::both("/w/{token}", door::get_why, door::post_wish),
        Route::get("/public.css", door::get_style),
        Route::get("/accent/{file}", door::get_accent),
        Route::get("/v1/domains/{domain}/tls-reports", api::domains::get_tls_reports),
        Route::both("/v1/hosts", api::hosts::get_hosts, api::hosts::post_host),
        Route::delete("/v1/hosts/{id}", api::hosts::delete_host),
        Route::post("/v1/hosts/{id}/verify", api::hosts::post_verify),
        Route::get(own_host::CHALLENGE_PATH, own_host::get_challenge),
        Route::post("/v1/imports", api::imports::post_import),
        Route::get("/v1/imports/{id}", api::imports::get_import),
        Route::post("/v1/imports/{id}/information", api::informing::post_information),
        Route::post("/v1/imports/{id}/undo", api::imports::post_undo),
        Route::post("/v1/imports/{id}/release", api::releases::post_release),
        Route::get("/v1/openapi.json", api::openapi::get_openapi),
        Route::get("/", pages::get_start),
        Route::get("/help/rules", pages::get_rules),
        Route::get("/problems/{rule}", pages::get_problem),
        Route::get("/style.css", pages::get_style),
        Route::get("/healthz", get_alive),
        Route::get("/readyz", get_ready),
        Route::get("/metrics", get_metrics),
    ]
}

/// What a node without the role `api` answers, too: how it is.
const HEALTH: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The router of the API listeners, for HTTP and HTTPS alike.
pub fn router(api: Api) -> Router {
    routed(api, table())
}

/// The router of a node that takes no mail by HTTP: it says how the node is, and nothing else.
pub fn health(api: Api) -> Router {
    routed(api, table().into_iter().filter(|route| HEALTH.contains(&route.path)).collect())
}

/// The router of a listener for figures alone: whoever can reach it may read them.
pub fn figures(api: Api) -> Router {
    let open = |route: Route| match route.path {
        "/metrics" => Route::get("/metrics", get_figures),
        _ => route,
    };
    routed(api, table().into_iter().filter(|route| HEALTH.contains(&route.path)).map(open).collect())
}

fn routed(api: Api, routes: Vec<Route>) -> Router {
    routes
        .into_iter()
        .fold(Router::new(), |router, route| router.route(route.path, route.answer))
        .fallback(async || Problem::of(Fault::NotFound))
        .method_not_allowed_fallback(async || Problem::of(Fault::MethodNotAllowed))
        .layer(from_fn_with_state(api.clone(), own_host::only_his))
        .layer(map_response(secure::fields))
        .layer(map_response(counted))
        .with_state(api)
}

/// Counts answers by class, so that an operator sees trouble; nothing of the request goes into a label.
async fn counted(response: Response) -> Response {
    let class = match response.status().as_u16() {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("postern_http_answers_total", "class" => class).increment(1);
    response
}

/// The process lives.
async fn get_alive() -> &'static str {
    "ok\n"
}

/// The node takes mail: it is wired and not stopping, its store answers, and it delivers where that is its role.
async fn get_ready(State(api): State<Api>) -> Response {
    match api.readiness().obstacle() {
        None => "ready\n".into_response(),
        Some(why) => Problem::of(Fault::Temporary).saying(why).into_response(),
    }
}

/// Prometheus text, for the machine itself only: figures tell a stranger the volume of every controller's mail.
async fn get_metrics(State(api): State<Api>, ConnectInfo(peer): ConnectInfo<SocketAddr>) -> Response {
    if peer.ip().to_canonical().is_loopback() {
        get_figures(State(api)).await
    } else {
        Problem::of(Fault::NotFound).into_response()
    }
}

/// The same where the operator chose who can reach the listener.
async fn get_figures(State(api): State<Api>) -> Response {
    match api.metrics() {
        Some(metrics) => {
            ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
        }
        None => Problem::of(Fault::NotFound).into_response(),
    }
}
