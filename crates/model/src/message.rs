//! A message on its way in (a draft) and what became of it.

use crate::{MessageId, PurposeId, StreamId};
use bytes::Bytes;
use mail::address::Address;
use mail::dsn::{EnvelopeId, Notify, OriginalRecipient, Return};
use mail::require_tls::RequireTls;
use serde::{Deserialize, Serialize};
use std::fmt;

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
    /// What is asked of each copy beside its delivery, in the order of `recipients`; empty where nobody asked.
    pub notices: Vec<Notice>,
}

/// What is to be told about the fate of one copy, and to whom (RFC 3461), and whether it may travel without TLS (RFC
/// 8689). In wire forms; personal data, sealed wherever it is kept.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notice {
    /// The client's MAIL FROM, where it is an address of a verified domain of his.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub return_path: Option<String>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    returned: Option<String>,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    envelope_id: Option<String>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    notify: Option<String>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    original: Option<String>,
    /// RFC 3461 §6.1: the message itself is a notification. It leaves with the null return path, and nobody is told
    /// anything about it.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_notification: bool,
    #[serde(rename = "t", default, skip_serializing_if = "std::ops::Not::not")]
    requires_tls: bool,
}

impl Notice {
    /// Of the parameters of a transaction.
    #[must_use]
    pub fn of(
        return_path: Option<&Address>,
        returned: Option<Return>,
        envelope_id: Option<&EnvelopeId>,
        notify: Option<Notify>,
        original: Option<&OriginalRecipient>,
    ) -> Self {
        Self {
            return_path: return_path.map(Address::to_wire),
            returned: returned.map(|returned| returned.as_str().to_owned()),
            envelope_id: envelope_id.map(|id| id.as_wire().to_owned()),
            notify: notify.map(|notify| notify.to_string()),
            original: original.map(|original| original.as_wire().to_owned()),
            is_notification: false,
            requires_tls: false,
        }
    }

    /// That of a notification.
    #[must_use]
    pub fn notification() -> Self {
        Self { notify: Some(Notify::NEVER.to_string()), is_notification: true, ..Self::default() }
    }

    /// The same, and the copy leaves as RFC 8689 §4.2.1 says, where that is asked.
    #[must_use]
    pub const fn requiring(mut self, tls: RequireTls) -> Self {
        self.requires_tls = tls.is_asked();
        self
    }

    /// RFC 8689: whether REQUIRETLS goes with it.
    #[must_use]
    pub const fn require_tls(&self) -> RequireTls {
        RequireTls::of(self.requires_tls)
    }

    /// Whether it says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// RET, where it was said.
    #[must_use]
    pub fn returned(&self) -> Option<Return> {
        self.returned.as_deref().and_then(Return::parse)
    }

    /// ENVID, where it was said.
    #[must_use]
    pub fn envelope_id(&self) -> Option<EnvelopeId> {
        self.envelope_id.as_deref().and_then(EnvelopeId::parse)
    }

    /// NOTIFY, where it was said.
    #[must_use]
    pub fn notify(&self) -> Option<Notify> {
        self.notify.as_deref().and_then(Notify::parse)
    }

    /// ORCPT, where it was said.
    #[must_use]
    pub fn original(&self) -> Option<OriginalRecipient> {
        self.original.as_deref().and_then(OriginalRecipient::parse)
    }

    /// Whom to tell about what; `None` where nobody is told anything.
    #[must_use]
    pub fn wanted(&self) -> Option<(Address, Notify)> {
        let reader = self.return_path.as_deref().filter(|_| !self.is_notification)?;
        Some((Address::parse(reader).ok()?, self.notify().unwrap_or(Notify::DEFAULT)))
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Notice(redacted)")
    }
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
    /// Sent with a credential of the sandbox: it came to its end here, and nothing left.
    Sandboxed,
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
            Self::Sandboxed => "sandboxed",
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
            "sandboxed" => Self::Sandboxed,
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
