//! Purposes, the lists below them, and the streams that serve them.

use super::keepable::{NotKeepable, keepable};
use crate::engine::{Change, PurposeRow, StreamRow};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::policy::number_list;
use model::basis::BasisKind;
use model::event::EventType;
use model::purpose::{Purpose, PurposeText};
use model::stream::{Stream, Terms};
use model::{ControllerId, ListId, PurposeId, StreamId, StreamKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A purpose to be made.
#[derive(Clone, Debug)]
pub struct NewPurpose<'a> {
    /// Letters, digits and hyphens.
    pub name: &'a str,
    /// Kind of mail that serves it.
    pub kind: StreamKind,
    /// What may carry it.
    pub bases: Vec<BasisKind>,
    /// The contract, law or assessment behind a basis that is not each person's own.
    pub reference: &'a str,
    /// What people are told, by language.
    pub texts: BTreeMap<String, PurposeText>,
}

/// A stream to be made.
#[derive(Clone, Debug)]
pub struct NewStream<'a> {
    /// The name that clients use.
    pub name: &'a str,
    /// Its kind; its purposes are of the same.
    pub kind: StreamKind,
    /// What it is for, in a few words.
    pub about: &'a str,
    /// The purposes it serves, at least one; the first is that of mail that names none.
    pub purposes: &'a [PurposeId],
    /// How mail on it is treated.
    pub terms: Terms,
}

/// A list below a purpose: what people may leave without leaving the purpose.
#[derive(Clone, Debug)]
pub struct List {
    /// Its id.
    pub id: ListId,
    /// The purpose above it.
    pub purpose: PurposeId,
    /// Its name.
    pub name: String,
    /// What people are told, by language.
    pub texts: BTreeMap<String, PurposeText>,
}

impl<'a> NewPurpose<'a> {
    /// The usual one for a kind of mail: marketing by consent or soft opt-in, legal mail by the law, all other by the
    /// contract, with the description as its reference.
    #[must_use]
    pub fn usual(name: &'a str, kind: StreamKind, description: &'a str) -> Self {
        let (bases, reference) = match kind {
            StreamKind::Marketing => (vec![BasisKind::Consent, BasisKind::SoftOptIn], ""),
            StreamKind::Legal => (vec![BasisKind::LegalObligation], description),
            StreamKind::Transactional | StreamKind::Service => (vec![BasisKind::Contract], description),
        };
        let text = PurposeText { title: name.to_owned(), description: description.to_owned() };
        Self { name, kind, bases, reference, texts: BTreeMap::from([("en".to_owned(), text)]) }
    }

    pub(super) fn row(&self, id: PurposeId, controller: ControllerId) -> Result<PurposeRow> {
        let bases: Vec<&str> = self.bases.iter().map(|basis| basis.as_str()).collect();
        Ok(PurposeRow {
            id: id.0,
            controller: controller.0,
            name: self.name.to_owned(),
            kind: self.kind.as_str().into(),
            parent: None,
            bases: bases.join(","),
            reference: self.reference.to_owned(),
            texts: texts_json(&self.texts)?,
            ended: None,
        })
    }
}

impl Store {
    /// A new purpose (GDPR Art. 5(1)(b)).
    ///
    /// # Errors
    /// [`Error::Exists`] when the name is taken.
    pub async fn create_purpose(&self, controller: ControllerId, new: &NewPurpose<'_>) -> Result<PurposeId> {
        let id = PurposeId(self.next_id());
        let change = Change::Purpose { row: new.row(id, controller)?, at: self.now() };
        self.write(EventType::PurposeChanged, change).await?;
        Ok(id)
    }

    /// A new list below a purpose.
    ///
    /// # Errors
    /// [`Error::Exists`] when the name is taken; [`Error::NotFound`] when the purpose is not the controller's.
    pub async fn create_list(
        &self,
        controller: ControllerId,
        purpose: PurposeId,
        name: &str,
        texts: BTreeMap<String, PurposeText>,
    ) -> Result<ListId> {
        self.catch_up().await?;
        let above = self.policy.current().sent_for(controller, purpose).filter(|found| found.list.is_none());
        let above = above.ok_or(Error::NotFound { what: "purpose" })?.purpose;
        let id = ListId(self.next_id());
        let row = PurposeRow {
            id: id.0,
            controller: controller.0,
            name: name.to_owned(),
            kind: above.kind.as_str().into(),
            parent: Some(purpose.0),
            bases: String::new(),
            reference: String::new(),
            texts: texts_json(&texts)?,
            ended: None,
        };
        self.write(EventType::PurposeChanged, Change::Purpose { row, at: self.now() }).await?;
        Ok(id)
    }

    /// A new stream for purposes that exist.
    ///
    /// # Errors
    /// [`Error::Exists`] when the name is taken; [`Error::NotFound`] when a purpose is not the controller's, or not of
    /// the stream's kind; [`Error::Terms`] when the terms ask for what cannot be kept.
    pub async fn create_stream_for(&self, controller: ControllerId, new: &NewStream<'_>) -> Result<StreamId> {
        self.catch_up().await?;
        let policy = self.policy.current();
        if policy.stream_named(controller, new.name).is_some() {
            return Err(Error::Exists { what: "stream" });
        }
        let fits = |id: &PurposeId| {
            policy.sent_for(controller, *id).is_some_and(|found| found.list.is_none() && found.purpose.kind == new.kind)
        };
        if new.purposes.is_empty() || !new.purposes.iter().all(fits) {
            return Err(Error::NotFound { what: "purpose" });
        }
        keepable(&new.terms, new.kind.is_marketing(), self.region.as_deref())?;
        let id = StreamId(self.next_id());
        let row = StreamRow {
            id: id.0,
            controller: controller.0,
            name: new.name.to_owned(),
            kind: new.kind.as_str().into(),
            purpose: new.about.to_owned(),
            purposes: number_list(new.purposes.iter().map(|purpose| purpose.0)),
            terms: terms_json(&new.terms)?,
        };
        self.write(EventType::InstructionChanged, Change::Stream(row)).await?;
        Ok(id)
    }

    /// Can this node keep these terms?
    ///
    /// # Errors
    /// [`NotKeepable`] names what it cannot, and why.
    pub fn can_keep(&self, terms: &Terms, kind: StreamKind) -> std::result::Result<(), NotKeepable> {
        keepable(terms, kind.is_marketing(), self.region.as_deref())
    }

    /// The controller's purposes, oldest first.
    #[must_use]
    pub fn purposes(&self, controller: ControllerId) -> Vec<Arc<Purpose>> {
        let policy = self.policy.current();
        let known = policy.controller(controller).into_iter().flat_map(|known| &known.purposes);
        known.filter(|one| one.parent.is_none()).map(|one| Arc::clone(&one.purpose)).collect()
    }

    /// The lists below the controller's purposes, oldest first.
    #[must_use]
    pub fn lists(&self, controller: ControllerId) -> Vec<List> {
        let policy = self.policy.current();
        let known = policy.controller(controller).into_iter().flat_map(|known| &known.purposes);
        let list = |one: &crate::policy::PurposePolicy| {
            let (id, purpose) = (ListId(one.purpose.id.0), one.parent?);
            Some(List { id, purpose, name: one.purpose.name.clone(), texts: one.purpose.texts.clone() })
        };
        known.filter_map(list).collect()
    }

    /// A purpose, or the list below one, by its name: what mail that names it is for.
    #[must_use]
    pub fn purpose_named(&self, controller: ControllerId, name: &str) -> Option<PurposeId> {
        self.policy.current().purpose_named(controller, name).map(|purpose| purpose.id)
    }

    /// A purpose by its id, lists left out.
    #[must_use]
    pub fn purpose(&self, controller: ControllerId, id: PurposeId) -> Option<Arc<Purpose>> {
        self.policy.current().sent_for(controller, id).map(|found| found.purpose)
    }

    /// The controller's streams, oldest first.
    #[must_use]
    pub fn streams(&self, controller: ControllerId) -> Vec<Arc<Stream>> {
        self.policy.current().controller(controller).map(|known| known.streams.clone()).unwrap_or_default()
    }
}

/// Terms as they are stored.
pub(super) fn terms_json(terms: &Terms) -> Result<String> {
    serde_json::to_string(terms).map_err(|_| Error::Row { column: "stream.terms" })
}

fn texts_json(texts: &BTreeMap<String, PurposeText>) -> Result<String> {
    serde_json::to_string(texts).map_err(|_| Error::Row { column: "purpose.texts" })
}
