//! Rows of accounts and wishes, as engines keep them.

use super::{Reach, SuppressionRow, Writes};
use model::Timestamp;

/// All accounts: small, kept in memory whole, read again after each change.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyRows {
    /// Rises with each change where several nodes share the data; 0 where one is alone.
    pub(crate) version: i64,
    /// Controllers.
    pub(crate) controllers: Vec<ControllerRow>,
    /// Agreements.
    pub(crate) agreements: Vec<AgreementRow>,
    /// Instructions.
    pub(crate) instructions: Vec<InstructionRow>,
    /// Streams.
    pub(crate) streams: Vec<StreamRow>,
    /// Purposes, and the lists below them.
    pub(crate) purposes: Vec<PurposeRow>,
    /// Domains.
    pub(crate) domains: Vec<DomainRow>,
    /// Credentials.
    pub(crate) credentials: Vec<CredentialRow>,
    /// What is ordered for what waits.
    pub(crate) orders: Vec<OrderRow>,
}

/// What somebody ordered for what waits.
#[derive(Clone, Debug)]
pub(crate) struct OrderRow {
    /// Whose mail.
    pub(crate) controller: i64,
    /// `hold` or `purge`.
    pub(crate) kind: String,
    /// `operator` or `controller`.
    pub(crate) by: String,
    /// The site; empty for all.
    pub(crate) site: String,
    /// The stream; 0 for all.
    pub(crate) stream: i64,
    /// The message; 0 for all.
    pub(crate) message: i64,
    /// When.
    pub(crate) made: Timestamp,
    /// Why, sealed under the controller's key.
    pub(crate) reason: Vec<u8>,
}

/// A controller.
#[derive(Clone, Debug)]
pub(crate) struct ControllerRow {
    /// Id.
    pub(crate) id: i64,
    /// Name of the account.
    pub(crate) name: String,
    /// Name for people, if another.
    pub(crate) shown: Option<String>,
    /// How often its tags were nested.
    pub(crate) tag_number: i64,
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
    /// What it is for, in a few words.
    pub(crate) purpose: String,
    /// Purpose ids, comma separated; the first is the default.
    pub(crate) purposes: String,
    /// `Terms` as JSON.
    pub(crate) terms: String,
}

/// A purpose, or a list below one.
#[derive(Clone, Debug)]
pub(crate) struct PurposeRow {
    /// Id.
    pub(crate) id: i64,
    /// Whose.
    pub(crate) controller: i64,
    /// Name.
    pub(crate) name: String,
    /// `StreamKind` word.
    pub(crate) kind: String,
    /// The purpose above it, for a list.
    pub(crate) parent: Option<i64>,
    /// `BasisKind` words, comma separated.
    pub(crate) bases: String,
    /// What a basis that is not each person's own refers to.
    pub(crate) reference: String,
    /// `PurposeText`s by language, as JSON.
    pub(crate) texts: String,
    /// No mail any more since.
    pub(crate) ended: Option<Timestamp>,
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
    /// The name to which failures return, once it leads here.
    pub(crate) return_path: Option<String>,
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
    /// Keys for SCRAM, as [`mail::scram::Keys::to_octets`] writes them.
    pub(crate) scram: Option<Vec<u8>>,
    /// Words of what it may do, comma separated.
    pub(crate) scopes: String,
    /// What it is for, sealed.
    pub(crate) note: Option<Vec<u8>>,
    /// When it was made.
    pub(crate) made: Option<Timestamp>,
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
    /// A new purpose, or a list below one.
    Purpose {
        /// The row.
        row: PurposeRow,
        /// When.
        at: Timestamp,
    },
    /// Rows that both engines write by one text.
    Rows(Writes),
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
            Self::Purpose { row, .. } => row.controller,
            Self::Rows(writes) => writes.controller,
            Self::Domain(row) => row.controller,
            Self::Credential(row) => row.controller,
            Self::Suppress(row) => row.controller,
            Self::AgreementState { controller, .. }
            | Self::InstructionState { controller, .. }
            | Self::Revoke { controller, .. }
            | Self::Restrict { controller, .. } => *controller,
        }
    }

    /// The person it is about; `None` for a change of accounts.
    pub(crate) const fn person(&self) -> Option<[u8; 16]> {
        match self {
            Self::Suppress(row) => Some(row.tag),
            Self::Restrict { tag, .. } => Some(*tag),
            Self::Rows(writes) => writes.person,
            _ => None,
        }
    }

    /// Must whoever decides learn of it?
    pub(crate) const fn moves_permission(&self) -> bool {
        !matches!(self, Self::Rows(Writes { reach: Reach::Nothing, .. }))
    }

    /// The id of its ledger entry, where a row refers to it.
    pub(crate) const fn event(&self) -> Option<[u8; 16]> {
        match self {
            Self::Rows(writes) => writes.event,
            _ => None,
        }
    }

    /// Does it change the accounts, which every decision has in memory?
    pub(crate) const fn is_account(&self) -> bool {
        match self {
            Self::Rows(writes) => matches!(writes.reach, Reach::Accounts),
            _ => self.person().is_none(),
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

/// The marketing that was accepted for a person, where it counts. Written only over the version it was made from, so
/// that two acceptances at once never count as one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MailedRow {
    /// Whose.
    pub(crate) controller: i64,
    /// Person.
    pub(crate) tag: [u8; 16],
    /// One more than that of the row it replaces; 1 for the first.
    pub(crate) version: i64,
    /// Purposes and moments.
    pub(crate) times: Vec<u8>,
    /// Nothing depends on it from then on.
    pub(crate) ends: Timestamp,
}
