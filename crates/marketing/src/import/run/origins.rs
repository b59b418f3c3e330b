//! What rows say of where they came from, each way of saying it once, and what follows from it.
//!
//! What counts (law.md R5, R14): a basis has evidence `complete` only when the very words that were shown are kept
//! here. Consent counts as confirmed, on the controller's word and with the date that he states, only when it was
//! collected by double opt-in and its provenance has no gap; other consent waits for a confirmation. A claim in the
//! file ("confirmed: yes") is no evidence.

use std::collections::HashMap;
use std::sync::Arc;

use model::basis::{BasisKind, Evidence};
use model::ids::hex;
use model::purpose::Purpose;
use model::{DocumentId, PurposeId};
use serde_json::{Map, Value, json};
use store::Store;
use store::permission::Document;

use super::super::{CustomerFacts, Evidence as Stated, Field, Fields, Method, Obtained, Provenance};

/// Ways of saying it that are remembered together. When a file has more, its rows so far are written first.
const ORIGINS_MAX: usize = 16_384;

/// The notices that are kept here.
pub(super) struct Notices(Vec<(String, Document)>);

impl Notices {
    pub(super) fn new(store: &Store, documents: Vec<Document>) -> Self {
        Self(documents.into_iter().map(|document| (store.public_id(document.id), document)).collect())
    }

    /// The words that a reference names: an id (`doc_…`), the SHA-256 of the octets, `NAME`, `NAME:VERSION` or
    /// `NAME:VERSION:LANGUAGE`. Where it fits several, the language of the person decides, or else nothing does.
    fn find(&self, reference: &str, language: Option<&str>) -> Option<DocumentId> {
        let mut parts = reference.splitn(3, ':').map(str::trim);
        let (name, version, tongue) = (parts.next()?, parts.next(), parts.next());
        let fits = |(id, document): &&(String, Document)| {
            let is_named = document.name == name
                && version.is_none_or(|version| version.parse() == Ok(document.version))
                && tongue.is_none_or(|tongue| document.language.eq_ignore_ascii_case(tongue));
            is_named || id == reference || hex(&document.sha256).eq_ignore_ascii_case(reference)
        };
        let found: Vec<_> = self.0.iter().filter(fits).collect();
        let one = match found.as_slice() {
            [one] => Some(*one),
            several => {
                let spoken = |one: &&&(String, Document)| {
                    language.is_some_and(|language| one.1.language.eq_ignore_ascii_case(language))
                };
                let mut spoken = several.iter().filter(spoken);
                spoken.next().filter(|_| spoken.next().is_none()).copied()
            }
        };
        one.map(|(_, document)| document.id)
    }
}

/// What follows from what a row says.
pub(super) enum Meaning {
    /// Bases for these purposes.
    Bases(Vec<PurposeId>),
    /// It waits: this cannot be used as it is.
    Waits(Fields),
}

/// One way of saying where a contact came from.
pub(super) struct Origin {
    pub(super) meaning: Meaning,
    pub(super) kind: BasisKind,
    pub(super) evidence: Evidence,
    pub(super) is_confirmed: bool,
    pub(super) notice: Option<DocumentId>,
    pub(super) obtained: Obtained,
    /// What is said differently from the file: JSON.
    pub(super) text: Option<Arc<str>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Said {
    source: Arc<str>,
    notice: Arc<str>,
    method: Method,
    basis: BasisKind,
    obtained: Obtained,
    purposes: Arc<[Box<str>]>,
    /// Only where the notice alone does not say which words were shown.
    language: Option<Box<str>>,
}

/// All ways of saying it that rows have used since they were taken.
pub(super) struct Origins {
    purposes: Vec<Arc<Purpose>>,
    notices: Notices,
    defaults: Provenance,
    usual: Vec<PurposeId>,
    known: HashMap<Said, u32>,
    list: Vec<Origin>,
    last: Option<(Said, u32)>,
}

impl Origins {
    pub(super) fn new(
        purposes: Vec<Arc<Purpose>>,
        notices: Notices,
        defaults: &Provenance,
        usual: Vec<PurposeId>,
    ) -> Self {
        let defaults = defaults.clone();
        Self { purposes, notices, defaults, usual, known: HashMap::new(), list: Vec::new(), last: None }
    }

    /// The number of what a row says.
    pub(super) fn of(&mut self, stated: &Stated, language: Option<&str>) -> u32 {
        if let Some((last, number)) = &self.last
            && last.is(stated, language)
        {
            return *number;
        }
        let needs_language = self.notices.find(&stated.notice, None).is_none();
        let said = Said {
            source: Arc::clone(&stated.source),
            notice: Arc::clone(&stated.notice),
            method: stated.method,
            basis: stated.basis,
            obtained: stated.obtained,
            purposes: Arc::clone(&stated.purposes),
            language: language.filter(|_| needs_language).map(Box::from),
        };
        let number = match self.known.get(&said) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
                self.list.push(self.origin(&said, language));
                self.known.insert(said.clone(), number);
                number
            }
        };
        self.last = Some((said, number));
        number
    }

    /// What such a row lacks after all.
    pub(super) fn missing(&self, number: u32) -> Option<Fields> {
        match &self.list.get(number as usize)?.meaning {
            Meaning::Waits(missing) => Some(*missing),
            Meaning::Bases(_) => None,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= ORIGINS_MAX
    }

    pub(super) fn take(&mut self) -> Vec<Origin> {
        self.known.clear();
        self.last = None;
        std::mem::take(&mut self.list)
    }

    fn origin(&self, said: &Said, language: Option<&str>) -> Origin {
        let notice = self.notices.find(&said.notice, language);
        let evidence = if notice.is_some() { Evidence::Complete } else { Evidence::Unverified };
        Origin {
            meaning: self.meaning(said),
            kind: said.basis,
            evidence,
            is_confirmed: said.basis == BasisKind::Consent && said.method == Method::DoubleOptIn,
            notice,
            obtained: said.obtained,
            text: self.text(said),
        }
    }

    /// The purposes that a row names, or those of the file. One that is not the controller's, or that this basis does
    /// not carry, lets the row wait (GDPR Art. 5(1)(b)).
    fn meaning(&self, said: &Said) -> Meaning {
        let is_open = |purpose: &&Arc<Purpose>| purpose.ended.is_none();
        let named = |name: &str| self.purposes.iter().filter(is_open).find(|purpose| purpose.name == name);
        let asked: Option<Vec<&Arc<Purpose>>> = if said.purposes.is_empty() {
            self.usual.iter().map(|id| self.purposes.iter().filter(is_open).find(|one| one.id == *id)).collect()
        } else {
            said.purposes.iter().map(|name| named(name)).collect()
        };
        let mut missing = Fields::default();
        let asked = asked.unwrap_or_default();
        if asked.is_empty() {
            missing.insert(Field::Purpose);
        } else if !asked.iter().all(|purpose| purpose.bases.contains(&said.basis)) {
            missing.insert(Field::Basis);
        }
        if missing.is_empty() {
            let mut ids: Vec<PurposeId> = asked.iter().map(|purpose| purpose.id).collect();
            ids.sort_unstable();
            ids.dedup();
            Meaning::Bases(ids)
        } else {
            Meaning::Waits(missing)
        }
    }

    fn text(&self, said: &Said) -> Option<Arc<str>> {
        let mut fields = Map::new();
        if self.defaults.source.as_ref() != Some(&said.source) {
            fields.insert("source".to_owned(), json!(&*said.source));
        }
        if self.defaults.notice.as_ref() != Some(&said.notice) {
            fields.insert("notice".to_owned(), json!(&*said.notice));
        }
        if self.defaults.method != Some(said.method) {
            fields.insert("method".to_owned(), json!(said.method.as_str()));
        }
        if Obtained::of(self.defaults.obtained, self.defaults.method) != said.obtained {
            fields.insert("obtained".to_owned(), json!(said.obtained.as_str()));
        }
        if said.basis == BasisKind::SoftOptIn && !self.defaults.customer.is_whole() {
            fields.insert("soft_opt_in".to_owned(), json!(CustomerFacts::WORDS));
        }
        (!fields.is_empty()).then(|| Arc::from(Value::Object(fields).to_string()))
    }
}

impl Said {
    fn is(&self, stated: &Stated, language: Option<&str>) -> bool {
        // Texts of a run of equal rows are one text.
        let same = |a: &Arc<str>, b: &Arc<str>| Arc::ptr_eq(a, b) || a == b;
        same(&self.source, &stated.source)
            && same(&self.notice, &stated.notice)
            && self.method == stated.method
            && self.basis == stated.basis
            && self.obtained == stated.obtained
            && (Arc::ptr_eq(&self.purposes, &stated.purposes) || self.purposes == stated.purposes)
            && self.language.as_deref() == language.filter(|_| self.language.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Given;
    use crate::import::provenance::Provenance as Said;
    use model::{ControllerId, StreamKind, Timestamp};
    use std::collections::BTreeMap;
    use store::permission::DocumentKind;

    fn purpose(id: i64, name: &str, ended: Option<Timestamp>) -> Arc<Purpose> {
        Arc::new(Purpose {
            id: PurposeId(id),
            controller: ControllerId(7),
            name: name.to_owned(),
            kind: StreamKind::Marketing,
            bases: vec![BasisKind::Consent],
            reference: String::new(),
            texts: BTreeMap::new(),
            ended,
        })
    }

    fn notice(id: i64, version: u32, language: &str) -> (String, Document) {
        let document = Document {
            id: DocumentId(id),
            kind: DocumentKind::Notice,
            name: "signup".to_owned(),
            version,
            language: language.to_owned(),
            sha256: [u8::try_from(id).unwrap(); 32],
            made: Timestamp::from_seconds(1),
            octets: Vec::new(),
        };
        (format!("doc_{id}"), document)
    }

    fn origins() -> Origins {
        let purposes = vec![
            purpose(1, "news", None),
            purpose(2, "offers", None),
            purpose(3, "old", Some(Timestamp::from_seconds(1))),
        ];
        let notices = Notices(vec![notice(1, 1, "en"), notice(2, 2, "en"), notice(3, 2, "de")]);
        let defaults = Said { source: Some(Arc::from("the shop")), ..Said::default() };
        Origins::new(purposes, notices, &defaults, vec![PurposeId(1)])
    }

    fn stated(method: Method, notice: &str, purposes: &[&str]) -> Stated {
        Stated {
            source: Arc::from("the shop"),
            given: Given::At(Timestamp::from_seconds(1_700_000_000)),
            method,
            notice: Arc::from(notice),
            basis: BasisKind::Consent,
            obtained: Obtained::Person,
            purposes: purposes.iter().map(|name| Box::from(*name)).collect(),
        }
    }

    fn origin(stated: &Stated, language: Option<&str>) -> Origin {
        let mut all = origins();
        let number = all.of(stated, language);
        all.take().swap_remove(number as usize)
    }

    #[test]
    fn law_r5_evidence_is_complete_only_with_the_very_words_that_were_shown() {
        let complete = |notice: &str, language| origin(&stated(Method::Form, notice, &[]), language).notice;
        assert_eq!(complete("signup:1", None), Some(DocumentId(1)));
        assert_eq!(complete("doc_2", None), Some(DocumentId(2)));
        assert_eq!(complete(&hex(&[3; 32]), None), Some(DocumentId(3)));
        assert_eq!(complete("signup:2:de", None), Some(DocumentId(3)));
        // Two languages of one version: the person's own decides, or nothing does.
        assert_eq!(complete("signup:2", Some("de")), Some(DocumentId(3)));
        assert_eq!(complete("signup:2", Some("fr")), None);
        assert_eq!(complete("signup:2", None), None);
        assert_eq!(complete("signup", None), None);
        for unknown in ["signup:9", "another:1", "our privacy page", ""] {
            assert_eq!(origin(&stated(Method::DoubleOptIn, unknown, &[]), None).evidence, Evidence::Unverified);
        }
    }

    #[test]
    fn law_r14_only_double_opt_in_counts_as_confirmed() {
        for (method, expected) in [(Method::DoubleOptIn, true), (Method::Form, false), (Method::Paper, false)] {
            assert_eq!(origin(&stated(method, "signup:1", &[]), None).is_confirmed, expected, "{method:?}");
        }
        let contract = Stated { basis: BasisKind::Contract, ..stated(Method::DoubleOptIn, "signup:1", &[]) };
        assert!(!origin(&contract, None).is_confirmed, "what is no consent is not confirmed");
    }

    #[test]
    fn art5_1_b_a_row_waits_whose_purpose_is_not_known_or_not_carried() {
        let bases = |purposes: &[&str]| match origin(&stated(Method::Form, "signup:1", purposes), None).meaning {
            Meaning::Bases(ids) => Ok(ids),
            Meaning::Waits(missing) => Err(missing.iter().collect::<Vec<_>>()),
        };
        assert_eq!(bases(&[]), Ok(vec![PurposeId(1)]));
        assert_eq!(bases(&["offers", "news", "offers"]), Ok(vec![PurposeId(1), PurposeId(2)]));
        assert_eq!(bases(&["offers", "unknown"]), Err(vec![Field::Purpose]));
        assert_eq!(bases(&["old"]), Err(vec![Field::Purpose]), "it has ended");
        let contract = Stated { basis: BasisKind::Contract, ..stated(Method::Form, "signup:1", &[]) };
        let Meaning::Waits(missing) = origin(&contract, None).meaning else {
            panic!("a contract carries no marketing")
        };
        assert!(missing.contains(Field::Basis));
    }

    #[test]
    fn what_is_said_alike_is_kept_once_and_what_differs_from_the_file_is_written_down() {
        let mut all = origins();
        let one = stated(Method::Form, "signup:1", &[]);
        let other = Stated { source: Arc::from("the fair"), ..one.clone() };
        let numbers = [all.of(&one, None), all.of(&other, None), all.of(&one, Some("de")), all.of(&other, None)];
        assert_eq!(numbers, [0, 1, 0, 1]);
        let list = all.take();
        let text = |at: usize| list[at].text.as_deref().unwrap_or_default().to_owned();
        assert!(!text(0).contains("source") && text(0).contains(r#""notice":"signup:1""#));
        assert!(text(1).contains(r#""source":"the fair""#));
        assert_eq!(all.of(&other, None), 0, "after that they are counted anew");
    }
}
