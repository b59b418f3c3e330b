//! What is read and what is not.

use proptest::prelude::*;

use super::{EnvelopeId, Notify, OriginalRecipient, Return};

#[test]
fn rfc3461_4_1_never_stands_alone_and_words_stand_once() {
    for (text, shown) in [
        ("NEVER", "NEVER"),
        ("never", "NEVER"),
        ("SUCCESS", "SUCCESS"),
        ("Delay,Failure", "FAILURE,DELAY"),
        ("SUCCESS,FAILURE,DELAY", "SUCCESS,FAILURE,DELAY"),
    ] {
        assert_eq!(Notify::parse(text).map(|notify| notify.to_string()).as_deref(), Some(shown), "{text}");
    }
    for text in ["", ",", "NEVER,FAILURE", "FAILURE,NEVER", "FAILURE,", "FAILURE,FAILURE", "ALWAYS", "FAILURE DELAY"] {
        assert_eq!(Notify::parse(text), None, "{text}");
    }
}

#[test]
fn rfc3461_4_3_ret_is_one_of_two_words() {
    assert_eq!(Return::parse("full"), Some(Return::Full));
    assert_eq!(Return::parse("HDRS"), Some(Return::Headers));
    assert_eq!(Return::parse("HEADERS"), None);
}

#[test]
fn rfc3461_4_4_an_envelope_id_is_printable_xtext_of_at_most_a_hundred() {
    assert_eq!(EnvelopeId::parse("order+2B17+20x").unwrap().text(), "order+17 x");
    assert!(EnvelopeId::parse(&"x".repeat(100)).is_some());
    for text in ["", "a+0D+0Ab", "a+", "a+2", "a+2b", "a=b", "a b", "+00", "+FF", "ü", &"x".repeat(101)] {
        assert_eq!(EnvelopeId::parse(text), None, "{text:?}");
    }
}

#[test]
fn rfc3461_4_2_an_original_recipient_has_a_type_and_no_control_characters() {
    let read = OriginalRecipient::parse("rfc822;Ada+2Bx@dest.example").unwrap();
    assert_eq!(read.parts(), ("rfc822", "Ada+x@dest.example".to_owned()));
    assert!(OriginalRecipient::parse("utf-8;+C3+A4@dest.example").is_some());
    for text in ["", ";a", "rfc822;", "rfc822", "rfc 822;a", "rfc822;a+0Ab", "rfc822;+C3", "a+b;x", "rfc822;a=b"] {
        assert_eq!(OriginalRecipient::parse(text), None, "{text:?}");
    }
    assert_eq!(OriginalRecipient::parse(&format!("rfc822;{}", "x".repeat(494))), None);
    assert!(!format!("{read:?}").contains("Ada"));
}

#[test]
fn rfc6533_3_an_address_outside_ascii_is_read_in_each_form_and_kept_in_that_of_ascii() {
    let wire = "utf-8;j\\x{F6}rg\\x{2B}x@\\x{4F8B}.example";
    for text in [
        wire,
        "UTF-8;jörg\\x{2B}x@例.example",
        "utf-8;j+C3+B6rg+2Bx@\\x{4F8B}.example",
        "utf-8;j\\x{00F6}rg\\x{2B}x@例.example",
    ] {
        let read = OriginalRecipient::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(read.as_wire(), wire);
        assert_eq!(read.parts(), ("utf-8", "jörg+x@例.example".to_owned()));
    }
    let bad = ["utf-8;", "utf-8;a=b", "utf-8;a b", "utf-8;\\x{D800}", "utf-8;\\x{0A}", "utf-8;\\x{}", "utf-8;\\x41"];
    for text in bad.into_iter().chain(["utf-8;\\", "utf-8;\\x{110000}", "utf-8;\\x{1000000}", "rfc822;jörg@x.example"])
    {
        assert_eq!(OriginalRecipient::parse(text), None, "{text}");
    }
    assert_eq!(OriginalRecipient::parse(&format!("utf-8;{}", "ä".repeat(100))), None, "too long in ASCII");
}

proptest! {
    #[test]
    fn rfc6533_3_what_is_written_in_ascii_is_read_back(address in "[^\\p{Cc}]{1,40}") {
        let text = super::in_ascii(&address);
        prop_assert!(text.bytes().all(|octet| matches!(octet, b'!'..=b'~') && !matches!(octet, b'=' | b'+')));
        prop_assert_eq!(super::international(&text), Some(address));
    }

    #[test]
    fn no_text_breaks_the_parsers_and_what_is_read_ends_no_command(text in any::<String>()) {
        let wires = [
            EnvelopeId::parse(&text).map(|read| read.as_wire().to_owned()),
            OriginalRecipient::parse(&text).map(|read| read.as_wire().to_owned()),
            Notify::parse(&text).map(|read| read.to_string()),
            Return::parse(&text).map(|read| read.as_str().to_owned()),
        ];
        for wire in wires.into_iter().flatten() {
            prop_assert!(wire.bytes().all(|octet| matches!(octet, b'!'..=b'~') && octet != b'='));
        }
    }

    #[test]
    fn what_is_not_xtext_is_not_read(octets in proptest::collection::vec(any::<u8>(), 0..120)) {
        if let Ok(text) = std::str::from_utf8(&octets) {
            let is_wire = text.bytes().all(|octet| matches!(octet, b'!'..=b'~') && octet != b'=');
            prop_assert!(is_wire || EnvelopeId::parse(text).is_none());
        }
    }
}
