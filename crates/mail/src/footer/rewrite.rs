//! The fields of a part whose charset or transfer encoding has changed.
//!
//! All other fields, and all other parameters of Content-Type, stay octet for octet.
//! Never: a checksum of the content as it was before.
//! Standards: RFC 2045 §3-§6, RFC 1864.

use std::ops::Range;

use super::slot::Place;
use super::transfer::Transfer;
use crate::header::{Field, HeaderBlock};

/// Fields that say something of the content's octets, which are others now.
const STALE: [&str; 2] = ["Content-MD5", "Content-Length"];

/// The charset parameter of Content-Type.
#[derive(Clone)]
pub(super) struct Label {
    /// In the raw value, from the semicolon before it.
    range: Option<Range<usize>>,
    utf8: bool,
}

impl Label {
    /// The parameter stays, or stays away.
    pub(super) fn kept(range: Option<Range<usize>>) -> Self {
        Self { range, utf8: false }
    }

    /// The parameter becomes UTF-8.
    pub(super) fn replaced(mut self) -> Self {
        self.utf8 = true;
        self
    }
}

/// What has changed.
pub(super) struct Rewritten<'r> {
    pub(super) label: &'r Label,
    /// `None` where it stays.
    pub(super) transfer: Option<Transfer>,
    pub(super) place: &'r Place,
}

/// The fields without the blank line; `None` where they stay as they are.
pub(super) fn fields(block: &HeaderBlock<'_>, rewritten: &Rewritten<'_>) -> Option<Vec<u8>> {
    let stale = STALE.iter().any(|name| block.first(name).is_some());
    if !stale && !rewritten.label.utf8 && rewritten.transfer.is_none() {
        return None;
    }
    let mut out = Vec::with_capacity(block.block().len() + 128);
    for field in block.fields().iter().filter(|field| !STALE.iter().any(|name| field.is(name))) {
        match rewritten.transfer {
            Some(transfer) if field.is("Content-Transfer-Encoding") => append_transfer(transfer, &mut out),
            _ if rewritten.label.utf8 && field.is("Content-Type") => append_type(field, rewritten.label, &mut out),
            _ => out.extend_from_slice(block.block().get(field.range()).unwrap_or_default()),
        }
    }
    if rewritten.label.utf8 && block.first("Content-Type").is_none() {
        // RFC 2045 §5.2: that is what the part was without the field.
        out.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n");
    }
    if let (Some(transfer), None) = (rewritten.transfer, block.first("Content-Transfer-Encoding")) {
        append_transfer(transfer, &mut out);
    }
    // RFC 2045 §4: the fields of a message are MIME fields only with this one.
    if matches!(rewritten.place, Place::Whole) && block.first("MIME-Version").is_none() {
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    Some(out)
}

fn append_transfer(transfer: Transfer, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("Content-Transfer-Encoding: {}\r\n", transfer.name()).as_bytes());
}

/// On a line of its own, so that no line grows.
const UTF8_PARAMETER: &[u8] = b";\r\n charset=utf-8";

fn append_type(field: &Field<'_>, label: &Label, out: &mut Vec<u8>) {
    let raw = field.raw_value();
    let (before, after) = match &label.range {
        Some(range) => (raw.get(..range.start).unwrap_or_default(), raw.get(range.end..).unwrap_or_default()),
        None => (raw.trim_ascii_end(), &b""[..]),
    };
    out.extend_from_slice(field.name());
    out.push(b':');
    out.extend_from_slice(before.strip_suffix(b";").unwrap_or(before));
    out.extend_from_slice(UTF8_PARAMETER);
    out.extend_from_slice(after);
    out.extend_from_slice(b"\r\n");
}
