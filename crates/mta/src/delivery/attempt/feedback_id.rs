//! By what a mailbox provider counts complaints about marketing: `Feedback-ID`, campaign, controller, stream, platform.
//!
//! Invariants: put in before it is signed, by the domain in From, since it counts by that alone; one field, of four
//! parts at most, with no personal data (GDPR Art. 5(1)(c)): ids of ours, the same for every copy. A field of the
//! sender's own, who signs with his own domain and reads the figures, stays; one that would count for nothing, or that
//! holds an address, gives way to ours.
//! Standards: protocols-and-scale A7 L5; what Gmail asks for: support.google.com/mail/answer/6254652.

use bytes::Bytes;
use mail::header::{BLOCK_OCTETS_MAX, FIELDS_MAX, HeaderBlock, Limits};
use mail::message::append_field;
use model::{ListId, PurposeId};
use store::{Content, QueueRow, Store};

const FIELD: &str = "Feedback-ID";
/// The last part: of 5 to 15 letters, and the same for all mail of a domain.
const PLATFORM: &str = "postern";
const PARTS_MAX: usize = 4;
const LAST_LETTERS: std::ops::RangeInclusive<usize> = 5..=15;
/// Letters of a field of the sender's own.
const LETTERS_MAX: usize = 256;
/// Room that the field needs in a block.
const ROOM_OCTETS: usize = 256;

/// The content with its field, where its header block has room for one.
pub(super) fn with(store: &Store, row: &QueueRow, content: Content) -> Content {
    let QueueRow { controller, stream, purpose, .. } = *row;
    // A purpose and a list below it have numbers of one kind; who reads the figures looks for the list.
    let list = store.lists(controller).into_iter().any(|list| list.id.0 == purpose.0);
    let campaign = if list { store.public_id(ListId(purpose.0)) } else { store.public_id(PurposeId(purpose.0)) };
    let value = format!("{campaign}:{}:{}:{PLATFORM}", store.public_id(controller), store.public_id(stream));
    match identified(&content.head, &value) {
        Some(head) => Content { head, ..content },
        None => content,
    }
}

/// The header block with the field at its end; nothing where the sender's own stays, or there is no room.
fn identified(head: &Bytes, value: &str) -> Option<Bytes> {
    let block = HeaderBlock::scan(head, Limits::INTERNATIONAL).ok()?;
    let mut own = block.named(FIELD);
    if let (Some(only), None) = (own.next(), own.next())
        && counts(&only.unfolded())
    {
        return None;
    }
    let others = || block.fields().iter().filter(|field| !field.is(FIELD));
    if block.block().len() + ROOM_OCTETS > BLOCK_OCTETS_MAX || others().count() >= FIELDS_MAX {
        return None;
    }
    let mut out = Vec::with_capacity(head.len() + ROOM_OCTETS);
    for field in others() {
        out.extend_from_slice(block.block().get(field.range())?);
    }
    append_field(FIELD, value, &mut out).ok()?;
    out.extend_from_slice(b"\r\n");
    Some(Bytes::from(out))
}

/// Would a provider count by it, and does it name nobody?
fn counts(value: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else { return false };
    let value = value.trim();
    let plain = |letter: char| letter.is_ascii_graphic() && letter != '@';
    let parts: Vec<&str> = value.split(':').map(str::trim).collect();
    let last = parts.last().map_or(0, |last| last.len());
    value.len() <= LETTERS_MAX
        && parts.len() <= PARTS_MAX
        && LAST_LETTERS.contains(&last)
        && parts.iter().all(|part| part.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(head: &str) -> Option<String> {
        let head = identified(&Bytes::from(head.to_owned()), "pur_a:ctl_b:str_c:postern")?;
        Some(String::from_utf8(head.to_vec()).unwrap())
    }

    const OURS: &str = "Feedback-ID: pur_a:ctl_b:str_c:postern\r\n";

    #[test]
    fn one_field_stands_at_the_end_and_a_good_one_of_the_senders_own_stays() {
        assert_eq!(put("From: a@b.example\r\n\r\n").unwrap(), format!("From: a@b.example\r\n{OURS}\r\n"));
        for own in ["spring:news:shopexample", "::a:sender", "c1 : sender1"] {
            assert_eq!(put(&format!("Feedback-ID: {own}\r\nFrom: a@b.example\r\n\r\n")), None, "{own}");
        }
    }

    #[test]
    fn gdpr_5_1_c_a_field_that_names_somebody_or_counts_for_nothing_gives_way() {
        for own in ["ada@dest.example:c:s:sender", "a:b:c:d:sender", "a:b:c:", "a:b:c:abc", "a:b:c:longer-than-fifteen"]
        {
            let with = put(&format!("Feedback-ID: {own}\r\nFrom: a@b.example\r\n\r\n")).unwrap();
            assert_eq!(with, format!("From: a@b.example\r\n{OURS}\r\n"), "{own}");
        }
        let twice = "Feedback-ID: a:sender\r\nFrom: a@b.example\r\nfeedback-id: b:sender\r\n\r\n";
        assert_eq!(put(twice).unwrap(), format!("From: a@b.example\r\n{OURS}\r\n"));
    }
}
