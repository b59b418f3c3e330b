//! What comes back about mail that left: return paths, late reports, complaints.
//!
//! Invariants: a report changes something once, however often it comes; what it says is sealed under the person's
//! secret; each has its leaf in the ledger; a complaint stands until the person himself takes it back.
//! Never: anything found by an address (whoever wants to harm somebody knows it); a report about one controller's
//! message seen by another.

mod failing;
mod return_path;
#[cfg(test)]
mod tests;

pub use return_path::Sent;

use crate::engine::{Change, EntryRow, MessageRecord, Reach, Step, SuppressionRow, Writes};
use crate::error::{Error, Result};
use crate::facts::write_scope;
use crate::journal::MessageEvent;
use crate::open::Store;
use crate::spool::{BOUNCE_LIFE, Envelope, Suppress, seal_transcript};
use crate::statement as sql;
use crate::value::Value;
use crate::vault::{Secret, crypto};
use mail::address::Address;
use mail::reply::EnhancedCode;
use model::event::EventType;
use model::message::MessageState;
use model::person::{SuppressionReason, SuppressionScope};
use model::{ControllerId, MessageId, RecipientTag, StreamId, Timestamp};

/// What a report says of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// It will never arrive, or arrived and came back.
    Bounced,
    /// The other side is still trying.
    Delayed,
    /// It went on to a system that sends no reports, or to the members of a list.
    Relayed,
}

impl Word {
    /// In the timeline.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
        }
    }
}

/// A report, read and judged.
#[derive(Clone, Debug)]
pub struct Late {
    /// What it says.
    pub word: Word,
    /// SMTP code, where one is named.
    pub code: Option<u16>,
    /// Enhanced code.
    pub enhanced: Option<EnhancedCode>,
    /// What the other side said. Personal data: sealed.
    pub text: String,
    /// Does it speak of the recipient's mailbox? Looked at for [`Word::Bounced`] alone.
    pub suppress: Suppress,
}

/// What became of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noted {
    /// It is recorded.
    Done,
    /// It had been recorded before.
    Before,
    /// The message is not at its end yet: what is under way may be the cause. Ask again later.
    NotYet,
    /// The message is not kept any more.
    Gone,
}

/// Whom a complaint is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Complained {
    /// Whose mail.
    pub controller: ControllerId,
    /// The person.
    pub tag: RecipientTag,
    /// The message, if it is known.
    pub message: Option<MessageId>,
}

/// A message that something came back about.
struct About {
    record: MessageRecord,
    secret: Option<Secret>,
}

impl Store {
    async fn message_with_secret(&self, controller: ControllerId, message: MessageId) -> Result<Option<About>> {
        let Some(record) = self.engine.message(controller.0, message.0).await? else { return Ok(None) };
        let secret = self.vault.secrets(&[(controller.0, record.slot)]).await?.pop().flatten();
        Ok(Some(About { record, secret }))
    }

    /// To whom a message went, for a complaint about it. Nothing when it is not kept any more.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn complained_message(&self, sent: Sent) -> Result<Option<Complained>> {
        let Sent { controller, message } = sent;
        let record = self.engine.message(controller.0, message.0).await?;
        Ok(record.map(|record| Complained { controller, tag: RecipientTag(record.tag), message: Some(message) }))
    }

    /// Was a message for this address? Nothing when it is not kept, or its recipient was erased.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn is_recipient(
        &self,
        controller: ControllerId,
        message: MessageId,
        address: &Address,
    ) -> Result<Option<bool>> {
        let Some(About { record, secret }) = self.message_with_secret(controller, message).await? else {
            return Ok(None);
        };
        let Some(envelope) = secret.and_then(|secret| Envelope::open(&secret, record.id, &record.envelope).ok()) else {
            return Ok(None);
        };
        Ok(Address::parse(&envelope.to).ok().map(|to| to.normalised() == address.normalised()))
    }

    /// Records a report that came by mail: a line in the timeline, its leaf, and, when it says so, the suppression
    /// (scope delivery), in one commit. Each word counts once for a message.
    ///
    /// # Errors
    /// Those of the engine; doing it again is as good as doing it once.
    pub async fn reported(&self, controller: ControllerId, message: MessageId, late: &Late) -> Result<Noted> {
        let Some(about) = self.message_with_secret(controller, message).await? else { return Ok(Noted::Gone) };
        let is_over = MessageState::from_word(&about.record.state)
            .is_some_and(|state| !matches!(state, MessageState::Queued | MessageState::Held));
        if !is_over && late.word == Word::Bounced {
            return Ok(Noted::NotYet);
        }
        // Sent again later, it would suppress anew what was lifted meanwhile.
        let said = about.record.attempts.iter().filter(|line| line.attempt == 0);
        if said.into_iter().any(|line| line.event_word == late.word.as_str()) {
            return Ok(Noted::Before);
        }
        let (at, tag) = (self.now(), RecipientTag(about.record.tag));
        let kind = if late.word == Word::Bounced { EventType::MessageBounced } else { EventType::MessageReported };
        let code = late.code.map(u64::from).unwrap_or_default();
        let mut line = self.line(controller, message, &about, (kind, late.word.as_str()), late, code, at)?;
        if late.word == Word::Bounced {
            let values = vec![message.0.into(), controller.0.into()];
            line.0.steps.push(Step::new(&sql::MESSAGE_RETURNED, values));
        }
        let follows = late.word == Word::Bounced && late.suppress == Suppress::Yes;
        let suppression = follows.then(|| delivery_suppression(controller, tag, at));
        if !self.put_line(line, suppression, about.secret.as_ref()).await? {
            return Ok(Noted::Before);
        }
        if late.word == Word::Bounced && late.suppress == Suppress::IfRepeated {
            self.count_failures(vec![(controller, tag, at)]).await?;
        }
        Ok(Noted::Done)
    }

    /// Records a complaint: it stops every marketing stream of this controller to this person, and his other mail keeps
    /// a line of it. True when it was news.
    ///
    /// # Errors
    /// Those of the engine; doing it again is as good as doing it once.
    pub async fn complained(&self, about: Complained, kind: &str) -> Result<bool> {
        let Complained { controller, tag, message } = about;
        // First what he wants, then what is told of it.
        let stopped =
            self.suppress_person(controller, tag, SuppressionScope::Marketing, SuppressionReason::Complaint).await?;
        let Some(message) = message else { return Ok(stopped) };
        let Some(found) = self.message_with_secret(controller, message).await? else { return Ok(stopped) };
        let late =
            Late { word: Word::Relayed, code: None, enhanced: None, text: kind.to_owned(), suppress: Suppress::No };
        let event = (EventType::MessageComplained, "complained");
        let line = self.line(controller, message, &found, event, &late, 0, self.now())?;
        let noted = self.put_line(line, None, found.secret.as_ref()).await?;
        let is_marketing =
            self.stream(controller, StreamId(found.record.stream)).is_some_and(|stream| stream.kind.is_marketing());
        if noted && !is_marketing {
            // GDPR Art. 28(3)(e): such mail goes on, so the controller has to know.
            self.tell_controller(controller, "complaint", message.0, kind).await?;
        }
        Ok(stopped || noted)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one line of a timeline")]
    fn line(
        &self,
        controller: ControllerId,
        message: MessageId,
        about: &About,
        (kind, word): (EventType, &str),
        late: &Late,
        code: u64,
        at: Timestamp,
    ) -> Result<(Writes, EntryRow)> {
        let event: [u8; 16] = crypto::random()?;
        let secret = about.secret.as_ref();
        let bytes = self.message_entry(&MessageEvent {
            kind,
            controller,
            event,
            at,
            message,
            agreement: None,
            instruction: None,
            detail: &[("report", 1), ("code", code)],
            secret,
        })?;
        let transcript = secret.map(|secret| seal_transcript(secret, message.0, &late.text)).transpose()?;
        let values = vec![
            message.0.into(),
            controller.0.into(),
            at.into(),
            word.into(),
            late.code.map_or(Value::Null, |code| i64::from(code).into()),
            late.enhanced.map_or(Value::Null, |code| code.to_string().into()),
            event.into(),
            transcript.unwrap_or_default().into(),
        ];
        let writes = Writes {
            controller: controller.0,
            person: Some(about.record.tag),
            reach: Reach::Nothing,
            what: "report",
            event: Some(event),
            detail: [0; 32],
            steps: vec![Step::new(&sql::REPORT_INSERT, values)],
        };
        Ok((writes, EntryRow { controller: controller.0, bytes }))
    }

    async fn put_line(
        &self,
        (writes, entry): (Writes, EntryRow),
        suppression: Option<SuppressionRow>,
        secret: Option<&Secret>,
    ) -> Result<bool> {
        let mut changes = vec![(Change::Rows(writes), Some(entry))];
        if let Some(row) = suppression {
            let entry = EntryRow { controller: row.controller, bytes: self.suppression_entry(&row, secret)? };
            changes.push((Change::Suppress(row), Some(entry)));
        }
        match self.engine.change(changes).await {
            Ok(touched) => Ok(touched.first().is_some_and(|rows| *rows > 0)),
            // Another node records the same report at this moment.
            Err(Error::Exists { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Nothing goes to an address that does not work, until it is looked at anew.
fn delivery_suppression(controller: ControllerId, tag: RecipientTag, at: Timestamp) -> SuppressionRow {
    SuppressionRow {
        controller: controller.0,
        tag: tag.0,
        scope: write_scope(SuppressionScope::Delivery),
        reason: SuppressionReason::HardBounce.as_str().into(),
        since: at,
        until: Some(at.plus(BOUNCE_LIFE)),
        address: None,
    }
}
