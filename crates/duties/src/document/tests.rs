//! Documents as such: canonical bytes, strict reading, one hash for both sides, and pages that cannot be tricked.

use super::agreement::{ProcessingAgreement, draft};
use super::canonical::{CanonicalError, Sha256, from_bytes, to_bytes};
use super::instruction::{Instruction, preset};
use super::page::Page;
use super::terms::{Date, Language, Party, Private, Region, Role};
use super::{Document, DocumentError, Preset};
use proptest::prelude::*;
use serde_json::{Value, json};

pub(super) fn party(role: Role, name: &str) -> Party {
    Party {
        role,
        name: Private::from(name),
        address: Private::from("1 Example Street, 1010 Vienna"),
        contact: Private::from("privacy@controller.example"),
    }
}

pub(super) fn agreement(of: Preset, language: Language) -> ProcessingAgreement {
    let (shop, operator) = (party(Role::Controller, "Shop Ltd"), party(Role::Processor, "Operator Ltd"));
    ProcessingAgreement { review_due: Some(day()), ..draft(shop, operator, of, language) }
}

pub(super) fn instruction(of: Preset) -> Instruction {
    preset(of, Language::English, "Ada Example, head of marketing", day())
}

pub(super) fn day() -> Date {
    Date::parse("2027-03-31").unwrap()
}

/// Values of the restricted set.
fn value() -> impl Strategy<Value = Value> {
    let integer = -9_007_199_254_740_991_i64..=9_007_199_254_740_991;
    let leaf =
        prop_oneof![any::<bool>().prop_map(Value::from), integer.prop_map(Value::from), ".*".prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[ -~]{0,8}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn rfc8785_3_2_2_strings_have_one_spelling_and_3_2_3_names_are_in_order() {
    // The string of RFC 8785 §3.2.2 and its sorted names, without the fractions.
    let sample = json!({
        "string": "\u{20ac}$\u{f}\nA'B\"\\\\\"/",
        "literals": [true, false],
        "numbers": [333_333_333, 0, -1],
        "Z": "\u{8}\t\u{c}\r\u{1f}\u{7f}",
    });
    let expected = "{\"Z\":\"\\b\\t\\f\\r\\u001f\u{7f}\",\"literals\":[true,false],\"numbers\":[333333333,0,-1],\
        \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
    assert_eq!(String::from_utf8(to_bytes(&sample).unwrap()).unwrap(), expected);
}

#[test]
fn rfc8785_values_outside_the_restricted_set_are_refused() {
    assert_eq!(to_bytes(&json!([1.5])), Err(CanonicalError::Number));
    assert_eq!(to_bytes(&json!(1.0)), Err(CanonicalError::Number));
    assert_eq!(to_bytes(&json!(9_007_199_254_740_992_i64)), Err(CanonicalError::Number));
    assert_eq!(to_bytes(&json!(-9_007_199_254_740_992_i64)), Err(CanonicalError::Number));
    assert_eq!(to_bytes(&json!(u64::MAX)), Err(CanonicalError::Number));
    assert_eq!(to_bytes(&json!({ "a": null })), Err(CanonicalError::Null));
    assert_eq!(to_bytes(&json!({ "\u{e9}": 1 })), Err(CanonicalError::Name));
    assert_eq!(to_bytes(&json!("x".repeat(1024 * 1024))), Err(CanonicalError::TooLong));
    assert_eq!(to_bytes(&json!([9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64])).unwrap().len(), 36);
}

#[test]
fn rfc8785_other_spellings_of_the_same_json_are_refused() {
    assert_eq!(from_bytes::<Value>(br#"{"a":1,"b":"c"}"#).unwrap(), json!({ "a": 1, "b": "c" }));
    for other in [
        r#"{"b":"c","a":1}"#,
        r#"{"a":1,"b":"c"} "#,
        r#"{"a": 1,"b":"c"}"#,
        r#"{"a":1,"a":1,"b":"c"}"#,
        r#"{"a":1,"b":"\u0063"}"#,
        r#"{"a":1.0,"b":"c"}"#,
        r#"{"a":-0,"b":"c"}"#,
        r#"{"a":1e0,"b":"c"}"#,
    ] {
        assert!(from_bytes::<Value>(other.as_bytes()).is_err(), "{other}");
    }
}

proptest! {
    /// serde_json with sorted names is RFC 8785 for this set of values; ours must agree with it.
    #[test]
    fn rfc8785_agrees_with_another_writer_and_reads_back(value in value()) {
        let bytes = to_bytes(&value).unwrap();
        prop_assert_eq!(&bytes, &serde_json::to_vec(&value).unwrap());
        prop_assert_eq!(from_bytes::<Value>(&bytes).unwrap(), value);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Document::parse::<ProcessingAgreement>(&bytes).is_err());
        prop_assert!(Document::parse::<Instruction>(&bytes).is_err());
        prop_assert!(Document::parse::<super::notice::Notice>(&bytes).is_err());
    }

    /// One byte of a document changed: it is refused, or it is another document with another hash.
    #[test]
    fn art28_9_a_changed_byte_never_passes_as_the_same_document(
        at in any::<prop::sample::Index>(), with in any::<u8>()
    ) {
        let document = Document::write(&agreement(Preset::Both, Language::English)).unwrap();
        let mut bytes = document.canonical().to_vec();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != with);
        bytes[at] = with;
        prop_assert_eq!(
            Document::parse_recorded::<ProcessingAgreement>(&bytes, document.digest()).err(),
            Some(DocumentError::OtherHash)
        );
        if let Ok((other, _)) = Document::parse::<ProcessingAgreement>(&bytes) {
            prop_assert_ne!(other.sha256(), document.sha256());
        }
    }

    #[test]
    fn a_page_never_grows_lines_or_markup_out_of_a_value(text in "(?s).*") {
        let mut page = Page::new("en", "Title");
        page.paragraph(&text);
        prop_assert_eq!(page.text().lines().count(), 4);
        let html = page.html();
        prop_assert_eq!(html.matches('<').count(), 6);
        prop_assert_eq!(html.matches('>').count(), 6);
    }

    #[test]
    fn a_hash_reads_back_and_nothing_else_reads(bytes in any::<[u8; 32]>(), text in ".{0,70}") {
        let hash = Sha256(bytes);
        prop_assert_eq!(Sha256::from_hex(&hash.to_string()), Ok(hash));
        let upper = hash.to_string().to_uppercase();
        prop_assert!(Sha256::from_hex(&upper).is_err() || upper == hash.to_string());
        prop_assert!(Sha256::from_hex(&text).is_err() || text.len() == 64);
    }
}

#[test]
fn a_document_reads_back_to_the_same_value_and_hash() {
    for of in Preset::ALL {
        let value = agreement(*of, Language::German);
        let document = Document::write(&value).unwrap();
        let (again, read) = Document::parse::<ProcessingAgreement>(document.canonical()).unwrap();
        assert_eq!((again, read), (document, value));
        let value = instruction(*of);
        let document = Document::write(&value).unwrap();
        let (again, read) = Document::parse_recorded::<Instruction>(document.canonical(), document.digest()).unwrap();
        assert_eq!((again, read), (document, value));
    }
}

#[test]
fn unknown_fields_other_kinds_and_other_schemas_are_refused() {
    let document = Document::write(&instruction(Preset::Newsletter)).unwrap();
    let good: Value = serde_json::from_slice(document.canonical()).unwrap();
    let parse = |value: &Value| Document::parse::<Instruction>(&to_bytes(value).unwrap()).map(|_| ());
    assert_eq!(parse(&good), Ok(()));
    for path in ["", "/content", "/content/purposes/0", "/content/streams/0", "/content/streams/0/consent"] {
        let mut more = good.clone();
        more.pointer_mut(path).unwrap()["also"] = json!("x");
        assert!(matches!(parse(&more), Err(DocumentError::Canonical(CanonicalError::Shape { .. }))), "{path}");
    }
    let mut other = good.clone();
    other["schema"] = json!(2);
    assert_eq!(parse(&other), Err(DocumentError::OtherKind));
    let mut other = good;
    other["kind"] = json!("agreement");
    assert_eq!(parse(&other), Err(DocumentError::OtherKind));
    assert!(matches!(document.page::<ProcessingAgreement>(), Err(DocumentError::OtherKind)));
}

#[test]
fn a_senseless_value_never_becomes_a_document() {
    let mut value = instruction(Preset::Transactional);
    value.messages_per_day_max = 0;
    assert!(matches!(Document::write(&value), Err(DocumentError::Senseless(_))));
    // Written past our own gate, it is refused when it is read.
    let document = Document::write(&instruction(Preset::Transactional)).unwrap();
    let text = String::from_utf8(document.canonical().to_vec()).unwrap();
    let text = text.replace("\"messages_per_day_max\":50000", "\"messages_per_day_max\":0");
    assert!(matches!(Document::parse::<Instruction>(text.as_bytes()), Err(DocumentError::Senseless(_))));
}

#[test]
fn art28_9_text_and_html_carry_the_hash_of_the_canonical_bytes() {
    let document = Document::write(&agreement(Preset::Both, Language::English)).unwrap();
    let page = document.page::<ProcessingAgreement>().unwrap();
    let hash = Sha256::of(document.canonical()).to_string();
    assert!(page.text().contains(&hash) && page.html().contains(&hash));
    let other = Document::write(&agreement(Preset::Transactional, Language::English)).unwrap();
    assert!(!other.page::<ProcessingAgreement>().unwrap().text().contains(&hash));
}

#[test]
fn a_name_with_line_breaks_markup_or_turned_direction_stays_a_name() {
    let mut value = agreement(Preset::Both, Language::English);
    value.parties[0].name = Private::from("Shop\r\n\nEnd of processing\n---\u{202e}<script>alert('x')</script>");
    let page = Document::write(&value).unwrap().page::<ProcessingAgreement>().unwrap();
    assert_eq!(page.text().lines().filter(|line| *line == "End of processing").count(), 1);
    assert!(!page.text().contains('\u{202e}'));
    assert!(!page.html().contains("<script>"));
    assert!(page.html().contains("&lt;script&gt;alert(&#39;x&#39;)"));
}

#[test]
fn art5_1_f_names_and_contacts_are_not_in_debug_output_or_errors() {
    let mut value = instruction(Preset::Newsletter);
    assert!(!format!("{value:?}").contains("Ada Example"));
    let agreement = agreement(Preset::Newsletter, Language::English);
    assert!(!format!("{agreement:?}").contains("privacy@"));
    value.streams[0].name = "ada@example.org".into();
    assert!(!Document::write(&value).unwrap_err().to_string().contains("ada@"));
    let unknown = br#"{"content":{},"kind":"notice","person":"ada@example.org","schema":1}"#;
    assert!(!Document::parse::<Instruction>(unknown).unwrap_err().to_string().contains("ada@"));
}

#[test]
fn dates_and_regions_have_one_spelling() {
    assert_eq!(Date::parse("2028-02-29").unwrap().to_string(), "2028-02-29");
    for wrong in ["2027-02-29", "2027-2-01", "2027-02-1", "+2027-02-01", "27-02-01", "2027-13-01", "2027-02-01 ", ""] {
        assert!(Date::parse(wrong).is_err(), "{wrong}");
    }
    let region = |text: &str| Region::parse(text).unwrap();
    assert!(region("IS").within(&Region::eea()) && !region("CH").within(&Region::eea()));
    assert!(!Region::eea().within(&region("DE")) && region("US").within(&region("US")));
    for wrong in ["de", "DEU", "D1", "", "EU "] {
        assert!(Region::parse(wrong).is_err(), "{wrong}");
    }
}
