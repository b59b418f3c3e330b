//! Sign-up forms: what is asked, with which words, and that nothing is published while a fact is missing.
//!
//! GDPR Art. 7(2): each purpose is asked about by itself. Art. 12, 13: the notice says everything, or the form is not
//! published; the error names what is missing and its article.

use crate::document::notice::{MissingField, Notice};
use crate::error::Error;
use model::{ControllerId, DocumentId, FormId, PurposeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::Store;
use store::permission::{DocumentKind, Form, FormState, NewDocument, NewForm};

/// A form to be published.
pub struct FormDraft<'a> {
    /// Letters, digits and hyphens.
    pub name: &'a str,
    /// What is asked about.
    pub purposes: &'a [PurposeId],
    /// One notice a language, at least one; all of one version.
    pub notices: &'a [Notice],
    /// The controller's own words by language, plain text.
    pub intro: &'a BTreeMap<String, String>,
}

/// What pages need of a form besides its purposes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormTerms {
    /// The controller's own words by language.
    pub intro: BTreeMap<String, String>,
    /// The first layer of the notice by language.
    pub short: BTreeMap<String, String>,
}

/// A form that people can sign up with.
#[derive(Clone, Debug)]
pub struct OpenForm {
    /// The form.
    pub form: Form,
    /// Its terms.
    pub terms: FormTerms,
}

/// The words of a form in a language.
#[derive(Clone, Debug)]
pub struct Words {
    /// BCP 47 tag.
    pub language: String,
    /// The document that evidence names.
    pub notice: DocumentId,
    /// First layer.
    pub short: String,
    /// The exact words.
    pub full: String,
    /// Their version.
    pub version: u32,
}

/// Why a form is not published.
#[derive(Debug, thiserror::Error)]
pub enum NotPublished {
    /// The notice lacks something that people must be told.
    #[error("the notice in {language} lacks {}", fields(.missing))]
    NoticeIncomplete {
        /// The notice.
        language: String,
        /// What, and by which article.
        missing: Vec<MissingField>,
    },
    /// There is no notice at all.
    #[error("a form needs a notice in at least one language (GDPR Art. 13)")]
    NoNotice,
    /// The store, or a name that is no purpose.
    #[error(transparent)]
    Other(#[from] Error),
}

fn fields(missing: &[MissingField]) -> String {
    let words: Vec<String> = missing.iter().map(|one| format!("{} ({})", one.field, one.article)).collect();
    words.join(", ")
}

/// Publishes a form: keeps the notices, then the form that names them.
///
/// # Errors
/// [`NotPublished`]; then nothing is in use that was not before.
pub async fn publish(store: &Store, controller: ControllerId, draft: &FormDraft<'_>) -> Result<FormId, NotPublished> {
    let mut shown = Vec::with_capacity(draft.notices.len());
    for notice in draft.notices {
        let words = notice.shown().map_err(|missing| NotPublished::NoticeIncomplete {
            language: notice.language.as_str().to_owned(),
            missing,
        })?;
        shown.push((notice, words));
    }
    if shown.is_empty() {
        return Err(NotPublished::NoNotice);
    }
    let mut terms = FormTerms { intro: draft.intro.clone(), short: BTreeMap::new() };
    let mut notices = BTreeMap::new();
    for (notice, words) in shown {
        let language = notice.language.as_str().to_owned();
        let new = NewDocument {
            kind: DocumentKind::Notice,
            name: draft.name,
            version: words.version,
            language: &language,
            octets: &words.bytes,
        };
        let id = store.keep_document(controller, &new).await.map_err(Error::from)?;
        terms.short.insert(language.clone(), notice.short.clone());
        notices.insert(language, id);
    }
    let terms = serde_json::to_string(&terms).map_err(|_| Error::Document("form"))?;
    let new = NewForm {
        name: draft.name,
        state: FormState::Published,
        purposes: draft.purposes,
        notices: &notices,
        terms: &terms,
    };
    Ok(store.keep_form(controller, &new).await.map_err(Error::from)?)
}

/// The form under a name that is in use.
///
/// # Errors
/// Those of the store.
pub async fn open(store: &Store, controller: ControllerId, name: &str) -> Result<Option<OpenForm>, Error> {
    let Some(form) = store.published_form(controller, name).await? else { return Ok(None) };
    let terms = serde_json::from_str(&form.terms).map_err(|_| Error::Document("form"))?;
    Ok(Some(OpenForm { form, terms }))
}

impl OpenForm {
    /// The words in a language, or in English, or in any.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn words(&self, store: &Store, controller: ControllerId, language: &str) -> Result<Words, Error> {
        let notices = &self.form.notices;
        let found = notices.get_key_value(language).or_else(|| notices.get_key_value("en"));
        let (language, id) = found.or_else(|| notices.iter().next()).ok_or(Error::Document("form"))?;
        let document = store.document(controller, *id).await?.ok_or(Error::Document("notice"))?;
        Ok(Words {
            language: language.clone(),
            notice: *id,
            short: self.terms.short.get(language).cloned().unwrap_or_default(),
            full: String::from_utf8(document.octets).map_err(|_| Error::Document("notice"))?,
            version: document.version,
        })
    }
}
