//! Takes a report apart: a lenient walk of its parts, in order.
//!
//! Reports are written by machines of thirty years, and refusing one helps nobody: what does not follow its encoding is
//! taken as it stands, what is no field is skipped.
//! Invariants: at most [`DEPTH_MAX`] levels, [`PARTS_MAX`] parts, [`FIELDS_MAX`] fields a block, and never more octets
//! than came in; an enclosed message is one part and is not walked.
//! Never: a header block for the gate or the signer, which are read strictly (`crate::header`).
//! Standards: RFC 2045, 2046, 6522.

use std::borrow::Cow;

use crate::footer::charset::Charset;
use crate::footer::parameters::Structured;
use crate::footer::transfer::Transfer;

/// Multiparts within multiparts.
const DEPTH_MAX: usize = 8;
/// Parts of one message, empty ones included.
const PARTS_MAX: usize = 64;
/// Fields of one block; those behind are not seen.
const FIELDS_MAX: usize = 500;
/// Longest value of a field that is kept.
const VALUE_OCTETS_MAX: usize = 16 * 1024;

/// Fields, in order.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Fields up to a blank line, and where what follows it begins.
    pub(super) fn read(octets: &[u8]) -> (Self, usize) {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut at = 0;
        while let Some((line, next)) = line_at(octets, at) {
            at = next;
            if line.is_empty() {
                break;
            }
            let text = String::from_utf8_lossy(line);
            if line.first().is_some_and(|octet| matches!(octet, b' ' | b'\t')) {
                if let Some((_, value)) = fields.last_mut()
                    && value.len() + text.len() <= VALUE_OCTETS_MAX
                {
                    value.push(' ');
                    value.push_str(text.trim());
                }
            } else if let Some((name, value)) = text.split_once(':')
                && fields.len() < FIELDS_MAX
            {
                let value = super::cut(value.trim(), VALUE_OCTETS_MAX);
                fields.push((name.trim().to_ascii_lowercase(), value.to_owned()));
            }
        }
        (Self(fields), at)
    }

    /// The first field of that name, in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// All fields of that name, in lower case.
    pub(super) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Has none?
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The line at `at` without its end, and where the next begins.
fn line_at(octets: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = octets.get(at..).filter(|rest| !rest.is_empty())?;
    let (line, next) = match memchr::memchr(b'\n', rest) {
        Some(end) => (rest.get(..end)?, at + end + 1),
        None => (rest, octets.len()),
    };
    Some((line.strip_suffix(b"\r").unwrap_or(line), next))
}

/// A part that holds no others.
pub(super) struct Part<'m> {
    /// `type/subtype` in lower case.
    pub(super) media: String,
    content: Cow<'m, [u8]>,
    charset: Option<Vec<u8>>,
}

impl Part<'_> {
    /// Its content without transfer encoding.
    pub(super) fn octets(&self) -> &[u8] {
        &self.content
    }

    /// Its content as text; what is not in its charset is replaced.
    pub(super) fn text(&self) -> Cow<'_, str> {
        let charset = self.charset.as_deref().and_then(Charset::named).unwrap_or(Charset::Utf8);
        charset.to_utf8(&self.content).unwrap_or_else(|| String::from_utf8_lossy(&self.content))
    }
}

/// A message, taken apart.
pub(super) struct Mail<'m> {
    /// Its own fields.
    pub(super) fields: Fields,
    /// RFC 6522 §3: the `report-type` of the outermost multipart/report, in lower case.
    pub(super) report_type: Option<String>,
    /// Parts in order.
    pub(super) parts: Vec<Part<'m>>,
}

impl<'m> Mail<'m> {
    pub(super) fn read(message: &'m [u8]) -> Self {
        let (fields, body_at) = Fields::read(message);
        let mut mail = Self { fields: Fields::default(), report_type: None, parts: Vec::new() };
        mail.walk(&fields, message.get(body_at..).unwrap_or_default(), 0);
        mail.fields = fields;
        mail
    }

    /// The first part of one of these types.
    pub(super) fn part(&self, media: &[&str]) -> Option<&Part<'m>> {
        self.parts.iter().find(|part| media.contains(&part.media.as_str()))
    }

    fn walk(&mut self, fields: &Fields, body: &'m [u8], depth: usize) {
        if self.parts.len() >= PARTS_MAX {
            return;
        }
        let kind = fields.get("content-type").and_then(|value| Structured::parse(value.as_bytes()));
        let media = kind.as_ref().map_or("text/plain", |kind| kind.lead.as_str());
        if media.starts_with("multipart/") && depth < DEPTH_MAX {
            if media == "multipart/report" && self.report_type.is_none() {
                self.report_type = parameter(kind.as_ref(), "report-type")
                    .map(|value| String::from_utf8_lossy(&value).to_ascii_lowercase());
            }
            if let Some(boundary) = parameter(kind.as_ref(), "boundary").filter(|boundary| !boundary.is_empty()) {
                for section in sections(body, &boundary) {
                    let (fields, at) = Fields::read(section);
                    self.walk(&fields, section.get(at..).unwrap_or_default(), depth + 1);
                }
                return;
            }
        }
        let named = fields.get("content-transfer-encoding").map(str::to_ascii_lowercase).unwrap_or_default();
        let transfer = Transfer::named(named.trim()).unwrap_or(Transfer::EightBit);
        let content = transfer.decode(body).unwrap_or(Cow::Borrowed(body));
        let charset = parameter(kind.as_ref(), "charset");
        self.parts.push(Part { media: media.to_owned(), content, charset });
    }
}

fn parameter(kind: Option<&Structured>, name: &str) -> Option<Vec<u8>> {
    kind?.parameter(name).ok().flatten().map(|found| found.value.clone())
}

/// What lies between the delimiter lines of a boundary (RFC 2046 §5.1.1); a last delimiter that is missing is the end.
fn sections<'m>(body: &'m [u8], boundary: &[u8]) -> Vec<&'m [u8]> {
    let mut found = Vec::new();
    let mut begun: Option<usize> = None;
    let mut at = 0;
    while let Some((line, next)) = line_at(body, at) {
        let delimiter = line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(boundary));
        match delimiter.map(<[u8]>::trim_ascii_end) {
            Some(b"") => {
                found.extend(begun.and_then(|start| body.get(start..at)));
                begun = Some(next);
            }
            Some(b"--") => {
                found.extend(begun.take().and_then(|start| body.get(start..at)));
                break;
            }
            _ => {}
        }
        if found.len() >= PARTS_MAX {
            return found;
        }
        at = next;
    }
    found.extend(begun.and_then(|start| body.get(start..)));
    found
}
