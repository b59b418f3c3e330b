//! What can go wrong here, and whether trying again helps. A refusal is no error.

pub use store::Temper;

/// A failure of the mail wing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed; nothing was kept.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The idempotency key was used by another request meanwhile.
    #[error("this Idempotency-Key was used by another request")]
    Repeated,
    /// What is known of the sender or of a recipient changed whenever it was asked; nothing was kept.
    #[error("what is known of the sender or of a recipient keeps changing; nothing was kept; try again")]
    Changing,
    /// Delivery could not begin.
    #[error("delivery cannot begin: {0}")]
    Delivery(String),
}

impl Error {
    /// Does trying again help?
    #[must_use]
    pub const fn temper(&self) -> Temper {
        match self {
            Self::Store(error) => error.temper(),
            Self::Changing => Temper::Temporary,
            Self::Repeated | Self::Delivery(_) => Temper::Permanent,
        }
    }

    /// What the peer may hear: no paths, no engine's words.
    #[must_use]
    pub const fn public(&self) -> &'static str {
        match self {
            Self::Repeated => "this Idempotency-Key was used by another request",
            Self::Store(store::Error::Full) => "out of storage at the moment; nothing was kept; try again later",
            _ => "a local failure; nothing was kept; try again later",
        }
    }
}
