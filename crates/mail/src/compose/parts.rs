//! The MIME tree of a draft: mixed( alternative( text, related( html, pictures ) ), files ), without the levels that
//! would have a single part.

use std::borrow::Cow;

use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::{BodyPart, MimePart};

use super::{ATTACHMENT_LABEL_OCTETS_MAX, ATTACHMENTS_MAX, Attachment, ComposeError, Draft, limit, one_line};
use crate::message::canonical_crlf;

/// Builds the tree and writes it: fields of the top part, blank line, content.
pub(super) fn build(draft: &Draft<'_>, boundary: &str) -> Result<Vec<u8>, ComposeError> {
    limit("attachments", draft.attachments.len(), ATTACHMENTS_MAX)?;
    let mut pictures = Vec::new();
    let mut files = Vec::new();
    for attachment in &draft.attachments {
        // Without HTML nothing can refer to a picture: it is then a file like the others.
        let inline = attachment.content_id.is_some() && draft.html.is_some();
        if inline { &mut pictures } else { &mut files }.push(file_part(attachment, inline)?);
    }
    let text = draft.text.map(|text| text_part("text", "text/plain", text)).transpose()?;
    let html = draft.html.map(|html| text_part("html", "text/html", html)).transpose()?;
    let html = html.map(|html| {
        let mut related = vec![html];
        related.append(&mut pictures);
        // RFC 2387 §3.1: the type parameter names the root.
        multipart("multipart/related", boundary, 3, related, &[("type", "text/html")])
    });
    let readable = match (text, html) {
        // RFC 2046 §5.1.4: the plainest first.
        (Some(text), Some(html)) => Some(multipart("multipart/alternative", boundary, 2, vec![text, html], &[])),
        (text, html) => text.or(html),
    };
    let parts: Vec<_> = readable.into_iter().chain(files).collect();
    if parts.is_empty() {
        return Err(ComposeError::NoContent);
    }
    let lone_file = draft.text.is_none() && draft.html.is_none();
    let top = if lone_file {
        // A message that is nothing but a file would be shown as unreadable text.
        new_multipart("multipart/mixed", boundary, 1, parts, &[])
    } else {
        multipart("multipart/mixed", boundary, 1, parts, &[])
    };
    let mut out = Vec::with_capacity(octets_expected(draft));
    top.write_part(&mut out);
    Ok(out)
}

/// Base64 with its line ends takes 4/3 and a bit; so does, at worst, what text becomes.
fn octets_expected(draft: &Draft<'_>) -> usize {
    let texts: usize = [draft.text, draft.html].into_iter().flatten().map(str::len).sum();
    let files: usize = draft.attachments.iter().map(|attachment| attachment.content.len() + 512).sum();
    1024 + (texts + files) / 2 * 3
}

fn multipart<'x>(
    kind: &'static str,
    boundary: &str,
    level: u8,
    mut parts: Vec<MimePart<'x>>,
    attributes: &[(&'static str, &'static str)],
) -> MimePart<'x> {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            new_multipart(kind, boundary, level, parts, attributes)
        }
    }
}

fn new_multipart<'x>(
    kind: &'static str,
    boundary: &str,
    level: u8,
    parts: Vec<MimePart<'x>>,
    attributes: &[(&'static str, &'static str)],
) -> MimePart<'x> {
    let mut content_type = ContentType::new(kind);
    for (name, value) in attributes {
        content_type = content_type.attribute(*name, *value);
    }
    // Given, because the library would otherwise make one from the clock.
    let content_type = content_type.attribute("boundary", format!("{boundary}_{level}"));
    MimePart::new(content_type, BodyPart::Multipart(parts))
}

fn text_part<'x>(field: &'static str, kind: &'static str, text: &'x str) -> Result<MimePart<'x>, ComposeError> {
    if text.contains('\0') {
        return Err(ComposeError::Nul { field });
    }
    let text = match canonical_crlf(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        // Only CR and LF were touched, so it is UTF-8 as before.
        Cow::Owned(octets) => Cow::Owned(String::from_utf8(octets).map_err(|_| ComposeError::NotCanonical)?),
    };
    Ok(MimePart::new(ContentType::new(kind).attribute("charset", "utf-8"), BodyPart::Text(text)))
}

fn file_part<'x>(attachment: &Attachment<'x>, inline: bool) -> Result<MimePart<'x>, ComposeError> {
    for (field, label) in [("attachments.name", attachment.name), ("attachments.type", attachment.content_type)] {
        limit(field, label.len(), ATTACHMENT_LABEL_OCTETS_MAX)?;
        one_line(field, label)?;
    }
    // As `Raw`, not `ContentType`: the library would send a file of type text as 7bit, with any bare CR it holds.
    let mut part = MimePart::raw(attachment.content)
        .header("Content-Type", Raw::new(content_type(attachment.content_type)?))
        .header(
            "Content-Disposition",
            ContentType::new(if inline { "inline" } else { "attachment" }).attribute("filename", attachment.name),
        );
    if let Some(id) = attachment.content_id {
        let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>'));
        limit("attachments.content_id", id.len(), ATTACHMENT_LABEL_OCTETS_MAX)?;
        if !plain {
            return Err(ComposeError::ContentId);
        }
        part = part.cid(id);
    }
    Ok(part)
}

/// `type/subtype` and parameters of tokens, with what may not be sent in base64 taken as plain octets.
fn content_type(given: &str) -> Result<String, ComposeError> {
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&b))
    };
    let mut pieces = given.split(';').map(str::trim);
    let kind = pieces.next().unwrap_or_default().to_ascii_lowercase();
    let Some((top, sub)) = kind.split_once('/') else { return Err(ComposeError::ContentType) };
    if !is_token(top) || !is_token(sub) || top == "multipart" {
        return Err(ComposeError::ContentType);
    }
    // RFC 2046 §5.2.1: message/rfc822 and its kin may not be base64, and as they are they may break every rule here.
    let mut text = if top == "message" { "application/octet-stream".to_owned() } else { kind };
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        match piece.split_once('=') {
            Some((name, value)) if is_token(name) && is_token(value.trim_matches('"')) => {
                text.push_str("; ");
                text.push_str(piece);
            }
            _ => return Err(ComposeError::ContentType),
        }
    }
    Ok(text)
}
