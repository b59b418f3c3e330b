//! Signing keys: RSA of 2048 bits or more (RFC 8301 §3.2) and Ed25519 (RFC 8463).
//!
//! Never: a `Debug` or an error that shows key material. What [`SigningKey::to_pkcs8`] gives out is a secret, to be
//! sealed at once.

use aws_lc_rs::digest::Digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::DkimError;

/// RFC 8301 §3.2: signers use at least 2048 bits.
const RSA_OCTETS_MIN: usize = 256;
/// A PEM of an RSA-8192 key is about 6.5 KiB.
const PEM_OCTETS_MAX: usize = 16 * 1024;

/// The two kinds of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `k=rsa`, `a=rsa-sha256`.
    Rsa,
    /// `k=ed25519`, `a=ed25519-sha256`.
    Ed25519,
}

impl KeyKind {
    /// The value of the `a=` tag.
    #[must_use]
    pub fn algorithm(self) -> &'static str {
        match self {
            Self::Rsa => "rsa-sha256",
            Self::Ed25519 => "ed25519-sha256",
        }
    }
}

/// A private key.
pub struct SigningKey(Material);

enum Material {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.kind()).finish()
    }
}

impl SigningKey {
    /// A new RSA key of 2048 bits. Takes 50 to 100 ms of processor time: not on a thread that serves connections.
    ///
    /// # Errors
    /// [`DkimError::Crypto`]
    pub fn generate_rsa() -> Result<Self, DkimError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| DkimError::Crypto)?;
        Ok(Self(Material::Rsa(Box::new(pair))))
    }

    /// A new Ed25519 key.
    ///
    /// # Errors
    /// [`DkimError::Crypto`]
    pub fn generate_ed25519() -> Result<Self, DkimError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| DkimError::Crypto)?;
        Ok(Self(Material::Ed25519(Box::new(pair))))
    }

    /// Reads a PKCS#8 DER private key.
    ///
    /// # Errors
    /// [`DkimError::KeyTooShort`] for RSA below 2048 bits, [`DkimError::KeyMalformed`] for anything else.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, DkimError> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Ok(Self(Material::Ed25519(Box::new(pair))));
        }
        match RsaKeyPair::from_pkcs8(der) {
            Ok(pair) if pair.public_modulus_len() >= RSA_OCTETS_MIN => Ok(Self(Material::Rsa(Box::new(pair)))),
            Ok(_) => Err(DkimError::KeyTooShort),
            Err(rejected) if rejected.to_string() == KEY_TOO_SMALL => Err(DkimError::KeyTooShort),
            Err(_) => Err(DkimError::KeyMalformed),
        }
    }

    /// Reads a PEM file that holds one `PRIVATE KEY` (PKCS#8).
    ///
    /// # Errors
    /// As [`Self::from_pkcs8`].
    pub fn from_pem(pem: &str) -> Result<Self, DkimError> {
        if pem.len() > PEM_OCTETS_MAX {
            return Err(DkimError::KeyMalformed);
        }
        let (_, after) = pem.split_once("-----BEGIN PRIVATE KEY-----").ok_or(DkimError::KeyMalformed)?;
        let (inner, _) = after.split_once("-----END PRIVATE KEY-----").ok_or(DkimError::KeyMalformed)?;
        let text: String = inner.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        Self::from_pkcs8(&STANDARD.decode(text).map_err(|_| DkimError::KeyMalformed)?)
    }

    /// The private key as PKCS#8 v1 DER: a secret.
    ///
    /// # Errors
    /// [`DkimError::Crypto`]
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, DkimError> {
        match &self.0 {
            Material::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair.as_ref()).map(|der| der.as_ref().to_vec()),
            Material::Ed25519(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
        }
        .map_err(|_| DkimError::Crypto)
    }

    /// Which kind of key it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match &self.0 {
            Material::Rsa(_) => KeyKind::Rsa,
            Material::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// The text to publish at `selector._domainkey.domain`. For RSA it is longer than 255 octets: the DNS server's
    /// zone file needs it as several strings.
    ///
    /// # Errors
    /// [`DkimError::Crypto`]
    pub fn public_dns_value(&self) -> Result<String, DkimError> {
        match &self.0 {
            // RFC 6376 §3.6.1: SubjectPublicKeyInfo in DER.
            Material::Rsa(pair) => {
                let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| DkimError::Crypto)?;
                Ok(format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(der.as_ref())))
            }
            // RFC 8463 §4: the 32 octets as they are.
            Material::Ed25519(pair) => {
                Ok(format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(pair.public_key().as_ref())))
            }
        }
    }

    /// Signs a header hash.
    pub(super) fn sign_digest(&self, digest: &Digest) -> Result<Vec<u8>, DkimError> {
        match &self.0 {
            Material::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, digest, &mut signature).map_err(|_| DkimError::Crypto)?;
                Ok(signature)
            }
            // RFC 8463 §3: PureEd25519 over the SHA-256 hash, not over the text.
            Material::Ed25519(pair) => {
                Ok(pair.try_sign(digest.as_ref()).map_err(|_| DkimError::Crypto)?.as_ref().to_vec())
            }
        }
    }
}

/// What the library says of an RSA key below its own minimum, which is 2048 bits too.
const KEY_TOO_SMALL: &str = "TooSmall";
