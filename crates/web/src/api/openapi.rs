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
        crate::api::send::raw::post_raw,
        crate::api::messages::get_message,
        crate::api::queue::get_queue,
        crate::api::queue::post_hold,
        crate::api::queue::post_release,
        crate::api::queue::post_retry,
        crate::api::decisions::post_decisions,
        crate::api::decisions::explain::get_decision,
        crate::api::decisions::explain::post_search,
        crate::api::suppressions::post_suppression,
        crate::api::suppressions::get_suppressions,
        crate::api::suppressions::delete_suppression,
        crate::api::suppression_files::get_export,
        crate::api::suppression_files::post_import,
        crate::api::consents::post_consent,
        crate::api::consents::post_withdrawal,
        crate::api::evidence::post_export,
        crate::api::requests::get_requests,
        crate::api::agreements::post_agreement,
        crate::api::agreements::get_agreements,
        crate::api::agreements::get_agreement,
        crate::api::agreements::get_agreement_document,
        crate::api::agreements::get_agreement_page,
        crate::api::agreements::post_agreement_signature,
        crate::api::agreements::post_agreement_state,
        crate::api::instructions::post_instruction,
        crate::api::instructions::get_instructions,
        crate::api::instructions::get_instruction,
        crate::api::instructions::get_instruction_document,
        crate::api::instructions::get_instruction_page,
        crate::api::instructions::post_instruction_issue,
        crate::api::instructions::post_instruction_confirmation,
        crate::api::notifications::get_notifications,
        crate::api::profile::get_profile,
        crate::api::profile::post_profile,
        crate::api::notices::post_notice,
        crate::api::forms::post_form,
        crate::api::forms::get_form,
        crate::api::credentials::get_credentials,
        crate::api::credentials::post_credential,
        crate::api::credentials::delete_credential,
        crate::api::domains::get_tls_reports,
        crate::api::hosts::get_hosts,
        crate::api::hosts::post_host,
        crate::api::hosts::delete_host,
        crate::api::hosts::post_verify,
        crate::api::imports::post_import,
        crate::api::imports::get_import,
        crate::api::imports::post_undo,
        crate::api::informing::post_information,
        crate::api::releases::post_release,
        get_openapi,
    ),
    tags(
        (name = "messages", description = "Sending, and what became of it"),
        (name = "decisions", description = "Whether, and why not"),
        (name = "people", description = "Who may be mailed"),
        (name = "credentials", description = "Credentials of your systems"),
        (name = "domains", description = "What others report of domains of your own"),
        (name = "hosts", description = "Host names of your own for the pages where your recipients decide"),
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
