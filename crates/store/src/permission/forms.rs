//! Sign-up forms, in versions. What a version says is never changed: evidence refers to it.

use super::*;
use crate::policy::number_list;
use model::{DocumentId, FormId, PurposeId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a version of a form stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FormState {
    /// Being written; nobody can sign up with it.
    Draft,
    /// In use.
    Published,
    /// Replaced or taken down.
    Retired,
}

impl FormState {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Retired => "retired",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Draft, Self::Published, Self::Retired].into_iter().find(|state| state.as_str() == word)
    }
}

/// A version of a form to be kept.
#[derive(Clone, Debug)]
pub struct NewForm<'a> {
    /// Letters, digits and hyphens.
    pub name: &'a str,
    /// May people sign up with it from now?
    pub state: FormState,
    /// Each is asked about by itself (GDPR Art. 7(2)).
    pub purposes: &'a [PurposeId],
    /// The notice in each language (GDPR Art. 13).
    pub notices: &'a BTreeMap<String, DocumentId>,
    /// What is left: JSON that the pages understand.
    pub terms: &'a str,
}

/// A version of a form.
#[derive(Clone, Debug)]
pub struct Form {
    /// Its id.
    pub id: FormId,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Where it stands.
    pub state: FormState,
    /// When it was made.
    pub made: Timestamp,
    /// What it asks about.
    pub purposes: Vec<PurposeId>,
    /// The notice in each language.
    pub notices: BTreeMap<String, DocumentId>,
    /// What is left.
    pub terms: String,
}

impl Form {
    /// Was this notice one that the form showed, and does the form, which is or was in use, ask about the purpose?
    #[must_use]
    pub fn spoke_of(&self, notice: DocumentId, purpose: PurposeId) -> bool {
        self.state != FormState::Draft
            && self.purposes.contains(&purpose)
            && self.notices.values().any(|shown| *shown == notice)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Notices(BTreeMap<String, i64>);

impl Store {
    /// Keeps a new version of a form. One that is published takes the place of the version before.
    ///
    /// # Errors
    /// [`Error::NotFound`] when a purpose is not the controller's; [`Error::Exists`] when another version came first.
    pub async fn keep_form(&self, controller: ControllerId, new: &NewForm<'_>) -> Result<FormId> {
        self.catch_up().await?;
        if new.purposes.is_empty() || !new.purposes.iter().all(|id| self.purpose(controller, *id).is_some()) {
            return Err(Error::NotFound { what: "purpose" });
        }
        let known = self.forms(controller).await?;
        let version = known.iter().filter(|form| form.name == new.name).map(|form| form.version).max().unwrap_or(0) + 1;
        let id = FormId(self.next_id());
        let notices = Notices(new.notices.iter().map(|(language, id)| (language.clone(), id.0)).collect());
        let notices = serde_json::to_string(&notices).map_err(|_| Error::Row { column: "form.notices" })?;
        let purposes = number_list(new.purposes.iter().map(|purpose| purpose.0));
        let state = new.state.as_str();
        let fields: [&[u8]; 5] =
            [new.name.as_bytes(), state.as_bytes(), purposes.as_bytes(), notices.as_bytes(), new.terms.as_bytes()];
        let detail = crypto::sha256_of_fields(&fields);
        let mut steps = vec![Step::new(
            &sql::FORM_INSERT,
            vec![
                id.0.into(),
                controller.0.into(),
                new.name.into(),
                version.into(),
                state.into(),
                self.now().into(),
                purposes.into(),
                notices.into(),
                new.terms.into(),
            ],
        )];
        if new.state != FormState::Draft {
            steps.push(Step::new(&sql::FORM_RETIRE, vec![controller.0.into(), new.name.into(), id.0.into()]));
        }
        let writes = Writes {
            controller: controller.0,
            person: None,
            reach: Reach::Nothing,
            what: "form",
            event: None,
            detail,
            steps,
        };
        self.act(EventType::FormChanged, writes).await?;
        Ok(id)
    }

    /// All versions of the controller's forms, by name and version.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn forms(&self, controller: ControllerId) -> Result<Vec<Form>> {
        self.found(&sql::FORMS, vec![controller.0.into()]).await?.into_iter().map(form).collect()
    }

    /// The version of a form that is in use.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn published_form(&self, controller: ControllerId, name: &str) -> Result<Option<Form>> {
        let forms = self.forms(controller).await?;
        Ok(forms.into_iter().find(|form| form.name == name && form.state == FormState::Published))
    }
}

fn form(mut row: Columns) -> Result<Form> {
    let unread = |column| Error::Row { column };
    Ok(Form {
        id: FormId(row.number()?),
        name: row.text()?,
        version: u32::try_from(row.number()?).map_err(|_| unread("form.version"))?,
        state: FormState::from_word(&row.text()?).ok_or_else(|| unread("form.state"))?,
        made: row.moment()?,
        purposes: crate::policy::numbers(&row.text()?, "form.purposes")?.into_iter().map(PurposeId).collect(),
        notices: serde_json::from_str::<Notices>(&row.text()?)
            .map_err(|_| unread("form.notices"))?
            .0
            .into_iter()
            .map(|(language, id)| (language, DocumentId(id)))
            .collect(),
        terms: row.text()?,
    })
}
