//! Why a place for bodies cannot be used. Each sentence says what is wrong, where, and what to do about it.
//! Never: a key, or a signed address.

use super::Temper;

/// A refusal at start.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BodiesUnfit {
    /// The folder is not there.
    #[error(
        "the folder {folder} for bodies is not there; make it, or mount it, so that every node sees the same one under \
         its own name (a node on PostgreSQL never makes it)"
    )]
    NoFolder {
        /// Which.
        folder: String,
    },
    /// Somebody else's.
    #[error(
        "{place} holds the bodies of another installation; give this one a folder, bucket or prefix of its own \
         (two that share one would remove each other's mail)"
    )]
    OtherOwner {
        /// Where.
        place: String,
    },
    /// A setting is none.
    #[error("the settings of the bucket for bodies are not understood: {setting} {reason}")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// What about it.
        reason: String,
    },
    /// Nobody answers.
    #[error("{place} could not be reached ({reason}); check the endpoint, and that it answers from this machine")]
    Unreachable {
        /// Where.
        place: String,
        /// What happened.
        reason: String,
    },
    /// No such bucket.
    #[error("there is no {place}; make it, or name the one that is there")]
    NoBucket {
        /// Where.
        place: String,
    },
    /// The keys are wrong.
    #[error("{place} does not know the access key or its secret ({code}); check both, and the region")]
    Keys {
        /// Where.
        place: String,
        /// The server's code.
        code: String,
    },
    /// The keys may too little.
    #[error(
        "{place} does not let this access key {what} ({code}); it needs the rights to put, get, delete and list \
         objects there"
    )]
    Rights {
        /// Where.
        place: String,
        /// What was tried.
        what: &'static str,
        /// The server's code.
        code: String,
    },
    /// The clock is wrong.
    #[error("{place} says that this machine's clock is wrong ({code}); set the clock")]
    Clock {
        /// Where.
        place: String,
        /// The server's code.
        code: String,
    },
    /// Another answer.
    #[error("{place} cannot be used: it answered {answer} when asked to {what}")]
    Answer {
        /// Where.
        place: String,
        /// What was tried.
        what: &'static str,
        /// Status and code.
        answer: String,
    },
}

impl BodiesUnfit {
    /// Does trying again help? A server that is not there may come back.
    #[must_use]
    pub const fn temper(&self) -> Temper {
        match self {
            Self::Unreachable { .. } | Self::NoFolder { .. } => Temper::Temporary,
            _ => Temper::Permanent,
        }
    }
}
