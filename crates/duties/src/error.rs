//! What can go wrong in a duty.

/// A duty that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A document that is kept cannot be written or read.
    #[error("the {0} cannot be written or read")]
    Document(&'static str),
    /// Signing keys could not be made.
    #[error("signing keys could not be made: {0}")]
    Keys(#[from] mail::dkim::DkimError),
}
