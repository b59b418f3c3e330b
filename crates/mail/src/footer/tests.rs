//! Where the footer goes in each structure, and which messages take none.

use mail_parser::MessageParser;

use super::*;

mod encodings;
mod properties;
mod unfit;

pub(super) const PLAIN: &str = "--\nOpt out: https://post.example/o/7\n";
pub(super) const HTML: &str = "<p><a href=\"https://post.example/o/7\">Opt out</a></p>";

pub(super) fn ascii() -> Footer {
    Footer::new(PLAIN, HTML).unwrap()
}

pub(super) fn foreign() -> Footer {
    Footer::new("Abmelden für später – 退订", "<p>Abmelden für später – 退订</p>").unwrap()
}

/// Head without blank line and body, both with LF for CRLF.
pub(super) fn message(head: &str, body: &str) -> (Vec<u8>, Vec<u8>) {
    let crlf = |text: &str| text.replace('\n', "\r\n").into_bytes();
    (crlf(&format!("From: a@sample.example\n{head}\n")), crlf(body))
}

pub(super) fn unfit(head: &str, body: &str) -> Unfit {
    let (head, body) = message(head, body);
    plan(&head, &body).unwrap_err()
}

/// The message with the footer, in LF; the head is empty where it stays.
pub(super) fn put(footer: &Footer, head: &str, body: &str) -> (String, String) {
    let (head, body) = message(head, body);
    let footed = plan(&head, &body).unwrap().apply(footer);
    let lf = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap().replace("\r\n", "\n");
    (footed.head.as_deref().map(lf).unwrap_or_default(), lf(&footed.body))
}

/// The texts that an independent reader shows: all plain ones, then all HTML ones.
pub(super) fn shown(footer: &Footer, head: &str, body: &[u8]) -> (Vec<String>, Vec<String>) {
    let (head, _) = message(head, "");
    let footed = plan(&head, body).unwrap().apply(footer);
    let whole = [footed.head.as_deref().unwrap_or(&head), &footed.body].concat();
    let parsed = MessageParser::default().parse(&whole).unwrap();
    let of = |wanted: &str| {
        let parts = parsed.parts.iter().filter(|part| {
            use mail_parser::MimeHeaders;
            let kind = part.content_type().map(|kind| kind.subtype().unwrap_or_default().to_owned());
            kind.as_deref().unwrap_or("plain") == wanted
        });
        parts.filter_map(|part| part.text_contents().map(|text| text.trim_end().replace("\r\n", "\n"))).collect()
    };
    (of("plain"), of("html"))
}

const ALTERNATIVE: &str = "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=\"b\"\n";
const MIXED: &str = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=m\n";

#[test]
fn rfc2045_5_2_a_message_without_mime_fields_is_plain_text() {
    let (head, body) = put(&ascii(), "Subject: s\n", "Hello\n");
    assert_eq!((head.as_str(), body.as_str()), ("", "Hello\n\n--\nOpt out: https://post.example/o/7\n"));
    assert_eq!(put(&ascii(), "", "Hello").1, "Hello\n\n--\nOpt out: https://post.example/o/7\n");
    assert_eq!(put(&ascii(), "", "Hello\n\n").1, "Hello\n\n--\nOpt out: https://post.example/o/7\n");
    assert_eq!(put(&ascii(), "", "").1, "--\nOpt out: https://post.example/o/7\n");
}

#[test]
fn html_alone_takes_the_footer_before_the_end_of_its_body() {
    let html = |content: &str| put(&ascii(), "Content-Type: text/html\n", content).1;
    assert_eq!(html("<body>Hi</body></html>\n"), format!("<body>Hi\n{HTML}\n</body></html>\n"));
    assert_eq!(html("<p>&lt;/body></BODY></Body\t>\n"), format!("<p>&lt;/body></BODY>\n{HTML}\n</Body\t>\n"));
    assert_eq!(html("<p>Hi\n"), format!("<p>Hi\n{HTML}\n"));
    assert_eq!(html("<p>Hi</bodyguard>"), format!("<p>Hi</bodyguard>\n{HTML}\n"));
    assert_eq!(html(""), format!("{HTML}\n"));
}

#[test]
fn a_footer_in_html_is_never_in_a_comment() {
    let html = |content: &str| put(&ascii(), "Content-Type: text/html\n", content).1;
    assert_eq!(html("<p>Hi<!-- </body> -->\n"), format!("<p>Hi<!-- </body> -->\n{HTML}\n"));
    assert_eq!(html("<!--[if x]><!-->Hi<!--<![endif]--></body>"), {
        format!("<!--[if x]><!-->Hi<!--<![endif]-->\n{HTML}\n</body>\n")
    });
    assert_eq!(unfit("Content-Type: text/html\n", "<p>Hi</body><!-- and so on </body>\n"), Unfit::Malformed);
}

#[test]
fn rfc2046_5_1_4_each_version_of_the_text_takes_the_footer() {
    let body = |plain: &str, html: &str| {
        format!(
            "preamble\n--b\nContent-Type: text/plain\n\nHi{plain}\n\
             --b\nContent-Type: text/html\n\n<body>Hi{html}</body>\n--b\nContent-Type: text/html\n\n2{html}\n\
             --b\nContent-Type: text/calendar\n\nBEGIN\n--b--  \nepilogue\n"
        )
    };
    let (head, put) = put(&ascii(), ALTERNATIVE, &body("", ""));
    let expected = body(&format!("\n\n{PLAIN}"), &format!("\n{HTML}\n"));
    assert_eq!((head.as_str(), put), ("", expected));
}

#[test]
fn rfc2046_5_1_3_of_parts_in_a_row_the_first_text_of_each_kind_takes_it() {
    let parts = |plain: &str, html: &str| {
        format!(
            "--m\nContent-Type: multipart/alternative; boundary=\"b\"\n\n\
             --b\n\nHi{plain}\n--b\nContent-Type: multipart/related; boundary=r; type=\"text/html\"\n\n\
             --r\nContent-Type: text/html\n\nHi{html}\n--r\nContent-Type: image/png\nContent-ID: <1>\n\nx\n\
             --r--\n--b--\n\
             --m\nContent-Type: text/plain\n\nsecond\n--m\nContent-Type: application/pdf; name=a b\n\nfile\n--m--\n"
        )
    };
    let put = put(&ascii(), MIXED, &parts("", "")).1;
    assert_eq!(put, parts(&format!("\n\n{PLAIN}"), &format!("\n{HTML}\n")));
}

#[test]
fn rfc2183_2_8_files_are_not_the_text() {
    let files = "--m\nContent-Type: text/plain\nContent-Disposition: attachment\n\none\n\
        --m\nContent-Type: text/html\nContent-Disposition: inline; filename=a.html\n\ntwo\n\
        --m\nContent-Type: text/plain\nContent-Disposition: unheard-of\n\nthree\n";
    let text = |footer: &str| {
        format!("{files}--m\nContent-Type: text/plain\nContent-Disposition: inline\n\nfour{footer}\n--m--\n")
    };
    assert_eq!(put(&ascii(), MIXED, &text("")).1, text(&format!("\n\n{PLAIN}")));
    assert_eq!(unfit(MIXED, &format!("{files}--m--\n")), Unfit::NoText);
    assert_eq!(unfit("Content-Disposition: attachment\n", "x\n"), Unfit::NoText);
}

#[test]
fn rfc2046_5_2_1_forwarded_messages_are_not_the_text() {
    let forwarded = "--m\nContent-Type: message/rfc822\n\nSubject: x\nContent-Type: text/plain\n\nHi\n";
    assert_eq!(unfit(MIXED, &format!("{forwarded}--m--\n")), Unfit::NoText);
    let text = |footer: &str| format!("{forwarded}--m\n\nSee above.{footer}\n--m--\n");
    assert_eq!(put(&ascii(), MIXED, &text("")).1, text(&format!("\n\n{PLAIN}")));
}

#[test]
fn rfc2046_5_1_5_in_a_digest_a_part_without_type_is_a_message() {
    let digest = "Content-Type: multipart/digest; boundary=m\n";
    assert_eq!(unfit(digest, "--m\n\nSubject: x\n\nHi\n--m--\n"), Unfit::NoText);
    assert!(put(&ascii(), digest, "--m\nContent-Type: text/plain\n\nHi\n--m--\n").1.contains("Opt out"));
}

#[test]
fn rfc2387_3_2_the_root_is_the_text() {
    let head = |start: &str| format!("Content-Type: multipart/related; boundary=m; start=\"{start}\"\n");
    let parts = |first: &str, second: &str| {
        format!(
            "--m\nContent-Type: text/html\nContent-ID: <a>\n\nHi{first}\n\
             --m\nContent-Type: text/html\nContent-ID: <b>\n\nHi{second}\n--m--\n"
        )
    };
    let footer = format!("\n{HTML}\n");
    assert_eq!(put(&ascii(), &head("<a>"), &parts("", "")).1, parts(&footer, ""));
    assert_eq!(put(&ascii(), &head("<b>"), &parts("", "")).1, parts("", &footer));
    assert_eq!(unfit(&head("<c>"), &parts("", "")), Unfit::Malformed);
}

#[test]
fn rfc2046_5_1_1_parts_without_header_or_content() {
    let text = "--\nOpt out: https://post.example/o/7\n";
    let parts = |first: &str| put(&ascii(), MIXED, &format!("--m\n{first}--m--\n")).1;
    // The blank line is the line end before the delimiter line as well.
    assert_eq!(parts("\n"), format!("--m\n\n{text}\n--m--\n"));
    assert_eq!(parts(""), format!("--m\n\n{text}\n--m--\n"));
    let fields = "Content-Type: text/plain\n";
    assert_eq!(parts(&format!("{fields}\n")), format!("--m\n{fields}\n{text}\n--m--\n"));
    assert_eq!(parts(fields), format!("--m\n{fields}\n{text}\n--m--\n"));
}

#[test]
fn rfc2046_5_1_1_boundaries_that_begin_alike_are_told_apart() {
    let parts = |fields: &str, text: &str| {
        let inner = format!("--m1\n{fields}\nHi\n{text}\n--m1--\n");
        format!("--m\nContent-Type: multipart/mixed; boundary=m1\n\n{inner}--m--\n")
    };
    let put = put(&ascii(), MIXED, &parts("", "--mother")).1;
    // A line that readers could differ on is written so that they do not.
    let escaped = "=2D-mother\n\n=2D-\nOpt out: https://post.example/o/7\n";
    assert_eq!(put, parts("Content-Transfer-Encoding: quoted-printable\n", escaped));
}

#[test]
fn what_we_compose_ourselves_takes_the_footer() {
    use crate::compose::{Attachment, Draft, Mailbox, compose};
    let mailbox = Mailbox { address: crate::address::Address::parse("a@sample.example").unwrap(), name: None };
    let file = Attachment { name: "a.txt", content_type: "text/plain", content: b"file", content_id: None };
    let draft = Draft {
        from: mailbox.clone(),
        cc: Vec::new(),
        reply_to: Vec::new(),
        subject: "s",
        text: Some("Grüße"),
        html: Some("<body>Grüße</body>"),
        headers: &[],
        attachments: vec![file],
    };
    let composed = compose(&draft).unwrap();
    let head = composed.head_for(&[mailbox], "1@sample.example", 0).unwrap();
    let footed = plan(&head, &composed.body).unwrap().apply(&foreign());
    assert_eq!(footed.head, None);
    assert!(footed.body.is_ascii());
    let whole = [head, footed.body].concat();
    let parsed = MessageParser::default().parse(&whole).unwrap();
    assert!(parsed.body_text(0).unwrap().trim_end().ends_with("Grüße\r\n\r\nAbmelden für später – 退订"));
    assert!(parsed.body_html(0).unwrap().trim_end().ends_with("退订</p>\r\n</body>"));
    assert_eq!(parsed.attachment(0).unwrap().contents(), b"file");
}

#[test]
fn nothing_of_the_message_is_in_debug() {
    let (head, body) = message("Subject: secret\n", "secret\n");
    let plan = plan(&head, &body).unwrap();
    assert!(!format!("{plan:?} {:?}", plan.apply(&ascii())).contains("secret"));
    assert_eq!(plan.kinds().collect::<Vec<_>>(), [TextKind::Plain]);
}

#[test]
fn footers_are_short_text_in_both_forms() {
    let refused = |plain: &str, html: &str| Footer::new(plain, html).unwrap_err();
    assert_eq!(refused("", "x"), FooterError::Empty);
    assert_eq!(refused("x", " \n"), FooterError::Empty);
    assert_eq!(refused("x\0", "x"), FooterError::Control);
    assert_eq!(refused("x", "x\u{85}"), FooterError::Control);
    let long = "x".repeat(FOOTER_OCTETS_MAX + 1);
    assert_eq!(refused(&long, "x"), FooterError::TooLong { limit: FOOTER_OCTETS_MAX });
    assert!(Footer::new(&long[1..], &long[1..]).is_ok());
}
