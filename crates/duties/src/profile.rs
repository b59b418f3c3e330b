//! How a controller appears to recipients (GDPR Art. 12(1), 13(1)(a), (b)): kept in versions, as a document.

use crate::document::Mistake;
use crate::error::Error;
use crate::plain::{is_address, is_line, is_name_of_sender};
use mail::address::Address;
use model::ControllerId;
use serde::{Deserialize, Serialize};
use store::Store;
use store::permission::{DocumentKind, NewDocument};

/// The profile.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name that people know.
    pub name: String,
    /// The postal address, in lines.
    pub postal_address: String,
    /// Where people write to.
    pub email: String,
    /// A telephone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telephone: Option<String>,
    /// The data protection officer, as plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub officer: Option<String>,
    /// The privacy policy: an `https:` address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_policy: Option<String>,
    /// A colour: six hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accent: Option<String>,
    /// The supervisory authority for complaints (GDPR Art. 13(2)(d)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// From which address the platform's own messages to recipients come; its domain is a verified one.
    pub sender: String,
}

impl Profile {
    /// What makes no sense, with its place.
    #[must_use]
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut list = Vec::new();
        let mut when = |wrong: bool, path: &str, sentence: &'static str| {
            if wrong {
                list.push(Mistake::at(path, sentence));
            }
        };
        let name = "is one line of 1 to 200 characters, without <, > and @";
        when(!is_name_of_sender(&self.name), "name", name);
        when(!is_address(&self.postal_address), "postal_address", "is 1 to 8 lines of at most 200 characters");
        when(Address::parse(&self.email).is_err(), "email", "is no address");
        when(Address::parse(&self.sender).is_err(), "sender", "is no address");
        for (field, path) in [
            (&self.telephone, "telephone"),
            (&self.officer, "officer"),
            (&self.privacy_policy, "privacy_policy"),
            (&self.authority, "authority"),
        ] {
            when(field.as_deref().is_some_and(|text| !is_line(text)), path, "is one line of at most 200 characters");
        }
        let not_https = self.privacy_policy.as_deref().is_some_and(|url| !url.starts_with("https://"));
        when(not_https, "privacy_policy", "is an address that begins with https://");
        let no_colour = |text: &str| text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_hexdigit());
        when(self.accent.as_deref().is_some_and(no_colour), "accent", "is a colour of six hexadecimal digits");
        list
    }
}

const NAME: &str = "public";
/// Profiles have no language of their own.
const LANGUAGE: &str = "und";

/// Keeps a new version; the same profile again is no new one.
///
/// # Errors
/// Those of the store.
pub async fn keep(store: &Store, controller: ControllerId, profile: &Profile) -> Result<(), Error> {
    let octets = serde_json::to_vec(profile).map_err(|_| Error::Document("profile"))?;
    if store.controller_shown(controller).as_deref() != Some(profile.name.as_str()) {
        store.show_controller_as(controller, &profile.name).await?;
    }
    if load(store, controller).await?.as_ref() == Some(profile) {
        return Ok(());
    }
    let known = store.documents(controller, DocumentKind::Profile).await?;
    let version = known.iter().map(|known| known.version).max().unwrap_or(0) + 1;
    let new = NewDocument { kind: DocumentKind::Profile, name: NAME, version, language: LANGUAGE, octets: &octets };
    store.keep_document(controller, &new).await?;
    Ok(())
}

/// The newest version.
///
/// # Errors
/// Those of the store; [`Error::Document`] when it cannot be read.
pub async fn load(store: &Store, controller: ControllerId) -> Result<Option<Profile>, Error> {
    let known = store.documents(controller, DocumentKind::Profile).await?;
    let newest = known.into_iter().filter(|known| known.name == NAME).max_by_key(|known| known.version);
    let Some(newest) = newest else { return Ok(None) };
    let Some(document) = store.document(controller, newest.id).await? else { return Ok(None) };
    serde_json::from_slice(&document.octets).map(Some).map_err(|_| Error::Document("profile"))
}
