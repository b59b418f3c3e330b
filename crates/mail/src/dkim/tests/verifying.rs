//! The verifier: the worked example of RFC 8463, both canonical forms, and everything that must not pass.

use super::*;
use crate::dkim::VerdictResult as R;

const HEAD: &str = "From: Shop <a@sample.example>\r\nTo: b@dest.example\r\nSubject: s\r\n";
const BODY: &str = "Hello\r\n";

fn keys(name: &str) -> TxtAnswer {
    match name {
        "r1._domainkey.sample.example" => TxtAnswer::Record(rsa().public_dns_value().unwrap()),
        "e1._domainkey.sample.example" => TxtAnswer::Record(ed25519().public_dns_value().unwrap()),
        _ => TxtAnswer::Absent,
    }
}

fn signed() -> String {
    let fields = sign(HEAD.as_bytes(), BODY.as_bytes(), &signers(), AT_UNIX_S, Some(AT_UNIX_S + 60)).unwrap();
    format!("{}{HEAD}\r\n{BODY}", String::from_utf8(fields).unwrap())
}

fn results(message: &str, lookup: &dyn Fn(&str) -> TxtAnswer) -> Vec<R> {
    verify(message.as_bytes(), lookup, AT_UNIX_S).into_iter().map(|verdict| verdict.result).collect()
}

#[test]
fn rfc8463_appendix_a_passes() {
    let message = include_str!("rfc8463_a3.eml").replace('\n', "\r\n");
    let lookup = |name: &str| match name {
        "brisbane._domainkey.football.example.com" => {
            TxtAnswer::Record("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".into())
        }
        _ => TxtAnswer::Absent,
    };
    let verdicts = verify(message.as_bytes(), &lookup, AT_UNIX_S);
    assert_eq!(verdicts[0].domain, "football.example.com");
    assert_eq!(verdicts[0].algorithm, "ed25519-sha256");
    assert_eq!(verdicts[0].result, R::Pass);
    let changed = message.replace("Hi.", "Ho.");
    assert_eq!(verify(changed.as_bytes(), &lookup, AT_UNIX_S)[0].result, R::Fail("the body has been changed"));
}

#[test]
fn rfc6376_6_1_what_was_signed_passes_and_its_twins_fail() {
    let message = signed();
    assert_eq!(results(&message, &keys), [R::Pass, R::Pass]);
    let fails = |message: &str| results(message, &keys).iter().all(|result| matches!(result, R::Fail(_)));
    assert!(fails(&message.replace("Hello", "Hullo")));
    assert!(fails(&message.replace("Subject: s", "Subject: t")));
    assert!(fails(&message.replace("Subject: s\r\n", "")));
    assert!(fails(&format!("Cc: x@y.example\r\n{message}")));
    assert!(fails(&message.replace("t=1795342264", "t=1795342265")));
    assert!(!fails(&message.replace("Hello", "Hello  \t")));
    assert!(!fails(&message.replace("Subject: s", "SUBJECT:  \ts ")));
    assert!(!fails(&format!("Received: by x\r\n{message}")));
}

#[test]
fn rfc6376_3_5_expiry_is_kept() {
    let message = signed();
    let at = |now| verify(message.as_bytes(), &keys, now).remove(0).result;
    assert_eq!(at(AT_UNIX_S + 60), R::Pass);
    assert_eq!(at(AT_UNIX_S + 61), R::Fail("the signature has expired"));
}

#[test]
fn rfc6376_6_1_2_keys_must_be_usable() {
    let message = signed();
    let with = |record: &str| results(&message, &|_: &str| TxtAnswer::Record(record.to_owned()));
    let record = rsa().public_dns_value().unwrap();
    assert_eq!(with(&record)[0], R::Pass);
    assert_eq!(with(&record.replace("v=DKIM1; k=rsa; ", ""))[0], R::Pass);
    assert_eq!(with(&format!("{record}; s=email; h=sha1:sha256; t=s;"))[0], R::Pass);
    for unusable in [
        "v=DKIM1; k=rsa; p=",
        "v=DKIM1; k=rsa",
        "v=DKIM1; k=rsa; p=####",
        "v=DKIM1; k=rsa; p=AAAA; p=BBBB",
        &record.replace("DKIM1", "DKIM2"),
        &record.replace("k=rsa", "k=dsa"),
        &format!("{record}; h=sha1"),
        &format!("{record}; s=tlsrpt"),
    ] {
        assert!(matches!(with(unusable)[0], R::PermError(_)), "{unusable}");
    }
    assert!(matches!(with("v=DKIM1; k=rsa; p=AAAA")[0], R::Fail(_)));
    assert_eq!(results(&message, &|_: &str| TxtAnswer::Unavailable), [R::TempError, R::TempError]);
    assert!(matches!(results(&message, &|_: &str| None.into())[..], [R::PermError(_), R::PermError(_)]));
}

#[test]
fn rfc6376_6_1_1_signatures_must_be_well_formed() {
    let message = signed();
    for (from, to) in [
        ("v=1;", "v=2;"),
        ("a=rsa-sha256", "a=rsa-sha1"),
        ("c=relaxed/relaxed", "c=nowsp/relaxed"),
        ("d=sample.example;", ""),
        ("d=sample.example;", "d=sample.example; l=5;"),
        ("d=sample.example;", "d=sample.example; d=other.example;"),
        ("d=sample.example;", "d=sample.example; i=@evilsample.example;"),
        ("d=sample.example;", "d=sample.example; q=dns/other;"),
        ("h=From:From:", "h="),
        ("x=", "x=soon"),
        ("bh=", "bh=!"),
    ] {
        assert!(message.contains(from), "{from}");
        assert!(matches!(results(&message.replace(from, to), &keys)[0], R::PermError(_)), "{from} {to}");
    }
    assert!(matches!(verify(b"From : x\r\n\r\n", &keys, AT_UNIX_S)[0].result, R::PermError(_)));
    assert!(verify(HEAD.as_bytes(), &keys, AT_UNIX_S).is_empty());
}

#[test]
fn the_number_of_signatures_looked_at_is_bounded() {
    let message = format!("{}{}", "DKIM-Signature: v=1\r\n".repeat(40), signed());
    assert_eq!(verify(message.as_bytes(), &keys, AT_UNIX_S).len(), SIGNATURES_MAX);
}

proptest! {
    #[test]
    fn any_tag_list_is_survived(value in "[a-z=;: /0-9@\r\n\t]{0,80}") {
        let message = format!("DKIM-Signature: {value}\r\nDKIM-Signature: v=1; a=rsa-sha256; {value}\r\n\r\n");
        for verdict in verify(message.as_bytes(), &keys, AT_UNIX_S) {
            prop_assert_ne!(verdict.result, R::Pass);
        }
    }
}
