//! A message as it leaves: signatures, header block, body, and the envelope around them.
//!
//! Invariants: the return path names the message by a token, never by an address (A12 V1), or is the sender's own
//! where no name of his domain leads here; one body hash for all signatures, which are over what leaves; no body is
//! copied, but that of marketing, whose every copy has its own way out, and one in eight bits for a peer of seven.
//! Standards: RFC 5321 §4.5.5 (return path), RFC 6376, RFC 6152 §3.

use super::asking::{Facing, HELD_AGAIN};
use super::{CONTENT_AGAIN, feedback_id, listed, recoded, returning};
use crate::delivery::engine::Engine;
use gate::Rule;
use mail::address::Repertoire;
use mail::client::{BodyKind, Capabilities, Notices, Transaction};
use mail::require_tls::RequireTls;
use model::Timestamp;
use model::message::Notice;
use std::time::Duration;
use store::{Content, QueueRow};

/// A signature outlives every queue the message may still wait in, and is of no use to replay it for ever.
const SIGNATURE_LIFE: Duration = Duration::from_secs(7 * 86_400);

/// What is sent, and to whom.
pub(super) struct Letter {
    signatures: Vec<u8>,
    content: Content,
    return_path: String,
}

/// Why a message is not ready to leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unwritten {
    /// There is no key for its domain, or it cannot be signed: it does not leave unsigned.
    Unsigned,
    /// Marketing of a purpose or stream that is not there, or not yet known here.
    Unknown,
    /// Marketing, and this node does not know where its recipients could stop it.
    NoPages,
    /// Marketing that cannot carry its way out.
    NoWayOut,
}

impl Unwritten {
    /// What becomes of it, should the gate have nothing else against it.
    pub(super) const fn facing(self) -> Facing {
        match self {
            Self::Unsigned | Self::Unknown => Facing::Held(Rule::FactsUnavailable, CONTENT_AGAIN),
            // The operator can mend it.
            Self::NoPages => Facing::Held(Rule::OptOutMissing, HELD_AGAIN),
            // ePrivacy Art. 13(4): never without. What is in the message does not change any more.
            Self::NoWayOut => Facing::Stopped(Rule::OptOutMissing),
        }
    }
}

impl Letter {
    /// Makes the message ready for a peer that offers this, and signs it.
    ///
    /// # Errors
    /// [`Unwritten`]: it does not leave.
    pub(super) async fn write(
        engine: &Engine,
        row: &QueueRow,
        content: &Content,
        peer: &Capabilities,
        now: Timestamp,
    ) -> Result<Self, Unwritten> {
        let Engine { store, signing, .. } = engine;
        let signers = store.dkim_signers(row.controller, row.domain).ok_or(Unwritten::Unsigned)?;
        let domain = signers.first().ok_or(Unwritten::Unsigned)?.domain();
        let content = if row.kind.is_marketing() {
            feedback_id::with(store, row, listed::content(engine, row, content, domain).await?)
        } else {
            // Handles to the same octets, not copies.
            content.clone()
        };
        // Before it is signed: a signature over octets that others change on the way is none.
        let content = if peer.eight_bit_mime { content } else { recoded::in_seven_bits(content).await };
        let is_notification = content.notice.as_ref().is_some_and(|notice| notice.is_notification);
        let (content, return_path) = match store.return_path_name(row.controller, row.domain) {
            // RFC 3461 §6.1, RFC 5321 §4.5.5: nobody is told what becomes of a notification.
            _ if is_notification => (content, String::new()),
            // Its failures return to its sender: no address of ours is known to lead here.
            None => {
                let sender = content.sender.to_wire();
                (content, sender)
            }
            Some(name) => returning::to(store, row, content, &name).map_err(|error| {
                tracing::warn!(%error, message = row.id.0, "the return path of a message could not be made; it waits");
                Unwritten::Unsigned
            })?,
        };
        let at = u64::try_from(now.seconds()).map_err(|_| Unwritten::Unsigned)?;
        let expires = at.saturating_add(SIGNATURE_LIFE.as_secs());
        let signatures = signing.sign(&content, &signers, at, expires).await.map_err(|error| {
            tracing::warn!(%error, message = row.id.0, "the message could not be signed");
            Unwritten::Unsigned
        })?;
        Ok(Self { signatures, content, return_path })
    }

    pub(super) fn transaction(&self) -> Transaction {
        let Content { recipient, head, body, notice, .. } = &self.content;
        let octets = self.signatures.len() + head.len() + body.len();
        let plain = body.is_ascii() && head.is_ascii();
        let reverse_path = self.return_path.clone();
        // RFC 6531 §3.2: asked for where it is needed, and nowhere else. Fields of parts are content here.
        let named = recipient.repertoire() == Repertoire::Ascii && reverse_path.is_ascii();
        Transaction {
            reverse_path,
            recipients: vec![recipient.to_wire()],
            size: u64::try_from(octets).ok(),
            body: if plain { BodyKind::SevenBit } else { BodyKind::EightBitMime },
            repertoire: if named && head.is_ascii() { Repertoire::Ascii } else { Repertoire::Utf8 },
            notices: notice.as_deref().map(asked).unwrap_or_default(),
            require_tls: require_tls(&self.content),
        }
    }

    /// What was asked of its way, and had, beside what the connection was.
    pub(super) fn evidence(&self) -> &'static str {
        // `Transaction::check` lets it go to no other peer.
        if require_tls(&self.content).is_asked() { "REQUIRETLS demanded and promised\n" } else { "" }
    }

    pub(super) fn parts(&self) -> [&[u8]; 3] {
        [&self.signatures, &self.content.head, &self.content.body]
    }
}

/// RFC 8689 §4.1: as it came in.
pub(super) fn require_tls(content: &Content) -> RequireTls {
    content.notice.as_ref().map(|notice| notice.require_tls()).unwrap_or_default()
}

/// RFC 3461 §5.2: passed on as it came.
fn asked(notice: &Notice) -> Notices {
    Notices {
        returned: notice.returned(),
        envelope_id: notice.envelope_id(),
        each: vec![(notice.notify(), notice.original())],
    }
}
