//! What the listing fields look like, what may not enter them, and that both signatures cover them.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::dkim::{Signer, SigningKey, TxtAnswer, VerdictResult, sign, verify};

const URL: &str = "https://post.example/o/7Zk3";
const AT_UNIX_S: u64 = 1_795_342_264;

fn listing(description: Option<&'static str>) -> Listing<'static> {
    Listing::new(URL, ListId::new("offers.c17.news.example", description).unwrap()).unwrap()
}

fn text(listing: &Listing<'_>) -> String {
    String::from_utf8(listing.fields().unwrap()).unwrap()
}

#[test]
fn rfc8058_3_1_the_opt_out_is_one_https_url_with_one_click() {
    assert_eq!(
        text(&listing(None)),
        "List-Unsubscribe: <https://post.example/o/7Zk3>\r\n\
         List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Id: <offers.c17.news.example>\r\n"
    );
}

#[test]
fn rfc8058_3_1_other_urls_are_refused() {
    let id = ListId::new("a.b.c", None).unwrap();
    for url in [
        "",
        "http://post.example/o",
        "HTTPS://post.example/o",
        "mailto:o@post.example",
        "https://",
        "https:///o",
        "https://a@post.example/o",
        "https://post..example/o",
        "https://post.example:/o",
        "https://post.example:1234567/o",
        "https://-post.example/o",
        "https://post.example/o>",
        "https://post.example/<o",
        "https://post.example/o o",
        "https://post.example/o\r\nBcc: a@b.example",
        "https://post.example/\u{7f}",
        "https://post.example/ü",
        "https://post.example/%2",
        "https://post.example/%zz",
        "https://post.example/\"",
        "https://post.example/\\",
        "https://post.example/o#top",
    ] {
        assert_eq!(Listing::new(url, id).unwrap_err(), ListingError::Url, "{url:?}");
    }
    for url in ["https://post.example", "https://post.example:8443/o?t=a%2Fb&l=1", "https://post.example/a,b;c"] {
        assert!(Listing::new(url, id).is_ok(), "{url:?}");
    }
}

#[test]
fn rfc5322_2_1_1_a_url_may_fill_a_line_and_no_more() {
    let id = ListId::new("a.b.c", None).unwrap();
    let base = "https://post.example/";
    let fits = format!("{base}{}", "a".repeat(UNSUBSCRIBE_URL_OCTETS_MAX - base.len()));
    let fields = text(&Listing::new(&fits, id).unwrap());
    assert_eq!(fields.lines().next().unwrap().len(), LINE_OCTETS_MAX);
    let refused = Listing::new(&format!("{fits}a"), id).map(|_| ()).unwrap_err();
    assert_eq!(refused, ListingError::UrlTooLong { limit: UNSUBSCRIBE_URL_OCTETS_MAX });
}

#[test]
fn rfc2919_2_list_ids() {
    for id in ["a.b.c", "offers_2.c-17.news.example", &format!("{}.b.c", "a".repeat(63))] {
        assert!(ListId::new(id, None).is_ok(), "{id}");
    }
    let long = ["abcdefghi"; 26].join(".");
    for id in ["", "a", "a.b", "a..c", ".a.b.c", "a.b.c.", "a b.b.c", "<a.b.c>", "a.b.c>\r\n", "ä.b.c", "-a.b.c", &long]
    {
        assert_eq!(ListId::new(id, None).unwrap_err(), ListingError::ListId, "{id}");
    }
}

#[test]
fn rfc2919_3_descriptions_are_phrases() {
    let line = |description| text(&listing(Some(description))).lines().skip(2).collect::<Vec<_>>().join("\r\n");
    assert_eq!(line("Weekly offers"), "List-Id: Weekly offers <offers.c17.news.example>");
    assert_eq!(line("  "), "List-Id: <offers.c17.news.example>");
    assert_eq!(line("Say \"hi\", twice"), "List-Id: \"Say \\\"hi\\\", twice\" <offers.c17.news.example>");
    assert_eq!(line("Grüße"), "List-Id: =?utf-8?B?R3LDvMOfZQ==?= <offers.c17.news.example>");
    assert!(line("=?utf-8?B?AAAA?=").starts_with("List-Id: =?utf-8?B?PT91dGYtOD9CP0FBQUE/PQ==?= <"));
    let long = "Neuigkeiten über Bücher, Schallplatten und Kunstdrücke für unsere treuen Kundinnen und Kunden";
    for line in line(long).lines() {
        assert!(line.len() <= 76, "{line}");
    }
}

#[test]
fn rfc2919_3_a_description_is_one_short_line() {
    let long = "x".repeat(DESCRIPTION_OCTETS_MAX + 1);
    for description in ["a\r\nBcc: x", "a\nb", "a\0", "a\tb", "a\u{2028}b", "a\u{85}b", &long] {
        let refused = ListId::new("a.b.c", Some(description)).unwrap_err();
        assert_eq!(refused, ListingError::Description { limit: DESCRIPTION_OCTETS_MAX }, "{description:?}");
    }
}

#[test]
fn rfc8058_3_1_the_senders_fields_make_room_for_ours() {
    let head = b"Received: by a\r\nFrom: a@sample.example\r\nlist-unsubscribe: <mailto:x@sample.example>,\r\n \
        <https://sample.example>\r\nSubject: one\r\n two\r\nLIST-ID: x\r\nList-Unsubscribe-Post: y\r\nList-Id: z\r\n\
        X-List-Id: kept\r\n\r\n";
    let put = String::from_utf8(put_into(head, &listing(None)).unwrap()).unwrap();
    let others = "Received: by a\r\nFrom: a@sample.example\r\nSubject: one\r\n two\r\nX-List-Id: kept\r\n";
    assert_eq!(put, format!("{others}{}\r\n", text(&listing(None))));
}

#[test]
fn a_block_that_is_not_well_formed_or_would_be_too_large_is_refused() {
    let refused = |head: &[u8]| put_into(head, &listing(None)).unwrap_err();
    assert!(matches!(refused(b"From : a\r\n\r\n"), ListingError::Header(_)));
    let full = "A: b\r\n".repeat(crate::header::FIELDS_MAX);
    assert!(matches!(refused(full.as_bytes()), ListingError::Header(HeaderError::TooManyFields { .. })));
}

fn signed(head: &[u8], body: &[u8]) -> (Vec<u8>, Vec<Signer>) {
    let keys = [SigningKey::generate_rsa().unwrap(), SigningKey::generate_ed25519().unwrap()];
    let signers: Vec<Signer> = ["r1", "e1"]
        .into_iter()
        .zip(keys)
        .map(|(selector, key)| Signer::new("sample.example", selector, Arc::new(key)).unwrap())
        .collect();
    let fields = sign(head, body, &signers, AT_UNIX_S, None).unwrap();
    ([&fields[..], head, body].concat(), signers)
}

fn passes(message: &[u8], signers: &[Signer]) -> Vec<bool> {
    let lookup = |name: &str| {
        let signer = signers.iter().find(|signer| name.starts_with(signer.selector()));
        TxtAnswer::from(signer.map(|signer| signer.key().public_dns_value().unwrap()))
    };
    verify(message, &lookup, AT_UNIX_S).iter().map(|verdict| verdict.result == VerdictResult::Pass).collect()
}

#[test]
fn rfc8058_4_both_signatures_cover_the_listing_fields_and_no_second_one_can_be_added() {
    let head = put_into(b"From: a@sample.example\r\nSubject: s\r\n\r\n", &listing(Some("Weekly"))).unwrap();
    let (message, signers) = signed(&head, b"body\r\n");
    assert_eq!(passes(&message, &signers), [true, true]);
    let signatures = message.len() - head.len() - b"body\r\n".len();
    for name in FIELDS {
        // Added on top, or below all fields: both break what was signed.
        let added = format!("{name}: <https://evil.example>\r\n");
        let blank = message.len() - b"\r\nbody\r\n".len();
        for at in [0, signatures, blank] {
            let forged = [&message[..at], added.as_bytes(), &message[at..]].concat();
            assert_eq!(passes(&forged, &signers), [false, false], "{name} added at {at}");
        }
        let block = HeaderBlock::scan(&message, Limits::SUBMISSION).unwrap();
        let range = block.first(name).unwrap().range();
        let removed = [&message[..range.start], &message[range.end..]].concat();
        assert_eq!(passes(&removed, &signers), [false, false], "{name} removed");
    }
    let unrelated = [&b"X-Other: 1\r\n"[..], &message].concat();
    assert_eq!(passes(&unrelated, &signers), [true, true]);
}

proptest! {
    #[test]
    fn whatever_is_taken_makes_three_fields(
        url in "https://[a-z.]{1,9}/[ -~]{0,9}", id in "[a-z._-]{1,12}", description in "\\PC{0,90}",
    ) {
        let Ok(id) = ListId::new(&id, Some(&description)) else { return Ok(()) };
        let Ok(listing) = Listing::new(&url, id) else { return Ok(()) };
        let head = put_into(b"From: a@b.example\r\n\r\n", &listing).unwrap();
        let block = HeaderBlock::scan(&head, Limits::SUBMISSION).unwrap();
        prop_assert_eq!(block.fields().len(), 4);
        prop_assert!(FIELDS.iter().all(|name| block.count(name) == 1));
        prop_assert!(head.split(|b| *b == b'\n').all(|line| line.len() <= 79));
    }

    #[test]
    fn rfc2047_5_a_description_reads_back(description in "\\PC{1,80}") {
        let Ok(id) = ListId::new("offers.c17.news.example", Some(&description)) else { return Ok(()) };
        let message = put_into(b"From: a@b.example\r\n\r\n", &Listing::new(URL, id).unwrap()).unwrap();
        let parsed = mail_parser::MessageParser::new().header_address("List-Id").parse(&message).unwrap();
        let shown = parsed.list_id().as_address().and_then(|a| a.first()).and_then(|a| a.name().map(str::to_owned));
        prop_assert_eq!(shown.unwrap_or_default(), description.trim());
    }

    #[test]
    fn arbitrary_bytes_never_panic(head in prop::collection::vec(any::<u8>(), 0..200), url in "\\PC{0,40}") {
        let _ = put_into(&head, &listing(None));
        let _ = ListId::new(&url, Some(&url));
        let _ = Listing::new(&url, ListId::new("a.b.c", None).unwrap());
    }
}
