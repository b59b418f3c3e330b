//! DKIM (RFC 6376, 8301, 8463): our signer, and a small verifier for mail that comes back to us.
//!
//! Invariants of the signer: relaxed/relaxed, SHA-256 only, RSA of 2048 bits or more and Ed25519, one body hash and one
//! pass over the header for all signatures, From listed once more than it is present, never `l=`.
//! The body hash is right where others go wrong: lines of white space at the end of the body (RFC 6376 §3.4.4).
//! Never: a clock, a DNS query, a signature over a header block that [`crate::header`] refuses.

mod canonical;
mod key;
mod sign;
mod tags;
mod verify;

#[cfg(test)]
mod tests;

pub use canonical::{BodyDigest, BodyHash};
pub use key::{KeyKind, SigningKey};
pub use sign::{Signer, sign, sign_with_body};
pub use verify::{SIGNATURES_MAX, TxtAnswer, Verdict, VerdictResult, verify, verify_tls_report};

use crate::header::HeaderError;

/// Why nothing was signed. No text repeats a value of the message or of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DkimError {
    /// The key is not a PKCS#8 private key of RSA or Ed25519.
    #[error("the signing key is not a PKCS#8 private key of RSA (2048 bits or more) or Ed25519")]
    KeyMalformed,
    /// RFC 8301 §3.2: below 2048 bits.
    #[error("the RSA signing key is shorter than 2048 bits; generate a new one")]
    KeyTooShort,
    /// The library for cryptography failed: out of memory or of randomness.
    #[error("the cryptographic library could not complete the operation")]
    Crypto,
    /// The domain or selector of a signer is not a DNS name in A-labels.
    #[error("the signing domain and selector must be DNS names in ASCII (A-labels)")]
    Name,
    /// No signer was given.
    #[error("no signer was given")]
    NoSigner,
    /// RFC 6376 §5.4: a signature must cover From, and we sign only what has exactly one.
    #[error("the message must have exactly one From field to be signed")]
    From,
    /// The header block is not well-formed.
    #[error("the header block cannot be signed: {0}")]
    Header(#[from] HeaderError),
}
