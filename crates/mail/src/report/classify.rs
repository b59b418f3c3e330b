//! What a refusal means: whom it concerns, whether it lasts, what follows. One table for SMTP replies and for reports.
//!
//! Three questions are kept apart, since one bit for all of them empties lists: a domain whose SPF record is broken is
//! refused for good, and no recipient is to blame. Rows are tried in order, the first that fits counts; the last fits
//! everything. Only a row of the recipient's own mailbox suppresses, and only where the whole is about him: in the
//! reply to RCPT, or in a report.
//! Invariants: pure; every refusal has exactly one row; nothing about policy, reputation, content or infrastructure
//! ever suppresses.
//! Standards: RFC 3463, 5248, 7505, 5321 §4.2; protocols-and-scale A8, A9 B1-B4.

mod table;

pub use table::{ANY, RULES, Rule, VERSION, table_markdown};

use crate::reply::EnhancedCode;

/// Where a refusal came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// To MAIL: it concerns the sender.
    Mail,
    /// To RCPT: it may concern the recipient.
    Recipient,
    /// To DATA or to the final dot: it concerns the content.
    Content,
    /// In a report: nobody knows when it was said.
    Report,
}

/// A refusal.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Where.
    pub stage: Stage,
    /// SMTP code; 0 where a report names none.
    pub code: u16,
    /// RFC 3463.
    pub enhanced: Option<EnhancedCode>,
    /// May hold personal data: looked at, never kept or logged here.
    pub text: &'a str,
}

/// Does it last?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permanence {
    /// 5xx, 5.x.x.
    Permanent,
    /// 4xx, 4.x.x.
    Transient,
}

/// Whom or what it concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// The address: there is nobody.
    Recipient,
    /// The state of a mailbox that is there.
    Mailbox,
    /// This message.
    Content,
    /// Rules of the receiver, and how the sender's domain is set up.
    Policy,
    /// What the receiver thinks of the sender.
    Reputation,
    /// Systems and networks.
    Infrastructure,
}

impl Subject {
    /// The word in the page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Mailbox => "mailbox",
            Self::Content => "content",
            Self::Policy => "policy",
            Self::Reputation => "reputation",
            Self::Infrastructure => "infrastructure",
        }
    }
}

/// What follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Nothing more goes to the address until it is looked at anew (scope delivery).
    Suppress,
    /// That, when it happened often enough over a long time; until then the sender is told.
    SuppressRepeated,
    /// It is tried again.
    Retry,
    /// The sender sees it in the timeline, and that is all.
    TellSender,
}

impl Action {
    /// The word in the page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suppress => "suppress",
            Self::SuppressRepeated => "suppress when repeated",
            Self::Retry => "try again",
            Self::TellSender => "tell the sender",
        }
    }
}

/// What a refusal means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Class {
    /// Id of the row that says so.
    pub rule: &'static str,
    /// Does it last?
    pub permanence: Permanence,
    /// Whom it concerns.
    pub subject: Subject,
    /// What follows.
    pub action: Action,
}

/// Looks a refusal up.
#[must_use]
pub fn classify(answer: &Answer<'_>) -> Class {
    let text = answer.text.to_ascii_lowercase();
    let rule = RULES.iter().find(|rule| rule.fits(answer, &text)).unwrap_or(&table::UNKNOWN);
    let permanence = permanence(answer);
    Class { rule: rule.id, permanence, subject: rule.subject, action: action(rule, answer.stage, permanence) }
}

fn permanence(answer: &Answer<'_>) -> Permanence {
    // A report may name a code of a first try and the enhanced code of the last: the latter is the reporter's word.
    let by_code = (400..500).contains(&answer.code);
    let lasts = match (answer.stage, answer.enhanced) {
        (Stage::Report, Some(enhanced)) => enhanced.class != 4,
        _ => !by_code,
    };
    if lasts { Permanence::Permanent } else { Permanence::Transient }
}

fn action(rule: &Rule, stage: Stage, permanence: Permanence) -> Action {
    let about_him = matches!(stage, Stage::Recipient | Stage::Report);
    match (permanence, rule.action) {
        // A system that reports has given up.
        (Permanence::Transient, _) if stage != Stage::Report => Action::Retry,
        (_, Action::SuppressRepeated) if about_him => Action::SuppressRepeated,
        (Permanence::Permanent, Action::Suppress) if about_him => Action::Suppress,
        _ => Action::TellSender,
    }
}
