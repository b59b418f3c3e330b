//! Reading an evidence file: is it whole, and which leaves of the log must hold what. The receipts themselves are
//! checked by who has the log's formats.
//!
//! Bad input: limits on size and entries come before anything is read.

use super::acts::ActRead;
use super::evidence_file::{
    BLINDS, EXPORT, EvidenceFileError, KEY, RECEIPT, RECORD, SIZE_MAX, SUMS, notice_hash, notice_name,
};
use super::rebuilt::{Worth, judged};
use crate::document::canonical::Sha256;
use model::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use zip::ZipArchive;

/// Entries of an archive at most.
const ENTRIES_MAX: usize = 4_096;

/// What is wrong with a file of evidence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EvidenceFault {
    /// Not an archive, or too large.
    #[error("this is no file of evidence: an archive of at most 16 MiB that `postern consent export` made")]
    Archive,
    /// A part is missing.
    #[error("{0} is missing")]
    Missing(String),
    /// A part is not what it was.
    #[error("{0} was changed: its SHA-256 is not the one in SHA256SUMS")]
    Changed(String),
    /// A part that is not listed.
    #[error("{0} does not belong to the file: SHA256SUMS does not name it")]
    Foreign(String),
    /// A list cannot be read.
    #[error("{0} cannot be read")]
    Unreadable(String),
    /// An act of somebody else.
    #[error("{0} is about another person than the record")]
    OtherPerson(String),
    /// The words are not those of the record or of an act.
    #[error("the words that {0} names are not in the file")]
    OtherWords(String),
    /// The record says what does not follow from its acts.
    #[error("record.jsonld says another {0} than the acts beside it")]
    Differs(&'static str),
    /// Nothing was done that the record could be of.
    #[error("there is no act beside the record by which anything was given, refused or asked for")]
    NoAct,
}

/// A receipt, and what its leaf must hold.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Name of the receipt.
    pub name: String,
    /// The receipt.
    pub receipt: Vec<u8>,
    /// The leaf's `id` and when, where what it is about says so.
    pub event: Option<(String, Timestamp)>,
    /// Blind and SHA-256 of what the leaf commits to; nothing for an import.
    pub opening: Option<([u8; 32], [u8; 32])>,
    /// Is it the leaf that says what was handed over?
    pub is_export: bool,
}

/// A file that is whole.
#[derive(Clone, Debug)]
pub struct EvidenceRead {
    /// The record.
    pub record: Value,
    /// SHA-256 of the words that the record names.
    pub notice: Option<Sha256>,
    /// The log's public key as the file has it.
    pub log_key: String,
    /// What the receipts must show.
    pub claims: Vec<Claim>,
    /// Acts whose statements are of version 1: they do not say about whom they are.
    pub unbound: usize,
    /// What it is worth.
    pub worth: Worth,
}

type Parts = BTreeMap<String, Vec<u8>>;

/// Reads a file, and checks everything that can be checked without the log's receipts.
///
/// # Errors
/// The first [`EvidenceFault`].
pub fn read_evidence(octets: &[u8]) -> Result<EvidenceRead, EvidenceFault> {
    let parts = unpacked(octets)?;
    let sums = listed(&parts, SUMS)?;
    for name in parts.keys().filter(|name| *name != SUMS && !name.ends_with(RECEIPT)) {
        if !sums.contains_key(name) {
            return Err(EvidenceFault::Foreign(name.clone()));
        }
    }
    for (name, sum) in &sums {
        if Sha256::of(part(&parts, name)?).to_string() != *sum {
            return Err(EvidenceFault::Changed(name.clone()));
        }
    }
    let record = part(&parts, RECORD)?;
    let unreadable = |name: &str| EvidenceFault::Unreadable(name.to_owned());
    let notice = notice_hash(record).map_err(|_: EvidenceFileError| unreadable(RECORD))?;
    let words = |name: &str| parts.get(name).map(|words| Sha256::of(words).to_string());
    if notice.as_ref().map(ToString::to_string) != words(&notice_name(0)) {
        return Err(EvidenceFault::OtherWords(RECORD.to_owned()));
    }
    let key = part(&parts, KEY)?;
    let record: Value = serde_json::from_slice(record).map_err(|_| unreadable(RECORD))?;
    let (acts, unbound) = bound(&parts, &record)?;
    let claims = claims(&parts)?;
    // The leaf of an import is opened by the receipt that the controller has, and by nothing here.
    let has_import = claims.iter().any(|claim| !claim.is_export && claim.opening.is_none());
    Ok(EvidenceRead {
        unbound,
        worth: judged(&record, &acts, has_import)?,
        record,
        notice,
        log_key: String::from_utf8_lossy(key).trim().to_owned(),
        claims,
    })
}

fn claims(parts: &Parts) -> Result<Vec<Claim>, EvidenceFault> {
    let blinds = listed(parts, BLINDS)?;
    let mut claims = Vec::new();
    for (name, receipt) in parts.iter().filter(|(name, _)| name.ends_with(RECEIPT)) {
        let is_export = name == EXPORT;
        let about = if is_export { SUMS.to_owned() } else { name.replace(RECEIPT, ".json") };
        let (mut event, mut opening) = (None, None);
        if let Some(bytes) = parts.get(&about) {
            let blind = blinds.get(&about).ok_or_else(|| EvidenceFault::Missing(format!("the blind of {about}")))?;
            let blind = Sha256::from_hex(blind).map_err(|_| EvidenceFault::Unreadable(BLINDS.to_owned()))?;
            opening = Some((blind.0, Sha256::of(bytes).0));
            if !is_export {
                event = Some(act(parts, &about)?);
            }
        }
        claims.push(Claim { name: name.clone(), receipt: receipt.clone(), event, opening, is_export });
    }
    for about in blinds.keys() {
        let receipt = if about == SUMS { EXPORT.to_owned() } else { about.replace(".json", RECEIPT) };
        part(parts, &receipt)?;
    }
    if !claims.iter().any(|claim| claim.is_export && claim.opening.is_some()) {
        return Err(EvidenceFault::Missing(EXPORT.to_owned()));
    }
    Ok(claims)
}

/// The acts, oldest first, each about the person whom the record names. How many do not say about whom they are.
fn bound(parts: &Parts, record: &Value) -> Result<(Vec<ActRead>, usize), EvidenceFault> {
    let person = record.pointer("/dpv:hasDataSubject/dct:identifier").and_then(Value::as_str);
    let (mut acts, mut unbound) = (Vec::new(), 0);
    let names = (1..=parts.len()).map(|number| format!("act-{number}.json"));
    for name in names.filter(|name| parts.contains_key(name)) {
        let act = read(parts, &name)?;
        if act.is_first_version {
            unbound += 1;
        } else if person.is_none() || act.subject.as_deref() != person {
            return Err(EvidenceFault::OtherPerson(name));
        }
        acts.push(act);
    }
    Ok((acts, unbound))
}

fn read(parts: &Parts, name: &str) -> Result<ActRead, EvidenceFault> {
    ActRead::parse(part(parts, name)?).ok_or_else(|| EvidenceFault::Unreadable(name.to_owned()))
}

/// The event of an act and when it was, whose words must be there.
fn act(parts: &Parts, name: &str) -> Result<(String, Timestamp), EvidenceFault> {
    let act = read(parts, name)?;
    if let Some(stated) = &act.notice {
        let of_file = (0..parts.len()).map(notice_name).map_while(|name| parts.get(&name));
        if !of_file.into_iter().any(|words| *stated == Sha256::of(words).to_string()) {
            return Err(EvidenceFault::OtherWords(name.to_owned()));
        }
    }
    Ok((act.event, act.at))
}

fn part<'a>(parts: &'a Parts, name: &str) -> Result<&'a Vec<u8>, EvidenceFault> {
    parts.get(name).ok_or_else(|| EvidenceFault::Missing(name.to_owned()))
}

/// A list of `HEX  NAME` lines, by name.
fn listed(parts: &Parts, list: &str) -> Result<BTreeMap<String, String>, EvidenceFault> {
    let unreadable = || EvidenceFault::Unreadable(list.to_owned());
    let text = str::from_utf8(part(parts, list)?).map_err(|_| unreadable())?;
    let line = |line: &str| line.split_once("  ").map(|(sum, name)| (name.to_owned(), sum.to_owned()));
    text.lines().map(line).collect::<Option<_>>().ok_or_else(unreadable)
}

fn unpacked(octets: &[u8]) -> Result<Parts, EvidenceFault> {
    let broken = |_| EvidenceFault::Archive;
    // Stored without compression: what is inside is no larger than the file.
    if octets.len() > 2 * SIZE_MAX {
        return Err(EvidenceFault::Archive);
    }
    let mut archive = ZipArchive::new(Cursor::new(octets)).map_err(broken)?;
    if archive.len() > ENTRIES_MAX {
        return Err(EvidenceFault::Archive);
    }
    let mut parts = Parts::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(broken)?;
        let (name, mut bytes) = (entry.name().map_err(broken)?.into_owned(), Vec::new());
        let limit = octets.len() as u64 + 1;
        entry.take(limit).read_to_end(&mut bytes).map_err(|_| EvidenceFault::Changed(name.clone()))?;
        if parts.insert(name, bytes).is_some() {
            return Err(EvidenceFault::Archive);
        }
    }
    Ok(parts)
}
