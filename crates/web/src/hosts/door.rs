//! What is served on a host name of a controller's own: his pages and nothing else, and the answers to an authority
//! that asks whether the name leads here.
//!
//! Invariants: what is not named here is not there, so a new route is none on these names until somebody says so; a
//! token or form of another controller looks as if it were broken; in clear nothing is served but the answer to the
//! authority, and a browser is sent to https.
//! Standards: RFC 8555 §8.3, RFC 9110 §7.4 (requests for names that are not served).

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use model::ControllerId;
use store::permission::HostInForce;

use super::Strangers;
use super::name::named;
use crate::api::Api;
use crate::listener::Channel;
use crate::problem::Problem;
use crate::public::door::{Visit, unusable};
use crate::router::Fault;

/// Where an authority looks (RFC 8555 §8.3).
pub(crate) const CHALLENGE_PATH: &str = "/.well-known/acme-challenge/{token}";
const CHALLENGE: &str = ".well-known";
/// Longest token that is looked up.
const TOKEN_OCTETS_MAX: usize = 256;
/// How the node is may be asked of any name: who watches it knows an address, and what he calls it is his.
const OF_ANY_NAME: [&str; 2] = ["healthz", "readyz"];

/// What a first part of a path has behind it.
enum Page {
    /// A token of a link.
    Token,
    /// A controller, and the name of a form.
    Form,
    /// The same for everybody.
    Style,
}

fn page(first: &str) -> Option<Page> {
    match first {
        "c" | "u" | "p" | "w" => Some(Page::Token),
        "f" => Some(Page::Form),
        "public.css" | "accent" => Some(Page::Style),
        _ => None,
    }
}

/// Before every route: is what is asked for there, under the name that it is asked under?
pub(crate) async fn only_his(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Some(name) = named(&request) else { return next.run(request).await };
    let mut parts = request.uri().path().trim_start_matches('/').split('/');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // A name that another node brought into force may be new here.
    if first == CHALLENGE {
        return next.run(request).await;
    }
    let book = api.store().host_book();
    let Some(host) = book.named(&name) else {
        let stranger = api.hosts().is_some_and(|known| known.strangers == Strangers::NotFound && !known.is_own(&name));
        if stranger && !OF_ANY_NAME.contains(&first) {
            return Problem::of(Fault::NotFound).into_response();
        }
        return next.run(request).await;
    };
    let Some(page) = page(first) else { return Problem::of(Fault::NotFound).into_response() };
    if request.extensions().get() == Some(&Channel::Clear) {
        return to_https(&api, host, &request);
    }
    let whose = match page {
        Page::Style => Some(host.controller),
        Page::Token => api.store().open_link(second).map(|link| link.controller),
        Page::Form => api.store().parse_public::<ControllerId>(second),
    };
    if whose == Some(host.controller) {
        return next.run(request).await;
    }
    unusable(&Visit::of(request.uri(), request.headers()))
}

/// RFC 9110 §15.4.9: the method and the body stay what they are, so a click in a mail program is not lost.
fn to_https(api: &Api, host: &HostInForce, request: &Request<Body>) -> Response {
    let holds = host.certificate.as_ref().is_some_and(|kept| kept.holds(api.store().now()));
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    match HeaderValue::try_from(format!("{}{path}", host.address)) {
        Ok(there) if holds => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, there)]).into_response(),
        _ => Problem::of(Fault::NotFound).into_response(),
    }
}

/// The answer to an authority. On a name that is not served there is none.
pub(crate) async fn get_challenge(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let missing = || Problem::of(Fault::NotFound).into_response();
    let Some(name) = named(&request).filter(|_| token.len() <= TOKEN_OCTETS_MAX) else { return missing() };
    match api.store().challenge_answer(&name, &token).await {
        Ok(Some(answer)) => ([(CONTENT_TYPE, "application/octet-stream")], answer).into_response(),
        Ok(None) => missing(),
        Err(error) => crate::api::store_failed(&error).into_response(),
    }
}
