//! Instructions in use (GDPR Art. 28(3)(a), 29): written, given by the controller, and held when they look infringing.
//!
//! Invariants: nothing is in force that the agreement does not cover; what looks infringing is held with a notice that
//! names the article, and neither obeyed nor dropped (Art. 28(3), last subparagraph); what this node cannot carry out
//! is refused, not ignored.

mod possible;
mod said;

pub use possible::Impossible;

use crate::agreement;
use crate::document::instruction::{Finding, Instruction, findings};
use crate::document::{Document, DocumentError, Mistake, Sha256};
use crate::error::Error;
use crate::operator::Signatory;
use model::instruction::InstructionState;
use model::{AgreementId, ControllerId, DocumentId, InstructionId, Timestamp};
use store::Store;
use store::permission::{DocumentKind, InstructionView, NewDocument, NewSignature, Side, Signature};

/// The name of instructions among documents.
const NAME: &str = "instruction";
/// How often it is looked at anew when the agreement changes meanwhile.
const LOOKS_MAX: u32 = 4;

/// An instruction as both sides see it.
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
    /// Who gave it.
    pub signatures: Vec<Signature>,
    /// What became of it; nothing while it is a draft.
    pub standing: Option<InstructionView>,
}

impl Paper {
    /// Where it stands; a draft is proposed.
    #[must_use]
    pub fn state(&self) -> InstructionState {
        self.standing.as_ref().map_or(InstructionState::Proposed, |known| known.state)
    }
}

/// What came of giving an instruction.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is in force.
    InForce(InstructionId),
    /// It looks infringing.
    Held(InstructionId, Vec<Finding>),
}

/// Why an instruction was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotInstructed {
    /// There is no agreement in force that is kept as a document.
    #[error("there is no agreement in force to instruct under; conclude one first")]
    NoAgreement,
    /// There is no such instruction of this controller.
    #[error("there is no such instruction")]
    Unknown,
    /// Values make no sense.
    #[error("{}", places(.0))]
    Senseless(Vec<Mistake>),
    /// This node cannot do what it says.
    #[error("{}", impossible(.0))]
    Impossible(Vec<Impossible>),
    /// Nobody is named, or not in which capacity.
    #[error("a signature needs a name and a capacity, at most 200 characters each")]
    Nameless,
    /// It was given already.
    #[error("this instruction was given already; write a new version")]
    Given,
    /// A newer version is in force.
    #[error("a newer version is in force; write a new version")]
    Superseded,
    /// Agreements changed again and again meanwhile.
    #[error("the agreement was changed at the same time; look at it and try again")]
    Moving,
    /// It is not held.
    #[error("only an instruction that is held can be confirmed")]
    NotHeld,
    /// What looks infringing here cannot be confirmed away: it is amended, or the agreement is.
    #[error("this can be amended, not confirmed: {}", found(.0))]
    MustBeAmended(Vec<Finding>),
    /// A stream or purpose has the name of one of another kind.
    #[error("a stream or purpose with this name is of another kind; take another name")]
    OtherKind,
    /// The store.
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<store::Error> for NotInstructed {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Exists { what: "stream" | "purpose" } => Self::OtherKind,
            store::Error::Exists { what: "instruction" } => Self::Superseded,
            error => Self::Other(error.into()),
        }
    }
}

impl From<DocumentError> for NotInstructed {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Senseless(mistakes) => Self::Senseless(mistakes),
            _ => Self::Other(Error::Document(NAME)),
        }
    }
}

fn places(mistakes: &[Mistake]) -> String {
    let words: Vec<String> = mistakes.iter().map(|one| format!("{}: {}", one.path, one.sentence)).collect();
    words.join("; ")
}

fn impossible(list: &[Impossible]) -> String {
    let words: Vec<String> = list.iter().map(|one| format!("{}: {}", one.path, one.sentence)).collect();
    words.join("; ")
}

fn found(list: &[Finding]) -> String {
    let words: Vec<String> =
        list.iter().map(|one| format!("{}: {} ({})", one.path, one.sentence, one.article)).collect();
    words.join("; ")
}

/// Keeps an instruction as a draft. Its version is ours to say.
///
/// # Errors
/// [`NotInstructed`].
pub async fn draft(
    store: &Store,
    controller: ControllerId,
    mut content: Instruction,
) -> Result<DocumentId, NotInstructed> {
    let known = store.documents(controller, DocumentKind::Instruction).await?;
    let rows = store.instructions(controller).await?;
    let newest = known.iter().map(|known| known.version).chain(rows.iter().map(|row| row.version)).max();
    content.version = newest.unwrap_or(0) + 1;
    let document = Document::write(&content)?;
    let not_possible = possible::check(store, &content);
    if !not_possible.is_empty() {
        return Err(NotInstructed::Impossible(not_possible));
    }
    let new = NewDocument {
        kind: DocumentKind::Instruction,
        name: NAME,
        version: content.version,
        language: content.language.as_str(),
        octets: document.canonical(),
    };
    Ok(store.keep_document(controller, &new).await?)
}

/// What looks infringing in an instruction, and the agreement in force under which it was looked at.
///
/// # Errors
/// [`NotInstructed::NoAgreement`], and those of the store.
pub async fn look(
    store: &Store,
    controller: ControllerId,
    content: &Instruction,
) -> Result<(AgreementId, Vec<Finding>), NotInstructed> {
    let (under, agreement) = agreement::in_force(store, controller).await?.ok_or(NotInstructed::NoAgreement)?;
    Ok((under, findings(content, &agreement)))
}

/// After a new agreement: does it still cover the instruction in force? One that it does not cover is held, and the
/// controller is told; what was not written as a document cannot be looked at and stays.
///
/// # Errors
/// Those of the store.
pub async fn look_again(store: &Store, controller: ControllerId) -> Result<(), Error> {
    let Some((_, agreement)) = agreement::in_force(store, controller).await? else { return Ok(()) };
    let rows = store.instructions(controller).await?;
    let Some(known) = rows.iter().rfind(|row| row.state == InstructionState::InForce) else { return Ok(()) };
    let Some(paper) = known.paper else { return Ok(()) };
    let Some(content) = content(store, controller, paper).await? else { return Ok(()) };
    let found = findings(&content, &agreement);
    if !found.is_empty() {
        store.hold_in_force(controller, known, &self::found(&found)).await?;
    }
    Ok(())
}

/// The controller gives an instruction: in force at once, or held.
///
/// # Errors
/// [`NotInstructed`].
pub async fn give(
    store: &Store,
    controller: ControllerId,
    id: DocumentId,
    (by, method): (&Signatory, &str),
) -> Result<Outcome, NotInstructed> {
    if !by.is_named() {
        return Err(NotInstructed::Nameless);
    }
    let known = paper(store, controller, id).await?.ok_or(NotInstructed::Unknown)?;
    if known.standing.is_some() {
        return Err(NotInstructed::Given);
    }
    let content = content(store, controller, id).await?.ok_or(NotInstructed::Unknown)?;
    not_behind(store, controller, known.version).await?;
    look(store, controller, &content).await?;
    let (name, capacity) = (by.name.trim(), by.capacity.trim());
    let new = NewSignature { document: id, side: Side::Controller, name, capacity, method };
    match store.sign_document(controller, &new).await {
        // Signed before, and what follows was cut short: it is made up for now.
        Ok(()) | Err(store::Error::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    for _ in 0..LOOKS_MAX {
        not_behind(store, controller, known.version).await?;
        let (under, found) = look(store, controller, &content).await?;
        let given = said::given(&content, id, known.sha256, under);
        if found.is_empty() {
            if let Some(id) = store.give_instruction(controller, &given).await? {
                return Ok(Outcome::InForce(id));
            }
            continue;
        }
        // GDPR Art. 28(3), last subparagraph: the controller is told immediately, with the article.
        let why = self::found(&found);
        if let Some(id) = store.hold_instruction(controller, &given, &why).await? {
            return Ok(Outcome::Held(id, found));
        }
    }
    Err(NotInstructed::Moving)
}

/// The controller confirms one that was held, having been told (GDPR Art. 28(3), last subparagraph).
///
/// # Errors
/// [`NotInstructed`].
pub async fn confirm(
    store: &Store,
    controller: ControllerId,
    id: DocumentId,
    by: &Signatory,
    statement: &str,
) -> Result<InstructionId, NotInstructed> {
    if !by.is_named() {
        return Err(NotInstructed::Nameless);
    }
    let known = paper(store, controller, id).await?.ok_or(NotInstructed::Unknown)?;
    let held = known.standing.as_ref().filter(|row| row.state == InstructionState::Held);
    let held = held.ok_or(NotInstructed::NotHeld)?.id;
    let content = content(store, controller, id).await?.ok_or(NotInstructed::Unknown)?;
    let said = format!("confirmed by {}, {}: {}", by.name.trim(), by.capacity.trim(), statement.trim());
    for _ in 0..LOOKS_MAX {
        not_behind(store, controller, known.version).await?;
        let (under, mut found) = look(store, controller, &content).await?;
        found.retain(|one| !one.id.can_be_confirmed());
        if !found.is_empty() {
            return Err(NotInstructed::MustBeAmended(found));
        }
        let given = said::given(&content, id, known.sha256, under);
        if store.confirm_instruction(controller, held, &given, &said).await? {
            return Ok(held);
        }
        let now = paper(store, controller, id).await?.map(|paper| paper.state());
        if now != Some(InstructionState::Held) {
            return Err(NotInstructed::NotHeld);
        }
    }
    Err(NotInstructed::Moving)
}

async fn not_behind(store: &Store, controller: ControllerId, version: u32) -> Result<(), NotInstructed> {
    let rows = store.instructions(controller).await?;
    let in_force = rows.iter().filter(|row| row.state == InstructionState::InForce).map(|row| row.version).max();
    if in_force.is_some_and(|newest| newest > version) { Err(NotInstructed::Superseded) } else { Ok(()) }
}

/// A controller's instructions, oldest first.
///
/// # Errors
/// Those of the store.
pub async fn papers(store: &Store, controller: ControllerId) -> Result<Vec<Paper>, Error> {
    let rows = store.instructions(controller).await?;
    let mut papers = Vec::new();
    for known in store.documents(controller, DocumentKind::Instruction).await? {
        let signatures = store.signatures(controller, known.id).await?;
        let standing = rows.iter().find(|row| row.paper == Some(known.id)).cloned();
        let (version, sha256, made) = (known.version, known.sha256, known.made);
        papers.push(Paper { id: known.id, version, sha256, made, signatures, standing });
    }
    Ok(papers)
}

/// One of a controller's instructions.
///
/// # Errors
/// Those of the store.
pub async fn paper(store: &Store, controller: ControllerId, id: DocumentId) -> Result<Option<Paper>, Error> {
    Ok(papers(store, controller).await?.into_iter().find(|paper| paper.id == id))
}

/// What an instruction says.
///
/// # Errors
/// Those of the store; [`Error::Document`] when it cannot be read.
pub async fn content(store: &Store, controller: ControllerId, id: DocumentId) -> Result<Option<Instruction>, Error> {
    Ok(document(store, controller, id).await?.map(|(_, content)| content))
}

/// The document of an instruction and what it says.
///
/// # Errors
/// As of [`content`].
pub async fn document(
    store: &Store,
    controller: ControllerId,
    id: DocumentId,
) -> Result<Option<(Document, Instruction)>, Error> {
    let found = store.document(controller, id).await?.filter(|found| found.kind == DocumentKind::Instruction);
    let Some(found) = found else { return Ok(None) };
    let read = Document::parse_recorded::<Instruction>(&found.octets, Sha256(found.sha256));
    read.map(Some).map_err(|_| Error::Document(NAME))
}
