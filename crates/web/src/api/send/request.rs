//! The request as JSON, and its checks: every limit has a name here, every fault names its field.
//!
//! Invariants: [`MessageRequest::check`] either gives a message all of whose parts are well-formed, or says which part
//! is not, without repeating it. Whether it may be sent is not asked here.
//! Never: `Debug` for what holds addresses and texts (it would end up in a log).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mail::address::Address;
use mail::compose::Mailbox;
use mail::require_tls::RequireTls;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::api::json;
use crate::problem::Problem;
use crate::router::Fault;

#[cfg(test)]
mod tests;

/// Recipients of one message.
pub(crate) const RECIPIENTS_MAX: usize = 1_000;
/// Messages in a batch.
pub(crate) const MESSAGES_MAX: usize = 500;
/// Characters of a subject.
pub(crate) const SUBJECT_CHARACTERS_MAX: usize = 10_000;
/// Files.
pub(crate) const ATTACHMENTS_MAX: usize = 100;
/// Octets of all files together, before they are encoded.
pub(crate) const ATTACHMENTS_OCTETS_MAX: usize = 25 * 1024 * 1024;
/// Octets of `metadata` as JSON.
pub(crate) const METADATA_OCTETS_MAX: usize = 10 * 1024;
/// Tags.
pub(crate) const TAGS_MAX: usize = 10;
/// Characters of one tag.
pub(crate) const TAG_CHARACTERS_MAX: usize = 64;

/// What a message is about.
type Subject = json::Text<SUBJECT_CHARACTERS_MAX>;

/// A message to one or more recipients, each of whom gets a copy of his own unless `copies` says otherwise.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "stream": "transactional",
    "from": {"email": "shop@sample.example", "name": "Shop"},
    "to": [{"email": "ada@dest.example", "name": "Ada"}, {"email": "bob@dest.example"}],
    "subject": "Your receipt", "text": "Thank you.", "html": "<p>Thank you.</p>",
    "headers": {"X-Order": "17"},
    "attachments": [{"name": "receipt.txt", "type": "text/plain", "content": "MTcgRVVSCg=="}],
    "metadata": {"order": "17"}, "tags": ["receipt"]
}))]
pub(crate) struct MessageRequest {
    /// Name of the stream; the credential's default stream if absent.
    #[serde(default)]
    stream: Option<json::Word>,
    /// Name of the purpose, or of a list below one; the stream's first purpose if absent.
    #[serde(default)]
    purpose: Option<json::Word>,
    /// The author. The domain must be a verified domain of the controller.
    from: Person,
    /// Recipients, 1 to 1,000.
    #[serde(deserialize_with = "json::list::<_, _, RECIPIENTS_MAX>")]
    #[schema(min_items = 1, max_items = 1000)]
    to: Vec<Person>,
    /// Where answers go, if not to `from`.
    #[serde(default)]
    reply_to: Option<Person>,
    /// One line of text.
    subject: Subject,
    /// The message as plain text. `text` or `html` is required.
    #[serde(default)]
    text: Option<json::Content>,
    /// The message as HTML.
    #[serde(default)]
    html: Option<json::Content>,
    /// Further header fields, at most 50.
    #[serde(default)]
    headers: json::Fields,
    /// Files, together at most 25 MiB before encoding.
    #[serde(default, deserialize_with = "json::list::<_, _, ATTACHMENTS_MAX>")]
    #[schema(max_items = 100)]
    attachments: Vec<Attachment>,
    /// What you want to find again in events; strings, together at most 10 KiB.
    #[serde(default)]
    metadata: json::Metadata,
    /// Words to group messages by, at most 10.
    #[serde(default, deserialize_with = "json::list::<_, _, TAGS_MAX>")]
    #[schema(max_items = 10)]
    tags: Vec<json::Word>,
    /// A copy for each recipient (default), or one message with a visible To.
    #[serde(default)]
    copies: Option<Copies>,
    /// RFC 8689: the message travels over TLS to receivers that are known (DANE, MTA-STS, or DNSSEC and a certificate)
    /// and ask the same of the next, or comes back with 5.7.30 or 5.7.10. Few receivers announce it.
    #[serde(default)]
    require_tls: bool,
}

/// A mailbox with an optional display name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Person {
    /// The address.
    #[schema(example = "ada@dest.example")]
    email: json::Line,
    /// The name shown beside it.
    #[serde(default)]
    name: Option<json::Line>,
}

/// A file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attachment {
    /// File name.
    name: json::Line,
    /// `type/subtype`.
    #[serde(rename = "type")]
    content_type: json::Word,
    /// The file in base64.
    content: json::Content,
    /// For pictures in `html`: what `cid:` names there.
    #[serde(default)]
    content_id: Option<json::Line>,
}

/// How a message to several recipients is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Copies {
    /// Each recipient sees himself alone.
    #[default]
    Own,
    /// One message; every recipient sees all.
    Shared,
}

/// Messages in order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// 1 to 500 messages.
    #[serde(deserialize_with = "json::list::<_, _, MESSAGES_MAX>")]
    #[schema(min_items = 1, max_items = 500)]
    pub(crate) messages: Vec<MessageRequest>,
}

/// What `POST /v1/messages` takes.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Submitted {
    /// One message.
    One(Box<MessageRequest>),
    /// Several.
    Batch(Batch),
}

/// A message whose parts are well-formed.
pub(crate) struct Checked {
    pub(crate) stream: Option<String>,
    pub(crate) purpose: Option<String>,
    pub(crate) from: Person,
    pub(crate) from_address: Address,
    pub(crate) to: Vec<Person>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) reply_to: Vec<(Address, Option<String>)>,
    pub(crate) subject: String,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) files: Vec<File>,
    pub(crate) metadata: String,
    pub(crate) copies: Copies,
    pub(crate) require_tls: RequireTls,
}

/// A decoded file.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) content: Vec<u8>,
    pub(crate) content_id: Option<String>,
}

impl Person {
    /// The address as the client wrote it.
    pub(crate) fn email(&self) -> &str {
        &self.email
    }

    /// With its parsed address, for the composer.
    pub(crate) fn mailbox(&self, address: &Address) -> Mailbox {
        Mailbox { address: address.clone(), name: self.name.clone().map(String::from) }
    }

    fn address(&self, field: &str) -> Result<Address, Problem> {
        // The error's text names the fault and never repeats the address.
        Address::parse(&self.email).map_err(|fault| Problem::field(format!("{field}.email"), fault.to_string()))
    }
}

/// Reads the body: a batch if the outer object has `messages`, otherwise one message.
pub(crate) fn read(octets: &[u8]) -> Result<Submitted, Problem> {
    /// Looks at the outer names alone, so that a fault is told for the right one of the two shapes.
    #[derive(Deserialize)]
    struct Outer {
        #[serde(default)]
        messages: Option<serde::de::IgnoredAny>,
    }
    let outer: Outer = json::parse(octets)?;
    if outer.messages.is_some() {
        Ok(Submitted::Batch(json::parse(octets)?))
    } else {
        Ok(Submitted::One(Box::new(json::parse(octets)?)))
    }
}

impl MessageRequest {
    /// Checks every part; nothing is sent or stored before all messages of a request were checked.
    pub(crate) fn check(self) -> Result<Checked, Problem> {
        let from_address = self.from.address("from")?;
        if self.to.is_empty() {
            return Err(Problem::field("to", "at least one recipient is required"));
        }
        let mut addresses = Vec::with_capacity(self.to.len());
        for (index, person) in self.to.iter().enumerate() {
            addresses.push(person.address(&format!("to[{index}]"))?);
        }
        let reply_to = match self.reply_to {
            Some(person) => vec![(person.address("reply_to")?, person.name.map(String::from))],
            None => Vec::new(),
        };
        if self.text.is_none() && self.html.is_none() {
            return Err(Problem::field("text", "`text` or `html` is required"));
        }
        let files = decode(self.attachments)?;
        check_tags(&self.tags)?;
        let metadata = kept(&self.metadata.0, &self.tags)?;
        Ok(Checked {
            stream: self.stream.map(String::from),
            purpose: self.purpose.map(String::from),
            from: self.from,
            from_address,
            to: self.to,
            addresses,
            reply_to,
            subject: self.subject.into(),
            text: self.text.map(String::from),
            html: self.html.map(String::from),
            headers: self.headers.0,
            files,
            metadata,
            copies: self.copies.unwrap_or_default(),
            require_tls: RequireTls::of(self.require_tls),
        })
    }
}

/// RFC 4648 §4; padding may be left out, and lines may be broken as RFC 2045 §6.8 breaks them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn decode(attachments: Vec<Attachment>) -> Result<Vec<File>, Problem> {
    let mut files = Vec::with_capacity(attachments.len());
    let mut octets = 0;
    for (index, attachment) in attachments.into_iter().enumerate() {
        let Attachment { name, content_type, content, content_id } = attachment;
        let mut content = String::from(content);
        if content.bytes().any(|b| b.is_ascii_whitespace()) {
            content.retain(|c| !c.is_ascii_whitespace());
        }
        let Ok(content) = BASE64.decode(&content) else {
            return Err(Problem::field(format!("attachments[{index}].content"), "not valid base64 (RFC 4648 §4)"));
        };
        octets += content.len();
        if octets > ATTACHMENTS_OCTETS_MAX {
            return Err(Problem::of(Fault::TooLarge).saying("attachments: together they are larger than 25 MiB"));
        }
        let (name, content_type) = (name.into(), content_type.into());
        files.push(File { name, content_type, content, content_id: content_id.map(String::from) });
    }
    Ok(files)
}

fn check_tags(tags: &[json::Word]) -> Result<(), Problem> {
    for (index, tag) in tags.iter().enumerate() {
        let characters = tag.chars().count();
        if characters == 0 || characters > TAG_CHARACTERS_MAX || tag.chars().any(char::is_control) {
            let detail = format!("a tag has 1 to {TAG_CHARACTERS_MAX} printable characters");
            return Err(Problem::field(format!("tags[{index}]"), detail));
        }
    }
    Ok(())
}

/// Metadata and tags as the one JSON object that is kept with the message; empty if there are none.
fn kept(metadata: &[(String, String)], tags: &[json::Word]) -> Result<String, Problem> {
    #[derive(Serialize)]
    struct Kept<'k> {
        metadata: &'k Map<String, Value>,
        tags: &'k [json::Word],
    }
    if metadata.is_empty() && tags.is_empty() {
        return Ok(String::new());
    }
    let metadata: Map<_, _> = metadata.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let written = |_| Problem::field("metadata", "cannot be written as JSON");
    if serde_json::to_string(&metadata).map_err(written)?.len() > METADATA_OCTETS_MAX {
        let detail = format!("as JSON it has more than {METADATA_OCTETS_MAX} octets");
        return Err(Problem::field("metadata", detail));
    }
    serde_json::to_string(&Kept { metadata: &metadata, tags }).map_err(written)
}
