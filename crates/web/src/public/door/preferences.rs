//! `/p/{token}`: the person's own page.
//!
//! Invariants: a purpose that is ticked there is consented to by the person himself, with the words shown there, where
//! they speak of it (else the record is unverified); one that is not is withdrawn, before or together with what is
//! ticked; what he said in a complaint or an objection is not lifted by a tick (`architecture.md` §10); "unsubscribe
//! from all" is one button.

use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::Response;
use duties::form;
use http::HeaderMap;
use model::basis::BasisKind;
use model::person::SuppressionScope;
use model::{ControllerId, DocumentId, ListId, PurposeId, Timestamp};
use std::net::SocketAddr;
use std::time::Duration;
use store::permission::{Act, Chosen, Form, FormState, Leaving, Link, LinkTarget, Method, Preference, Standing};

use super::fields::Fields;
use super::leave::leave;
use super::{Owner, Visit, busy, failed, link, told, unusable};
use crate::api::Api;
use crate::public::{
    Choice, Frequency, Language, Left, Notice, Pause, Post, Preferences, PreferencesMessage, Purpose, PurposeChoice,
    TopicChoice, Tracking, Unsubscribed, respond,
};

/// A day.
const DAY: Duration = Duration::from_secs(86_400);

fn fits(target: &LinkTarget) -> bool {
    *target == LinkTarget::Preferences
}

/// A purpose as the page has it.
struct Row {
    id: PurposeId,
    field: String,
    title: String,
    description: String,
    choice: Choice,
    topics: Vec<(ListId, String, String, Choice)>,
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

fn rows(api: &Api, controller: ControllerId, standing: &Standing, language: Language) -> Vec<Row> {
    let store = api.store();
    let lists = store.lists(controller);
    let marketing = store.purposes(controller).into_iter().filter(|one| one.kind.is_marketing() && one.ended.is_none());
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

/// The words shown on the page, and the document that evidence names: those of the newest form in use.
async fn words(api: &Api, controller: ControllerId, language: Language) -> Option<form::Words> {
    let forms = api.store().forms(controller).await.ok()?;
    let newest = forms.into_iter().filter(|form| form.state == store::permission::FormState::Published);
    let newest = newest.max_by_key(|form| form.id)?;
    let open = form::open(api.store(), controller, &newest.name).await.ok()??;
    open.words(api.store(), controller, language.tag()).await.ok()
}

/// Shows; changes nothing.
pub(crate) async fn get_preferences(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    let Some(found) = link(&api, &token, fits) else { return unusable(&visit) };
    let signalled = says_no_tracking(request.headers());
    match page(&api, &token, &found, &visit, None, signalled).await {
        Ok(response) | Err(response) => response,
    }
}

/// Global Privacy Control: the browser says it for the person.
fn says_no_tracking(headers: &HeaderMap) -> bool {
    headers.get("sec-gpc").is_some_and(|value| value == "1")
}

async fn page(
    api: &Api,
    token: &str,
    link: &Link,
    visit: &Visit,
    message: Option<PreferencesMessage>,
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
    let words = words(api, link.controller, visit.language).await;
    let version = words.as_ref().map(|words| words.version.to_string()).unwrap_or_default();
    let notice = Notice {
        short: words.as_ref().map_or("", |words| &words.short),
        full: words.as_ref().map_or("", |words| &words.full),
        language: words.as_ref().and_then(|words| Language::from_tag(&words.language)).unwrap_or(visit.language),
        version: &version,
    };
    let shown = words.as_ref().map(|words| api.store().public_id(words.notice));
    let (save, leave_all) = (format!("/p/{token}"), format!("/p/{token}/leave"));
    let here = message.is_none().then_some(visit.here.as_str());
    Ok(respond(&Preferences {
        frame: owner.frame(visit.language, here),
        save: Post { action: &save, token: shown.as_deref() },
        leave_all: Post { action: &leave_all, token: None },
        purposes: &choices,
        // Whoever never chose gets what comes, within what the stream's terms promise.
        frequency: Some(Frequency::from_word(&standing.preference.frequency).unwrap_or(Frequency::Every)),
        tracking: if signalled { Tracking::Signalled } else { Tracking::NotOffered },
        messages_in: Language::from_tag(&standing.preference.language).unwrap_or(visit.language),
        paused_until: standing.preference.paused.filter(|until| api.store().now() < *until),
        notice,
        message,
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
    let Some(found) = link(&api, &token, fits) else { return unusable(&visit) };
    let signalled = says_no_tracking(request.headers());
    let (parts, body) = request.into_parts();
    let sent = match Fields::read(&parts.headers, body).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let saving = api.clone();
    let person = (found.controller, found.tag.0);
    let wait = api.throttle().change(peer.ip(), person, api.store().clock().monotonic()).err();
    let saved = tokio::spawn(async move { save(&saving, &found, &sent, (visit, wait.is_none())).await }).await;
    match (saved, wait) {
        // What takes away was done all the same.
        (Ok(Ok(visit)), Some(wait)) => busy(&visit, wait),
        (Ok(Ok(visit)), None) => {
            match page(&api, &token, &found, &visit, Some(PreferencesMessage::Saved), signalled).await {
                Ok(response) | Err(response) => response,
            }
        }
        (Ok(Err(response)), _) => response,
        (Err(error), _) => failed(&api, &error),
    }
}

/// Saves what was sent; of whoever sends too often only what takes away.
async fn save(api: &Api, link: &Link, sent: &Fields, (visit, all): (Visit, bool)) -> Result<Visit, Response> {
    let store = api.store();
    let fault = |error: store::Error| failed(api, &error);
    let standing = store.decided(link.controller, link.tag).await.map_err(fault)?;
    let rows = rows(api, link.controller, &standing, visit.language);
    let shown = sent.first("form_token").and_then(|text| store.parse_public::<DocumentId>(text));
    let details = serde_json::json!({
        "action": "checkbox, not ticked before",
        "page": "preferences",
        "language": visit.language.tag(),
        "withdrawal": "one-click, preference centre",
    });
    let details = details.to_string();
    let act = Act { method: Method::Page, notice: None, form: None, details: &details };
    let wanted = |row: &Row| sent.all("purpose").any(|field| field == row.field);
    let owner = Owner::load(api, link.controller).await?;
    let is_new = |row: &&Row| all && owner.may_collect(api) && row.choice == Choice::Off && wanted(row);
    let given: Vec<PurposeId> = rows.iter().filter(is_new).map(|row| row.id).collect();
    // A purpose that is switched off may rest on something all the same, which his leaving everything has stopped: the
    // first tick lifts that, so all that he left unticked ends with it (GDPR Art. 7(3)).
    let stands = |id: PurposeId| standing.bases.iter().any(|basis| basis.purpose == id && basis.withdrawn.is_none());
    let has_left = standing.suppressions.iter().any(|entry| entry.scope == SuppressionScope::Marketing);
    let is_left = |row: &&Row| {
        let ends = row.choice == Choice::On || stands(row.id) || (has_left && !given.is_empty());
        ends && !wanted(row)
    };
    let left: Vec<PurposeId> = rows.iter().filter(is_left).map(|row| row.id).collect();
    // GDPR Art. 7(1): evidence of words that were shown, and that speak of this purpose; else there is none.
    let forms = store.forms(link.controller).await.map_err(fault)?;
    let notice_of = |id: &PurposeId| shown.filter(|notice| spoke_of(&forms, *notice, *id));
    let (told, untold): (Vec<PurposeId>, Vec<PurposeId>) = given.iter().partition(|id| notice_of(id).is_some());
    // What takes away goes with the first of them, and so before anything is lifted.
    let ticks = [(told, left.as_slice(), shown), (untold, &[], None)];
    for (given, left, notice) in &ticks {
        let act = Act { notice: *notice, ..act };
        store.choose(link.controller, link.tag, Chosen { given, left }, &act).await.map_err(fault)?;
    }
    for row in &rows {
        for (list, field, _, choice) in &row.topics {
            let on = sent.all("topic").any(|sent| sent == field);
            match (choice, on) {
                (Choice::On, false) => {
                    store.leave(link.controller, link.tag, Leaving::List(*list), &act).await.map_err(fault)?;
                }
                (Choice::Off, true) if all => {
                    store.come_back(link.controller, link.tag, *list).await.map_err(fault)?;
                }
                _ => {}
            }
        }
    }
    if !all {
        return Ok(visit);
    }
    let preference = Preference {
        language: sent.first("language").and_then(Language::from_tag).unwrap_or(visit.language).tag().to_owned(),
        frequency: chosen(sent.first("frequency"), &standing.preference.frequency),
        paused: paused(sent.first("pause"), standing.preference.paused, store.now()),
        ..standing.preference
    };
    store.set_preference(link.controller, link.tag, &preference).await.map_err(fault)?;
    Ok(visit)
}

/// Was this notice one of a form that asks about the purpose, and that is or was in use?
fn spoke_of(forms: &[Form], notice: DocumentId, purpose: PurposeId) -> bool {
    let asked = |form: &&Form| form.state != FormState::Draft && form.purposes.contains(&purpose);
    forms.iter().filter(asked).any(|form| form.notices.values().any(|shown| *shown == notice))
}

/// GDPR Art. 21(2): how often at most, by the rule `frequency-cap`. A word that nobody offered changes nothing.
fn chosen(word: Option<&str>, before: &str) -> String {
    word.and_then(Frequency::from_word).map_or_else(|| before.to_owned(), |frequency| frequency.word().to_owned())
}

/// Only pauses that end: who wants none at all unsubscribes.
fn paused(word: Option<&str>, before: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    match word.and_then(Pause::from_word) {
        None | Some(Pause::Keep) => before,
        Some(Pause::None) => None,
        Some(Pause::Week) => Some(now.plus(7 * DAY)),
        Some(Pause::Month) => Some(now.plus(30 * DAY)),
        Some(Pause::Quarter) => Some(now.plus(91 * DAY)),
    }
}

/// Leaves everything, in one action.
pub(crate) async fn post_leave_all(State(api): State<Api>, Path(token): Path<String>, request: Request) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    let Some(found) = link(&api, &token, fits) else { return unusable(&visit) };
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
