//! Complaints in the Abuse Reporting Format, with everything in them that may be a token of ours.
//!
//! Mailbox providers take addresses out of reports, and anybody can write one in: a complaint names its message by
//! what its sender could not know without having it (RFC 6449 §5.2, RFC 9477 §3.2).
//! Invariants: at most [`CLUES_MAX`] clues, none longer than a line; an address of a person is never one.
//! Standards: RFC 5965 §3, RFC 6591 (authentication failures: no complaint), RFC 6650, RFC 9477 §3.

use super::cut;
use super::mime::{Fields, Mail};

/// Clues of one report.
const CLUES_MAX: usize = 16;
/// Longest clue.
const CLUE_OCTETS_MAX: usize = 2_000;

/// RFC 5965 §7.3 and its registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedbackType {
    /// Unwanted mail.
    Abuse,
    /// The recipient wants to be taken off (RFC 5965: `opt-out`, in wide use).
    OptOut,
    /// Fraud or phishing.
    Fraud,
    /// A virus.
    Virus,
    /// Wrongly taken for spam.
    NotSpam,
    /// RFC 6591: SPF, DKIM or DMARC failed. Says nothing of a person's wish.
    AuthFailure,
    /// Anything else.
    Other,
}

impl FeedbackType {
    /// Does somebody complain?
    #[must_use]
    pub const fn is_complaint(self) -> bool {
        matches!(self, Self::Abuse | Self::OptOut | Self::Fraud | Self::Virus)
    }

    /// The word in the ledger and in notices.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Abuse => "abuse",
            Self::OptOut => "opt-out",
            Self::Fraud => "fraud",
            Self::Virus => "virus",
            Self::NotSpam => "not-spam",
            Self::AuthFailure => "auth-failure",
            Self::Other => "other",
        }
    }

    fn named(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().as_str() {
            "abuse" => Self::Abuse,
            "opt-out" | "opt-out-list" => Self::OptOut,
            "fraud" => Self::Fraud,
            "virus" => Self::Virus,
            "not-spam" => Self::NotSpam,
            "auth-failure" => Self::AuthFailure,
            _ => Self::Other,
        }
    }
}

/// A report about a message that somebody has.
#[derive(Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What it says of the message.
    pub kind: FeedbackType,
    /// Values that may name the message: return path, CFBL-Feedback-ID, List-Unsubscribe. May hold addresses of ours;
    /// personal data only where somebody forged them.
    pub clues: Vec<String>,
}

impl std::fmt::Debug for Complaint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Complaint").field("kind", &self.kind).field("clues", &self.clues.len()).finish()
    }
}

/// Fields of the returned message in which our tokens stand.
const OF_THE_MESSAGE: [&str; 4] = ["cfbl-feedback-id", "return-path", "cfbl-address", "list-unsubscribe"];
/// Fields of the report itself in which they may be repeated.
const OF_THE_REPORT: [&str; 2] = ["original-mail-from", "cfbl-feedback-id"];
const RETURNED: [&str; 5] =
    ["message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers"];

/// The complaint, if the message is a report of that form.
pub(super) fn complaint(mail: &Mail<'_>) -> Option<Complaint> {
    let part = mail.part(&["message/feedback-report"])?;
    let (report, _) = Fields::read(part.octets());
    let kind = FeedbackType::named(report.get("feedback-type")?);
    let mut clues = Vec::new();
    gather(&report, &OF_THE_REPORT, &mut clues);
    // RFC 9477 §3.2: a report may be without the message; the outermost fields may repeat the id.
    gather(&mail.fields, &["cfbl-feedback-id"], &mut clues);
    if let Some(returned) = mail.part(&RETURNED) {
        let (message, _) = Fields::read(returned.octets());
        gather(&message, &OF_THE_MESSAGE, &mut clues);
    }
    Some(Complaint { kind, clues })
}

fn gather(fields: &Fields, names: &[&str], clues: &mut Vec<String>) {
    for name in names {
        let room = CLUES_MAX.saturating_sub(clues.len());
        clues.extend(fields.all(name).take(room).map(|value| cut(value, CLUE_OCTETS_MAX).to_owned()));
    }
}
