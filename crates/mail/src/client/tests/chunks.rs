//! Content in chunks: what leaves when, and what each reply means.

use super::super::{BodyError, Capabilities, Lost, Stage, Step};
use super::{Wire, results};

const PEER: &str = "220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
const PLAIN: &str = "220 mx\r\n250-mx\r\n250 CHUNKING\r\n";
const ADA: &str = "ada@dest.example";

fn at_body(peer: &str) -> Wire {
    let mut wire = Wire::ready(peer);
    wire.begin(&[ADA]);
    wire.hear("250 ok\r\n");
    assert!(matches!(wire.hear("250 ok\r\n"), Step::SendBody));
    assert_eq!(wire.said(), "MAIL FROM:<shop@sample.example>\r\nRCPT TO:<ada@dest.example>\r\n");
    wire
}

#[test]
fn rfc3030_2_a_message_leaves_in_one_last_chunk_and_nothing_before_finish() {
    for peer in [PEER, PLAIN] {
        let mut wire = at_body(peer);
        wire.client.write_body(&[b"Subject: x\r\n", b"\r\n", b".\r\n"], &mut wire.out).unwrap();
        assert_eq!((wire.said(), wire.client.gathered()), (String::new(), 17));
        wire.client.finish(&mut wire.out).unwrap();
        assert_eq!(wire.said(), "BDAT 17 LAST\r\nSubject: x\r\n\r\n.\r\n");
        assert!(matches!(wire.hear(""), Step::NeedInput));
        let outcome = wire.outcome("250 2.0.0 kept\r\n");
        assert!(outcome.is_delivered(0) && outcome.reusable);
        let transcript = outcome.transcript.as_str();
        assert!(transcript.contains("C: BDAT 17 LAST\n") && !transcript.contains("Subject"), "{transcript}");
    }
}

#[test]
fn rfc3030_4_2_replies_to_earlier_chunks_are_no_delivery() {
    let mut wire = at_body(PEER);
    for chunk in [b"one\r\n".as_slice(), b"two\r\n"] {
        wire.client.write_body(&[chunk], &mut wire.out).unwrap();
        wire.client.end_chunk(&mut wire.out).unwrap();
    }
    wire.client.finish(&mut wire.out).unwrap();
    assert_eq!(wire.said(), "BDAT 5\r\none\r\nBDAT 5\r\ntwo\r\nBDAT 0 LAST\r\n");
    assert!(matches!(wire.hear("250 chunk\r\n250 chunk\r\n"), Step::NeedInput));
    let outcome = wire.outcome("250 kept\r\n");
    assert!(outcome.is_delivered(0) && outcome.reusable);
}

#[test]
fn rfc3030_2_a_refused_chunk_refuses_the_message_and_ends_the_connection() {
    let mut wire = at_body(PEER);
    wire.client.write_body(&[b"one\r\n"], &mut wire.out).unwrap();
    wire.client.end_chunk(&mut wire.out).unwrap();
    let outcome = wire.outcome("552 5.3.4 too much\r\n");
    assert!(!outcome.is_delivered(0) && !outcome.reusable);
    assert_eq!(outcome.decided_at, Stage::Body);
    let mut wire = at_body(PEER);
    wire.client.write_body(&[b"one\r\n"], &mut wire.out).unwrap();
    wire.client.end_chunk(&mut wire.out).unwrap();
    wire.client.finish(&mut wire.out).unwrap();
    let outcome = wire.outcome("452 4.3.1 full\r\n");
    assert!(!outcome.is_delivered(0) && !outcome.reusable, "the reply to the last chunk is still to come");
}

#[test]
fn without_pipelining_a_chunk_waits_for_the_one_before() {
    let mut wire = at_body(PLAIN);
    assert!(wire.client.may_end_chunk());
    wire.client.write_body(&[b"one\r\n"], &mut wire.out).unwrap();
    wire.client.end_chunk(&mut wire.out).unwrap();
    assert!(!wire.client.may_end_chunk());
    assert!(matches!(wire.hear(""), Step::NeedInput));
    assert!(matches!(wire.hear("250 chunk\r\n"), Step::SendBody));
    assert!(wire.client.may_end_chunk());
}

#[test]
fn rfc5321_6_1_a_connection_lost_before_the_last_chunk_is_no_delivery() {
    let mut wire = at_body(PEER);
    wire.client.write_body(&[b"one\r\n"], &mut wire.out).unwrap();
    wire.client.end_chunk(&mut wire.out).unwrap();
    assert_eq!(wire.client.interrupted().lost, Lost::BeforeFinalDot);
    let mut wire = at_body(PEER);
    wire.send_body(b"one\r\n");
    assert_eq!(wire.client.interrupted().lost, Lost::OutcomeUnknown);
}

#[test]
fn a_bare_newline_never_leaves_in_a_chunk() {
    let mut wire = at_body(PEER);
    assert_eq!(wire.client.write_body(&[b"a\nb"], &mut wire.out), Err(BodyError::BareNewline));
    assert_eq!(wire.client.finish(&mut wire.out), Err(BodyError::BareNewline));
    assert_eq!(wire.said(), "");
}

#[test]
fn content_is_not_asked_for_when_everybody_is_refused() {
    let mut wire = Wire::ready(PEER);
    wire.begin(&[ADA, "bob@dest.example"]);
    let outcome = wire.outcome("250 ok\r\n550 no\r\n550 no\r\n");
    assert_eq!((results(&outcome), outcome.reusable), (vec!["550".to_owned(), "550".to_owned()], true));
}

#[test]
fn rfc9422_limits_are_believed_when_they_are_numbers_above_zero() {
    let read = |line: &str| {
        let capabilities = Capabilities::parse(&format!("mx\n{line}"));
        (capabilities.transactions_max, capabilities.recipients_max)
    };
    assert_eq!(read("LIMITS MAILMAX=20 RCPTMAX=100 RCPTDOMAINMAX=1"), (Some(20), Some(100)));
    assert_eq!(read("limits rcptmax=5"), (None, Some(5)));
    for line in ["LIMITS", "LIMITS MAILMAX=0", "LIMITS MAILMAX=-1", "LIMITS MAILMAX=1234567", "LIMITS MAILMAX"] {
        assert_eq!(read(line), (None, None), "{line}");
    }
    let mut wire = Wire::ready("220 mx\r\n250-mx\r\n250 LIMITS RCPTMAX=1\r\n");
    let two = super::transaction(&[ADA, "bob@dest.example"]);
    assert_eq!(wire.client.begin(two, &mut wire.out), Err(super::super::BeginError::TooManyRecipients { limit: 1 }));
    assert_eq!(wire.said(), "");
}
