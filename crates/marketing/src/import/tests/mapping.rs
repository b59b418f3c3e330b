//! Which column is what.

use super::super::{Collected, DateOrder, Field, Input, Mapping, Opened};
use super::*;

fn bind(mapping: &Mapping, header: &[&str]) -> Result<(), OpenError> {
    mapping.bind(&header.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).map(|_| ())
}

#[test]
fn usual_exports_in_english_and_german_are_understood() {
    type Expected<'a> = &'a [(Field, &'a str)];
    let cases: &[(&[&str], Expected<'_>)] = &[
        (
            &["Email Address", "First Name", "OPTIN_TIME", "OPTIN_IP", "CONFIRM_TIME", "LANGUAGE"],
            &[
                (Field::Email, "Email Address"),
                (Field::GivenAt, "OPTIN_TIME"),
                (Field::Confirmed, "CONFIRM_TIME"),
                (Field::Language, "LANGUAGE"),
            ],
        ),
        (
            &["E-Mail-Adresse", "Sprache", "Einwilligung am", "Herkunft", "Bestätigt am", "Rechtsgrundlage", "Zweck"],
            &[
                (Field::Email, "E-Mail-Adresse"),
                (Field::Language, "Sprache"),
                (Field::GivenAt, "Einwilligung am"),
                (Field::Source, "Herkunft"),
                (Field::Confirmed, "Bestätigt am"),
                (Field::Basis, "Rechtsgrundlage"),
                (Field::Purpose, "Zweck"),
            ],
        ),
        (
            &["id", "e_mail", "opt-in date", "opt-in source", "Consent Text", "method"],
            &[
                (Field::Email, "e_mail"),
                (Field::GivenAt, "opt-in date"),
                (Field::Source, "opt-in source"),
                (Field::Notice, "Consent Text"),
                (Field::Method, "method"),
            ],
        ),
    ];
    for (header, expected) in cases {
        let mapping = Mapping::suggest(header);
        for field in Field::ALL {
            let wanted = expected.iter().find(|(of, _)| *of == field).map(|(_, column)| *column);
            assert_eq!(mapping.column_of(field), wanted, "{field:?}");
        }
        bind(&mapping, header).unwrap();
    }
}

#[test]
fn other_columns_are_not_taken_for_what_they_are_not() {
    let mapping = Mapping::suggest(&["Address", "created_at", "name", "status", "last_open", "email verified"]);
    assert!(Field::ALL.into_iter().all(|field| mapping.column_of(field).is_none()));
    // The surest name wins, and then the one furthest left.
    let mapping = Mapping::suggest(&["mail", "E-Mail", "email"]);
    assert_eq!(mapping.column_of(Field::Email), Some("E-Mail"));
}

#[test]
fn an_explicit_mapping_to_no_column_names_the_columns_there_are() {
    let mapping = Mapping::new().field(Field::Email, "EMAIL").field(Field::Source, "where");
    let known = vec!["email".to_owned(), "(column 2)".to_owned(), "(column 3)".to_owned()];
    let error = bind(&mapping, &["email", "me@home", ""]);
    assert_eq!(error, Err(OpenError::UnknownColumn { asked: "where".to_owned(), known }));
    assert_eq!(bind(&mapping, &["email", "Where "]), Ok(()));
    let told = bind(&mapping, &["email", "b"]).unwrap_err().to_string();
    assert_eq!(told, "there is no column `where`; the columns are: email, b");
}

#[test]
fn a_mapping_needs_the_address_and_names_nothing_twice() {
    let email = || Mapping::new().field(Field::Email, "email");
    let error = bind(&Mapping::new().field(Field::Source, "x"), &["x", "y"]);
    assert_eq!(error, Err(OpenError::NoEmail { known: vec!["x".to_owned(), "y".to_owned()] }));
    let twice = |asked: &str| Err(OpenError::MappedTwice { asked: asked.to_owned() });
    assert_eq!(bind(&email().field(Field::Email, "x"), &["email", "x"]), twice("x"));
    assert_eq!(bind(&email().field(Field::Source, "email"), &["email", "x"]), twice("email"));
    assert_eq!(bind(&email().attribute("a", "x").attribute("a", "y"), &["email", "x", "y"]), twice("y"));
    assert_eq!(bind(&email().attribute("a", "x").attribute("b", "y"), &["email", "x", "y"]), Ok(()));
    let repeated = Err(OpenError::RepeatedColumn { asked: "email".to_owned() });
    assert_eq!(bind(&email(), &["email", "Email"]), repeated);
    // A repeated name that nobody maps does no harm.
    assert_eq!(bind(&email(), &["email", "x", "x"]), Ok(()));
}

#[test]
fn columns_that_nobody_mapped_are_reported_once() {
    let text = b"email,First Name,source,me@,\na@example.com,Ada,x,y,\nb@example.com,Bob,x,y,\n";
    let (_, finished) = all(text, Input::of(CSV), whole());
    assert_eq!(finished.report.ignored, ["First Name", "(column 4)", "(column 5)"]);
    let (_, finished) = all(b"email,source\na@example.com,x\n", Input::of(CSV), whole());
    assert!(finished.report.ignored.is_empty());
}

#[test]
fn a_first_row_that_holds_an_address_is_no_header() {
    let text = b"Ada,ada@example.com\nBob,bob@example.com\n";
    let error = Opened::read(&text[..], Input::of(CSV)).err().unwrap();
    assert_eq!(error, OpenError::HeaderHoldsAddress);
    assert!(!error.to_string().contains("ada"));
    let torn = Opened::read(&b"email,\"source\na@example.com,x\n"[..], Input::of(CSV)).err().unwrap();
    assert!(matches!(torn, OpenError::Header { line: 1, .. }));
}

#[test]
fn what_is_said_of_the_file_must_not_lie_in_the_future_either() {
    let day = |days: i64| Timestamp::from_seconds(NOW.seconds() + days * 86_400);
    let with = |from, until| {
        let known = Provenance { given: Collected::between(from, until).map(Given::Between), ..whole() };
        open(&b"email\na@example.com\n"[..], Input::of(CSV), known).map(|_| ())
    };
    assert_eq!(with(day(-2), day(0)), Ok(()));
    assert_eq!(with(day(-2), day(1)), Err(OpenError::CollectedInFuture));
    assert_eq!(Collected::between(day(-1), day(-2)), None);
}

#[test]
fn the_order_of_dates_that_the_caller_states_is_used_for_rows() {
    let text = b"email,optin_time\na@example.com,03/04/2021\n";
    for (order, code) in [(DateOrder::Unstated, "malformed"), (DateOrder::DayFirst, "contact")] {
        let opened = Opened::read(&text[..], Input::of(CSV)).unwrap();
        let mapping = Mapping::suggest(opened.header());
        let mut settings = settings(whole());
        settings.dates.order = order;
        let mut reader = opened.import(&mapping, settings).unwrap();
        assert_eq!(reader.next_row().unwrap().unwrap().code(), code);
    }
}
