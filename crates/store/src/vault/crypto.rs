//! The few primitives of the vault: AES-256-GCM sealing, HMAC-SHA-256 derivation, random bytes.
//! Never: a key in a log, an error that says which check failed.

use crate::error::{Error, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

/// A 256-bit key that is wiped when dropped.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// Octets that sealing adds: nonce before, tag behind.
pub(crate) const OVERHEAD: usize = NONCE_LEN + 16;

pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill_random(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<()> {
    SystemRandom::new().fill(bytes).map_err(|_| Error::Engine("the system gives no random bytes".into()))
}

pub(crate) fn new_key() -> Result<Key> {
    Ok(Zeroizing::new(random::<32>()?))
}

fn cipher(key: &Key) -> Result<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key.as_slice()).map(LessSafeKey::new).map_err(|_| Error::Sealed { what: "key" })
}

/// nonce ‖ ciphertext ‖ tag. `context` is bound but not stored: bytes moved to another place do not open.
pub(crate) fn seal(key: &Key, context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let nonce = random::<NONCE_LEN>()?;
    let mut out = Vec::with_capacity(plain.len() + OVERHEAD);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    let (_, text) = out.split_at_mut(NONCE_LEN);
    let tag = cipher(key)?
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), text)
        .map_err(|_| Error::Sealed { what: "value" })?;
    out.extend_from_slice(tag.as_ref());
    Ok(out)
}

pub(crate) fn open(key: &Key, context: &[u8], sealed: &[u8], what: &'static str) -> Result<Vec<u8>> {
    if sealed.len() < OVERHEAD {
        return Err(Error::Sealed { what });
    }
    let (nonce, text) = sealed.split_at(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Sealed { what })?;
    let mut buffer = text.to_vec();
    let length =
        cipher(key)?.open_in_place(nonce, Aad::from(context), &mut buffer).map_err(|_| Error::Sealed { what })?.len();
    buffer.truncate(length);
    Ok(buffer)
}

/// HMAC-SHA-256 under `key` of the parts, one after the other.
pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// A key for one use out of a secret.
pub(crate) fn derive(secret: &Key, label: &str) -> Key {
    Zeroizing::new(mac(secret.as_slice(), &[label.as_bytes()]))
}

/// SHA-256 of the parts.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// SHA-256 of fields, each with its length before it: no two lists of fields give the same octets.
pub(crate) fn sha256_of_fields(fields: &[&[u8]]) -> [u8; 32] {
    let lengths: Vec<[u8; 8]> = fields.iter().map(|field| (field.len() as u64).to_be_bytes()).collect();
    let parts: Vec<&[u8]> =
        lengths.iter().zip(fields).flat_map(|(length, field)| [length.as_slice(), *field]).collect();
    sha256(&parts)
}
