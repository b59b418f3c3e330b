//! What the ledger commits to when accounts and wishes change: one hash over everything that the change says.
//!
//! Canonical: a word for the kind of change, then its fields in the order below, each with its length before it;
//! numbers and times as 8 bytes big-endian, what is absent as an empty field. Whoever holds the row can show that the
//! leaf is about it. Never: a person's tag, which would tie a leaf to him beyond his erasure; a secret of a credential.

use crate::engine::{AgreementRow, Change, CredentialRow, DomainRow, InstructionRow, PurposeRow, StreamRow};
use crate::vault::crypto;
use model::{ControllerId, Timestamp};

/// SHA-256 of the terms both sides agreed to (GDPR Art. 28(3)): whose, version, from, until.
pub(super) fn agreement(controller: ControllerId, version: u32, from: Timestamp, until: Option<Timestamp>) -> [u8; 32] {
    let mut fields = Fields::of("agreement-terms");
    fields.number(controller.0).number(version.into()).time(Some(from)).time(until);
    fields.hash()
}

/// Everything that a change says.
pub(super) fn of(change: &Change) -> [u8; 32] {
    let mut fields = Fields::of(word(change));
    match change {
        // A hash over everything already. What an act of consent says can so be opened with a few common tools.
        Change::Rows(writes) => return writes.detail,
        Change::Controller { id, name, at } => fields.number(*id).text(name).time(Some(*at)),
        Change::Agreement(row) => agreement_row(&mut fields, row),
        Change::AgreementState { controller, state, until } => fields.number(*controller).text(state).time(*until),
        Change::Instruction(row) => instruction_row(&mut fields, row),
        Change::InstructionState { controller, state } => fields.number(*controller).text(state),
        Change::Stream(row) => stream_row(&mut fields, row),
        Change::Domain(row) => domain_row(&mut fields, row),
        Change::Credential(row) => credential_row(&mut fields, row),
        Change::Revoke { controller, id, at } => fields.number(*controller).number(*id).time(Some(*at)),
        Change::Suppress(row) => fields.text(&row.scope).text(&row.reason).time(Some(row.since)).time(row.until),
        Change::Purpose { row, at } => purpose_row(&mut fields, row).time(Some(*at)),
        Change::Restrict { kind, at, .. } => fields.text(kind).time(Some(*at)),
    };
    fields.hash()
}

const fn word(change: &Change) -> &'static str {
    match change {
        Change::Controller { .. } => "controller",
        Change::Agreement(_) => "agreement",
        Change::AgreementState { .. } => "agreement-state",
        Change::Instruction(_) => "instruction",
        Change::InstructionState { .. } => "instruction-state",
        Change::Stream(_) => "stream",
        Change::Purpose { .. } => "purpose",
        Change::Rows(_) => "rows",
        Change::Domain(_) => "domain",
        Change::Credential(_) => "credential",
        Change::Revoke { .. } => "revoke",
        Change::Suppress(_) => "suppress",
        Change::Restrict { .. } => "restrict",
    }
}

fn agreement_row<'f>(fields: &'f mut Fields, row: &AgreementRow) -> &'f mut Fields {
    fields.number(row.id).number(row.controller).number(row.version.into()).text(&row.state);
    fields.time(Some(row.from)).time(row.until).bytes(&row.document)
}

fn instruction_row<'f>(fields: &'f mut Fields, row: &InstructionRow) -> &'f mut Fields {
    fields.number(row.id).number(row.controller).number(row.version.into()).text(&row.state).time(Some(row.from));
    fields.text(&row.operations).text(&row.streams).bytes(&row.messages_per_day_max.to_be_bytes())
}

fn stream_row<'f>(fields: &'f mut Fields, row: &StreamRow) -> &'f mut Fields {
    fields.number(row.id).number(row.controller).text(&row.name).text(&row.kind).text(&row.purpose);
    fields.text(&row.purposes).text(&row.terms)
}

fn purpose_row<'f>(fields: &'f mut Fields, row: &PurposeRow) -> &'f mut Fields {
    fields.number(row.id).number(row.controller).text(&row.name).text(&row.kind).number(row.parent.unwrap_or(0));
    fields.text(&row.bases).text(&row.reference).text(&row.texts)
}

fn domain_row<'f>(fields: &'f mut Fields, row: &DomainRow) -> &'f mut Fields {
    fields.number(row.id).number(row.controller).text(&row.name).time(row.verified);
    fields.text(&row.rsa_selector).text(&row.ed25519_selector)
}

fn credential_row<'f>(fields: &'f mut Fields, row: &CredentialRow) -> &'f mut Fields {
    fields.number(row.id).number(row.controller).text(&row.username).text(&row.key_name);
    fields.number(row.default_stream).text(&row.streams).time(row.expires).text(&row.scopes)
}

/// Fields in order.
struct Fields(Vec<Vec<u8>>);

impl Fields {
    fn of(word: &str) -> Self {
        Self(vec![word.as_bytes().to_vec()])
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.push(bytes.to_vec());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn number(&mut self, number: i64) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    fn time(&mut self, time: Option<Timestamp>) -> &mut Self {
        match time {
            Some(time) => self.number(time.micros()),
            None => self.bytes(&[]),
        }
    }

    fn hash(&self) -> [u8; 32] {
        let fields: Vec<&[u8]> = self.0.iter().map(Vec::as_slice).collect();
        crypto::sha256_of_fields(&fields)
    }
}
