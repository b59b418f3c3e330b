//! `/p/{token}`: the person's own page.
//!
//! Invariants: whoever holds its link may take away, and nothing is given but by mail (`saving`); what is shown are the
//! purposes that the instruction in force serves, and what stands besides and can be taken away; "unsubscribe from all"
//! is one button.

use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::Response;
use duties::form;
use http::HeaderMap;
use model::basis::BasisKind;
use model::person::SuppressionScope;
use model::{ControllerId, ListId, PurposeId, Timestamp};
use std::net::SocketAddr;
use std::time::Duration;
use store::permission::{Leaving, Link, LinkTarget, Method, Standing};

use super::asking::VALID;
use super::fields::Fields;
use super::leave::leave;
use super::saving::{Came, Outcome, save, take_back};
use super::{Owner, Visit, busy, failed, link, told, unusable};
use crate::api::Api;
use crate::public::{
    Choice, Frequency, Language, Left, Notice, Post, Preferences, PreferencesMessage, Purpose, PurposeChoice,
    TopicChoice, Tracking, Unsubscribed, respond,
};

/// How long the answer to a request to confirm shows who is there.
const FRESH: Duration = Duration::from_secs(3_600);

/// A purpose as the page has it.
pub(super) struct Row {
    pub(super) id: PurposeId,
    pub(super) field: String,
    title: String,
    description: String,
    pub(super) choice: Choice,
    pub(super) topics: Vec<(ListId, String, String, Choice)>,
}

/// What is switched on: there is consent or a soft opt-in that stands, and nothing stops it.
fn choice(standing: &Standing, purpose: PurposeId, now: Timestamp) -> Choice {
    let stands = standing.bases.iter().any(|basis| {
        basis.purpose == purpose
            && matches!(basis.kind, BasisKind::Consent | BasisKind::SoftOptIn)
            && basis.withdrawn.is_none()
            && basis.expires.is_none_or(|expires| now < expires)
    });
    let stopped = standing.suppressions.iter().any(|entry| {
        matches!(entry.scope, SuppressionScope::All | SuppressionScope::Marketing)
            || entry.scope == SuppressionScope::Purpose(purpose)
    });
    if stands && !stopped { Choice::On } else { Choice::Off }
}

/// Purposes of marketing that the instruction in force serves, and those of which something stands all the same.
pub(super) fn rows(api: &Api, controller: ControllerId, standing: &Standing, language: Language) -> Vec<Row> {
    let store = api.store();
    let (lists, within) = (store.lists(controller), store.purposes_within(controller, None));
    let stands = |id: PurposeId| {
        standing.bases.iter().any(|basis| basis.purpose == id && basis.withdrawn.is_none())
            || (standing.is_opposed(id)
                && standing.suppressions.iter().any(|entry| entry.scope == SuppressionScope::Purpose(id)))
    };
    let marketing = store
        .purposes(controller)
        .into_iter()
        .filter(|one| one.kind.is_marketing() && one.ended.is_none() && (within.contains(&one.id) || stands(one.id)));
    let row = |purpose: std::sync::Arc<model::Purpose>| {
        let (title, description) = told(api, controller, purpose.id, language);
        let topic = |list: &store::List| {
            let (title, _) = told(api, controller, PurposeId(list.id.0), language);
            let left = standing.suppressions.iter().any(|entry| entry.scope == SuppressionScope::List(list.id));
            (list.id, store.public_id(list.id), title, if left { Choice::Off } else { Choice::On })
        };
        Row {
            id: purpose.id,
            field: store.public_id(purpose.id),
            title,
            description,
            choice: choice(standing, purpose.id, store.now()),
            topics: lists.iter().filter(|list| list.purpose == purpose.id).map(topic).collect(),
        }
    };
    marketing.map(row).collect()
}

/// The words shown on the page, and the document that evidence names: those of the newest form in use, and its path.
async fn words(api: &Api, controller: ControllerId, language: Language) -> Option<(form::Words, String)> {
    let forms = api.store().forms(controller).await.ok()?;
    let newest = forms.into_iter().filter(|form| form.state == store::permission::FormState::Published);
    let newest = newest.max_by_key(|form| form.id)?;
    let open = form::open(api.store(), controller, &newest.name).await.ok()??;
    let words = open.words(api.store(), controller, language.tag()).await.ok()?;
    Some((words, format!("/f/{}/{}", api.store().public_id(controller), newest.name)))
}

/// Whose page it is. The link of a request to confirm leads here, too, once that was answered.
async fn own(api: &Api, token: &str, visit: &Visit) -> Result<(Link, Came), Response> {
    let fits = |target: &LinkTarget| matches!(target, LinkTarget::Preferences | LinkTarget::Confirm(_));
    let found = link(api, token, fits).ok_or_else(|| unusable(visit))?;
    let LinkTarget::Confirm(id) = found.target else { return Ok((found, Came::ByLink)) };
    let asked = api.store().confirmation(found.controller, found.tag, id).await.map_err(|error| failed(api, &error))?;
    let done = asked.and_then(|asked| asked.done).ok_or_else(|| unusable(visit))?;
    let is_fresh = api.store().now() < done.plus(FRESH);
    Ok((found, if is_fresh { Came::Confirmed } else { Came::ByLink }))
}

/// Shows; changes nothing.
pub(crate) async fn get_preferences(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    let found = match own(&api, &token, &visit).await {
        Ok((found, _)) => found,
        Err(response) => return response,
    };
    let signalled = says_no_tracking(request.headers());
    match page(&api, &token, &found, &visit, None, signalled).await {
        Ok(response) | Err(response) => response,
    }
}

/// Global Privacy Control: the browser says it for the person.
fn says_no_tracking(headers: &HeaderMap) -> bool {
    headers.get("sec-gpc").is_some_and(|value| value == "1")
}

/// What the page says of what was sent.
fn messages(outcome: Outcome, form: Option<&str>) -> Vec<PreferencesMessage<'_>> {
    let said = [
        (outcome.asked, PreferencesMessage::Asked { valid: VALID }),
        (outcome.opposed, PreferencesMessage::Opposed),
        (outcome.closed, PreferencesMessage::Closed),
        (outcome.absent, PreferencesMessage::Absent { form }),
    ];
    let said: Vec<_> = said.into_iter().filter_map(|(is_so, message)| is_so.then_some(message)).collect();
    if said.is_empty() { vec![PreferencesMessage::Saved] } else { said }
}

async fn page(
    api: &Api,
    token: &str,
    link: &Link,
    visit: &Visit,
    outcome: Option<Outcome>,
    signalled: bool,
) -> Result<Response, Response> {
    let owner = Owner::load(api, link.controller).await?;
    let standing = api.store().decided(link.controller, link.tag).await.map_err(|error| failed(api, &error))?;
    let rows = rows(api, link.controller, &standing, visit.language);
    let topics: Vec<Vec<TopicChoice<'_>>> = rows
        .iter()
        .map(|row| row.topics.iter().map(|(_, id, title, choice)| TopicChoice { id, title, choice: *choice }).collect())
        .collect();
    let choices: Vec<PurposeChoice<'_>> = rows
        .iter()
        .zip(&topics)
        .map(|(row, topics)| PurposeChoice {
            purpose: Purpose { id: &row.field, title: &row.title, description: &row.description },
            choice: row.choice,
            topics,
        })
        .collect();
    let (words, form) = words(api, link.controller, visit.language).await.unzip();
    let version = words.as_ref().map(|words| words.version.to_string()).unwrap_or_default();
    let notice = Notice {
        short: words.as_ref().map_or("", |words| &words.short),
        full: words.as_ref().map_or("", |words| &words.full),
        language: words.as_ref().and_then(|words| Language::from_tag(&words.language)).unwrap_or(visit.language),
        version: &version,
    };
    let shown = words.as_ref().map(|words| api.store().public_id(words.notice));
    let [save, leave_all, take_back] = ["", "/leave", "/objection"].map(|end| format!("/p/{token}{end}"));
    let here = outcome.is_none().then_some(visit.here.as_str());
    let mut messages = outcome.map(|outcome| messages(outcome, form.as_deref())).unwrap_or_default();
    // Whoever objected is told so before he ticks anything.
    if outcome.is_none() && standing.is_opposed(PurposeId(0)) {
        messages.push(PreferencesMessage::Objected);
    }
    Ok(respond(&Preferences {
        frame: owner.frame(visit.language, here),
        save: Post { action: &save, token: shown.as_deref() },
        leave_all: Post { action: &leave_all, token: None },
        take_back: standing.has_objection().then_some(Post { action: &take_back, token: None }),
        purposes: &choices,
        // Whoever never chose gets what comes, within what the stream's terms promise.
        frequency: Some(Frequency::from_word(&standing.preference.frequency).unwrap_or(Frequency::Every)),
        tracking: if signalled { Tracking::Signalled } else { Tracking::NotOffered },
        messages_in: Language::from_tag(&standing.preference.language).unwrap_or(visit.language),
        paused_until: standing.preference.paused.filter(|until| api.store().now() < *until),
        notice,
        messages: &messages,
    }))
}

/// Saves.
pub(crate) async fn post_preferences(
    State(api): State<Api>,
    Path(token): Path<String>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    let (found, came) = match own(&api, &token, &visit).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let signalled = says_no_tracking(request.headers());
    let (parts, body) = request.into_parts();
    let sent = match Fields::read(&parts.headers, body).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let saving = api.clone();
    let person = (found.controller, found.tag.0);
    let wait = api.throttle().change(peer.ip(), person, api.store().clock().monotonic()).err();
    let saved = tokio::spawn(async move { save(&saving, (&found, came), &sent, (visit, wait.is_none())).await }).await;
    match (saved, wait) {
        // What takes away was done all the same.
        (Ok(Ok((visit, _))), Some(wait)) => busy(&visit, wait),
        (Ok(Ok((visit, outcome))), None) => match page(&api, &token, &found, &visit, Some(outcome), signalled).await {
            Ok(response) | Err(response) => response,
        },
        (Ok(Err(response)), _) => response,
        (Err(error), _) => failed(&api, &error),
    }
}

/// Asks to take back an objection or a complaint: by mail alone, for whoever holds a link is nobody.
pub(crate) async fn post_objection(
    State(api): State<Api>,
    Path(token): Path<String>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    let found = match own(&api, &token, &visit).await {
        Ok((found, _)) => found,
        Err(response) => return response,
    };
    let person = (found.controller, found.tag.0);
    if let Err(wait) = api.throttle().change(peer.ip(), person, api.store().clock().monotonic()) {
        return busy(&visit, wait);
    }
    let signalled = says_no_tracking(request.headers());
    let asked = async {
        let outcome = take_back(&api, &found, &visit).await?;
        page(&api, &token, &found, &visit, Some(outcome), signalled).await
    };
    match asked.await {
        Ok(response) | Err(response) => response,
    }
}

/// Leaves everything, in one action.
pub(crate) async fn post_leave_all(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    let found = match own(&api, &token, &visit).await {
        Ok((found, _)) => found,
        Err(response) => return response,
    };
    if let Err(response) = leave(&api, &found, Leaving::Marketing, Method::Page).await {
        return response;
    }
    let preferences = format!("/p/{token}");
    match Owner::load(&api, found.controller).await {
        Ok(owner) => respond(&Unsubscribed {
            frame: owner.frame(visit.language, None),
            left: Left::All,
            preferences: Some(&preferences),
        }),
        Err(response) => response,
    }
}
