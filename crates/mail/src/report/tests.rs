//! Samples of real systems' shapes, what each of them is read as, and input that nobody should write.

mod samples;

use super::classify::{RULES, Stage, classify, table_markdown};
use super::*;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(name)
}

#[test]
fn every_refusal_of_the_samples_has_exactly_its_row_and_every_row_a_sample() {
    let text = std::fs::read_to_string(kept("replies.tsv")).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [rule, stage, code, enhanced, action, text] = line.splitn(6, '\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let stage = match stage {
            "mail" => Stage::Mail,
            "rcpt" => Stage::Recipient,
            "data" => Stage::Content,
            _ => Stage::Report,
        };
        let enhanced = EnhancedCode::parse(enhanced);
        let class = classify(&classify::Answer { stage, code: code.parse().unwrap(), enhanced, text });
        assert_eq!((class.rule, class.action.as_str()), (rule, action), "{line}");
        seen.insert(class.rule);
    }
    let without: Vec<_> = RULES.iter().map(|rule| rule.id).filter(|id| !seen.contains(id)).collect();
    assert_eq!(without, Vec::<&str>::new());
}

#[test]
fn rfc3463_only_rows_of_the_recipient_or_his_mailbox_can_suppress() {
    use classify::{Action, Subject};
    for rule in RULES {
        let suppresses = matches!(rule.action, Action::Suppress | Action::SuppressRepeated);
        let about_him = matches!(rule.subject, Subject::Recipient | Subject::Mailbox);
        assert!(!suppresses || about_him, "{}", rule.id);
        assert!(!rule.source.is_empty(), "{} has no source", rule.id);
        assert_eq!(RULES.iter().filter(|other| other.id == rule.id).count(), 1, "{}", rule.id);
    }
    for form in text::FORMS {
        assert!(
            kept(&format!("reports/{}-text.eml", form.id)).exists()
                || form.id.starts_with("qmail")
                || form.id.ends_with("-delay"),
            "{} has no sample",
            form.id
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how a test is told to write the page; no part of the parser")]
fn bounces_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bounces.md");
    if std::env::var_os("POSTERN_BLESS").is_some() {
        std::fs::write(&path, table_markdown()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(page, table_markdown(), "docs/bounces.md is stale: POSTERN_BLESS=1 cargo test -p mail bounces_page");
}

#[test]
fn multiparts_within_multiparts_are_bounded() {
    let mut bomb = String::from("Content-Type: multipart/mixed; boundary=b0\r\n\r\n");
    for level in 1..2_000 {
        bomb.push_str(&format!("--b{}\r\nContent-Type: multipart/mixed; boundary=b{level}\r\n\r\n", level - 1));
    }
    assert_eq!(read(bomb.as_bytes(), Envelope::Null), Report::Other);
    let mut wide = String::from("Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    for _ in 0..10_000 {
        wide.push_str("--b\r\n\r\nx\r\n");
    }
    assert_eq!(read(wide.as_bytes(), Envelope::Null), Report::Other);
    // What stands behind the bound is not seen, and what stands before it is.
    let report = std::fs::read(kept("reports/postfix.eml")).unwrap();
    let long = [report.clone(), vec![b'x'; 3 * OCTETS_MAX]].concat();
    assert!(matches!(read(&long, Envelope::Null), Report::Delivery(_)));
    let late = [b"Subject: x\r\n\r\n".to_vec(), vec![b'x'; OCTETS_MAX], report].concat();
    assert_eq!(read(&late, Envelope::Null), Report::Other);
}

#[test]
fn nothing_of_a_person_is_in_a_debug() {
    let report = std::fs::read(kept("reports/postfix.eml")).unwrap();
    let shown = format!("{:?}", read(&report, Envelope::Null));
    assert!(!shown.contains("ada") && shown.contains("Failed"), "{shown}");
}

proptest! {
    #[test]
    fn arbitrary_octets_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = read(&octets, Envelope::Null);
    }

    /// A sample, damaged anywhere: still an answer, and never more of it than came in.
    #[test]
    fn damaged_samples_never_panic(sample in 0..samples::EXPECTED.len(), at in any::<prop::sample::Index>(),
        with in proptest::collection::vec(any::<u8>(), 0..20), drop in 0_usize..200) {
        let mut octets = std::fs::read(kept(&format!("reports/{}.eml", samples::EXPECTED[sample].0))).unwrap();
        let start = at.index(octets.len());
        let end = (start + drop).min(octets.len());
        octets.splice(start..end, with);
        if let Report::Delivery(report) = read(&octets, Envelope::Null) {
            prop_assert!(report.fates.len() <= RECIPIENTS_MAX);
            prop_assert!(report.fates.iter().all(|fate| fate.text.len() <= octets.len()));
        }
    }

    #[test]
    fn codes_are_found_wherever_they_stand(code in 400_u16..560, class in 4_u8..6, subject in 0_u16..8,
        detail in 0_u16..600, before in "[a-z ]{0,20}") {
        let text = format!("{before} {code}-{class}.{subject}.{detail} said 192.0.2.7");
        prop_assert_eq!(codes_in(&text), (Some(code), Some(EnhancedCode::new(class, subject, detail))));
    }
}
