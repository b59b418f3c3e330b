//! Checkpoints: origin, size and root of a log, signed (C2SP tlog-checkpoint, signed-note, tlog-cosignature).
//!
//! Invariants: what parses prints back byte for byte, because the signature is over the text; the origin of our logs
//! is the name of their key; the log's own Ed25519 line (0x01) stays first, since some verifiers know only that;
//! signatures by unknown keys are kept and ignored, a bad signature by a known key is an error. No clock: the time of
//! a cosignature is passed in.
//!
//! C2SP tlog-checkpoint, "Signatures": a log must never sign two checkpoints that are inconsistent. That is the
//! store's duty; [`crate::folder`] refuses to publish one.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::Error;
use crate::key::{KeyUse, NAME_RULE, SigningKey, VerifierKey, is_name};
use crate::tree::{Hash, TREE_SIZE_MAX};

/// Most bytes of a signed checkpoint: room for 64 post-quantum signatures.
pub const CHECKPOINT_BYTES_MAX: usize = 400_000;
/// Most signature lines. C2SP signed-note: at least 16 must be accepted.
pub const SIGNATURES_MAX: usize = 64;
/// Most extension lines.
pub const EXTENSIONS_MAX: usize = 16;

/// Signs origin (the key's name), size and root: what a log publishes.
pub fn sign(key: &SigningKey, size: u64, root: Hash) -> Result<SignedCheckpoint, Error> {
    Checkpoint::new(key.name(), size, root)?.sign(key)
}

/// The statement "this log has `size` entries and this root".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// From its parts, without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, Error> {
        if !is_name(origin) {
            return Err(Error::Key { name: origin.to_owned(), reason: NAME_RULE });
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions: Vec::new() })
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree of that size.
    #[must_use]
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// The signed text: lines origin, size, root, extensions.
    #[must_use]
    pub fn body(&self) -> String {
        let mut body = format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root));
        for line in &self.extensions {
            body.push_str(line);
            body.push('\n');
        }
        body
    }

    /// Reads the signed text.
    pub fn parse_body(body: &str) -> Result<Self, Error> {
        let malformed = |expected| Error::Malformed { what: "checkpoint", expected };
        let text = body.strip_suffix('\n').ok_or_else(|| malformed("a line end after the last line"))?;
        let mut lines = text.split('\n');
        let mut next = || lines.next().ok_or_else(|| malformed("the lines origin, size and root"));
        let (origin, size, root) = (next()?, next()?, next()?);
        let size: u64 = size.parse().map_err(|_| malformed("a decimal size"))?;
        if size > TREE_SIZE_MAX {
            return Err(Error::OutsideTree { index: size, size: TREE_SIZE_MAX });
        }
        let root = decode_hash(root).ok_or_else(|| malformed("a root of 32 bytes in base64"))?;
        let mut checkpoint = Self::new(origin, size, root)?;
        checkpoint.extensions = lines.map(str::to_owned).collect();
        if checkpoint.extensions.len() > EXTENSIONS_MAX || checkpoint.extensions.iter().any(String::is_empty) {
            return Err(malformed("at most 16 extension lines, none empty"));
        }
        // The signature is over the text: a second spelling (leading zeros, a sign) must not pass.
        if checkpoint.body() == body { Ok(checkpoint) } else { Err(malformed("the one canonical spelling")) }
    }

    /// Signs with the log's key, whose name must be the origin.
    pub fn sign(self, key: &SigningKey) -> Result<SignedCheckpoint, Error> {
        let verifier = key.verifier();
        if verifier.purpose() != KeyUse::Log {
            return Err(Error::Key { name: key.name().to_owned(), reason: "a witness key cannot sign for a log" });
        }
        check_origin(verifier.name(), &self)?;
        let signature = key.sign(self.body().as_bytes())?.to_vec();
        let line = NoteSignature { name: key.name().to_owned(), id: verifier.id(), signature };
        Ok(SignedCheckpoint { checkpoint: self, signatures: vec![line] })
    }
}

/// One signature line of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: [u8; 4],
    signature: Vec<u8>,
}

impl NoteSignature {
    /// Name of the key that is said to have signed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_vec();
        bytes.extend_from_slice(&self.signature);
        write!(f, "\u{2014} {} {}", self.name, STANDARD.encode(bytes))
    }
}

impl FromStr for NoteSignature {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self, Error> {
        let malformed = || Error::Malformed { what: "signature line", expected: "\u{2014} name base64" };
        let (name, encoded) = line.strip_prefix("\u{2014} ").and_then(|r| r.split_once(' ')).ok_or_else(malformed)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| malformed())?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or_else(malformed)?;
        if !is_name(name) || signature.is_empty() {
            return Err(malformed());
        }
        Ok(Self { name: name.to_owned(), id: *id, signature: signature.to_vec() })
    }
}

/// A witness's statement that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// Name of the witness.
    pub witness: String,
    /// When it cosigned, seconds since 1970.
    pub time_s: u64,
}

/// A checkpoint with its signatures, as in the file `checkpoint`. Reading one proves nothing: call `verify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signatures: Vec<NoteSignature>,
}

impl SignedCheckpoint {
    /// The statement. Trust it only after `verify`.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// All signature lines, known and unknown.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Reads a note.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let malformed = |expected| Error::Malformed { what: "signed checkpoint", expected };
        if text.len() > CHECKPOINT_BYTES_MAX {
            return Err(malformed("at most 400,000 bytes"));
        }
        let text = str::from_utf8(text).map_err(|_| malformed("UTF-8"))?;
        // C2SP signed-note, "Format": no control character but the line end; text and signatures are parted by the
        // last empty line.
        if text.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(malformed("no control characters"));
        }
        let (body, lines) = text.rsplit_once("\n\n").ok_or_else(|| malformed("an empty line before signatures"))?;
        let lines = lines.strip_suffix('\n').ok_or_else(|| malformed("a line end after the last signature"))?;
        let signatures = lines.split('\n').map(str::parse).collect::<Result<Vec<NoteSignature>, Error>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(malformed("at most 64 signatures"));
        }
        Ok(Self { checkpoint: Checkpoint::parse_body(&format!("{body}\n"))?, signatures })
    }

    /// The key must be the log's own and must have signed; the origin must be its name.
    pub fn verify(&self, log: &VerifierKey) -> Result<&Checkpoint, Error> {
        check_origin(log.name(), &self.checkpoint)?;
        let body = self.checkpoint.body();
        let mut signed = false;
        for line in self.signatures.iter().filter(|line| log.purpose() == KeyUse::Log && line.is_by(log)) {
            log.verify(body.as_bytes(), &line.signature)?;
            signed = true;
        }
        if signed { Ok(&self.checkpoint) } else { Err(Error::Unsigned { name: log.name().to_owned() }) }
    }

    /// The cosignatures by these witnesses, each verified; a witness that did not cosign is simply not listed.
    pub fn cosignatures(&self, witnesses: &[VerifierKey]) -> Result<Vec<Cosignature>, Error> {
        let mut found = Vec::new();
        for witness in witnesses.iter().filter(|key| key.purpose() == KeyUse::Witness) {
            for line in self.signatures.iter().filter(|line| line.is_by(witness)) {
                let bad = || Error::BadSignature { name: witness.name().to_owned() };
                // C2SP tlog-cosignature, "Format": u64 time, then the Ed25519 signature.
                let (time, signature) = line.signature.split_first_chunk::<8>().ok_or_else(bad)?;
                let time_s = u64::from_be_bytes(*time);
                if time_s > COSIGNED_AT_MAX {
                    return Err(bad());
                }
                witness.verify(cosigned_message(time_s, &self.checkpoint).as_bytes(), signature)?;
                found.push(Cosignature { witness: witness.name().to_owned(), time_s });
            }
        }
        Ok(found)
    }

    /// Adds the cosignature of a witness that has seen the log grow consistently up to here. `time_s`: seconds
    /// since 1970. The witness checks consistency itself before calling ([`crate::tree::verify_consistency`]).
    pub fn cosign(&mut self, key: &SigningKey, time_s: u64) -> Result<(), Error> {
        if key.verifier().purpose() != KeyUse::Witness {
            return Err(Error::Key { name: key.name().to_owned(), reason: "a log key cannot cosign" });
        }
        if time_s > COSIGNED_AT_MAX {
            return Err(Error::Key { name: key.name().to_owned(), reason: "the time is above 2^63 - 1 seconds" });
        }
        let mut signature = time_s.to_be_bytes().to_vec();
        signature.extend_from_slice(&key.sign(cosigned_message(time_s, &self.checkpoint).as_bytes())?);
        self.attach(NoteSignature { name: key.name().to_owned(), id: key.verifier().id(), signature })
    }

    /// Adds a line that came from elsewhere, such as a witness's answer. It replaces an older line by the same key, but
    /// never the log's own first line.
    pub fn attach(&mut self, line: NoteSignature) -> Result<(), Error> {
        let same = |known: &NoteSignature| known.name == line.name && known.id == line.id;
        if self.signatures.first().is_some_and(same) {
            return Err(Error::Key { name: line.name, reason: "this key has signed the checkpoint already" });
        }
        self.signatures.retain(|known| !same(known));
        if self.signatures.len() >= SIGNATURES_MAX {
            return Err(Error::Malformed { what: "signed checkpoint", expected: "at most 64 signatures" });
        }
        self.signatures.push(line);
        Ok(())
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.checkpoint.body())?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

pub(crate) fn decode_hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

// C2SP tlog-checkpoint only recommends that origin and key name match; for our own logs it is the rule, so that one
// log's checkpoint can never stand in for another's under a shared key.
fn check_origin(expected: &str, checkpoint: &Checkpoint) -> Result<(), Error> {
    if checkpoint.origin == expected {
        return Ok(());
    }
    Err(Error::OtherLog { expected: expected.to_owned(), found: checkpoint.origin.clone() })
}

// C2SP tlog-cosignature, "Ed25519 signed message".
fn cosigned_message(time_s: u64, checkpoint: &Checkpoint) -> String {
    format!("cosignature/v1\ntime {time_s}\n{}", checkpoint.body())
}

// C2SP tlog-cosignature, "Format": the time must not exceed 2^63 - 1.
const COSIGNED_AT_MAX: u64 = u64::MAX >> 1;

#[cfg(test)]
mod tests;
