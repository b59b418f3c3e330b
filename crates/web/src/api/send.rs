//! `POST /v1/messages`: one message or a batch.
//!
//! The whole request is read and checked before anything of it is taken in, so a fault in the last message of a batch
//! leaves nothing half-stored. What is taken in goes through [`mta::submission::Submission::accept`], message by
//! message, each in a commit of its own together with its part of the Idempotency-Key: a repeat after a crash gets
//! the stored answers and sends only what was not yet taken in. What is stored are ids and verdicts; the addresses are
//! those of the repeated request. A message none of whose recipients was taken in keeps no answer: its repeat is
//! decided anew, by the facts of that moment.
//! Never: a recipient's address in an error or a log line; it stands in the results alone, as the client gave it.

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use gate::Rule;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use model::ids::{PublicKind, RequestId};
use model::{PurposeId, StreamId};
use mta::submission::Answer;
use store::{Authority, Idempotency, Replay};

use crate::api::body::{self, Received};
use crate::api::flight::Held;
use crate::api::{Api, store_failed, to_the_end};
use crate::problem::Problem;
use crate::router::Fault;
use answer::{Disposition, SubmittedAnswer, Told};
use compose::Composed;
use request::{Checked, MessageRequest, Submitted};

pub(crate) mod answer;
pub(crate) mod compose;
pub(crate) mod raw;
pub(crate) mod request;

/// Characters of an Idempotency-Key.
pub(crate) const KEY_CHARACTERS_MAX: usize = 255;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Octets of a body from which reading and composing it is done off the threads that serve connections.
const SMALL_OCTETS_MAX: usize = body::SMALL_OCTETS_MAX;

/// One message of a request, before it is offered to the gate.
enum Prepared {
    /// Well-formed.
    Ready(Box<Ready>),
    /// On a stream that the controller does not have.
    NoSuchStream { to: Vec<String> },
}

impl Prepared {
    /// Its recipients' addresses as the client gave them.
    fn to(&self) -> &[String] {
        match self {
            Self::Ready(ready) => &ready.to,
            Self::NoSuchStream { to } => to,
        }
    }
}

/// A message that is ready to be offered.
struct Ready {
    authority: Authority,
    composed: Composed,
    to: Vec<String>,
}

/// What a message came to, as JSON.
struct Done {
    told: StatusCode,
    json: Vec<u8>,
    problem: Option<Problem>,
    replayed: Replayed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Replayed {
    Yes,
    No,
}

/// Sends one message, or a batch of up to 500. 202 when at least one recipient was queued or held.
#[utoipa::path(
    post, path = "/v1/messages", tag = "messages", request_body = Submitted,
    params(("Idempotency-Key" = Option<String>, Header,
            description = "1 to 255 printable ASCII characters. A repeat with the same key and body gets the first \
                           answer for 24 hours, with `Idempotency-Replayed: true`, and sends nothing")),
    responses(
        (status = 202, description = "At least one recipient was queued or held. For a batch: `results` with an entry \
                                      for each message", body = SubmittedAnswer),
        (status = 400, description = "A field is at fault; nothing was kept", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Refused for the sender as a whole: agreement, instruction, stream, credential or \
                                      From domain", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not come in time", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "The Idempotency-Key was used for another request, or is in use", body = Problem,
         content_type = "application/problem+json"),
        (status = 413, description = "More than 36 MiB, or 25 MiB of attachments", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
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
pub(crate) async fn post_messages(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate(&parts.headers)?;
    let key = idempotency_key(&parts.headers)?;
    let received = body::read(api.budget(), authority.controller(), &parts.headers, body, body::OCTETS_MAX).await?;
    to_the_end(async move { submit(&api, &authority, key.as_deref(), received).await }).await
}

/// The key of the request, if it has one.
fn idempotency_key(fields: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut given = fields.get_all(&IDEMPOTENCY_KEY).iter();
    let Some(field) = given.next() else { return Ok(None) };
    let printable = field.as_bytes().iter().all(|b| (b' '..=b'~').contains(b));
    match field.to_str() {
        Ok(key) if printable && (1..=KEY_CHARACTERS_MAX).contains(&key.len()) && given.next().is_none() => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(Problem::field("Idempotency-Key", "give it once, 1 to 255 printable ASCII characters")),
    }
}

async fn submit(api: &Api, authority: &Authority, key: Option<&str>, received: Received) -> Result<Response, Problem> {
    let _held: Option<Held> = key.map(|key| api.keys().hold(authority.credential(), key)).transpose()?;
    let repeat = key.map(|key| Repeat { key, request_hash: hash_of(&received.octets) });
    let (shape, prepared) = prepare(api, authority, &received).await?;
    offer(api, authority, repeat, shape, prepared).await
}

/// Offers what was read and checked, message by message.
async fn offer(
    api: &Api,
    authority: &Authority,
    repeat: Option<Repeat<'_>>,
    shape: Shape,
    prepared: Vec<Prepared>,
) -> Result<Response, Problem> {
    let earlier = match &repeat {
        Some(repeat) => repeat.earlier(api, authority, prepared.len()).await?,
        None => vec![None; prepared.len()],
    };
    let mut done = Vec::with_capacity(prepared.len());
    for (index, (message, earlier)) in prepared.into_iter().zip(earlier).enumerate() {
        done.push(match earlier {
            Some(kept) => Done::replayed(&kept, message.to(), api.base_url()),
            None => Done::of(send(api, authority, message, repeat.as_ref(), index).await),
        });
    }
    Ok(respond(shape, done))
}

fn hash_of(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, octets).as_ref());
    hash
}

/// Reads, checks and composes the whole request.
async fn prepare(api: &Api, authority: &Authority, received: &Received) -> Result<(Shape, Vec<Prepared>), Problem> {
    if received.octets.len() <= SMALL_OCTETS_MAX {
        return prepare_all(api, authority, &received.octets);
    }
    let (api, authority, octets) = (api.clone(), authority.clone(), received.octets.clone());
    let work = tokio::task::spawn_blocking(move || prepare_all(&api, &authority, &octets));
    work.await.unwrap_or_else(|_| Err(Problem::of(Fault::Internal)))
}

fn prepare_all(api: &Api, authority: &Authority, octets: &[u8]) -> Result<(Shape, Vec<Prepared>), Problem> {
    match request::read(octets)? {
        Submitted::One(message) => Ok((Shape::One, vec![prepare_one(api, authority, *message)?])),
        Submitted::Batch(batch) => {
            if batch.messages.is_empty() {
                return Err(Problem::field("messages", "at least one message is required"));
            }
            let messages = batch.messages.into_iter().enumerate();
            let prepared = messages.map(|(index, message)| {
                prepare_one(api, authority, message).map_err(|problem| problem.in_batch(index))
            });
            Ok((Shape::Batch, prepared.collect::<Result<_, _>>()?))
        }
    }
}

fn prepare_one(api: &Api, authority: &Authority, message: MessageRequest) -> Result<Prepared, Problem> {
    let checked: Checked = message.check()?;
    let to = checked.to.iter().map(|person| person.email().to_owned()).collect();
    let authority = match &checked.stream {
        None => Some(authority.clone()),
        Some(name) => authority.with_stream(name, api.store()),
    };
    // Composed even where the stream is not there, so that a malformed message is malformed everywhere.
    let sent_on = authority.as_ref().map_or((StreamId(0), PurposeId(0)), |authority| {
        let named = |name: &String| api.store().purpose_named(authority.controller(), name).unwrap_or(PurposeId(0));
        let default = || authority.stream().default_purpose();
        (authority.stream().id, checked.purpose.as_ref().map_or_else(default, named))
    });
    let composed = compose::draft(&checked, sent_on, api.store())?;
    Ok(match authority {
        Some(authority) => Prepared::Ready(Box::new(Ready { authority, composed, to })),
        None => Prepared::NoSuchStream { to },
    })
}

/// An Idempotency-Key with the request it came with.
struct Repeat<'k> {
    key: &'k str,
    request_hash: [u8; 32],
}

impl Repeat<'_> {
    /// The key of one message of the request. A line break cannot stand in a client's key, so none looks like another.
    fn key_of(&self, index: usize) -> String {
        format!("{}\n{index}", self.key)
    }

    /// The stored answers, by message; a conflict in any stops the whole request before anything of it is sent.
    async fn earlier(
        &self,
        api: &Api,
        authority: &Authority,
        messages: usize,
    ) -> Result<Vec<Option<Vec<u8>>>, Problem> {
        let mut earlier = Vec::with_capacity(messages);
        for index in 0..messages {
            let (controller, credential) = (authority.controller(), authority.credential());
            let key = self.key_of(index);
            match api.store().idempotent(controller, credential, &key, self.request_hash).await {
                Ok(Replay::New) => earlier.push(None),
                Ok(Replay::Same(answer)) => earlier.push(Some(answer)),
                Ok(Replay::Conflict) => return Err(Problem::of(Fault::IdempotencyConflict)),
                Err(error) => return Err(store_failed(&error)),
            }
        }
        Ok(earlier)
    }
}

/// Offers one message to the gate. The answer is kept under the key in the commit that takes the message in.
async fn send(api: &Api, authority: &Authority, message: Prepared, repeat: Option<&Repeat<'_>>, index: usize) -> Told {
    let Ready { authority, composed, to } = match message {
        Prepared::Ready(ready) => *ready,
        Prepared::NoSuchStream { to } => return no_such_stream(api, authority, &to),
    };
    let request = api.store().public_id(RequestId::from_raw(api.store().new_message_id().raw()));
    let told = |answers: &[Answer]| Told::of(to.iter().map(String::as_str), answers, request.clone(), api.base_url());
    let keep = |answers: &[Answer]| {
        let repeat = repeat?;
        let answer = told(answers).kept()?;
        Some(Idempotency { key: repeat.key_of(index), request_hash: repeat.request_hash, answer })
    };
    match api.submission().accept_as(&authority, composed.draft, composed.ids, keep).await {
        Ok(answers) => told(&answers),
        Err(mta::Error::Repeated) => Told::problem(Problem::of(Fault::IdempotencyInProgress)),
        Err(error) => {
            tracing::warn!(%error, "a message could not be taken in");
            let fault = match error.temper() {
                mta::Temper::Temporary => Fault::Temporary,
                mta::Temper::Permanent => Fault::Internal,
            };
            Told::problem(Problem::of(fault).saying(error.public()))
        }
    }
}

/// GDPR Art. 28(3)(a): no instruction can cover a stream that is not there, so this is the gate's own refusal.
fn no_such_stream(api: &Api, authority: &Authority, to: &[String]) -> Told {
    let rule = Rule::OperationNotInstructed;
    api.store().count_refusal(authority.controller(), authority.credential(), rule);
    let results = to.iter().map(|to| Disposition::refused(to, rule, api.base_url())).collect();
    Told::problem(Problem::refused(rule, api.base_url()).with_results(results))
}

/// One message or a batch: the answer has the shape of the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    Batch,
}

impl Done {
    fn of(told: Told) -> Self {
        let (status, json) = (told.status(), told.json());
        let problem = match told {
            Told::Problem { problem } => Some(problem),
            Told::Accepted(_) => None,
        };
        Self { told: status, json, problem, replayed: Replayed::No }
    }

    /// The answer given before. GDPR Art. 5(1)(c): the addresses come from the repeat and were not kept for it.
    fn replayed(kept: &[u8], to: &[String], base_url: &str) -> Self {
        match Told::of_kept(kept, to, base_url) {
            Some(told) => Self { replayed: Replayed::Yes, ..Self::of(told) },
            None => {
                tracing::error!("a kept answer cannot be read");
                Self::of(Told::problem(Problem::of(Fault::Internal)))
            }
        }
    }
}

fn respond(shape: Shape, mut done: Vec<Done>) -> Response {
    let replayed = done.iter().any(|done| done.replayed == Replayed::Yes);
    let mut response = match (shape, done.pop()) {
        (Shape::One, Some(Done { problem: Some(problem), .. })) => problem.into_response(),
        (Shape::One, Some(only)) => json_response(only.told, only.json),
        (_, last) => {
            done.extend(last);
            let statuses: Vec<StatusCode> = done.iter().map(|done| done.told).collect();
            let entries: Vec<Vec<u8>> = done.into_iter().map(|done| done.json).collect();
            // The entries are JSON as it was stored, so the list is joined and not written anew.
            let body = [b"{\"results\":[".as_slice(), &entries.join(&b','), b"]}"].concat();
            json_response(answer::batch_status(&statuses), body)
        }
    };
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn json_response(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
