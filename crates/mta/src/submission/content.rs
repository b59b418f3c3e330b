//! From what a client handed in to a [`Draft`]: checked once, strictly; one copy of the body.
//!
//! Never keeps anything: what is refused here leaves no trace.

use bytes::Bytes;
use gate::facts::FromDomain;
use mail::address::{Address, ReversePath};
use mail::header::{HeaderBlock, HeaderError, Limits, check_submission};
use mail::message::{Facts, MessageError, Received, ensure_lines_at_most_998, prepare_head};
use model::MessageId;
use model::message::{Draft, Heads};
use store::{Authority, Store};

/// How a message came in, for the Received field (RFC 5321 §4.4). Neither recipient nor client address is
/// written there (GDPR Art. 5(1)(c)).
#[derive(Clone, Copy, Debug)]
pub struct ReceivedBy<'a> {
    /// This host.
    pub host: &'a str,
    /// `ESMTPSA`, `ESMTP`, `HTTP`.
    pub protocol: &'a str,
}

/// Why a content is not taken. The text names field and limit, never a value.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The header block.
    #[error("{0}")]
    Header(#[from] HeaderError),
    /// The body, or a field we would have to add.
    #[error("{0}")]
    Message(#[from] MessageError),
    /// `X-Postern-Stream` contradicts the stream chosen before MAIL.
    #[error(
        "X-Postern-Stream names another stream than the one chosen by the login; log in as name+stream to choose it"
    )]
    OtherStream,
}

/// The sender of the envelope, when his domain is shown to be the controller's: no failure is sent to strangers.
fn own(store: &Store, authority: &Authority, reverse_path: &ReversePath) -> Option<Address> {
    let address = reverse_path.address()?;
    let (standing, _) = store.from_domain(authority.controller(), address.domain());
    (standing == FromDomain::Verified).then(|| address.clone())
}

/// A message taken over SMTP: headers completed (RFC 6409 §8), Bcc and our own fields removed.
///
/// # Errors
/// [`ContentError`]: say 554 5.6.0 (5.4.6 for a loop).
pub fn from_smtp(
    store: &Store,
    authority: &Authority,
    content: &Bytes,
    (reverse_path, recipients): (&ReversePath, Vec<Address>),
    received: ReceivedBy<'_>,
) -> Result<(Draft, Vec<MessageId>), ContentError> {
    let block = HeaderBlock::scan(content, Limits::SUBMISSION)?;
    let checked = check_submission(&block)?;
    if checked.stream.as_ref().is_some_and(|name| *name != authority.stream().name) {
        return Err(ContentError::OtherStream);
    }
    let body = content.slice(block.body_start()..);
    ensure_lines_at_most_998(&body)?;
    let ids: Vec<MessageId> = recipients.iter().map(|_| store.new_message_id()).collect();
    // One header block for all copies: it carries the first one's id.
    let id = ids.first().map(|id| store.public_id(*id)).unwrap_or_default();
    let message_id = format!("{id}@{}", checked.from.domain());
    let prepared = prepare_head(
        &block,
        &Facts {
            received: Received {
                by: received.host,
                with: received.protocol,
                id: &id,
                unix_s: u64::try_from(store.now().seconds()).unwrap_or_default(),
            },
            message_id: &message_id,
            extra: &[],
        },
    )?;
    let draft = Draft {
        stream: authority.stream().id,
        purpose: authority.stream().default_purpose(),
        from: checked.from,
        reverse_path: own(store, authority, reverse_path),
        recipients,
        heads: Heads::Same(prepared.head),
        body,
        metadata: String::new(),
    };
    Ok((draft, ids))
}
