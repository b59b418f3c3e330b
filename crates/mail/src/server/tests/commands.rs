//! Single commands: syntax, parameters, lengths, and what happens to those who err too often.

use bytes::BytesMut;

use super::super::{BareNewlines, RECIPIENTS_FLOOR, Server, Step};
use super::{Session, open_settings, run, run_at_every_split};
use crate::reply::Reply;

/// The last reply line to `line` sent after EHLO, or after MAIL when it is a RCPT.
fn reply_to(line: &str) -> String {
    let before: &[u8] = if line.starts_with("RCPT") { b"EHLO a\r\nMAIL FROM:<>\r\n" } else { b"EHLO a\r\n" };
    let story = run(&open_settings(), &[before, line.as_bytes(), b"\r\n"]);
    story.replies.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn rfc5321_4_1_1_1_the_argument_of_ehlo_is_checked() {
    for good in ["a.example", "localhost", "[192.0.2.1]", "[IPv6:2001:db8::1]", "MY_PC", "host.example.", "192.0.2.1"] {
        assert_eq!(run(&open_settings(), &[format!("EHLO {good}\r\n").as_bytes()]).codes(), [220, 250], "{good}");
    }
    let long = "a".repeat(256);
    for bad in ["", " ", "a b", "a\"b", "[]", "[a", "a/b", "bücher.example", long.as_str()] {
        let story = run(&open_settings(), &[format!("EHLO {bad}\r\nMAIL FROM:<>\r\n").as_bytes()]);
        assert_eq!(story.codes(), [220, 501, 503], "{bad}");
    }
}

#[test]
fn rfc5321_4_1_1_2_mail_is_read_with_its_parameters() {
    let cases = [
        ("MAIL FROM:<a@b.example>", "Mail <a@b.example> None SevenBit"),
        ("mail from:<A@B.example>", "Mail <A@b.example> None SevenBit"),
        ("MAIL FROM: <a@b.example>", "Mail <a@b.example> None SevenBit"),
        ("MAIL FROM:<>   ", "Mail <> None SevenBit"),
        ("MAIL FROM:<\"a>b\"@b.example> size=5", "Mail <\"a>b\"@b.example> Some(5) SevenBit"),
        ("MAIL FROM:<> BODY=8bitmime AUTH=<>  SIZE=0", "Mail <> Some(0) EightBitMime"),
        ("MAIL FROM:<> BODY=7BIT AUTH=e+3Dmc2@b.example", "Mail <> None SevenBit"),
    ];
    for (line, event) in cases {
        let story = run_at_every_split(&open_settings(), &[b"EHLO a\r\n", line.as_bytes(), b"\r\n"]);
        assert_eq!(story.events, [event], "{line}");
    }
}

#[test]
fn rfc5321_4_1_1_2_a_bad_mail_is_refused_with_its_reason() {
    let cases = [
        ("MAIL", "501 5.1.7"),
        ("MAIL TO:<a@b.example>", "501 5.1.7"),
        ("MAIL FROM:a@b.example", "501 5.1.7"),
        ("MAIL FROM:<a@b.example", "501 5.1.7"),
        ("MAIL FROM:<a@b.example>SIZE=1", "501 5.1.7"),
        ("MAIL FROM:<a>", "501 5.1.7"),
        ("MAIL FROM:<a@[192.0.2.1]>", "501 5.1.7"),
        ("MAIL FROM:<@x.example:a@b.example>", "501 5.1.7"),
        ("MAIL FROM:<ä@b.example>", "553 5.6.7"),
        ("MAIL FROM:<a@bücher.example>", "553 5.6.7"),
        ("MAIL FROM:<> SIZE=x", "501 5.5.4"),
        ("MAIL FROM:<> SIZE", "501 5.5.4"),
        ("MAIL FROM:<> SIZE=1 SIZE=1", "501 5.5.4"),
        ("MAIL FROM:<> SIZE=123456789012345678901", "501 5.5.4"),
        ("MAIL FROM:<> BODY=BINARYMIME", "501 5.5.4"),
        ("MAIL FROM:<> =1", "501 5.5.4"),
        ("MAIL FROM:<> SIZE=1=2", "501 5.5.4"),
        ("MAIL FROM:<> RET=HDRS", "555 5.5.4"),
        ("MAIL FROM:<> SMTPUTF8=1", "501 5.5.4"),
        ("MAIL FROM:<> SMTPUTF8 smtputf8", "501 5.5.4"),
        ("MAIL FROM:<> AUTH=ä", "501 5.5.4"),
        ("MAIL FROM:<> SIZE=26214401", "552 5.3.4"),
        ("MAIL FROM:<> SIZE=99999999999999999999", "552 5.3.4"),
    ];
    for (line, expected) in cases {
        let reply = reply_to(line);
        assert!(reply.starts_with(expected), "{line}: {reply}");
        assert!(!reply.contains("b.example"), "the reply repeats the address: {reply}");
    }
    assert!(reply_to("MAIL FROM:<> SIZE=26214400").starts_with("250"));
}

#[test]
fn rfc5321_4_1_1_3_recipients_are_read_or_refused() {
    let cases = [
        ("RCPT TO:<a@b.example>", "250 2.1.5"),
        ("RCPT TO:<Postmaster>", "250 2.1.5"),
        ("RCPT TO:<a%c.example@b.example>", "250 2.1.5"),
        ("RCPT TO:<>", "501 5.1.3"),
        ("RCPT TO:<a>", "501 5.1.3"),
        ("RCPT FROM:<a@b.example>", "501 5.1.3"),
        ("RCPT TO:<@x.example,@y.example:a@b.example>", "501 5.1.3"),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER", "555 5.5.4"),
        ("RCPT TO:<a@b.example> =", "501 5.5.4"),
        ("RCPT TO:<ä@b.example>", "553 5.6.7"),
    ];
    for (line, expected) in cases {
        let reply = reply_to(line);
        assert!(reply.starts_with(expected), "{line}: {reply}");
    }
    let story = run(&open_settings(), &[b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<PostMaster>\r\n"]);
    assert_eq!(story.events[1], "Recipient <postmaster@mx.sample.example>");
}

#[test]
fn unknown_and_malformed_commands_are_refused() {
    let cases = [
        ("", "500 5.5.2"),
        ("XYZZY", "500 5.5.2"),
        ("STARTTLSS", "500 5.5.2"),
        ("MAILFROM:<>", "500 5.5.2"),
        ("ÄÖ", "500 5.5.2"),
        ("NOOP\u{0}", "500 5.5.2"),
        ("NO\u{7}OP", "500 5.5.2"),
        ("NO\rOP", "500 5.5.2"),
        ("DATA now", "501 5.5.4"),
        ("QUIT now", "501 5.5.4"),
        ("RSET now", "501 5.5.4"),
        ("BDAT x", "501 5.5.4"),
        ("noop anything", "250 2.0.0"),
    ];
    for (line, expected) in cases {
        let reply = reply_to(line);
        assert!(reply.starts_with(expected), "{line:?}: {reply}");
    }
    let story = run(&open_settings(), &[b"EHLO a\r\n", b"NOOP \xff\r\n", b"NOOP\r\n"]);
    assert_eq!(story.codes(), [220, 250, 500, 250]);
}

#[test]
fn rfc3030_2_the_octets_of_a_refused_bdat_are_never_commands() {
    let lines = b"EHLO a\r\nBDAT 12 LAST\r\nMAIL FROM:\r\nNOOP\r\nBDAT 0\r\nNOOP\r\n";
    let story = run_at_every_split(&open_settings(), &[lines]);
    assert_eq!(story.codes(), [220, 250, 503, 250, 503, 250]);
}

#[test]
fn rfc3461_4_parameters_are_read_strictly_where_they_are_offered() {
    let mut offering = open_settings();
    offering.notifications = true;
    let mail = |parameters: &str| {
        let lines = format!("EHLO a\r\nMAIL FROM:<a@b.example>{parameters}\r\n");
        (run(&offering, &[lines.as_bytes()]).codes()[2], run(&open_settings(), &[lines.as_bytes()]).codes()[2])
    };
    for parameters in [" RET=FULL", " ret=hdrs ENVID=a+2Bb", " ENVID=x SIZE=5"] {
        assert_eq!(mail(parameters), (250, 555), "{parameters}");
    }
    for parameters in [" RET", " RET=ALL", " ENVID", " ENVID=+0D+0A", " ENVID=a ENVID=a", " RET=FULL RET=FULL"] {
        assert_eq!(mail(parameters), (501, 555), "{parameters}");
    }
    let rcpt = |parameters: &str| {
        let lines = format!("EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.example>{parameters}\r\n");
        (run(&offering, &[lines.as_bytes()]).codes()[3], run(&open_settings(), &[lines.as_bytes()]).codes()[3])
    };
    let longest = format!(" NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{}", "x".repeat(493));
    for parameters in [" NOTIFY=NEVER", " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@d.example", longest.as_str()] {
        let expected = if parameters.len() > 500 { 500 } else { 555 };
        assert_eq!(rcpt(parameters), (250, expected), "{parameters}");
    }
    for parameters in [" NOTIFY=NEVER,DELAY", " NOTIFY", " ORCPT=c@d.example", " NOTIFY=DELAY NOTIFY=DELAY"] {
        assert_eq!(rcpt(parameters), (501, 555), "{parameters}");
    }
    // RFC 3461 §4: without EHLO there are no extensions.
    assert_eq!(run(&offering, &[b"HELO a\r\nMAIL FROM:<> RET=FULL\r\n"]).codes()[2], 555);
    assert!(run(&offering, &[b"EHLO a\r\n"]).replies.contains("DSN\r\n"));
}

#[test]
fn a_line_of_another_protocol_ends_the_session() {
    let story = run_at_every_split(&open_settings(), &[b"POST / HTTP/1.1\r\nEHLO a\r\nMAIL FROM:<>\r\n"]);
    assert_eq!(story.codes(), [220, 421]);
    assert!(story.closed && story.events.is_empty());
}

#[test]
fn rfc5321_2_3_8_a_command_ends_with_crlf() {
    let lines = b"EHLO a\nEHLO a\r\nMAIL FROM:<>\n";
    let strict = run_at_every_split(&open_settings(), &[lines]);
    assert_eq!(strict.codes(), [220, 500, 250, 500]);
    let mut tolerant = open_settings();
    tolerant.bare_newlines = BareNewlines::Normalise;
    assert_eq!(run_at_every_split(&tolerant, &[lines]).codes(), [220, 250, 250, 250]);
}

#[test]
fn rfc5321_4_5_3_1_4_command_lines_are_bounded() {
    let noop = |octets: usize| format!("NOOP {}\r\n", "x".repeat(octets - 7));
    let lines = [noop(512), noop(513), noop(100_000), "NOOP\r\n".to_owned()].concat();
    for chunk in [1, 7, 512, 4096, 1_000_000] {
        let mut session = Session::new(open_settings());
        for octets in lines.as_bytes().chunks(chunk) {
            session.feed(octets);
            assert!(session.input.len() <= 512);
        }
        assert_eq!(session.finish().codes(), [220, 250, 500, 500, 250], "chunks of {chunk}");
    }
    // RFC 4954 §4: MAIL may be 500 octets longer for AUTH=.
    let mail = format!("EHLO a\r\nMAIL FROM:<> AUTH={}\r\n", "x".repeat(480));
    assert_eq!(run(&open_settings(), &[mail.as_bytes()]).codes(), [220, 250, 250]);
}

#[test]
fn rfc5321_4_5_3_1_8_recipients_are_bounded_with_452_and_never_below_a_hundred() {
    for (configured, allowed) in [(1, RECIPIENTS_FLOOR), (150, 150)] {
        let mut settings = open_settings();
        settings.limits.recipients_max = configured;
        let mut lines = "EHLO a\r\nMAIL FROM:<>\r\n".to_owned();
        (0..allowed + 2).for_each(|index| lines += &format!("RCPT TO:<a{index}@b.example>\r\n"));
        lines += "DATA\r\nx\r\n.\r\n";
        let story = run(&settings, &[lines.as_bytes()]);
        let codes = story.codes();
        assert_eq!(codes[3..3 + allowed], vec![250; allowed]);
        assert_eq!(codes[3 + allowed..], [452, 452, 354, 250]);
        assert!(story.replies.contains("452 4.5.3"));
    }
}

#[test]
fn too_many_errors_end_the_session_and_refused_recipients_are_no_errors() {
    let story = run(&open_settings(), &[b"EHLO a\r\n", &b"XYZZY\r\n".repeat(30)]);
    let mut expected = vec![220, 250];
    expected.extend([500; 20]);
    expected.push(421);
    assert_eq!(story.codes(), expected);
    assert!(story.closed);
    let refused = b"RCPT TO:<refused@b.example>\r\n".repeat(50);
    let story = run(&open_settings(), &[b"EHLO a\r\nMAIL FROM:<>\r\n", &refused, b"NOOP\r\n"]);
    assert_eq!(story.codes().last(), Some(&250));
    assert!(!story.closed);
    // An accepted message wipes the slate.
    let round =
        [b"XYZZY\r\n".repeat(15).as_slice(), b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n.\r\n"].concat();
    assert!(!run(&open_settings(), &[b"EHLO a\r\n", &round, &round]).closed);
}

#[test]
fn transactions_of_one_session_are_bounded() {
    let mut settings = open_settings();
    settings.limits.transactions_max = 2;
    let story = run(&settings, &[b"EHLO a\r\n", &b"MAIL FROM:<>\r\nRSET\r\n".repeat(3)]);
    assert_eq!(story.codes(), [220, 250, 250, 250, 250, 250, 421]);
    assert!(story.closed);
}

#[test]
fn a_step_without_the_awaited_verdict_reads_nothing() {
    let mut server = Server::new(std::sync::Arc::new(open_settings()));
    let mut input = BytesMut::from(&b"EHLO a\r\nMAIL FROM:<>\r\nQUIT\r\n"[..]);
    let mut out = BytesMut::new();
    assert!(matches!(server.step(&mut input, &mut out), Step::Mail { .. }));
    assert!(matches!(server.step(&mut input, &mut out), Step::AwaitingVerdict));
    assert_eq!(&input[..], b"QUIT\r\n");
    server.refuse(Reply::new(451, (4, 3, 0), "later"), &mut out);
    // A verdict nobody asked for changes nothing.
    let before = out.len();
    server.accept(Reply::sender_accepted(), &mut out);
    server.refuse(Reply::new(550, (5, 0, 0), "no"), &mut out);
    assert_eq!(out.len(), before);
    assert!(matches!(server.step(&mut input, &mut out), Step::Closed));
    assert!(out.ends_with(b"451 4.3.0 later\r\n221 2.0.0 goodbye\r\n"));
}

#[test]
fn close_ends_the_session_with_the_given_reply() {
    let mut session = Session::new(open_settings());
    session.feed(b"EHLO a\r\nMAIL FROM:<>\r\n");
    let mut out = BytesMut::new();
    session.server.close(Reply::new(421, (4, 3, 2), "shutting down"), &mut out);
    assert_eq!(&out[..], b"421 4.3.2 shutting down\r\n");
    session.feed(b"RCPT TO:<a@b.example>\r\n");
    assert!(session.story.closed);
    assert!(!session.story.events.iter().any(|event| event.starts_with("Recipient")));
}

#[test]
fn debug_of_steps_and_server_shows_no_personal_data() {
    let mut server = Server::new(std::sync::Arc::new(open_settings()));
    let mut input = BytesMut::from(&b"EHLO canary.example\r\nMAIL FROM:<canary@b.example>\r\n"[..]);
    let step = server.step(&mut input, &mut BytesMut::new());
    assert!(!format!("{step:?}{server:?}").contains("canary"));
}
