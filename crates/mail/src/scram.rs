//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side, as pure functions over texts.
//!
//! Invariants: of a password only [`Keys`] are kept, from which nobody can log in; a proof is compared in constant
//! time; a client that could have bound its channel and was talked out of it is refused (RFC 5802 §6); with the -PLUS
//! name nothing but this very TLS connection is accepted. Lengths are bounded.
//! Never: a nonce or a salt made here, a look-up. `Debug` shows no key and no name.
//! Standards: RFC 5802, RFC 7677 (SHA-256, 4096 iterations), RFC 9266 (tls-exporter).

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroize as _;

#[cfg(test)]
mod tests;

/// RFC 7677 §4: at least so many.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);
/// Octets of a salt.
pub const SALT_OCTETS: usize = 16;
/// Octets of kept [`Keys`].
pub const KEYS_OCTETS: usize = SALT_OCTETS + 4 + 32 + 32;
/// A nonce of a client is no longer.
const NONCE_OCTETS_MAX: usize = 256;

/// What is kept of a password (RFC 5802 §3).
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    salt: [u8; SALT_OCTETS],
    iterations: u32,
    stored: [u8; 32],
    server: [u8; 32],
}

impl Keys {
    /// Of a password in printable ASCII, which SASLprep leaves as it is; `None` for others.
    #[must_use]
    pub fn derive(password: &str, salt: [u8; SALT_OCTETS]) -> Option<Self> {
        if !password.bytes().all(|octet| matches!(octet, b' '..=b'~')) || password.is_empty() {
            return None;
        }
        let mut salted = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut salted);
        let mut client = mac(&salted, b"Client Key");
        let keys =
            Self { salt, iterations: ITERATIONS.get(), stored: hash(&client), server: mac(&salted, b"Server Key") };
        client.zeroize();
        salted.zeroize();
        Some(keys)
    }

    /// For a name that nobody has: a salt as any other, and keys that nothing proves. `seed` is a keyed hash of the
    /// name, so that a name asked twice has one salt.
    #[must_use]
    pub fn of_nobody(seed: &[u8; 32]) -> Self {
        let mut salt = [0; SALT_OCTETS];
        salt.iter_mut().zip(mac(seed, b"salt")).for_each(|(to, from)| *to = from);
        Self { salt, iterations: ITERATIONS.get(), stored: mac(seed, b"stored"), server: mac(seed, b"server") }
    }

    /// For keeping.
    #[must_use]
    pub fn to_octets(&self) -> Vec<u8> {
        [self.salt.as_slice(), &self.iterations.to_be_bytes(), &self.stored, &self.server].concat()
    }

    /// As they were kept; `None` for anything else.
    #[must_use]
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let (salt, rest) = octets.split_first_chunk::<SALT_OCTETS>()?;
        let (iterations, rest) = rest.split_first_chunk::<4>()?;
        let (stored, rest) = rest.split_first_chunk::<32>()?;
        let iterations = u32::from_be_bytes(*iterations);
        let is_good = iterations >= ITERATIONS.get();
        is_good.then_some(Self { salt: *salt, iterations, stored: *stored, server: rest.try_into().ok()? })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Keys(redacted)")
    }
}

/// What the connection can be bound to, and by which name the client asked.
#[derive(Clone, Copy)]
pub struct Channel<'a> {
    /// RFC 9266: octets of tls-exporter. Only on TLS 1.3; then -PLUS is offered.
    pub exporter: Option<&'a [u8]>,
    /// SCRAM-SHA-256-PLUS was asked for.
    pub plus: bool,
}

/// Why a dialogue cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not the form of RFC 5802 §7, or something of it that is not known here.
    #[error("the message has not the form of SCRAM")]
    Form,
    /// RFC 5802 §6: the channel binding is not the one that was to be used.
    #[error("the channel binding does not fit this connection")]
    Binding,
    /// The proof is wrong.
    #[error("the proof is wrong")]
    Proof,
}

/// The client's first message.
pub struct First {
    username: String,
    nonce: String,
    bare: String,
    /// What `c=` of the last message must be.
    bound: Vec<u8>,
}

impl First {
    /// Reads `gs2-header client-first-message-bare`.
    ///
    /// # Errors
    /// [`Fault::Form`], [`Fault::Binding`].
    pub fn read(text: &str, channel: Channel<'_>) -> Result<Self, Fault> {
        let (flag, rest) = text.split_once(',').ok_or(Fault::Form)?;
        let (authzid, bare) = rest.split_once(',').ok_or(Fault::Form)?;
        let data = match (flag, channel.plus) {
            ("p=tls-exporter", true) => channel.exporter.ok_or(Fault::Binding)?,
            // RFC 5802 §6: "y" says that the client could bind and saw no offer. There was one: somebody took it away.
            ("y", false) if channel.exporter.is_some() => return Err(Fault::Binding),
            ("n" | "y", false) => &[],
            _ => return Err(Fault::Binding),
        };
        let mut parts = bare.split(',');
        let name = parts.next().and_then(|part| part.strip_prefix("n=")).ok_or(Fault::Form)?;
        let nonce = parts.next().and_then(|part| part.strip_prefix("r=")).ok_or(Fault::Form)?;
        let is_nonce = (1..=NONCE_OCTETS_MAX).contains(&nonce.len())
            && nonce.bytes().all(|octet| matches!(octet, b'!'..=b'~') && octet != b',');
        let username = saslname(name).filter(|name| !name.is_empty()).ok_or(Fault::Form)?;
        let is_himself =
            authzid.is_empty() || authzid.strip_prefix("a=").and_then(saslname).as_ref() == Some(&username);
        // RFC 5802 §5.1: what is behind the nonce may be an extension that must be understood ("m="), or may be
        // ignored.
        if !is_nonce || !is_himself || bare.starts_with("m=") || parts.any(|part| !is_attribute(part)) {
            return Err(Fault::Form);
        }
        let bound = [flag.as_bytes(), b",", authzid.as_bytes(), b",", data].concat();
        Ok(Self { username, nonce: nonce.to_owned(), bare: bare.to_owned(), bound })
    }

    /// Who it is said to be.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The challenge. `nonce` is the server's own half: random, printable, without a comma.
    #[must_use]
    pub fn challenge(self, keys: Keys, nonce: &str) -> Challenged {
        let nonce = format!("{}{nonce}", self.nonce);
        let challenge = format!("r={nonce},s={},i={}", STANDARD.encode(keys.salt), keys.iterations);
        Challenged { first: self, keys, nonce, challenge }
    }
}

/// A dialogue that waits for the client's proof.
pub struct Challenged {
    first: First,
    keys: Keys,
    nonce: String,
    challenge: String,
}

impl Challenged {
    /// Who it is said to be.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.first.username
    }

    /// The text for the client.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.challenge
    }

    /// Reads the client's last message.
    ///
    /// # Errors
    /// [`Fault`]; the client is not who he says.
    pub fn proven(&self, text: &str) -> Result<Proven, Fault> {
        let (unproven, proof) = text.rsplit_once(",p=").ok_or(Fault::Form)?;
        let mut parts = unproven.split(',');
        let bound = parts.next().and_then(|part| part.strip_prefix("c=")).ok_or(Fault::Form)?;
        let nonce = parts.next().and_then(|part| part.strip_prefix("r=")).ok_or(Fault::Form)?;
        if parts.any(|part| !is_attribute(part)) {
            return Err(Fault::Form);
        }
        let bound = STANDARD.decode(bound).map_err(|_| Fault::Form)?;
        constant_time::verify_slices_are_equal(&bound, &self.first.bound).map_err(|_| Fault::Binding)?;
        let proof: [u8; 32] = STANDARD.decode(proof).ok().and_then(|proof| proof.try_into().ok()).ok_or(Fault::Form)?;
        if nonce != self.nonce {
            return Err(Fault::Proof);
        }
        let said = format!("{},{},{unproven}", self.first.bare, self.challenge);
        let mut client = mac(&self.keys.stored, said.as_bytes());
        client.iter_mut().zip(proof).for_each(|(octet, other)| *octet ^= other);
        let shown = hash(&client);
        client.zeroize();
        constant_time::verify_slices_are_equal(&shown, &self.keys.stored).map_err(|_| Fault::Proof)?;
        let answer = format!("v={}", STANDARD.encode(mac(&self.keys.server, said.as_bytes())));
        Ok(Proven { username: self.first.username.clone(), answer })
    }
}

/// That a client has proven who he is. There is none without a proof.
pub struct Proven {
    username: String,
    answer: String,
}

impl Proven {
    /// Who he is.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The server's own proof, for the client.
    #[must_use]
    pub fn answer(&self) -> &str {
        &self.answer
    }
}

impl fmt::Debug for Proven {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Proven(redacted)")
    }
}

/// RFC 5802 §7: a letter, `=`, a value; `m` is reserved for what must be understood.
fn is_attribute(part: &str) -> bool {
    let mut letters = part.chars();
    letters.next().is_some_and(|letter| letter.is_ascii_alphabetic() && letter != 'm') && letters.next() == Some('=')
}

/// RFC 5802 §5.1: `=2C` and `=3D` stand for a comma and an equals sign, and there is no other escape.
fn saslname(text: &str) -> Option<String> {
    let mut pieces = text.split('=');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (mark, rest) = piece.split_at_checked(2)?;
        name.push(match mark {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        name.push_str(rest);
    }
    (!name.chars().any(char::is_control)).then_some(name)
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    out.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

fn hash(message: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let digest = digest::digest(&digest::SHA256, message);
    out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    out
}
