//! Ids as the world sees them: one AES block of (kind, inner id), in base32. Reveals neither time nor
//! volume, needs no index, and a made-up one almost never deciphers to the right kind.

use crate::error::{Error, Result};
use aws_lc_rs::cipher::{AES_128, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use model::RecipientTag;
use model::ids::PublicKind;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What stands before the underscore for a person.
const PERSON: &str = "per";

/// Enciphers and deciphers public ids.
pub(crate) struct PublicIds {
    encrypt: EncryptingKey,
    decrypt: DecryptingKey,
}

impl PublicIds {
    pub(crate) fn new(key: &[u8; 16]) -> Result<Self> {
        let unbound = || UnboundCipherKey::new(&AES_128, key).map_err(|_| Error::Sealed { what: "id key" });
        Ok(Self {
            encrypt: EncryptingKey::ecb(unbound()?).map_err(|_| Error::Sealed { what: "id key" })?,
            decrypt: DecryptingKey::ecb(unbound()?).map_err(|_| Error::Sealed { what: "id key" })?,
        })
    }

    /// `prefix_` and 26 characters.
    pub(crate) fn show<K: PublicKind>(&self, id: K) -> String {
        let mut block = [0u8; 16];
        block[0] = K::KIND;
        block[8..].copy_from_slice(&id.raw().to_be_bytes());
        if self.encrypt.encrypt(&mut block).is_err() {
            return format!("{}_unavailable", K::PREFIX);
        }
        format!("{}_{}", K::PREFIX, base32(&block))
    }

    /// A person's tag, in 26 characters: what he is called where nothing else of him is kept.
    pub(crate) fn show_tag(&self, tag: RecipientTag) -> String {
        let mut block = tag.0;
        if self.encrypt.encrypt(&mut block).is_err() {
            return format!("{PERSON}_unavailable");
        }
        format!("{PERSON}_{}", base32(&block))
    }

    /// The tag behind what [`Self::show_tag`] showed. Any 26 characters give one; most are nobody's.
    pub(crate) fn read_tag(&self, text: &str) -> Option<RecipientTag> {
        let mut block = unbase32(text.strip_prefix(PERSON)?.strip_prefix('_')?)?;
        self.decrypt.decrypt(&mut block, DecryptionContext::None).ok()?;
        Some(RecipientTag(block))
    }

    /// The inner id, if the text is one of ours and of this kind.
    pub(crate) fn read<K: PublicKind>(&self, text: &str) -> Option<K> {
        let code = text.strip_prefix(K::PREFIX)?.strip_prefix('_')?;
        let mut block = unbase32(code)?;
        self.decrypt.decrypt(&mut block, DecryptionContext::None).ok()?;
        let (head, id) = block.split_at(8);
        // Seven zero bytes are the check: one made-up id in 2^56 passes, and then names no row.
        if head != [K::KIND, 0, 0, 0, 0, 0, 0, 0] {
            return None;
        }
        Some(K::from_raw(i64::from_be_bytes(id.try_into().ok()?)))
    }
}

/// RFC 4648 §6 without padding, lower case (local parts of return paths lose their case on the way).
pub(crate) fn base32(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(digit(buffer >> bits));
        }
    }
    if bits > 0 {
        out.push(digit(buffer << (5 - bits)));
    }
    out
}

fn digit(value: u32) -> char {
    ALPHABET.get((value & 31) as usize).copied().map_or('a', char::from)
}

/// The 16 octets of 26 characters, in any case.
pub(crate) fn unbase32(text: &str) -> Option<[u8; 16]> {
    if text.len() != 26 {
        return None;
    }
    let mut out = [0u8; 16];
    let mut at = out.iter_mut();
    let (mut buffer, mut bits) = (0u32, 0u32);
    for byte in text.bytes() {
        let value = ALPHABET.iter().position(|letter| *letter == byte.to_ascii_lowercase())?;
        buffer = ((buffer << 5) | u32::try_from(value).ok()?) & 0xffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *at.next()? = u8::try_from((buffer >> bits) & 0xff).ok()?;
        }
    }
    // The two spare bits are zero in what we write: one id has one spelling.
    (buffer & ((1 << bits) - 1) == 0).then_some(out)
}
