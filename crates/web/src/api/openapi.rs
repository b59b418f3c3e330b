//! `GET /v1/openapi.json`: the interface described by the types that implement it (OpenAPI 3.1).
//!
//! Invariants: a route under `/v1` that is not described here, or a description without its route, fails a test.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use utoipa::openapi::Server;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::api::Api;

#[cfg(test)]
mod tests;

/// The document's source.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Postern",
        version = "1",
        description = "Send mail and see what became of it. Every recipient is asked about by the gate before his \
                       message is queued; a refusal names its rule, the article that the rule enforces, and what to \
                       do. Errors are RFC 9457 problems.",
        license(name = "Apache-2.0 OR MIT")
    ),
    paths(
        crate::api::send::post_messages,
        crate::api::messages::get_message,
        crate::api::suppressions::post_suppression,
        crate::api::consents::post_consent,
        crate::api::consents::post_withdrawal,
        crate::api::requests::get_requests,
        crate::api::notices::post_notice,
        crate::api::forms::post_form,
        crate::api::imports::post_import,
        crate::api::imports::get_import,
        crate::api::imports::post_undo,
        crate::api::releases::post_release,
        get_openapi,
    ),
    tags(
        (name = "messages", description = "Sending, and what became of it"),
        (name = "people", description = "Who may be mailed"),
        (name = "interface", description = "This description")
    ),
    modifiers(&Key)
)]
struct Interface;

/// The key as RFC 6750 carries it.
struct Key;

impl Modify for Key {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let key =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The API key of a credential")).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(key));
    }
}

/// The document for a node that clients reach at `base_url`.
pub(crate) fn document(base_url: &str) -> Bytes {
    let mut document = Interface::openapi();
    document.servers = Some(vec![Server::new(base_url)]);
    // Built from our own types alone, which all have a JSON form.
    Bytes::from(document.to_json().unwrap_or_default())
}

/// This description.
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "interface",
    responses((status = 200, description = "The OpenAPI document", content_type = "application/json"))
)]
pub(crate) async fn get_openapi(State(api): State<Api>) -> Response {
    ([(CONTENT_TYPE, "application/json")], api.openapi()).into_response()
}
