//! A message parsed for display. Lenient on purpose: what a stranger sent is shown as well as it can be.

use mail_parser::{Address, Message, MessageParser, MimeHeaders, PartType};

/// Characters of one header value that are shown or told; the source has the rest.
const VALUE_CHARACTERS_MAX: usize = 16 * 1024;
/// Header fields that are listed.
const FIELDS_MAX: usize = 500;
/// Attachments that are listed.
const FILES_MAX: usize = 200;

/// What is shown of a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Parsed {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) date: Option<String>,
    pub(super) message_id: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    pub(super) files: Vec<File>,
}

/// An attachment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) octets: usize,
}

impl Parsed {
    /// Parses a raw message; what cannot be read stays empty.
    pub(super) fn of(raw: &[u8]) -> Self {
        let Some(message) = MessageParser::default().parse(raw) else { return Self::default() };
        Self {
            from: people(message.from()),
            to: people(message.to()),
            subject: message.subject().map(short).unwrap_or_default(),
            date: message.date().map(mail_parser::DateTime::to_rfc3339),
            message_id: message.message_id().map(short),
            headers: headers(&message),
            text: message.text_bodies().find_map(|part| match &part.body {
                PartType::Text(text) => Some(text.to_string()),
                _ => None,
            }),
            html: message.html_bodies().find_map(|part| match &part.body {
                PartType::Html(html) => Some(html.to_string()),
                _ => None,
            }),
            files: message.attachments().take(FILES_MAX).map(file).collect(),
        }
    }
}

fn headers(message: &Message<'_>) -> Vec<(String, String)> {
    let fields = message.headers_raw().take(FIELDS_MAX);
    fields.map(|(name, value)| (short(name), short(value.trim()))).collect()
}

fn file(part: &mail_parser::MessagePart<'_>) -> File {
    let content_type = part.content_type().map_or_else(
        || "application/octet-stream".to_owned(),
        |kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("*")),
    );
    File {
        name: part.attachment_name().map_or_else(|| "unnamed".to_owned(), short),
        content_type,
        octets: part.contents().len(),
    }
}

/// `Name <address>, …` for people.
fn people(list: Option<&Address<'_>>) -> String {
    let Some(list) = list else { return String::new() };
    let shown = list.iter().map(|person| match (person.name(), person.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (one, other) => one.or(other).unwrap_or_default().to_owned(),
    });
    short(&shown.collect::<Vec<_>>().join(", "))
}

fn short(text: &str) -> String {
    text.chars().take(VALUE_CHARACTERS_MAX).collect()
}
