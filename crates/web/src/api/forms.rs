//! `POST /v1/forms`: publishes a sign-up form. It is refused while its notice lacks anything that people must be told
//! (GDPR Art. 13), and the answer names what. `GET /v1/forms/{name}`: what was published under a name, in versions.

use axum::Json;
use axum::extract::{Path, Request, State};
use duties::document::notice::Notice;
use duties::form::{FormDraft, NotPublished, publish};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use crate::api::imports::within;
use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::problem::Problem;
use crate::router::Fault;
use crate::timestamp::rfc3339;
use store::Scope;

/// Purposes of a form.
const PURPOSES_MAX: usize = 32;
/// Languages of a form.
const LANGUAGES_MAX: usize = 24;
/// Words above a form, by language.
type Intro = json::Pairs<LANGUAGES_MAX, 4_000>;

/// A form.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "newsletter", "purposes": ["newsletter"], "notices": [], "intro": {"en": "News."}}))]
pub(crate) struct FormRequest {
    /// Letters, digits and hyphens; part of the form's address.
    name: json::Word,
    /// Names of the purposes that people are asked about, each by itself.
    #[serde(deserialize_with = "json::list::<_, _, PURPOSES_MAX>")]
    #[schema(max_items = 32)]
    purposes: Vec<json::Word>,
    /// The notice of GDPR Art. 13, once for each language.
    #[serde(deserialize_with = "json::list::<_, _, LANGUAGES_MAX>")]
    #[schema(value_type = Vec<Object>, max_items = 24)]
    notices: Vec<Notice>,
    /// Your own words above the form, by language; at most 4,000 characters each.
    #[serde(default)]
    intro: Intro,
}

/// A form that is published.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"id": "frm_…", "url": "https://…/f/ctl_…/newsletter"}))]
pub(crate) struct FormAnswer {
    /// Its id.
    id: String,
    /// Where people sign up.
    url: String,
}

/// A form and all of its versions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[schema(example = json!({"name": "newsletter", "url": "https://…/f/ctl_…/newsletter", "versions": [{"id": "frm_…",
    "version": 1, "state": "published", "made": "2026-11-22T10:00:00Z", "purposes": ["newsletter"],
    "notices": {"en": "doc_…"}}]}))]
pub(crate) struct FormShown {
    /// Its name.
    name: String,
    /// Where people sign up.
    url: String,
    /// Oldest first; at most one is published.
    versions: Vec<FormVersion>,
}

/// A version of a form. What it says is never changed: evidence refers to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct FormVersion {
    /// Its id.
    id: String,
    /// Its number.
    version: u32,
    /// `draft`, `published` or `retired`.
    state: &'static str,
    /// When it was made.
    made: String,
    /// Names of the purposes that people are asked about.
    purposes: Vec<String>,
    /// Ids of its notices, by language.
    notices: BTreeMap<String, String>,
}

/// Shows a form, with its versions.
#[utoipa::path(
    get, path = "/v1/forms/{name}", tag = "people", params(("name" = String, Path, description = "The form's name")),
    responses(
        (status = 200, description = "The form", body = FormShown),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No form of this controller by that name", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_form(
    State(api): State<Api>,
    Path(name): Path<String>,
    fields: HeaderMap,
) -> Result<Json<FormShown>, Problem> {
    let authority = api.authenticate_for(&fields, Scope::People)?;
    let (store, controller) = (api.store(), authority.controller());
    let forms = store.forms(controller).await.map_err(|error| store_failed(&error))?;
    let named = |id| store.purpose(controller, id).map_or_else(|| store.public_id(id), |known| known.name.clone());
    let version = |form: store::permission::Form| FormVersion {
        id: store.public_id(form.id),
        version: form.version,
        state: form.state.as_str(),
        made: rfc3339(form.made),
        purposes: form.purposes.into_iter().map(named).collect(),
        notices: form.notices.into_iter().map(|(language, id)| (language, store.public_id(id))).collect(),
    };
    let versions: Vec<_> = forms.into_iter().filter(|form| form.name == name).map(version).collect();
    if versions.is_empty() {
        return Err(Problem::of(Fault::NotFound));
    }
    let url = format!("{}/f/{}/{name}", api.pages_of(controller), store.public_id(controller));
    Ok(Json(FormShown { name, url, versions }))
}

/// Publishes a form in the place of the version before.
#[utoipa::path(
    post, path = "/v1/forms", tag = "people", request_body = FormRequest,
    responses(
        (status = 201, description = "Published", body = FormAnswer),
        (status = 400, description = "A field is at fault, or the notice lacks one", body = Problem,
         content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Refused for the sender as a whole", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_form(
    State(api): State<Api>,
    request: Request,
) -> Result<(StatusCode, Json<FormAnswer>), Problem> {
    let (parts, body) = request.into_parts();
    let authority = api.authenticate_for(&parts.headers, Scope::People)?;
    let received =
        body::read(api.budget(), authority.controller(), &parts.headers, body, body::DOCUMENT_OCTETS_MAX).await?;
    let asked: FormRequest = received.parse().await?;
    if let Some(refusal) = api.submission().check_sender(&authority) {
        return Err(Problem::refused(refusal.rule(), api.base_url()));
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    if asked.name.is_empty() || asked.name.len() > 64 || !asked.name.chars().all(plain) {
        return Err(Problem::field("name", "is 1 to 64 letters, digits and hyphens"));
    }
    let controller = authority.controller();
    let purposes: Option<Vec<_>> =
        asked.purposes.iter().map(|name| api.store().purpose_named(controller, name)).collect();
    let purposes = purposes.filter(|purposes| !purposes.is_empty());
    let purposes = purposes.ok_or_else(|| Problem::field("purposes", "names no purpose, or one that is not there"))?;
    within(&api, &authority, &purposes)?;
    let intro: BTreeMap<String, String> = asked.intro.0.into_iter().collect();
    to_the_end(async move {
        let draft = FormDraft { name: &asked.name, purposes: &purposes, notices: &asked.notices, intro: &intro };
        match publish(api.store(), controller, &draft).await {
            Ok(id) => {
                let owner = api.store().public_id(controller);
                let url = format!("{}/f/{owner}/{}", api.pages_of(controller), &*asked.name);
                Ok((StatusCode::CREATED, Json(FormAnswer { id: api.store().public_id(id), url })))
            }
            Err(NotPublished::Other(duties::Error::Store(store::Error::NotFound { .. }))) => {
                Err(Problem::field("purposes", "names no purpose, or one that is over"))
            }
            Err(NotPublished::Other(duties::Error::Store(store::Error::Exists { .. }))) => {
                Err(Problem::field("notices", "this version of the notice is kept with other words; raise its number"))
            }
            Err(NotPublished::Other(duties::Error::Store(error))) => Err(store_failed(&error)),
            Err(NotPublished::Unfit { field, sentence }) => Err(Problem::field(field, sentence)),
            Err(error) => Err(Problem::field("notices", error.to_string())),
        }
    })
    .await
}
