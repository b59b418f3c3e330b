//! `GET /v1/suppressions/export` and `POST /v1/suppressions/import`: the controller's list as a file.
//!
//! Invariants: neither is whole in memory at any time; a file only adds entries; the report names lines, never
//! addresses.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use hyper::body::Frame;
use marketing::suppressions::{NotTakenIn, Said, Sheet, take_in};
use model::ControllerId;
use serde::Deserialize;
use serde_json::Value;
use store::permission::{SuppressionCursor, SuppressionFilter};
use store::{Scope, Store};
use tokio::sync::mpsc;
use utoipa::IntoParams;

use crate::api::imports::{Frames, format};
use crate::api::suppressions::{filter, reason, scope};
use crate::api::{Api, store_failed, to_the_end};
use crate::listener::Patience;
use crate::problem::Problem;
use crate::router::Fault;

/// Entries read at once.
const PAGE: usize = 500;
/// Pages that wait for the client.
const WAITING: usize = 2;

/// Which entries, and how they are written.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// `csv` (without it) or `jsonl`.
    #[serde(default)]
    format: Option<String>,
    /// Of this scope alone.
    #[serde(default)]
    scope: Option<String>,
    /// For this reason alone.
    #[serde(default)]
    reason: Option<String>,
}

/// The whole list as a file: id, email (as long as it is kept), scope, reason, since, until. Cells that a spreadsheet
/// would take for formulas are made harmless. A file that ends early ends with an error of the connection.
#[utoipa::path(
    get, path = "/v1/suppressions/export", tag = "people", params(Wanted),
    responses(
        (status = 200, description = "The list", content_type = "text/csv"),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_export(
    State(api): State<Api>,
    fields: HeaderMap,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let authority = api.authenticate_for(&fields, Scope::People)?;
    let Query(wanted) = wanted.map_err(|_| Problem::field("", "a parameter is not known, or stands twice"))?;
    let filter = filter(wanted.scope.as_deref(), wanted.reason.as_deref(), &authority, api.store())?;
    let word = wanted.format.as_deref().unwrap_or("csv");
    let sheet = Sheet::from_word(word).ok_or_else(|| Problem::field("format", "expected csv or jsonl"))?;
    let (give, pages) = mpsc::channel(WAITING);
    tokio::spawn(written(Arc::clone(api.store()), authority.controller(), filter, sheet, give));
    let (kind, name) = match sheet {
        Sheet::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"suppressions.csv\""),
        Sheet::JsonLines => ("application/jsonl", "attachment; filename=\"suppressions.jsonl\""),
    };
    let fields = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_DISPOSITION, HeaderValue::from_static(name)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((fields, Body::new(Pages(pages))).into_response())
}

/// Writes page after page, as the client takes them; ends when he goes.
async fn written(
    store: Arc<Store>,
    controller: ControllerId,
    filter: SuppressionFilter,
    sheet: Sheet,
    give: mpsc::Sender<io::Result<Bytes>>,
) {
    let (mut text, mut after) = (sheet.head(), SuppressionCursor::default());
    loop {
        let (entries, next) = match store.suppressions(controller, filter, &after, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "an export of suppressions ended early");
                // Whether he hears it is his affair: he is told that the file is not whole.
                drop(give.send(Err(io::Error::other("the list could not be read to its end"))).await);
                return;
            }
        };
        for entry in &entries {
            sheet.write(&mut text, &store, controller, entry);
        }
        if give.send(Ok(Bytes::from(std::mem::take(&mut text)))).await.is_err() {
            return;
        }
        let Some(next) = next else { return };
        after = next;
    }
}

/// A body out of pages.
struct Pages(mpsc::Receiver<io::Result<Bytes>>);

impl HttpBody for Pages {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|page| page.map(|page| page.map(Frame::data)))
    }
}

/// What is said of the whole file.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    /// Of rows without a column `scope`: `all`, `marketing` (without it), `delivery`, `purpose:NAME`, `list:NAME`.
    #[serde(default)]
    scope: Option<String>,
    /// Of rows without a column `reason`: `controller` (without it), `opt-out`, `complaint`, `objection`.
    #[serde(default)]
    reason: Option<String>,
    /// csv, jsonl or list; without it, what the Content-Type says.
    #[serde(default)]
    format: Option<String>,
}

/// Adds the entries of the file that is the body: CSV, JSON Lines or one address a line; columns `scope` and `reason`
/// speak for their row. What stands is never lifted or weakened. Giving a file again is as good as giving it once.
///
/// The ledger has an entry of the file (`event`). It commits to the file and the counts: HMAC-SHA-256, with `nonce` as
/// its key, of the SHA-256 of the file and of `added`, `faulty` and `unchanged`, each as eight octets, the highest
/// first. Keep the nonce: it is told once, and kept nowhere here.
#[utoipa::path(
    post, path = "/v1/suppressions/import", tag = "people", params(Told),
    request_body(
        content = String, content_type = "text/csv", description = "The file",
        example = "email,scope,reason\nada@dest.example,marketing,objection\n"
    ),
    responses(
        (status = 200, description = "Taken in, and in force: counts, and the first 1,000 faulty rows by line",
         body = Value),
        (status = 400, description = "A field or the file is at fault", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Neither CSV nor JSON Lines nor a list", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment, or an import is under way", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_import(
    State(api): State<Api>,
    told: Result<Query<Told>, QueryRejection>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate_for(&parts.headers, Scope::People)?;
    let Query(told) = told.map_err(|_| Problem::field("", "a parameter is not known, or stands twice"))?;
    // Not behind the files of contacts: what people wished is taken in first (GDPR Art. 21(3)).
    let turn = Arc::new(api.wishes_turn().take(api.store(), authority.controller())?);
    let said = Said {
        format: format(told.format.as_deref(), &parts.headers)?,
        scope: scope(told.scope.as_deref().unwrap_or("marketing"), &authority, api.store())?,
        reason: reason(told.reason.as_deref())?,
    };
    // Bounded by the file, as an import is.
    Patience::lift_for(&parts.extensions);
    to_the_end(async move {
        let (frames, feeding) = Frames::of(body, api.store(), &turn);
        let taken = take_in(api.store(), authority.controller(), said, frames).await;
        feeding.abort();
        drop(turn);
        match taken {
            Ok(taken) => Ok(Json(taken.to_json())),
            Err(NotTakenIn::Store(error)) => Err(store_failed(&error)),
            Err(fault @ (NotTakenIn::Open(_) | NotTakenIn::File { .. })) => Err(Problem::field("", fault.to_string())),
            Err(NotTakenIn::Broken) => Err(Problem::of(Fault::Internal)),
        }
    })
    .await
}
