//! The mailbox as pages. A view of a message is chosen by a link, so that it works without a script.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::CONTENT_SECURITY_POLICY;
use serde::Deserialize;

use super::json::word;
use super::parsed::{File, Parsed};
use super::{Arrived, Shared, SignatureVerdict, not_found, together};
use crate::pages::page;
use crate::secure::{FRAME_CONNECTIONS, FRAME_POLICY};
use crate::timestamp::for_people;

/// Octets of the source that a page shows; the rest is behind the link to the whole.
const SOURCE_OCTETS_SHOWN_MAX: usize = 512 * 1024;

/// Messages on the list's page, the newest; the JSON list has all.
const LINES_SHOWN_MAX: usize = 500;

/// Which part of a message is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum View {
    Html,
    Text,
    Headers,
    Source,
    Signatures,
}

impl View {
    const ALL: [Self; 5] = [Self::Html, Self::Text, Self::Headers, Self::Source, Self::Signatures];

    const fn id(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Text => "text",
            Self::Headers => "headers",
            Self::Source => "source",
            Self::Signatures => "signatures",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Html => "HTML",
            Self::Text => "Text",
            Self::Headers => "Headers",
            Self::Source => "Source",
            Self::Signatures => "Signatures",
        }
    }
}

/// What a link asks for.
#[derive(Deserialize)]
pub(super) struct Asked {
    show: Option<View>,
}

#[derive(Template)]
#[template(path = "mailbox_list.html")]
struct List {
    lines: Vec<Line>,
    all: usize,
}

struct Line {
    number: u64,
    at: String,
    from: String,
    to: String,
    subject: String,
    dkim: &'static str,
}

#[derive(Template)]
#[template(path = "mailbox_message.html")]
struct Shown<'m> {
    number: u64,
    at: String,
    arrived: &'m Arrived,
    parsed: &'m Parsed,
    dkim: &'static str,
    tabs: Vec<Tab>,
    view: &'static str,
    source: String,
    cut: bool,
    signatures: Vec<Signature<'m>>,
}

struct Tab {
    id: &'static str,
    label: &'static str,
    chosen: bool,
}

struct Signature<'m> {
    verdict: &'m SignatureVerdict,
    word: &'static str,
}

/// `GET /`
pub(super) async fn get_list(State(mailbox): Shared) -> Response {
    let list = mailbox.list();
    let all = list.len();
    let lines = list.into_iter().take(LINES_SHOWN_MAX).map(|summary| Line {
        number: summary.number,
        at: for_people(summary.at),
        from: or(summary.from, "(no sender)"),
        to: summary.to,
        subject: or(summary.subject, "(no subject)"),
        dkim: word(summary.dkim),
    });
    page(&List { lines: lines.collect(), all })
}

/// `GET /messages/{number}?show=…`
pub(super) async fn get_message(
    State(mailbox): Shared,
    Path(number): Path<u64>,
    Query(asked): Query<Asked>,
) -> Response {
    let Some(arrived) = mailbox.get(number) else { return not_found().into_response() };
    let parsed = Parsed::of(&arrived.raw);
    let view = asked.show.unwrap_or(if parsed.html.is_some() { View::Html } else { View::Text });
    let tabs = View::ALL.map(|tab| Tab { id: tab.id(), label: tab.label(), chosen: tab == view });
    let source = if view == View::Source { source(&arrived.raw) } else { String::new() };
    page(&Shown {
        number,
        at: for_people(arrived.at),
        arrived: &arrived,
        parsed: &parsed,
        dkim: word(together(&arrived.verdicts)),
        tabs: tabs.into(),
        view: view.id(),
        source,
        cut: arrived.raw.len() > SOURCE_OCTETS_SHOWN_MAX,
        signatures: arrived
            .verdicts
            .iter()
            .map(|verdict| Signature { verdict, word: word(Some(verdict.passed)) })
            .collect(),
    })
}

/// `GET /messages/{number}/frame`: the stranger's HTML, under a policy that lets it do nothing.
pub(super) async fn get_frame(State(mailbox): Shared, Path(number): Path<u64>) -> Response {
    let html = mailbox.get(number).and_then(|arrived| Parsed::of(&arrived.raw).html);
    match html {
        Some(html) => ([(CONTENT_SECURITY_POLICY, FRAME_POLICY), FRAME_CONNECTIONS], Html(html)).into_response(),
        None => not_found().into_response(),
    }
}

/// `POST /clear`
pub(super) async fn post_clear(State(mailbox): Shared) -> Redirect {
    mailbox.clear();
    Redirect::to("/")
}

fn source(raw: &[u8]) -> String {
    let shown = raw.get(..SOURCE_OCTETS_SHOWN_MAX).unwrap_or(raw);
    String::from_utf8_lossy(shown).replace("\r\n", "\n")
}

fn or(text: String, instead: &str) -> String {
    if text.trim().is_empty() { instead.to_owned() } else { text }
}

impl Shown<'_> {
    fn title(&self) -> &str {
        if self.parsed.subject.trim().is_empty() { "(no subject)" } else { &self.parsed.subject }
    }

    fn files(&self) -> &[File] {
        &self.parsed.files
    }
}
