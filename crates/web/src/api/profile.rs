//! `/v1/profile`: how a controller appears to its recipients (GDPR Art. 12(1), 13(1)(a), (b)).

use axum::Json;
use axum::extract::{Request, State};
use duties::profile::{self, Profile};
use gate::facts::FromDomain;
use http::HeaderMap;
use mail::address::Address;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::agreements::read;
use crate::api::json::{Email, Line, Lines, Word};
use crate::api::{Api, signing, store_failed, to_the_end};
use crate::problem::Problem;
use crate::router::Fault;
use store::Scope;

/// How you appear to your recipients: on the pages where they decide, and below your newsletters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Sample Shop", "postal_address": "1 Example Street\n1000 Sampletown",
    "email": "privacy@sample.example", "sender": "hello@sample.example", "accent": "0b5cad"}))]
pub(crate) struct ProfileBody {
    /// The name that people know.
    name: Word,
    /// The postal address, in lines.
    postal_address: Lines,
    /// Where people write to, and where you are told of the rights they exercise.
    email: Email,
    /// A telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    telephone: Option<Line>,
    /// The data protection officer and how he is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    officer: Option<Line>,
    /// Your privacy policy, an https address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    privacy_policy: Option<Line>,
    /// A colour of your own: six hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accent: Option<Line>,
    /// The supervisory authority for complaints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authority: Option<Line>,
    /// From which address requests to confirm come; its domain is one of your verified ones.
    sender: Email,
}

impl From<ProfileBody> for Profile {
    fn from(body: ProfileBody) -> Self {
        let ProfileBody { name, postal_address, email, telephone, officer, privacy_policy, accent, authority, sender } =
            body;
        Self {
            name: name.into(),
            postal_address: postal_address.into(),
            email: email.into(),
            telephone: telephone.map(Into::into),
            officer: officer.map(Into::into),
            privacy_policy: privacy_policy.map(Into::into),
            accent: accent.map(Into::into),
            authority: authority.map(Into::into),
            sender: sender.into(),
        }
    }
}

impl From<Profile> for ProfileBody {
    fn from(profile: Profile) -> Self {
        let Profile { name, postal_address, email, telephone, officer, privacy_policy, accent, authority, sender } =
            profile;
        Self {
            name: name.into(),
            postal_address: postal_address.into(),
            email: email.into(),
            telephone: telephone.map(Into::into),
            officer: officer.map(Into::into),
            privacy_policy: privacy_policy.map(Into::into),
            accent: accent.map(Into::into),
            authority: authority.map(Into::into),
            sender: sender.into(),
        }
    }
}

fn failed(error: &duties::Error) -> Problem {
    match error {
        duties::Error::Store(error) => store_failed(error),
        error => {
            tracing::error!(%error, "a profile could not be read or written");
            Problem::of(Fault::Internal)
        }
    }
}

/// How you appear now.
#[utoipa::path(
    get, path = "/v1/profile", tag = "authority",
    responses(
        (status = 200, description = "The profile", body = ProfileBody),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "You have said nothing of yourself yet", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn get_profile(State(api): State<Api>, headers: HeaderMap) -> Result<Json<ProfileBody>, Problem> {
    let authority = api.authenticate_for(&headers, Scope::Authority)?;
    let found = profile::load(api.store(), authority.controller()).await.map_err(|error| failed(&error))?;
    found.map(|profile| Json(profile.into())).ok_or_else(|| Problem::of(Fault::NotFound))
}

/// From now on you appear so. What was shown before is kept as a document.
#[utoipa::path(
    post, path = "/v1/profile", tag = "authority", request_body = ProfileBody,
    responses(
        (status = 200, description = "Kept", body = ProfileBody),
        (status = 400, description = "A field is at fault", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid key", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not at the moment", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn post_profile(State(api): State<Api>, request: Request) -> Result<Json<ProfileBody>, Problem> {
    let (authority, asked) = read::<ProfileBody>(&api, request).await?;
    let controller = authority.controller();
    let said = Profile::from(asked);
    let mistakes = said.mistakes();
    if !mistakes.is_empty() {
        return Err(signing::senseless(&mistakes));
    }
    let sender = Address::parse(&said.sender).map_err(|_| Problem::field("sender", "is no address"))?;
    if api.store().from_domain(controller, sender.domain()).0 != FromDomain::Verified {
        return Err(Problem::field("sender", "is not at one of your verified domains"));
    }
    to_the_end(async move {
        profile::keep(api.store(), controller, &said).await.map_err(|error| failed(&error))?;
        Ok(Json(said.into()))
    })
    .await
}
