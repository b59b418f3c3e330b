//! From a checked request to a [`Draft`]: the body once, a header block for each copy.
//!
//! Never: a recipient's name or address in another's own copy.

use bytes::Bytes;
use mail::compose::{Attachment, ComposeError, Mailbox, compose};
use model::message::{Draft, Heads, Notice};
use model::{MessageId, PurposeId, StreamId, Timestamp};
use store::Store;

use crate::problem::Problem;
use crate::router::Fault;

use super::request::{Checked, Copies, File};

/// A draft, and the ids that its Message-ID fields name.
pub(crate) struct Composed {
    pub(crate) draft: Draft,
    pub(crate) ids: Vec<MessageId>,
}

/// Builds the draft. The composer's checks are the last ones of the request: line breaks in names, reserved fields.
pub(crate) fn draft(
    checked: &Checked,
    (stream, purpose): (StreamId, PurposeId),
    store: &Store,
) -> Result<Composed, Problem> {
    let composed = compose(&parts(checked)).map_err(|fault| malformed(&fault))?;
    let ids: Vec<MessageId> = checked.addresses.iter().map(|_| store.new_message_id()).collect();
    let copies = Copying { checked, composed: &composed, store, now: store.now() };
    let heads = match (checked.copies, ids.first()) {
        (Copies::Shared, Some(id)) => Heads::Same(copies.head(&copies.everyone(), *id)?),
        _ => Heads::Own(copies.own(&ids)?),
    };
    let draft = Draft {
        stream,
        purpose,
        from: checked.from_address.clone(),
        reverse_path: None,
        recipients: checked.addresses.clone(),
        heads,
        body: composed.body.clone(),
        metadata: checked.metadata.clone(),
        notices: if checked.require_tls.is_asked() {
            vec![Notice::default().requiring(checked.require_tls); ids.len()]
        } else {
            Vec::new()
        },
    };
    Ok(Composed { draft, ids })
}

fn parts(checked: &Checked) -> mail::compose::Draft<'_> {
    mail::compose::Draft {
        from: checked.from.mailbox(&checked.from_address),
        cc: Vec::new(),
        reply_to: checked
            .reply_to
            .iter()
            .map(|(address, name)| Mailbox { address: address.clone(), name: name.clone() })
            .collect(),
        subject: &checked.subject,
        text: checked.text.as_deref(),
        html: checked.html.as_deref(),
        headers: &checked.headers,
        attachments: checked.files.iter().map(attachment).collect(),
    }
}

fn attachment(file: &File) -> Attachment<'_> {
    Attachment {
        name: &file.name,
        content_type: &file.content_type,
        content: &file.content,
        content_id: file.content_id.as_deref(),
    }
}

/// What the header blocks of all copies share.
struct Copying<'c> {
    checked: &'c Checked,
    composed: &'c mail::compose::Composed,
    store: &'c Store,
    now: Timestamp,
}

impl Copying<'_> {
    fn everyone(&self) -> Vec<Mailbox> {
        let people = self.checked.to.iter().zip(&self.checked.addresses);
        people.map(|(person, address)| person.mailbox(address)).collect()
    }

    fn own(&self, ids: &[MessageId]) -> Result<Vec<Bytes>, Problem> {
        let everyone = self.everyone();
        let each = everyone.iter().zip(ids);
        each.map(|(mailbox, id)| self.head(std::slice::from_ref(mailbox), *id)).collect()
    }

    /// RFC 5322 §3.6.4: a Message-ID of its own for each copy, since each is a message of its own; an enciphered id,
    /// so that no one learns volume from it, at the author's domain.
    fn head(&self, to: &[Mailbox], id: MessageId) -> Result<Bytes, Problem> {
        let message_id = format!("{}@{}", self.store.public_id(id), self.checked.from_address.domain());
        let date_unix_s = u64::try_from(self.now.seconds()).unwrap_or_default();
        let head = self.composed.head_for(to, &message_id, date_unix_s).map_err(|fault| malformed(&fault))?;
        Ok(Bytes::from(head))
    }
}

/// The composer's errors name the field of the request and never its content.
fn malformed(fault: &ComposeError) -> Problem {
    if *fault == ComposeError::NotCanonical {
        tracing::error!("a composed message was not canonical");
        return Problem::of(Fault::Internal);
    }
    let field = match fault {
        ComposeError::Control { field } | ComposeError::TooMuch { field, .. } => field.clone(),
        ComposeError::Nul { field } => (*field).to_owned(),
        ComposeError::Reserved { .. } | ComposeError::Repeated { .. } | ComposeError::Field(_) => "headers".to_owned(),
        ComposeError::ContentType | ComposeError::ContentId => "attachments".to_owned(),
        _ => String::new(),
    };
    Problem::placed(field, fault.to_string())
}
