//! Whatever a file holds: no panic, counts that add up, and the same rows as another reader finds.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{
    Comments, DateOrder, Dates, Delimiter, Echo, Encoding, Field, Format, HeaderRow, Input, Mapping, Opened, Reason,
    ReportFormat, ReportWriter,
};
use super::*;

fn formats() -> impl Strategy<Value = Format> {
    prop_oneof![
        Just(CSV),
        Just(Format::Csv { delimiter: Delimiter::Semicolon }),
        Just(Format::JsonLines),
        Just(Format::PlainList { comments: Comments::Hash }),
    ]
}

fn encodings() -> impl Strategy<Value = Encoding> {
    prop_oneof![
        3 => Just(Encoding::Utf8OrMark),
        1 => Just(Encoding::Utf16Le),
        1 => Just(Encoding::Utf16Be),
        1 => Just(Encoding::Windows1252),
    ]
}

/// Octets that are likely to mean something to the reader.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&[u8]] = &[
        b"a@example.com",
        b"b@example.com",
        b",",
        b";",
        b"\"",
        b"\"\"",
        b"\n",
        b"\r",
        b"\r\n",
        b" ",
        b"#",
        b"=",
        b"x",
        b"2021-03-04",
        b"03/04/2021",
        b"{\"email\":\"c@example.com\"",
        b"}",
        b"\"source\":",
        b"[",
        b"\\u0000",
        b"\xC3",
        b"\xA4",
        b"\xFF",
        b"\xF0\x9F\x98\x80",
        b"\xEF\xBB\xBF",
        b"email,source,consent date\n",
    ];
    vec(prop::sample::select(PIECES), 0..60).prop_map(|pieces| pieces.concat())
}

fn holds(octets: &[u8], input: Input) {
    let first = Format::guess("a.txt", octets);
    assert_eq!(first, Format::guess("a.txt", octets));
    let Ok(opened) = Opened::read(octets, input) else { return };
    let suggested = Mapping::suggest(opened.header());
    let named = opened.header().first().map(|name| Mapping::new().field(Field::Email, name)).unwrap_or_default();
    let mapping = if suggested.column_of(Field::Email).is_some() { suggested } else { named };
    let Ok(mut reader) = opened.import(&mapping, settings(Provenance::default())) else { return };
    let mut counts = [0_u64; 4];
    let mut line = 0;
    let mut writer = ReportWriter::new(Vec::new(), ReportFormat::Csv, Echo::Address).unwrap();
    while let Ok(Some(batch)) = reader.next_batch(3) {
        for fate in batch {
            assert!(fate.line() > line, "lines ascend");
            line = fate.line();
            let place =
                ["contact", "quarantine", "duplicate", "malformed"].iter().position(|code| *code == fate.code());
            counts[place.unwrap()] += 1;
            writer.write(&fate).unwrap();
        }
    }
    let finished = reader.finish().unwrap();
    let report = &finished.report;
    assert!(report.reconciles());
    assert_eq!(counts, [report.contacts, report.quarantined, report.duplicates, report.malformed]);
    assert_eq!(finished.digest.octets, octets.len() as u64);
    assert!(finished.digest.lines >= line || finished.fault.is_some());
    let text = writer.finish().unwrap();
    let records = csv::Reader::from_reader(&text[..]).records().map(Result::unwrap).count() as u64;
    assert_eq!(records, report.rows);
}

proptest! {
    #[test]
    fn arbitrary_octets_never_panic_and_counts_reconcile(
        octets in vec(any::<u8>(), 0..400), format in formats(), encoding in encodings(), header in any::<bool>()
    ) {
        let header = if header { HeaderRow::First } else { HeaderRow::Absent };
        holds(&octets, Input { format, encoding, header });
    }

    #[test]
    fn fragments_of_files_never_panic_and_counts_reconcile(
        octets in fragments(), format in formats(), encoding in encodings(), header in any::<bool>()
    ) {
        let header = if header { HeaderRow::First } else { HeaderRow::Absent };
        holds(&[&b"email,source,consent date\n"[..], &octets].concat(), Input { format, encoding, header });
        holds(&octets, Input { format, encoding, header });
    }

    #[test]
    fn arbitrary_text_is_no_date_that_panics(text in any::<String>(), digits in "[0-9 .:/TZ+-]{0,30}") {
        for order in [DateOrder::Unstated, DateOrder::DayFirst, DateOrder::MonthFirst] {
            let dates = Dates { order, ..Dates::at(NOW) };
            for text in [&text, &digits] {
                if let Ok(at) = dates.read(text) {
                    prop_assert!(at <= NOW && at.micros() > 0);
                }
            }
        }
    }

    /// What another writer writes is read here cell by cell as it was.
    #[test]
    fn rfc4180_cells_that_another_writer_wrote_come_back(cells in vec(("[a-z]{1,8}", "[^\u{0}]{0,40}"), 1..20)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["email", "note", "number"]).unwrap();
        for (number, (local, note)) in cells.iter().enumerate() {
            writer.write_record([&format!("{local}{number}@example.com"), note, &number.to_string()]).unwrap();
        }
        let octets = writer.into_inner().unwrap();
        let given = Input::of(Format::Csv { delimiter: Delimiter::Comma });
        let opened = Opened::read(&octets[..], given).unwrap();
        let mapping = Mapping::new().field(Field::Email, "email").attribute("note", "note");
        let mut reader = opened.import(&mapping, settings(whole())).unwrap();
        for (number, (local, note)) in cells.iter().enumerate() {
            let fate = reader.next_row().unwrap().unwrap();
            let row = contact(&fate);
            prop_assert_eq!(row.address.local(), format!("{local}{number}"));
            let read = row.details.attributes.first().map(|(_, value)| &**value).unwrap_or_default();
            prop_assert_eq!(read, note.trim());
        }
        prop_assert_eq!(reader.next_row(), Ok(None));
    }

    /// One wrong octet costs its row and no other.
    #[test]
    fn a_wrong_octet_is_told_with_its_offset(before in 0_usize..50, after in 0_usize..50) {
        let rows = |from: usize, count: usize| {
            (from..from + count).map(|number| format!("ä{number},a{number}@example.com\n")).collect::<String>()
        };
        let mut octets = format!("note,email\n{}", rows(0, before)).into_bytes();
        let offset = octets.len() as u64;
        octets.extend(b"\xFFx,y@example.com\n");
        octets.extend(rows(before, after).into_bytes());
        let (fates, _) = all(&octets, Input::of(CSV), whole());
        prop_assert_eq!(fates.len(), before + after + 1);
        for (index, fate) in fates.iter().enumerate() {
            if index == before {
                prop_assert_eq!(reason(fate), Reason::Encoding { offset });
            } else {
                prop_assert_eq!(fate.code(), "contact");
            }
        }
    }
}
