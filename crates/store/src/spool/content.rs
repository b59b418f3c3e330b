//! Sealing and opening of what a message consists of.
//!
//! Envelope and header block are sealed under the recipient's subject secret; the body under a content
//! key of its own, which is wrapped under that secret (one recipient) or the epoch key (several).

use crate::engine::{BodyKey, BodyPlace, BodyRow, ContentRow};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::spool::{Content, QueueRow};
use crate::vault::{Key, KeyKind, Secret, crypto};
use bytes::Bytes;
use mail::address::Address;
use model::message::Notice;
use model::{ControllerId, MessageId};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::sync::Arc;

/// Bodies above this many sealed octets go to a file of their own.
pub(super) const ROW_BODY_OCTETS_MAX: usize = 256 * 1024;
/// What a body may unfold to: the largest message a door takes, and a margin.
const BODY_OCTETS_MAX: usize = 64 * 1024 * 1024;
/// zstd level: the fastest that still halves text.
const COMPRESSION_LEVEL: i32 = 1;
/// First octet of a sealed body's plain form.
const STORED: u8 = 0;
const COMPRESSED: u8 = 1;

/// What is sealed about a message's way.
#[derive(Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// Recipient.
    #[serde(rename = "t")]
    pub(crate) to: String,
    /// From.
    #[serde(rename = "f")]
    pub(crate) from: String,
    /// The client's own sender, where he is not the one of From.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(crate) sender: Option<String>,
    /// Metadata of the client.
    #[serde(rename = "m", default, skip_serializing_if = "String::is_empty")]
    pub(crate) metadata: String,
    /// What is to be told about it (RFC 3461).
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub(crate) notice: Option<Notice>,
}

impl Envelope {
    pub(crate) fn seal(&self, secret: &Secret, id: i64) -> Result<Vec<u8>> {
        let plain = serde_json::to_vec(self).map_err(|_| Error::Sealed { what: "envelope" })?;
        crypto::seal(&secret.wrap, &context(b'e', id), &plain)
    }

    pub(crate) fn open(secret: &Secret, id: i64, sealed: &[u8]) -> Result<Self> {
        let plain = crypto::open(&secret.wrap, &context(b'e', id), sealed, "envelope")?;
        serde_json::from_slice(&plain).map_err(|_| Error::Sealed { what: "envelope" })
    }
}

pub(super) fn seal_head(secret: &Secret, id: i64, head: &[u8]) -> Result<Vec<u8>> {
    crypto::seal(&secret.wrap, &context(b'h', id), head)
}

pub(crate) fn seal_transcript(secret: &Secret, id: i64, text: &str) -> Result<Vec<u8>> {
    if text.is_empty() { Ok(Vec::new()) } else { crypto::seal(&secret.wrap, &context(b't', id), text.as_bytes()) }
}

pub(crate) fn open_transcript(secret: &Secret, id: i64, sealed: &[u8]) -> Result<String> {
    if sealed.is_empty() {
        return Ok(String::new());
    }
    let plain = crypto::open(&secret.wrap, &context(b't', id), sealed, "transcript")?;
    Ok(String::from_utf8_lossy(&plain).into_owned())
}

/// A sealed body and its wrapped content key.
pub(super) fn seal_body(wrap: &Key, id: i64, body: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let content_key = crypto::new_key()?;
    let wrapped = crypto::seal(wrap, &context(b'k', id), content_key.as_slice())?;
    let plain = pack(body);
    Ok((wrapped, crypto::seal(&content_key, &context(b'b', id), &plain)?))
}

fn pack(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 64);
    out.push(COMPRESSED);
    if compress_into(body, &mut out) && out.len() <= body.len() {
        return out;
    }
    out.clear();
    out.push(STORED);
    out.extend_from_slice(body);
    out
}

thread_local! {
    // A compressor's tables are larger than most bodies: made once a thread, not once a message.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> =
        RefCell::new(zstd::bulk::Compressor::new(COMPRESSION_LEVEL).ok());
}

/// Appends the compressed body; false when it could not be done or would not be smaller.
fn compress_into(body: &[u8], out: &mut Vec<u8>) -> bool {
    COMPRESSOR.with_borrow_mut(|compressor| {
        let Some(compressor) = compressor.as_mut() else { return false };
        let start = out.len();
        // No more room than the body itself takes: what does not fit is not worth it.
        out.resize(start + body.len(), 0);
        let written = out.get_mut(start..).and_then(|room| compressor.compress_to_buffer(body, room).ok());
        out.truncate(start + written.unwrap_or_default());
        written.is_some()
    })
}

fn unpack(plain: Vec<u8>) -> Result<Bytes> {
    match plain.split_first() {
        Some((&STORED, _)) => Ok(Bytes::from(plain).slice(1..)),
        Some((&COMPRESSED, packed)) => {
            let octets = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten().unwrap_or(0);
            let octets = usize::try_from(octets).unwrap_or(usize::MAX);
            if octets > BODY_OCTETS_MAX {
                return Err(Error::Sealed { what: "body" });
            }
            let body = zstd::bulk::decompress(packed, octets).map_err(|_| Error::Sealed { what: "body" })?;
            Ok(Bytes::from(body))
        }
        _ => Err(Error::Sealed { what: "body" }),
    }
}

impl Store {
    /// Contents of queue rows, in order; `None` for one that is gone meanwhile.
    ///
    /// # Errors
    /// Those of the engine. A content that does not open is an error of its own row and given as `None`
    /// after a warning, so that it cannot block the others.
    pub async fn open_content(&self, rows: &[&QueueRow]) -> Result<Vec<Option<Content>>> {
        let sealed = self.engine.contents(rows.iter().map(|row| row.id.0).collect()).await?;
        let slots: Vec<_> = rows.iter().map(|row| (row.controller.0, row.slot)).collect();
        let secrets = self.vault.secrets(&slots).await?;
        self.seek_epochs(rows, &sealed).await?;
        let mut out = Vec::with_capacity(rows.len());
        for ((row, sealed), secret) in rows.iter().zip(sealed).zip(secrets) {
            let (Some(sealed), Some(secret)) = (sealed, secret) else {
                out.push(None);
                continue;
            };
            match self.open_one(row, &secret, sealed).await {
                Ok(content) => out.push(Some(content)),
                Err(error) => {
                    tracing::warn!(message = row.id.0, %error, "content does not open");
                    out.push(None);
                }
            }
        }
        Ok(out)
    }

    /// What is to be told about a message, where anybody asked (RFC 3461); `None` also when it does not open any more,
    /// or is not there.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn notice(&self, controller: ControllerId, message: MessageId) -> Result<Option<Notice>> {
        let Some(record) = self.engine.message(controller.0, message.0).await? else { return Ok(None) };
        let secret = self.vault.secrets(&[(controller.0, record.slot)]).await?.pop().flatten();
        let open = |secret: &Secret| Envelope::open(secret, message.0, &record.envelope).ok();
        Ok(secret.as_ref().and_then(open).and_then(|envelope| envelope.notice))
    }

    /// Another node may have wrapped a body under an epoch key of its own. A fault in looking for it is no fault of the
    /// content.
    async fn seek_epochs(&self, rows: &[&QueueRow], sealed: &[Option<ContentRow>]) -> Result<()> {
        for (row, sealed) in rows.iter().zip(sealed) {
            let Some(ContentRow { body: BodyRow { key: BodyKey::Epoch(epoch), .. }, .. }) = sealed else { continue };
            match self.vault.sought(row.controller.0, KeyKind::Epoch, *epoch).await {
                Ok(_) | Err(Error::Sealed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn open_one(&self, row: &QueueRow, secret: &Secret, sealed: ContentRow) -> Result<Content> {
        let id = row.id.0;
        let envelope = Envelope::open(secret, id, &sealed.envelope)?;
        let head = crypto::open(&secret.wrap, &context(b'h', id), &sealed.head, "header")?;
        let body = self.open_body(row.controller.0, secret, sealed.body).await?;
        let recipient = Address::parse(&envelope.to).map_err(|_| Error::Sealed { what: "envelope" })?;
        let sender = envelope.sender.as_ref().unwrap_or(&envelope.from);
        let sender = Address::parse(sender).map_err(|_| Error::Sealed { what: "envelope" })?;
        let notice = envelope.notice.map(Arc::new);
        Ok(Content { recipient, sender, head: Bytes::from(head), body, notice })
    }

    async fn open_body(&self, controller: i64, secret: &Secret, body: BodyRow) -> Result<Bytes> {
        let wrap = match body.key {
            BodyKey::Subject(_) => Arc::clone(&secret.wrap),
            BodyKey::Epoch(epoch) => self.vault.key(controller, KeyKind::Epoch, epoch)?,
        };
        let key = crypto::open(&wrap, &context(b'k', body.id), &body.wrapped, "content key")?;
        let key = Key::new(key.as_slice().try_into().map_err(|_| Error::Sealed { what: "content key" })?);
        let sealed = match body.place {
            BodyPlace::Row => body.sealed,
            BodyPlace::File => self.intake.bodies.read(body.id).await?,
        };
        unpack(crypto::open(&key, &context(b'b', body.id), &sealed, "body")?)
    }
}

/// Binds sealed bytes to their kind and message.
fn context(kind: u8, id: i64) -> [u8; 9] {
    let mut out = [kind; 9];
    out[1..].copy_from_slice(&id.to_be_bytes());
    out
}
