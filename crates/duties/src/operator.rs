//! Who runs this platform: the processor of every agreement (GDPR Art. 28(3), 30(2)(a)).
//!
//! Kept as a document of the operator's own account. Without it nothing can be agreed with him.

use crate::document::terms::{Party, Role};
use crate::error::Error;
use model::ControllerId;
use serde::{Deserialize, Serialize};
use store::Store;
use store::permission::{DocumentKind, NewDocument};

/// The operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Legal name.
    pub name: String,
    /// Postal address.
    pub address: String,
    /// Who answers for data protection, and how he is reached.
    pub contact: String,
    /// Who signs what the built-in template says.
    pub signatory: Signatory,
}

/// Who signs, and as what (GDPR Art. 28(9)).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signatory {
    /// His name.
    pub name: String,
    /// In which capacity, such as `managing director`.
    pub capacity: String,
}

impl Signatory {
    /// Are both parts said, in a length that a name has?
    #[must_use]
    pub fn is_named(&self) -> bool {
        let said = |text: &str| {
            let length = text.trim().chars().count();
            (1..=200).contains(&length) && !text.chars().any(char::is_control)
        };
        said(&self.name) && said(&self.capacity)
    }
}

impl Operator {
    /// As a party of an agreement.
    #[must_use]
    pub fn party(&self) -> Party {
        Party {
            role: Role::Processor,
            name: self.name.as_str().into(),
            address: self.address.as_str().into(),
            contact: self.contact.as_str().into(),
        }
    }
}

const NAME: &str = "operator";
/// It has no language of its own.
const LANGUAGE: &str = "und";

/// Keeps what the operator says of himself; the same again is no new version.
///
/// # Errors
/// Those of the store.
pub async fn keep(store: &Store, operator: &Operator) -> Result<(), Error> {
    if load(store).await?.as_ref() == Some(operator) {
        return Ok(());
    }
    let octets = serde_json::to_vec(operator).map_err(|_| Error::Document(NAME))?;
    let known = store.documents(ControllerId::OPERATOR, DocumentKind::Profile).await?;
    let version = known.iter().filter(|known| known.name == NAME).map(|known| known.version).max().unwrap_or(0) + 1;
    let new = NewDocument { kind: DocumentKind::Profile, name: NAME, version, language: LANGUAGE, octets: &octets };
    match store.keep_document(ControllerId::OPERATOR, &new).await {
        // Another node of the same data said it at the same time.
        Ok(_) | Err(store::Error::Exists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What the operator said last; nothing when he never did.
///
/// # Errors
/// Those of the store.
pub async fn load(store: &Store) -> Result<Option<Operator>, Error> {
    let known = store.documents(ControllerId::OPERATOR, DocumentKind::Profile).await?;
    let newest = known.into_iter().filter(|known| known.name == NAME).max_by_key(|known| known.version);
    let Some(newest) = newest else { return Ok(None) };
    let Some(document) = store.document(ControllerId::OPERATOR, newest.id).await? else { return Ok(None) };
    serde_json::from_slice(&document.octets).map(Some).map_err(|_| Error::Document(NAME))
}
