//! Replies on the wire, both ways.

use bytes::BytesMut;
use proptest::prelude::*;

use super::{EnhancedCode, ReceivedReply, Reply, ReplyError, ReplyParser};

fn written(reply: &Reply, enhanced: bool) -> String {
    let mut out = BytesMut::new();
    reply.write(enhanced, &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

fn read_all(wire: &[u8]) -> Result<Vec<ReceivedReply>, ReplyError> {
    let mut input = BytesMut::from(wire);
    let mut parser = ReplyParser::new();
    let mut replies = Vec::new();
    while let Some(reply) = parser.read(&mut input)? {
        replies.push(reply);
    }
    Ok(replies)
}

#[test]
fn rfc2034_4_every_line_carries_the_code_but_never_a_3xx() {
    let reply = Reply::new(550, (5, 7, 1), "refused\nask the controller");
    assert_eq!(written(&reply, true), "550-5.7.1 refused\r\n550 5.7.1 ask the controller\r\n");
    assert_eq!(written(&reply, false), "550-refused\r\n550 ask the controller\r\n");
    let mut start = Reply::start_content();
    start.enhanced = Some(EnhancedCode::new(2, 0, 0));
    assert!(written(&start, true).starts_with("354 send"));
}

#[test]
fn a_reply_stays_one_reply_whatever_its_text_holds() {
    let text = "a\r250 forged\u{0}\u{e9}";
    assert_eq!(written(&Reply::new(550, (5, 0, 0), text), true), "550 5.0.0 a?250 forged???\r\n");
    assert_eq!(written(&Reply::new(250, (2, 0, 0), ""), true), "250 2.0.0 \r\n");
}

#[test]
fn rfc5321_4_5_3_1_5_lines_are_wrapped_at_512_octets() {
    for text in ["word ".repeat(400), "x".repeat(3000), "é".repeat(1500)] {
        let wire = written(&Reply::new(550, (5, 999, 999), text.clone()), true);
        assert!(wire.split_inclusive("\r\n").all(|line| line.len() <= 512));
        assert!(wire.lines().count() > 3);
        let replies = read_all(wire.as_bytes()).unwrap();
        assert_eq!(replies.len(), 1);
        assert_eq!(replies[0].enhanced, Some(EnhancedCode::new(5, 999, 999)));
    }
}

#[test]
fn replies_are_read_at_every_split() {
    let wire = b"250-first\r\n250-2.1.0 second\r\n250\r\n550 5.7.1 no\n";
    for split in 0..wire.len() {
        let (head, tail) = wire.split_at(split);
        let mut parser = ReplyParser::new();
        let mut input = BytesMut::from(head);
        let mut replies = Vec::new();
        while let Some(reply) = parser.read(&mut input).unwrap() {
            replies.push(reply);
        }
        input.extend_from_slice(tail);
        while let Some(reply) = parser.read(&mut input).unwrap() {
            replies.push(reply);
        }
        assert_eq!(replies.len(), 2, "split at {split}");
        assert_eq!((replies[0].code, replies[0].text.as_str()), (250, "first\nsecond\n"));
        assert_eq!((replies[1].code, replies[1].enhanced), (550, Some(EnhancedCode::new(5, 7, 1))));
        assert!(replies[1].is_permanent() && !replies[1].is_transient() && replies[0].is_positive());
        assert!(input.is_empty() && !parser.is_within_reply());
    }
}

#[test]
fn rfc2034_4_a_code_of_another_class_is_text() {
    let replies = read_all(b"450 5.7.1 odd\r\n250 2.0.0\r\n250 2.0.0.1 x\r\n250 2.1000.0 y\r\n").unwrap();
    assert_eq!((replies[0].enhanced, replies[0].text.as_str()), (None, "5.7.1 odd"));
    assert_eq!((replies[1].enhanced, replies[1].text.as_str()), (Some(EnhancedCode::new(2, 0, 0)), ""));
    assert!(replies[2].enhanced.is_none() && replies[3].enhanced.is_none());
}

#[test]
fn what_is_no_reply_is_an_error() {
    for wire in ["hello\r\n", "25\r\n", "250x\r\n", "199 x\r\n", "600 x\r\n", "\r\n", "2 0 x\r\n"] {
        assert_eq!(read_all(wire.as_bytes()), Err(ReplyError::Malformed), "{wire:?}");
    }
    assert_eq!(read_all(b"250-a\r\n550 b\r\n"), Err(ReplyError::CodeChanged));
}

#[test]
fn replies_are_bounded_in_every_direction() {
    let line = |octets: usize| format!("250-{}\r\n", "x".repeat(octets - 6));
    assert!(read_all(line(4096).as_bytes()).is_ok());
    assert_eq!(read_all(line(4097).as_bytes()), Err(ReplyError::LineTooLong));
    assert_eq!(read_all(&[b'2'; 4096]), Err(ReplyError::LineTooLong));
    assert_eq!(read_all("250-x\r\n".repeat(129).as_bytes()), Err(ReplyError::TooManyLines));
    let full = format!("{}250 x\r\n", "250-x\r\n".repeat(127));
    assert_eq!(read_all(full.as_bytes()).unwrap().len(), 1);
    assert_eq!(read_all(line(4000).repeat(17).as_bytes()), Err(ReplyError::TooLong));
    let long = format!("{}250 end\r\n", line(4000).repeat(15));
    assert!(read_all(long.as_bytes()).unwrap()[0].text.len() <= super::parser::TEXT_OCTETS_MAX);
}

#[test]
fn debug_of_a_received_reply_hides_its_text() {
    let replies = read_all(b"550 5.1.1 <canary@dest.example> unknown\r\n").unwrap();
    assert!(!format!("{:?}", replies[0]).contains("canary"));
}

proptest! {
    #[test]
    fn what_we_write_we_read(code in 200u16..600, text in "[ -~\n]{0,900}") {
        let reply = Reply { code, enhanced: None, text: text.into() };
        let replies = read_all(written(&reply, true).as_bytes()).unwrap();
        prop_assert_eq!(replies.len(), 1);
        prop_assert_eq!(replies[0].code, code);
    }

    #[test]
    fn no_octets_break_the_reader(wire in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = read_all(&wire);
    }
}
