//! Entries: one canonical form, nothing that could be an address, limits.

use proptest::prelude::*;

use super::*;

fn full<'a>(counts: &'a [(&'a str, u64)], hash: &'a Hash) -> EntryRef<'a> {
    EntryRef {
        id: "01hq3zk5",
        kind: "message.accepted",
        time_us: 1_760_000_000_123_456,
        instruction: Some("ins-7"),
        agreement: Some("agr-3"),
        subject_ref: Some(hash),
        commitment: Some(hash),
        counts,
    }
}

#[test]
fn rfc8785_3_2_3_members_are_sorted_and_without_white_space() {
    let counts = [("bytes", 4_096), ("recipients", 2)];
    let entry = Entry::new(&full(&counts, &[0xab; 32])).unwrap();
    let hex = "ab".repeat(32);
    let expected = format!(
        "{{\"agr\":\"agr-3\",\"commit\":\"{hex}\",\"counts\":{{\"bytes\":4096,\"recipients\":2}},\"id\":\"01hq3zk5\",\
         \"instr\":\"ins-7\",\"sref\":\"{hex}\",\"t\":1760000000123456,\"type\":\"message.accepted\",\"v\":1}}"
    );
    assert_eq!(String::from_utf8(entry.encode()).unwrap(), expected);
    assert_eq!(Entry::decode(expected.as_bytes()).unwrap(), entry);
}

#[test]
fn rfc8785_our_bytes_are_what_a_general_json_writer_with_sorted_members_makes() {
    let counts = [("a", 0), ("b", 10), ("c", NUMBER_MAX)];
    let entry = Entry::new(&full(&counts, &[0x0f; 32])).unwrap();
    let value: serde_json::Value = serde_json::from_slice(entry.as_bytes()).unwrap();
    assert_eq!(serde_json::to_vec(&value).unwrap(), entry.encode());
}

#[test]
fn absent_fields_are_left_out() {
    let entry = Entry::new(&EntryRef { id: "a", kind: "b", ..EntryRef::default() }).unwrap();
    assert_eq!(entry.as_bytes(), br#"{"id":"a","t":0,"type":"b","v":1}"#);
    assert_eq!(entry.subject_ref(), None);
}

#[test]
fn art5_1_c_no_address_can_be_written_in_any_text_field() {
    let hash = [1; 32];
    for text in ["anna@example.net", "anna\u{ff20}example.net", "anna%40example.net", "anna example.net", "\"", "\\"] {
        let base = full(&[], &hash);
        let counts = [(text, 1)];
        let tries = [
            EntryRef { id: text, ..base },
            EntryRef { kind: text, ..base },
            EntryRef { instruction: Some(text), ..base },
            EntryRef { agreement: Some(text), ..base },
            EntryRef { counts: &counts, ..base },
        ];
        for fields in &tries {
            let mut out = b"kept".to_vec();
            let error = fields.encode_into(&mut out).unwrap_err();
            assert!(matches!(error, Error::FieldCharacter { .. }), "{text}");
            assert!(!error.to_string().contains("anna"));
            assert_eq!(out, b"kept");
        }
    }
}

#[test]
fn limits_are_refused_by_name() {
    let hash = [1; 32];
    let base = full(&[], &hash);
    let long = "x".repeat(FIELD_BYTES_MAX + 1);
    let refused = |fields: EntryRef<'_>| Entry::new(&fields).unwrap_err();
    assert!(matches!(refused(EntryRef { id: &long, ..base }), Error::FieldLength { field: "id", .. }));
    assert!(matches!(refused(EntryRef { id: "", ..base }), Error::FieldLength { field: "id", .. }));
    assert!(matches!(refused(EntryRef { time_us: NUMBER_MAX + 1, ..base }), Error::FieldNumber { field: "t" }));
    let unsorted = [("b", 1), ("a", 1)];
    let twice = [("a", 1), ("a", 1)];
    let names: Vec<String> = (0..=COUNTS_MAX).map(|n| format!("{n:04}")).collect();
    let many: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    for counts in [&unsorted[..], &twice[..], &many[..]] {
        assert!(matches!(refused(EntryRef { counts, ..base }), Error::Counts { .. }));
    }
    assert!(Entry::new(&EntryRef { counts: &many[1..], ..base }).is_ok());
}

#[test]
fn c2sp_an_entry_over_65535_bytes_is_refused() {
    assert!(matches!(Entry::decode(&[b' '; ENTRY_BYTES_MAX + 1]), Err(Error::EntryTooLong { length: 65_536 })));
    // All limits together stay below it.
    let names: Vec<String> = (0..COUNTS_MAX).map(|n| format!("{n:0>256}")).collect();
    let counts: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), NUMBER_MAX)).collect();
    let text = "x".repeat(FIELD_BYTES_MAX);
    let hash = [255; 32];
    let largest = EntryRef { id: &text, kind: &text, ..full(&counts, &hash) };
    assert!(Entry::new(&largest).unwrap().as_bytes().len() <= ENTRY_BYTES_MAX);
}

#[test]
fn only_the_canonical_form_is_read() {
    let good = r#"{"id":"a","t":1,"type":"b","v":1}"#;
    assert!(Entry::decode(good.as_bytes()).is_ok());
    for bad in [
        r#"{"id":"a", "t":1,"type":"b","v":1}"#,
        r#"{"t":1,"id":"a","type":"b","v":1}"#,
        r#"{"id":"a","t":1.0,"type":"b","v":1}"#,
        r#"{"id":"a","t":1,"type":"b","v":2}"#,
        r#"{"id":"a","t":1,"type":"b","v":1,"x":1}"#,
        r#"{"agr":null,"id":"a","t":1,"type":"b","v":1}"#,
        r#"{"counts":{},"id":"a","t":1,"type":"b","v":1}"#,
        r#"{"counts":{"a":1,"a":1},"id":"a","t":1,"type":"b","v":1}"#,
        r#"{"id":"\u0061","t":1,"type":"b","v":1}"#,
        r#"{"id":"a","t":1,"type":"b"}"#,
        "[]",
        "",
    ] {
        assert!(Entry::decode(bad.as_bytes()).is_err(), "{bad}");
    }
    let upper = format!(r#"{{"id":"a","sref":"{}","t":1,"type":"b","v":1}}"#, "AB".repeat(32));
    assert!(matches!(Entry::decode(upper.as_bytes()), Err(Error::EntryForm)));
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        id in "[A-Za-z0-9._:/+=-]{1,40}",
        kind in "[a-z]{1,10}\\.[a-z]{1,10}",
        time_us in 0..=NUMBER_MAX,
        instruction in proptest::option::of("[a-z0-9-]{1,20}"),
        subject_ref in proptest::option::of(any::<[u8; 32]>()),
        counts in proptest::collection::btree_map("[a-z]{1,8}", 0..=NUMBER_MAX, 0..8),
    ) {
        let pairs: Vec<(&str, u64)> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        let fields = EntryRef {
            id: &id,
            kind: &kind,
            time_us,
            instruction: instruction.as_deref(),
            subject_ref: subject_ref.as_ref(),
            counts: &pairs,
            ..EntryRef::default()
        };
        let entry = Entry::new(&fields).unwrap();
        let back = Entry::decode(entry.as_bytes()).unwrap();
        prop_assert_eq!(&back, &entry);
        prop_assert_eq!((back.id(), back.kind(), back.time_us()), (&*id, &*kind, time_us));
        prop_assert_eq!(back.counts(), &counts);
        prop_assert_eq!(back.subject_ref(), subject_ref.as_ref());
        prop_assert!(!entry.as_bytes().contains(&b'@'));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(entry) = Entry::decode(&bytes) {
            prop_assert_eq!(entry.as_bytes(), &bytes[..]);
        }
    }
}
