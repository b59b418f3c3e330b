//! Tests of the import: what they share.

mod arbitrary;
mod dates;
mod encodings;
mod fates;
mod json;
mod limits;
mod mapping;
mod report;
mod rows;

use std::io::Read;
use std::sync::Arc;

use model::Timestamp;
use model::basis::BasisKind;

use super::{
    Collected, Contact, CustomerFacts, Dates, Delimiter, Finished, Format, Given, ImportReader, Input, Mapping, Method,
    OpenError, Opened, Provenance, Reason, RowFate, Settings,
};

/// 2026-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
const CSV: Format = Format::Csv { delimiter: Delimiter::Auto };

/// A provenance that lacks nothing.
fn whole() -> Provenance {
    let collected = Collected::between(Timestamp::from_seconds(1_600_000_000), Timestamp::from_seconds(1_700_000_000));
    Provenance {
        source: Some(Arc::from("shop")),
        given: collected.map(Given::Between),
        method: Some(Method::Form),
        notice: Some(Arc::from("notice 3")),
        basis: Some(BasisKind::Consent),
        customer: CustomerFacts::default(),
        obtained: None,
        purposes: Arc::from([]),
    }
}

fn settings(provenance: Provenance) -> Settings {
    Settings::new(provenance, Dates::at(NOW), [7; 16])
}

/// Opens with the mapping that is proposed.
fn open<R: Read>(reader: R, input: Input, provenance: Provenance) -> Result<ImportReader<R>, OpenError> {
    let opened = Opened::read(reader, input)?;
    let mapping = Mapping::suggest(opened.header());
    opened.import(&mapping, settings(provenance))
}

/// All rows of a file that can be read to its end.
fn all(octets: &[u8], input: Input, provenance: Provenance) -> (Vec<RowFate>, Finished) {
    let mut reader = open(octets, input, provenance).unwrap();
    let mut fates = Vec::new();
    while let Some(batch) = reader.next_batch(7).unwrap() {
        assert!(!batch.is_empty() && batch.len() <= 7);
        fates.extend(batch);
    }
    let finished = reader.finish().unwrap();
    assert!(finished.report.reconciles());
    assert_eq!(finished.report.rows, fates.len() as u64);
    (fates, finished)
}

/// The rows of a CSV file for which everything else is known.
fn csv(text: &str) -> Vec<RowFate> {
    all(text.as_bytes(), Input::of(CSV), whole()).0
}

fn contact(fate: &RowFate) -> &Contact {
    match fate {
        RowFate::Contact(contact) => contact,
        other => panic!("{other:?}"),
    }
}

fn reason(fate: &RowFate) -> Reason {
    match fate {
        RowFate::Malformed { reason, .. } => *reason,
        other => panic!("{other:?}"),
    }
}

/// Line and fate of each row.
fn told(fates: &[RowFate]) -> Vec<(u64, &'static str)> {
    fates.iter().map(|fate| (fate.line(), fate.code())).collect()
}
