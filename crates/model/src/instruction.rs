//! The documented instruction (GDPR Art. 28(3)(a), 29): what the controller told the processor to do.

use crate::{ControllerId, InstructionId, StreamId, Timestamp};

/// Operations that an instruction may name, out of the verbs of GDPR Art. 4(2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// Take a message in and keep it until it is delivered.
    Store,
    /// Deliver it: disclosure by transmission.
    Transmit,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 2] = [Self::Store, Self::Transmit];

    /// The stable word used in the store and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Transmit => "transmit",
        }
    }

    /// From the stable word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == word)
    }
}

/// Where an instruction stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum InstructionState {
    /// Proposed, not yet in force.
    Proposed,
    /// In force.
    InForce,
    /// Held because it looks infringing (GDPR Art. 28(3), last subparagraph).
    Held,
    /// Replaced by a later version.
    Superseded,
}

impl InstructionState {
    /// The stable word used in the store and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::InForce => "in-force",
            Self::Held => "held",
            Self::Superseded => "superseded",
        }
    }

    /// From the stable word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "proposed" => Self::Proposed,
            "in-force" => Self::InForce,
            "held" => Self::Held,
            "superseded" => Self::Superseded,
            _ => return None,
        })
    }
}

/// One version of an instruction, as far as the gate needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instruction {
    /// Its id.
    pub id: InstructionId,
    /// Whose it is.
    pub controller: ControllerId,
    /// Its version.
    pub version: u32,
    /// Where it stands.
    pub state: InstructionState,
    /// Since when.
    pub from: Timestamp,
    /// Operations it names.
    pub operations: Vec<Operation>,
    /// Streams it covers.
    pub streams: Vec<StreamId>,
    /// Messages it allows in a UTC day.
    pub messages_per_day_max: u64,
}
