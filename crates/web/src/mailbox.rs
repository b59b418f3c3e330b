//! The demo's mailbox in a browser: what arrived, as pages and as JSON.
//!
//! Invariants: what arrived is a stranger's text: it is escaped everywhere, and its HTML is shown only inside a frame
//! without script, forms, or any request to anywhere (`sandbox`, and a policy of its own). No script of ours either.
//! Never: mail itself. What arrives is taken in, verified and kept by whoever implements [`Mailbox`].
//!
//! A page on the machine's own address must not become a page of any web site: requests with a host name that is not
//! this machine's are refused (names that a stranger's DNS points here), and so are changes asked for by other sites.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Method};
use mail::dkim::{Verdict, VerdictResult};
use model::Timestamp;

use crate::pages;
use crate::problem::Problem;
use crate::router::Fault;
use crate::secure;

mod json;
mod page;
mod parsed;
#[cfg(test)]
mod tests;

use parsed::Parsed;

/// Where arrived messages are.
pub trait Mailbox: Send + Sync + 'static {
    /// All of them, newest first.
    fn list(&self) -> Vec<Summary>;
    /// One of them.
    fn get(&self, number: u64) -> Option<Arc<Arrived>>;
    /// Takes all of them away.
    fn clear(&self);
}

/// A message as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Its number, from 1, never used twice.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The argument of MAIL FROM without angle brackets.
    pub reverse_path: String,
    /// The arguments of RCPT TO.
    pub recipients: Vec<String>,
    /// The message.
    pub raw: Bytes,
    /// What became of each DKIM signature, from top to bottom.
    pub verdicts: Vec<SignatureVerdict>,
    /// The TLS version it came over; `None` for a plain connection.
    pub tls: Option<String>,
}

/// What became of one DKIM signature (RFC 6376 §3.9).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignatureVerdict {
    /// Its `d=`.
    pub domain: String,
    /// Its `s=`.
    pub selector: String,
    /// Its `a=`.
    pub algorithm: String,
    /// Is it good?
    pub passed: Passed,
    /// Why not.
    pub reason: Option<String>,
}

/// Is a signature good?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passed {
    /// Yes.
    Yes,
    /// No.
    No,
    /// The key could not be asked for.
    Unknown,
}

/// One line of the list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Its number.
    pub number: u64,
    /// When it arrived.
    pub at: Timestamp,
    /// From, for people.
    pub from: String,
    /// The recipients of the envelope.
    pub to: String,
    /// Subject, for people.
    pub subject: String,
    /// All signatures together: `None` when there is none.
    pub dkim: Option<Passed>,
    /// Octets.
    pub octets: usize,
}

impl From<Verdict> for SignatureVerdict {
    fn from(verdict: Verdict) -> Self {
        let (passed, reason) = match verdict.result {
            VerdictResult::Pass => (Passed::Yes, None),
            VerdictResult::Fail(why) | VerdictResult::PermError(why) => (Passed::No, Some(why.to_owned())),
            VerdictResult::TempError => (Passed::Unknown, Some("the key could not be fetched".to_owned())),
        };
        Self { domain: verdict.domain, selector: verdict.selector, algorithm: verdict.algorithm, passed, reason }
    }
}

impl Summary {
    /// Parses what the list shows; done once, when a message arrives.
    #[must_use]
    pub fn of(arrived: &Arrived) -> Self {
        let parsed = Parsed::of(&arrived.raw);
        Self {
            number: arrived.number,
            at: arrived.at,
            from: cut(parsed.from),
            to: cut(arrived.recipients.join(", ")),
            subject: cut(parsed.subject),
            dkim: together(&arrived.verdicts),
            octets: arrived.raw.len(),
        }
    }
}

/// Characters of each text in a [`Summary`]: summaries are all in memory, whatever strangers write into a field.
const SUMMARY_CHARACTERS_MAX: usize = 1_000;

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SUMMARY_CHARACTERS_MAX) {
        text.truncate(end);
        text.shrink_to_fit();
        text.push('\u{2026}');
    }
    text
}

/// Good only if every signature is good, because the sender here signs twice and a fault in either is worth seeing.
fn together(verdicts: &[SignatureVerdict]) -> Option<Passed> {
    let worst = |worst, next: &SignatureVerdict| match (worst, next.passed) {
        (Passed::No, _) | (_, Passed::No) => Passed::No,
        (Passed::Unknown, _) | (_, Passed::Unknown) => Passed::Unknown,
        (Passed::Yes, Passed::Yes) => Passed::Yes,
    };
    (!verdicts.is_empty()).then(|| verdicts.iter().fold(Passed::Yes, worst))
}

type Shared = State<Arc<dyn Mailbox>>;

/// The router of the mailbox's listener.
pub fn router(mailbox: Arc<dyn Mailbox>) -> Router {
    Router::new()
        .route("/", get(page::get_list))
        .route("/messages/{number}", get(page::get_message))
        .route("/messages/{number}/frame", get(page::get_frame))
        .route("/clear", post(page::post_clear))
        .route("/style.css", get(pages::get_style))
        .route("/api/messages", get(json::get_messages).delete(json::delete_messages))
        .route("/api/messages/{number}", get(json::get_message))
        .route("/api/messages/{number}/raw", get(json::get_raw))
        .fallback(async || not_found())
        .method_not_allowed_fallback(async || Problem::of(Fault::MethodNotAllowed))
        .layer(from_fn(only_for_this_machine))
        .layer(map_response(secure::fields))
        .with_state(mailbox)
}

fn not_found() -> Problem {
    Problem::of(Fault::NotFound).saying("there is no such message or page in this mailbox")
}

/// Refuses names that are not this machine's, and changes that other sites ask for.
async fn only_for_this_machine(request: Request, next: Next) -> Response {
    let own = host_of(&request).is_some_and(|host| is_own(&host));
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if own && !(changes && asked_by_another_site(request.headers())) {
        next.run(request).await
    } else {
        Problem::of(Fault::NotFound).saying("open the mailbox by the address the node printed").into_response()
    }
}

/// HTTP/1.1 names the host in a field, HTTP/2 in the target.
fn host_of(request: &Request) -> Option<String> {
    if let Some(host) = request.uri().host() {
        return Some(host.to_owned());
    }
    let field = request.headers().get(HOST)?.to_str().ok()?;
    Some(field.parse::<Authority>().ok()?.host().to_owned())
}

fn is_own(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok() || bare.eq_ignore_ascii_case("localhost")
}

/// Browsers say where a request comes from; other clients say nothing, and are not led by strangers' pages.
fn asked_by_another_site(fields: &HeaderMap) -> bool {
    fields.get("sec-fetch-site").is_some_and(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"))
}
