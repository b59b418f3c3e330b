//! `/f/{controller}/{form}`: signing up. The answer is the same for every address, and nothing is consented to until
//! the person confirms (double opt-in).
//!
//! Invariants: the answer is given before anything is looked up of the address, so that its delay says nothing either;
//! what is kept as evidence are the form and the notice that the page showed, and a page of other words than those in
//! use is shown again (GDPR Art. 7(1)).
//! Defence against those who flood strangers' mailboxes: one request an address in 30 days (kept in the store), few a
//! day a mailbox however it is spelled behind a plus, so many a network in ten minutes, a part of the controller's day,
//! and a field that people do not see.

use axum::Json;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::{IntoResponse, Response};
use duties::form::{self, OpenForm, Words};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use mail::address::Address;
use model::{ControllerId, DocumentId, FormId, PurposeId};
use serde::Deserialize;
use std::net::SocketAddr;
use store::permission::{Decision, Method};

use super::asking::{Asking, VALID};
use super::fields::Fields;
use super::{Owner, Visit, busy, failed, help, told};
use crate::api::{Api, body, json};
use crate::public::{
    CheckMail, EmbedPage, EmbedSnippet, HelpKind, Language, Link as WebLink, Notice, Post, Purpose, SignUp,
    SignUpFault, Typed, respond,
};

/// Purposes that a program may name.
const PURPOSES_MAX: usize = 32;
/// A form with everything that its page shows.
struct Opened {
    owner: Owner,
    form: OpenForm,
    words: Words,
    /// Id, title and description of each purpose.
    purposes: Vec<(PurposeId, String, String, String)>,
    path: String,
}

impl Opened {
    async fn find(api: &Api, controller: &str, name: &str, visit: &Visit) -> Result<Self, Response> {
        let unpublished = || help(visit.language, HelpKind::FormNotPublished, StatusCode::NOT_FOUND);
        let Some(id) = api.store().parse_public::<ControllerId>(controller) else { return Err(unpublished()) };
        let found = form::open(api.store(), id, name).await.map_err(|error| failed(api, &error))?;
        let Some(form) = found else { return Err(unpublished()) };
        let owner = Owner::load(api, id).await?;
        if !owner.may_collect(api) {
            return Err(unpublished());
        }
        let words = form.words(api.store(), id, visit.language.tag()).await.map_err(|error| failed(api, &error))?;
        let purposes = form.form.purposes.iter().map(|purpose| {
            let (title, description) = told(api, id, *purpose, visit.language);
            (*purpose, api.store().public_id(*purpose), title, description)
        });
        let purposes = purposes.collect();
        Ok(Self { owner, form, words, purposes, path: format!("/f/{controller}/{name}") })
    }

    fn shown(&self) -> Vec<Purpose<'_>> {
        self.purposes.iter().map(|(_, id, title, description)| Purpose { id, title, description }).collect()
    }

    fn notice<'a>(&'a self, version: &'a str) -> Notice<'a> {
        Notice {
            short: &self.words.short,
            full: &self.words.full,
            language: Language::from_tag(&self.words.language).unwrap_or(Language::English),
            version,
        }
    }

    /// What the page carries of itself: this version of the form, and the notice as it is shown.
    fn version(&self, api: &Api) -> String {
        let store = api.store();
        format!("{}.{}", store.public_id(self.form.form.id), store.public_id(self.words.notice))
    }

    /// The same with the words that a page showed, by what it carried. False when they are not those of this form, or
    /// of another version of it.
    async fn shown_as(&mut self, api: &Api, carried: &str) -> Result<bool, Response> {
        let store = api.store();
        let parsed = carried.split_once('.').and_then(|(form, notice)| {
            Some((store.parse_public::<FormId>(form)?, store.parse_public::<DocumentId>(notice)?))
        });
        let Some((_, notice)) = parsed.filter(|(form, _)| *form == self.form.form.id) else { return Ok(false) };
        let words = self.form.words_of(store, self.owner.controller, notice).await;
        match words.map_err(|error| failed(api, &error))? {
            Some(words) => self.words = words,
            None => return Ok(false),
        }
        Ok(true)
    }

    /// What this person is asked to confirm: each purpose by itself (GDPR Art. 7(2)).
    fn asking(&self, sent: &Sent, address: Address, method: Method) -> Asking {
        let decision = |(id, public, ..): &(PurposeId, String, String, String)| {
            if sent.purposes.contains(public) { Decision::Given(*id) } else { Decision::Refused(*id) }
        };
        // What was done on a page of his own nobody here saw, and which form it showed only it can say.
        let seen = (method == Method::Form).then_some("checkbox, not ticked before");
        let form = sent.shown.is_some().then_some(&self.form.form);
        let details = serde_json::json!({
            "action": seen,
            "page": self.path,
            "form_version": form.map(|form| form.version),
            "language": sent.language.tag(),
            "notice_language": self.words.language,
            "controller": self.owner.profile.name,
            "withdrawal": "one-click, preference centre",
        });
        Asking {
            address,
            language: sent.language,
            decisions: self.purposes.iter().map(decision).collect(),
            returning: None,
            method,
            notice: Some(self.words.notice),
            form: form.map(|form| form.id),
            details: details.to_string(),
        }
    }

    fn page(&self, api: &Api, visit: &Visit, typed: Option<Typed<'_>>, faults: &[SignUpFault]) -> Response {
        let (version, notice_version) = (self.version(api), self.words.version.to_string());
        let tag = visit.language.tag();
        let intro = self.form.terms.intro.get(tag).or_else(|| self.form.terms.intro.get("en"));
        let here = faults.is_empty().then_some(visit.here.as_str());
        let mut response = respond(&SignUp {
            frame: self.owner.frame(visit.language, here),
            send: Post { action: &self.path, token: None },
            intro: intro.map_or("", String::as_str),
            purposes: &self.shown(),
            notice: self.notice(&notice_version),
            form_version: &version,
            typed,
            faults,
        });
        if !faults.is_empty() {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        response
    }
}

/// The form.
pub(crate) async fn get_sign_up(
    State(api): State<Api>,
    Path((controller, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    match Opened::find(&api, &controller, &name, &visit).await {
        Ok(opened) => opened.page(&api, &visit, None, &[]),
        Err(response) => response,
    }
}

/// The form as text for the controller's own site.
pub(crate) async fn get_embed(
    State(api): State<Api>,
    Path((controller, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    let opened = match Opened::find(&api, &controller, &name, &visit).await {
        Ok(opened) => opened,
        Err(response) => return response,
    };
    let hosted = format!("{}{}", api.pages_of(opened.owner.controller), opened.path);
    let Some(hosted) = WebLink::https(&hosted) else {
        return help(visit.language, HelpKind::FormNotPublished, StatusCode::NOT_FOUND);
    };
    let (version, notice_version) = (opened.version(&api), opened.words.version.to_string());
    let snippet = askama::Template::render(&EmbedSnippet {
        language: visit.language,
        hosted,
        purposes: &opened.shown(),
        notice: opened.notice(&notice_version),
        form_version: &version,
    });
    match snippet {
        Ok(snippet) => {
            let frame = opened.owner.frame(visit.language, Some(&visit.here));
            respond(&EmbedPage { frame, snippet: &snippet })
        }
        Err(error) => failed(&api, &error),
    }
}

/// A sign-up by the controller's own page or program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    email: json::Email,
    /// Ids of purposes that the person chose, each by itself.
    #[serde(deserialize_with = "json::list::<_, _, PURPOSES_MAX>")]
    purposes: Vec<json::Word>,
    #[serde(default)]
    language: Option<json::Word>,
    /// `form_version` of the page or snippet that was shown.
    #[serde(default)]
    form_version: Option<json::Word>,
}

/// What was sent, however it came.
struct Sent {
    email: String,
    purposes: Vec<String>,
    language: Language,
    /// What the page carried of itself.
    shown: Option<String>,
    trapped: bool,
}

/// Signs up.
pub(crate) async fn post_sign_up(
    State(api): State<Api>,
    Path((controller, name)): Path<(String, String)>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let visit = Visit::of(request.uri(), request.headers());
    let now = api.store().clock().monotonic();
    if let Err(wait) = api.throttle().sign_up_request(peer.ip(), now) {
        return busy(&visit, wait);
    }
    let mut opened = match Opened::find(&api, &controller, &name, &visit).await {
        Ok(opened) => opened,
        Err(response) => return response,
    };
    if let Err(wait) = api.throttle().sign_up(opened.owner.controller, peer.ip(), now) {
        return busy(&visit, wait);
    }
    let is_json =
        request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let (sent, by) = if is_json {
        (read_json(request, visit.language).await, Method::Embedded)
    } else {
        (read_form(request, visit.language).await, Method::Form)
    };
    let sent = match sent {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let visit = Visit { language: sent.language, ..visit };
    let (address, mut faults) = check(&sent, &opened);
    let fits = match &sent.shown {
        Some(carried) => match opened.shown_as(&api, carried).await {
            Ok(fits) => fits,
            Err(response) => return response,
        },
        // A program of the controller's shows its own page; a form of ours always says what it showed.
        None => is_json,
    };
    if !fits {
        faults.insert(0, SignUpFault::Stale);
    }
    if !faults.is_empty() {
        if is_json {
            let fault = match faults.first() {
                Some(SignUpFault::Stale) => "form_version",
                Some(SignUpFault::PurposeMissing) => "purposes",
                _ => "email",
            };
            return crate::problem::Problem::field(fault, "is missing or malformed").into_response();
        }
        let chosen: Vec<&str> = sent.purposes.iter().map(String::as_str).collect();
        let typed = Typed { email: &sent.email, purposes: &chosen, language: sent.language };
        return opened.page(&api, &visit, Some(typed), &faults);
    }
    // What fell into the trap is answered like everybody, and nothing is done.
    if let Some(address) = address.filter(|_| !sent.trapped)
        && !opened.asking(&sent, address, by).begin(&api, &opened.owner)
    {
        return busy(&visit, super::RETRY);
    }
    if is_json {
        let told = serde_json::json!({ "state": "check-mail" });
        return (StatusCode::ACCEPTED, Json(told)).into_response();
    }
    let frame = opened.owner.frame(visit.language, None);
    respond(&CheckMail { frame, valid: VALID, form: Some(&opened.path) })
}

async fn read_form(request: Request, fallback: Language) -> Result<Sent, Response> {
    let (parts, body) = request.into_parts();
    let fields = Fields::read(&parts.headers, body).await?;
    Ok(Sent {
        email: fields.first("email").unwrap_or_default().trim().to_owned(),
        purposes: fields.all("purpose").map(str::to_owned).collect(),
        language: fields.first("language").and_then(Language::from_tag).unwrap_or(fallback),
        shown: fields.first("form_version").map(str::to_owned),
        trapped: fields.first("homepage").is_some_and(|text| !text.is_empty()),
    })
}

async fn read_json(request: Request, fallback: Language) -> Result<Sent, Response> {
    let (parts, octets) = request.into_parts();
    let asked: Asked = body::read_strangers(&parts.headers, octets).await.map_err(IntoResponse::into_response)?;
    let language = asked.language.as_deref().and_then(Language::from_tag).unwrap_or(fallback);
    let purposes = asked.purposes.into_iter().map(String::from).collect();
    let shown = asked.form_version.map(String::from);
    Ok(Sent { email: asked.email.trim().to_owned(), purposes, language, shown, trapped: false })
}

fn check(sent: &Sent, opened: &Opened) -> (Option<Address>, Vec<SignUpFault>) {
    let mut faults = Vec::new();
    let address = Address::parse(&sent.email).ok();
    if sent.email.is_empty() {
        faults.push(SignUpFault::EmailMissing);
    } else if address.is_none() {
        faults.push(SignUpFault::EmailMalformed);
    }
    if !opened.purposes.iter().any(|(_, id, ..)| sent.purposes.contains(id)) {
        faults.push(SignUpFault::PurposeMissing);
    }
    (address, faults)
}
