//! What a draft becomes, and what cannot be slipped into one.

use base64::Engine;
use proptest::prelude::*;

use super::*;
use crate::header::{HeaderBlock, Limits, check_submission};

const AT_UNIX_S: u64 = 1_795_342_264;

fn mailbox(address: &str, name: Option<&str>) -> Mailbox {
    Mailbox { address: Address::parse(address).unwrap(), name: name.map(str::to_owned) }
}

fn draft() -> Draft<'static> {
    Draft {
        from: mailbox("shop@sample.example", Some("Shop")),
        cc: Vec::new(),
        reply_to: Vec::new(),
        subject: "Your receipt",
        text: Some("Hello Ada,\nthank you.\n"),
        html: None,
        headers: &[],
        attachments: Vec::new(),
    }
}

fn whole(draft: &Draft<'_>) -> String {
    let composed = compose(draft).unwrap();
    let head = composed.head_for(&[mailbox("ada@dest.example", Some("Ada"))], "1@sample.example", AT_UNIX_S).unwrap();
    let message = String::from_utf8([&head, &composed.body[..]].concat()).unwrap();
    let block = HeaderBlock::scan(message.as_bytes(), Limits::SUBMISSION).unwrap();
    assert_eq!(block.body(), &composed.body[..]);
    assert_eq!(check_submission(&block).unwrap().from.to_wire(), "shop@sample.example");
    message
}

#[test]
fn text_alone_is_one_part() {
    assert_eq!(
        whole(&draft()),
        "Date: Sun, 22 Nov 2026 10:11:04 +0000\r\nMessage-ID: <1@sample.example>\r\n\
         To: \"Ada\" <ada@dest.example>\r\nFrom: \"Shop\" <shop@sample.example>\r\nSubject: Your receipt\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
         Hello Ada,\r\nthank you.\r\n"
    );
}

/// The types of all parts in order, each indented by its level.
fn tree(message: &str) -> Vec<String> {
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n\t", " ").replace("\r\n ", " ");
    let line = unfolded.split("\r\n").find(|l| l.starts_with("Content-Type: ")).unwrap();
    let kind = line["Content-Type: ".len()..].split(';').next().unwrap().trim().to_owned();
    let Some((_, boundary)) = line.split_once("boundary=\"") else { return vec![kind] };
    let boundary = boundary.split('"').next().unwrap();
    let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
    assert!(parts.last().unwrap().starts_with("--\r\n"), "closing boundary");
    let inner = parts[1..parts.len() - 1].iter().flat_map(|part| tree(part.trim_start_matches("\r\n")));
    std::iter::once(kind).chain(inner.map(|kind| format!(" {kind}"))).collect()
}

#[test]
fn rfc2046_5_1_the_tree_has_the_parts_it_needs() {
    let pdf = Attachment { name: "receipt.pdf", content_type: "application/pdf", content: b"%PDF", content_id: None };
    let logo =
        Attachment { name: "logo.png", content_type: "image/png", content: b"\x89PNG", content_id: Some("logo") };
    let case = |text: bool, html: bool, attachments: &[Attachment<'static>]| {
        let mut draft = draft();
        draft.text = text.then_some("plain");
        draft.html = html.then_some("<p>html</p>");
        draft.attachments = attachments.to_vec();
        tree(&whole(&draft)).join("|")
    };
    assert_eq!(case(false, true, &[]), "text/html");
    assert_eq!(case(true, true, &[]), "multipart/alternative| text/plain| text/html");
    assert_eq!(case(true, false, &[pdf]), "multipart/mixed| text/plain| application/pdf");
    assert_eq!(case(false, false, &[pdf]), "multipart/mixed| application/pdf");
    assert_eq!(case(false, true, &[logo]), "multipart/related| text/html| image/png");
    assert_eq!(case(true, false, &[logo]), "multipart/mixed| text/plain| image/png");
    assert_eq!(
        case(true, true, &[logo, pdf]),
        "multipart/mixed| multipart/alternative|  text/plain|  multipart/related|   text/html|   image/png\
         | application/pdf"
    );
    let mut empty = draft();
    empty.text = None;
    assert_eq!(compose(&empty).unwrap_err(), ComposeError::NoContent);
}

#[test]
fn the_same_draft_gives_the_same_octets_and_recipients_share_the_body() {
    let mut draft = draft();
    draft.html = Some("<p>Grüße</p>");
    let (one, two) = (compose(&draft).unwrap(), compose(&draft).unwrap());
    assert_eq!(one.body, two.body);
    let ada = one.head_for(&[mailbox("ada@dest.example", None)], "1@s.example", AT_UNIX_S).unwrap();
    let both = [mailbox("ada@dest.example", None), mailbox("bob@dest.example", Some("Bob"))];
    let shared = one.head_for(&both, "2@s.example", AT_UNIX_S).unwrap();
    assert!(String::from_utf8(ada).unwrap().contains("\r\nTo: <ada@dest.example>\r\n"));
    assert!(String::from_utf8(shared).unwrap().contains("\r\nTo: <ada@dest.example>, \"Bob\" <bob@dest.example>\r\n"));
    assert_eq!(one.head_for(&[], "1@s.example", 0).unwrap_err(), ComposeError::NoRecipient);
    assert!(one.head_for(&both, "no id", 0).is_err());
}

#[test]
fn everything_is_seven_bit_and_short() {
    let long = "ü".repeat(5000);
    let word = "x".repeat(5000);
    let mut draft = draft();
    draft.subject = "Grüße – Ihre Bestellung Nummer 4711 ist heute auf den Weg gebracht worden, schön, nicht wahr?";
    draft.from.name = Some("Jörg \"der Händler\", GmbH".into());
    draft.reply_to = vec![mailbox("help@bücher.example", Some("Hilfe"))];
    draft.text = Some(&long);
    draft.html = Some(&word);
    draft.attachments = vec![Attachment {
        name: "Übersicht für Ada.txt",
        content_type: "TEXT/plain",
        content: b"bare\rCR, bare\nLF, \0 and \xff",
        content_id: None,
    }];
    let message = whole(&draft);
    assert!(message.is_ascii());
    assert!(message.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0'])));
    assert!(message.contains("Reply-To: \"Hilfe\" <help@xn--bcher-kva.example>\r\n"), "{message}");
    let file = base64::engine::general_purpose::STANDARD.encode(b"bare\rCR, bare\nLF, \0 and \xff");
    assert!(message.contains(&file));
}

#[test]
fn no_line_can_be_injected() {
    for evil in ["a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\0b", "a\u{85}b", "a\u{2028}b", "a\u{b}b"] {
        let control = |field: &str| ComposeError::Control { field: field.to_owned() };
        let mut subject = draft();
        subject.subject = evil;
        assert_eq!(compose(&subject).unwrap_err(), control("subject"));
        let mut from = draft();
        from.from.name = Some(evil.into());
        assert_eq!(compose(&from).unwrap_err(), control("from.name"));
        let mut cc = draft();
        cc.cc = vec![mailbox("c@dest.example", Some(evil))];
        assert_eq!(compose(&cc).unwrap_err(), control("cc.name"));
        let headers = [("X-Order".to_owned(), evil.to_owned())];
        let mut custom = draft();
        custom.headers = &headers;
        assert_eq!(compose(&custom).unwrap_err(), control("headers.X-Order"));
        let mut file = draft();
        file.attachments = vec![Attachment { name: evil, content_type: "a/b", content: b"", content_id: None }];
        assert_eq!(compose(&file).unwrap_err(), control("attachments.name"));
        let composed = compose(&draft()).unwrap();
        let to = [mailbox("ada@dest.example", Some(evil))];
        assert_eq!(composed.head_for(&to, "1@s.example", 0).unwrap_err(), control("to.name"));
    }
    let headers = [("X-A\r\nBcc".to_owned(), "x".to_owned())];
    let mut custom = draft();
    custom.headers = &headers;
    assert_eq!(compose(&custom).unwrap_err(), ComposeError::Field(FieldError::Name));
}

#[test]
fn the_platforms_fields_are_not_the_senders_to_set() {
    let result = |pairs: &[(&str, &str)]| {
        let headers: Vec<_> = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let mut draft = draft();
        draft.headers = &headers;
        compose(&draft)
    };
    for name in [
        "from",
        "TO",
        "Cc",
        "bcc",
        "Subject",
        "Date",
        "message-id",
        "Sender",
        "Reply-To",
        "DKIM-Signature",
        "Received",
        "Return-Path",
        "MIME-version",
        "Content-Type",
        "content-x",
        "X-Postern-Stream",
        "Resent-To",
        "ARC-Seal",
    ] {
        assert_eq!(result(&[(name, "x")]).unwrap_err(), ComposeError::Reserved { name: name.into() });
    }
    assert!(
        result(&[("X-Order", "17"), ("In-Reply-To", "<a@b>"), ("List-Unsubscribe", "<https://x.example>")]).is_ok()
    );
    assert_eq!(result(&[("X-A", "1"), ("x-a", "2")]).unwrap_err(), ComposeError::Repeated { name: "x-a".into() });
}

#[test]
fn attachments_have_sound_types() {
    let result = |content_type, content_id| {
        let mut draft = draft();
        draft.attachments = vec![Attachment { name: "n", content_type, content: b"x", content_id }];
        compose(&draft).map(|composed| String::from_utf8(composed.body.to_vec()).unwrap())
    };
    for bad in ["", "pdf", "a/", "/b", "a/b/c", "a b/c", "multipart/mixed", "a/b; c", "a/b; c=d e", "ü/x"] {
        assert_eq!(result(bad, None).unwrap_err(), ComposeError::ContentType, "{bad}");
    }
    assert!(result("text/csv; charset=utf-8", None).unwrap().contains("Content-Type: text/csv; charset=utf-8\r\n"));
    // RFC 2046 §5.2.1: message/rfc822 may not be base64.
    assert!(result("message/rfc822", None).unwrap().contains("Content-Type: application/octet-stream\r\n"));
    for bad in ["", "a b", "<a>", "ü", "a\r\nb"] {
        assert_eq!(result("a/b", Some(bad)).unwrap_err(), ComposeError::ContentId, "{bad:?}");
    }
}

#[test]
fn limits_are_named() {
    let long = "x".repeat(SUBJECT_OCTETS_MAX + 1);
    let mut draft = draft();
    draft.subject = &long;
    let refused = compose(&draft).unwrap_err();
    assert_eq!(refused, ComposeError::TooMuch { field: "subject".into(), limit: SUBJECT_OCTETS_MAX });
    assert!(refused.to_string().contains("subject") && refused.to_string().contains("4096"));
}

proptest! {
    #[test]
    fn any_text_is_composed_canonically(
        subject in "\\PC{0,200}", name in "\\PC{0,80}", text in "[^\0]{0,400}", value in "\\PC{0,300}",
    ) {
        let headers = [("X-Value".to_owned(), value)];
        let mut draft = draft();
        (draft.subject, draft.text, draft.headers) = (&subject, Some(text.as_str()), &headers);
        draft.from.name = Some(name);
        if let Err(refused) = compose(&draft) {
            prop_assert!(matches!(refused, ComposeError::Control { .. }), "{:?}", refused);
        } else {
            whole(&draft);
        }
    }
}
