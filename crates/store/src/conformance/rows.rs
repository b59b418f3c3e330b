//! Rows for the story: made-up bytes in the place of sealed ones.

use crate::engine::*;
use bytes::Bytes;
use model::Timestamp;
use std::sync::Arc;

/// The story's controller.
pub(crate) const SHOP: i64 = 7;
/// Another one, who must never see the first one's rows.
pub(crate) const OTHER: i64 = 8;
/// The story's day.
pub(crate) const DAY: i64 = 20_000;
/// What the shop may send on a day.
pub(crate) const QUOTA: u64 = 6;

/// Seconds after the story's beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(DAY * 86_400 + seconds)
}

/// The keyed tag of person number `n`.
pub(crate) fn tag(n: u8) -> [u8; 16] {
    [n; 16]
}

/// Where person number `n` has his secret.
pub(crate) fn slot(n: u8) -> SlotRef {
    SlotRef { block: 1, slot: n }
}

/// A message to person `n`, with a new slot, that shares body `body`.
pub(crate) fn message(id: i64, n: u8, body: i64) -> MessageRow {
    MessageRow {
        purpose: 3,
        id,
        controller: SHOP,
        stream: 3,
        kind: "transactional",
        class: 0,
        credential: 4,
        agreement: 1,
        instruction: 2,
        domain: 5,
        tag: tag(n),
        slot: slot(n),
        slot_is_new: true,
        accepted: at(0),
        due: at(0),
        expires: at(1_000),
        state: "queued",
        rule: None,
        grounds: "purpose 1".to_owned(),
        event: [n; 16],
        envelope: vec![1, n],
        head: vec![2, n],
        body,
        site: Arc::from("dest.example"),
        part: 0,
    }
}

/// An acceptance of messages that share a body.
pub(crate) fn acceptance(messages: Vec<MessageRow>) -> AcceptRows {
    let first = messages.first().map_or(0, |message| message.id);
    let key = if messages.len() == 1 { BodyKey::Subject(messages[0].slot) } else { BodyKey::Epoch(11) };
    AcceptRows {
        controller: SHOP,
        body: BodyRow {
            id: first,
            refs: u32::try_from(messages.len()).unwrap(),
            key,
            wrapped: vec![9; 40],
            sealed: Bytes::from(format!("sealed body {first}")),
            place: BodyPlace::Row,
        },
        entries: messages
            .iter()
            .map(|message| EntryRow { controller: SHOP, bytes: format!("accepted {}", message.id).into_bytes() })
            .collect(),
        messages,
        day: DAY,
        account: SHOP,
        quota_max: QUOTA,
        idempotency: None,
        mailed: Vec::new(),
        at: at(0),
    }
}

/// An outcome that leaves the message in the queue.
pub(crate) fn deferred(id: i64, body: i64, attempt: u32) -> SettleRow {
    SettleRow {
        id,
        controller: SHOP,
        body,
        attempt,
        started: Some(at(10)),
        at: at(11),
        event_word: "deferred",
        final_state: None,
        held_until: None,
        due: at(100),
        code: Some(451),
        enhanced: Some("4.3.0".to_owned()),
        rule: None,
        event: [u8::try_from(attempt).unwrap(); 16],
        uncertain: false,
        transcript: vec![5; 30],
        entry: format!("deferred {id}").into_bytes(),
        suppress: None,
    }
}

/// An outcome that ends the message.
pub(crate) fn ended(id: i64, body: i64, attempt: u32, state: &'static str) -> SettleRow {
    SettleRow { event_word: state, final_state: Some(state), code: Some(250), ..deferred(id, body, attempt) }
}

/// Asks about person `n` of the shop and stream 3.
pub(crate) fn question(controller: i64, n: u8) -> PersonQuery {
    PersonQuery { controller, purpose: 3, tag: tag(n) }
}
