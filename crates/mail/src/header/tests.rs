//! What the scanner takes and what it refuses.

use proptest::prelude::*;

use super::*;

fn scan(message: &[u8]) -> Result<HeaderBlock<'_>, HeaderError> {
    HeaderBlock::scan(message, Limits::SUBMISSION)
}

fn check(message: &str) -> Result<Checked, HeaderError> {
    check_submission(&scan(message.as_bytes())?)
}

fn from(value: &str) -> Result<String, MailboxFault> {
    parse_mailbox(value.as_bytes()).map(|address| address.to_wire())
}

#[test]
fn rfc5322_2_2_fields_are_cut_exactly() {
    let message = b"From: a@x.example\r\nSubject: one\r\n two\r\nX-A:\r\n\r\nbody\r\n\r\nFrom: not a field\r\n";
    let block = scan(message).unwrap();
    let fields: Vec<_> = block.fields().iter().map(|f| (f.name(), f.raw_value(), &message[f.range()])).collect();
    assert_eq!(
        fields,
        [
            (&b"From"[..], &b" a@x.example"[..], &b"From: a@x.example\r\n"[..]),
            (b"Subject", b" one\r\n two", b"Subject: one\r\n two\r\n"),
            (b"X-A", b"", b"X-A:\r\n"),
        ]
    );
    assert_eq!(block.body(), b"body\r\n\r\nFrom: not a field\r\n");
    assert_eq!(block.first("SUBJECT").unwrap().unfolded(), b"one two");
    assert!(block.first("Subj").is_none());
    assert_eq!(block.count("from"), 1);
}

#[test]
fn rfc5322_2_1_a_message_may_be_header_only() {
    for (message, body_start) in [(&b""[..], 0), (b"A: b\r\n", 6), (b"A: b\r\n\r\n", 8)] {
        let block = scan(message).unwrap();
        assert_eq!((block.body_start(), block.body()), (body_start, &b""[..]));
    }
    assert_eq!(scan(b"\r\nbody").unwrap().body(), b"body");
}

#[test]
fn rfc5322_2_2_what_two_readers_read_differently_is_refused() {
    use HeaderError as E;
    let cases: [(&[u8], HeaderError); 16] = [
        (b"From : a@x.example\r\n\r\n", E::NotAField { line: 1 }),
        (b"Fr om: a@x.example\r\n\r\n", E::NotAField { line: 1 }),
        (b": a@x.example\r\n\r\n", E::NotAField { line: 1 }),
        (b"A: b\r\nno colon\r\n\r\n", E::NotAField { line: 2 }),
        (b" folded: first\r\n\r\n", E::StrayContinuation { line: 1 }),
        (b"A: b\r\n \t\r\nFrom: x\r\n\r\n", E::StrayContinuation { line: 2 }),
        (b"A: b\nFrom: x\r\n\r\n", E::BareLineEnd { line: 1 }),
        (b"A: b\rFrom: x\r\n\r\n", E::BareLineEnd { line: 1 }),
        (b"A: b\r\r\n\r\n", E::BareLineEnd { line: 1 }),
        (b"A: b\r\n\n", E::BareLineEnd { line: 2 }),
        (b"A: b", E::BareLineEnd { line: 1 }),
        (b"A: b\r", E::BareLineEnd { line: 1 }),
        (b"A: \0\r\n\r\n", E::Control { line: 1 }),
        (b"A: \x1b[0m\r\n\r\n", E::Control { line: 1 }),
        (b"A: \xc3\xbc\r\n\r\n", E::EightBit { line: 1 }),
        (b"\xc3\xbc: b\r\n\r\n", E::EightBit { line: 1 }),
    ];
    for (message, error) in cases {
        assert_eq!(scan(message).unwrap_err(), error, "{}", message.escape_ascii());
    }
    assert!(HeaderBlock::scan(b"A: \xc3\xbc\r\n\r\n", Limits::INBOUND).is_ok());
}

#[test]
fn limits_hold_at_their_edge() {
    let line = |octets: usize| format!("A:{}\r\n", "x".repeat(octets - 2)).into_bytes();
    assert!(scan(&line(998)).is_ok());
    assert_eq!(scan(&line(999)).unwrap_err(), HeaderError::LineTooLong { line: 1, limit: 998 });
    assert_eq!(scan(&vec![b'x'; 5000]).unwrap_err(), HeaderError::LineTooLong { line: 1, limit: 998 });
    assert!(scan(&b"A: b\r\n".repeat(1000)).is_ok());
    assert_eq!(scan(&b"A: b\r\n".repeat(1001)).unwrap_err(), HeaderError::TooManyFields { limit: 1000 });
    let block: Vec<u8> = std::iter::repeat_n(line(510), 512).flatten().collect();
    assert_eq!(block.len(), BLOCK_OCTETS_MAX);
    assert!(scan(&[&block[..], b"\r\nbody"].concat()).is_ok());
    assert_eq!(
        scan(&[&block[..], b"A:\r\n\r\nbody"].concat()).unwrap_err(),
        HeaderError::BlockTooLarge { limit: BLOCK_OCTETS_MAX }
    );
}

#[test]
fn rfc5322_3_6_singletons_come_once() {
    let names = ["To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "Sender", "Reply-To"];
    let mime = ["MIME-Version", "Content-Type", "Content-Transfer-Encoding", "X-Postern-Stream"];
    for field in names.into_iter().chain(mime) {
        let once = format!("From: a@x.example\r\n{field}: x\r\n\r\n");
        assert!(check(&once).is_ok(), "{field}");
        let twice = format!("From: a@x.example\r\n{field}: x\r\n{}: x\r\n\r\n", field.to_lowercase());
        assert_eq!(check(&twice).unwrap_err(), HeaderError::Duplicate { field });
    }
    let two_from = check("From: a@x.example\r\nFROM: a@x.example\r\n\r\n");
    assert_eq!(two_from.unwrap_err(), HeaderError::Duplicate { field: "From" });
    assert_eq!(check("To: a@x.example\r\n\r\n").unwrap_err(), HeaderError::Missing { field: "From" });
    assert!(check("From: a@x.example\r\nX: 1\r\nX: 2\r\n\r\n").is_ok());
}

#[test]
fn rfc5321_6_3_a_hundred_received_fields_are_a_loop() {
    let message = |count: usize| format!("{}From: a@x.example\r\n\r\n", "Received: by x\r\n".repeat(count));
    assert_eq!(check(&message(100)).unwrap().received, 100);
    assert_eq!(check(&message(101)).unwrap_err(), HeaderError::Loop { limit: 100 });
}

#[test]
fn the_stream_is_read_strictly() {
    let stream =
        |value: &str| check(&format!("From: a@x.example\r\nx-postern-stream:{value}\r\n\r\n")).map(|c| c.stream);
    assert_eq!(stream(" news_letter-1.b\t").unwrap().as_deref(), Some("news_letter-1.b"));
    assert_eq!(check("From: a@x.example\r\n\r\n").unwrap().stream, None);
    for bad in ["", " ", " a b", " a,b", &"x".repeat(65)] {
        assert_eq!(stream(bad).unwrap_err(), HeaderError::Stream { limit: 64 }, "{bad:?}");
    }
}

#[test]
fn rfc5322_3_4_one_mailbox_is_read() {
    for value in [
        "shop@sample.example",
        " <shop@sample.example> ",
        "Shop <shop@sample.example>",
        "\"Shop, Ltd. <info>\" <shop@sample.example>",
        "\"a\\\"b\" <shop@sample.example>",
        "John Q. Public <shop@sample.example>",
        "=?utf-8?Q?J=C3=B6rg?= =?utf-8?B?w7w=?= <shop@sample.example>",
        "(note (nested \\) )) Shop (x)<shop@sample.example> (end)",
        "shop@sample.example (Shop)",
        "Shop\t<shop@SAMPLE.example>",
    ] {
        assert_eq!(from(value).as_deref(), Ok("shop@sample.example"), "{value}");
    }
    assert_eq!(from("\"a b\"@sample.example").as_deref(), Ok("\"a b\"@sample.example"));
}

#[test]
fn rfc5322_3_4_anything_but_one_mailbox_is_refused() {
    use MailboxFault as F;
    for (value, fault) in [
        ("", F::Empty),
        (" (only a comment) ", F::Empty),
        ("a@x.example, b@x.example", F::Several),
        ("A <a@x.example>, B <b@x.example>", F::Several),
        ("Shop, Ltd. <a@x.example>", F::Several),
        ("Team: a@x.example;", F::Group),
        ("undisclosed:;", F::Group),
        ("<@relay.example:a@x.example>", F::Group),
        ("<>", F::Syntax),
        ("Shop", F::Syntax),
        ("a@x.example b@x.example", F::Syntax),
        ("a@x.example <b@x.example>", F::Syntax),
        ("<a@x.example> <b@x.example>", F::Syntax),
        ("<a@x.example> b", F::Syntax),
        ("<<a@x.example>>", F::Syntax),
        ("<a@x.example", F::Syntax),
        ("< a@x.example>", F::Syntax),
        ("<a(c)@x.example>", F::Syntax),
        ("<a@x.example@y.example>", F::Syntax),
        ("Shop [x] <a@x.example>", F::Syntax),
        ("a@[192.0.2.1]", F::Syntax),
        ("\"open <a@x.example>", F::Syntax),
        ("(open <a@x.example>", F::Syntax),
        ("((((((((( too deep ))))))))) a@x.example", F::Depth),
    ] {
        assert_eq!(from(value).unwrap_err(), fault, "{value}");
    }
    assert!(matches!(from("a..b@x.example").unwrap_err(), F::Address(_)));
    assert!(matches!(from("a@x_y.example").unwrap_err(), F::Address(_)));
}

#[test]
fn errors_name_the_field_and_never_the_value() {
    for message in ["From: secret@x.example, b@x.example\r\n\r\n", "From: secret\r\n\r\n", "secret\r\n\r\n"] {
        let text = check(message).unwrap_err().to_string();
        assert!(!text.contains("secret"), "{text}");
    }
    assert!(check("From: x\r\n\r\n").unwrap_err().to_string().contains("From"));
}

fn list(value: &str) -> Result<Vec<String>, MailboxFault> {
    Ok(parse_mailboxes(value.as_bytes())?.iter().map(Address::to_wire).collect())
}

#[test]
fn rfc5322_3_4_lists_name_all_their_mailboxes_in_order() {
    for (value, wanted) in [
        ("", &[] as &[&str]),
        ("a@x.example", &["a@x.example"]),
        ("a@x.example, B <b@x.example>,\"C, D\" <c@x.example>", &["a@x.example", "b@x.example", "c@x.example"]),
        ("a@x.example (one, two), b@x.example", &["a@x.example", "b@x.example"]),
        ("undisclosed-recipients:;", &[]),
        ("Some people: a@x.example, B <b@x.example>;, c@x.example", &["a@x.example", "b@x.example", "c@x.example"]),
        ("\"a;b:c\" <a@x.example>", &["a@x.example"]),
        // RFC 5322 §4.4.
        (", a@x.example,, b@x.example , ", &["a@x.example", "b@x.example"]),
    ] {
        assert_eq!(list(value).unwrap(), wanted, "{value}");
    }
}

#[test]
fn rfc5322_3_4_a_list_with_one_bad_mailbox_is_refused_as_a_whole() {
    for value in [
        "a@x.example, b",
        "a@x.example b@x.example",
        "<@y.example:a@x.example>",
        "evil@y.example <a@x.example>",
        "a@x.example;",
        "name: a@x.example",
        "name: other: a@x.example;;",
        ":a@x.example;",
        "name: a@x.example; b@x.example",
        "a@x.example, <b@x.example",
        "a@x.example, (",
    ] {
        assert!(list(value).is_err(), "{value}");
    }
}

#[test]
fn a_message_names_each_recipient_once() {
    let message = "To: b@x.example, a@x.example\r\nBcc: c@x.example\r\nCc: B@x.example,\r\n b@x.example\r\n\r\n";
    let found = named_recipients(&scan(message.as_bytes()).unwrap()).unwrap();
    let found: Vec<_> = found.iter().map(Address::to_wire).collect();
    assert_eq!(found, ["b@x.example", "a@x.example", "B@x.example", "c@x.example"]);
    let fault = named_recipients(&scan(b"To: a@x.example\r\nBcc: secret\r\n\r\n").unwrap()).unwrap_err();
    assert_eq!(fault.0, "Bcc");
    assert!(!fault.1.to_string().contains("secret"));
}

proptest! {
    #[test]
    fn lists_are_read_back_as_they_were_written(
        each in prop::collection::vec(("[a-z]{1,8}", prop::option::of("[a-z,;:<>@ ]{0,8}")), 0..6)
    ) {
        let wanted: Vec<String> = each.iter().map(|(local, _)| format!("{local}@x.example")).collect();
        let written: Vec<String> = each
            .iter()
            .map(|(local, name)| match name {
                Some(name) => format!("\"{name}\" <{local}@x.example>"),
                None => format!("{local}@x.example"),
            })
            .collect();
        prop_assert_eq!(&list(&written.join(", ")).unwrap(), &wanted);
        prop_assert_eq!(&list(&format!("all: {};", written.join(","))).unwrap(), &wanted);
    }

    #[test]
    fn lists_never_panic(value in "[a-z@.,:;<>()\" ]{0,40}", octets in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse_mailboxes(value.as_bytes());
        let _ = parse_mailboxes(&octets);
    }

    #[test]
    fn the_fields_and_the_body_are_the_whole_message(message in "([A-Z]{0,3}:?[ a-z\r\n\t]{0,6}(\r\n){0,2}){0,8}") {
        if let Ok(block) = scan(message.as_bytes()) {
            let mut rebuilt: Vec<u8> = Vec::new();
            for field in block.fields() {
                prop_assert_eq!(field.range().start, rebuilt.len());
                rebuilt.extend_from_slice(field.name());
                rebuilt.push(b':');
                rebuilt.extend_from_slice(field.raw_value());
                rebuilt.extend_from_slice(b"\r\n");
            }
            prop_assert_eq!(&rebuilt, block.block());
            if block.body_start() > rebuilt.len() {
                rebuilt.extend_from_slice(b"\r\n");
            }
            rebuilt.extend_from_slice(block.body());
            prop_assert_eq!(rebuilt, message.as_bytes());
        }
    }

    #[test]
    fn mailboxes_never_panic(value in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse_mailbox(&value);
        let _ = scan(&value);
    }
}
