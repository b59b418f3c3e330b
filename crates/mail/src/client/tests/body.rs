//! Stuffing: what goes out for what comes in.

use super::super::{BodyError, Stage};
use super::{PLAIN_PEER, Wire};

fn at_body() -> Wire {
    let mut wire = Wire::ready(PLAIN_PEER);
    wire.begin(&["ada@dest.example"]);
    wire.hear("250 ok\r\n250 ok\r\n354 go\r\n");
    assert_eq!(wire.client.stage(), Stage::Body);
    wire.said();
    wire
}

#[test]
fn rfc5321_4_5_2_leading_dots_are_doubled_wherever_the_parts_are_cut() {
    let cases = [
        ("", ".\r\n"),
        (".", "..\r\n.\r\n"),
        (".\r\n", "..\r\n.\r\n"),
        ("a", "a\r\n.\r\n"),
        ("a\r\n.b\r\n..\r\n.\r\nc.\r\n", "a\r\n..b\r\n...\r\n..\r\nc.\r\n.\r\n"),
        ("\r\n.\r\n\r\n", "\r\n..\r\n\r\n.\r\n"),
    ];
    for (content, expected) in cases {
        for split in 0..=content.len() {
            let (head, tail) = content.as_bytes().split_at(split);
            let mut wire = at_body();
            wire.client.write_body(&[head, tail], &mut wire.out).unwrap();
            wire.client.finish(&mut wire.out).unwrap();
            assert_eq!(wire.said(), expected, "{content:?} in one call, split at {split}");
            let mut wire = at_body();
            wire.client.write_body(&[head], &mut wire.out).unwrap();
            wire.client.write_body(&[tail], &mut wire.out).unwrap();
            wire.client.finish(&mut wire.out).unwrap();
            assert_eq!(wire.said(), expected, "{content:?} in two calls, split at {split}");
        }
    }
}

#[test]
fn rfc5321_2_3_8_a_bare_newline_never_leaves_however_the_parts_are_cut() {
    for content in ["a\nb\r\n", "a\rb\r\n", "a\r\n.\n", "\n", "\r", "a\r\r\n", "a\n\r\n", "a\r\n\r"] {
        for split in 0..=content.len() {
            let (head, tail) = content.as_bytes().split_at(split);
            let mut wire = at_body();
            let written = wire.client.write_body(&[head, tail], &mut wire.out);
            if written.is_err() {
                assert_eq!(wire.said(), "", "{content:?} was written in part");
            }
            // A CR at the very end is found out by the final dot.
            assert_eq!(wire.client.finish(&mut wire.out), Err(BodyError::BareNewline), "{content:?} at {split}");
            assert!(!wire.said().ends_with(".\r\n"));
            assert_eq!(wire.client.stage(), Stage::Body);
        }
    }
}

#[test]
fn content_is_taken_only_when_it_was_asked_for() {
    let mut wire = Wire::ready(PLAIN_PEER);
    assert_eq!(wire.client.write_body(&[b"x"], &mut wire.out), Err(BodyError::NotAsked));
    assert_eq!(wire.client.finish(&mut wire.out), Err(BodyError::NotAsked));
    let mut wire = at_body();
    wire.send_body(b"x\r\n");
    wire.said();
    assert_eq!(wire.client.write_body(&[b"y"], &mut wire.out), Err(BodyError::NotAsked));
    assert_eq!(wire.client.finish(&mut wire.out), Err(BodyError::NotAsked));
    assert_eq!(wire.said(), "");
}
