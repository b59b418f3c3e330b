//! BDAT: whose octets they are, what is refused, and what is left of a refused chunk.

use proptest::prelude::*;

use super::super::{BareNewlines, ContentFault, Settings};
use super::{Session, Story, open_settings, run, run_at_every_split};

const ENVELOPE: &[u8] = b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";

fn story_of(settings: &Settings, wire: &[u8]) -> Story {
    let mut story = run_at_every_split(settings, &[ENVELOPE, wire]);
    let (_, after) = story.replies.split_once("recipient accepted\r\n").unwrap();
    story.replies = after.to_owned();
    story
}

#[test]
fn rfc3030_2_the_stated_octets_are_the_content_whatever_they_are() {
    let story = story_of(
        &open_settings(),
        b"BDAT 12\r\nSubject: x\r\nBDAT 11\r\n\r\n.\r\nQUIT\r\nBDAT 5 LAST\r\n.\r\nx\rNOOP\r\n",
    );
    assert!(story.replies.contains("550 5.5.2"), "a bare CR at the end: {}", story.replies);
    let story = story_of(
        &open_settings(),
        b"BDAT 12\r\nSubject: x\r\nBDAT 11\r\n\r\n.\r\nQUIT\r\nbdat 5 last\r\n..x\r\nNOOP\r\n",
    );
    assert_eq!(story.messages, [b"Subject: x\r\n\r\n.\r\nQUIT\r\n..x\r\n"]);
    assert_eq!(story.codes(), [250, 250, 250, 250]);
    assert!(story.replies.starts_with("250 2.0.0 chunk received\r\n250 2.0.0 chunk received\r\n250 2.0.0 queued\r\n"));
}

#[test]
fn rfc3030_2_an_empty_last_chunk_ends_the_message_and_a_missing_line_end_is_given() {
    let story = story_of(&open_settings(), b"BDAT 3\r\nx\r\nBDAT 0 LAST\r\nNOOP\r\n");
    assert_eq!((story.codes(), story.messages), (vec![250, 250, 250], vec![b"x\r\n".to_vec()]));
    let story = story_of(&open_settings(), b"BDAT 1 LAST\r\nxNOOP\r\n");
    assert_eq!((story.codes(), story.messages), (vec![250, 250], vec![b"x\r\n".to_vec()]));
}

#[test]
fn rfc3030_2_a_crlf_may_lie_across_two_chunks_and_a_bare_half_may_not() {
    let story = story_of(&open_settings(), b"BDAT 2\r\nx\rBDAT 1 LAST\r\n\nNOOP\r\n");
    assert_eq!((story.codes(), story.messages), (vec![250, 250, 250], vec![b"x\r\n".to_vec()]));
    for (wire, fault) in [
        (b"BDAT 2\r\nx\rBDAT 3 LAST\r\ny\r\nNOOP\r\n".as_slice(), "550 5.5.2"),
        (b"BDAT 3 LAST\r\nx\nyNOOP\r\n", "550 5.5.2"),
        (b"BDAT 3 LAST\r\nx\x00yNOOP\r\n", "550 5.6.0"),
    ] {
        let story = story_of(&open_settings(), wire);
        assert!(story.messages.is_empty() && story.replies.contains(fault), "{}", story.replies);
        assert_eq!(story.codes().last(), Some(&250), "the session is in step: {}", story.replies);
        assert_eq!(story.events.last().map(String::as_str), Some("Reset"));
    }
    let tolerant = Settings { bare_newlines: BareNewlines::Normalise, ..open_settings() };
    let story = story_of(&tolerant, b"BDAT 4\r\nx\ny\rBDAT 4 LAST\r\nz\r\n\nNOOP\r\n");
    assert_eq!(story.messages, [b"x\r\ny\r\nz\r\n\r\n"]);
}

#[test]
fn rfc3030_2_without_an_envelope_it_is_503_and_the_octets_are_skipped() {
    for before in [b"EHLO a\r\n".as_slice(), b"EHLO a\r\nMAIL FROM:<a@b.example>\r\n"] {
        let story = run_at_every_split(&open_settings(), &[before, b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"]);
        assert!(story.replies.contains("503 5.5.1") && !story.closed, "{}", story.replies);
        assert_eq!(story.codes().last(), Some(&250));
        assert!(story.messages.is_empty());
    }
}

#[test]
fn rfc3030_2_data_recipients_and_mail_after_a_chunk_are_out_of_order() {
    let wire = b"BDAT 3\r\nx\r\nDATA\r\nRCPT TO:<e@d.example>\r\nMAIL FROM:<>\r\nNOOP\r\nBDAT 3 LAST\r\ny\r\n";
    let story = story_of(&open_settings(), wire);
    assert_eq!(story.codes(), [250, 503, 503, 503, 250, 250]);
    assert_eq!(story.messages, [b"x\r\ny\r\n"]);
    assert!(!story.events.iter().any(|event| event.contains("e@d")));
    let story = story_of(&open_settings(), b"BDAT 3\r\nx\r\nRSET\r\nBDAT 3 LAST\r\ny\r\nDATA\r\n");
    assert_eq!(story.codes(), [250, 250, 503, 503], "RSET forgets what came: {}", story.replies);
    assert!(story.messages.is_empty());
}

#[test]
fn rfc3030_4_2_chunks_behind_a_refused_one_are_refused_and_skipped() {
    let story = story_of(&open_settings(), b"BDAT 3\r\nx\nyBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
    assert_eq!(story.codes(), [550, 503, 503, 250]);
    assert!(story.messages.is_empty() && !story.closed);
}

#[test]
fn rfc1870_6_3_what_is_too_large_is_refused_while_it_is_read() {
    let mut settings = open_settings();
    settings.limits.message_octets_max = 100;
    let chunk = |octets: usize, last: &str| {
        let lines = b"xxxxxxxx\r\n".repeat(octets / 10);
        [format!("BDAT {octets}{last}\r\n").as_bytes(), &lines].concat()
    };
    let fits = story_of(&settings, &[chunk(50, ""), chunk(50, " LAST")].concat());
    assert_eq!((fits.codes(), fits.messages.len()), (vec![250, 250], 1));
    let over = story_of(&settings, &[chunk(60, ""), chunk(50, " LAST"), b"NOOP\r\n".to_vec()].concat());
    assert_eq!((over.codes(), over.messages.len()), (vec![250, 552, 250], 0));
    // Many times too large: not heard out, and nothing of it is taken for a command.
    let story = run(&settings, &[ENVELOPE, b"BDAT 18446744073709551615\r\nQUIT\r\nNOOP\r\n"]);
    assert!(story.closed && story.messages.is_empty());
    assert_eq!(story.codes()[4..], [552]);
}

#[test]
fn memory_is_bounded_by_the_limit_and_not_by_the_chunk() {
    let mut settings = open_settings();
    settings.limits.message_octets_max = 10_000;
    let mut session = Session::new(settings);
    session.feed(ENVELOPE);
    session.feed(b"BDAT 30000\r\n");
    for _ in 0..30 {
        session.feed(&b"x".repeat(1000));
        assert!(session.input.is_empty());
    }
    assert_eq!(session.server.last_content_fault(), Some(ContentFault::TooLarge));
    assert!(session.finish().replies.contains("552 5.3.4"));
}

#[test]
fn a_number_that_nobody_can_read_ends_the_session() {
    for line in ["BDAT", "BDAT x", "BDAT -1", "BDAT +6 LAST", "BDAT 6x", "BDAT 99999999999999999999", "BDAT LAST"] {
        let story = run(&open_settings(), &[ENVELOPE, format!("{line}\r\nQUIT\r\n").as_bytes()]);
        assert!(story.closed && story.codes()[4..] == [501], "{line}: {}", story.replies);
    }
    let long = format!("BDAT 6 {}LAST\r\nQUIT\r\n", " ".repeat(600));
    for line in ["BDAT 6 LAST\nQUIT\r\n", "BDAT 6\x00 LAST\r\nQUIT\r\n", "BDAT 6\rLAST\r\nQUIT\r\n", &long] {
        let story = run(&open_settings(), &[ENVELOPE, line.as_bytes()]);
        assert!(story.closed && story.codes()[4..] == [501], "{line:?}: {}", story.replies);
    }
    // The number is clear, the rest is not: skipped, refused, and the session goes on.
    let story = run(&open_settings(), &[ENVELOPE, b"BDAT 6 FIRST\r\nQUIT\r\nNOOP\r\n"]);
    assert_eq!((story.closed, &story.codes()[4..]), (false, [501, 250].as_slice()));
}

#[test]
fn rfc5321_4_5_3_1_6_a_line_that_is_too_long_is_refused_wherever_it_is_cut() {
    let mut settings = open_settings();
    settings.limits.text_line_octets_max = 10;
    for (octets, code) in [(8, 250), (9, 554)] {
        let line = "x".repeat(octets);
        let wire = format!("BDAT 4\r\n{}BDAT {} LAST\r\n{}\r\nNOOP\r\n", &line[..4], octets - 2, &line[4..]);
        let story = story_of(&settings, wire.as_bytes());
        assert_eq!(story.codes(), [250, code, 250], "{}", story.replies);
    }
}

#[test]
fn rfc3030_2_a_pipelined_envelope_whose_recipients_are_all_refused_costs_no_error() {
    let group = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<refused@d.example>\r\nBDAT 3 LAST\r\nx\r\nRSET\r\n";
    let story = run(&open_settings(), &[b"EHLO a\r\n", &group.repeat(50)]);
    assert!(!story.closed && story.messages.is_empty());
    assert_eq!(story.codes()[2..6], [250, 550, 503, 250]);
}

proptest! {
    #[test]
    fn no_octets_break_the_machine_and_memory_stays_bounded(
        octets in proptest::collection::vec(any::<u8>(), 0..400),
        size in 0_u64..500,
        last in any::<bool>(),
    ) {
        let mut session = Session::new(open_settings());
        session.feed(ENVELOPE);
        let last = if last { " LAST" } else { "" };
        session.feed(format!("BDAT {size}{last}\r\n").as_bytes());
        session.feed(&octets);
        let story = session.finish();
        // What is beyond the chunk may be commands; what is within it never is.
        if u64::try_from(octets.len()).unwrap() < size {
            prop_assert_eq!(story.codes().len(), 4);
            prop_assert!(story.messages.is_empty());
        }
    }

    #[test]
    fn bdat_arguments_are_read_whole_or_not_at_all(argument in "[ 0-9A-Za-z+-]{0,30}") {
        let story = run(&open_settings(), &[ENVELOPE, format!("BDAT {argument}\r\n").as_bytes()]);
        let code = story.codes().get(4).copied();
        prop_assert!(matches!(code, None | Some(250 | 501 | 552)), "{}", story.replies);
    }
}
