//! A message as JSON.

use super::*;
use crate::tests::golden;
use model::Timestamp;
use model::message::MessageState;

fn item(at: Timestamp, event: &str, attempt: u32) -> TimelineItem {
    TimelineItem {
        at,
        event: event.to_owned(),
        event_id: "0f1e2d3c4b5a69788796a5b4c3d2e1f0".to_owned(),
        attempt,
        code: None,
        enhanced: None,
        rule: None,
        transcript: None,
        uncertain: Uncertain::No,
    }
}

fn view() -> MessageView {
    let at = Timestamp::from_micros(1_772_366_400_000_001);
    MessageView {
        purpose: model::PurposeId(1),
        tag: model::RecipientTag([0; 16]),
        id: MessageId(7),
        public_id: "msg_0000000000000001".to_owned(),
        stream: "transactional".to_owned(),
        to: Some("ada@dest.example".to_owned()),
        metadata: r#"{"metadata":{"order":"17"},"tags":["receipt"]}"#.to_owned(),
        envelope_id: None,
        require_tls: mail::require_tls::RequireTls::No,
        state: MessageState::Delivered,
        accepted_at: at,
        timeline: vec![
            item(at, "accepted", 0),
            TimelineItem { uncertain: Uncertain::Yes, ..item(at, "uncertain", 1) },
            TimelineItem {
                code: Some(250),
                enhanced: Some("2.0.0".to_owned()),
                transcript: Some("250 2.0.0 queued".to_owned()),
                ..item(at, "delivered", 2)
            },
        ],
    }
}

#[test]
fn a_message_has_its_timeline() {
    golden("message.json", &shown(view()));
}

#[test]
fn art17_an_erased_recipient_is_not_named() {
    let shown = serde_json::to_value(shown(MessageView { to: None, metadata: String::new(), ..view() })).unwrap();
    let fields = shown.as_object().unwrap();
    assert!(!fields.contains_key("to") && !fields.contains_key("metadata") && !fields.contains_key("tags"));
}
