//! A controller's suppression list as words and files: what scopes and entries are called outside, whole files of
//! entries taken in, the list written out.
//!
//! Invariants: a file only adds entries, by the rule that what a person wished stands; memory does not grow with the
//! file, but for the first problems; no report repeats an address. Cells that a spreadsheet would take for formulas are
//! made harmless, and are read as they were: a list that was written out and taken in is the same list.
//! Never: an entry lifted by a file.

use crate::import::{
    Dates, FileFault, Format, ImportReader, Input, Mapping, OpenError, Opened, Provenance, Reason, Remember, RowFate,
    Settings, push_cell, unguarded,
};
use crate::import::{Details, Field};
use mail::address::Address;
use model::ids::hex;
use model::person::{SuppressionReason, SuppressionScope};
use model::{ControllerId, ListId, PurposeId, RecipientTag, Timestamp};
use serde_json::{Value, json};
use std::io::Read;
use store::Store;
use store::permission::{FileCounts, FileReceipt, ListedSuppression, NewSuppression, SUPPRESSIONS_AT_ONCE};
use tokio::sync::mpsc;

/// Slices of rows that wait for the store at most.
const WAITING: usize = 4;
/// Problems that are told one by one.
pub const PROBLEMS_MAX: usize = 1_000;
/// The columns of an export, and the names by which a file may say scope and reason of a row.
const COLUMNS: &str = "id,email,scope,reason,since,until";
const SCOPE: &str = "scope";
const REASON: &str = "reason";

/// A scope in words: `all`, `marketing`, `delivery`, `purpose:NAME`, `list:NAME`.
#[must_use]
pub fn scope_word(store: &Store, controller: ControllerId, scope: SuppressionScope) -> String {
    match scope {
        SuppressionScope::All => "all".to_owned(),
        SuppressionScope::Marketing => "marketing".to_owned(),
        SuppressionScope::Delivery => "delivery".to_owned(),
        SuppressionScope::Purpose(id) => {
            let known = store.purpose(controller, id);
            format!("purpose:{}", known.map_or_else(|| store.public_id(id), |known| known.name.clone()))
        }
        SuppressionScope::List(id) => {
            let known = store.lists(controller).into_iter().find(|list| list.id == id);
            format!("list:{}", known.map_or_else(|| store.public_id(id), |known| known.name))
        }
    }
}

/// A scope from its words; `stream:NAME` is the first purpose of that stream.
#[must_use]
pub fn scope_from(store: &Store, controller: ControllerId, text: &str) -> Option<SuppressionScope> {
    match text.split_once(':') {
        None => plain_scope(text),
        Some(("stream", name)) => {
            store.stream_named(controller, name).map(|stream| SuppressionScope::Purpose(stream.default_purpose()))
        }
        Some(("purpose", name)) => {
            let list = store.lists(controller).into_iter().any(|list| list.name == name);
            store.purpose_named(controller, name).filter(|_| !list).map(SuppressionScope::Purpose)
        }
        Some(("list", name)) => {
            let list = store.lists(controller).into_iter().find(|list| list.name == name);
            list.map(|list| SuppressionScope::List(list.id))
        }
        Some(_) => None,
    }
}

fn plain_scope(text: &str) -> Option<SuppressionScope> {
    match text {
        "all" => Some(SuppressionScope::All),
        "marketing" => Some(SuppressionScope::Marketing),
        "delivery" => Some(SuppressionScope::Delivery),
        _ => None,
    }
}

/// What a controller may state. Bounces are the platform's to record; an erasure has a procedure of its own (GDPR
/// Art. 17).
#[must_use]
pub fn reason_from(text: &str) -> Option<SuppressionReason> {
    SuppressionReason::from_word(text).filter(|reason| {
        matches!(
            reason,
            SuppressionReason::Controller
                | SuppressionReason::OptOut
                | SuppressionReason::Complaint
                | SuppressionReason::Objection
        )
    })
}

/// The name of an entry: the person's, and the scope. It says nothing of his address.
#[must_use]
pub fn entry_id(store: &Store, controller: ControllerId, tag: RecipientTag, scope: SuppressionScope) -> String {
    let person = store.person_id(controller, tag);
    let scope = match scope {
        SuppressionScope::All => "all".to_owned(),
        SuppressionScope::Marketing => "marketing".to_owned(),
        SuppressionScope::Delivery => "delivery".to_owned(),
        SuppressionScope::Purpose(id) => store.public_id(id),
        SuppressionScope::List(id) => store.public_id(id),
    };
    format!("{person}.{scope}")
}

/// Person and scope of such a name.
#[must_use]
pub fn parse_entry(store: &Store, controller: ControllerId, text: &str) -> Option<(RecipientTag, SuppressionScope)> {
    let (person, scope) = text.split_once('.')?;
    let purpose = || store.parse_public::<PurposeId>(scope).map(SuppressionScope::Purpose);
    let list = || store.parse_public::<ListId>(scope).map(SuppressionScope::List);
    Some((store.parse_person(controller, person)?, plain_scope(scope).or_else(purpose).or_else(list)?))
}

/// How the list is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sheet {
    /// A header row, `,` between cells, CRLF (RFC 4180).
    Csv,
    /// One object a line.
    JsonLines,
}

impl Sheet {
    /// From its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::JsonLines),
            _ => None,
        }
    }

    /// What stands before the first entry.
    #[must_use]
    pub fn head(self) -> String {
        if self == Self::Csv { format!("{COLUMNS}\r\n") } else { String::new() }
    }

    /// Writes an entry.
    pub fn write(self, out: &mut String, store: &Store, controller: ControllerId, entry: &ListedSuppression) {
        match self {
            Self::Csv => {
                out.push_str(&entry_id(store, controller, entry.tag, entry.scope));
                push_cell(out, entry.address.as_deref().unwrap_or_default());
                push_cell(out, &scope_word(store, controller, entry.scope));
                push_cell(out, entry.reason.as_str());
                push_cell(out, &moment(entry.since));
                push_cell(out, &entry.until.map(moment).unwrap_or_default());
                out.push_str("\r\n");
            }
            Self::JsonLines => {
                out.push_str(&shown(store, controller, entry).to_string());
                out.push('\n');
            }
        }
    }
}

/// An entry as JSON.
#[must_use]
pub fn shown(store: &Store, controller: ControllerId, entry: &ListedSuppression) -> Value {
    let mut value = json!({
        "id": entry_id(store, controller, entry.tag, entry.scope),
        "scope": scope_word(store, controller, entry.scope),
        "reason": entry.reason.as_str(),
        "since": moment(entry.since),
    });
    if let Some(address) = &entry.address {
        value["email"] = json!(address);
    }
    if let Some(until) = entry.until {
        value["until"] = json!(moment(until));
    }
    value
}

fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.seconds()).map(|at| at.to_string()).unwrap_or_default()
}

/// What is said of a whole file of entries.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// How it is written.
    pub format: Format,
    /// Of rows that have no column `scope`.
    pub scope: SuppressionScope,
    /// Of rows that have no column `reason`.
    pub reason: SuppressionReason,
}

/// What became of a file.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TakenIn {
    /// Rows read.
    pub rows: u64,
    /// Entries that are new or stronger now.
    pub added: u64,
    /// Rows whose entry stood already.
    pub unchanged: u64,
    /// Rows that could not be read, or whose scope or reason is none.
    pub faulty: u64,
    /// The first [`PROBLEMS_MAX`] faulty rows: line and what is wrong.
    pub problems: Vec<(u64, String)>,
    /// SHA-256 and octets of the file, and what opens its leaf in the ledger.
    pub receipt: Option<([u8; 32], u64, FileReceipt)>,
}

impl TakenIn {
    fn fault(&mut self, line: u64, what: String) {
        self.faulty += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push((line, what));
        }
    }

    /// The report. No address is in it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let problems: Vec<Value> =
            self.problems.iter().map(|(line, what)| json!({ "line": line, "problem": what })).collect();
        let left_out = self.faulty - self.problems.len() as u64;
        let mut all = json!({
            "rows": self.rows, "added": self.added, "unchanged": self.unchanged, "faulty": self.faulty,
            "problems": problems, "problems_left_out": left_out,
        });
        if let Some((sha256, octets, receipt)) = &self.receipt {
            all["file_sha256"] = json!(hex(sha256));
            all["file_octets"] = json!(octets);
            all["event"] = json!(receipt.event.to_hex());
            all["nonce"] = json!(hex(&receipt.nonce));
            all["commitment"] = json!(hex(&receipt.commitment));
        }
        all
    }
}

/// Why a file was not taken in to its end. What came before stands: an entry only keeps mail away.
#[derive(Debug, thiserror::Error)]
pub enum NotTakenIn {
    /// Its beginning cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It broke off.
    #[error("{fault}; the {rows} rows before were taken in")]
    File {
        /// What happened.
        fault: FileFault,
        /// Rows before.
        rows: u64,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A thread fell over.
    #[error("the reading of the file fell over")]
    Broken,
}

/// Takes a file in: CSV, JSON Lines or one address a line. Columns `scope` and `reason` speak for their row.
///
/// # Errors
/// [`NotTakenIn`]; giving the file again is as good as giving it once.
pub async fn take_in<R: Read + Send + 'static>(
    store: &Store,
    controller: ControllerId,
    said: Said,
    file: R,
) -> Result<TakenIn, NotTakenIn> {
    let (now, key) = (store.now(), store.import_key()?);
    let opening = tokio::task::spawn_blocking(move || open(file, said.format, now, key));
    let (mut reader, whose) = opening.await.map_err(|_| NotTakenIn::Broken)??;
    let (give, mut rows) = mpsc::channel(WAITING);
    let reading = tokio::task::spawn_blocking(move || {
        loop {
            let Some(batch) = reader.next_batch(SUPPRESSIONS_AT_ONCE)? else {
                return reader.finish().map(|finished| Some(finished.digest));
            };
            if give.blocking_send(batch).is_err() {
                return Ok(None);
            }
        }
    });
    let mut taken = TakenIn::default();
    while let Some(batch) = rows.recv().await {
        let entries = understood(store, controller, (said, whose), &mut taken, batch);
        let changed = store.suppress_many(controller, &entries).await?;
        let added = changed.iter().filter(|changed| **changed).count() as u64;
        taken.added += added;
        taken.unchanged += changed.len() as u64 - added;
    }
    let ended = reading.await.map_err(|_| NotTakenIn::Broken)?;
    let digest = ended.map_err(|fault| NotTakenIn::File { fault, rows: taken.rows })?;
    if let Some(digest) = digest {
        let counts = FileCounts { added: taken.added, unchanged: taken.unchanged, faulty: taken.faulty };
        let receipt = store.suppressions_imported(controller, digest.sha256, counts).await?;
        taken.receipt = Some((digest.sha256, digest.octets, receipt));
    }
    Ok(taken)
}

/// Who wrote a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Written {
    /// [`Sheet::Csv`].
    Here,
    /// Somebody.
    Elsewhere,
}

impl Written {
    /// The address that a cell means.
    fn read(self, address: Address) -> Address {
        if self == Self::Elsewhere {
            return address;
        }
        let wire = address.to_wire();
        let plain = unguarded(&wire);
        // Without the guard it was an address when it was written.
        if plain.len() == wire.len() { address } else { Address::parse(plain).unwrap_or(address) }
    }
}

type Reader<R> = (ImportReader<R>, Written);

fn open<R: Read>(file: R, format: Format, now: Timestamp, key: [u8; 16]) -> Result<Reader<R>, OpenError> {
    let opened = Opened::read(file, Input::of(format))?;
    let suggested = Mapping::suggest(opened.header());
    let mut mapping = Mapping::new();
    if let Some(column) = suggested.column_of(Field::Email) {
        mapping = mapping.field(Field::Email, column);
    }
    for name in [SCOPE, REASON] {
        if opened.header().iter().any(|column| column.trim().eq_ignore_ascii_case(name)) {
            mapping = mapping.attribute(name, name);
        }
    }
    // One person may stand there several times, with several scopes: nothing is remembered.
    let settings = Settings {
        provenance: Provenance::default(),
        dates: Dates::at(now),
        remember: Remember { key, most: 0 },
        problems: 0,
    };
    let is_ours = matches!(format, Format::Csv { .. }) && opened.header().join(",") == COLUMNS;
    let whose = if is_ours { Written::Here } else { Written::Elsewhere };
    Ok((opened.import(&mapping, settings)?, whose))
}

/// The entries of a slice; what is wrong with the others goes to the report.
fn understood(
    store: &Store,
    controller: ControllerId,
    (said, whose): (Said, Written),
    taken: &mut TakenIn,
    batch: Vec<RowFate>,
) -> Vec<NewSuppression> {
    let mut entries = Vec::with_capacity(batch.len());
    for fate in batch {
        taken.rows += 1;
        let line = fate.line();
        let (address, details) = match fate {
            RowFate::Contact(row) => (row.address, row.details),
            RowFate::Quarantine(row) => (row.address, row.details),
            RowFate::Malformed { reason, .. } => {
                taken.fault(line, Reason::to_string(&reason));
                continue;
            }
            RowFate::Duplicate { .. } => {
                taken.fault(line, "the address came before".to_owned());
                continue;
            }
        };
        let address = whose.read(address);
        let scope = match cell(&details, SCOPE) {
            Some(text) => scope_from(store, controller, text),
            None => Some(said.scope),
        };
        let reason = match cell(&details, REASON) {
            // A list from elsewhere knows of mailboxes that are gone.
            Some(text) if text == SuppressionReason::HardBounce.as_str() => Some(SuppressionReason::HardBounce),
            Some(text) => reason_from(text),
            None => Some(said.reason),
        };
        match (scope, reason) {
            (Some(scope), Some(reason)) => entries.push(NewSuppression { address, scope, reason }),
            (None, _) => taken.fault(line, format!("scope: expected {SCOPES}")),
            (_, None) => taken.fault(line, format!("reason: expected {REASONS}")),
        }
    }
    entries
}

/// The words that a scope may have.
pub const SCOPES: &str = "all, marketing, delivery, purpose:NAME, list:NAME or stream:NAME";
/// The words that a controller's reason may have.
pub const REASONS: &str = "controller, opt-out, complaint or objection";

fn cell<'a>(details: &'a Details, name: &str) -> Option<&'a str> {
    details.attributes.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Delimiter;
    use proptest::prelude::*;

    /// What comes in of a list with these addresses.
    fn read(head: &str, addresses: &[Address]) -> Vec<String> {
        let mut file = format!("{head}\r\n");
        for address in addresses {
            file.push_str("sup_1");
            push_cell(&mut file, &address.to_wire());
            file.push_str(",marketing,objection,2026-01-01T00:00:00Z,\r\n");
        }
        let format = Format::Csv { delimiter: Delimiter::Auto };
        let (mut reader, whose) =
            open(std::io::Cursor::new(file), format, Timestamp::from_seconds(1), [7; 16]).unwrap();
        let mut found = Vec::new();
        while let Some(batch) = reader.next_batch(7).unwrap() {
            for fate in batch {
                let address = fate.address().expect("an address").clone();
                found.push(whose.read(address).to_wire());
            }
        }
        found
    }

    fn wires(addresses: &[Address]) -> Vec<String> {
        addresses.iter().map(Address::to_wire).collect()
    }

    #[test]
    fn art21_3_an_address_that_looks_like_a_formula_comes_back_as_it_was_and_a_guarded_one_too() {
        let texts =
            ["=sum@dest.example", "'=sum@dest.example", "''+1@dest.example", "-x@dest.example", "'x@dest.example"];
        let addresses = texts.map(|text| Address::parse(text).unwrap());
        assert_eq!(read(COLUMNS, &addresses), wires(&addresses));
        // Twin: what somebody else wrote is read as it stands.
        let plain = Address::parse("'=sum@dest.example").unwrap();
        let mut file = "email\r\n".to_owned();
        file.push_str(&plain.to_wire());
        let format = Format::Csv { delimiter: Delimiter::Auto };
        let (mut reader, whose) =
            open(std::io::Cursor::new(file), format, Timestamp::from_seconds(1), [7; 16]).unwrap();
        let fate = reader.next_batch(7).unwrap().unwrap().remove(0);
        assert_eq!(whose.read(fate.address().unwrap().clone()).to_wire(), plain.to_wire());
    }

    proptest! {
        #[test]
        fn rfc4180_a_list_that_was_written_out_comes_in_as_it_was(
            locals in proptest::collection::vec("[-='+@＝a-z,;\"]{1,8}", 1..20)
        ) {
            let mut addresses: Vec<Address> = Vec::new();
            for local in locals {
                let quoted = format!("\"{}\"@dest.example", local.replace('"', "\\\""));
                let plain = format!("{local}@dest.example");
                addresses.extend([plain, quoted].iter().filter_map(|text| Address::parse(text).ok()));
            }
            prop_assert_eq!(read(COLUMNS, &addresses), wires(&addresses));
        }
    }
}
