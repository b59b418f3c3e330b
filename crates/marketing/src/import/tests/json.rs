//! JSON Lines.

use super::super::{Field, Format, Given, Input, Opened, Reason, RowFate};
use super::*;

const INPUT: Input = Input::of(Format::JsonLines);

fn read(text: &str) -> (Vec<RowFate>, Finished) {
    all(text.as_bytes(), INPUT, whole())
}

/// The reason and the field of one object after a good one.
fn malformed(object: &str) -> (Option<Field>, Reason) {
    let good = r#"{"email":"ada@example.com","given_at":null,"source":null,"confirmed":null}"#;
    let (fates, _) = read(&format!("{good}\n{object}\n"));
    assert_eq!(told(&fates), [(1, "contact"), (2, "malformed")], "{object}");
    match &fates[1] {
        RowFate::Malformed { column, reason, .. } => {
            assert!(column.is_none_or(|column| column.number.is_none()));
            (column.and_then(|column| column.field), *reason)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn objects_are_rows_and_keys_are_columns() {
    let text = concat!(
        r#"{"E-Mail":"ada@example.com","Source":"fair \"21\" ä","optin_time":"2021-03-04T05:06:07Z"}"#,
        "\r\n\r\n",
        r#"{"SOURCE":"x","e-mail":"bob@example.com"}"#
    );
    let (fates, finished) = read(text);
    assert_eq!(told(&fates), [(1, "contact"), (3, "contact")]);
    let ada = contact(&fates[0]);
    assert_eq!(&*ada.evidence.source, "fair \"21\" ä");
    assert_eq!(ada.evidence.given, Given::At(Timestamp::from_seconds(1_614_834_367)));
    assert!(matches!(contact(&fates[1]).evidence.given, Given::Between(_)));
    assert!(finished.report.ignored.is_empty());
}

#[test]
fn unknown_keys_are_ignored_whatever_they_hold_and_told_once() {
    let text = concat!(
        r#"{"email":"ada@example.com","x":{"email":[1,{"y":null}]},"x":2,"bob@example.com":1}"#,
        "\n",
        r#"{"x":"","email":"bob@example.com","z":1,"bea@example.com":1}"#
    );
    let (fates, finished) = read(text);
    assert_eq!(told(&fates), [(1, "contact"), (2, "contact")]);
    assert_eq!(finished.report.ignored, ["x", "(a key that is not repeated)", "z"]);
}

#[test]
fn rfc8259_4_a_mapped_key_that_stands_twice_is_malformed() {
    let twice = malformed(r#"{"email":"a@example.com","email":"b@example.com"}"#);
    assert_eq!(twice, (Some(Field::Email), Reason::JsonDuplicateKey));
    let cases = malformed(r#"{"email":"a@example.com","source":"x","Source":"y"}"#);
    assert_eq!(cases, (Some(Field::Source), Reason::JsonDuplicateKey));
    assert_eq!(malformed(r#"{"email":null,"email":"b@example.com"}"#).1, Reason::JsonDuplicateKey);
}

#[test]
fn wrong_types_are_malformed_and_null_says_nothing() {
    for value in ["1", "1.5", "-1", "true", "[]", "{}", r#"["a@example.com"]"#] {
        let (field, reason) = malformed(&format!(r#"{{"email":{value}}}"#));
        assert_eq!((field, reason), (Some(Field::Email), Reason::JsonWrongType), "{value}");
    }
    let nested = malformed(r#"{"email":"a@example.com","source":{"a":"b"}}"#);
    assert_eq!(nested, (Some(Field::Source), Reason::JsonWrongType));
    let nul = malformed(r#"{"email":"a@example.com","source":"a\u0000b"}"#);
    assert_eq!(nul, (Some(Field::Source), Reason::NulCharacter));
    assert!(matches!(malformed(r#"{"email":null}"#).1, Reason::Address(_)));
    assert!(matches!(malformed("{}").1, Reason::Address(_)));
    let (fates, _) = read(r#"{"email":"a@example.com","source":null,"confirmed":true}"#);
    assert_eq!(told(&fates), [(1, "contact")]);
}

#[test]
fn numbers_are_text_where_text_is_carried_along() {
    let text = br#"{"email":"a@example.com","age":42,"vip":false,"score":1.5}"#;
    let opened = Opened::read(&text[..], INPUT).unwrap();
    assert_eq!(opened.header(), ["email", "age", "vip", "score"]);
    let mapping = ["age", "vip", "score"].iter().fold(Mapping::new(), |map, key| map.field(Field::Attribute, key));
    let mut reader = opened.import(&mapping.field(Field::Email, "email"), settings(whole())).unwrap();
    let fate = reader.next_row().unwrap().unwrap();
    let values: Vec<&str> = contact(&fate).details.attributes.iter().map(|(_, value)| &**value).collect();
    assert_eq!(values, ["42", "false", "1.5"]);
}

#[test]
fn lines_that_are_no_object_are_malformed() {
    for line in ["[]", "1", "\"x\"", "null", "ada@example.com"] {
        assert_eq!(malformed(line), (None, Reason::JsonNotObject), "{line}");
    }
    for line in ["{", "{\"email\"}", "{\"email\":\"a@example.com\"} x", "{\"email\":\"a@example.com\"}{}", "{'a':1}"] {
        assert_eq!(malformed(line), (None, Reason::JsonInvalid), "{line}");
    }
    let deep = format!(r#"{{"email":"a@example.com","x":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(told(&read(&format!("{{\"email\":\"b@example.com\"}}\n{deep}")).0).len(), 2);
}

#[test]
fn limits_hold_for_objects_too() {
    let long = "x".repeat(8 * 1024 + 1);
    let value = malformed(&format!(r#"{{"email":"a@example.com","source":"{long}"}}"#));
    assert_eq!(value, (Some(Field::Source), Reason::CellTooLong));
    let keys: Vec<String> = (0..257).map(|number| format!("\"{number}\":1")).collect();
    assert_eq!(malformed(&format!("{{{}}}", keys.join(","))), (None, Reason::TooManyCells));
    let row = malformed(&format!(r#"{{"email":"a@example.com","x":"{}"}}"#, "x".repeat(64 * 1024)));
    assert_eq!(row, (None, Reason::RowTooLong));
    let fits = format!(r#"{{"email":"a@example.com","source":"{}","x":"{}"}}"#, &long[1..], "x".repeat(50_000));
    assert_eq!(told(&read(&fits).0), [(1, "contact")]);
}

#[test]
fn a_first_line_that_is_no_object_is_a_row_like_others() {
    let opened = Opened::read(&b"oops\n{\"email\":\"a@example.com\"}\n"[..], INPUT).unwrap();
    assert!(opened.header().is_empty());
    let mut reader = opened.import(&Mapping::new().field(Field::Email, "email"), settings(whole())).unwrap();
    let fates = reader.next_batch(9).unwrap().unwrap();
    assert_eq!(told(&fates), [(1, "malformed"), (2, "contact")]);
    assert!(matches!(open(&b"oops\n"[..], INPUT, whole()).err(), Some(OpenError::NoEmail { .. })));
}
