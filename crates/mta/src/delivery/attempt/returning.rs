//! How a message finds its way back: its return path, and the fields by which a mailbox provider complains about it.
//!
//! Invariants: put in before it is signed, so that both signatures cover it (RFC 9477 §3.1); what the sender wrote of
//! that kind himself stays, and then nothing is added; no address of a person is in either.
//! Standards: RFC 5321 §4.4, RFC 9477 §3.1, §5.

use bytes::Bytes;
use mail::address::Domain;
use mail::header::{BLOCK_OCTETS_MAX, FIELDS_MAX, HeaderBlock, Limits};
use mail::message::append_field;
use store::feedback::Sent;
use store::permission::{Link, LinkTarget};
use store::{Content, QueueRow, Store};

/// Who takes complaints, at the name to which failures return.
const COMPLAINTS: &str = "complaints";
const FIELDS: [&str; 2] = ["CFBL-Address", "CFBL-Feedback-ID"];
/// Room that the fields need in a block.
const ROOM_OCTETS: usize = 1_024;

/// The content with its fields, and the return path.
pub(super) fn to(store: &Store, row: &QueueRow, content: Content, name: &Domain) -> store::Result<(Content, String)> {
    let QueueRow { controller, tag, id, purpose, .. } = *row;
    let local = store.return_path(Sent { controller, message: id })?;
    let link = Link { controller, tag, target: LinkTarget::Complain { purpose }, message: Some(id) };
    let token = store.link_token(&link)?;
    let head = complainable(&content.head, name, &token).unwrap_or_else(|| content.head.clone());
    Ok((Content { head, ..content }, format!("{local}@{name}")))
}

/// The header block with the fields at its end, where it has room for them and none of them.
fn complainable(head: &Bytes, name: &Domain, token: &str) -> Option<Bytes> {
    let block = HeaderBlock::scan(head, Limits::INTERNATIONAL).ok()?;
    let room =
        block.block().len() + ROOM_OCTETS <= BLOCK_OCTETS_MAX && block.fields().len() + FIELDS.len() <= FIELDS_MAX;
    if !room || FIELDS.iter().any(|field| block.first(field).is_some()) {
        return None;
    }
    let mut out = Vec::with_capacity(head.len() + ROOM_OCTETS);
    out.extend_from_slice(block.block());
    let [address, feedback] = FIELDS;
    append_field(address, &format!("{COMPLAINTS}@{name}; report=arf"), &mut out).ok()?;
    append_field(feedback, token, &mut out).ok()?;
    out.extend_from_slice(b"\r\n");
    Some(Bytes::from(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9477_the_fields_stand_once_and_the_senders_own_stay() {
        let name = Domain::parse("bounce.sample.example").unwrap();
        let plain = Bytes::from_static(b"From: a@sample.example\r\nSubject: x\r\n\r\n");
        let with = complainable(&plain, &name, "TOKEN").unwrap();
        let text = std::str::from_utf8(&with).unwrap();
        assert_eq!(
            text,
            "From: a@sample.example\r\nSubject: x\r\nCFBL-Address: complaints@bounce.sample.example; report=arf\r\n\
             CFBL-Feedback-ID: TOKEN\r\n\r\n"
        );
        assert_eq!(complainable(&with, &name, "TOKEN"), None);
    }
}
