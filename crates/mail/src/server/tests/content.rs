//! Content: transparency, smuggling, limits.

use bytes::BytesMut;
use proptest::prelude::*;

use super::super::{BareNewlines, ContentFault, Settings};
use super::{Session, Story, open_settings, run, run_at_every_split};

const ENVELOPE: &[u8] = b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n";

fn tolerant_settings() -> Settings {
    Settings { bare_newlines: BareNewlines::Normalise, ..open_settings() }
}

/// The story of a message whose content and end is `wire`, without the four replies to its envelope.
fn story_of(settings: &Settings, wire: &[u8]) -> Story {
    let mut story = run_at_every_split(settings, &[ENVELOPE, wire]);
    let (_, after) = story.replies.split_once("single dot\r\n").unwrap();
    story.replies = after.to_owned();
    story
}

#[test]
fn rfc5321_4_5_2_dot_is_unstuffed() {
    let cases: [(&[u8], &[u8]); 8] = [
        (b".\r\n", b""),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n.\r\n", b"..\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"..a\r\nb.\r\n..\r\n.\r\n", b".a\r\nb.\r\n.\r\n"),
        (b"a.\r\n\r\n.\r\n", b"a.\r\n\r\n"),
        (b". \r\n.\r\n", b" \r\n"),
    ];
    for (wire, content) in cases {
        let story = story_of(&open_settings(), wire);
        assert_eq!(story.messages, [content], "{}", String::from_utf8_lossy(wire));
        assert_eq!(story.replies, "250 2.0.0 queued\r\n");
    }
}

/// What smugglers put between the visible message and the hidden one, and whether it has a NUL.
const FALSE_ENDS: [(&[u8], ContentFault); 12] = [
    (b"\n.\n", ContentFault::BareNewline),
    (b"\n.\r\n", ContentFault::BareNewline),
    (b"\r\n.\n", ContentFault::BareNewline),
    (b"\r.\r", ContentFault::BareNewline),
    (b"\r.\r\n", ContentFault::BareNewline),
    (b"\r\n.\r", ContentFault::BareNewline),
    (b"\r\n.\r\r\n", ContentFault::BareNewline),
    (b"\n\n.\r\n", ContentFault::BareNewline),
    (b"\r\n\x00.\r\n", ContentFault::Nul),
    (b"\r\n.\x00\r\n", ContentFault::Nul),
    (b"\r\n.\r\x00\n", ContentFault::Nul),
    (b"\x00\r\n.\n", ContentFault::Nul),
];

#[test]
fn rfc5321_4_1_1_4_nothing_but_crlf_dot_crlf_ends_a_message() {
    for (false_end, fault) in FALSE_ENDS {
        let hidden = b"MAIL FROM:<smuggled@b.example>\r\nRCPT TO:<smuggled@d.example>\r\nDATA\r\nhidden\r\n.\r\n";
        let wire = [b"visible", false_end, hidden.as_slice(), b"NOOP\r\n"].concat();
        let story = story_of(&open_settings(), &wire);
        let name = String::from_utf8_lossy(false_end).into_owned();
        assert!(story.messages.is_empty(), "{name:?}");
        assert!(!story.events.iter().any(|event| event.contains("smuggled")), "{name:?}");
        let code = if fault == ContentFault::Nul { "550 5.6.0" } else { "550 5.5.2" };
        // One reply to the whole, and the session is in step: NOOP is answered.
        assert_eq!(story.codes(), [550, 250], "{name:?}: {}", story.replies);
        // "\r\x00\n" has both faults; whichever is told, the message is refused.
        assert!(story.replies.starts_with(code) || false_end.contains(&b'\r'), "{name:?}: {}", story.replies);
        assert_eq!(story.events.last().map(String::as_str), Some("Reset"));
    }
}

#[test]
fn rfc5321_2_3_8_normalising_makes_crlf_and_keeps_the_end_strict() {
    let cases: [(&[u8], &[u8]); 9] = [
        (b"a\nb\r\n.\r\n", b"a\r\nb\r\n"),
        (b"a\rb\r\n.\r\n", b"a\r\nb\r\n"),
        (b"a\r\r\n.\r\n", b"a\r\n\r\n"),
        (b"a\n.\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
        (b"a\n.\r\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
        (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\r\nb\r\n"),
        (b"a\r.\rb\r\n.\r\n", b"a\r\n.\r\nb\r\n"),
        (b"a\n..b\r\n.\r\n", b"a\r\n.b\r\n"),
        (b"a\n\n.\r\n.\r\n", b"a\r\n\r\n.\r\n"),
    ];
    for (wire, content) in cases {
        let story = story_of(&tolerant_settings(), wire);
        assert_eq!(story.messages, [content], "{:?}", String::from_utf8_lossy(wire));
        assert_eq!(story.codes(), [250]);
    }
    assert_eq!(story_of(&tolerant_settings(), b"a\x00b\r\n.\r\n").replies, "550 5.6.0 the message has a NUL octet\r\n");
}

#[test]
fn rfc5321_4_5_3_1_6_lines_of_a_thousand_octets_pass_and_longer_ones_do_not() {
    let line = |octets: usize| [b"x".repeat(octets - 2).as_slice(), b"\r\n.\r\nNOOP\r\n"].concat();
    let dotted = |octets: usize| [b"..".as_slice(), &b"x".repeat(octets - 3), b"\r\n.\r\nNOOP\r\n"].concat();
    for (wire, good) in [(line(1000), true), (dotted(1000), true), (line(1001), false), (dotted(1001), false)] {
        let story = story_of(&open_settings(), &wire);
        assert_eq!(story.codes(), [if good { 250 } else { 554 }, 250]);
        assert_eq!(story.messages.len(), usize::from(good));
    }
    // A line that never fits the window, with its CR, LF and false ends at every place.
    let wire = [b"x".repeat(5000).as_slice(), b"\r\n.\r\nNOOP\r\n"].concat();
    assert_eq!(story_of(&open_settings(), &wire).codes(), [554, 250]);
    let wire = [b"x".repeat(1500).as_slice(), b".\r\nx\r\n.\r\nNOOP\r\n"].concat();
    assert_eq!(story_of(&open_settings(), &wire).codes(), [554, 250]);
}

#[test]
fn rfc1870_6_3_too_large_a_message_is_read_to_its_end_and_refused() {
    let mut settings = open_settings();
    settings.limits.message_octets_max = 100;
    let content = |octets: usize| [b"x".repeat(octets - 2).as_slice(), b"\r\n.\r\nNOOP\r\n"].concat();
    let fits = story_of(&settings, &content(100));
    assert_eq!((fits.codes(), fits.messages.len()), (vec![250, 250], 1));
    let over = story_of(&settings, &content(101));
    assert_eq!((over.codes(), over.messages.len()), (vec![552, 250], 0));
    assert!(over.replies.starts_with("552 5.3.4"));
    let lines = [b"x\r\n".repeat(100).as_slice(), b".\r\nNOOP\r\n"].concat();
    assert_eq!(run(&settings, &[ENVELOPE, &lines]).codes()[5..], [552, 250]);
}

#[test]
fn a_flood_after_a_fault_is_cut_and_memory_stays_bounded() {
    let mut settings = open_settings();
    settings.limits.message_octets_max = 10_000;
    for flood in [b"x".repeat(4096), b"xxxxxx\r\n".repeat(512), b"xxxxxxx\r".repeat(512)] {
        let mut session = Session::new(settings.clone());
        session.feed(ENVELOPE);
        for _ in 0..30 {
            session.feed(&flood);
            assert!(session.input.len() <= 4096);
        }
        let story = session.finish();
        assert!(story.closed && story.messages.is_empty());
        assert!(matches!(story.codes().last(), Some(552 | 554)));
    }
}

#[test]
fn size_zero_means_no_limit_of_its_own() {
    let mut settings = open_settings();
    settings.limits.message_octets_max = 0;
    let story = run(&settings, &[ENVELOPE, b"hello\r\n.\r\n"]);
    assert_eq!(story.messages, [b"hello\r\n"]);
    assert!(story.replies.contains("SIZE 268435456"));
}

#[test]
fn the_fault_of_a_refused_message_can_be_asked_for() {
    let mut session = Session::new(open_settings());
    session.feed(ENVELOPE);
    session.feed(b"a\nb\r\n.\r\n");
    assert_eq!(session.server.last_content_fault(), Some(ContentFault::BareNewline));
    session.feed(b"MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
    assert_eq!(session.server.last_content_fault(), None);
}

#[test]
fn two_thousand_lines_in_odd_pieces_are_the_same_message() {
    let lines: Vec<String> = (0..2000).map(|index| format!("{}{index}\r\n", ".".repeat(index % 4))).collect();
    let plain = lines.concat();
    let wire: String =
        lines.iter().map(|line| if line.starts_with('.') { format!(".{line}") } else { line.clone() }).collect();
    for chunk in [1, 3, 100, 1460, 65536] {
        let mut session = Session::new(open_settings());
        session.feed(ENVELOPE);
        wire.as_bytes().chunks(chunk).for_each(|octets| session.feed(octets));
        session.feed(b".\r\n");
        assert_eq!(session.finish().messages, [plain.as_bytes()], "chunks of {chunk}");
    }
}

proptest! {
    /// Against the definition: the end is the first CRLF.CRLF, whatever stands before it.
    #[test]
    fn the_end_is_the_first_crlf_dot_crlf(
        letters in proptest::collection::vec(prop::sample::select(b"\r\n.x\0".to_vec()), 0..60),
        splits in proptest::collection::vec(1usize..9, 1..9),
        tolerant in any::<bool>(),
    ) {
        // The content begins after the CRLF of DATA, hence the two octets before it.
        let framed = [b"\r\n".as_slice(), &letters, b"\r\n.\r\n"].concat();
        let end = memchr::memmem::find(&framed, b"\r\n.\r\n").unwrap() + 5 - 2;
        let wire = &framed[2..2 + end];
        let mut session = Session::new(if tolerant { tolerant_settings() } else { open_settings() });
        session.feed(ENVELOPE);
        let mut rest = wire;
        let mut sizes = splits.iter().cycle();
        while let Some(size) = sizes.next().filter(|_| !rest.is_empty()) {
            let (head, tail) = rest.split_at((*size).min(rest.len()));
            let replies = memchr::memmem::find_iter(&session.out, b"\r\n").count();
            prop_assert_eq!(replies, 12, "answered before the end");
            session.feed(head);
            rest = tail;
        }
        session.feed(b"NOOP\r\n");
        let story = session.finish();
        prop_assert_eq!(story.codes().len(), 7);
        for message in &story.messages {
            prop_assert!(memchr::memchr(0, message).is_none());
            prop_assert!(message.is_empty() || message.ends_with(b"\r\n"));
            let pairs = memchr::memmem::find_iter(message, b"\r\n").count();
            prop_assert_eq!(memchr::memchr_iter(b'\r', message).count(), pairs);
            prop_assert_eq!(memchr::memchr_iter(b'\n', message).count(), pairs);
        }
    }

    #[test]
    fn no_octets_at_all_break_a_session(wire in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut session = Session::new(tolerant_settings());
        session.feed(&wire);
        session.input = BytesMut::new();
    }
}
