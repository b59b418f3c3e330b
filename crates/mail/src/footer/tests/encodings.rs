//! Footers in each transfer encoding and charset, and what becomes of the fields.

use super::*;

const FOREIGN: &str = "Abmelden für später – 退订";
const FOREIGN_HTML: &str = "<p>Abmelden für später – 退订</p>";

fn text(charset: &str, encoding: &str) -> String {
    format!("MIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n")
}

#[test]
fn rfc2045_6_7_quoted_printable_stays_so() {
    let head = text("utf-8", "quoted-printable");
    let (new_head, body) = put(&foreign(), &head, "Gr=C3=BC=\n=C3=9Fe =\n = \n=20\n");
    assert_eq!(new_head, "");
    assert_eq!(body, "Gr=C3=BC=C3=9Fe  =20\n\nAbmelden f=C3=BCr sp=C3=A4ter =E2=80=93 =E9=80=80=E8=AE=A2\n");
}

#[test]
fn rfc2045_6_8_base64_stays_so() {
    let (new_head, body) = put(&foreign(), &text("utf-8", "BASE64"), "R3LDvMOf\nZQ==\n");
    assert_eq!(new_head, "");
    assert_eq!(body, "R3LDvMOfZQ0KDQpBYm1lbGRlbiBmw7xyIHNww6R0ZXIg4oCTIOmAgOiuog0K\n");
}

#[test]
fn rfc6152_a_message_that_was_ascii_stays_ascii() {
    for encoding in ["7bit", "8bit", "binary"] {
        let (head, body) = put(&foreign(), &text("utf-8", encoding), "Hello\n");
        assert!(head.contains("\nContent-Type: text/plain; charset=utf-8\n"), "{head}");
        assert!(head.ends_with("\nContent-Transfer-Encoding: base64\n\n"), "{head}");
        assert!(body.is_ascii());
        let (plain, _) = shown(&foreign(), &text("utf-8", encoding), b"Hello\r\n");
        assert_eq!(plain, [format!("Hello\n\n{FOREIGN}")]);
    }
}

#[test]
fn an_8bit_text_stays_8bit_and_a_false_7bit_is_put_right() {
    let (head, body) = put(&foreign(), &text("utf-8", "8bit"), "Grüße\n");
    assert_eq!((head.as_str(), body), ("", format!("Grüße\n\n{FOREIGN}\n")));
    let long = "Grüße, und noch vieles mehr, das in ASCII geschrieben steht\n".repeat(3);
    let (head, body) = put(&ascii(), &text("utf-8", "7bit"), &long);
    assert!(head.ends_with("\nContent-Transfer-Encoding: quoted-printable\n\n"), "{head}");
    assert!(body.is_ascii());
}

#[test]
fn rfc2046_4_1_2_a_charset_that_cannot_say_the_footer_becomes_utf8() {
    let cases: [(&str, &[u8], &str); 6] = [
        ("us-ascii", b"Hello\r\n", "Hello"),
        ("iso-8859-1", b"Gr\xfc\xdfe\r\n", "Grüße"),
        ("windows-1252", b"\x80 5\r\n", "€ 5"),
        ("gb2312", b"\xc4\xe3\xba\xc3\r\n", "你好"),
        ("shift_jis", b"\x93\xfa\x96\x7b\r\n", "日本"),
        ("iso-2022-jp", b"\x1b$BF|K\\\x1b(B\r\n", "日本"),
    ];
    for (charset, body, begins) in cases {
        let head = text(charset, "8bit");
        assert_eq!(shown(&foreign(), &head, body).0, [format!("{begins}\n\n{FOREIGN}")], "{charset}");
        let (octets, _) = message(&head, "");
        let footed = plan(&octets, body).unwrap().apply(&foreign());
        let head = String::from_utf8(footed.head.unwrap()).unwrap();
        assert!(head.contains("\r\nContent-Type: text/plain;\r\n charset=utf-8\r\n"), "{head}");
        assert_eq!(footed.body.is_ascii(), body.is_ascii(), "{charset}");
        // The twin: what the charset can say leaves it as it is.
        assert_eq!(shown(&ascii(), &text(charset, "8bit"), body).0, [format!("{begins}\n\n{}", PLAIN.trim_end())]);
    }
}

#[test]
fn a_footer_that_the_charset_can_say_is_written_in_it() {
    let footer = Footer::new("Abmelden für 5 €", "x").unwrap();
    let octets = |charset: &str, body: &[u8]| {
        let (head, _) = message(&text(charset, "8bit"), "");
        let footed = plan(&head, body).unwrap().apply(&footer);
        (footed.head.is_some(), footed.body)
    };
    assert_eq!(
        octets("windows-1252", b"Gr\xfc\xdfe\r\n"),
        (false, b"Gr\xfc\xdfe\r\n\r\nAbmelden f\xfcr 5 \x80\r\n".to_vec())
    );
    // ISO 8859-1 has no euro sign, though browsers read it as windows-1252.
    assert!(octets("iso-8859-1", b"Gr\xfc\xdfe\r\n").0);
    let footer = Footer::new("Abmelden für 5 EUR", "x").unwrap();
    let (head, _) = message(&text("iso-8859-1", "8bit"), "");
    assert_eq!(plan(&head, b"Gr\xfc\xdfe\r\n").unwrap().apply(&footer).head, None);
}

#[test]
fn rfc2045_3_fields_that_are_missing_are_added() {
    let (head, body) = put(&foreign(), "Subject: s\n", "Hello, this is a text of some length\n");
    assert_eq!(
        head,
        "From: a@sample.example\nSubject: s\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: quoted-printable\nMIME-Version: 1.0\n\n"
    );
    assert!(body.ends_with("\n\nAbmelden f=C3=BCr sp=C3=A4ter =E2=80=93 =E9=80=80=E8=AE=A2\n"), "{body}");
}

#[test]
fn rfc2045_5_1_other_parameters_and_fields_stay() {
    let rewritten = |value: &str| {
        let (head, _) = put(&foreign(), &format!("Content-type:{value}\nX-A: 1\n"), "Hello\n");
        let begin = head.find("Content-type:").unwrap() + 13;
        head[begin..head.find("\nX-A").unwrap()].to_owned()
    };
    assert_eq!(rewritten(" text/plain"), " text/plain;\n charset=utf-8");
    assert_eq!(rewritten(" text/plain;"), " text/plain;\n charset=utf-8");
    assert_eq!(rewritten(" text/plain; format=flowed"), " text/plain; format=flowed;\n charset=utf-8");
    assert_eq!(
        rewritten(" text/plain;\n\tCharset=\"us-ascii\"; format=flowed"),
        " text/plain;\n charset=utf-8; format=flowed"
    );
    assert_eq!(
        rewritten(" Text/Plain (c) ; charset=l1 (d)\n ; a=\"b;c\""),
        " Text/Plain (c) ;\n charset=utf-8 (d)\n ; a=\"b;c\""
    );
}

#[test]
fn rfc1864_a_checksum_of_the_old_content_goes() {
    let (head, _) = put(&ascii(), "Content-MD5: x\nX-A: 1\n", "Hello\n");
    assert_eq!(head, "From: a@sample.example\nX-A: 1\nMIME-Version: 1.0\n\n");
    let parts = "--m\nContent-MD5: x\n\nHi\n--m\nContent-Type: a/b\nContent-MD5: y\n\nx\n--m--\n";
    let (head, body) = put(&ascii(), "Content-Type: multipart/mixed; boundary=m\nContent-MD5: z\n", parts);
    assert_eq!((head.as_str(), body.contains("Content-MD5: x"), body.contains("Content-MD5: y")), ("", false, true));
}

#[test]
fn html_names_foreign_characters_in_ascii_unless_it_is_utf8() {
    let html = |charset: &str| format!("Content-Type: text/html{charset}\nContent-Transfer-Encoding: 8bit\n");
    let put_into = |charset: &str, body: &[u8]| {
        let (head, _) = message(&html(charset), "");
        let footed = plan(&head, body).unwrap().apply(&foreign());
        (footed.head.is_some(), footed.body)
    };
    let named = "<p>Abmelden f&#252;r sp&#228;ter &#8211; &#36864;&#35746;</p>\r\n";
    for charset in ["", "; charset=iso-8859-1", "; charset=big5"] {
        let expected = [b"<p>\xfc\xe9\r\n", named.as_bytes(), b"</body>\r\n"].concat();
        assert_eq!(put_into(charset, b"<p>\xfc\xe9</body>\r\n"), (false, expected), "{charset}");
    }
    let expected = format!("<p>ü\r\n{FOREIGN_HTML}\r\n</body>\r\n").into_bytes();
    assert_eq!(put_into("; charset=UTF-8", "<p>ü</body>\r\n".as_bytes()), (false, expected));
    let (_, shown) = shown(&foreign(), &html("; charset=iso-2022-jp"), b"<p>\x1b$BF|K\\\x1b(B</body>\r\n");
    assert_eq!(shown, [format!("<p>日本\n{FOREIGN_HTML}\n</body>")]);
}

#[test]
fn rfc2046_5_1_1_a_footer_cannot_end_its_part() {
    let footer = Footer::new("--evil\n--evil--", "--evil--").unwrap();
    let body = "--evil\n\nHello\n--evil\nContent-Type: text/html\n\n<p>Hello\n--evil--\n";
    let (_, put) = put(&footer, "Content-Type: multipart/alternative; boundary=evil\n", body);
    assert_eq!(put.matches("\n--evil").count(), 2, "{put}");
    assert!(put.contains("\n=2D-evil\n=2D-evil--\n"), "{put}");
    let (plain, html) = shown(&footer, "Content-Type: multipart/alternative; boundary=evil\n", &message("", body).1);
    assert_eq!((plain, html), (vec!["Hello\n\n--evil\n--evil--".to_owned()], vec!["<p>Hello\n--evil--".to_owned()]));
}

#[test]
fn rfc5322_2_1_1_long_lines_of_a_footer_are_folded_by_the_encoding() {
    let long = "x".repeat(2000);
    let footer = Footer::new(&long, &long).unwrap();
    let (head, body) = put(&footer, &text("us-ascii", "7bit"), "Hello\n");
    assert!(head.contains("quoted-printable"));
    assert!(body.lines().all(|line| line.len() <= 76));
    assert!(shown(&footer, &text("us-ascii", "7bit"), b"Hello\r\n").0[0].ends_with(&long));
}
