//! The store: spool, vault, facts, accounts, journal. The only SQL of the project is in here.
//!
//! Invariants: what a verb answers is durable; an address, header or body is on disk only sealed;
//! keys are written ahead in a second database; every query names its controller. Nothing above can
//! reach the engine: the wings see [`Store`] and its verbs alone.
//! Never: an answer before the commit; a row under a key that is not yet durable.

mod accounts;
mod authority;
pub mod backup;
mod cluster;
mod copy;
mod decisions;
mod domains;
mod egress;
mod engine;
mod error;
mod facts;
pub mod feedback;
mod folder;
mod journal;
mod open;
pub mod permission;
mod policy;
mod postgres;
mod refusals;
mod rotation;
mod sites;
mod spool;
pub mod sqlite;
mod statement;
mod tls_reports;
mod tombstones;
mod transport;
mod value;
mod vault;
mod view;
mod waiting;

#[cfg(test)]
mod conformance;

pub use accounts::{
    Created, CredentialPlan, CredentialView, DomainKeys, ForStreams, List, Mode, NewBasis, NewCredential, NewPurpose,
    NewStream, NotKeepable, NotMade, Place, Scope, Scopes, Verified, to_send,
};
pub use authority::{Authority, ScramChallenge};
pub use cluster::{ClockSource, ClusterView, LookSettings, NoSuchRole, NodeView, Roles, Tenure, TenureChanges, look};
pub use copy::{ComparedTable, CopyPlan, CopyReport, CopyStep, Refused, StorePlace, Tell, copy_store};
pub use decisions::{Asked, Basis, DecisionView, Fact, Moment, Paper, Shown, Verdict};
pub use domains::SendingDomain;
pub use egress::{EgressAssignment, EgressState, EgressView, EgressWork, WarmDay, WarmPlan, egress_beside};
pub use error::{BodiesUnfit, Error, Result, Temper, Unfit};
pub use facts::{Clearing, Person};
pub use journal::LogFolder;
pub use open::{CreateKey, Hint, Homing, Options, PostgresSettings, SMARTHOST_SITE, Store};
pub use refusals::log::TurnedAway;
pub use rotation::Rotated;
pub use sites::{SiteOrderRow, SitePlace, SiteStateRow, SiteWork, SitesView, sites_beside};
pub use spool::{
    Acceptance, Account, Backlog, BodyPlacement, Content, Idempotency, Item, Lane, NotQueued, Outcome, OutcomeKind,
    QueueRow, Replay, SANDBOX_SITE, Start, Started, Suppress, Uncertain,
};
#[cfg(feature = "s3")]
pub use spool::{Addressing, S3Keys, S3Settings};
pub use tls_reports::{TlsReported, TlsSessions, day_of};
pub use tombstones::Replayed;
pub use transport::TransportPolicy;
pub use view::{MessageView, TimelineItem};
pub use waiting::{
    Hurried, LastReply, Look, NotOrdered, OrderKind, OrderView, OrderedBy, PurgeOrder, QueueGroup, REASON_MAX, Which,
};
