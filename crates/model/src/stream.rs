//! A stream: mail of one kind, for one purpose, with its own retry plan and expiry.

mod terms;

pub use terms::{Footer, Frequency, OptOut, Quiet, Terms, TlsFloor, Tracking, Unverified};

use crate::{ControllerId, PurposeId, StreamId};
use std::time::Duration;

/// The four kinds of mail. The kind decides which rules of the gate apply.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StreamKind {
    /// What a person asked for or must know about his own transaction.
    Transactional,
    /// Direct marketing, newsletters included (CJEU C-654/23).
    Marketing,
    /// The platform's own messages to the person: confirmations, notices.
    Service,
    /// Mail that a law obliges the controller to send.
    Legal,
}

impl StreamKind {
    /// The stable word used in the store and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transactional => "transactional",
            Self::Marketing => "marketing",
            Self::Service => "service",
            Self::Legal => "legal",
        }
    }

    /// From the stable word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "transactional" => Self::Transactional,
            "marketing" => Self::Marketing,
            "service" => Self::Service,
            "legal" => Self::Legal,
            _ => return None,
        })
    }

    /// Is this direct marketing in the sense of GDPR Art. 21(2) and ePrivacy Art. 13?
    #[must_use]
    pub const fn is_marketing(self) -> bool {
        matches!(self, Self::Marketing)
    }

    /// Order in which classes leave: what a person waits for goes before bulk.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Transactional | Self::Service | Self::Legal => Class::Prompt,
            Self::Marketing => Class::Bulk,
        }
    }

    /// When to try again, by number of attempts already made (protocols-and-scale A10).
    #[must_use]
    pub const fn retry_plan(self) -> RetryPlan {
        match self {
            Self::Transactional | Self::Service | Self::Legal => RetryPlan {
                delays_s: &[60, 300, 900, 1_800, 3_600, 7_200, 14_400],
                expires_after: Duration::from_secs(24 * 3_600),
            },
            Self::Marketing => RetryPlan {
                delays_s: &[900, 1_800, 3_600, 7_200, 14_400],
                expires_after: Duration::from_secs(72 * 3_600),
            },
        }
    }
}

/// Order in a destination's queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// Leaves first.
    Prompt,
    /// Leaves when nothing prompt waits.
    Bulk,
}

/// Delays between attempts (RFC 5321 §4.5.4.1) and the age at which a message is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPlan {
    /// Seconds before attempt 2, 3, …; the last repeats.
    pub delays_s: &'static [u32],
    /// Age at which an undelivered message is returned.
    pub expires_after: Duration,
}

impl RetryPlan {
    /// Delay after `attempts` failed attempts (1 = after the first), before jitter.
    #[must_use]
    pub fn delay_after(&self, attempts: u32) -> Duration {
        let at = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let seconds = self.delays_s.get(at).or(self.delays_s.last()).copied().unwrap_or(3_600);
        Duration::from_secs(u64::from(seconds))
    }
}

/// A stream of one controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream {
    /// Its id.
    pub id: StreamId,
    /// Whose it is.
    pub controller: ControllerId,
    /// The name that clients use (`stream` in JSON, `username+stream` in SMTP).
    pub name: String,
    /// Its kind.
    pub kind: StreamKind,
    /// The purpose in the words of the instruction.
    pub purpose: String,
    /// The purposes it serves; the first is that of mail that names none.
    pub purposes: Vec<PurposeId>,
    /// How mail on it is treated.
    pub terms: Terms,
}

impl Stream {
    /// The purpose of mail that names none; an id that nothing has where there is no purpose.
    #[must_use]
    pub fn default_purpose(&self) -> PurposeId {
        self.purposes.first().copied().unwrap_or(PurposeId(0))
    }
}
