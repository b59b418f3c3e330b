//! Each fate, with a twin that does not have it.

use mail::address::AddressError;
use model::basis::BasisKind;

use super::super::{
    Column, Comments, ConfirmedClaim, Field, Format, Given, HeaderRow, Input, Method, Opened, Provenance, Reason,
    Remember, RowFate,
};
use super::*;

const FULL: &str = "email,given_at,method,source,notice,basis,language,confirmed,purpose,soft_opt_in\n";

#[test]
fn art7_1_a_row_that_says_everything_is_a_contact_with_its_own_evidence() {
    let text = format!(
        "{FULL}Ada@Example.com,2021-03-04T05:06:07Z,customer,fair,v2,soft-opt-in,de_AT,yes,news; offers,\
         similar-products opt-out-at-collection\n"
    );
    let fates = csv(&text);
    let contact = contact(&fates[0]);
    assert_eq!(contact.line, 2);
    assert_eq!(contact.address.normalised(), "ada@example.com");
    assert_eq!(&*contact.evidence.source, "fair");
    assert_eq!(contact.evidence.given, Given::At(Timestamp::from_seconds(1_614_834_367)));
    assert_eq!(contact.evidence.method, Method::ExistingCustomer);
    assert_eq!(&*contact.evidence.notice, "v2");
    assert_eq!(contact.evidence.basis, BasisKind::SoftOptIn);
    assert_eq!(contact.evidence.purposes.iter().map(|purpose| &**purpose).collect::<Vec<_>>(), ["news", "offers"]);
    assert_eq!(contact.details.language.as_deref(), Some("de-AT"));
    assert_eq!(contact.details.confirmed, Some(ConfirmedClaim::Yes));
}

/// ePrivacy Art. 13(2): sale, similar products, opt-out at collection; the fourth is the stream's, and the gate's.
#[test]
fn eprivacy13_2_a_soft_opt_in_waits_unless_each_of_its_conditions_is_said() {
    for bits in 0..8_u8 {
        let said = |bit: u8| bits & (1 << bit) != 0;
        let method = if said(0) { "existing_customer" } else { "other" };
        let words: Vec<&str> = ["similar-products", "opt-out-at-collection"]
            .into_iter()
            .zip([said(1), said(2)])
            .filter_map(|(word, said)| said.then_some(word))
            .collect();
        let words = words.join(" ");
        let text = format!("{FULL}ada@dest.example,2021-03-04,{method},shop,v2,soft-opt-in,,,news,{words}\n");
        let fates = csv(&text);
        let missing: Vec<Field> = match &fates[0] {
            RowFate::Quarantine(row) => row.missing.iter().collect(),
            RowFate::Contact(_) => Vec::new(),
            other => panic!("{other:?}"),
        };
        let expected = [(!said(0), Field::Method), (!(said(1) && said(2)), Field::SoftOptIn)];
        let expected: Vec<Field> = expected.into_iter().filter_map(|(lacks, field)| lacks.then_some(field)).collect();
        assert_eq!(missing, expected, "{text}");
        assert_eq!(missing.is_empty(), bits == 7);
    }
    let unknown = csv(&format!("{FULL}ada@dest.example,2021-03-04,customer,shop,v2,soft-opt-in,,,news,surely\n"));
    assert!(matches!(unknown[0], RowFate::Malformed { reason: Reason::SoftOptInUnknown, .. }));
    // Twin: consent needs none of it.
    let consent = csv(&format!("{FULL}ada@dest.example,2021-03-04,other,shop,v2,consent,,,news,\n"));
    assert_eq!(told(&consent), [(2, "contact")]);
}

#[test]
fn art5_2_a_row_without_provenance_waits_in_quarantine_and_says_what_is_missing() {
    let (fates, finished) = all(b"email\nada@example.com\n", Input::of(CSV), Provenance::default());
    let RowFate::Quarantine(row) = &fates[0] else { panic!("{fates:?}") };
    let missing: Vec<Field> = row.missing.iter().collect();
    assert_eq!(missing, [Field::GivenAt, Field::Method, Field::Source, Field::Notice, Field::Basis]);
    assert_eq!(row.address.local(), "ada");
    assert_eq!(finished.report.missing.get(&Field::Notice), Some(&1));
}

#[test]
fn art5_2_each_missing_part_alone_is_enough_for_quarantine() {
    type Gap = fn(&mut Provenance);
    let parts: [(Field, Gap); 5] = [
        (Field::Source, |known| known.source = None),
        (Field::GivenAt, |known| known.given = None),
        (Field::Method, |known| known.method = None),
        (Field::Notice, |known| known.notice = None),
        (Field::Basis, |known| known.basis = None),
    ];
    for (field, remove) in parts {
        let mut known = whole();
        remove(&mut known);
        let (fates, _) = all(b"email\nada@example.com\n", Input::of(CSV), known);
        let RowFate::Quarantine(row) = &fates[0] else { panic!("{fates:?}") };
        assert_eq!(row.missing.iter().collect::<Vec<_>>(), [field]);
    }
    assert_eq!(told(&csv("email\nada@example.com\n")), [(2, "contact")]);
}

#[test]
fn art5_2_a_row_fills_the_gap_of_the_file_and_an_empty_cell_does_not() {
    let known = Provenance { given: None, ..whole() };
    let text = b"email,consent date\nada@example.com,2021-03-04\nbob@example.com,\nbea@example.com,  \n";
    let (fates, _) = all(text, Input::of(CSV), known);
    assert_eq!(told(&fates), [(2, "contact"), (3, "quarantine"), (4, "quarantine")]);
    let fates = csv("email,consent date\nada@example.com,\n");
    assert!(matches!(contact(&fates[0]).evidence.given, Given::Between(_)));
}

#[test]
fn art7_1_a_claim_of_confirmation_does_not_fill_any_gap() {
    let text = b"email,CONFIRM_TIME\nada@example.com,2021-03-04 05:06:07\nbob@example.com,no\n";
    let (fates, _) = all(text, Input::of(CSV), Provenance { given: None, method: None, ..whole() });
    let RowFate::Quarantine(row) = &fates[0] else { panic!("{fates:?}") };
    assert_eq!(row.missing.iter().collect::<Vec<_>>(), [Field::GivenAt, Field::Method]);
    assert_eq!(row.details.confirmed, Some(ConfirmedClaim::At(Timestamp::from_seconds(1_614_834_367))));
    // Nor does it change the method of a contact.
    let fates = csv("email,confirmed\nada@example.com,yes\nbob@example.com,no\n");
    assert_eq!(contact(&fates[0]).evidence.method, Method::Form);
    assert_eq!(contact(&fates[1]).details.confirmed, Some(ConfirmedClaim::No));
}

#[test]
fn an_address_that_came_before_is_a_duplicate_of_its_first_line() {
    let fates = csv("email\nada@example.com\nbob@example.com\nADA@EXAMPLE.com\n\"\"\"ada\"\"@example.com\"\n");
    assert_eq!(told(&fates), [(2, "contact"), (3, "contact"), (4, "duplicate"), (5, "duplicate")]);
    assert!(matches!(fates[3], RowFate::Duplicate { first_line: 2, .. }));
}

#[test]
fn a_malformed_row_does_not_make_the_next_one_a_duplicate_and_a_quarantined_one_does() {
    let fates = csv("email,consent date\nada@example.com,never\nada@example.com,2021-03-04\n");
    assert_eq!(told(&fates), [(2, "malformed"), (3, "contact")]);
    let (fates, _) = all(b"email\nada@example.com\nada@example.com\n", Input::of(CSV), Provenance::default());
    assert_eq!(told(&fates), [(2, "quarantine"), (3, "duplicate")]);
}

#[test]
fn without_room_addresses_pass_and_are_counted_and_those_remembered_are_still_found() {
    let text = b"email\na@example.com\nb@example.com\nb@example.com\na@example.com\n";
    let mut settings = settings(whole());
    settings.remember = Remember { key: [1; 16], most: 1 };
    let opened = Opened::read(&text[..], Input::of(CSV)).unwrap();
    let mapping = Mapping::suggest(opened.header());
    let mut reader = opened.import(&mapping, settings).unwrap();
    let fates = reader.next_batch(100).unwrap().unwrap();
    assert_eq!(told(&fates), [(2, "contact"), (3, "contact"), (4, "contact"), (5, "duplicate")]);
    assert_eq!(reader.report().unremembered, 2);
}

#[test]
fn malformed_values_name_the_column_and_the_reason() {
    let cases = [
        ("no address,,,,,,,,", 1, Field::Email, Reason::Address(AddressError::NoAt)),
        (",,,,,,,,", 1, Field::Email, Reason::Address(AddressError::Empty)),
        ("a@example.com,31.2.2021,,,,,,,", 2, Field::GivenAt, Reason::DateInvalid),
        ("a@example.com,03/04/2021,,,,,,,", 2, Field::GivenAt, Reason::DateAmbiguous),
        ("a@example.com,2027-01-01,,,,,,,", 2, Field::GivenAt, Reason::DateFuture),
        ("a@example.com,,telepathy,,,,,,", 3, Field::Method, Reason::MethodUnknown),
        ("a@example.com,,,,,because,,,", 6, Field::Basis, Reason::BasisUnknown),
        ("a@example.com,,,,,,german please,,", 7, Field::Language, Reason::LanguageInvalid),
        ("a@example.com,,,,,,,perhaps,", 8, Field::Confirmed, Reason::ConfirmedInvalid),
    ];
    for (row, number, field, why) in cases {
        let fates = csv(&format!("{FULL}{row},\n"));
        let column = Some(Column { number: Some(number), field: Some(field) });
        assert_eq!(fates, [RowFate::Malformed { line: 2, column, reason: why }], "{row}");
    }
    let many = format!("{FULL}a@example.com,,,,,,,,{},\n", "x;".repeat(33));
    assert_eq!(reason(&csv(&many)[0]), Reason::TooManyPurposes);
    // The twin: none of them wrong.
    let fine = format!("{FULL}a@example.com,29.2.2020,Double Opt-In,x,y,Einwilligung,de,1,{},\n", "x;".repeat(32));
    assert_eq!(told(&csv(&fine)), [(2, "contact")]);
}

#[test]
fn rows_with_more_or_fewer_cells_than_the_header_are_not_believed() {
    let fates = csv("email,source\nada@example.com\nbob@example.com,a,b\nbea@example.com,a\n");
    assert_eq!(reason(&fates[0]), Reason::CellCount { expected: 2, found: 1 });
    assert_eq!(reason(&fates[1]), Reason::CellCount { expected: 2, found: 3 });
    assert_eq!(fates[2].code(), "contact");
}

#[test]
fn attributes_are_carried_along_and_empty_ones_are_not() {
    let opened = Opened::read(&b"email,First Name,City\nada@example.com, Ada ,\n"[..], Input::of(CSV)).unwrap();
    let mapping = Mapping::suggest(opened.header()).attribute("name", "first name").attribute("city", "CITY");
    let mut reader = opened.import(&mapping, settings(whole())).unwrap();
    let fate = reader.next_row().unwrap().unwrap();
    let attributes = &contact(&fate).details.attributes;
    assert_eq!(attributes.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>(), [("name", "Ada")]);
}

#[test]
fn a_plain_list_has_one_address_a_line_and_comments_when_they_are_allowed() {
    let text = b"# shop\nada@example.com\n\n #bob@example.com\nada@example.com\nnobody\n";
    let hash = Input::of(Format::PlainList { comments: Comments::Hash });
    let (fates, finished) = all(text, hash, whole());
    assert_eq!(told(&fates), [(2, "contact"), (5, "duplicate"), (6, "malformed")]);
    assert_eq!(finished.report.blank, 3);
    let none = Input::of(Format::PlainList { comments: Comments::None });
    let (fates, _) = all(b"#bob@example.com\n", none, whole());
    assert_eq!(told(&fates), [(1, "contact")]);
}

#[test]
fn a_file_without_header_is_mapped_by_numbers() {
    let input = Input { header: HeaderRow::Absent, ..Input::of(CSV) };
    let opened = Opened::read(&b"x,ada@example.com\ny,bob@example.com\n"[..], input).unwrap();
    assert_eq!(opened.header(), ["1", "2"]);
    let mapping = Mapping::new().field(Field::Email, "2").field(Field::Source, "1");
    let mut reader = opened.import(&mapping, settings(whole())).unwrap();
    let fates = reader.next_batch(10).unwrap().unwrap();
    assert_eq!(told(&fates), [(1, "contact"), (2, "contact")]);
    assert_eq!(&*contact(&fates[0]).evidence.source, "x");
}

#[test]
fn nothing_of_a_row_is_in_debug_output() {
    let text = "email,source,First Name\nplanted@example.com,planted at the fair,Planted\nplanted,planted,planted\n";
    let opened = Opened::read(text.as_bytes(), Input::of(CSV)).unwrap();
    let mapping = Mapping::suggest(opened.header()).attribute("name", "first name");
    let mut reader = opened.import(&mapping, settings(Provenance { source: None, ..whole() })).unwrap();
    let fates = reader.next_batch(10).unwrap().unwrap();
    let known = Provenance { source: Some(Arc::from("planted")), ..whole() };
    let first = contact(&fates[0]);
    let told = format!("{fates:?} {:?} {known:?} {first:?} {:?} {:?}", reader.report(), first.details, first.evidence);
    assert!(!told.to_lowercase().contains("planted"), "{told}");
    assert!(!reason(&fates[1]).to_string().contains("planted"));
}
