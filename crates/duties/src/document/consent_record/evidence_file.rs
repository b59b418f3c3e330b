//! One file that shows a consent to somebody who has none of our software: an archive (ZIP, stored without compression)
//! with the record, the exact words shown, proofs from the log, and how to check them.
//!
//! The same input gives the same bytes: entries in a fixed order, all dated 1980-01-01.

use crate::document::canonical::Sha256;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Proofs in one file at most.
const PROOFS_MAX: usize = 1_000;
/// Bytes of all contents at most.
const SIZE_MAX: usize = 16 * 1024 * 1024;

/// An evidence file that cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EvidenceFileError {
    /// The record is not JSON with the hash of a notice.
    #[error("the record does not say which notice was shown")]
    NoNotice,
    /// The notice is not the one that was shown.
    #[error("the notice does not have the hash that the record states")]
    OtherNotice,
    /// Too many proofs or too many bytes.
    #[error("too much for one file of evidence")]
    TooLarge,
    /// The archive could not be written.
    #[error("the archive could not be written")]
    Archive,
}

/// Makes the file. `proofs` are C2SP tlog-proofs with a line on what each proves.
///
/// # Errors
/// `EvidenceFileError`; above all when the words are not those whose hash the record states.
pub fn evidence_file(
    record_json_ld: &[u8],
    notice_bytes: &[u8],
    proofs: &[(&str, &str)],
) -> Result<Vec<u8>, EvidenceFileError> {
    let size = proofs.iter().map(|(name, text)| name.len() + text.len()).sum::<usize>();
    if proofs.len() > PROOFS_MAX || size + record_json_ld.len() + notice_bytes.len() > SIZE_MAX {
        return Err(EvidenceFileError::TooLarge);
    }
    // GDPR Art. 7(1): a record with other words than those shown proves nothing.
    if notice_hash(record_json_ld)? != Sha256::of(notice_bytes) {
        return Err(EvidenceFileError::OtherNotice);
    }
    let mut entries: Vec<(String, &[u8])> =
        vec![("record.jsonld".to_owned(), record_json_ld), ("notice.txt".to_owned(), notice_bytes)];
    for (index, (_, text)) in proofs.iter().enumerate() {
        entries.push((format!("proof-{}.tlog-proof", index + 1), text.as_bytes()));
    }
    let readme = readme(&entries, proofs);
    entries.insert(0, ("README.txt".to_owned(), readme.as_bytes()));
    archive(&entries).map_err(|_| EvidenceFileError::Archive)
}

fn notice_hash(record: &[u8]) -> Result<Sha256, EvidenceFileError> {
    let record: Value = serde_json::from_slice(record).map_err(|_| EvidenceFileError::NoNotice)?;
    let stated = record.get("dpv:hasNotice").and_then(|notice| notice.get("schema:sha256")).and_then(Value::as_str);
    stated.and_then(|text| Sha256::from_hex(text).ok()).ok_or(EvidenceFileError::NoNotice)
}

fn archive(entries: &[(String, &[u8])]) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(name.as_str(), options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

const ABOUT: &str = "\
EVIDENCE OF ONE CONSENT

record.jsonld   the record, JSON-LD after ISO/IEC TS 27560:2023 in the words of the
                W3C Data Privacy Vocabulary (https://w3id.org/dpv). The person is
                named by a reference that only the controller can resolve.
notice.txt      the exact words that were shown, byte for byte.
proof-N.tlog-proof
                proofs that an event stands in the controller's log, in the format
                of C2SP tlog-proof (https://c2sp.org/tlog-proof).

HOW TO CHECK

1. The words. Compute the SHA-256 of notice.txt and compare it with the value of
   \"schema:sha256\" under \"dpv:hasNotice\" in record.jsonld:
       sha256sum notice.txt              (Linux)
       shasum -a 256 notice.txt          (macOS)
       certutil -hashfile notice.txt SHA256   (Windows)
2. The record. Read record.jsonld: who (dpv:hasDataSubject), when and how
   (dpv:hasConsentStatus), to what (dpv:hasProcess, one entry for each purpose),
   to whom (dpv:hasDataController), how to withdraw (dpv:hasConsentControl).
3. The log. Check each proof with any verifier of C2SP tlog-proof and the public key
   of the log, which the controller holds. A proof holds for the entry whose hash it
   starts from; it needs no connection. A later checkpoint of the same log, or one
   that a witness signed, shows that the log was not rewritten since.
4. This archive is stored without compression. The hashes of its parts are below.

";

fn readme(entries: &[(String, &[u8])], proofs: &[(&str, &str)]) -> String {
    let mut text = ABOUT.to_owned();
    text.push_str("SHA-256\n\n");
    for (name, bytes) in entries {
        let _ = writeln!(text, "{}  {name}", Sha256::of(bytes));
    }
    if !proofs.is_empty() {
        text.push_str("\nPROOFS\n\n");
        for (index, (name, _)) in proofs.iter().enumerate() {
            let plain: String = name.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
            let _ = writeln!(text, "proof-{}.tlog-proof  {plain}", index + 1);
        }
    }
    text
}
