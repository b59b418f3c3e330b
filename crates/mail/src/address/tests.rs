//! What is an address, what is none, and that none is ever printed.

use proptest::prelude::*;

use super::{Address, AddressError, Domain, Repertoire, ReversePath};

#[test]
fn rfc5321_4_1_2_mailboxes_are_read_and_written_back() {
    let cases = [
        ("ada@dest.example", "ada", "ada@dest.example"),
        ("Ada.Lovelace+x@Dest.Example", "Ada.Lovelace+x", "Ada.Lovelace+x@dest.example"),
        ("\"ada\"@dest.example", "ada", "ada@dest.example"),
        ("\"a b\"@dest.example", "a b", "\"a b\"@dest.example"),
        ("\"a@b\"@dest.example", "a@b", "\"a@b\"@dest.example"),
        ("\"a\\\"b\\\\c\"@dest.example", "a\"b\\c", "\"a\\\"b\\\\c\"@dest.example"),
        ("\"\\a\"@dest.example", "a", "a@dest.example"),
        ("\"\"@dest.example", "", "\"\"@dest.example"),
        ("user%other@dest.example", "user%other", "user%other@dest.example"),
        ("ada@bücher.example", "ada", "ada@xn--bcher-kva.example"),
        ("ada@FAẞ.example", "ada", "ada@xn--fa-hia.example"),
        ("ada@localhost", "ada", "ada@localhost"),
        ("ada@r3---sn.dest.example", "ada", "ada@r3---sn.dest.example"),
    ];
    for (input, local, wire) in cases {
        let address = Address::parse(input).unwrap();
        assert_eq!(address.local(), local, "{input}");
        assert_eq!(address.to_wire(), wire, "{input}");
        assert_eq!(Address::parse(&address.to_wire()).unwrap(), address, "{input}");
    }
}

#[test]
fn rfc5321_4_1_2_what_is_no_mailbox_is_refused() {
    let cases = [
        ("", AddressError::Empty),
        ("ada", AddressError::NoAt),
        ("@dest.example", AddressError::LocalPart),
        (".ada@dest.example", AddressError::LocalPart),
        ("ada.@dest.example", AddressError::LocalPart),
        ("a..b@dest.example", AddressError::LocalPart),
        ("a b@dest.example", AddressError::LocalPart),
        ("a\r\nb@dest.example", AddressError::LocalPart),
        ("\"a\r\nb\"@dest.example", AddressError::LocalPart),
        ("\"a\\\nb\"@dest.example", AddressError::LocalPart),
        ("\"a\0b\"@dest.example", AddressError::LocalPart),
        ("\"ada@dest.example", AddressError::LocalPart),
        ("\"ada\"x@dest.example", AddressError::LocalPart),
        ("\"ada\\\"@dest.example", AddressError::LocalPart),
        ("@relay.example:ada@dest.example", AddressError::LocalPart),
        ("ada<x>@dest.example", AddressError::LocalPart),
        ("ad\u{202e}a@dest.example", AddressError::LocalPartCharacter),
        ("ad\u{200b}a@dest.example", AddressError::LocalPartCharacter),
        ("ad\u{a0}a@dest.example", AddressError::LocalPartCharacter),
        ("\"ad\u{a0}a\"@dest.example", AddressError::LocalPartCharacter),
        ("ad\u{85}a@dest.example", AddressError::LocalPartCharacter),
        ("ad\u{fffd}a@dest.example", AddressError::LocalPartCharacter),
        ("ad\u{e000}a@dest.example", AddressError::LocalPartCharacter),
        ("adä.@dest.example", AddressError::LocalPart),
        ("\"adä@dest.example", AddressError::LocalPart),
        ("ada@", AddressError::Domain),
        ("ada@dest..example", AddressError::Domain),
        ("ada@dest.example.", AddressError::Domain),
        ("ada@dest_x.example", AddressError::Domain),
        ("ada@-dest.example", AddressError::Domain),
        ("ada@dest-.example", AddressError::Domain),
        ("ada@de st.example", AddressError::Domain),
        ("ada@dest.example@other.example", AddressError::Domain),
        ("ada@xn--a.example", AddressError::Domain),
        ("ada@[192.0.2.1]", AddressError::AddressLiteral),
        ("ada@[IPv6:2001:db8::1]", AddressError::AddressLiteral),
        ("ada@192.0.2.1", AddressError::AddressLiteral),
    ];
    for (input, error) in cases {
        assert_eq!(Address::parse(input), Err(error), "{input:?}");
    }
}

#[test]
fn rfc5321_4_5_3_1_lengths_are_enforced_at_their_edges() {
    let local = "a".repeat(64);
    assert!(Address::parse(&format!("{local}@dest.example")).is_ok());
    assert_eq!(Address::parse(&format!("{local}a@dest.example")), Err(AddressError::LocalPartTooLong));
    let label = "b".repeat(63);
    assert!(Domain::parse(&format!("{label}.example")).is_ok());
    assert_eq!(Domain::parse(&format!("b{label}.example")), Err(AddressError::DomainTooLong));
    // Three labels of 63 and one of 61 make 253 octets: a name, but too long for an address of 254.
    let longest = format!("{label}.{label}.{label}.{}", "c".repeat(61));
    assert_eq!(Domain::parse(&longest).unwrap().as_str().len(), 253);
    assert_eq!(Domain::parse(&format!("{longest}c")), Err(AddressError::DomainTooLong));
    assert_eq!(Address::parse(&format!("a@{longest}")), Err(AddressError::TooLong));
    let fits = format!("{label}.{label}.{label}.{}", "c".repeat(60));
    assert_eq!(Address::parse(&format!("a@{fits}")).unwrap().to_wire().len(), 254);
    assert_eq!(Domain::parse(&"d".repeat(100_000)), Err(AddressError::DomainTooLong));
}

#[test]
fn one_person_has_one_normalised_form() {
    let forms = ["ada@bücher.example", "ADA@XN--BCHER-KVA.EXAMPLE", "\"Ada\"@Bücher.Example"];
    for form in forms {
        assert_eq!(Address::parse(form).unwrap().normalised(), "ada@xn--bcher-kva.example", "{form}");
    }
    assert_ne!(Address::parse("ada+x@dest.example").unwrap().normalised(), "ada@dest.example");
}

#[test]
fn neither_debug_nor_errors_print_the_address() {
    let address = Address::parse("canary@dest.example").unwrap();
    assert_eq!(format!("{address:?}"), "Address(redacted)");
    let path = ReversePath::Address(address);
    assert!(!format!("{path:?}").contains("canary"));
    assert_eq!(path.to_wire(), "canary@dest.example");
    let error = Address::parse("canary canary@dest.example").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[test]
fn a_domain_is_within_another_by_whole_labels_only() {
    let parent = Domain::parse("sample.example").unwrap();
    for (name, within) in
        [("sample.example", true), ("bounce.sample.example", true), ("notsample.example", false), ("example", false)]
    {
        assert_eq!(Domain::parse(name).unwrap().is_within(&parent), within, "{name}");
    }
}

proptest! {
    #[test]
    fn every_parsed_address_survives_its_wire_form(text in "[ -~]{1,30}@[a-z0-9.-]{1,20}") {
        if let Ok(address) = Address::parse(&text) {
            let wire = address.to_wire();
            prop_assert!(wire.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
            prop_assert_eq!(Address::parse(&wire).unwrap(), address);
        }
    }

    #[test]
    fn no_text_at_all_makes_the_parser_fail_otherwise_than_by_an_error(text in any::<String>()) {
        let _ = Address::parse(&text);
        let _ = Domain::parse(&text);
    }
}

#[test]
fn rfc6531_3_3_local_parts_outside_ascii_are_kept_in_nfc() {
    let cases = [
        ("adä@dest.example", "adä@dest.example"),
        ("ada\u{308}@dest.example", "adä@dest.example"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
        ("\"a ä\"@dest.example", "\"a ä\"@dest.example"),
        ("\"ä\"@dest.example", "ä@dest.example"),
        ("नि\u{200d}मा@dest.example", "नि\u{200d}मा@dest.example"),
    ];
    for (input, wire) in cases {
        let address = Address::parse(input).unwrap();
        assert_eq!(address.to_wire(), wire, "{input}");
        assert_eq!(address.repertoire(), Repertoire::Utf8, "{input}");
        assert_eq!(Address::parse(&address.to_wire()).unwrap(), address, "{input}");
    }
    // RFC 6531 §3.2: where only the domain is outside ASCII, the address goes anywhere.
    assert_eq!(Address::parse("ada@bücher.example").unwrap().repertoire(), Repertoire::Ascii);
    assert_eq!(Address::parse(&format!("{}@dest.example", "ä".repeat(32))).unwrap().local().len(), 64);
    let long = format!("{}a@dest.example", "ä".repeat(32));
    assert_eq!(Address::parse(&long), Err(AddressError::LocalPartTooLong));
    let endless = format!("{}@dest.example", "a\u{308}".repeat(400));
    assert_eq!(Address::parse(&endless), Err(AddressError::LocalPartTooLong));
}

#[test]
fn gdpr_21_3_one_person_has_one_normalised_address_in_every_form() {
    let same = [
        &["Jörg@Bücher.example", "JÖRG@xn--bcher-kva.example", "jo\u{308}rg@BU\u{308}CHER.example"][..],
        &["straße@dest.example", "STRASSE@dest.example", "STRA\u{1e9e}E@dest.example", "strasse@dest.example"],
        &["ΣΊΣΥΦΟΣ@dest.example", "σίσυφος@dest.example", "σίσυφοσ@dest.example"],
        &["ＡＤＡ@dest.example", "ada@dest.example", "\"Ada\"@dest.example"],
        &["ﬁnn@dest.example", "finn@dest.example"],
        &["नि\u{200d}मा@dest.example", "निमा@dest.example"],
        &["\u{212b}sa@dest.example", "åsa@dest.example", "A\u{30a}SA@dest.example"],
    ];
    for forms in same {
        let normalised: Vec<String> = forms.iter().map(|form| Address::parse(form).unwrap().normalised()).collect();
        assert!(normalised.iter().all(|one| *one == normalised[0]), "{normalised:?}");
    }
    let others = ["jorg@dest.example", "jörg@dest.example", "jörg@dest2.example", "ёж@dest.example"];
    let normalised: std::collections::HashSet<String> =
        others.iter().map(|form| Address::parse(form).unwrap().normalised()).collect();
    assert_eq!(normalised.len(), others.len());
}

proptest! {
    #[test]
    fn gdpr_21_3_case_and_composition_never_make_another_person(local in "[\\p{L}\\p{M}]{1,8}") {
        use icu_normalizer::{ComposingNormalizerBorrowed as Composing, DecomposingNormalizerBorrowed as Decomposing};
        let one = Address::parse(&format!("{local}@dest.example"));
        prop_assume!(one.is_ok());
        let normalised = one.unwrap().normalised();
        let forms = [
            Composing::new_nfc().normalize(&local).into_owned(),
            Decomposing::new_nfd().normalize(&local).into_owned(),
            Composing::new_nfkc().normalize(&local).into_owned(),
            local.to_lowercase(),
            local.to_uppercase(),
        ];
        for form in forms {
            if let Ok(other) = Address::parse(&format!("{form}@dest.example")) {
                prop_assert_eq!(&other.normalised(), &normalised, "{:?}", form);
            }
        }
        let again = Address::parse(&normalised);
        if let Ok(again) = again {
            prop_assert_eq!(again.normalised(), normalised);
        }
    }
}
