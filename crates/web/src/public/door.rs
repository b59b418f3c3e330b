//! The pages' routes: a token or a form's name comes in, what the person decided goes to the store, a page goes out.
//!
//! Invariants: GET and HEAD change nothing, so that mail scanners may follow every link; a POST is answered after what
//! it asks for is in force (GDPR Art. 7(3)); a token that is altered, unknown or of another use gets one and the same
//! page; nothing is said of whether an address is known.
//! Never: a cookie, a script, an address in a URL.

mod asking;
mod confirm;
mod fields;
mod leave;
mod mailing;
mod multipart;
mod preferences;
mod saving;
mod sign_up;
mod throttle;
mod why;

pub(crate) use confirm::{get_confirm, post_confirm};
pub use mailing::forward_wishes;

pub(crate) use leave::{get_leave, post_leave};
pub(crate) use preferences::{get_preferences, post_leave_all, post_objection, post_preferences};
pub(crate) use sign_up::{get_embed, get_sign_up, post_sign_up};
pub(crate) use throttle::Throttle;
pub(crate) use why::{get_why, post_wish};

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use duties::profile::{self, Profile};
use http::header::{ACCEPT_LANGUAGE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use model::{ControllerId, DocumentId, PurposeId};
use std::time::Duration;
use store::permission::{Link, LinkTarget};

use super::{
    Accent, Branding, Contact, Frame, Help, HelpKind, Language, Link as WebLink, accent_style, respond, style,
};
use crate::api::Api;
use crate::problem::Problem;
use crate::router::Fault;

/// When it is worth trying again after a fault of the store.
const RETRY: Duration = Duration::from_secs(60);
/// What stands for the operator where he has given no name.
const PROCESSOR: &str = "Postern";

/// The style sheet.
pub(crate) async fn get_style() -> Response {
    style()
}

/// The style sheet of a colour: `/accent/RRGGBB.css`.
pub(crate) async fn get_accent(Path(file): Path<String>) -> Response {
    let accent = file.strip_suffix(".css").and_then(Accent::parse);
    accent.map_or_else(|| Problem::of(Fault::NotFound).into_response(), accent_style)
}

/// Tells a controller by mail that his instruction is held.
pub(crate) async fn tell_held(api: &Api, controller: ControllerId, reference: &str, why: &str) {
    if let Ok(owner) = Owner::load(api, controller).await
        && !mailing::tell_held(api, &owner, reference, why).await
    {
        tracing::info!("a controller could not be told by mail that an instruction is held");
    }
}

/// Whose page it is.
pub(crate) struct Owner {
    pub(crate) controller: ControllerId,
    profile: Profile,
    processor: String,
}

impl Owner {
    async fn load(api: &Api, controller: ControllerId) -> Result<Self, Response> {
        let store = api.store();
        let known = profile::load(store, controller).await.map_err(|error| failed(api, &error))?;
        // A controller that has said nothing of itself is named by its account.
        let profile = known.unwrap_or_else(|| Profile {
            name: store.controller_name(controller).unwrap_or_default(),
            postal_address: String::new(),
            email: String::new(),
            telephone: None,
            officer: None,
            privacy_policy: None,
            accent: None,
            authority: None,
            sender: String::new(),
        });
        let operator = duties::operator::load(store).await.map_err(|error| failed(api, &error))?;
        let processor = operator.map_or_else(|| PROCESSOR.to_owned(), |operator| operator.name);
        Ok(Self { controller, profile, processor })
    }

    /// May anything be collected for this controller now (GDPR Art. 28(3))? Taking away needs no leave.
    fn may_collect(&self, api: &Api) -> bool {
        let authority = api.store().system_authority(self.controller);
        authority.is_some_and(|authority| api.submission().check_sender(&authority).is_none())
    }

    fn frame<'a>(&'a self, language: Language, here: Option<&'a str>) -> Frame<'a> {
        let profile = &self.profile;
        let contact = Contact {
            postal_address: &profile.postal_address,
            email: Some(profile.email.as_str()).filter(|text| !text.is_empty()),
            telephone: profile.telephone.as_deref(),
            officer: profile.officer.as_deref(),
            privacy_policy: profile.privacy_policy.as_deref().and_then(WebLink::https),
        };
        let branding = Branding {
            controller: &profile.name,
            accent: profile.accent.as_deref().and_then(Accent::parse),
            logo: None,
            contact,
        };
        Frame { language, branding: Some(branding), processor: &self.processor, here }
    }
}

/// What a visitor's browser says.
pub(crate) struct Visit {
    pub(crate) language: Language,
    /// Path and query.
    pub(crate) here: String,
}

impl Visit {
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let wished = fields::Fields::of(uri.query().unwrap_or_default().as_bytes());
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|field| field.to_str().ok());
        let language = Language::negotiate(accepted, wished.first("language"));
        let here = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
        Self { language, here }
    }
}

/// A token's link, when it is of a use that this page has.
fn link(api: &Api, token: &str, fits: impl Fn(&LinkTarget) -> bool) -> Option<Link> {
    api.store().open_link(token).filter(|link| fits(&link.target))
}

/// Title and description of a purpose or list in a language.
fn told(api: &Api, controller: ControllerId, id: PurposeId, language: Language) -> (String, String) {
    let (store, tag) = (api.store(), language.tag());
    let list = store.lists(controller).into_iter().find(|list| list.id.0 == id.0);
    let text = match &list {
        Some(list) => list.texts.get(tag).or_else(|| list.texts.values().next()).cloned(),
        None => store.purpose(controller, id).and_then(|purpose| purpose.text(tag).cloned()),
    };
    text.map(|text| (text.title, text.description)).unwrap_or_default()
}

/// The words of a notice that is kept.
async fn notice_words(api: &Api, controller: ControllerId, id: DocumentId) -> Option<(String, Language, String)> {
    let document = api.store().document(controller, id).await.ok().flatten()?;
    let language = Language::from_tag(&document.language).unwrap_or(Language::English);
    Some((String::from_utf8(document.octets).ok()?, language, document.version.to_string()))
}

fn help(language: Language, kind: HelpKind, status: StatusCode) -> Response {
    let frame = Frame { language, branding: None, processor: PROCESSOR, here: None };
    let mut response = respond(&Help { frame, kind });
    *response.status_mut() = status;
    let seconds = match kind {
        HelpKind::TooManyRequests { retry_after } | HelpKind::Unavailable { retry_after } => retry_after.as_secs(),
        HelpKind::LinkUnusable | HelpKind::FormNotPublished => return response,
    };
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// One page for every link that cannot be used: it helps, and is no oracle.
pub(crate) fn unusable(visit: &Visit) -> Response {
    help(visit.language, HelpKind::LinkUnusable, StatusCode::NOT_FOUND)
}

fn busy(visit: &Visit, retry_after: Duration) -> Response {
    help(visit.language, HelpKind::TooManyRequests { retry_after }, StatusCode::TOO_MANY_REQUESTS)
}

/// The store could not do it. The cause goes to the log, which holds no address.
fn failed(_api: &Api, error: &dyn std::error::Error) -> Response {
    tracing::warn!(%error, "a page for recipients could not be made");
    help(Language::English, HelpKind::Unavailable { retry_after: RETRY }, StatusCode::SERVICE_UNAVAILABLE)
}
