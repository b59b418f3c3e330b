//! The spool: what was accepted and has not reached its end.
//!
//! State of a message, as rows (`+` there, `-` gone):
//!
//! | state | message | queue | queue.started | body | what a crash leaves |
//! |---|---|---|---|---|---|
//! | waiting | + | + | - | + | waiting |
//! | under way | + | + | + | + | under way; `recover` makes it waiting and uncertain |
//! | at its end | + (no head) | - | - | - (when no other message shares it) | at its end |
//!
//! Each change of state is one commit, together with its ledger entry. Nothing is in two states.

mod accept;
mod bodies;
mod content;
mod delivery;
mod grounds;
mod intake;
#[cfg(test)]
mod tests;
mod under_way;

pub(crate) use accept::PersonSlot;
pub(crate) use bodies::Bodies;
pub use bodies::BodyPlacement;
#[cfg(feature = "s3")]
pub use bodies::{Addressing, S3Keys, S3Settings};
pub(crate) use content::{Envelope, open_transcript, seal_transcript};
pub(crate) use delivery::{BOUNCE_LIFE, queue_row_of};
pub(crate) use grounds::Grounds;
pub use intake::Account;
pub(crate) use intake::{Intake, QuotaCount};
pub(crate) use under_way::UnderWay;

use crate::cluster::queue_part;
use crate::engine::SlotRef;
use crate::error::Error;
use crate::facts::Person;
use bytes::Bytes;
use gate::{Permit, Rule};
use mail::address::Address;
use model::message::Notice;
use model::stream::Class;
use model::{ControllerId, DomainId, MessageId, PurposeId, RecipientTag, StreamId, StreamKind, Timestamp};
use std::sync::Arc;

/// A message offered for the queue, with a permit for each recipient.
pub struct Acceptance<'a> {
    /// The recipients that may be queued.
    pub items: Vec<Item<'a>>,
    /// The body they share.
    pub body: Bytes,
    /// The mailbox of the From field.
    pub from: &'a Address,
    /// The client's own sender, of a verified domain of the controller; `None` stands for `from`.
    pub sender: Option<&'a Address>,
    /// Its verified domain.
    pub domain: DomainId,
    /// What the client wants to find again: a JSON object or empty.
    pub metadata: &'a str,
    /// The client's idempotency key and the answer to keep under it.
    pub idempotency: Option<Idempotency>,
}

/// One recipient of an acceptance.
pub struct Item<'a> {
    /// The gate's yes.
    pub permit: &'a Permit,
    /// Who.
    pub address: &'a Address,
    /// As the store knows him.
    pub person: Person,
    /// The header block of this copy.
    pub head: Bytes,
    /// The id it gets.
    pub id: MessageId,
    /// What is to be told about it, where anybody asked (RFC 3461).
    pub notice: Option<Notice>,
}

/// A key under which an answer is kept for 24 hours.
#[derive(Clone)]
pub struct Idempotency {
    /// What the client sent.
    pub key: String,
    /// SHA-256 of the request.
    pub request_hash: [u8; 32],
    /// The answer to give to a repeat.
    pub answer: Vec<u8>,
}

/// What is known of an idempotency key.
#[derive(Debug)]
pub enum Replay {
    /// Never seen.
    New,
    /// Seen with the same request: its answer.
    Same(Vec<u8>),
    /// Seen with another request.
    Conflict,
}

/// Why nothing was queued.
#[derive(Debug)]
pub enum NotQueued {
    /// The day's allowance would be passed.
    Quota,
    /// The idempotency key was used by another request meanwhile.
    Repeated,
    /// What a permit rests on has changed since, or a recipient was erased: ask the gate anew.
    Stale,
    /// The store failed; nothing was kept.
    Failed(Error),
}

impl From<Error> for NotQueued {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Where queue rows wait: a destination site, a class, a controller.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lane {
    /// Destination site.
    pub site: Arc<str>,
    /// Prompt or bulk.
    pub class: Class,
    /// Whose mail.
    pub controller: ControllerId,
}

/// The site at which messages of the sandbox wait, whatever their recipients' domains are and wherever mail goes: no
/// domain has such a name, so DNS is never asked about it, and delivery connects nowhere for it.
pub const SANDBOX_SITE: &str = "(sandbox)";

impl Lane {
    /// Do messages of the sandbox wait here? Nothing of them leaves.
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        *self.site == *SANDBOX_SITE
    }
}

/// What waits in a lane.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// The lane.
    pub lane: Lane,
    /// Earliest due.
    pub next_due: Timestamp,
    /// Rows.
    pub count: u64,
}

/// May the receiving system have it already?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uncertain {
    /// No.
    No,
    /// An attempt began whose outcome was lost.
    Yes,
}

/// A message in the queue.
#[derive(Clone, Debug)]
pub struct QueueRow {
    /// Its id.
    pub id: MessageId,
    /// Whose.
    pub controller: ControllerId,
    /// Its stream.
    pub stream: StreamId,
    /// Its purpose, or the list below it.
    pub purpose: PurposeId,
    /// The stream's kind.
    pub kind: StreamKind,
    /// Where it waits.
    pub lane: Lane,
    /// To whom.
    pub tag: RecipientTag,
    /// From which domain.
    pub domain: DomainId,
    /// Not before.
    pub due: Timestamp,
    /// Attempts made.
    pub attempts: u32,
    /// Accepted.
    pub accepted_at: Timestamp,
    /// Given up at.
    pub expires_at: Timestamp,
    /// Was an outcome lost?
    pub uncertain: Uncertain,
    pub(crate) body: i64,
    pub(crate) slot: SlotRef,
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Content {
    /// To whom.
    pub recipient: Address,
    /// To whom failures return where they do not return to the platform.
    pub sender: Address,
    /// Header block with its blank line.
    pub head: Bytes,
    /// Body.
    pub body: Bytes,
    /// What is to be told about it, where anybody asked (RFC 3461).
    pub notice: Option<Arc<Notice>>,
}

impl Content {
    /// Octets held in memory.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.head.len() + self.body.len() + 128
    }
}

/// An attempt is about to put its final dot.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Message.
    pub id: MessageId,
    /// Whose.
    pub controller: ControllerId,
    /// The partition of its destination site ([`crate::Store::part_of`]).
    pub part: u16,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// When it began.
    pub at: Timestamp,
}

impl Start {
    /// The next attempt of a row.
    #[must_use]
    pub fn of(row: &QueueRow, at: Timestamp) -> Self {
        let (part, attempt) = (queue_part(&row.lane.site), row.attempts + 1);
        Self { id: row.id, controller: row.controller, part, attempt, at }
    }
}

/// Was the start recorded?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Started {
    /// Yes, durably.
    Yes,
    /// The message is gone, the attempt is another's, or this node does not hold the partition: do not send.
    Gone,
}

/// Should a hard failure suppress the recipient?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suppress {
    /// Yes: the mailbox does not exist.
    Yes,
    /// When it happened often enough over a long time: the mailbox stays full.
    IfRepeated,
    /// No.
    No,
}

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutcomeKind {
    /// The receiving system took it over.
    Delivered,
    /// Not now.
    Deferred {
        /// Next attempt.
        due: Timestamp,
    },
    /// It is not known: the connection broke after the final dot, or the process died.
    Uncertain {
        /// Next attempt; the message is marked.
        due: Timestamp,
    },
    /// Never.
    Bounced {
        /// Suppress the recipient?
        suppress: Suppress,
    },
    /// The gate stopped it.
    Stopped,
    /// Its time is over.
    Expired,
    /// It was sent with a credential of the sandbox: the gate agreed, and nothing left.
    Sandboxed,
    /// The gate holds it: no attempt was made. Only the first of several in a row is an event, and the message
    /// does not expire within a day of `due`.
    Held {
        /// Ask again then.
        due: Timestamp,
    },
}

/// The outcome of an attempt.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The row it was for.
    pub row: QueueRow,
    /// Number of the attempt, from 1. A hold leaves it to the next one.
    pub attempt: u32,
    /// When it began, if it did.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub verdict: OutcomeKind,
    /// SMTP code of the deciding reply.
    pub code: Option<u16>,
    /// Enhanced status code of it.
    pub enhanced: Option<String>,
    /// The rule that stopped or held it.
    pub rule: Option<Rule>,
    /// The dialogue; sealed by the store.
    pub transcript: String,
}
