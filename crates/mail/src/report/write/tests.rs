//! What a notification says, read by a foreign parser, and what it does not say.

use mail_parser::{MessageParser, MimeHeaders as _};

use super::*;

const HEAD: &[u8] = b"Received: by mx.sample.example; Mon, 1 Jan 2024 00:00:00 +0000\r\nFrom: shop@sample.example\r\n\
To: ada@dest.example,\r\n eve@dest.example\r\nCc: mallory@dest.example\r\nSubject: Your receipt\r\n\
Message-ID: <1@sample.example>\r\n\r\n";

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn with_report<T>(change: impl FnOnce(&mut Report<'_>), look: impl FnOnce(&Report<'_>) -> T) -> T {
    let (from, to, ada) = (address("mail@sample.example"), address("shop@sample.example"), address("ada@dest.example"));
    let host = Domain::parse("mx.sample.example").unwrap();
    let original = OriginalRecipient::parse("rfc822;Ada+2B1@dest.example").unwrap();
    let mut report = Report {
        action: Action::Failed,
        reporting: &host,
        from: &from,
        to: &to,
        message_id: "msg_1@sample.example",
        unix_s: 1_800_014_400,
        envelope_id: Some("order 17"),
        arrived_unix_s: 1_800_000_000,
        original: Some(&original),
        recipient: &ada,
        status: "5.1.1",
        code: Some(550),
        until_unix_s: None,
        returned: Returned::Headers(HEAD),
    };
    change(&mut report);
    look(&report)
}

fn written(change: impl FnOnce(&mut Report<'_>)) -> String {
    let written = with_report(change, write).unwrap();
    String::from_utf8([written.head, written.body].concat()).unwrap()
}

#[test]
fn rfc3464_2_a_failure_has_three_parts_and_the_fields() {
    let text = written(|_| {});
    let message = MessageParser::default().parse(text.as_bytes()).unwrap();
    let kind = message.content_type().unwrap();
    assert_eq!((kind.ctype(), kind.attribute("report-type")), ("multipart", Some("delivery-status")));
    let kinds: Vec<String> = message
        .parts
        .iter()
        .skip(1)
        .filter_map(|part| part.content_type())
        .map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()))
        .collect();
    assert_eq!(kinds, ["text/plain", "message/delivery-status", "text/rfc822-headers"]);
    for line in [
        "Original-Envelope-Id: order 17\r\nReporting-MTA: dns; mx.sample.example\r\n",
        "\r\n\r\nOriginal-Recipient: rfc822; Ada+1@dest.example\r\nFinal-Recipient: rfc822; ada@dest.example\r\n",
        "Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Subject: Your receipt\r\n",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
}

#[test]
fn art5_1_c_returned_headers_name_nobody_else() {
    let text = written(|_| {});
    for other in ["eve@", "mallory@", "Received:"] {
        assert!(!text.contains(other), "{other}: {text}");
    }
    // Twin: the whole message is the client's own, and he asked for it.
    let full = written(|report| report.returned = Returned::Full(HEAD, b"Hello.\r\n"));
    assert!(full.contains("Content-Type: message/rfc822\r\n") && full.contains("eve@") && full.contains("Hello.\r\n"));
}

#[test]
fn rfc3464_2_3_3_delay_and_relay_say_so() {
    let delayed = written(|report| {
        report.action = Action::Delayed;
        report.until_unix_s = Some(1_800_100_000);
    });
    assert!(delayed.contains("Action: delayed\r\n") && delayed.contains("Will-Retry-Until: "), "{delayed}");
    let relayed = written(|report| report.action = Action::Relayed);
    assert!(relayed.contains("Action: relayed\r\n") && relayed.contains("Subject: Relayed mail\r\n"));
}

#[test]
fn rfc2046_5_1_1_content_cannot_end_its_part() {
    let body = b"--=_report_msg1sampleexample_0\r\n\r\nno part\r\n";
    let text = written(|report| report.returned = Returned::Full(HEAD, body));
    assert!(text.contains("boundary=\"=_report_msg1sampleexample_1\""), "{text}");
}

#[test]
fn rfc6152_8bit_content_is_declared() {
    let written = with_report(|report| report.returned = Returned::Full(HEAD, "Grüße\r\n".as_bytes()), write).unwrap();
    assert!(String::from_utf8(written.head).unwrap().contains("Content-Transfer-Encoding: 8bit\r\n"));
}

const GLOBAL_HEAD: &[u8] = "From: shop@sample.example\r\nTo: jörg@dest.example\r\nSubject: Ihre Quittung für Jörg\r\n\
Message-ID: <1@sample.example>\r\n\r\n"
    .as_bytes();

/// A report about a recipient outside ASCII, its head and its body.
fn global(to: &str, recipient: &str, original: Option<&str>, returned: Returned<'_>) -> (Vec<u8>, String) {
    let (from, to, recipient) = (address("mail@sample.example"), address(to), address(recipient));
    let host = Domain::parse("mx.sample.example").unwrap();
    let original = original.map(|text| OriginalRecipient::parse(text).unwrap());
    let made = write(&Report {
        action: Action::Failed,
        reporting: &host,
        from: &from,
        to: &to,
        message_id: "msg_1@sample.example",
        unix_s: 1_800_014_400,
        envelope_id: None,
        arrived_unix_s: 1_800_000_000,
        original: original.as_ref(),
        recipient: &recipient,
        status: "5.6.7",
        code: None,
        until_unix_s: None,
        returned,
    });
    let made = made.unwrap();
    (made.head, String::from_utf8(made.body).unwrap())
}

fn kinds(body: &str) -> Vec<&str> {
    body.lines().filter_map(|line| line.strip_prefix("Content-Type: ")).collect()
}

#[test]
fn rfc6533_3_to_a_reader_in_ascii_a_recipient_outside_it_is_written_in_ascii() {
    let original = Some("utf-8;jörg@dest.example");
    let returned = Returned::Headers(GLOBAL_HEAD);
    let (head, text) = global("shop@sample.example", "jörg+x@dest.example", original, returned);
    assert!(head.is_ascii(), "it leaves without SMTPUTF8");
    assert!(text.contains("\r\nOriginal-Recipient: utf-8; j\\x{F6}rg@dest.example\r\n"), "{text}");
    assert!(text.contains("\r\nFinal-Recipient: utf-8; j\\x{F6}rg\\x{2B}x@dest.example\r\n"), "{text}");
    assert_eq!(kinds(&text), ["text/plain; charset=utf-8", "message/delivery-status", "message/global-headers"]);
    assert!(text.contains("    jörg+x@dest.example\r\n"), "{text}");
    assert!(text.contains("Subject: Ihre Quittung für Jörg\r\n") && !text.contains("To: jörg"), "{text}");
}

#[test]
fn rfc6533_4_to_a_reader_outside_ascii_the_report_is_in_utf_8_and_is_read_back() {
    let returned = Returned::Full(GLOBAL_HEAD, b"Hello.\r\n");
    let (head, text) = global("läden@sample.example", "jörg@dest.example", None, returned);
    let head = String::from_utf8(head).unwrap();
    assert!(head.contains("\r\nTo: <läden@sample.example>\r\n"), "{head}");
    assert_eq!(kinds(&text), ["text/plain; charset=utf-8", "message/global-delivery-status", "message/global"]);
    assert!(text.contains("\r\nFinal-Recipient: utf-8; jörg@dest.example\r\n"), "{text}");
    for to in ["läden@sample.example", "shop@sample.example"] {
        let (head, text) = global(to, "jörg@dest.example", None, returned);
        let message = [head, text.into_bytes()].concat();
        let read = crate::report::read(&message, crate::report::Envelope::Null);
        let crate::report::Report::Delivery(read) = read else { panic!("{read:?}") };
        assert_eq!(read.fates[0].recipient.as_deref(), Some("jörg@dest.example"));
    }
}
