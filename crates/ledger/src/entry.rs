//! One ledger entry: canonical JSON over a closed set of fields, in which no address can be written.
//!
//! Invariants: the encoding is RFC 8785 (JCS), so equal entries are equal bytes; strings hold only
//! `A-Z a-z 0-9 - . _ : / + =`, which needs no escaping and has no commercial at; whole numbers stay within
//! 2^53 - 1; the result fits the 16-bit length prefix of an entry bundle. `decode(bytes)` accepts exactly what
//! `encode` writes. The position in the log is the index in the tree, never a field.
//!
//! Called by the store for every business event ([`EntryRef::encode_into`] is the hot path: no allocation when the
//! buffer has room) and by readers of a copied log. Never sees a clear address, a subject or a body.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Error;
use crate::tree::Hash;

/// Most bytes of an encoded entry. C2SP tlog-tiles, "Log entries": the length prefix is a uint16.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Most bytes of `id`, `type`, `instr`, `agr` and of a name in `counts`.
pub const FIELD_BYTES_MAX: usize = 256;
/// Most pairs in `counts`.
pub const COUNTS_MAX: usize = 64;
/// RFC 8785 §3.2.2.3: numbers are IEEE doubles; above this, whole numbers are no longer exact.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;
/// The version written into `v`.
pub const VERSION: u8 = 1;

/// An entry by reference, for writing without allocating.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntryRef<'a> {
    /// `id`: random event id, given by the caller (hex or base32).
    pub id: &'a str,
    /// `type`: the event, such as `message.accepted`.
    pub kind: &'a str,
    /// `t`: microseconds since 1970-01-01T00:00:00Z.
    pub time_us: u64,
    /// `instr`: id of the instruction acted on.
    pub instruction: Option<&'a str>,
    /// `agr`: id of the agreement acted under.
    pub agreement: Option<&'a str>,
    /// `sref`: HMAC of the event id under the subject's ledger key (64 hex digits in the entry).
    pub subject_ref: Option<&'a Hash>,
    /// `commit`: blinded commitment to the full record (64 hex digits in the entry).
    pub commitment: Option<&'a Hash>,
    /// `counts`: name and number, names strictly ascending.
    pub counts: &'a [(&'a str, u64)],
}

impl EntryRef<'_> {
    /// Appends the canonical bytes to `out`; on error `out` is as it was.
    pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        let result = write(self, self.counts.iter().copied(), out);
        let length = out.len() - start;
        if result.is_ok() && length > ENTRY_BYTES_MAX {
            out.truncate(start);
            return Err(Error::EntryTooLong { length });
        }
        if result.is_err() {
            out.truncate(start);
        }
        result
    }
}

/// An entry that owns its fields. Fields as in [`EntryRef`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    id: String,
    kind: String,
    time_us: u64,
    instruction: Option<String>,
    agreement: Option<String>,
    subject_ref: Option<Hash>,
    commitment: Option<Hash>,
    counts: BTreeMap<String, u64>,
    bytes: Vec<u8>,
}

impl Entry {
    /// Checks every field and keeps the canonical bytes. Errors name the field.
    pub fn new(fields: &EntryRef<'_>) -> Result<Self, Error> {
        let mut bytes = Vec::with_capacity(ENTRY_BYTES_USUAL);
        fields.encode_into(&mut bytes)?;
        Ok(Self {
            id: fields.id.to_owned(),
            kind: fields.kind.to_owned(),
            time_us: fields.time_us,
            instruction: fields.instruction.map(str::to_owned),
            agreement: fields.agreement.map(str::to_owned),
            subject_ref: fields.subject_ref.copied(),
            commitment: fields.commitment.copied(),
            counts: fields.counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
            bytes,
        })
    }

    /// Reads canonical bytes. Anything else, even JSON of the same meaning, is refused: two forms of one entry
    /// would have two leaf hashes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(Error::EntryTooLong { length: bytes.len() });
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|_| Error::EntryForm)?;
        let subject_ref = wire.sref.as_deref().map(parse_hex).transpose()?;
        let commitment = wire.commit.as_deref().map(parse_hex).transpose()?;
        let counts: Vec<(&str, u64)> = wire.counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        let entry = Self::new(&EntryRef {
            id: &wire.id,
            kind: &wire.kind,
            time_us: wire.t,
            instruction: wire.instr.as_deref(),
            agreement: wire.agr.as_deref(),
            subject_ref: subject_ref.as_ref(),
            commitment: commitment.as_ref(),
            counts: &counts,
        })?;
        if wire.v != VERSION || entry.bytes != bytes {
            return Err(Error::EntryForm);
        }
        Ok(entry)
    }

    /// The canonical bytes, a copy.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// The canonical bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// `t`, microseconds since 1970.
    #[must_use]
    pub fn time_us(&self) -> u64 {
        self.time_us
    }

    /// `instr`.
    #[must_use]
    pub fn instruction(&self) -> Option<&str> {
        self.instruction.as_deref()
    }

    /// `agr`.
    #[must_use]
    pub fn agreement(&self) -> Option<&str> {
        self.agreement.as_deref()
    }

    /// `sref`.
    #[must_use]
    pub fn subject_ref(&self) -> Option<&Hash> {
        self.subject_ref.as_ref()
    }

    /// `commit`.
    #[must_use]
    pub fn commitment(&self) -> Option<&Hash> {
        self.commitment.as_ref()
    }

    /// `counts`.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    id: String,
    #[serde(rename = "type")]
    kind: String,
    t: u64,
    instr: Option<String>,
    agr: Option<String>,
    sref: Option<String>,
    commit: Option<String>,
    #[serde(default)]
    counts: BTreeMap<String, u64>,
}

// RFC 8785 §3.2.3: members in ascending order of their names; all names here are ASCII, so byte order is right.
fn write<'a>(
    entry: &EntryRef<'_>,
    counts: impl ExactSizeIterator<Item = (&'a str, u64)>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    out.push(b'{');
    if let Some(agreement) = entry.agreement {
        write_text(out, b"\"agr\":\"", "agr", agreement)?;
    }
    if let Some(commitment) = entry.commitment {
        write_hex(out, b"\"commit\":\"", commitment);
    }
    if counts.len() > 0 {
        write_counts(out, counts)?;
    }
    write_text(out, b"\"id\":\"", "id", entry.id)?;
    if let Some(instruction) = entry.instruction {
        write_text(out, b"\"instr\":\"", "instr", instruction)?;
    }
    if let Some(subject_ref) = entry.subject_ref {
        write_hex(out, b"\"sref\":\"", subject_ref);
    }
    out.extend_from_slice(b"\"t\":");
    write_number(out, "t", entry.time_us)?;
    out.push(b',');
    write_text(out, b"\"type\":\"", "type", entry.kind)?;
    out.extend_from_slice(b"\"v\":1}");
    Ok(())
}

fn write_counts<'a>(out: &mut Vec<u8>, counts: impl ExactSizeIterator<Item = (&'a str, u64)>) -> Result<(), Error> {
    if counts.len() > COUNTS_MAX {
        return Err(Error::Counts { limit: COUNTS_MAX });
    }
    out.extend_from_slice(b"\"counts\":{");
    let mut before = "";
    for (position, (name, count)) in counts.enumerate() {
        if name <= before {
            return Err(Error::Counts { limit: COUNTS_MAX });
        }
        before = name;
        if position > 0 {
            out.push(b',');
        }
        check("counts", name)?;
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        write_number(out, "counts", count)?;
    }
    out.extend_from_slice(b"},");
    Ok(())
}

fn write_text(out: &mut Vec<u8>, opening: &[u8], field: &'static str, text: &str) -> Result<(), Error> {
    check(field, text)?;
    out.extend_from_slice(opening);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\",");
    Ok(())
}

// GDPR Art. 5(1)(c), 25: the ledger is kept for years and copied freely, so the writer itself makes an address
// impossible: there is no `@`, no percent sign and nothing outside ASCII to smuggle one in another spelling.
fn check(field: &'static str, text: &str) -> Result<(), Error> {
    if text.is_empty() || text.len() > FIELD_BYTES_MAX {
        return Err(Error::FieldLength { field, limit: FIELD_BYTES_MAX });
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':' | b'/' | b'+' | b'=');
    if text.bytes().all(allowed) { Ok(()) } else { Err(Error::FieldCharacter { field }) }
}

fn write_number(out: &mut Vec<u8>, field: &'static str, number: u64) -> Result<(), Error> {
    if number > NUMBER_MAX {
        return Err(Error::FieldNumber { field });
    }
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    let mut rest = number;
    for (position, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        first = position;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
    Ok(())
}

fn write_hex(out: &mut Vec<u8>, opening: &[u8], hash: &Hash) {
    out.extend_from_slice(opening);
    let mut text = [0u8; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(hash) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    out.extend_from_slice(&text);
    out.extend_from_slice(b"\",");
}

fn parse_hex(text: &str) -> Result<Hash, Error> {
    let mut hash = [0u8; 32];
    if text.len() != 64 {
        return Err(Error::EntryForm);
    }
    let value = |b: u8| HEX.iter().position(|digit| *digit == b).and_then(|v| u8::try_from(v).ok());
    for (pair, byte) in text.as_bytes().chunks_exact(2).zip(&mut hash) {
        let (high, low) = (value(pair[0]).ok_or(Error::EntryForm)?, value(pair[1]).ok_or(Error::EntryForm)?);
        *byte = high << 4 | low;
    }
    Ok(hash)
}

const HEX: &[u8; 16] = b"0123456789abcdef";
const ENTRY_BYTES_USUAL: usize = 320;

#[cfg(test)]
mod tests;
