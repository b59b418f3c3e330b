//! What is added, removed and refused on the way out.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const AT_UNIX_S: u64 = 1_795_342_264;

fn facts<'f>(extra: &'f [(&'f str, &'f str)]) -> Facts<'f> {
    let received = Received { by: "mail.postern.example", with: "ESMTPSA", id: "msg_1", unix_s: AT_UNIX_S };
    Facts { received, message_id: "msg_1@sample.example", extra }
}

fn head_of(message: &'static str, extra: &[(&str, &str)]) -> String {
    let prepared = prepare(&Bytes::from_static(message.as_bytes()), &facts(extra)).unwrap();
    String::from_utf8(prepared.head.to_vec()).unwrap()
}

const RECEIVED: &str =
    "Received: by mail.postern.example with ESMTPSA id msg_1; Sun, 22 Nov 2026\r\n 10:11:04 +0000\r\n";

#[test]
fn rfc6409_8_missing_date_and_message_id_are_added() {
    assert_eq!(
        head_of("From: a@x.example\r\n\r\nHi\r\n", &[]),
        format!(
            "{RECEIVED}From: a@x.example\r\nDate: Sun, 22 Nov 2026 10:11:04 +0000\r\n\
             Message-ID: <msg_1@sample.example>\r\n\r\n"
        )
    );
    let own = "From: a@x.example\r\ndate: then\r\nMESSAGE-ID: <own@x.example>\r\n\r\n";
    assert_eq!(head_of(own, &[]), format!("{RECEIVED}{own}"));
    let prepared = prepare(&Bytes::from_static(own.as_bytes()), &facts(&[])).unwrap();
    assert_eq!(prepared.message_id, "<own@x.example>");
}

#[test]
fn rfc5322_3_6_3_private_fields_do_not_leave() {
    let head = head_of(
        "Return-Path: <r@x.example>\r\nBCC: secret@x.example,\r\n second@x.example\r\nFrom: a@x.example\r\n\
         x-postern-stream: bulk\r\nTo: b@x.example\r\n\r\n",
        &[],
    );
    for private in ["secret", "second", "Return-Path", "stream", "BCC"] {
        assert!(!head.contains(private), "{head}");
    }
    assert!(head.contains("From: a@x.example\r\nTo: b@x.example\r\n"), "{head}");
}

#[test]
fn the_body_is_not_copied() {
    let message = Bytes::from_static(b"From: a@x.example\r\n\r\nHi there\r\n");
    let prepared = prepare(&message, &facts(&[])).unwrap();
    assert_eq!(&prepared.body[..], b"Hi there\r\n");
    assert_eq!(prepared.body.as_ptr(), message[21..].as_ptr());
    assert!(!prepared.eight_bit);
    let eight = Bytes::from_static("From: a@x.example\r\n\r\nGrüße\r\n".as_bytes());
    assert!(prepare(&eight, &facts(&[])).unwrap().eight_bit);
}

#[test]
fn rfc8058_3_1_added_fields_replace_the_senders() {
    let extra = [
        (
            "List-Unsubscribe",
            "<https://sample.example/u/0123456789012345678901234567890123>, <mailto:u@sample.example>",
        ),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ];
    let head = head_of("From: a@x.example\r\nlist-unsubscribe: <mailto:x@x.example>\r\n\r\n", &extra);
    assert_eq!(head.to_lowercase().matches("list-unsubscribe:").count(), 1);
    assert!(head.contains("34567890123>,\r\n <mailto:u@sample.example>\r\n"), "{head}");
    assert!(head.contains("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{head}");
}

#[test]
fn no_line_can_be_injected() {
    let message = Bytes::from_static(b"From: a@x.example\r\n\r\n");
    for value in ["x\r\nBcc: b@x.example", "x\nBcc: b", "x\rBcc: b", "x\0", "ü"] {
        let refused = prepare(&message, &facts(&[("List-Id", value)])).unwrap_err();
        assert_eq!(refused, MessageError::Field(FieldError::Value { field: "List-Id".into() }), "{value:?}");
    }
    for name in ["", "List Id", "List-Id:", "List-Id\r\nBcc", "Lïst"] {
        let refused = prepare(&message, &facts(&[(name, "x")])).unwrap_err();
        assert_eq!(refused, MessageError::Field(FieldError::Name), "{name:?}");
    }
    let mut bad = facts(&[]);
    bad.message_id = "a@b>\r\nBcc: c";
    assert_eq!(prepare(&message, &bad).unwrap_err(), MessageError::Field(FieldError::MessageId));
    bad = facts(&[]);
    bad.received.by = "host; x";
    assert!(matches!(prepare(&message, &bad).unwrap_err(), MessageError::Field(FieldError::Value { .. })));
}

#[test]
fn rfc5322_2_1_1_body_lines_are_checked() {
    let line = |octets: usize| [vec![b'x'; octets], b"\r\n".to_vec()].concat();
    assert_eq!(ensure_lines_at_most_998(&[line(998), line(998)].concat()), Ok(()));
    let long = MessageError::LineTooLong { line: 2, limit: 998 };
    assert_eq!(ensure_lines_at_most_998(&[line(998), line(999)].concat()), Err(long.clone()));
    assert_eq!(ensure_lines_at_most_998(&[line(998), vec![b'x'; 999]].concat()), Err(long));
    for body in [&b"a\r\nb\nc"[..], b"a\r\nb\rc", b"a\r\nb\r", b"a\r\n\n", b"a\r\n\r\r\n"] {
        assert_eq!(ensure_lines_at_most_998(body), Err(MessageError::BareLineEnd { line: 2 }), "{body:?}");
    }
    assert_eq!(ensure_lines_at_most_998(b"a\0"), Err(MessageError::Nul { line: 1 }));
    assert_eq!(ensure_lines_at_most_998(b""), Ok(()));
}

#[test]
fn rfc5322_3_3_dates_are_right() {
    for (unix_s, text) in [
        (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 +0000"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
        (951_868_800, "Wed, 1 Mar 2000 00:00:00 +0000"),
        (1_709_210_096, "Thu, 29 Feb 2024 12:34:56 +0000"),
        (AT_UNIX_S, "Sun, 22 Nov 2026 10:11:04 +0000"),
        (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 +0000"),
        (u64::MAX, "Fri, 31 Dec 9999 23:59:59 +0000"),
    ] {
        assert_eq!(rfc5322_date(unix_s), text);
    }
}

#[test]
fn message_ids_are_checked() {
    for good in ["a@b", "msg_1.x-y@sample.example"] {
        assert!(is_message_id(good), "{good}");
    }
    for bad in ["", "a", "@b", "a@", "a@b@c", "<a@b>", "a b@c", "a@b\r\n", "ü@b", "\"a\"@b"] {
        assert!(!is_message_id(bad), "{bad}");
    }
}

#[test]
fn line_ends_are_made_canonical() {
    for (given, canonical) in [
        ("a\nb\n", "a\r\nb\r\n"),
        ("a\rb\r", "a\r\nb\r\n"),
        ("a\r\r\nb", "a\r\n\r\nb"),
        ("\n\r\n\n\r", "\r\n\r\n\r\n\r\n"),
        ("\r\n\r", "\r\n\r\n"),
    ] {
        assert_eq!(canonical_crlf(given.as_bytes()), canonical.as_bytes(), "{given:?}");
    }
    assert!(matches!(canonical_crlf(b"a\r\nb"), Cow::Borrowed(_)));
    assert!(matches!(canonical_crlf(b""), Cow::Borrowed(_)));
}

proptest! {
    #[test]
    fn canonical_text_stays_as_it_is(text in "[a\r\n]{0,12}") {
        let once = canonical_crlf(text.as_bytes()).into_owned();
        prop_assert_eq!(ensure_lines_at_most_998(&once), Ok(()));
        prop_assert_eq!(&*canonical_crlf(&once), &once[..]);
        let lines = |t: &str| t.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(lines(&text), lines(std::str::from_utf8(&once).unwrap()));
    }

    #[test]
    fn unfolding_gives_the_value_back(value in "[a-z \t]{0,300}") {
        let mut out = Vec::new();
        append_field("Subject", &value, &mut out).unwrap();
        let message = [&out[..], b"\r\n"].concat();
        let block = HeaderBlock::scan(&message, Limits::SUBMISSION).unwrap();
        let [field] = block.fields() else { panic!("one field") };
        prop_assert_eq!(field.unfolded(), value.trim_ascii().as_bytes());
        let text = String::from_utf8(out).unwrap();
        // A longer line than wanted has no place left to fold at.
        let foldable = |line: &str| line.trim_start_matches("Subject:").trim().contains([' ', '\t']);
        prop_assert!(text.split("\r\n").all(|line| line.len() <= FOLD_OCTETS || !foldable(line)));
    }
}
