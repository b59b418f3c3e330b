//! A message on its way in (a draft) and what became of it.

use crate::{MessageId, PurposeId, StreamId};
use bytes::Bytes;
use mail::address::Address;

/// What a door hands to `mta::submission::accept`: parsed once, content in canonical CRLF form.
#[derive(Debug)]
pub struct Draft {
    /// The stream it belongs to.
    pub stream: StreamId,
    /// What it is sent for: a purpose of the stream, or a list below one.
    pub purpose: PurposeId,
    /// The mailbox of the From field (RFC 5322 §3.6.2): one, and checked to be one.
    pub from: Address,
    /// The sender as the client named him in its envelope, when his domain is a verified one of the controller:
    /// failures return to him where they do not return to the platform. Without one, they return to `from`.
    pub reverse_path: Option<Address>,
    /// Who gets it, in the order given.
    pub recipients: Vec<Address>,
    /// The header block of each copy.
    pub heads: Heads,
    /// The body, shared by all copies, never copied.
    pub body: Bytes,
    /// What the client wants to find again in events: a JSON object, or empty.
    pub metadata: String,
}

/// Header blocks with their final blank line.
#[derive(Debug)]
pub enum Heads {
    /// One block for every recipient (SMTP; shared copies).
    Same(Bytes),
    /// A block for each recipient, in the order of `Draft::recipients` (HTTP, own copies).
    Own(Vec<Bytes>),
}

impl Heads {
    /// The header block of the recipient at `index`.
    #[must_use]
    pub fn of(&self, index: usize) -> Bytes {
        match self {
            Self::Same(head) => head.clone(),
            Self::Own(heads) => heads.get(index).cloned().unwrap_or_default(),
        }
    }
}

/// Where a message stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MessageState {
    /// Waiting for its first or next attempt.
    Queued,
    /// Waiting for a human or for facts.
    Held,
    /// Taken over by the receiving system.
    Delivered,
    /// Refused for good by the receiving system, or impossible to deliver.
    Bounced,
    /// Stopped by the gate before it left.
    Stopped,
    /// Not delivered within its time.
    Expired,
}

impl MessageState {
    /// The stable word used in the store and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Stopped => "stopped",
            Self::Expired => "expired",
        }
    }

    /// From the stable word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "queued" => Self::Queued,
            "held" => Self::Held,
            "delivered" => Self::Delivered,
            "bounced" => Self::Bounced,
            "stopped" => Self::Stopped,
            "expired" => Self::Expired,
            _ => return None,
        })
    }

    /// Is this the end of its way? Then its content key is destroyed.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Held)
    }
}

/// A message that was taken in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Queued {
    /// Its inner id.
    pub id: MessageId,
    /// Its public id (`msg_…`).
    pub public_id: String,
}
