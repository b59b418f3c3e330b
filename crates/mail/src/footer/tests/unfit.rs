//! Messages that take no footer, each with a twin that does.

use super::*;

#[test]
fn rfc1847_2_signed_and_encrypted_messages_stay_as_they_are() {
    let parts = "--m\n\nHi\n--m\nContent-Type: application/octet-stream\n\nx\n--m--\n";
    for (kind, why) in [("signed", Unfit::Signed), ("encrypted", Unfit::Encrypted)] {
        assert_eq!(unfit(&format!("Content-Type: Multipart/{kind}; boundary=m\n"), parts), why);
        let inner = format!("--o\nContent-Type: multipart/{kind}; boundary=m\n\n{parts}\n--o\n\nlist\n--o--\n");
        assert_eq!(unfit("Content-Type: multipart/mixed; boundary=o\n", &inner), why);
    }
    assert!(put(&ascii(), "Content-Type: multipart/signature-like; boundary=m\n", parts).1.contains("Opt out"));
}

#[test]
fn rfc8551_3_2_smime_stays_as_it_is() {
    let head =
        |kind: &str| format!("Content-Type: application/{kind}\nContent-Disposition: attachment; filename=smime.p7m\n");
    assert_eq!(unfit(&head("pkcs7-mime; smime-type=signed-data"), "x\n"), Unfit::Signed);
    assert_eq!(unfit(&head("pkcs7-mime; smime-type=enveloped-data"), "x\n"), Unfit::Encrypted);
    assert_eq!(unfit(&head("x-pkcs7-mime"), "x\n"), Unfit::Encrypted);
}

#[test]
fn rfc4880_6_2_pgp_armour_stays_as_it_is() {
    for text in ["-----BEGIN PGP MESSAGE-----\n\nx\n", "Hi\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: x\n\nx\n"] {
        assert_eq!(unfit("", text), Unfit::PgpArmour);
        let base64 = {
            use base64::Engine;
            base64::engine::general_purpose::STANDARD.encode(text.replace('\n', "\r\n"))
        };
        assert_eq!(unfit("Content-Transfer-Encoding: base64\n", &base64), Unfit::PgpArmour);
        assert_eq!(unfit("Content-Type: text/html\n", &format!("<pre>{text}</pre>")), Unfit::PgpArmour);
    }
    // Quoted, spoken of, or a key: none of these is signed or sealed.
    for text in
        ["> -----BEGIN PGP MESSAGE-----\n", "a -----BEGIN PGP MESSAGE\n", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"]
    {
        assert!(put(&ascii(), "", text).1.contains("Opt out"));
    }
}

#[test]
fn rfc6522_3_reports_have_no_text_of_the_sender() {
    let parts = "--m\n\nNot delivered.\n--m\nContent-Type: message/delivery-status\n\nx: y\n--m--\n";
    let report = "Content-Type: multipart/report; report-type=delivery-status; boundary=m\n";
    assert_eq!(unfit(report, parts), Unfit::NoText);
}

#[test]
fn rfc2046_5_1_1_structures_that_can_be_read_in_two_ways() {
    let mixed = "Content-Type: multipart/mixed; boundary=m\n";
    for body in [
        "",
        "no delimiter\n",
        "--m\n\nHi\n",
        "--m--\n",
        "--m\n\nHi\n--m",
        "--m\n\nHi\n--m--\n--m\n\nHo\n--m--\n",
        "--m\nno header\n--m--\n",
        "--m\nContent-Type: text/plain\nContent-Type: text/html\n\nHi\n--m--\n",
        "--m\nContent-Type: text/plain\nContent-Disposition: inline\nContent-Disposition: attachment\n\nHi\n--m--\n",
        "--m\nContent-Type: text\n\nHi\n--m--\n",
        "--m\nContent-Type: text/plain; charset=utf-8; charset=us-ascii\n\nHi\n--m--\n",
        "--m\nContent-Type: text/plain; charset*=utf-8''utf-8\n\nHi\n--m--\n",
        "--m\nContent-Type: text/plain; charset=\"utf-8\n\nHi\n--m--\n",
        "--m\nContent-Type: text/plain (comment\n\nHi\n--m--\n",
        "--m\nContent-Type: multipart/mixed; boundary=m\n\n--m\n\nHi\n--m--\n--m--\n",
        "--m\nContent-Type: multipart/mixed; boundary=n\n\n--n\n\nHi\n--m--\n",
    ] {
        assert_eq!(unfit(mixed, body), Unfit::Malformed, "{body}");
    }
    for head in [
        "Content-Type: multipart/mixed\n",
        "Content-Type: multipart/mixed; boundary=\"\"\n",
        "Content-Type: multipart/mixed; boundary=\"m \"\n",
        "Content-Type: multipart/mixed; boundary*0=m\n",
        "Content-Type: multipart/mixed; boundary=m; boundary=n\n",
        "Content-Type: multipart/mixed; boundary m\n",
        "Content-Type: multipart/mixed; boundary=m\nContent-Type: text/plain\n",
        "MIME-Version: 1.0\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=m\n",
        "Content-Type:\n",
    ] {
        assert_eq!(unfit(head, "--m\n\nHi\n--m--\n"), Unfit::Malformed, "{head}");
    }
    let long = format!("Content-Type: multipart/mixed; boundary={}\n", "m".repeat(71));
    assert_eq!(unfit(&long, "x"), Unfit::Malformed);
    let comments = "Content-Type: (a(b\\))c) multipart/mixed (; boundary=x); (d) boundary = \"\\m\" ;\n";
    assert!(put(&ascii(), comments, "--m\t\n\nHi\n--m-- ").1.contains("Opt out"));
}

#[test]
fn a_body_that_is_not_canonical_and_a_head_that_is_not_one_are_malformed() {
    let head = b"From: a@sample.example\r\n\r\n";
    let long = vec![b'x'; 999];
    for body in [&b"a\nb"[..], b"a\rb", b"a\0", &long] {
        assert_eq!(plan(head, body).unwrap_err(), Unfit::Malformed);
    }
    assert!(plan(head, &long[1..]).is_ok());
    assert_eq!(plan(b"From: a@sample.example\r\n\r\nbody", b"").unwrap_err(), Unfit::Malformed);
    assert_eq!(plan(b"From : a@sample.example\r\n\r\n", b"").unwrap_err(), Unfit::Malformed);
    assert_eq!(plan("A: b\r\n".repeat(FIELDS_MAX).as_bytes(), b"").unwrap_err(), Unfit::Malformed);
}

/// A text within so many multiparts.
fn nested(levels: usize) -> (String, String) {
    let mut part = ("Content-Type: text/plain\n".to_owned(), "Hi\n".to_owned());
    for level in 0..levels {
        let body = format!("--b{level}b\n{}\n{}\n--b{level}b--\n", part.0, part.1);
        part = (format!("Content-Type: multipart/mixed; boundary=b{level}b\n"), body);
    }
    part
}

#[test]
fn depth_and_number_of_parts_are_bounded() {
    let (head, body) = nested(DEPTH_MAX);
    assert!(put(&ascii(), &head, &body).1.contains("Opt out"));
    let (head, body) = nested(DEPTH_MAX + 1);
    assert_eq!(unfit(&head, &body), Unfit::TooDeep);
    let many = |parts: usize| format!("{}--m--\n", "--m\n\nHi\n".repeat(parts));
    let mixed = "Content-Type: multipart/mixed; boundary=m\n";
    assert!(put(&ascii(), mixed, &many(PARTS_MAX - 1)).1.contains("Opt out"));
    assert_eq!(unfit(mixed, &many(PARTS_MAX)), Unfit::TooManyParts);
}

#[test]
fn rfc2045_6_transfer_encodings_that_are_unknown_or_not_followed() {
    let with = |encoding: &str, body: &str| unfit(&format!("Content-Transfer-Encoding: {encoding}\n"), body);
    assert_eq!(with("x-uuencode", "x\n"), Unfit::TransferEncoding);
    assert_eq!(with("", "x\n"), Unfit::TransferEncoding);
    for body in ["SGk", "SGk=SGk=", "SG*k", "=\n"] {
        assert_eq!(with("base64", body), Unfit::TransferEncoding, "{body}");
    }
    for body in ["a=b\n", "a=4\n", "a=\n=g1\n", "=é\n"] {
        assert_eq!(with("quoted-printable", body), Unfit::TransferEncoding, "{body}");
    }
    let encoded = "Content-Transfer-Encoding: base64\nContent-Type: multipart/mixed; boundary=m\n";
    assert_eq!(unfit(encoded, "--m\n\nHi\n--m--\n"), Unfit::TransferEncoding);
}

#[test]
fn rfc2046_4_1_2_charsets_that_are_unknown_or_not_the_texts() {
    for charset in ["x-unknown", "\"\"", "utf-7", "utf-16", "hz-gb-2312"] {
        assert_eq!(
            unfit(&format!("Content-Type: text/plain; charset={charset}\n"), "Hi\n"),
            Unfit::Charset,
            "{charset}"
        );
    }
    // Not US-ASCII, though nothing else is declared: what is shown is the reader's guess.
    assert_eq!(unfit("", "Grüße\n"), Unfit::Charset);
    assert_eq!(unfit("Content-Type: text/plain; charset=us-ascii\n", "Grüße\n"), Unfit::Charset);
    let shift_jis = "Content-Type: text/plain; charset=shift_jis\nContent-Transfer-Encoding: quoted-printable\n";
    assert_eq!(unfit(shift_jis, "=81=FF\n"), Unfit::Charset);
    assert!(put(&ascii(), shift_jis, "=93=FA\n").1.contains("Opt out"));
    // HTML is put together in ASCII, which fits any charset it may be in.
    assert!(
        put(&foreign(), "Content-Type: text/html\nContent-Transfer-Encoding: 8bit\n", "Grüße\n").1.contains("&#252;")
    );
}
