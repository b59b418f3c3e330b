//! A message as it leaves: signatures, header block, body, and the envelope around them.
//!
//! Invariants: the return path names the message by its public id alone, never by an address (A12 V1); one body hash
//! for all signatures; neither header nor body is copied.
//! Standards: RFC 5321 §4.5.5 (return path), RFC 6376.

use crate::delivery::engine::Engine;
use mail::client::{BodyKind, Transaction};
use model::Timestamp;
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

impl Letter {
    /// Signs the message. `None` when there is no key for its domain, or it cannot be signed: it does not leave
    /// unsigned.
    pub(super) async fn write(engine: &Engine, row: &QueueRow, content: &Content, now: Timestamp) -> Option<Self> {
        let Engine { store, settings, signing, .. } = engine;
        let signers = store.dkim_signers(row.controller, row.domain)?;
        let at = u64::try_from(now.seconds()).ok()?;
        let expires = at.saturating_add(SIGNATURE_LIFE.as_secs());
        let signatures = match signing.sign(content, &signers, at, expires).await {
            Ok(signatures) => signatures,
            Err(error) => {
                tracing::warn!(%error, message = row.id.0, "the message could not be signed");
                return None;
            }
        };
        let public = store.public_id(row.id);
        let token = public.strip_prefix("msg_").unwrap_or(&public);
        let domain = signers.first()?.domain();
        let return_path = format!("b+{token}@{}{domain}", settings.return_path_prefix);
        // Handles to the same octets, not copies.
        Some(Self { signatures, content: content.clone(), return_path })
    }

    pub(super) fn transaction(&self) -> Transaction {
        let Content { recipient, head, body } = &self.content;
        let octets = self.signatures.len() + head.len() + body.len();
        let plain = body.is_ascii() && head.is_ascii();
        Transaction {
            reverse_path: self.return_path.clone(),
            recipients: vec![recipient.to_wire()],
            size: u64::try_from(octets).ok(),
            body: if plain { BodyKind::SevenBit } else { BodyKind::EightBitMime },
        }
    }

    pub(super) fn parts(&self) -> [&[u8]; 3] {
        [&self.signatures, &self.content.head, &self.content.body]
    }
}
