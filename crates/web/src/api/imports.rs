//! `POST /v1/imports`, `GET /v1/imports/{id}`, `POST /v1/imports/{id}/undo`: files of contacts, each contact with where
//! it came from (GDPR Art. 5(2), 7(1), 14).
//!
//! Invariants: the file is read as it comes, never whole into memory; one import of a controller at a time, and two on
//! a node, for each needs some 150 MB; a file has its bounds of time and lines; a body that ends early, or a client
//! that goes away, leaves nothing of it; an import beside a node at work lets its mail pass first.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use bytes::{Buf, Bytes};
use gate::Rule;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use marketing::import::{Format, ImportError, Imported, Mode, Plan, Tell, Words, format_from, run};
use model::{BatchId, PurposeId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::permission::ImportView;
use store::{Authority, Scope, Store};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use crate::api::turn::Held;
use crate::api::{Api, store_failed, to_the_end};
use crate::listener::Patience;
use crate::problem::Problem;
use crate::router::Fault;
use crate::timestamp::rfc3339;

/// Frames of a body that wait for the reader.
const FRAMES: usize = 8;
/// Seconds without a frame after which a body has ended early.
const FRAME_S_MAX: u64 = 60;
/// Octets that have to come in each second that is waited for them, once a minute was: a body that trickles would keep
/// the turn of all others for ever.
const OCTETS_PER_S_MIN: u64 = 1_024;
/// The same while others wait for their turn.
const OCTETS_PER_S_MIN_WANTED: u64 = 64 * 1_024;
/// Seconds that a client is waited for in all.
const WAITED_S_MAX: u64 = 3_600;
/// Lines of a file.
const LINES_MAX: u64 = 20_000_000;
/// Imports on a node, each of another controller.
pub(crate) const AT_ONCE: usize = 2;
/// Seconds that a client is waited for in all while others wait for their turn.
const WAITED_S_MAX_WANTED: u64 = 600;

/// What is said of the whole file. Whatever a row says itself stands before it.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Names of purposes, separated by commas, for rows that name none.
    #[serde(default)]
    purpose: String,
    /// Where the contacts came from, in words.
    source: Option<String>,
    /// How: form, double_opt_in, paper, verbal, api, existing_customer, other.
    method: Option<String>,
    /// The notice that was shown: id or SHA-256 of a document that is kept, NAME:VERSION:LANGUAGE, or any reference.
    notice: Option<String>,
    /// The lawful basis: consent, soft-opt-in, contract, legal-obligation.
    basis: Option<String>,
    /// Of a soft opt-in, beside the method existing_customer: similar-products, opt-out-at-collection (both needed).
    soft_opt_in: Option<String>,
    /// From whom the data were obtained: person or third-party (GDPR Art. 14). Without it, the method other means
    /// third-party.
    obtained: Option<String>,
    /// The first day on which they were collected.
    collected_from: Option<String>,
    /// The last day.
    collected_until: Option<String>,
    /// FIELD=COLUMN pairs, separated by commas.
    #[serde(default)]
    map: String,
    /// csv, jsonl or list; without it, what the Content-Type says.
    format: Option<String>,
    /// utf-8, utf-16le, utf-16be or windows-1252.
    encoding: Option<String>,
    /// first or absent: whether the first row names the columns.
    header: Option<String>,
    /// day or month: which comes first in dates such as 03/04/2021.
    date_order: Option<String>,
    /// Write nothing, and say what would come of it.
    #[serde(default)]
    dry_run: bool,
}

/// An import.
#[derive(Serialize, ToSchema)]
pub(crate) struct Import {
    /// Its id.
    id: String,
    /// When it began.
    at: String,
    /// `running` (or cut short), `done`, `undoing`, `undone`.
    state: String,
    /// Rows whose contact is on record.
    contacts: u64,
    /// Rows that wait for their provenance now.
    quarantined: u64,
    /// Rows of people whose own wish, or a restriction, stands against it.
    blocked: u64,
    /// Its leaf in the ledger.
    event: String,
    /// What was said of the whole file.
    about: Value,
    /// Of people whose data came from somebody else: by when they are to be informed (GDPR Art. 14(3)). Absent where
    /// there is nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    inform: Option<Inform>,
}

/// What people whose data came from somebody else are owed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Inform {
    /// From this moment on it is late for the first of them, and marketing to whoever it is late for is refused.
    until: String,
    /// When it was said how they were informed; absent until it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    said_at: Option<String>,
    /// What was said: `on`, `how`, `notice`, or `exemption` and `assessment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<Value>,
}

/// What undoing took away.
#[derive(Serialize, ToSchema)]
pub(crate) struct Undoing {
    /// Bases.
    bases: u64,
    /// Addresses of people of whom nothing else is recorded.
    addresses: u64,
    /// Rows in quarantine.
    quarantined: u64,
}

/// Imports the file that is the body. The answer comes when everything is in force; its `nonce` is kept by nobody else,
/// and opens what the ledger's leaf commits to.
#[utoipa::path(
    post, path = "/v1/imports", tag = "people", params(Asked),
    request_body(
        content = String, content_type = "text/csv", description = "The file",
        example = "email,consent_at,source\nada@dest.example,2025-03-01,sign-up form\n"
    ),
    responses(
        (status = 200, description = "A dry run: what would come of it", body = Value),
        (status = 201, description = "Imported, and in force: the receipt", body = Value),
        (status = 400, description = "The file, or what is said of it, is at fault: nothing was kept",
         body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Refused for the sender as a whole: agreement, instruction or credential",
         body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Neither CSV nor JSON Lines nor a list",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment, or another import is under way",
         body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_import(
    State(api): State<Api>,
    asked: Result<Query<Asked>, QueryRejection>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate_for(&parts.headers, Scope::People)?;
    let Query(asked) =
        asked.map_err(|_| Problem::field("", "a parameter is not known, stands twice, or is no word"))?;
    // GDPR Art. 28(3): contacts are kept only where mail might go to them.
    if let Some(refusal) = api.submission().check_sender(&authority) {
        return Err(Problem::refused(refusal.rule(), api.base_url()));
    }
    let turn = Arc::new(api.turn().take(api.store(), authority.controller())?);
    let format = format(asked.format.as_deref(), &parts.headers)?;
    let mode = if asked.dry_run { Mode::DryRun } else { Mode::Write };
    let store = api.store();
    let plan = asked.words().plan(store, authority.controller(), store.now(), format, mode);
    let mut plan = plan.map_err(|fault| Problem::field(fault.field, fault.fault))?;
    plan.within = within(&api, &authority, &plan.purposes)?;
    // Its time is bounded by the file: by what a row takes, and by how it comes (`feed`). The nonce is told once.
    Patience::lift_for(&parts.extensions);
    to_the_end(async move {
        let imported = take_in(&api, plan, body, &turn).await;
        drop(turn);
        let status = if mode == Mode::DryRun { StatusCode::OK } else { StatusCode::CREATED };
        imported.map(|imported| (status, Json(imported)))
    })
    .await
}

/// The purposes for which this credential may record people, `asked` among them.
pub(crate) fn within(api: &Api, authority: &Authority, asked: &[PurposeId]) -> Result<Vec<PurposeId>, Problem> {
    let (store, controller) = (api.store(), authority.controller());
    let within = store.purposes_within(controller, Some(authority));
    // A list is covered with its purpose.
    let root = |id: &PurposeId| store.purpose(controller, *id).map_or(*id, |purpose| purpose.id);
    let Some(other) = asked.iter().map(root).find(|id| !within.contains(id)) else { return Ok(within) };
    // GDPR Art. 28(3)(a) before Art. 29: what is instructed is asked first.
    let is_instructed = store.purposes_within(controller, None).contains(&other);
    let rule = if is_instructed { Rule::CredentialScope } else { Rule::OperationNotInstructed };
    Err(Problem::refused(rule, api.base_url()))
}

async fn take_in(api: &Api, plan: Plan, body: Body, turn: &Arc<Held>) -> Result<Value, Problem> {
    let (frames, feeding) = Frames::of(body, api.store(), turn);
    let tell: Tell = Arc::new(|_| ());
    let imported = run(api.store(), plan, frames, None, &tell).await;
    feeding.abort();
    told(api, imported)
}

/// What is answered.
pub(super) fn told(api: &Api, imported: Result<Imported, ImportError>) -> Result<Value, Problem> {
    match imported {
        Ok(imported) => Ok(imported.to_json(api.store())),
        Err(ImportError::Store(error)) => Err(store_failed(&error)),
        Err(fault @ (ImportError::Open(_) | ImportError::File(_) | ImportError::Purpose)) => {
            Err(Problem::field("", fault.to_string()))
        }
        Err(fault) => {
            tracing::error!(%fault, "an import failed");
            Err(Problem::of(Fault::Internal))
        }
    }
}

/// Hands frames on as they come; a body that ends early or trickles ends with an error, so that no half file counts as
/// a whole one.
async fn feed(mut body: Body, give: mpsc::Sender<io::Result<Bytes>>, store: Arc<Store>, turn: Arc<Held>) {
    let (mut waited, mut octets, mut lines) = (Duration::ZERO, 0_u64, 0_u64);
    loop {
        let before = store.clock().monotonic();
        let frame = tokio::time::timeout(Duration::from_secs(FRAME_S_MAX), body.frame()).await;
        // Only what the client took: while the store is busy, the client waits for us.
        waited += store.clock().monotonic().saturating_sub(before);
        let frame = match frame {
            Ok(None) => return,
            Ok(Some(Ok(frame))) => Ok(frame.into_data().unwrap_or_default()),
            Ok(Some(Err(_))) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        octets += frame.as_ref().map_or(0, |frame| frame.len() as u64);
        lines += frame.as_ref().map_or(0, |frame| frame.iter().filter(|octet| **octet == b'\n').count() as u64);
        let frame = if trickles(octets, waited, turn.is_wanted(store.clock())) {
            Err(io::ErrorKind::TimedOut.into())
        } else if lines > LINES_MAX {
            Err(io::ErrorKind::FileTooLarge.into())
        } else {
            frame
        };
        let is_over = frame.is_err();
        if give.send(frame).await.is_err() || is_over {
            return;
        }
    }
}

const fn trickles(octets: u64, waited: Duration, is_wanted: bool) -> bool {
    let least = if is_wanted { OCTETS_PER_S_MIN_WANTED } else { OCTETS_PER_S_MIN };
    let is_slow = waited.as_secs() > FRAME_S_MAX && octets / waited.as_secs() < least;
    let most = if is_wanted { WAITED_S_MAX_WANTED } else { WAITED_S_MAX };
    is_slow || waited.as_secs() > most
}

/// A body, for a thread that reads.
pub(crate) struct Frames {
    frames: mpsc::Receiver<io::Result<Bytes>>,
    now: Bytes,
}

impl Frames {
    /// A body that a task of its own hands on.
    pub(crate) fn of(body: Body, store: &Arc<Store>, turn: &Arc<Held>) -> (Self, tokio::task::JoinHandle<()>) {
        let (give, frames) = mpsc::channel(FRAMES);
        let feeding = tokio::spawn(feed(body, give, Arc::clone(store), Arc::clone(turn)));
        (Self { frames, now: Bytes::new() }, feeding)
    }
}

impl Read for Frames {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            match self.frames.blocking_recv() {
                Some(frame) => self.now = frame?,
                None => return Ok(0),
            }
        }
        let count = self.now.len().min(room.len());
        room.get_mut(..count).unwrap_or_default().copy_from_slice(self.now.get(..count).unwrap_or_default());
        self.now.advance(count);
        Ok(count)
    }
}

pub(crate) fn format(asked: Option<&str>, fields: &HeaderMap) -> Result<Format, Problem> {
    let plain = fields.get(CONTENT_ENCODING).is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if !plain {
        return Err(Problem::of(Fault::MediaType).saying("the file is taken without Content-Encoding"));
    }
    if let Some(word) = asked {
        return format_from(word).ok_or_else(|| Problem::field("format", "expected csv, jsonl or list"));
    }
    let kind = fields.get(CONTENT_TYPE).and_then(|field| field.to_str().ok()).unwrap_or_default();
    let word = match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "text/csv" | "text/tab-separated-values" => "csv",
        "application/jsonl" | "application/x-ndjson" | "application/json-lines" => "jsonl",
        "text/plain" => "list",
        _ => "",
    };
    let expected = "send the file as text/csv, application/jsonl or text/plain (one address a line)";
    format_from(word).ok_or_else(|| Problem::of(Fault::MediaType).saying(expected))
}

impl Asked {
    fn words(&self) -> Words {
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        Words {
            purposes: list(&self.purpose),
            source: self.source.clone(),
            method: self.method.clone(),
            notice: self.notice.clone(),
            basis: self.basis.clone(),
            soft_opt_in: self.soft_opt_in.clone(),
            obtained: self.obtained.clone(),
            collected_from: self.collected_from.clone(),
            collected_until: self.collected_until.clone(),
            map: list(&self.map),
            encoding: self.encoding.clone(),
            header: self.header.clone(),
            date_order: self.date_order.clone(),
        }
    }
}

/// Shows an import.
#[utoipa::path(
    get, path = "/v1/imports/{id}", tag = "people", params(("id" = String, Path, description = "The import's id")),
    responses(
        (status = 200, description = "The import", body = Import),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No import of this controller by that id", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_import(
    State(api): State<Api>,
    Path(id): Path<String>,
    fields: HeaderMap,
) -> Result<Json<Import>, Problem> {
    let authority = api.authenticate_for(&fields, Scope::People)?;
    let id = batch(&api, &id)?;
    match api.store().import_view(authority.controller(), id).await {
        Ok(Some(view)) => Ok(Json(shown(&api, view))),
        Ok(None) => Err(Problem::of(Fault::NotFound)),
        Err(error) => Err(store_failed(&error)),
    }
}

/// Takes back what came with an import: bases that were neither renewed nor withdrawn since, addresses that nothing
/// else needs, rows in quarantine. Wishes stay. Doing it again is as good as doing it once.
#[utoipa::path(
    post, path = "/v1/imports/{id}/undo", tag = "people",
    params(("id" = String, Path, description = "The import's id")),
    responses(
        (status = 200, description = "Undone, and in force", body = Undoing),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No import of this controller by that id", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_undo(
    State(api): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Undoing>, Problem> {
    let authority = api.authenticate_for(request.headers(), Scope::People)?;
    let id = batch(&api, &id)?;
    // Bounded by what came with the import.
    Patience::lift_for(request.extensions());
    to_the_end(async move {
        match api.store().undo_import(authority.controller(), id).await {
            Ok(undone) => {
                let (bases, addresses, quarantined) = (undone.bases, undone.addresses, undone.quarantined);
                Ok(Json(Undoing { bases, addresses, quarantined }))
            }
            Err(store::Error::NotFound { .. }) => Err(Problem::of(Fault::NotFound)),
            Err(error) => Err(store_failed(&error)),
        }
    })
    .await
}

pub(super) fn batch(api: &Api, text: &str) -> Result<BatchId, Problem> {
    api.store().parse_public(text).ok_or_else(|| Problem::of(Fault::NotFound))
}

pub(super) fn shown(api: &Api, view: ImportView) -> Import {
    let (said_at, said) = view.information.unzip();
    let inform = view.inform.map(|until| Inform {
        until: rfc3339(until),
        said_at: said_at.map(rfc3339),
        said: said.and_then(|said| serde_json::from_str(&said).ok()),
    });
    Import {
        id: api.store().public_id(view.id),
        at: rfc3339(view.at),
        state: view.state,
        contacts: view.contacts,
        quarantined: view.quarantined,
        blocked: view.blocked,
        event: view.event.to_hex(),
        about: serde_json::from_str(&view.about).unwrap_or_default(),
        inform,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::golden;
    use serde_json::json;

    #[test]
    fn what_is_shown_of_an_import_names_nobody() {
        let import = Import {
            id: "imp_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            at: "2027-01-15T12:00:00.000000Z".to_owned(),
            state: "done".to_owned(),
            contacts: 2,
            quarantined: 1,
            blocked: 1,
            event: "0".repeat(32),
            about: json!({"source": "the shop", "purposes": ["newsletter"], "basis": "consent", "method": null}),
            inform: Some(Inform {
                until: "2027-02-16T00:00:00.000000Z".to_owned(),
                said_at: Some("2027-02-01T09:00:00.000000Z".to_owned()),
                said: Some(json!({"on": "2027-01-31", "how": "by letter", "notice": "privacy:3:en"})),
            }),
        };
        golden("import.json", &import);
        golden("import-undone.json", &Undoing { bases: 2, addresses: 2, quarantined: 1 });
    }

    #[test]
    fn a_body_that_trickles_is_over_after_a_minute_and_a_slow_line_is_not() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        assert!(!trickles(0, minutes(1), false), "silence has its own limit");
        assert!(trickles(60 * OCTETS_PER_S_MIN, minutes(2), false));
        assert!(!trickles(10_000_000_000, minutes(60), false), "ten gigabytes in an hour");
        assert!(trickles(u64::MAX, minutes(61), false), "no file takes longer");
        assert!(!trickles(2 * 60 * OCTETS_PER_S_MIN, minutes(2), false));
        assert!(trickles(2 * 60 * OCTETS_PER_S_MIN, minutes(2), true), "others wait");
        assert!(!trickles(10_000_000_000, minutes(10), true));
        assert!(trickles(10_000_000_000, minutes(11), true), "they have waited long enough");
    }
}
