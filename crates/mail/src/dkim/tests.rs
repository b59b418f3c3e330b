//! Canonical forms against the examples and rules of RFC 6376, keys, and what a signature covers.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use proptest::prelude::*;

use super::canonical::{relaxed_field, simple_body};
use super::*;
use crate::header::{HeaderBlock, Limits};

mod verifying;

pub(super) const AT_UNIX_S: u64 = 1_795_342_264;

pub(super) fn rsa() -> Arc<SigningKey> {
    static KEY: OnceLock<Arc<SigningKey>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(SigningKey::generate_rsa().unwrap())))
}

pub(super) fn ed25519() -> Arc<SigningKey> {
    static KEY: OnceLock<Arc<SigningKey>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(SigningKey::generate_ed25519().unwrap())))
}

pub(super) fn signers() -> Vec<Signer> {
    vec![Signer::new("sample.example", "r1", rsa()).unwrap(), Signer::new("sample.example", "e1", ed25519()).unwrap()]
}

fn sha256(canonical: &[u8]) -> Vec<u8> {
    digest(&SHA256, canonical).as_ref().to_vec()
}

/// RFC 6376 §3.4.4 word by word, slowly: the yardstick.
fn relaxed_body_slowly(body: &[u8]) -> Vec<u8> {
    let text: String = body.iter().copied().map(char::from).collect();
    let mut lines: Vec<String> = text
        .split("\r\n")
        .map(|line| {
            let mut reduced = String::new();
            for c in line.chars() {
                match c {
                    ' ' | '\t' if reduced.ends_with(' ') => {}
                    ' ' | '\t' => reduced.push(' '),
                    _ => reduced.push(c),
                }
            }
            reduced.trim_end_matches(' ').to_owned()
        })
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.iter().flat_map(|line| format!("{line}\r\n").chars().collect::<Vec<_>>()).map(|c| c as u8).collect()
}

#[test]
fn rfc6376_3_4_4_relaxed_bodies() {
    let cases: [(&[u8], &[u8]); 14] = [
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"), // §3.4.5
        (b"Hello\r\n \r\n\t\r\n", b"Hello\r\n"),
        (b" \r\n", b""),
        (b"text  \r\n\r\n", b"text\r\n"),
        (b"text\r\n  \r\n\r\n", b"text\r\n"),
        (b"", b""),
        (b"\r\n\r\n", b""),
        (b" \t", b""),
        (b"Hello", b"Hello\r\n"),
        (b"Hello \t", b"Hello\r\n"),
        (b"\r\n\r\nHello\r\n", b"\r\n\r\nHello\r\n"),
        (b"a\r\n \r\nb\r\n", b"a\r\n\r\nb\r\n"),
        (b"\ta  b\r\n", b" a b\r\n"),
        (b"a \r b\r\n", b"a \r b\r\n"),
    ];
    for (body, canonical) in cases {
        assert_eq!(BodyHash::of(body).as_bytes()[..], sha256(canonical), "{}", body.escape_ascii());
        assert_eq!(relaxed_body_slowly(body), canonical, "{}", body.escape_ascii());
    }
}

#[test]
fn rfc6376_3_4_3_simple_bodies() {
    let cases: [(&[u8], &[u8]); 5] = [
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n"),
        (b"", b"\r\n"),
        (b"\r\n\r\n", b"\r\n"),
        (b"a", b"a\r\n"),
        (b"a\r\n \r\n", b"a\r\n \r\n"),
    ];
    for (body, canonical) in cases {
        assert_eq!(simple_body(body).as_bytes()[..], sha256(canonical), "{}", body.escape_ascii());
    }
}

#[test]
fn rfc6376_3_4_2_relaxed_fields() {
    let cases: [(&str, &str, &str); 5] = [
        ("A", " X", "a:X"),
        ("B", " Y\t\r\n\tZ  ", "b:Y Z"),
        ("SubJect", "", "subject:"),
        ("Subject", " \t \r\n ", "subject:"),
        ("Subject", "a  b\r\n c", "subject:a b c"),
    ];
    for (name, value, canonical) in cases {
        let mut out = Vec::new();
        relaxed_field(name.as_bytes(), value.as_bytes(), &mut out);
        assert_eq!(out, canonical.as_bytes());
    }
}

#[test]
fn keys_survive_pkcs8_and_pem() {
    for key in [rsa(), ed25519()] {
        let der = key.to_pkcs8().unwrap();
        let again = SigningKey::from_pkcs8(&der).unwrap();
        assert_eq!(again.public_dns_value().unwrap(), key.public_dns_value().unwrap());
        assert_eq!(again.kind(), key.kind());
        use base64::Engine;
        let base64 = base64::engine::general_purpose::STANDARD.encode(&der);
        let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).unwrap()).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        let from_pem = SigningKey::from_pem(&pem).unwrap();
        assert_eq!(from_pem.public_dns_value().unwrap(), key.public_dns_value().unwrap());
        assert!(SigningKey::from_pem(&pem.replace("BEGIN PRIVATE", "BEGIN PUBLIC")).is_err());
        assert_eq!(SigningKey::from_pkcs8(&der[..der.len() - 1]).unwrap_err(), DkimError::KeyMalformed);
        assert!(!format!("{key:?}").contains(&base64[40..60]));
    }
    assert!(rsa().public_dns_value().unwrap().starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"));
    // RFC 8463 §4.2: 32 octets in base64.
    assert_eq!(ed25519().public_dns_value().unwrap().len(), "v=DKIM1; k=ed25519; p=".len() + 44);
}

#[test]
fn rfc8301_3_2_short_rsa_keys_are_refused() {
    assert_eq!(SigningKey::from_pkcs8(include_bytes!("tests/rsa1024.pkcs8")).unwrap_err(), DkimError::KeyTooShort);
}

#[test]
fn signature_fields_are_well_formed() {
    let head = b"From: a@sample.example\r\nSubject: s\r\nList-Unsubscribe: <https://x.example/u>\r\n\
        List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFeedback-ID: a:b:c:d\r\nCc: c@x.example\r\n\r\n";
    let fields = sign(head, b"body\r\n", &signers(), AT_UNIX_S, Some(AT_UNIX_S + 3600)).unwrap();
    let block = HeaderBlock::scan(&fields, Limits::SUBMISSION).unwrap();
    assert_eq!(block.count("DKIM-Signature"), 2);
    for line in fields.split(|b| *b == b'\n') {
        assert!(line.len() <= 79, "{}", line.escape_ascii());
    }
    for (field, algorithm) in block.fields().iter().zip(["a=rsa-sha256;", "a=ed25519-sha256;"]) {
        let text = String::from_utf8(field.unfolded()).unwrap().replace('\t', " ");
        for part in ["v=1;", algorithm, "c=relaxed/relaxed;", "d=sample.example;", "t=1795342264;", "x=1795345864;"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains(" l="), "{text}");
        let covered: String = text.split("h=").nth(1).unwrap().split(';').next().unwrap().replace(' ', "");
        let names: Vec<&str> = covered.split(':').collect();
        let times = |name: &str| names.iter().filter(|n| **n == name).count();
        // RFC 6376 §8.15: one more than present; RFC 8058 §4: both List-Unsubscribe fields.
        for name in ["From", "Subject", "Cc", "List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID"] {
            assert_eq!(times(name), 2, "{name}");
        }
        for name in ["To", "Date", "Reply-To", "Message-ID"] {
            assert_eq!(times(name), 1, "{name}");
        }
        assert_eq!(times("MIME-Version") + times("List-Id") + times("Received"), 0);
    }
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let signers = signers();
    let refused = |head: &[u8]| sign(head, b"", &signers, AT_UNIX_S, None).unwrap_err();
    assert_eq!(refused(b"Subject: s\r\n\r\n"), DkimError::From);
    assert_eq!(refused(b"From: a@x.example\r\nfrom: b@x.example\r\n\r\n"), DkimError::From);
    assert!(matches!(refused(b"From : a@x.example\r\n\r\n"), DkimError::Header(_)));
    assert_eq!(sign(b"From: a@x.example\r\n", b"", &[], AT_UNIX_S, None).unwrap_err(), DkimError::NoSigner);
    for name in ["", "a..b", "a;b", "a b", "bücher.example", "a\r\nb", &"a".repeat(64)] {
        assert_eq!(Signer::new(name, "s", ed25519()).unwrap_err(), DkimError::Name, "{name:?}");
        assert_eq!(Signer::new("x.example", name, ed25519()).unwrap_err(), DkimError::Name, "{name:?}");
    }
}

#[test]
fn a_hashed_body_serves_many_headers() {
    let body = b"body\r\n";
    let head = b"From: a@sample.example\r\n";
    assert_eq!(
        sign(head, body, &signers(), AT_UNIX_S, None).unwrap(),
        sign_with_body(head, BodyHash::of(body), &signers(), AT_UNIX_S, None).unwrap()
    );
}

proptest! {
    #[test]
    fn the_body_hash_is_the_same_however_it_is_cut(
        body in "([a-c]{0,2}[ \t]{0,2}(\r\n|\r|\n)?){0,12}",
        cuts in prop::collection::vec(0_usize..40, 0..6),
    ) {
        let body = body.as_bytes();
        let mut hash = BodyHash::new();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.sort_unstable();
        let mut start = 0;
        for cut in cuts {
            hash.update(&body[start..cut]);
            start = cut;
        }
        hash.update(&body[start..]);
        let hash = hash.finish();
        prop_assert_eq!(&hash.as_bytes()[..], sha256(&relaxed_body_slowly(body)));
    }

    #[test]
    fn long_bodies_hash_as_the_yardstick_says(lines in prop::collection::vec("[ -~\t]{0,120}", 0..200)) {
        let body = lines.join("\r\n");
        let hash = BodyHash::of(body.as_bytes());
        prop_assert_eq!(&hash.as_bytes()[..], sha256(&relaxed_body_slowly(body.as_bytes())));
    }
}
