//! Pages for people on the API listener: the start page, the rules, the problems, the one style sheet.
//!
//! Invariants: no script and nothing from a third party; what a template is given is escaped by the template engine.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use gate::Rule;
use gate::rule::Mender;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::api::Api;
use crate::problem::Problem;
use crate::router::Fault;

#[cfg(test)]
mod tests;

const STYLE: &str = include_str!("../assets/style.css");

/// The style sheet of every page.
pub(crate) async fn get_style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=300")], STYLE).into_response()
}

#[derive(Template)]
#[template(path = "start.html")]
struct Start<'p> {
    base_url: &'p str,
}

/// What this is, and where to go.
pub(crate) async fn get_start(State(api): State<Api>) -> Response {
    page(&Start { base_url: api.base_url() })
}

#[derive(Template)]
#[template(path = "rules.html")]
struct Rules {
    rules: Vec<RuleShown>,
    faults: Vec<FaultShown>,
}

struct RuleShown {
    id: &'static str,
    article: &'static str,
    sentence: &'static str,
    remedy: &'static str,
    mender: &'static str,
    smtp: String,
    http: u16,
}

struct FaultShown {
    id: &'static str,
    title: &'static str,
    remedy: &'static str,
    status: u16,
}

/// Every rule of the gate and every fault of a request, each with an anchor of its id.
pub(crate) async fn get_rules() -> Response {
    let rules = Rule::ALL.into_iter().map(shown).collect();
    let faults = Fault::ALL.into_iter().map(|fault| {
        let row = fault.row();
        FaultShown { id: row.id, title: row.title, remedy: row.remedy, status: row.status.as_u16() }
    });
    page(&Rules { rules, faults: faults.collect() })
}

fn shown(rule: Rule) -> RuleShown {
    let row = rule.row();
    let (class, subject, detail) = row.enhanced;
    RuleShown {
        id: row.id,
        article: row.article,
        sentence: row.sentence,
        remedy: row.remedy,
        mender: match row.mender {
            Mender::Controller => "you, the controller",
            Mender::Person => "the person alone",
            Mender::Operator => "the operator of this node",
        },
        smtp: format!("{} {class}.{subject}.{detail}", row.smtp),
        http: row.http,
    }
}

/// RFC 9457 §3.1.1: the type of a problem leads to its explanation.
pub(crate) async fn get_problem(Path(id): Path<String>) -> Response {
    let known = Rule::from_id(&id).map(Rule::id);
    let fault = || Fault::ALL.into_iter().map(|fault| fault.row().id).find(|known| *known == id);
    match known.or_else(fault) {
        Some(id) => Redirect::to(&format!("/help/rules#{id}")).into_response(),
        None => Problem::of(Fault::NotFound).into_response(),
    }
}

/// A rendered page.
pub(crate) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            Problem::of(Fault::Internal).into_response()
        }
    }
}
