//! The receipt of one entry: a `.tlog-proof` file that anybody can check without us (C2SP tlog-proof v1).
//!
//! Invariants: the form is `c2sp.org/tlog-proof@v1`; the `extra` line, when we write it, holds the entry itself, which
//! needs no trust because its hash must lead to the signed root. `verify` checks, in this order, the log's signature,
//! the known witnesses' cosignatures and the path. Pure code.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Cosignature, SignedCheckpoint, decode_hash};
use crate::entry::ENTRY_BYTES_MAX;
use crate::error::Error;
use crate::key::VerifierKey;
use crate::tree::{Hash, INCLUSION_HASHES_MAX, leaf_hash, verify_inclusion};

/// Most bytes of a proof file.
pub const PROOF_BYTES_MAX: usize = CHECKPOINT_BYTES_MAX + 2 * ENTRY_BYTES_MAX;
/// First line of the file.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// An offline proof that an entry is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    entry: Option<Vec<u8>>,
    index: u64,
    path: Vec<Hash>,
    checkpoint: SignedCheckpoint,
}

/// What a verified proof says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The log.
    pub origin: String,
    /// Position of the entry.
    pub index: u64,
    /// Entries the log had at the checkpoint.
    pub size: u64,
    /// Known witnesses that cosigned the checkpoint.
    pub cosignatures: Vec<Cosignature>,
}

impl LogProof {
    /// From its parts; `entry` is enclosed in the file when given.
    #[must_use]
    pub fn new(index: u64, path: Vec<Hash>, checkpoint: SignedCheckpoint, entry: Option<Vec<u8>>) -> Self {
        Self { entry, index, path, checkpoint }
    }

    /// Position of the entry.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The entry enclosed in the file, unproven until `verify_enclosed`.
    #[must_use]
    pub fn entry(&self) -> Option<&[u8]> {
        self.entry.as_deref()
    }

    /// The checkpoint in the file, unproven until `verify`.
    #[must_use]
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Reads a proof file.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let malformed = |expected| Error::Malformed { what: "log proof", expected };
        if text.len() > PROOF_BYTES_MAX {
            return Err(malformed("a file of at most 531,070 bytes"));
        }
        let text = str::from_utf8(text).map_err(|_| malformed("UTF-8"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(|| malformed("an empty line after the path"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(malformed("c2sp.org/tlog-proof@v1 as the first line"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra ")).and_then(|line| line.strip_prefix("extra "));
        let entry = extra.map(|text| STANDARD.decode(text)).transpose().map_err(|_| malformed("extra in base64"))?;
        let number = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = number
            .and_then(|text| text.parse::<u64>().ok().filter(|index| index.to_string() == text))
            .ok_or_else(|| malformed("a line `index` with a decimal number"))?;
        let path = lines.map(decode_hash).collect::<Option<Vec<Hash>>>();
        let path = path.ok_or_else(|| malformed("hashes of 32 bytes in base64, one a line"))?;
        if path.len() > INCLUSION_HASHES_MAX {
            return Err(malformed("at most 63 hashes"));
        }
        Ok(Self { entry, index, path, checkpoint: SignedCheckpoint::parse(checkpoint.as_bytes())? })
    }

    /// Is this entry in the log of this key, as the checkpoint signed it? C2SP tlog-proof, "Verifying".
    pub fn verify(&self, entry: &[u8], log: &VerifierKey, witnesses: &[VerifierKey]) -> Result<Proven, Error> {
        let checkpoint = self.checkpoint.verify(log)?;
        let cosignatures = self.checkpoint.cosignatures(witnesses)?;
        verify_inclusion(&leaf_hash(entry), self.index, checkpoint.size(), &self.path, checkpoint.root())?;
        let (origin, index, size) = (checkpoint.origin().to_owned(), self.index, checkpoint.size());
        Ok(Proven { origin, index, size, cosignatures })
    }

    /// The same for the entry enclosed in the file.
    pub fn verify_enclosed(&self, log: &VerifierKey, witnesses: &[VerifierKey]) -> Result<Proven, Error> {
        let missing = Error::Malformed { what: "log proof", expected: "a line `extra` with the entry" };
        self.verify(self.entry.as_deref().ok_or(missing)?, log, witnesses)
    }
}

impl fmt::Display for LogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(entry) = &self.entry {
            writeln!(f, "extra {}", STANDARD.encode(entry))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests;
