//! Limits: each one and its twin just below.

use super::super::duplicates::{Remember, Seen, Table};
use super::super::{
    ATTRIBUTES_MAX, BATCH_OCTETS_MAX, CELL_OCTETS_MAX, COLUMNS_MAX, Field, Input, Mapping, ROW_OCTETS_MAX, Reason,
};
use super::*;

#[test]
fn a_row_above_64_kib_is_malformed_and_the_next_row_is_not() {
    // Nine cells, so that no cell is too long; the last one fills the row up.
    let row = |octets: usize| {
        let mut row = format!("a@example.com{}", format!(",{}", "x".repeat(8_000)).repeat(8));
        row.push_str(&format!(",{}", "y".repeat(octets - row.len() - 1)));
        row
    };
    let header = "email,1,2,3,4,5,6,7,8,9";
    let rows = [row(ROW_OCTETS_MAX), row(ROW_OCTETS_MAX + 1), "b@example.com,,,,,,,,,".to_owned()];
    let fates = csv(&format!("{header}\n{}\n", rows.join("\n")));
    assert_eq!(told(&fates), [(2, "contact"), (3, "malformed"), (4, "contact")]);
    assert_eq!(reason(&fates[1]), Reason::RowTooLong);
}

#[test]
fn a_quoted_row_above_64_kib_gives_no_rows_out_of_its_text() {
    let text = format!("email,source\na@example.com,\"{}\"\nb@example.com,x\n", "\nevil@example.com,x".repeat(10_000));
    let (fates, finished) = all(text.as_bytes(), Input::of(CSV), whole());
    assert_eq!(told(&fates), [(2, "malformed"), (10_003, "contact")]);
    assert_eq!(reason(&fates[0]), Reason::RowTooLong);
    assert_eq!(finished.digest.lines, 10_003);
}

#[test]
fn cells_and_columns_have_a_limit() {
    let cell = |octets: usize| format!("email,source\na@example.com,\"{}\"\n", "x".repeat(octets));
    assert_eq!(told(&csv(&cell(CELL_OCTETS_MAX))), [(2, "contact")]);
    let fates = csv(&cell(CELL_OCTETS_MAX + 1));
    assert_eq!(reason(&fates[0]), Reason::CellTooLong);
    let RowFate::Malformed { column: Some(column), .. } = fates[0] else { panic!("{fates:?}") };
    assert_eq!((column.number, column.field), (Some(2), Some(Field::Source)));

    let header = |columns: usize| format!("email{}\n", (2..=columns).map(|n| format!(",c{n}")).collect::<String>());
    let row = |columns: usize| format!("a@example.com{}\n", ",".repeat(columns - 1));
    assert_eq!(told(&csv(&(header(COLUMNS_MAX) + &row(COLUMNS_MAX)))), [(2, "contact")]);
    assert_eq!(reason(&csv(&(header(COLUMNS_MAX) + &row(COLUMNS_MAX + 1)))[0]), Reason::TooManyCells);
    let wide = header(COLUMNS_MAX + 1);
    let why = OpenError::Header { line: 1, reason: Reason::TooManyCells };
    assert_eq!(open(wide.as_bytes(), Input::of(CSV), whole()).err(), Some(why));
}

#[test]
fn attributes_have_a_limit() {
    let names: Vec<String> = (0..=ATTRIBUTES_MAX).map(|number| format!("c{number}")).collect();
    let header: Vec<String> = std::iter::once("email".to_owned()).chain(names.iter().cloned()).collect();
    let mapping = |count: usize| {
        let email = Mapping::new().field(Field::Email, "email");
        names.iter().take(count).fold(email, |mapping, name| mapping.attribute(name, name))
    };
    assert!(mapping(ATTRIBUTES_MAX).bind(&header).is_ok());
    assert_eq!(mapping(ATTRIBUTES_MAX + 1).bind(&header).err(), Some(OpenError::TooManyAttributes));
}

#[test]
fn a_batch_of_huge_rows_ends_early() {
    let row = |number: usize| format!("a{number}@example.com,{}\n", "x".repeat(8_000));
    let text = format!("email,source\n{}", (0..1_000).map(row).collect::<String>());
    let mut reader = open(text.as_bytes(), Input::of(CSV), whole()).unwrap();
    let mut sizes = Vec::new();
    while let Some(batch) = reader.next_batch(usize::MAX).unwrap() {
        sizes.push(batch.len());
    }
    assert_eq!(sizes.iter().sum::<usize>(), 1_000);
    assert!(sizes.len() > 1 && sizes.iter().all(|size| size * 8_000 <= BATCH_OCTETS_MAX + 8_000), "{sizes:?}");
    // A batch of none is a batch of one, so that no caller waits for ever.
    let mut reader = open(text.as_bytes(), Input::of(CSV), whole()).unwrap();
    assert_eq!(reader.next_batch(0).unwrap().map(|batch| batch.len()), Some(1));
}

#[test]
fn a_million_addresses_are_remembered_in_less_than_40_megabytes() {
    let mut table = Table::new(Remember::keyed([3; 16]));
    for number in 0..1_000_000_u64 {
        assert_eq!(table.see(&number.to_string(), number + 2), Seen::First);
    }
    for number in [0_u32, 1, 77_777, 999_999] {
        assert_eq!(table.see(&number.to_string(), 2_000_000), Seen::Before(number + 2));
    }
    assert_eq!(table.see("other", 1), Seen::First);
    assert!(table.octets() < 30_000_000, "{}", table.octets());
    let mut small = open(&b"email\na@example.com\n"[..], Input::of(CSV), whole()).unwrap();
    small.next_row().unwrap();
    assert!(small.table_octets() < 1_000);
}

#[test]
fn a_line_beyond_32_bits_is_remembered_as_the_last_one() {
    let mut table = Table::new(Remember::keyed([3; 16]));
    assert_eq!(table.see("a", u64::from(u32::MAX) + 5), Seen::First);
    assert_eq!(table.see("a", u64::from(u32::MAX) + 6), Seen::Before(u32::MAX));
}
