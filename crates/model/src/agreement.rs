//! The processing agreement (GDPR Art. 28(3)): without one in force nothing is processed.

use crate::{AgreementId, ControllerId, Timestamp};

/// Where an agreement stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AgreementState {
    /// Written, not signed.
    Draft,
    /// Signed by both sides, not yet begun.
    Signed,
    /// In force.
    InForce,
    /// Paused by either side.
    Suspended,
    /// Over.
    Ended,
}

impl AgreementState {
    /// The stable word used in the store and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Signed => "signed",
            Self::InForce => "in-force",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
        }
    }

    /// From the stable word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "draft" => Self::Draft,
            "signed" => Self::Signed,
            "in-force" => Self::InForce,
            "suspended" => Self::Suspended,
            "ended" => Self::Ended,
            _ => return None,
        })
    }
}

/// A processing agreement, as far as the gate needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agreement {
    /// Its id.
    pub id: AgreementId,
    /// The controller who signed it.
    pub controller: ControllerId,
    /// Its version.
    pub version: u32,
    /// Where it stands.
    pub state: AgreementState,
    /// In force from this moment.
    pub from: Timestamp,
    /// In force until this moment, if it has an end.
    pub until: Option<Timestamp>,
}

impl Agreement {
    /// Is it in force at `now`? State and dates must both say so.
    #[must_use]
    pub fn in_force_at(&self, now: Timestamp) -> bool {
        self.state == AgreementState::InForce && self.from <= now && self.until.is_none_or(|until| now < until)
    }
}
