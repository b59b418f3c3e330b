//! `POST /v1/messages/raw`: a whole message (RFC 5322) as somebody else composed it, with an envelope beside it.
//!
//! Header rules are those of SMTP submission ([`mta::submission::content`]): scanned strictly, one From, nothing twice
//! that may stand once, completed, Bcc and our own fields taken out. Line ends are the one thing that is mended, since
//! files and libraries end lines as they like; over SMTP a bare LF is an attack, here nothing was read by lines before.
//! The envelope stands in fields of the request and never in its path or query, where logs would keep addresses.
//! Never: a recipient who is passed over because another cannot be read; an address in an error.

use std::borrow::Cow;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use mail::address::{Address, Repertoire, ReversePath};
use mail::header::{HeaderBlock, Limits, check_submission, named_recipients, parse_mailbox, parse_mailboxes};
use mail::message::canonical_crlf;
use mail::require_tls::RequireTls;
use model::PurposeId;
use mta::submission::{Asked, ContentError, Named, ReceivedBy, content};
use serde::Deserialize;
use store::Authority;
use utoipa::IntoParams;

use super::answer::Accepted;
use super::compose::Composed;
use super::request::RECIPIENTS_MAX;
use super::{Prepared, Ready, Repeat, SMALL_OCTETS_MAX, Shape, hash_of, idempotency_key, offer};
use crate::api::body::{self, Kind, Received};
use crate::api::flight::Held;
use crate::api::{Api, to_the_end};
use crate::problem::Problem;
use crate::router::Fault;

/// Octets of a message: as many as SMTP submission takes.
pub(crate) const RAW_OCTETS_MAX: usize = 25 * 1024 * 1024;
/// To whom. Several fields are read as one list.
const TO: HeaderName = HeaderName::from_static("envelope-to");
/// RFC 8689: whether it may travel without TLS.
const REQUIRE_TLS: HeaderName = HeaderName::from_static("require-tls");
/// Where notifications go.
const FROM: HeaderName = HeaderName::from_static("envelope-from");

/// On what a message is sent.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct On {
    /// Name of the stream; the credential's default stream if absent. A field `X-Postern-Stream` in the message may
    /// only confirm it.
    #[serde(default)]
    stream: Option<String>,
    /// Name of the purpose, or of a list below one; the stream's first purpose if absent.
    #[serde(default)]
    purpose: Option<String>,
}

/// The envelope as the request gives it.
struct Envelope {
    /// `None` when the message itself is to say.
    to: Option<Vec<Address>>,
    from: ReversePath,
    require_tls: RequireTls,
}

/// Sends a whole message that was composed elsewhere. It is kept octet for octet but for its line ends and what SMTP
/// submission, too, completes or takes out: Date and Message-ID are added where missing, a Received field is put first,
/// Bcc and Return-Path go. Every recipient gets the same header block.
#[utoipa::path(
    post, path = "/v1/messages/raw", tag = "messages",
    request_body(content = String, content_type = "message/rfc822",
                 description = "The message: header block, empty line, body; at most 25 MiB"),
    params(
        On,
        ("Envelope-To" = Option<String>, Header,
         description = "The recipients: addresses with commas between, in one field or several. Without it they are \
                        those of To, Cc and Bcc in the message, each once. At most 1,000"),
        ("Envelope-From" = Option<String>, Header,
         description = "The address that notifications go to, of a verified domain of yours; without it, From"),
        ("Require-TLS" = Option<String>, Header,
         description = "`yes`: RFC 8689, as `require_tls` of `POST /v1/messages`; `no`, or without it: as well as it \
                        can be done"),
        ("Idempotency-Key" = Option<String>, Header,
         description = "1 to 255 printable ASCII characters. A repeat with the same key, envelope and body gets the \
                        first answer for 24 hours, with `Idempotency-Replayed: true`, and sends nothing")
    ),
    responses(
        (status = 202, description = "At least one recipient was queued or held", body = Accepted),
        (status = 400, description = "The message or its envelope is not well-formed; nothing was kept", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Refused for the sender as a whole: agreement, instruction, stream, credential or \
                                      From domain", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not come in time", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "The Idempotency-Key was used for another request, or is in use", body = Problem,
         content_type = "application/problem+json"),
        (status = 413, description = "More than 25 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no message/rfc822", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "Every recipient was refused; `results` says why", body = Problem,
         content_type = "application/problem+json"),
        (status = 429, description = "The messages instructed for this day are used up", body = Problem,
         content_type = "application/problem+json"),
        (status = 500, description = "A fault of this node", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment; try again after `Retry-After` seconds", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_raw(
    State(api): State<Api>,
    on: Result<Query<On>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate(&parts.headers)?;
    let Query(on) = on.map_err(|_| Problem::field("", "the query takes `stream` and `purpose`, each once"))?;
    let key = idempotency_key(&parts.headers)?;
    let envelope = Envelope::of(&parts.headers)?;
    let whose = authority.controller();
    let read = body::read_as(Kind::Message, api.budget(), whose, &parts.headers, body, RAW_OCTETS_MAX).await;
    let received = read.map_err(|problem| match problem.status() {
        http::StatusCode::PAYLOAD_TOO_LARGE => problem.saying("a message has at most 25 MiB"),
        _ => problem,
    })?;
    to_the_end(async move { submit(&api, &authority, key.as_deref(), on, envelope, received).await }).await
}

async fn submit(
    api: &Api,
    authority: &Authority,
    key: Option<&str>,
    on: On,
    envelope: Envelope,
    received: Received,
) -> Result<Response, Problem> {
    let _held: Option<Held> = key.map(|key| api.keys().hold(authority.credential(), key)).transpose()?;
    let repeat = key.map(|key| Repeat { key, request_hash: request_hash(&on, &envelope, &received.octets) });
    let prepared = if received.octets.len() <= SMALL_OCTETS_MAX {
        prepare(api, authority, &on, envelope, &received.octets)?
    } else {
        let (api, authority, octets) = (api.clone(), authority.clone(), received.octets.clone());
        let work = tokio::task::spawn_blocking(move || prepare(&api, &authority, &on, envelope, &octets));
        work.await.unwrap_or_else(|_| Err(Problem::of(Fault::Internal)))?
    };
    offer(api, authority, repeat, Shape::One, vec![prepared]).await
}

/// Over everything that decides what is sent, each part with its length before it.
fn request_hash(on: &On, envelope: &Envelope, octets: &[u8]) -> [u8; 32] {
    let mut parts: Vec<String> = vec![format!("{:?} {:?}", on.stream, on.purpose), envelope.from.to_wire()];
    // Only where it is asked, so that a repeat of what was sent before there was a choice is still one.
    if envelope.require_tls.is_asked() {
        parts.push(format!("{:?}", envelope.require_tls));
    }
    match &envelope.to {
        Some(to) => parts.extend(to.iter().map(Address::to_wire)),
        None => parts.push("*".to_owned()),
    }
    let mut all: Vec<u8> = Vec::new();
    for part in &parts {
        all.extend_from_slice(format!("{}:{part}", part.len()).as_bytes());
    }
    all.extend_from_slice(&hash_of(octets));
    hash_of(&all)
}

impl Envelope {
    fn of(fields: &HeaderMap) -> Result<Self, Problem> {
        let mut to = Vec::new();
        for field in fields.get_all(&TO) {
            let found = parse_mailboxes(field.as_bytes());
            to.extend(found.map_err(|fault| Problem::field("Envelope-To", fault.to_string()))?);
        }
        let to = fields.contains_key(&TO).then_some(to);
        let mut from = fields.get_all(&FROM).iter();
        let from = match (from.next(), from.next()) {
            (None, _) => ReversePath::Null,
            (Some(field), None) => {
                let parsed = parse_mailbox(field.as_bytes());
                ReversePath::Address(parsed.map_err(|fault| Problem::field("Envelope-From", fault.to_string()))?)
            }
            (Some(_), Some(_)) => return Err(Problem::field("Envelope-From", "give it once")),
        };
        let mut require_tls = fields.get_all(&REQUIRE_TLS).iter().map(|value| value.as_bytes());
        let require_tls = match (require_tls.next(), require_tls.next()) {
            (None | Some(b"no"), None) => RequireTls::No,
            (Some(b"yes"), None) => RequireTls::Yes,
            _ => return Err(Problem::field("Require-TLS", "give `yes` or `no`, once")),
        };
        Ok(Self { to, from, require_tls })
    }
}

fn prepare(api: &Api, authority: &Authority, on: &On, envelope: Envelope, octets: &Bytes) -> Result<Prepared, Problem> {
    let canonical = match canonical_crlf(octets) {
        Cow::Borrowed(_) => octets.clone(),
        Cow::Owned(mended) => Bytes::from(mended),
    };
    let block = HeaderBlock::scan(&canonical, Limits::INTERNATIONAL).map_err(|fault| malformed(&fault.into()))?;
    check_submission(&block).map_err(|fault| malformed(&fault.into()))?;
    let recipients = recipients(&block, envelope.to)?;
    let to: Vec<String> = recipients.iter().map(Address::to_wire).collect();
    let authority = match &on.stream {
        None => authority.clone(),
        Some(name) => match authority.with_stream(name, api.store()) {
            Some(authority) => authority,
            None => return Ok(Prepared::NoSuchStream { to }),
        },
    };
    // RFC 6532: a client that says nothing of it may write in UTF-8.
    let repertoire = Repertoire::Utf8;
    let Envelope { from: reverse_path, require_tls, .. } = envelope;
    let asked = Asked { reverse_path, returned: None, envelope_id: None, repertoire, require_tls };
    let named = recipients.into_iter().map(Named::from).collect();
    let received = ReceivedBy { host: host_of(api.base_url()), protocol: "HTTP" };
    let taken = content::from_smtp(api.store(), &authority, &canonical, &asked, named, received);
    let (mut draft, ids) = taken.map_err(|fault| malformed(&fault))?;
    if let Some(name) = &on.purpose {
        draft.purpose = api.store().purpose_named(authority.controller(), name).unwrap_or(PurposeId(0));
    }
    Ok(Prepared::Ready(Box::new(Ready { authority, composed: Composed { draft, ids }, to })))
}

/// Those of the envelope or, without one, those that the message names.
fn recipients(block: &HeaderBlock<'_>, given: Option<Vec<Address>>) -> Result<Vec<Address>, Problem> {
    let (field, found) = match given {
        Some(given) => {
            let mut seen = std::collections::HashSet::new();
            let each_once: Vec<Address> = given.into_iter().filter(|address| seen.insert(address.clone())).collect();
            ("Envelope-To", each_once)
        }
        None => {
            let found = named_recipients(block);
            ("To", found.map_err(|(field, fault)| Problem::field(field, fault.to_string()))?)
        }
    };
    match found.len() {
        0 => Err(Problem::field(
            field,
            "at least one recipient is required, in `Envelope-To` or in To, Cc or Bcc of the message",
        )),
        1..=RECIPIENTS_MAX => Ok(found),
        _ => Err(Problem::field(field, format!("a message has at most {RECIPIENTS_MAX} recipients"))),
    }
}

/// The texts of [`ContentError`] name field and limit, never a value.
fn malformed(fault: &ContentError) -> Problem {
    match fault {
        ContentError::OtherStream => {
            Problem::field("stream", "the field X-Postern-Stream in the message names another stream than this")
        }
        other => Problem::field("", other.to_string()),
    }
}

/// The host of an URL, for the trace (RFC 5321 §4.4).
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':']).next().filter(|host| !host.is_empty() && !host.starts_with('[')).unwrap_or("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trace_names_the_host_alone() {
        for (url, host) in [
            ("https://mail.example", "mail.example"),
            ("http://127.0.0.1:8025", "127.0.0.1"),
            ("http://[::1]:8025", "localhost"),
            ("https://mail.example/x", "mail.example"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }

    #[test]
    fn whatever_decides_what_is_sent_is_in_the_hash() {
        let on = |stream: Option<&str>| On { stream: stream.map(str::to_owned), purpose: None };
        let to = |to: &[&str]| Envelope {
            to: Some(to.iter().map(|text| Address::parse(text).unwrap()).collect()),
            from: ReversePath::Null,
            require_tls: RequireTls::No,
        };
        let of = |stream, envelope: &Envelope, octets: &[u8]| request_hash(&on(stream), envelope, octets);
        let one = of(None, &to(&["ada@dest.example"]), b"a");
        assert_eq!(one, of(None, &to(&["ada@dest.example"]), b"a"));
        assert_ne!(one, of(Some("news"), &to(&["ada@dest.example"]), b"a"));
        assert_ne!(one, of(None, &to(&["bob@dest.example"]), b"a"));
        assert_ne!(one, of(None, &to(&["ada@dest.example", "bob@dest.example"]), b"a"));
        let nobody = Envelope { to: None, from: ReversePath::Null, require_tls: RequireTls::No };
        assert_ne!(one, of(None, &nobody, b"a"));
        let asking = Envelope { require_tls: RequireTls::Yes, ..to(&["ada@dest.example"]) };
        assert_ne!(one, of(None, &asking, b"a"));
        assert_ne!(one, of(None, &to(&["ada@dest.example"]), b"b"));
    }
}
