//! Agreements in use (GDPR Art. 28(3), (9)): drafted, signed by both sides, in force, resting, over.
//!
//! Invariants: what is signed is a document that is kept under its hash and lacks nothing; an agreement comes into
//! force with the second signature, never with one; who suspended it is who takes it up again.

use crate::document::agreement::{Begins, Ends, Missing, ProcessingAgreement, check, draft as from_template};
use crate::document::terms::{Date, Language, Party};
use crate::document::{Document, DocumentError, Mistake, Preset, Sha256};
use crate::error::Error;
use crate::operator::{self, Operator, Signatory};
use crate::plain::{is_address, is_said};
use model::agreement::AgreementState;
use model::{AgreementId, ControllerId, DocumentId, Timestamp};
use store::Store;
use store::permission::{AgreementView, Concluded, DocumentKind, NewDocument, NewSignature, Side, Signature};

/// The name of agreements among documents.
const NAME: &str = "agreement";
/// Days until what the operator offers to everybody is looked at again, at most.
const REVIEW_DAYS_MAX: u16 = 366;
/// How the operator signs what he offers to everybody.
const STANDING_OFFER: &str = "standing-offer";

/// An agreement as both sides see it.
#[derive(Clone, Debug)]
pub struct Paper {
    /// Its document.
    pub id: DocumentId,
    /// Its version.
    pub version: u32,
    /// SHA-256 of its octets.
    pub sha256: [u8; 32],
    /// When it was written.
    pub made: Timestamp,
    /// Who signed.
    pub signatures: Vec<Signature>,
    /// What became of it; nothing while it is a draft.
    pub standing: Option<AgreementView>,
}

impl Paper {
    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> AgreementState {
        self.standing.as_ref().map_or(AgreementState::Draft, |known| known.state)
    }

    fn is_signed_by(&self, side: Side) -> bool {
        self.signatures.iter().any(|signature| signature.side == side.as_str())
    }
}

/// Why nothing was agreed.
#[derive(Debug, thiserror::Error)]
pub enum NotAgreed {
    /// The operator has not said who he is.
    #[error("the operator of this node has not said who he is; he does with --operator FILE")]
    NoOperator,
    /// There is no such agreement of this controller.
    #[error("there is no such agreement")]
    Unknown,
    /// Something that Art. 28(3) asks for is missing.
    #[error("the agreement lacks {}", fields(.0))]
    Lacks(Vec<Missing>),
    /// Values make no sense.
    #[error("{}", places(.0))]
    Senseless(Vec<Mistake>),
    /// Nobody is named, or not in which capacity.
    #[error("a signature needs a name and a capacity, at most 200 characters each")]
    Nameless,
    /// That side has signed.
    #[error("this side has signed already")]
    Signed,
    /// The operator stopped what went before.
    #[error(
        "the operator has suspended or ended the agreement before; this one comes into force when he signs it himself, \
         or takes that one up again"
    )]
    Stopped,
    /// A newer version was concluded meanwhile.
    #[error("a newer version was concluded; draft another one")]
    Superseded,
    /// From where it stands it cannot go there, or not by this side.
    #[error("an agreement that is {} cannot be moved to {} by this side", .from.as_str(), .to.as_str())]
    OutOfTurn {
        /// Where it stands.
        from: AgreementState,
        /// Where it should go.
        to: AgreementState,
    },
    /// The store.
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<store::Error> for NotAgreed {
    fn from(error: store::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<DocumentError> for NotAgreed {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Senseless(mistakes) => Self::Senseless(mistakes),
            _ => Self::Other(Error::Document(NAME)),
        }
    }
}

fn fields(missing: &[Missing]) -> String {
    let words: Vec<String> = missing.iter().map(|one| format!("{} ({})", one.field, one.article)).collect();
    words.join(", ")
}

fn places(mistakes: &[Mistake]) -> String {
    let words: Vec<String> = mistakes.iter().map(|one| format!("{}: {}", one.path, one.sentence)).collect();
    words.join("; ")
}

/// Drafts an agreement from the built-in template and signs it for the operator, who offers it to everybody: the
/// controller's signature concludes it. Not to whom he stopped, and not under a name that is new to him: there he signs
/// himself, if he wants to.
///
/// # Errors
/// [`NotAgreed`].
pub async fn offer(
    store: &Store,
    controller: ControllerId,
    party: Party,
    (preset, language): (Preset, Language),
    review: Date,
) -> Result<DocumentId, NotAgreed> {
    let is_known = is_who_it_was(store, controller, party.name.text()).await?;
    let (id, operator) = draft(store, controller, party, (preset, language), review).await?;
    // With whom he contracts, and with whom again, is his to say.
    if !is_known || is_stopped(&store.agreements(controller).await?) {
        return Ok(id);
    }
    let signature = NewSignature {
        document: id,
        side: Side::Processor,
        name: &operator.signatory.name,
        capacity: &operator.signatory.capacity,
        method: STANDING_OFFER,
    };
    store.sign_document(controller, &signature).await?;
    Ok(id)
}

/// Drafts an agreement from the built-in template. Nobody has signed it.
///
/// # Errors
/// [`NotAgreed`].
pub(crate) async fn draft(
    store: &Store,
    controller: ControllerId,
    party: Party,
    (preset, language): (Preset, Language),
    review: Date,
) -> Result<(DocumentId, Operator), NotAgreed> {
    let operator = operator::load(store).await?.ok_or(NotAgreed::NoOperator)?;
    let mistakes = mistakes(&party, review, store.now());
    if !mistakes.is_empty() {
        return Err(NotAgreed::Senseless(mistakes));
    }
    let mut content = from_template(party, operator.party(), preset, language);
    content.review_due = Some(review);
    Ok((keep(store, controller, content).await?, operator))
}

/// What would stand above the operator's signature is who the other side is, and nothing else.
fn mistakes(party: &Party, review: Date, now: Timestamp) -> Vec<Mistake> {
    let mut list = Vec::new();
    let line = "is one line of 1 to 200 characters";
    for (text, path) in [(&party.name, "controller.name"), (&party.contact, "controller.contact")] {
        if !is_said(text.text()) {
            list.push(Mistake::at(path, line));
        }
    }
    if !is_address(party.address.text()) {
        list.push(Mistake::at("controller.address", "is 1 to 8 lines of at most 200 characters"));
    }
    // GDPR Art. 28(1): that a processor is fit is looked at again, and not once in a lifetime.
    let latest = Date::of(now).plus_days(REVIEW_DAYS_MAX);
    if !(Date::of(now) < review && review <= latest) {
        list.push(Mistake::at("review_due", "is a day within the next 366"));
    }
    list
}

/// Is it the name of the account, or the one under which was agreed last?
async fn is_who_it_was(store: &Store, controller: ControllerId, name: &str) -> Result<bool, NotAgreed> {
    if store.controller_name(controller).as_deref() == Some(name.trim()) {
        return Ok(true);
    }
    let Some(paper) = store.agreements(controller).await?.iter().rev().find_map(|row| row.paper) else {
        return Ok(false);
    };
    let agreed = content(store, controller, paper).await?;
    let named = |content: ProcessingAgreement| content.parties.iter().any(|party| party.name.text() == name.trim());
    Ok(agreed.is_some_and(named))
}

/// Has the operator suspended an agreement, or ended the newest?
fn is_stopped(rows: &[AgreementView]) -> bool {
    let by_operator = |row: &AgreementView| row.moved_by.as_deref() == Some(Side::Processor.as_str());
    let is_suspended = |row: &AgreementView| row.state == AgreementState::Suspended && by_operator(row);
    rows.iter().any(is_suspended)
        || rows.last().is_some_and(|row| row.state == AgreementState::Ended && by_operator(row))
}

/// Keeps an agreement in the controller's own words. The operator reads it before he signs.
///
/// # Errors
/// [`NotAgreed`].
pub async fn propose(
    store: &Store,
    controller: ControllerId,
    content: ProcessingAgreement,
) -> Result<DocumentId, NotAgreed> {
    keep(store, controller, content).await
}

/// Version and hash of the one before are ours to say: they are facts of this store.
async fn keep(
    store: &Store,
    controller: ControllerId,
    mut content: ProcessingAgreement,
) -> Result<DocumentId, NotAgreed> {
    let known = store.documents(controller, DocumentKind::Agreement).await?;
    let newest = known.iter().max_by_key(|known| known.version);
    let rows = store.agreements(controller).await?;
    let written = newest.map_or(0, |known| known.version);
    content.version = rows.iter().map(|row| row.version).max().unwrap_or(0).max(written) + 1;
    content.supersedes = match (newest, rows.last()) {
        (Some(known), _) => Some(Sha256(known.sha256)),
        (None, Some(row)) => Some(Sha256(row.document)),
        (None, None) => None,
    };
    if let Ends::On(day) = content.duration.ends
        && day.begin() <= store.now()
    {
        return Err(NotAgreed::Senseless(vec![Mistake::at("duration.ends", "this day is over")]));
    }
    let missing = check(&content);
    if !missing.is_empty() {
        return Err(NotAgreed::Lacks(missing));
    }
    let document = Document::write(&content)?;
    let new = NewDocument {
        kind: DocumentKind::Agreement,
        name: NAME,
        version: content.version,
        language: content.language.as_str(),
        octets: document.canonical(),
    };
    Ok(store.keep_document(controller, &new).await?)
}

/// One side signs. With the second signature the agreement is concluded: in force, or from its day on.
///
/// # Errors
/// [`NotAgreed`].
pub async fn sign(
    store: &Store,
    controller: ControllerId,
    id: DocumentId,
    (side, by, method): (Side, &Signatory, &str),
) -> Result<Paper, NotAgreed> {
    if !by.is_named() {
        return Err(NotAgreed::Nameless);
    }
    let known = paper(store, controller, id).await?.ok_or(NotAgreed::Unknown)?;
    let newest = store.agreements(controller).await?.last().map_or(0, |row| row.version);
    if known.standing.is_some() {
        return Err(NotAgreed::Signed);
    }
    if newest >= known.version {
        return Err(NotAgreed::Superseded);
    }
    let new = NewSignature { document: id, side, name: by.name.trim(), capacity: by.capacity.trim(), method };
    let again = match store.sign_document(controller, &new).await {
        Ok(()) => false,
        Err(store::Error::Exists { .. }) => true,
        Err(error) => return Err(error.into()),
    };
    let known = paper(store, controller, id).await?.ok_or(NotAgreed::Unknown)?;
    if known.is_signed_by(Side::Controller) && known.is_signed_by(Side::Processor) {
        // Also when both had signed before and the conclusion was cut short.
        conclude(store, controller, &known).await?;
        crate::instruction::look_again(store, controller).await?;
        return paper(store, controller, id).await?.ok_or(NotAgreed::Unknown);
    }
    if again { Err(NotAgreed::Signed) } else { Ok(known) }
}

async fn conclude(store: &Store, controller: ControllerId, known: &Paper) -> Result<(), NotAgreed> {
    let content = content(store, controller, known.id).await?.ok_or(NotAgreed::Unknown)?;
    let now = store.now();
    let from = match content.duration.begins {
        Begins::AtSignature => now,
        Begins::On(day) => day.begin(),
    };
    let until = match content.duration.ends {
        Ends::WithContract(_) => None,
        Ends::On(day) => Some(day.begin()),
    };
    let (paper, document, version) = (known.id, known.sha256, known.version);
    let review = content.review_due.map(Date::begin);
    let own = |one: &&Signature| one.side == Side::Processor.as_str() && one.method != STANDING_OFFER;
    let own_hand = known.signatures.iter().find(own).map(|one| one.at);
    let new = Concluded { paper, document, version, from, until, review, own_hand };
    match store.conclude_agreement(controller, &new).await {
        Ok(None) => Err(NotAgreed::Stopped),
        // The other side's signature came at the same moment and concluded it.
        Ok(Some(_)) | Err(store::Error::Exists { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// One side suspends, takes up again or ends what was concluded.
///
/// # Errors
/// [`NotAgreed`].
pub async fn turn(
    store: &Store,
    controller: ControllerId,
    id: DocumentId,
    to: AgreementState,
    side: Side,
) -> Result<Paper, NotAgreed> {
    let known = paper(store, controller, id).await?.ok_or(NotAgreed::Unknown)?;
    let from = known.state();
    let out_of_turn = NotAgreed::OutOfTurn { from, to };
    let Some(standing) = &known.standing else { return Err(out_of_turn) };
    let own_pause = standing.moved_by.as_deref() == Some(side.as_str());
    let may = match (from, to) {
        (AgreementState::InForce, AgreementState::Suspended)
        | (AgreementState::Signed | AgreementState::InForce | AgreementState::Suspended, AgreementState::Ended) => true,
        (AgreementState::Suspended, AgreementState::InForce) => own_pause,
        _ => false,
    };
    if !may || !store.move_agreement(controller, standing, to, side).await? {
        return Err(out_of_turn);
    }
    paper(store, controller, id).await?.ok_or(NotAgreed::Unknown)
}

/// Agreements whose day has come begin or end, and what is instructed under one that began is looked at again.
///
/// # Errors
/// Those of the store; what was not done is done the next time.
pub async fn keep_days(store: &Store) -> Result<(), Error> {
    for controller in store.turn_agreements().await? {
        crate::instruction::look_again(store, controller).await?;
    }
    Ok(())
}

/// What is in force was covered when it came into force; should a node have ended between a new agreement and the look
/// at what is instructed under it, that look is made up for. At the start of a node.
///
/// # Errors
/// Those of the store.
pub async fn look_over(store: &Store) -> Result<(), Error> {
    for controller in store.controllers() {
        crate::instruction::look_again(store, controller).await?;
    }
    Ok(())
}

/// A controller's agreements, oldest first.
///
/// # Errors
/// Those of the store.
pub async fn papers(store: &Store, controller: ControllerId) -> Result<Vec<Paper>, Error> {
    let rows = store.agreements(controller).await?;
    let mut papers = Vec::new();
    for known in store.documents(controller, DocumentKind::Agreement).await? {
        let signatures = store.signatures(controller, known.id).await?;
        let standing = rows.iter().find(|row| row.paper == Some(known.id)).cloned();
        let (version, sha256, made) = (known.version, known.sha256, known.made);
        papers.push(Paper { id: known.id, version, sha256, made, signatures, standing });
    }
    Ok(papers)
}

/// One of a controller's agreements.
///
/// # Errors
/// Those of the store.
pub async fn paper(store: &Store, controller: ControllerId, id: DocumentId) -> Result<Option<Paper>, Error> {
    Ok(papers(store, controller).await?.into_iter().find(|paper| paper.id == id))
}

/// What an agreement says.
///
/// # Errors
/// Those of the store; [`Error::Document`] when it cannot be read.
pub async fn content(
    store: &Store,
    controller: ControllerId,
    id: DocumentId,
) -> Result<Option<ProcessingAgreement>, Error> {
    Ok(document(store, controller, id).await?.map(|(_, content)| content))
}

/// The document of an agreement and what it says.
///
/// # Errors
/// As of [`content`].
pub async fn document(
    store: &Store,
    controller: ControllerId,
    id: DocumentId,
) -> Result<Option<(Document, ProcessingAgreement)>, Error> {
    let found = store.document(controller, id).await?.filter(|found| found.kind == DocumentKind::Agreement);
    let Some(found) = found else { return Ok(None) };
    let read = Document::parse_recorded::<ProcessingAgreement>(&found.octets, Sha256(found.sha256));
    read.map(Some).map_err(|_| Error::Document(NAME))
}

/// The agreement in force and what it says, where it is kept as a document.
///
/// # Errors
/// As of [`content`].
pub async fn in_force(
    store: &Store,
    controller: ControllerId,
) -> Result<Option<(AgreementId, ProcessingAgreement)>, Error> {
    let now = store.now();
    let rows = store.agreements(controller).await?;
    let in_force = |row: &&AgreementView| {
        row.state == AgreementState::InForce && row.from <= now && row.until.is_none_or(|until| now < until)
    };
    let found = rows.iter().rfind(in_force).and_then(|row| Some((row.id, row.paper?)));
    let Some((id, paper)) = found else { return Ok(None) };
    Ok(content(store, controller, paper).await?.map(|content| (id, content)))
}
