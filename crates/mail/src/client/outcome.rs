//! How a transaction ended, for each recipient.
//!
//! Invariants: as many results as recipients, in their order.
//! Standards: RFC 5321 §4.2.5 (who is responsible after the final dot), §4.5.3.2.6, §6.1.

use super::Stage;
use super::transaction::Progress;
use super::transcript::Transcript;
use crate::reply::ReceivedReply;

/// The answer to one RCPT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientResult {
    /// The peer took the recipient; what became of the message says [`Outcome::data`].
    Accepted,
    /// The reply that refused this recipient, or MAIL before it.
    Refused(ReceivedReply),
}

/// The end of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// One for each recipient, in the order of the transaction.
    pub recipients: Vec<RecipientResult>,
    /// Where it was decided: `Mail` or `Recipient` when no content was sent; `Data`, `Body` or `FinalDot`, or the
    /// stage at which a 421 came, when `data` is there.
    pub decided_at: Stage,
    /// The reply that holds for every accepted recipient: to the content, or to DATA. None when nobody was
    /// accepted.
    pub data: Option<ReceivedReply>,
    /// Whether another transaction may follow on this connection.
    pub reusable: bool,
    /// What was said, without content.
    pub transcript: Transcript,
}

impl Outcome {
    /// The reply that decided about one recipient.
    #[must_use]
    pub fn final_reply(&self, recipient: usize) -> Option<&ReceivedReply> {
        match self.recipients.get(recipient)? {
            RecipientResult::Refused(reply) => Some(reply),
            RecipientResult::Accepted => self.data.as_ref(),
        }
    }

    /// Whether the peer has taken responsibility for the message to this recipient.
    #[must_use]
    pub fn is_delivered(&self, recipient: usize) -> bool {
        matches!(self.recipients.get(recipient), Some(RecipientResult::Accepted))
            && matches!(self.decided_at, Stage::FinalDot)
            && self.data.as_ref().is_some_and(ReceivedReply::is_positive)
    }
}

/// What a lost connection means for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The final dot was not written: nobody has received anything.
    BeforeFinalDot,
    /// RFC 5321 §4.5.3.2.6: the final dot was written and no reply came. The peer may have taken the message.
    OutcomeUnknown,
}

/// What is known after a connection was lost.
#[derive(Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// Where the dialogue stood.
    pub stage: Stage,
    /// What it means for recipients that were not refused.
    pub lost: Lost,
    /// Results so far, in the order of the transaction; `None` where no answer came. Empty without a transaction.
    pub recipients: Vec<Option<RecipientResult>>,
    /// What was said, without content.
    pub transcript: Transcript,
}

pub(super) fn interrupted(stage: Stage, current: Option<Progress>, transcript: Transcript) -> Interrupted {
    let unknown = stage == Stage::FinalDot && current.as_ref().is_some_and(Progress::is_for_somebody);
    Interrupted {
        stage,
        lost: if unknown { Lost::OutcomeUnknown } else { Lost::BeforeFinalDot },
        recipients: current.map(Progress::partial).unwrap_or_default(),
        transcript,
    }
}
