//! Hostile messages: nothing panics, what was planned can be done, and other parts stay octet for octet.

use proptest::prelude::*;

use super::*;
use crate::header::LINE_OCTETS_MAX;

/// One part: fields, content, and whether it is a text that may be written anew.
#[derive(Debug, Clone)]
struct Part {
    fields: String,
    content: Vec<u8>,
}

fn text_part() -> impl Strategy<Value = Part> {
    let kind = prop::sample::select(vec!["text/plain", "text/html", "TEXT/Plain; format=flowed", "text/css"]);
    let charset =
        prop::sample::select(vec!["", "us-ascii", "utf-8", "iso-8859-1", "\"windows-1252\"", "gbk", "iso-2022-jp"]);
    let encoding = prop::sample::select(vec!["7bit", "8bit", "quoted-printable", "base64"]);
    let disposition = prop::sample::select(vec!["", "inline", "attachment; filename=a", "inline; filename=\"b\""]);
    (kind, charset, encoding, disposition, "([a-z>/=. -]{0,9}(</body>|<p>|\r\n|é)?){0,5}").prop_map(
        |(kind, charset, encoding, disposition, text)| {
            let mut fields = format!("Content-Type: {kind}");
            if !charset.is_empty() {
                fields.push_str(&format!(";\r\n charset={charset}"));
            }
            fields.push_str(&format!("\r\nContent-Transfer-Encoding: {encoding}\r\n"));
            if !disposition.is_empty() {
                fields.push_str(&format!("Content-Disposition: {disposition}\r\n"));
            }
            let text = if charset == "utf-8" { text } else { text.replace('é', "e") };
            let content = match encoding {
                "base64" => {
                    use base64::Engine;
                    base64::engine::general_purpose::STANDARD.encode(text).into_bytes()
                }
                "quoted-printable" => text.replace('=', "=3D").replace(" \r\n", "=20\r\n").into_bytes(),
                _ => text.into_bytes(),
            };
            Part { fields, content }
        },
    )
}

fn part() -> impl Strategy<Value = Part> {
    let file = prop::collection::vec(prop::sample::select(b" -=:az09\xff".to_vec()), 0..60)
        .prop_map(|content| Part { fields: "Content-Type: image/png; name=a b\r\n".to_owned(), content });
    prop_oneof![4 => text_part(), 1 => file].prop_recursive(3, 12, 4, |inner| {
        (
            prop::sample::select(vec!["mixed", "alternative", "related", "unheard-of"]),
            prop::collection::vec(inner, 1..4),
            any::<u64>(),
        )
            .prop_map(|(kind, parts, number)| {
                let boundary = format!("=_{number}_");
                let mut content = b"preamble".to_vec();
                for part in parts {
                    content.extend_from_slice(format!("\r\n--{boundary}\r\n{}\r\n", part.fields).as_bytes());
                    content.extend_from_slice(&part.content);
                }
                content.extend_from_slice(format!("\r\n--{boundary}--\r\nepilogue").as_bytes());
                Part { fields: format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n"), content }
            })
    })
}

/// What an independent reader finds: type and decoded octets of each leaf.
fn leaves(message: &[u8]) -> Vec<(String, Vec<u8>)> {
    use mail_parser::MimeHeaders;
    let parsed = MessageParser::default().parse(message).unwrap();
    let leaf = |part: &mail_parser::MessagePart<'_>| {
        let kind = part.content_type().map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()));
        (!part.is_multipart()).then(|| (kind.unwrap_or_default().to_lowercase(), part.contents().to_vec()))
    };
    parsed.parts.iter().filter_map(leaf).collect()
}

/// What holds for every message that was planned.
fn check(head: &[u8], body: &[u8], footer: &Footer) -> Result<Vec<u8>, TestCaseError> {
    let plan = plan(head, body).unwrap();
    let footed = plan.apply(footer);
    let new_head = footed.head.as_deref().unwrap_or(head);
    HeaderBlock::scan(new_head, Limits::SUBMISSION).unwrap();
    ensure_lines_at_most_998(&footed.body).unwrap();
    prop_assert!(footed.body.split(|b| *b == b'\n').all(|line| line.len() <= LINE_OCTETS_MAX + 1));
    prop_assert!(footed.body.is_ascii() || !body.is_ascii(), "a message of ASCII stays one");
    // The structure is as it was: the same places take another footer.
    let again = super::plan(new_head, &footed.body).unwrap();
    prop_assert_eq!(again.kinds().collect::<Vec<_>>(), plan.kinds().collect::<Vec<_>>());
    Ok([new_head, &footed.body].concat())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        head in prop::collection::vec(any::<u8>(), 0..200), body in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Ok(plan) = plan(&head, &body) {
            let _ = plan.apply(&ascii());
        }
    }

    #[test]
    fn what_resembles_a_message_never_panics_and_what_is_planned_is_done(
        fields in "(Content-(Type|Transfer-Encoding|Disposition): ?[a-z;=\"/()\\\\ -]{0,12}(\
            multipart/mixed; boundary=m|text/html|base64|quoted-printable|; charset=(utf-8|gbk))?\r\n){0,3}",
        body in "((--m(--)?|Content-Type: text/html|=[0-9A-F]{0,2}|<!--|-->|</body>|[ -~é\t]{0,6})(\r\n){0,2}){0,12}",
    ) {
        let head = format!("From: a@b.example\r\n{fields}\r\n");
        if plan(head.as_bytes(), body.as_bytes()).is_ok() {
            let footer = Footer::new("Opt out", "<p>Opt out</p>").unwrap();
            check(head.as_bytes(), body.as_bytes(), &footer)?;
        }
    }

    #[test]
    fn other_parts_stay_and_the_texts_end_with_the_footer(part in part(), foreign_footer in any::<bool>()) {
        let footer = if foreign_footer { foreign() } else { ascii() };
        let head = format!("From: a@b.example\r\nMIME-Version: 1.0\r\n{}\r\n", part.fields);
        let planned = plan(head.as_bytes(), &part.content);
        // Such messages are well-formed; some are files only.
        prop_assert!(!matches!(&planned, Err(unfit) if *unfit != Unfit::NoText));
        let Ok(planned) = planned else { return Ok(()) };
        let expected: Vec<TextKind> = planned.kinds().collect();
        let message = check(head.as_bytes(), &part.content, &footer)?;
        let before = leaves(&[head.as_bytes(), &part.content].concat());
        let after = leaves(&message);
        prop_assert_eq!(before.len(), after.len());
        let mut changed = Vec::new();
        for ((kind, old), (new_kind, new)) in before.iter().zip(&after) {
            prop_assert_eq!(kind, new_kind);
            if old == new {
                continue;
            }
            let new = String::from_utf8_lossy(new).replace("\r\n", "\n");
            if kind == "text/html" {
                let named = insert::in_ascii(&footer.html);
                prop_assert!(new.contains(&footer.html) || new.contains(&named), "{}", new);
                changed.push(TextKind::Html);
            } else {
                prop_assert!(new.trim_end().ends_with(&footer.plain.replace("\r\n", "\n")), "{}", new);
                changed.push(TextKind::Plain);
            }
        }
        prop_assert_eq!(changed, expected);
    }

    #[test]
    fn rfc2045_6_encodings_read_back(content in prop::collection::vec(any::<u8>(), 0..300)) {
        use super::super::transfer::Transfer;
        for transfer in [Transfer::QuotedPrintable, Transfer::Base64] {
            let (_, octets) = transfer.encode(content.clone(), false, &[]);
            prop_assert!(octets.split(|b| *b == b'\n').all(|line| line.len() <= 77 && !line.starts_with(b"--")));
            ensure_lines_at_most_998(&octets).unwrap();
            prop_assert_eq!(transfer.decode(&octets).unwrap(), &content[..]);
        }
    }

    #[test]
    fn rfc2045_6_7_texts_read_back(content in "([ -~\té=]{0,90}(\r\n|\r|\n)?){0,6}") {
        use super::super::transfer::Transfer;
        let (_, octets) = Transfer::QuotedPrintable.encode(content.clone().into_bytes(), false, &[]);
        prop_assert_eq!(Transfer::QuotedPrintable.decode(&octets).unwrap(), content.as_bytes());
    }
}
