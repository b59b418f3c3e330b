//! Keys of logs and of witnesses, and their text form (C2SP signed-note, "Verifier keys").
//!
//! Invariants: a name is not empty and holds no white space, plus sign or control character, so it fits a signature
//! line; the key id binds name, type and key. A [`SigningKey`] is made from a seed that the caller keeps sealed: it is
//! never printed, cloned or serialised. Ed25519 only (RFC 8032); other types are unknown keys and are ignored.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::Error;

/// Most bytes of a key name; an origin is one too.
pub const NAME_BYTES_MAX: usize = 255;

/// What a key may sign. C2SP signed-note, "Signature types".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// Type 0x01: a log signs its own checkpoints.
    Log,
    /// Type 0x04: a witness cosigns, with the time (c2sp.org/tlog-cosignature).
    Witness,
}

impl KeyUse {
    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }
}

/// The secret half.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl SigningKey {
    /// The key of a log. The name is the log's origin, e.g. `ledger.example.net/c/7f3a`.
    pub fn log(name: &str, seed: &[u8; 32]) -> Result<Self, Error> {
        Self::from_seed(name, KeyUse::Log, seed)
    }

    /// The key of a witness. C2SP tlog-cosignature: its seed must serve no other purpose or name, because the
    /// signed message does not contain the name.
    pub fn witness(name: &str, seed: &[u8; 32]) -> Result<Self, Error> {
        Self::from_seed(name, KeyUse::Witness, seed)
    }

    fn from_seed(name: &str, purpose: KeyUse, seed: &[u8; 32]) -> Result<Self, Error> {
        let refused = |reason| Error::Key { name: name.to_owned(), reason };
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| refused("the seed was not accepted"))?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| refused("the public key must have 32 bytes"))?;
        let verifier = VerifierKey::new(name, purpose, public)?;
        Ok(Self { pair, verifier })
    }

    /// Name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        self.verifier.name()
    }

    /// The public half, to publish.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        let refused = || Error::Key { name: self.name().to_owned(), reason: "signing failed" };
        let signature = self.pair.try_sign(message).map_err(|_| refused())?;
        signature.as_ref().try_into().map_err(|_| refused())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// The public half. Text form: `name+<8 hex digits>+<base64 of type and key>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    purpose: KeyUse,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifierKey {
    /// From its parts.
    pub fn new(name: &str, purpose: KeyUse, public: [u8; 32]) -> Result<Self, Error> {
        if !is_name(name) {
            return Err(Error::Key { name: name.to_owned(), reason: NAME_RULE });
        }
        Ok(Self { name: name.to_owned(), purpose, id: key_id(name, purpose, &public), public })
    }

    /// Name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it may sign.
    #[must_use]
    pub fn purpose(&self) -> KeyUse {
        self.purpose
    }

    /// First four bytes of the key's hash, as in signature lines.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The 32 bytes of RFC 8032.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(message, signature)
            .map_err(|_| Error::BadSignature { name: self.name.clone() })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id);
        write!(f, "{}+{id:08x}+", self.name)?;
        let mut key = vec![self.purpose.byte()];
        key.extend_from_slice(&self.public);
        f.write_str(&STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = |expected| Error::Malformed { what: "verifier key", expected };
        let shape = || malformed("name+8 hex digits+base64 of a type byte and 32 bytes");
        let (name, rest) = text.split_once('+').ok_or_else(shape)?;
        let (_, encoded) = rest.split_once('+').ok_or_else(shape)?;
        let key = STANDARD.decode(encoded).map_err(|_| shape())?;
        let (kind, public) = key.split_first().ok_or_else(shape)?;
        let purpose = match kind {
            0x01 => KeyUse::Log,
            0x04 => KeyUse::Witness,
            _ => return Err(malformed("type 01 (Ed25519) or 04 (Ed25519 cosignature)")),
        };
        let public = public.try_into().map_err(|_| shape())?;
        let key = Self::new(name, purpose, public)?;
        // Also catches a key id that belongs to another name or key.
        if key.to_string() == text { Ok(key) } else { Err(malformed("the key id that follows from name and key")) }
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

// C2SP signed-note, "Signatures": SHA-256(name || 0x0A || type || public key)[:4].
fn key_id(name: &str, purpose: KeyUse, public: &[u8; 32]) -> [u8; 4] {
    let mut message = name.as_bytes().to_vec();
    message.extend_from_slice(&[b'\n', purpose.byte()]);
    message.extend_from_slice(public);
    let hash = digest::digest(&digest::SHA256, &message);
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

pub(crate) const NAME_RULE: &str = "a name is 1 to 255 bytes without white space, plus sign or control characters";

#[cfg(test)]
mod tests;
