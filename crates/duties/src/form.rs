//! Sign-up forms: what is asked, with which words, and that nothing is published while a fact is missing.
//!
//! GDPR Art. 7(2): each purpose is asked about by itself. Art. 12, 13: the notice says everything, or the form is not
//! published; the error names what is missing and its article. The notice speaks of this form: of its controller and of
//! each of its purposes.

use crate::document::notice::{MissingField, Notice};
use crate::document::terms::LawfulBasis;
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
    /// The form asks for what its notice does not speak of, or for what no form can ask.
    #[error("{sentence}")]
    Unfit {
        /// `purposes` or `notices`.
        field: &'static str,
        /// What is wrong, and by which article.
        sentence: String,
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
    asked(store, controller, draft)?;
    let names = names(store, controller).await?;
    for notice in draft.notices {
        speaks(store, controller, draft.purposes, notice, &names)?;
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

fn unfit(field: &'static str, sentence: String) -> NotPublished {
    NotPublished::Unfit { field, sentence }
}

/// What can be asked about on a form: each purpose once (GDPR Art. 7(2)), and only what rests on consent.
fn asked(store: &Store, controller: ControllerId, draft: &FormDraft<'_>) -> Result<(), NotPublished> {
    for (at, id) in draft.purposes.iter().enumerate() {
        if draft.purposes.iter().take(at).any(|earlier| earlier == id) {
            return Err(unfit(
                "purposes",
                "a purpose is named twice; each is asked about once (GDPR Art. 7(2))".into(),
            ));
        }
        if let Some(purpose) = store.purpose(controller, *id)
            && !purpose.kind.is_marketing()
        {
            let sentence = format!("`{}` is no marketing: it does not rest on consent (GDPR Art. 6(1))", purpose.name);
            return Err(unfit("purposes", sentence));
        }
    }
    Ok(())
}

/// The names by which people may know the controller: that of his profile, and that of his account.
async fn names(store: &Store, controller: ControllerId) -> Result<Vec<String>, Error> {
    let profile = crate::profile::load(store, controller).await?.map(|profile| profile.name);
    Ok(profile.into_iter().chain(store.controller_name(controller)).map(|name| plain(&name)).collect())
}

/// Letters and digits alone, in small letters: `Shop Ltd.` and `shop ltd` are one name.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A notice speaks of the form when it names the controller whose form it is (a legal form may follow the name), and
/// each purpose with consent as a basis (GDPR Art. 6(1)(a), 7(2), 13(1)(a), (c)).
fn speaks(
    store: &Store,
    controller: ControllerId,
    purposes: &[PurposeId],
    notice: &Notice,
    names: &[String],
) -> Result<(), NotPublished> {
    let language = notice.language.as_str();
    let known = |contact: &crate::document::notice::Contact| {
        let said = plain(&contact.name);
        names.iter().any(|name| !name.is_empty() && said.starts_with(name.as_str()))
    };
    if !notice.controllers.iter().any(known) {
        let sentence = format!("the notice in {language} does not name you as controller (GDPR Art. 13(1)(a))");
        return Err(unfit("notices", sentence));
    }
    for purpose in purposes.iter().filter_map(|id| store.purpose(controller, *id)) {
        let said = notice.purposes.iter().find(|one| one.id == purpose.name);
        let with_consent = said.is_some_and(|one| one.bases.contains(&LawfulBasis::Consent));
        if !with_consent {
            let name = &purpose.name;
            let sentence = format!(
                "the notice in {language} does not speak of the purpose `{name}` as one that rests on consent (GDPR \
                 Art. 7(2), 13(1)(c))"
            );
            return Err(unfit("notices", sentence));
        }
    }
    Ok(())
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
        self.read(store, controller, language, *id).await
    }

    /// The words of one of its notices; `None` when it is none of this form.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn words_of(
        &self,
        store: &Store,
        controller: ControllerId,
        notice: DocumentId,
    ) -> Result<Option<Words>, Error> {
        match self.form.notices.iter().find(|(_, id)| **id == notice) {
            Some((language, id)) => self.read(store, controller, language, *id).await.map(Some),
            None => Ok(None),
        }
    }

    async fn read(
        &self,
        store: &Store,
        controller: ControllerId,
        language: &str,
        id: DocumentId,
    ) -> Result<Words, Error> {
        let document = store.document(controller, id).await?.ok_or(Error::Document("notice"))?;
        Ok(Words {
            language: language.to_owned(),
            notice: id,
            short: self.terms.short.get(language).cloned().unwrap_or_default(),
            full: String::from_utf8(document.octets).map_err(|_| Error::Document("notice"))?,
            version: document.version,
        })
    }
}
