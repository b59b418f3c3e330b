//! The evidence of one person's consent to one purpose, as one file that can be checked without us (GDPR Art. 7(1);
//! ISO/IEC TS 27560).
//!
//! Invariants: the words are those that were shown, also when newer ones are in use; what is handed over is told to the
//! log before; the person is named by a reference that his acts name too. What the controller told is marked as told,
//! and nothing in it is read as if it had been seen here; a basis that is no consent is exported as what it is. What
//! the person confirmed himself goes before what was told of him, however late.
//! Never: an address in the file.

use crate::document::canonical::Sha256;
use crate::document::consent_record::{
    About, Account, ActRead, ActShown, By, ConsentEvidence, Decision, Defect, EvidenceFile, EvidenceFileError,
    FormShown, Grade, NoticeShown, PartyShown, PurposeDecision, PurposeKind, RecordError, Standing, Status,
    StatusEvent, Storage, SubjectReference, json_ld, json_ld_of_basis, refuse_as_evidence,
};
use crate::document::instruction::RetentionClass;
use crate::document::notice::LanguageTag;
use crate::document::terms::{DataCategory, PlainCategory, Region};
use crate::error::Error;
use crate::{operator, profile};
use mail::address::Address;
use model::basis::BasisKind;
use model::ids::EventId;
use model::{ControllerId, DocumentId, PurposeId, RecipientTag, Timestamp};
use std::collections::BTreeSet;
use store::Store;
use store::permission::{BasisView, ConsentAct, ImportedEvidence};

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum NotExported {
    /// Nothing is recorded, or the person was erased.
    #[error("nothing is recorded of this person for this purpose")]
    NothingRecorded,
    /// An act has no place in the log yet.
    #[error("an act of this person is not in the log yet; try again in a few seconds")]
    NotInLogYet,
    /// The file cannot be made of what is recorded.
    #[error(transparent)]
    File(#[from] EvidenceFileError),
    /// The record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The store.
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<store::Error> for NotExported {
    fn from(error: store::Error) -> Self {
        Self::Other(error.into())
    }
}

/// Everything that is recorded of a person for a purpose.
struct Recorded {
    controller: ControllerId,
    tag: RecipientTag,
    purpose: PurposeId,
    acts: Vec<ConsentAct>,
    /// The same, as their statements say.
    read: Vec<ActRead>,
    /// The purpose's id, as statements name it.
    named: String,
    basis: Option<BasisView>,
    import: Option<ImportedEvidence>,
    /// How the person is named.
    subject: String,
}

/// Makes the file.
///
/// # Errors
/// [`NotExported`].
pub async fn export(
    store: &Store,
    controller: ControllerId,
    address: &Address,
    purpose: PurposeId,
) -> Result<Vec<u8>, NotExported> {
    let tag = store.tag_of(controller, address)?;
    let recorded = Recorded::load(store, controller, tag, purpose).await?;
    let planned = store.plan_disclosure(controller, tag).await?.ok_or(NotExported::NothingRecorded)?;
    let (evidence, notices) = recorded.evidence(store).await?;
    let mut defects = refuse_as_evidence(&evidence);
    defects.extend(recorded.first_version());
    let (about, record) = match recorded.kind() {
        BasisKind::Consent => (About::Consent, json_ld(&evidence)?),
        kind => (About::OtherBasis(kind.as_str()), json_ld_of_basis(&evidence, kind)?),
    };
    let (mut acts, mut events) = (Vec::new(), Vec::new());
    for act in &recorded.acts {
        let decisions: Vec<&str> = act.decisions.iter().map(|one| one.word.as_str()).collect();
        let about = format!("{} ({})", decisions.join(", "), act.method);
        acts.push(ActShown { about, opening: Some((act.opening.statement.clone(), act.opening.blind)) });
        events.push((act.event, act.at));
    }
    if let Some((event, at)) = recorded.import_leaf(store).await? {
        acts.push(ActShown { about: "the import that the consent came with".to_owned(), opening: None });
        events.push((event, at));
    }
    let file = EvidenceFile {
        about,
        record: &record,
        notices: &notices,
        acts: &acts,
        log_key: &store.log_verifier(controller)?,
        blind: planned.blind,
        defects: &defects,
    };
    let contents = file.contents()?;
    // Told before it is handed over. Crash between the two ⇒ the log says more than was handed over, never less.
    store.disclose(controller, tag, &planned, &contents.sha256().0).await?;
    events.push((planned.event, planned.at));
    let receipts: Option<Vec<String>> = store.receipts(controller, &events).await?.into_iter().collect();
    Ok(contents.file(&receipts.ok_or(NotExported::NotInLogYet)?)?)
}

impl Recorded {
    async fn load(
        store: &Store,
        controller: ControllerId,
        tag: RecipientTag,
        purpose: PurposeId,
    ) -> Result<Self, NotExported> {
        let is_about = |act: &ConsentAct| act.decisions.iter().any(|one| one.purpose.0 == 0 || one.purpose == purpose);
        let mut acts = store.consent_acts(controller, tag).await?;
        acts.retain(is_about);
        let standing = store.decided(controller, tag).await?;
        let basis = standing.bases.into_iter().find(|basis| basis.purpose == purpose);
        let imported = store.imported_evidence(controller, tag).await?;
        let import = imported.into_iter().find(|one| one.purpose == purpose);
        if acts.is_empty() && basis.is_none() {
            return Err(NotExported::NothingRecorded);
        }
        let subject = store.evidence_subject(controller, tag).await?.ok_or(NotExported::NothingRecorded)?;
        let read = acts.iter().map(|act| ActRead::parse(&act.opening.statement)).collect::<Option<_>>();
        let read = read.ok_or(Error::Document("statement"))?;
        let named = store.public_id(purpose);
        Ok(Self { controller, tag, purpose, acts, read, named, basis, import, subject })
    }

    /// What the acts come to.
    fn account(&self) -> Account<'_> {
        Account::of(&self.read, &self.named)
    }

    /// What is recorded: as the act by which it was given says; older ones did not say it, and imports have none.
    fn kind(&self) -> BasisKind {
        let said = self.account().kind();
        said.or_else(|| self.basis.as_ref().map(|basis| basis.kind)).unwrap_or(BasisKind::Consent)
    }

    /// What statements of version 1 do not say.
    fn first_version(&self) -> Option<Defect> {
        self.acts.iter().any(|act| act.facts.is_none()).then(|| Defect {
            field: "acts".to_owned(),
            grade: Grade::Unverified,
            article: "GDPR Art. 7(1)",
            sentence: "an act is of version 1: the log does not say about whom it was, of which kind, who recorded it, \
                       nor the purpose's words, which are those of today",
        })
    }

    async fn import_leaf(&self, store: &Store) -> Result<Option<(EventId, Timestamp)>, NotExported> {
        let Some(import) = &self.import else { return Ok(None) };
        let view = store.import_view(self.controller, import.batch).await?;
        Ok(view.map(|view| (view.event, view.at)))
    }

    fn act(&self, place: Option<usize>) -> Option<&ConsentAct> {
        place.and_then(|place| self.acts.get(place))
    }

    /// The record, and the words that it and the acts name, its own first.
    async fn evidence(&self, store: &Store) -> Result<(ConsentEvidence, Vec<Vec<u8>>), NotExported> {
        let account = self.account();
        let (given, first) = (self.act(account.given), account.first_act());
        let is_told = account.is_told();
        let own = given.map_or_else(|| self.basis.as_ref().and_then(|basis| basis.notice), |given| given.notice);
        let (notice, notices) = self.words(store, own).await?;
        let purposes = self.purposes(store, &account);
        let (controller, processor) = self.parties(store, first.and_then(|act| act.seen("controller"))).await?;
        let storage = self.storage(store);
        let record_id = match (given, &self.import) {
            (Some(given), _) => given.event.to_hex(),
            (None, Some(import)) => {
                format!("{}.{}", store.public_id(import.batch), store.person_id(self.controller, self.tag))
            }
            (None, None) => store.person_id(self.controller, self.tag),
        };
        let evidence = ConsentEvidence {
            record_id,
            subject: SubjectReference(self.subject.clone()),
            controllers: vec![controller],
            recipients: vec![processor.name.clone()],
            processor,
            events: self.events(store, &account, &purposes),
            purposes,
            notice,
            personal_data: [PlainCategory::Email, PlainCategory::Permission].map(DataCategory::Plain).to_vec(),
            // Of what was only told, nobody here knows under which law.
            jurisdiction: if is_told { None } else { only(&storage.regions) },
            storage,
            withdrawal_shown: first.and_then(|act| act.seen("withdrawal")),
            method: account.method(),
            action: account.action(),
            freedom: account.freedom(),
            told_by: account.told_by(),
            standing: account.standing().unwrap_or_else(|| self.standing()),
            given_at: account.given_at().or_else(|| self.basis.as_ref().map(|basis| basis.given)),
            expires_at: self.expires(),
            confirmation: account.confirmation(),
            source: self.form(store, &account).await?,
        };
        Ok((evidence, notices))
    }

    /// Is what stands confirmed? Asked where no act says it.
    fn standing(&self) -> Standing {
        let stands = self.basis.as_ref().is_some_and(|basis| basis.confirmed.is_some());
        if stands { Standing::Confirmed } else { Standing::Unconfirmed }
    }

    /// What was decided at once, each purpose by itself.
    fn purposes(&self, store: &Store, account: &Account<'_>) -> Vec<PurposeDecision> {
        let act = self.act(account.first());
        let decided = match act {
            Some(_) => account.decisions().into_iter().map(|(one, decision)| (one.purpose.clone(), decision)).collect(),
            None => vec![(self.named.clone(), Decision::Given)],
        };
        let choice = account.choice();
        let shown = |(id, decision): (String, Decision)| {
            let kept = act.and_then(|act| act.decisions.iter().find(|one| store.public_id(one.purpose) == id));
            let known = store.purpose(self.controller, kept.map_or(self.purpose, |kept| kept.purpose));
            let today = || {
                let text = known.as_ref().and_then(|known| known.text("en"));
                text.map(|text| format!("{}: {}", text.title, text.description)).unwrap_or_default()
            };
            let is_marketing = known.as_ref().is_none_or(|known| known.kind.is_marketing());
            PurposeDecision {
                text: kept.and_then(|kept| kept.text.clone()).unwrap_or_else(today),
                kind: if is_marketing { PurposeKind::DirectMarketing } else { PurposeKind::Provision },
                decision,
                choice,
                id,
            }
        };
        decided.into_iter().map(shown).collect()
    }

    /// When what the record is of runs out: a later basis says it of itself alone.
    fn expires(&self) -> Option<Timestamp> {
        let basis = self.basis.as_ref()?;
        let is_its_own = self.act(self.account().given).is_none_or(|given| given.at == basis.given);
        basis.expires.filter(|_| is_its_own)
    }

    /// What happened before and since, beside the act itself.
    fn events(&self, store: &Store, account: &Account<'_>, purposes: &[PurposeDecision]) -> Vec<StatusEvent> {
        let ids: Vec<String> = purposes.iter().map(|purpose| purpose.id.clone()).collect();
        let mut events = account.events(&ids);
        if let Some(at) = self.expires().filter(|end| *end <= store.now()) {
            let (purposes, method) = (vec![self.named.clone()], "its time ran out".to_owned());
            events.push(StatusEvent { status: Status::Expired, at, by: By::Processor, method, purposes });
        }
        events.sort_by_key(|event| event.at);
        events
    }

    async fn words(
        &self,
        store: &Store,
        own: Option<DocumentId>,
    ) -> Result<(Option<NoticeShown>, Vec<Vec<u8>>), NotExported> {
        let (mut shown, mut words, mut seen) = (None, Vec::new(), BTreeSet::new());
        // Words that the record does not name itself are the second and so on.
        let others = self.acts.iter().filter_map(|act| act.notice).filter(|_| own.is_some());
        for id in own.into_iter().chain(others) {
            if !seen.insert(id) {
                continue;
            }
            let document = store.document(self.controller, id).await?.ok_or(Error::Document("notice"))?;
            if Some(id) == own {
                let (sha256, language) = (Sha256(document.sha256), LanguageTag::parse(&document.language).ok());
                shown = Some(NoticeShown { sha256, language, version: document.version, url: None });
            }
            words.push(document.octets);
        }
        Ok((shown, words))
    }

    /// Where data of this purpose lie, and for how long what shows it is kept, as the controller's instruction says it
    /// of the streams that serve it.
    fn storage(&self, store: &Store) -> Storage {
        let streams = store.streams(self.controller);
        let root = store.purpose(self.controller, self.purpose).map_or(self.purpose, |purpose| purpose.id);
        let serving: Vec<_> = streams.iter().filter(|stream| stream.purposes.contains(&root)).collect();
        let words: BTreeSet<&String> = serving.iter().flat_map(|stream| &stream.terms.regions).collect();
        let days = |stream: &&std::sync::Arc<model::Stream>| {
            stream.terms.retention_days.get(RetentionClass::Evidence.as_str()).copied()
        };
        // One that does not bound it keeps it.
        let bounds: Option<Vec<u32>> = serving.iter().map(days).collect();
        Storage {
            regions: words.into_iter().filter_map(|word| Region::parse(word).ok()).collect(),
            days_after_end: bounds.and_then(|bounds| bounds.into_iter().max()),
        }
    }

    async fn parties(&self, store: &Store, seen: Option<String>) -> Result<(PartyShown, PartyShown), NotExported> {
        let told = profile::load(store, self.controller).await?;
        let name = seen.or_else(|| told.as_ref().map(|told| told.name.clone()));
        let name = name.or_else(|| store.controller_name(self.controller)).unwrap_or_default();
        let contact = told.map(|told| told.email).unwrap_or_default();
        // As it stands in the agreements; whoever did not say who he is has the name of his account alone.
        let processor = match operator::load(store).await? {
            Some(ours) => PartyShown { name: ours.name, contact: ours.contact },
            None => {
                let account = store.controller_name(ControllerId::OPERATOR);
                PartyShown { name: account.unwrap_or_default(), contact: String::new() }
            }
        };
        Ok((PartyShown { name, contact }, processor))
    }

    async fn form(&self, store: &Store, account: &Account<'_>) -> Result<Option<FormShown>, NotExported> {
        if let Some(id) = self.act(account.first()).and_then(|act| act.form) {
            let forms = store.forms(self.controller).await?;
            let form = forms.into_iter().find(|form| form.id == id);
            return Ok(form.map(|form| FormShown { form: form.name, version: form.version, page_origin: None }));
        }
        // On the person's own page: it is a form, in one version.
        let page = account.first_act().filter(|act| act.method == "page");
        let form = page.map(|act| act.seen("page").unwrap_or_else(|| "preferences".to_owned()));
        Ok(form.map(|form| FormShown { form, version: 1, page_origin: None }))
    }
}

/// The region whose law it is: where the instruction names one alone.
fn only(regions: &[Region]) -> Option<Region> {
    match regions {
        [one] => Some(one.clone()),
        _ => None,
    }
}
