//! `POST /v1/forms`: publishes a sign-up form. It is refused while its notice lacks anything that people must be told
//! (GDPR Art. 13), and the answer names what.

use axum::Json;
use axum::extract::{Request, State};
use duties::document::notice::Notice;
use duties::form::{FormDraft, NotPublished, publish};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use crate::api::imports::within;
use crate::api::{Api, body, json, store_failed, to_the_end};
use crate::problem::Problem;

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
    let authority = api.authenticate(&parts.headers)?;
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
