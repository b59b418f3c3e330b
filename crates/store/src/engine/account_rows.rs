//! Rows of accounts and wishes, as engines keep them.

use super::{BasisRow, SuppressionRow};
use model::Timestamp;

/// All accounts: small, kept in memory whole, read again after each change.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyRows {
    /// Rises with each change where several nodes share the data; 0 where one is alone.
    pub(crate) version: i64,
    /// Controllers: id and name.
    pub(crate) controllers: Vec<(i64, String)>,
    /// Agreements.
    pub(crate) agreements: Vec<AgreementRow>,
    /// Instructions.
    pub(crate) instructions: Vec<InstructionRow>,
    /// Streams.
    pub(crate) streams: Vec<StreamRow>,
    /// Domains.
    pub(crate) domains: Vec<DomainRow>,
    /// Credentials.
    pub(crate) credentials: Vec<CredentialRow>,
}

/// A processing agreement.
#[derive(Clone, Debug)]
pub(crate) struct AgreementRow {
    /// Id.
    pub(crate) id: i64,
    /// Whose.
    pub(crate) controller: i64,
    /// Version.
    pub(crate) version: u32,
    /// State word.
    pub(crate) state: String,
    /// From.
    pub(crate) from: Timestamp,
    /// Until.
    pub(crate) until: Option<Timestamp>,
    /// SHA-256 of the document both sides signed.
    pub(crate) document: [u8; 32],
}

/// An instruction.
#[derive(Clone, Debug)]
pub(crate) struct InstructionRow {
    /// Id.
    pub(crate) id: i64,
    /// Whose.
    pub(crate) controller: i64,
    /// Version.
    pub(crate) version: u32,
    /// State word.
    pub(crate) state: String,
    /// From.
    pub(crate) from: Timestamp,
    /// Operation words, comma separated.
    pub(crate) operations: String,
    /// Stream ids, comma separated.
    pub(crate) streams: String,
    /// Messages a UTC day.
    pub(crate) messages_per_day_max: u64,
}

/// A stream.
#[derive(Clone, Debug)]
pub(crate) struct StreamRow {
    /// Id.
    pub(crate) id: i64,
    /// Whose.
    pub(crate) controller: i64,
    /// Name.
    pub(crate) name: String,
    /// Kind word.
    pub(crate) kind: String,
    /// Purpose.
    pub(crate) purpose: String,
}

/// A sending domain.
#[derive(Clone, Debug)]
pub(crate) struct DomainRow {
    /// Id.
    pub(crate) id: i64,
    /// Whose.
    pub(crate) controller: i64,
    /// A-label name.
    pub(crate) name: String,
    /// Verified when.
    pub(crate) verified: Option<Timestamp>,
    /// Selector of the RSA key.
    pub(crate) rsa_selector: String,
    /// Sealed PKCS #8.
    pub(crate) rsa_key: Vec<u8>,
    /// Selector of the Ed25519 key.
    pub ed25519_selector: String,
    /// Sealed PKCS #8.
    pub ed25519_key: Vec<u8>,
}

/// A credential.
#[derive(Clone, Debug)]
pub(crate) struct CredentialRow {
    /// Id.
    pub(crate) id: i64,
    /// Whose.
    pub(crate) controller: i64,
    /// SMTP name.
    pub(crate) username: String,
    /// Keyed hash of the SMTP password.
    pub(crate) password: [u8; 32],
    /// Public half of the API key.
    pub(crate) key_name: String,
    /// Keyed hash of the secret half.
    pub(crate) key: [u8; 32],
    /// Stream used when none is named.
    pub(crate) default_stream: i64,
    /// Stream ids it may use, comma separated.
    pub(crate) streams: String,
    /// Runs out.
    pub(crate) expires: Option<Timestamp>,
    /// Revoked.
    pub(crate) revoked: Option<Timestamp>,
}

/// One change of accounts or wishes. Written with its ledger entry in one commit.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A new controller.
    Controller {
        /// Id.
        id: i64,
        /// Name.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// A new agreement.
    Agreement(AgreementRow),
    /// An agreement's state.
    AgreementState {
        /// Whose.
        controller: i64,
        /// State word.
        state: &'static str,
        /// End, when the state is `ended`.
        until: Option<Timestamp>,
    },
    /// A new version of the instruction; the one before is superseded.
    Instruction(InstructionRow),
    /// The current instruction's state.
    InstructionState {
        /// Whose.
        controller: i64,
        /// State word.
        state: &'static str,
    },
    /// A new stream.
    Stream(StreamRow),
    /// A new domain.
    Domain(DomainRow),
    /// A new credential.
    Credential(CredentialRow),
    /// A credential is revoked.
    Revoke {
        /// Whose.
        controller: i64,
        /// Which.
        id: i64,
        /// When.
        at: Timestamp,
    },
    /// A suppression; what gives way to what within a scope is said at the statement.
    Suppress(SuppressionRow),
    /// A basis; replaces the one recorded before for the stream.
    Basis(BasisRow),
    /// A basis is withdrawn.
    Withdraw {
        /// Whose.
        controller: i64,
        /// Person.
        tag: [u8; 16],
        /// Stream.
        stream: i64,
        /// When.
        at: Timestamp,
    },
    /// A person is restricted.
    Restrict {
        /// Whose.
        controller: i64,
        /// Person.
        tag: [u8; 16],
        /// `restricted`, `erased`, `case-open`.
        kind: &'static str,
        /// When.
        at: Timestamp,
    },
}

impl Change {
    /// Whose.
    pub(crate) const fn controller(&self) -> i64 {
        match self {
            Self::Controller { id, .. } => *id,
            Self::Agreement(row) => row.controller,
            Self::Instruction(row) => row.controller,
            Self::Stream(row) => row.controller,
            Self::Domain(row) => row.controller,
            Self::Credential(row) => row.controller,
            Self::Suppress(row) => row.controller,
            Self::Basis(row) => row.controller,
            Self::AgreementState { controller, .. }
            | Self::InstructionState { controller, .. }
            | Self::Revoke { controller, .. }
            | Self::Withdraw { controller, .. }
            | Self::Restrict { controller, .. } => *controller,
        }
    }

    /// The person it is about; `None` for a change of accounts.
    pub(crate) const fn person(&self) -> Option<[u8; 16]> {
        match self {
            Self::Suppress(row) => Some(row.tag),
            Self::Basis(row) => Some(row.tag),
            Self::Withdraw { tag, .. } | Self::Restrict { tag, .. } => Some(*tag),
            _ => None,
        }
    }
}

/// A sealed key.
#[derive(Clone, Debug)]
pub(crate) struct KeyRow {
    /// Whose.
    pub(crate) controller: i64,
    /// Kind of key (`vault::KeyKind`).
    pub(crate) kind: u8,
    /// Which of its kind.
    pub(crate) epoch: i64,
    /// Sealed.
    pub(crate) sealed: Vec<u8>,
    /// Made when.
    pub(crate) created: Timestamp,
}
