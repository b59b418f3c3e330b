//! What a receiver's reply means: delivered, later, or never; and whether the address itself is to blame.
//!
//! Three questions are kept apart (protocols-and-scale A9 B1): is it permanent, whom does it concern, what follows.
//! Invariants: only a reply to RCPT that speaks of the recipient suppresses; nothing about policy, reputation, content,
//! configuration or a full mailbox ever burns a recipient.
//! Standards: RFC 5321 §4.2, RFC 3463, RFC 7505.

use mail::reply::EnhancedCode;
use model::Timestamp;
use model::stream::RetryPlan;
use std::time::Duration;

use crate::delivery::spread::jittered;

/// Where in the transaction a reply came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// To MAIL: it concerns the sender.
    Mail,
    /// To RCPT: it may concern the recipient.
    Recipient,
    /// To DATA or to the final dot: it concerns the content.
    Content,
}

/// The part of a reply that is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) stage: Stage,
    pub(crate) code: u16,
    pub(crate) enhanced: Option<EnhancedCode>,
    /// May hold personal data: looked at, never kept or logged here.
    pub(crate) text: &'a str,
}

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
    /// Anything else.
    Other,
}

/// What follows for the site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Press {
    /// Nothing.
    Same,
    /// Fewer connections.
    Less,
    /// Leave it alone for a while: it closed the channel (RFC 5321 §3.8).
    Away,
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
    // RFC 5321 §3.8: 421 says that the channel closes.
    if answer.code == 421 {
        return Press::Away;
    }
    let policy = answer.enhanced.is_some_and(|code| code.class == 4 && code.subject == 7);
    if policy && !is_greylisting(answer) { Press::Less } else { Press::Same }
}

fn is_greylisting(answer: &Answer<'_>) -> bool {
    if !matches!(answer.code, 450 | 451) {
        return false;
    }
    let by_code = answer.enhanced.is_some_and(|code| matches!((code.subject, code.detail), (7, 1) | (2, 0)));
    by_code || contains_any(&answer.text.to_ascii_lowercase(), &["greylist", "graylist", "grey-list", "gray-list"])
}

/// A9 B2: the list of what suppresses; everything else does not.
fn blame(answer: &Answer<'_>) -> Blame {
    if answer.stage != Stage::Recipient {
        return Blame::Other;
    }
    // RFC 3463 §3.2, §3.3; RFC 7505 §4.2 (5.1.10). 5.1.2 is not here: what a relay says about a domain is not
    // confirmed by DNS; `route` asks DNS itself.
    if let Some(code) = answer.enhanced {
        let of_recipient = matches!((code.subject, code.detail), (1, 1 | 3 | 6 | 10) | (2, 1));
        return if code.class == 5 && of_recipient { Blame::Recipient } else { Blame::Other };
    }
    if !matches!(answer.code, 550 | 551 | 553) {
        return Blame::Other;
    }
    let text = answer.text.to_ascii_lowercase();
    if contains_any(&text, &NOT_THE_RECIPIENT) || !contains_any(&text, &NO_SUCH_RECIPIENT) {
        return Blame::Other;
    }
    Blame::Recipient
}

/// Wordings of receivers that send no enhanced code.
const NO_SUCH_RECIPIENT: [&str; 22] = [
    "user unknown",
    "unknown user",
    "no such user",
    "no such recipient",
    "no such mailbox",
    "no such address",
    "no such person",
    "no mailbox here",
    "recipient unknown",
    "unknown recipient",
    "recipient not found",
    "mailbox not found",
    "user not found",
    "address unknown",
    "unknown address",
    "invalid recipient",
    "invalid mailbox",
    "not a valid mailbox",
    "does not exist",
    "doesn't exist",
    "not our customer",
    "account has been disabled",
];

/// Wordings that show that it is about someone or something else, whatever else is said.
const NOT_THE_RECIPIENT: [&str; 14] = [
    "sender",
    "from address",
    "helo",
    "ehlo",
    "spam",
    "blocked",
    "blacklist",
    "blocklist",
    "denied",
    "policy",
    "reputation",
    "spf",
    "dkim",
    "dmarc",
];

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
