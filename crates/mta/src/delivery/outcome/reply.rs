//! What a receiver's reply means: delivered, later, or never; and whether the address itself is to blame.
//!
//! Whom a refusal concerns is looked up in `mail::report::classify`, the same table that reports are judged by; whether
//! it asks us to go slower, in `shaping::throttling`.
//! Invariants: only a reply to RCPT that speaks of the recipient suppresses; nothing about policy, reputation, content
//! or configuration ever burns a recipient, and a full mailbox only when it stays full.
//! Standards: RFC 5321 §4.2, RFC 3463, RFC 7505.

pub(crate) use mail::report::classify::{Answer, Stage};

use mail::report::classify::{Action, classify};
use model::Timestamp;
use model::stream::RetryPlan;
use std::time::Duration;

use crate::delivery::shaping::throttling::{BY_POLICY, Follows, row_of};
use crate::delivery::spread::jittered;

/// What follows for the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Judgement {
    /// The receiver has it.
    Delivered,
    /// Again, by the plan of the stream.
    Later,
    /// Again in five minutes: that is what greylisting waits for.
    Greylisted,
    /// Never.
    Never {
        /// Is it the address that does not work?
        recipient: Blame,
    },
}

/// Is a recipient to be suppressed (scope delivery)?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Blame {
    /// The mailbox does not exist or was given up.
    Recipient,
    /// It is full: yes, once that has happened often enough.
    Repeated,
    /// Anything else.
    Other,
}

/// What follows for the site, and why, in words without personal data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Press {
    /// Nothing.
    Same,
    /// Fewer connections, and a smaller rate.
    Less(&'static str),
    /// That, and leave it alone for a while (RFC 5321 §3.8).
    Away(&'static str),
}

/// What the reply means for the message.
pub(crate) fn judge(answer: &Answer<'_>) -> Judgement {
    match answer.code {
        200..300 => Judgement::Delivered,
        500..600 => Judgement::Never { recipient: blame(answer) },
        _ if is_greylisting(answer) => Judgement::Greylisted,
        _ => Judgement::Later,
    }
}

/// What the reply means for the site.
pub(crate) fn press(answer: &Answer<'_>) -> Press {
    let of_mailbox = answer.enhanced.is_some_and(|code| code.subject == 2);
    if answer.code != 421 && (of_mailbox || is_greylisting(answer)) {
        return Press::Same;
    }
    match row_of(answer) {
        Some(row) if row.follows == Follows::Away => Press::Away(row.says),
        Some(row) => Press::Less(row.says),
        None if answer.enhanced.is_some_and(|code| code.class == 4 && code.subject == 7) => Press::Less(BY_POLICY),
        None => Press::Same,
    }
}

fn is_greylisting(answer: &Answer<'_>) -> bool {
    if !matches!(answer.code, 450 | 451) {
        return false;
    }
    let by_code = answer.enhanced.is_some_and(|code| matches!((code.subject, code.detail), (7, 1) | (2, 0)));
    by_code || contains_any(&answer.text.to_ascii_lowercase(), &["greylist", "graylist", "grey-list", "gray-list"])
}

/// The row of the table that everything is judged by, replies and reports alike.
fn blame(answer: &Answer<'_>) -> Blame {
    match classify(answer).action {
        Action::Suppress => Blame::Recipient,
        Action::SuppressRepeated => Blame::Repeated,
        Action::Retry | Action::TellSender => Blame::Other,
    }
}

fn contains_any(text: &str, needles: &[&str]) -> bool {
    needles.iter().any(|needle| text.contains(needle))
}

/// Attempts after a failure differ by so much (A10 R2).
const RETRY_JITTER_PERCENT: u32 = 20;
/// Greylisting servers let the second attempt in after five minutes (A10 R2: 5 to 6).
const GREYLIST_MEAN: Duration = Duration::from_secs(330);
const GREYLIST_JITTER_PERCENT: u32 = 9;

/// When a deferred message is tried again. Never later than it expires, so that it is given up in time.
pub(crate) fn retry_due(
    now: Timestamp,
    plan: RetryPlan,
    attempts: u32,
    judgement: Judgement,
    seed: u64,
    expires_at: Timestamp,
) -> Timestamp {
    let wait = if judgement == Judgement::Greylisted {
        jittered(GREYLIST_MEAN, GREYLIST_JITTER_PERCENT, seed)
    } else {
        // RFC 5321 §4.5.4.1: a delay between attempts, longer and longer.
        jittered(plan.delay_after(attempts), RETRY_JITTER_PERCENT, seed)
    };
    now.plus(wait).min(expires_at.max(now))
}
