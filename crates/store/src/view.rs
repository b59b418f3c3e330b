//! A message as its controller sees it: state and timeline.

use crate::engine::{AttemptRecord, MessageRecord};
use crate::error::{Error, Result};
use crate::open::Store;
use crate::spool::{Envelope, Uncertain};
use crate::vault::Secret;
use mail::require_tls::RequireTls;
use model::ids::hex;
use model::message::MessageState;
use model::{ControllerId, MessageId, PurposeId, RecipientTag, StreamId, Timestamp};

/// A message and what happened to it.
#[derive(Clone, Debug)]
pub struct MessageView {
    /// Its id.
    pub id: MessageId,
    /// Its public id.
    pub public_id: String,
    /// Name of its stream.
    pub stream: String,
    /// Its purpose, or the list below it.
    pub purpose: PurposeId,
    /// The person.
    pub tag: RecipientTag,
    /// Recipient; `None` once the person is erased, or when it does not open.
    pub to: Option<String>,
    /// Metadata the client gave: a JSON object, or empty.
    pub metadata: String,
    /// The client's own name for the transaction (RFC 3461 §4.4), where he gave one over SMTP.
    pub envelope_id: Option<String>,
    /// RFC 8689: whether it leaves over TLS to hosts that are known, or not at all.
    pub require_tls: RequireTls,
    /// Where it stands.
    pub state: MessageState,
    /// Accepted.
    pub accepted_at: Timestamp,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineItem>,
}

/// One line of a timeline.
#[derive(Clone, Debug)]
pub struct TimelineItem {
    /// When.
    pub at: Timestamp,
    /// `accepted`, `delivered`, `deferred`, `uncertain`, `bounced`, `stopped`, `held`, `expired`; of what came back by
    /// mail `bounced`, `delayed`, `relayed`, `complained`, as attempt 0.
    pub event: String,
    /// The id of its ledger entry, 32 hexadecimal digits.
    pub event_id: String,
    /// Number of the attempt; 0 for what is none: the acceptance, a hold.
    pub attempt: u32,
    /// SMTP code.
    pub code: Option<u16>,
    /// Enhanced status code.
    pub enhanced: Option<String>,
    /// Rule that stopped or held it.
    pub rule: Option<String>,
    /// The dialogue with the receiving system, as far as it is still kept.
    pub transcript: Option<String>,
    /// May the receiving system have got it twice?
    pub uncertain: Uncertain,
}

impl Store {
    /// A message of this controller. Another controller's is not there, as far as the caller can tell.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn message(&self, controller: ControllerId, id: MessageId) -> Result<Option<MessageView>> {
        let Some(record) = self.engine.message(controller.0, id.0).await? else { return Ok(None) };
        let secret = self.vault.secrets(&[(controller.0, record.slot)]).await?.pop().flatten();
        Ok(Some(self.view(controller, record, secret.as_ref())?))
    }

    fn view(&self, controller: ControllerId, record: MessageRecord, secret: Option<&Secret>) -> Result<MessageView> {
        // What was damaged is not shown, and what is whole beside it is.
        let envelope = secret.and_then(|secret| shown(record.id, Envelope::open(secret, record.id, &record.envelope)));
        let stream = self.policy.current().stream(controller, StreamId(record.stream)).map(|known| known.name.clone());
        let mut timeline = Vec::with_capacity(record.attempts.len() + 1);
        timeline.push(TimelineItem {
            at: record.accepted,
            event: if record.rule.is_some() { "held".into() } else { "accepted".into() },
            event_id: hex(&record.event),
            attempt: 0,
            code: None,
            enhanced: None,
            rule: record.rule,
            transcript: None,
            uncertain: Uncertain::No,
        });
        for attempt in record.attempts {
            timeline.push(item(record.id, attempt, secret));
        }
        let id_of = |open: &Envelope| open.notice.as_ref()?.envelope_id().map(|id| id.text());
        let envelope_id = envelope.as_ref().and_then(id_of);
        let require_tls =
            envelope.as_ref().and_then(|open| Some(open.notice.as_ref()?.require_tls())).unwrap_or_default();
        let (to, metadata) = envelope.map_or((None, String::new()), |open| (Some(open.to), open.metadata));
        Ok(MessageView {
            id: MessageId(record.id),
            public_id: self.public_id(MessageId(record.id)),
            stream: stream.unwrap_or_default(),
            purpose: PurposeId(record.purpose),
            tag: RecipientTag(record.tag),
            to,
            metadata,
            envelope_id,
            require_tls,
            state: MessageState::from_word(&record.state).ok_or(Error::Row { column: "message.state" })?,
            accepted_at: record.accepted,
            timeline,
        })
    }
}

fn item(message: i64, attempt: AttemptRecord, secret: Option<&Secret>) -> TimelineItem {
    let transcript = secret
        .and_then(|secret| shown(message, crate::spool::open_transcript(secret, message, &attempt.transcript)))
        .filter(|text| !text.is_empty());
    TimelineItem {
        at: attempt.at,
        event: attempt.event_word,
        event_id: hex(&attempt.event),
        attempt: attempt.attempt,
        code: attempt.code,
        enhanced: attempt.enhanced,
        rule: attempt.rule,
        transcript,
        uncertain: if attempt.uncertain { Uncertain::Yes } else { Uncertain::No },
    }
}

fn shown<T>(message: i64, opened: Result<T>) -> Option<T> {
    opened.inspect_err(|error| tracing::warn!(message, %error, "a part of a message does not open")).ok()
}
