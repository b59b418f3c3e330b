//! One file that shows a consent to somebody who has none of our software: an archive (ZIP, stored without compression)
//! with the record, the exact words shown, what each leaf of the log is about, the log's receipts, and how to check all
//! of it.
//!
//! Invariants: the contents come first, and their hashes (`SHA256SUMS`) are what the log is told of; then the receipts
//! are put beside them. The same input gives the same bytes: entries in a fixed order, all dated 1980-01-01.

use super::{Defect, Grade};
use crate::document::canonical::Sha256;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Acts in one file at most.
const ACTS_MAX: usize = 1_000;
/// Bytes of all contents at most.
pub(super) const SIZE_MAX: usize = 16 * 1024 * 1024;

pub(super) const RECORD: &str = "record.jsonld";
pub(super) const SUMS: &str = "SHA256SUMS";
pub(super) const BLINDS: &str = "blinds.txt";
pub(super) const KEY: &str = "log.vkey";
/// How the names of receipts end.
pub(super) const RECEIPT: &str = ".tlog-proof";
/// The receipt of the leaf that says what was handed over.
pub(super) const EXPORT: &str = "export.tlog-proof";

/// An evidence file that cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EvidenceFileError {
    /// The record is not JSON, or names a notice that is not beside it.
    #[error("the record does not say which notice was shown")]
    NoNotice,
    /// The notice is not the one that was shown.
    #[error("the notice does not have the hash that the record states")]
    OtherNotice,
    /// Too many acts or too many bytes.
    #[error("too much for one file of evidence")]
    TooLarge,
    /// The archive could not be written.
    #[error("the archive could not be written")]
    Archive,
}

/// What the record is a record of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// Of a consent.
    Consent,
    /// Of a basis that is no consent, as its words say.
    OtherBasis(&'static str),
}

/// What a file is made of.
#[derive(Clone, Copy, Debug)]
pub struct EvidenceFile<'a> {
    /// What the record is of.
    pub about: About,
    /// The record.
    pub record: &'a [u8],
    /// The words shown: first those that the record names, if it names any.
    pub notices: &'a [Vec<u8>],
    /// What leaves of the log are about, oldest first.
    pub acts: &'a [ActShown],
    /// Public key of the log.
    pub log_key: &'a str,
    /// Blind of the leaf that says what is handed over.
    pub blind: [u8; 32],
    /// Why the record is no evidence, or not all of it.
    pub defects: &'a [Defect],
}

/// What a leaf is about.
#[derive(Clone, Debug)]
pub struct ActShown {
    /// A line on what it shows.
    pub about: String,
    /// What the leaf commits to and the blind; nothing for an import, which the controller's receipt opens.
    pub opening: Option<(Vec<u8>, [u8; 32])>,
}

/// The contents: all but the receipts.
#[derive(Clone, Debug)]
pub struct Contents {
    entries: Vec<(String, Vec<u8>)>,
    acts: usize,
}

impl EvidenceFile<'_> {
    /// Puts the contents together.
    ///
    /// # Errors
    /// `EvidenceFileError`; above all when the words are not those whose hash the record states.
    pub fn contents(&self) -> Result<Contents, EvidenceFileError> {
        let octets = self.acts.iter().flat_map(|act| &act.opening).map(|(statement, _)| statement.len()).sum::<usize>();
        let words = self.notices.iter().map(Vec::len).sum::<usize>();
        if self.acts.len() > ACTS_MAX || octets + words + self.record.len() > SIZE_MAX {
            return Err(EvidenceFileError::TooLarge);
        }
        // GDPR Art. 7(1): a record with other words than those shown proves nothing.
        match (notice_hash(self.record)?, self.notices.first()) {
            (None, None) => {}
            (Some(stated), Some(words)) if stated == Sha256::of(words) => {}
            (Some(_), Some(_)) => return Err(EvidenceFileError::OtherNotice),
            _ => return Err(EvidenceFileError::NoNotice),
        }
        let mut entries = vec![("README.txt".to_owned(), self.readme().into_bytes())];
        entries.push((RECORD.to_owned(), self.record.to_vec()));
        entries.extend(self.notices.iter().enumerate().map(|(index, words)| (notice_name(index), words.clone())));
        let mut blinds = String::new();
        for (name, (statement, blind)) in self.openings() {
            let _ = writeln!(blinds, "{}  {name}", model::ids::hex(blind));
            entries.push((name, statement.clone()));
        }
        let _ = writeln!(blinds, "{}  {SUMS}", model::ids::hex(&self.blind));
        entries.push((BLINDS.to_owned(), blinds.into_bytes()));
        entries.push((KEY.to_owned(), format!("{}\n", self.log_key).into_bytes()));
        let mut sums = String::new();
        for (name, bytes) in &entries {
            let _ = writeln!(sums, "{}  {name}", Sha256::of(bytes));
        }
        entries.push((SUMS.to_owned(), sums.into_bytes()));
        Ok(Contents { entries, acts: self.acts.len() })
    }

    fn openings(&self) -> impl Iterator<Item = (String, &(Vec<u8>, [u8; 32]))> {
        let acts = self.acts.iter().enumerate();
        acts.filter_map(|(index, act)| Some((format!("act-{}.json", index + 1), act.opening.as_ref()?)))
    }

    fn readme(&self) -> String {
        let mut text = match self.about {
            About::Consent => "EVIDENCE OF ONE CONSENT\n\n".to_owned(),
            About::OtherBasis(kind) => format!("RECORD OF A BASIS THAT IS NO CONSENT: {kind}\n\n"),
        };
        text.push_str(ABOUT);
        text.push_str("\nWHAT THE RECEIPTS SHOW\n\n");
        for (index, act) in self.acts.iter().enumerate() {
            let plain: String = act.about.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
            let _ = writeln!(text, "act-{}{RECEIPT}  {plain}", index + 1);
        }
        let _ = writeln!(text, "{EXPORT}  what is listed in SHA256SUMS was handed over");
        text.push_str("\nWHAT THE RECORD IS WORTH\n\n");
        if let About::OtherBasis(kind) = self.about {
            let _ =
                writeln!(text, "This is no consent, and shows none. It shows that this basis was recorded: {kind}.");
            return text;
        }
        let worst = self.defects.iter().map(|defect| defect.grade).max();
        text.push_str(match worst {
            None => "Nothing is missing: it shows who consented, when, how, to what and to whom.\n",
            Some(Grade::Unverified) => "UNVERIFIED: it was asserted, and not everything about it is known.\n",
            Some(Grade::Incomplete) => "INCOMPLETE: taken alone it is no evidence of consent (GDPR Art. 7(1)).\n",
            Some(Grade::Invalid) => "INVALID: there is no valid consent, whatever the record says.\n",
        });
        for defect in self.defects {
            let _ = writeln!(text, "- {}: {} ({})", defect.field, defect.sentence, defect.article);
        }
        text
    }
}

impl Contents {
    /// What the log is told of: the hash of `SHA256SUMS`, and so of everything here.
    #[must_use]
    pub fn sha256(&self) -> Sha256 {
        self.entries.last().map_or_else(|| Sha256::of(&[]), |(_, sums)| Sha256::of(sums))
    }

    /// The file. `receipts`: one for each act, then that of the leaf that says what is handed over.
    ///
    /// # Errors
    /// `EvidenceFileError`.
    pub fn file(&self, receipts: &[String]) -> Result<Vec<u8>, EvidenceFileError> {
        let Some((export, acts)) = receipts.split_last().filter(|(_, acts)| acts.len() == self.acts) else {
            return Err(EvidenceFileError::Archive);
        };
        let names = (1..).map(|number| format!("act-{number}{RECEIPT}"));
        let receipts = names.zip(acts).chain([(EXPORT.to_owned(), export)]);
        let receipts: Vec<_> = receipts.map(|(name, text)| (name, text.as_bytes())).collect();
        let contents = self.entries.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice()));
        archive(contents.chain(receipts)).map_err(|_| EvidenceFileError::Archive)
    }
}

pub(super) fn notice_name(index: usize) -> String {
    if index == 0 { "notice.txt".to_owned() } else { format!("notice-{}.txt", index + 1) }
}

/// The hash of the words that a record names.
pub(super) fn notice_hash(record: &[u8]) -> Result<Option<Sha256>, EvidenceFileError> {
    let record: Value = serde_json::from_slice(record).map_err(|_| EvidenceFileError::NoNotice)?;
    let Some(notice) = record.get("dpv:hasNotice") else { return Ok(None) };
    let stated = notice.get("schema:sha256").and_then(Value::as_str);
    stated.and_then(|text| Sha256::from_hex(text).ok()).map(Some).ok_or(EvidenceFileError::NoNotice)
}

fn archive<'a>(entries: impl Iterator<Item = (String, &'a [u8])>) -> zip::result::ZipResult<Vec<u8>> {
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
record.jsonld     the record, JSON-LD in the words of the W3C Data Privacy Vocabulary
                  (https://w3id.org/dpv), of a consent after ISO/IEC TS 27560:2023. The
                  person is named by a reference that only the controller can resolve.
notice.txt        the exact words that were shown, byte for byte; notice-2.txt and so
                  on: those of other acts. Without them nobody knows the words.
act-N.json        what one act was: canonical JSON (RFC 8785), as the log committed to
                  it at the time of the act. \"notice\" is the SHA-256 of the words. Since
                  version 2 (\"v\"): \"subject\" names the person as the record does,
                  \"basis\" is what was recorded, \"by\" who recorded it (a page of the
                  platform, or the controller, whose word it is), \"words\" the SHA-256 of
                  the purpose's words. Version 1 does not say these.
act-N.tlog-proof  the receipt of that act: that its leaf stands in the controller's
                  log, in the format of C2SP tlog-proof (https://c2sp.org/tlog-proof).
blinds.txt        one secret for each leaf, without which nobody can tell what a leaf
                  is about. Keep this file as carefully as the person's data.
log.vkey          the public key of the log. Trust the copy that you had before.
SHA256SUMS        hashes of everything but the receipts.
export.tlog-proof the receipt of the leaf that commits to SHA256SUMS: whatever was
                  changed here since it was handed over does not lead to it.

HOW TO CHECK

With Postern, offline: postern consent verify FILE --key VKEY

By hand:
1. Nothing was changed: sha256sum -c SHA256SUMS
2. The words: the SHA-256 of notice.txt is \"schema:sha256\" under \"dpv:hasNotice\" in
   record.jsonld, and \"notice\" in the act-N.json that were done with it.
3. The log. Each receipt: give it to any verifier of C2SP tlog-proof with log.vkey. The
   leaf is in its line \"extra\", in base64 (RFC 4648); it needs no trust, because its
   hash must lead to the signed root:
       sed -n 's/^extra //p' act-1.tlog-proof | base64 -d
4. What a leaf is about: its \"commit\" is the HMAC-SHA-256, under the blind, of the
   SHA-256 of act-N.json (for export.tlog-proof: of SHA256SUMS), all in hexadecimal:
       openssl dgst -sha256 -binary act-1.json |
           openssl dgst -sha256 -mac HMAC -macopt hexkey:BLIND
   \"id\" of the leaf is \"event\" of act-N.json.
   The person: \"subject\" of each act-N.json of version 2 is \"dct:identifier\" under
   \"dpv:hasDataSubject\" in record.jsonld.
5. An import's leaf has no act-N.json: it opens with the nonce of the receipt that the
   controller was given when he imported.
6. A later checkpoint of the same log, or one that a witness signed, shows that the log
   was not rewritten since.
";
