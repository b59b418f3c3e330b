//! From what a client handed in to a [`Draft`]: checked once, strictly; one copy of the body.
//!
//! Notifications (RFC 3461) go only to an address of a verified domain of the controller's: nobody is written to
//! because somebody else named him as the sender.
//!
//! Never keeps anything: what is refused here leaves no trace.

use bytes::Bytes;
use gate::facts::FromDomain;
use mail::address::{Address, Repertoire, ReversePath};
use mail::dsn::{EnvelopeId, Notify, OriginalRecipient, Return};
use mail::header::{HeaderBlock, HeaderError, Limits, check_submission};
use mail::message::{Facts, MessageError, Received, ensure_lines_at_most_998, prepare_head};
use mail::require_tls::RequireTls;
use model::MessageId;
use model::message::{Draft, Heads, Notice};
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

/// A recipient as RCPT names him.
#[derive(Clone, Debug)]
pub struct Named {
    /// The mailbox.
    pub address: Address,
    /// RFC 3461 §4.1.
    pub notify: Option<Notify>,
    /// RFC 3461 §4.2.
    pub original: Option<OriginalRecipient>,
}

impl From<Address> for Named {
    fn from(address: Address) -> Self {
        Self { address, notify: None, original: None }
    }
}

/// The sender as MAIL names him, and what he asked to be told.
#[derive(Clone, Debug)]
pub struct Asked {
    /// To whom notifications go.
    pub reverse_path: ReversePath,
    /// RFC 3461 §4.3.
    pub returned: Option<Return>,
    /// RFC 3461 §4.4.
    pub envelope_id: Option<EnvelopeId>,
    /// RFC 6531 §3.4: whether header fields may be outside ASCII.
    pub repertoire: Repertoire,
    /// RFC 8689 §4.1.
    pub require_tls: RequireTls,
}

impl Asked {
    fn notices(&self, store: &Store, authority: &Authority, recipients: &[Named]) -> Vec<Notice> {
        let reader = own(store, authority, &self.reverse_path);
        let id = self.envelope_id.as_ref();
        let notice = |to: &Named| {
            let notice = Notice::of(reader.as_ref(), self.returned, id, to.notify, to.original.as_ref());
            notice.requiring(self.require_tls)
        };
        recipients.iter().map(notice).collect()
    }
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
    asked: &Asked,
    recipients: Vec<Named>,
    received: ReceivedBy<'_>,
) -> Result<(Draft, Vec<MessageId>), ContentError> {
    // RFC 6531 §3.4, RFC 6532 §3.2.
    let limits = match asked.repertoire {
        Repertoire::Ascii => Limits::SUBMISSION,
        Repertoire::Utf8 => Limits::INTERNATIONAL,
    };
    let block = HeaderBlock::scan(content, limits)?;
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
    let notices = asked.notices(store, authority, &recipients);
    let draft = Draft {
        stream: authority.stream().id,
        purpose: authority.stream().default_purpose(),
        from: checked.from,
        reverse_path: own(store, authority, &asked.reverse_path),
        recipients: recipients.into_iter().map(|named| named.address).collect(),
        heads: Heads::Same(prepared.head),
        body,
        metadata: String::new(),
        notices,
    };
    Ok((draft, ids))
}
