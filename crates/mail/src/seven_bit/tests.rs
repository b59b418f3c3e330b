//! What leaves in seven bits says what it said in eight, to a reader that is not ours; and what must not be touched.

use mail_parser::{MessageParser, MimeHeaders as _};
use proptest::prelude::*;

use super::{SevenBit, Unaltered, seven_bit};
use crate::message::ensure_lines_at_most_998;

const HEAD: &str = "From: a@sample.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n";

fn recoded(fields: &str, body: &[u8]) -> Result<SevenBit, Unaltered> {
    seven_bit(format!("{HEAD}{fields}\r\n").as_bytes(), body)
}

/// Type and decoded octets of each leaf, as another program reads them.
fn leaves(message: &[u8]) -> Vec<(String, Vec<u8>)> {
    let parsed = MessageParser::default().parse(message).unwrap();
    let leaf = |part: &mail_parser::MessagePart<'_>| {
        let kind = part.content_type().map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()));
        (!part.is_multipart()).then(|| (kind.unwrap_or_default().to_lowercase(), part.contents().to_vec()))
    };
    parsed.parts.iter().filter_map(leaf).collect()
}

#[test]
fn rfc6152_3_a_text_becomes_quoted_printable_and_a_file_base64() {
    let text = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
    let made = recoded(text, "Grüße = a\r\n.dot \r\n".as_bytes()).unwrap();
    assert_eq!(made.body, b"Gr=C3=BC=C3=9Fe =3D a\r\n.dot=20\r\n");
    let head = String::from_utf8(made.head.unwrap()).unwrap();
    assert_eq!(
        head,
        format!("{HEAD}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
    );
    let made = recoded("Content-Type: application/x\r\n", b"\xff\xfe\r\n").unwrap();
    assert_eq!(made.body, b"//4NCg==\r\n");
    let head = String::from_utf8(made.head.unwrap()).unwrap();
    assert!(head.ends_with("Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"), "{head}");
}

#[test]
fn rfc2045_4_a_message_without_mime_becomes_one_of_mime() {
    let made = seven_bit(b"From: a@sample.example\r\n\r\n", "Grüße, dies ist ein langer Brief\r\n".as_bytes()).unwrap();
    let head = String::from_utf8(made.head.unwrap()).unwrap();
    assert!(head.ends_with("MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"), "{head}");
}

#[test]
fn what_is_ascii_stays_octet_for_octet() {
    let made = recoded("Content-Transfer-Encoding: 8bit\r\n", b"plain\r\n").unwrap();
    assert_eq!((made.head, made.body.as_slice()), (None, b"plain\r\n".as_slice()));
}

/// A multipart within a multipart: one signed part of ASCII, one text of eight bits.
fn nested(inner: &str) -> Vec<u8> {
    format!(
        "preamble\r\n--out\r\nContent-Type: multipart/signed; boundary=sig\r\n\r\n--sig\r\n\r\nsigned \r\n--sig\r\n\
         Content-Type: application/pgp-signature\r\n\r\nxyz\r\n--sig--\r\n\r\n--out\r\n\
         Content-Type: multipart/alternative; boundary=\"in\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--in\r\n\
         {inner}\r\n--in--\r\n--out--\r\nepilogue\r\n"
    )
    .into_bytes()
}

#[test]
fn rfc2046_5_only_the_parts_that_need_it_change_at_any_depth() {
    let body = nested("Content-Type: text/html; charset=utf-8\r\n\r\n<p>größer, und noch etwas</p>");
    let fields = "Content-Type: multipart/mixed; boundary=out\r\nContent-Transfer-Encoding: 8bit\r\n";
    let made = recoded(fields, &body).unwrap();
    let expected = nested(
        "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         <p>gr=C3=B6=C3=9Fer, und noch etwas</p>",
    );
    let expected = String::from_utf8(expected).unwrap().replace("Encoding: 8bit", "Encoding: 7bit");
    assert_eq!(String::from_utf8(made.body).unwrap(), expected);
    let head = String::from_utf8(made.head.unwrap()).unwrap();
    assert!(head.ends_with("boundary=out\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"), "{head}");
}

#[test]
fn rfc1847_2_1_what_is_signed_encrypted_or_forwarded_is_not_altered() {
    let cases = [
        ("multipart/signed; boundary=b", Unaltered::Sealed),
        ("multipart/encrypted; boundary=b", Unaltered::Sealed),
        ("application/pkcs7-mime; smime-type=signed-data", Unaltered::Sealed),
        ("message/rfc822", Unaltered::Forwarded),
        ("message/delivery-status", Unaltered::Forwarded),
    ];
    for (media, why) in cases {
        let part = "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nä\r\n--b--\r\n";
        assert_eq!(recoded(&format!("Content-Type: {media}\r\n"), part.as_bytes()), Err(why), "{media}");
        let within = format!("--o\r\nContent-Type: {media}\r\n\r\n{part}\r\n--o--\r\n");
        assert_eq!(
            recoded("Content-Type: multipart/mixed; boundary=o\r\n", within.as_bytes()),
            Err(why),
            "{media} within"
        );
    }
    // RFC 2046 §5.1.5: within a digest a part without a type is a message.
    let digest = "--o\r\n\r\nFrom: b@dest.example\r\n\r\nä\r\n--o--\r\n";
    let made = recoded("Content-Type: multipart/digest; boundary=o\r\n", digest.as_bytes());
    assert_eq!(made, Err(Unaltered::Forwarded));
    // RFC 6532 §3.7: that of internationalised mail may be.
    let made = recoded("Content-Type: message/global\r\n", "From: ä@dest.example\r\n\r\nx\r\n".as_bytes()).unwrap();
    assert!(made.body.is_ascii());
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let cases: [(&str, &str, Unaltered); 8] = [
        ("Content-Type: multipart/mixed; boundary=b\r\n", "--b\r\n\r\nä\r\n", Unaltered::Malformed),
        ("Content-Type: multipart/mixed\r\n", "--b\r\n\r\nä\r\n--b--\r\n", Unaltered::Malformed),
        ("Content-Type: multipart/mixed; boundary=b\r\n", "ä\r\n--b\r\n\r\nä\r\n--b--\r\n", Unaltered::Malformed),
        ("Content-Type: multipart/mixed; boundary=b\r\n", "--b\r\nX: ä\r\n\r\na\r\n--b--\r\n", Unaltered::Fields),
        ("Content-Transfer-Encoding: base64\r\n", "w6Q=ä\r\n", Unaltered::TransferEncoding),
        ("Content-Transfer-Encoding: x-uuencode\r\n", "ä\r\n", Unaltered::TransferEncoding),
        ("Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 7bit\r\n", "ä\r\n", Unaltered::Malformed),
        ("Subject: ä\r\n", "ä\r\n", Unaltered::Fields),
    ];
    for (fields, body, why) in cases {
        assert_eq!(recoded(fields, body.as_bytes()), Err(why), "{fields}");
    }
    let mut deep = "ä".to_owned();
    let mut fields = String::new();
    for level in 0..10 {
        let outer = format!("Content-Type: multipart/mixed; boundary=b{level}\r\n");
        deep = format!("--b{level}\r\n{fields}\r\n{deep}\r\n--b{level}--\r\n");
        fields = outer;
    }
    assert_eq!(recoded(&fields, deep.as_bytes()), Err(Unaltered::TooMuch));
}

/// Fields and content of one part.
type Part = (String, Vec<u8>);

fn part() -> impl Strategy<Value = Part> {
    let kind = prop::sample::select(vec![
        "text/plain; charset=utf-8",
        "text/html; charset=iso-8859-1",
        "image/png",
        "application/x; name=\"a b\"",
    ]);
    let encoding = prop::sample::select(vec!["", "8bit", "7bit", "binary"]);
    let line = prop_oneof![
        3 => "[ -~]{0,90}".prop_map(String::into_bytes),
        1 => prop::collection::vec(prop::sample::select(b" =-.~aZ\xc3\xa4\xff\t".to_vec()), 0..120),
        1 => "[ä-ü€]{0,40} ?".prop_map(String::into_bytes),
    ];
    let leaf = (kind, encoding, prop::collection::vec(line, 0..6)).prop_map(|(kind, encoding, lines)| {
        let encoding = match encoding {
            "" => String::new(),
            encoding => format!("Content-Transfer-Encoding: {encoding}\r\n"),
        };
        (format!("Content-Type: {kind}\r\n{encoding}"), lines.join(&b"\r\n"[..]))
    });
    leaf.prop_recursive(3, 12, 4, |inner| {
        let kind = prop::sample::select(vec!["mixed", "alternative", "related", "unheard-of"]);
        (kind, prop::collection::vec(inner, 1..4), any::<u64>()).prop_map(|(kind, parts, number)| {
            let boundary = format!("=_{number}_");
            let mut content = b"preamble".to_vec();
            for (fields, octets) in parts {
                content.extend_from_slice(format!("\r\n--{boundary}\r\n{fields}\r\n").as_bytes());
                content.extend_from_slice(&octets);
            }
            content.extend_from_slice(format!("\r\n--{boundary}--\r\nepilogue").as_bytes());
            (format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n"), content)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_reader_decodes_what_it_decoded_before((fields, content) in part()) {
        let mut body = content;
        body.extend_from_slice(b"\r\n");
        let head = format!("{HEAD}{fields}\r\n");
        let made = seven_bit(head.as_bytes(), &body).unwrap();
        prop_assert!(made.body.is_ascii());
        ensure_lines_at_most_998(&made.body).unwrap();
        let new_head = made.head.clone().unwrap_or_else(|| head.clone().into_bytes());
        prop_assert!(new_head.is_ascii());
        let before = leaves(&[head.as_bytes(), &body].concat());
        let after = leaves(&[&new_head[..], &made.body].concat());
        prop_assert_eq!(before, after);
        // What is in seven bits stays as it is.
        let again = seven_bit(&new_head, &made.body).unwrap();
        prop_assert_eq!((again.head, again.body), (None, made.body));
    }

    #[test]
    fn nothing_that_is_sent_panics(
        head in "[ -~ä\r\n:;=-]{0,200}",
        body in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Ok(made) = seven_bit(head.as_bytes(), &body) {
            prop_assert!(made.body.is_ascii());
        }
    }
}
