//! Agreements, instructions and notices: exact octets under a hash, written once, signed by both sides.
//!
//! GDPR Art. 28(3), (9): in writing, in electronic form too. Art. 7(1): the words shown are part of the evidence.

use super::*;
use model::Timestamp;
use model::ids::DocumentId;

/// What a document is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DocumentKind {
    /// A processing agreement (GDPR Art. 28(3)).
    Agreement,
    /// An instruction (GDPR Art. 28(3)(a)).
    Instruction,
    /// The words shown to people when data are collected (GDPR Art. 13, 14).
    Notice,
    /// How the controller appears on the pages for recipients (GDPR Art. 13(1)(a), (b)).
    Profile,
}

impl DocumentKind {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agreement => "agreement",
            Self::Instruction => "instruction",
            Self::Notice => "notice",
            Self::Profile => "profile",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Agreement, Self::Instruction, Self::Notice, Self::Profile].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A document to be kept.
#[derive(Clone, Copy, Debug)]
pub struct NewDocument<'a> {
    /// What it is.
    pub kind: DocumentKind,
    /// Its name: letters, digits and hyphens.
    pub name: &'a str,
    /// Its version, from 1. Versions in several languages have one number.
    pub version: u32,
    /// BCP 47 language tag.
    pub language: &'a str,
    /// The exact octets.
    pub octets: &'a [u8],
}

/// A document that is kept.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its id.
    pub id: DocumentId,
    /// What it is.
    pub kind: DocumentKind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Its language.
    pub language: String,
    /// SHA-256 of the octets.
    pub sha256: [u8; 32],
    /// When it was kept.
    pub made: Timestamp,
    /// The octets; empty in a list.
    pub octets: Vec<u8>,
}

/// Who signs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The controller.
    Controller,
    /// The processor: the operator.
    Processor,
}

impl Side {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Processor => "processor",
        }
    }
}

/// A signature to be given.
#[derive(Clone, Copy, Debug)]
pub struct NewSignature<'a> {
    /// Under which document.
    pub document: DocumentId,
    /// For which side.
    pub side: Side,
    /// Who signs.
    pub name: &'a str,
    /// In which capacity.
    pub capacity: &'a str,
    /// How: `console`, `api`, `cli`.
    pub method: &'a str,
}

/// A signature that was given.
#[derive(Clone, Debug)]
pub struct Signature {
    /// For which side: `controller` or `processor`.
    pub side: String,
    /// When.
    pub at: Timestamp,
    /// How.
    pub method: String,
    /// Who signed.
    pub name: String,
    /// In which capacity.
    pub capacity: String,
}

const SEALED: &str = "document";
const SIGNED: &str = "signature";
/// Parts name and capacity in what is sealed; no text has it.
const BETWEEN: char = '\u{1f}';

impl Store {
    /// Keeps a document. The same octets under the same name, version and language are there already and keep their id.
    ///
    /// # Errors
    /// [`Error::Exists`] when that version says something else.
    pub async fn keep_document(&self, controller: ControllerId, new: &NewDocument<'_>) -> Result<DocumentId> {
        let sha256 = crypto::sha256(&[new.octets]);
        let same =
            |known: &Document| known.name == new.name && known.version == new.version && known.language == new.language;
        if let Some(known) = self.documents(controller, new.kind).await?.into_iter().find(same) {
            return if known.sha256 == sha256 { Ok(known.id) } else { Err(Error::Exists { what: "document" }) };
        }
        let id = DocumentId(self.next_id());
        let insert = Step::new(
            &sql::DOCUMENT_INSERT,
            vec![
                id.0.into(),
                controller.0.into(),
                new.kind.as_str().into(),
                new.name.into(),
                new.version.into(),
                new.language.into(),
                sha256.into(),
                self.now().into(),
                self.vault.seal_for_controller(controller.0, SEALED, new.octets)?.into(),
            ],
        );
        let writes = Writes {
            controller: controller.0,
            person: None,
            reach: Reach::Nothing,
            what: "document",
            event: None,
            detail: sha256,
            steps: vec![insert],
        };
        self.act(EventType::DocumentKept, writes).await?;
        Ok(id)
    }

    /// From now on people are told this name of the controller (ePrivacy Art. 13(4)).
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn show_controller_as(&self, controller: ControllerId, name: &str) -> Result<()> {
        let writes = Writes {
            controller: controller.0,
            person: None,
            reach: Reach::Accounts,
            what: "controller",
            event: None,
            detail: crypto::sha256_of_fields(&[b"shown", name.as_bytes()]),
            steps: vec![Step::new(&sql::CONTROLLER_SHOWN, vec![controller.0.into(), name.into()])],
        };
        self.act(EventType::DocumentKept, writes).await.map(drop)
    }

    /// A document of this controller, with its octets.
    ///
    /// # Errors
    /// Those of the engine; [`Error::Sealed`] when the octets are not those that were kept.
    pub async fn document(&self, controller: ControllerId, id: DocumentId) -> Result<Option<Document>> {
        let rows = self.found(&sql::DOCUMENT, vec![controller.0.into(), id.0.into()]).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let mut document = head(&mut row)?;
        document.octets = self.vault.open_for_controller(controller.0, SEALED, &row.octets()?)?;
        if crypto::sha256(&[&document.octets]) != document.sha256 {
            return Err(Error::Sealed { what: "document" });
        }
        Ok(Some(document))
    }

    /// The controller's documents of a kind, oldest first, without their octets.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn documents(&self, controller: ControllerId, kind: DocumentKind) -> Result<Vec<Document>> {
        let rows = self.found(&sql::DOCUMENTS, vec![controller.0.into(), kind.as_str().into()]).await?;
        rows.into_iter().map(|mut row| head(&mut row)).collect()
    }

    /// Signs a document for one side, once (GDPR Art. 28(9)).
    ///
    /// # Errors
    /// [`Error::Exists`] when that side has signed; [`Error::NotFound`] when there is no such document.
    pub async fn sign_document(&self, controller: ControllerId, new: &NewSignature<'_>) -> Result<()> {
        let Some(document) = self.document(controller, new.document).await? else {
            return Err(Error::NotFound { what: "document" });
        };
        let plain = format!("{}{BETWEEN}{}", new.name, new.capacity);
        let (id, at) = (self.next_id(), self.now());
        let insert = Step::new(
            &sql::SIGNATURE_INSERT,
            vec![
                id.into(),
                controller.0.into(),
                new.document.0.into(),
                new.side.as_str().into(),
                at.into(),
                new.method.into(),
                self.vault.seal_for_controller(controller.0, SIGNED, plain.as_bytes())?.into(),
            ],
        );
        let detail = crypto::sha256_of_fields(&[&document.sha256, new.side.as_str().as_bytes(), plain.as_bytes()]);
        let writes = Writes {
            controller: controller.0,
            person: None,
            reach: Reach::Nothing,
            what: "signature",
            event: None,
            detail,
            steps: vec![insert],
        };
        self.act(EventType::DocumentSigned, writes).await.map(drop)
    }

    /// Who signed a document.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn signatures(&self, controller: ControllerId, document: DocumentId) -> Result<Vec<Signature>> {
        let rows = self.found(&sql::SIGNATURES, vec![controller.0.into(), document.0.into()]).await?;
        let read = |mut row: Columns| {
            let (side, at, method) = (row.text()?, row.moment()?, row.text()?);
            let plain = self.vault.open_for_controller(controller.0, SIGNED, &row.octets()?)?;
            let plain = String::from_utf8(plain).map_err(|_| Error::Sealed { what: SIGNED })?;
            let (name, capacity) = plain.split_once(BETWEEN).ok_or(Error::Sealed { what: SIGNED })?;
            Ok(Signature { side, at, method, name: name.to_owned(), capacity: capacity.to_owned() })
        };
        rows.into_iter().map(read).collect()
    }
}

fn head(row: &mut Columns) -> Result<Document> {
    Ok(Document {
        id: DocumentId(row.number()?),
        kind: DocumentKind::from_word(&row.text()?).ok_or(Error::Row { column: "document.kind" })?,
        name: row.text()?,
        version: u32::try_from(row.number()?).map_err(|_| Error::Row { column: "document.version" })?,
        language: row.text()?,
        sha256: row.array()?,
        made: row.moment()?,
        octets: Vec::new(),
    })
}
