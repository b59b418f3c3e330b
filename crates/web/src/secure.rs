//! Header fields that every answer carries: a browser may do with our pages only what they need.
//!
//! Invariants: no script, no third party, no sniffing, no referrer. An answer that sets a policy of its own (the
//! frame with a stranger's HTML) keeps it.

use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

/// For our own pages.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);
/// For HTML that arrived by mail, inside a frame: no script, no forms, no request to anywhere, an origin of its own.
pub(crate) const FRAME_POLICY: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'self'",
);

/// The policy does not keep a browser from connecting ahead (`rel=preconnect`, a frame that is then refused), and a
/// connection alone tells the sender that his message was opened. With this field one that knows it (WICG
/// Connection-Allowlist) connects to nobody on behalf of the document.
pub(crate) const FRAME_CONNECTIONS: (HeaderName, HeaderValue) =
    (HeaderName::from_static("connection-allowlist"), HeaderValue::from_static("()"));

/// Adds the fields.
pub(crate) async fn fields(mut response: Response) -> Response {
    let fields = response.headers_mut();
    fields.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    fields.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    fields.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    fields.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    // Answers hold addresses and states: no cache between us and the client keeps them (GDPR Art. 32(1)(b)).
    fields.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
