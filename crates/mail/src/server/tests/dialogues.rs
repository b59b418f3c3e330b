//! Whole dialogues: order of commands, STARTTLS, AUTH, PIPELINING.

use super::super::{AuthOffer, BareNewlines, Settings, TlsOffer};
use super::{open_settings, run, run_at_every_split, settings};

const MESSAGE: &[u8] = b"EHLO client.example\r\nMAIL FROM:<shop@sample.example> SIZE=100 BODY=8BITMIME\r\n\
RCPT TO:<ada@dest.example>\r\nRCPT TO:<refused@dest.example>\r\nRCPT TO:<bob@dest.example>\r\nDATA\r\n\
Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n";

fn submission() -> Settings {
    settings(TlsOffer::StartTls, AuthOffer::RequiredOverTls, BareNewlines::Reject)
}

fn implicit() -> Settings {
    settings(TlsOffer::Implicit, AuthOffer::RequiredOverTls, BareNewlines::Reject)
}

#[test]
fn rfc2920_3_2_pipelined_replies_come_in_order_at_every_split() {
    let story = run_at_every_split(&open_settings(), &[MESSAGE]);
    let expected = "220 mx.sample.example ESMTP\r\n\
250-mx.sample.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n\
250-SIZE 26214400\r\n250 LIMITS MAILMAX=100000 RCPTMAX=1000\r\n\
250 2.1.0 sender accepted\r\n250 2.1.5 recipient accepted\r\n550 5.7.1 not this recipient\r\n\
250 2.1.5 recipient accepted\r\n354 send the message, end it with a line that holds a single dot\r\n\
250 2.0.0 queued\r\n221 2.0.0 goodbye\r\n";
    assert_eq!(story.replies, expected);
    assert_eq!(story.messages, [b"Subject: x\r\n\r\n.dot\r\n"]);
    assert_eq!(
        story.events,
        [
            "Mail <shop@sample.example> Some(100) EightBitMime",
            "Recipient <ada@dest.example>",
            "Recipient <refused@dest.example>",
            "Recipient <bob@dest.example>",
            "BeginData",
            "Message"
        ]
    );
    assert!(story.closed);
}

#[test]
fn rfc3207_4_2_starttls_forgets_and_what_followed_in_the_clear_is_never_read() {
    let story = run(
        &submission(),
        &[
            b"EHLO a.example\r\nSTARTTLS\r\nRSET\r\nEHLO injected.example\r\nAUTH PLAIN AGFkYQBzZWNyZXQ=\r\n",
            b"MAIL FROM:<ada@sample.example>\r\nEHLO b.example\r\nMAIL FROM:<ada@sample.example>\r\n",
            b"AUTH PLAIN AGFkYQBzZWNyZXQ=\r\nMAIL FROM:<ada@sample.example>\r\nSTARTTLS\r\n",
        ],
    );
    // 220 greeting, 250 EHLO, 220 STARTTLS; then no EHLO any more, EHLO, no AUTH yet, AUTH, MAIL, TLS already on.
    assert_eq!(story.codes(), [220, 250, 220, 503, 250, 530, 235, 250, 503]);
    assert_eq!(story.events[0], "StartTls");
    assert!(!story.events.iter().any(|event| event.contains("injected")));
}

#[test]
fn rfc3207_4_2_starttls_disappears_and_auth_appears_under_tls() {
    let story = run(&submission(), &[b"EHLO a.example\r\nSTARTTLS\r\n", b"EHLO a.example\r\n"]);
    let (clear, under_tls) = story.replies.split_once("ready to start TLS").unwrap();
    assert!(clear.contains("STARTTLS\r\n") && !clear.contains("AUTH"));
    assert!(under_tls.contains("AUTH PLAIN LOGIN\r\n") && !under_tls.contains("STARTTLS"));
}

#[test]
fn starttls_is_refused_where_it_is_not_offered_or_has_an_argument() {
    assert_eq!(run(&open_settings(), &[b"EHLO a\r\nSTARTTLS\r\n"]).codes(), [220, 250, 502]);
    assert_eq!(run(&submission(), &[b"EHLO a\r\nSTARTTLS now\r\n"]).codes(), [220, 250, 501]);
    assert_eq!(run(&implicit(), &[b"EHLO a\r\nSTARTTLS\r\n"]).codes(), [220, 250, 503]);
}

#[test]
fn rfc4954_4_plain_and_login_in_all_their_forms() {
    let cases: [(&[u8], &[u16], &str); 6] = [
        (b"AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n", &[235], "Plain None ada secret"),
        (b"auth plain\r\nem9lAGFkYQBzZWNyZXQ=\r\n", &[334, 235], "Plain Some(\"zoe\") ada secret"),
        (b"AUTH LOGIN\r\nYWRh\r\nc2VjcmV0\r\n", &[334, 334, 235], "Login None ada secret"),
        (b"AUTH LOGIN YWRh\r\nc2VjcmV0\r\n", &[334, 235], "Login None ada secret"),
        (b"AUTH PLAIN AGFkYQB3cm9uZw==\r\n", &[535], "Plain None ada wrong"),
        (b"AUTH LOGIN\r\nYWRh\r\n\r\n", &[334, 334, 535], "Login None ada "),
    ];
    for (lines, codes, event) in cases {
        let story = run_at_every_split(&implicit(), &[b"EHLO a\r\n", lines]);
        assert_eq!(story.codes()[2..], *codes, "{event}");
        assert_eq!(story.events, [event]);
    }
    let story = run(&implicit(), &[b"EHLO a\r\nAUTH LOGIN\r\nYWRh\r\nc2VjcmV0\r\n"]);
    assert!(story.replies.contains("334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 2.7.0"));
    assert!(run(&implicit(), &[b"EHLO a\r\nAUTH PLAIN\r\n"]).replies.ends_with("334 \r\n"));
}

#[test]
fn rfc4954_4_a_spoilt_dialogue_is_refused_and_leaves_the_session_in_order() {
    let cases: [(&[u8], &str); 10] = [
        (b"AUTH PLAIN\r\n*\r\n", "501 5.7.0"),
        (b"AUTH LOGIN\r\nYWRh\r\n*\r\n", "501 5.7.0"),
        (b"AUTH PLAIN !!!\r\n", "501 5.5.2"),
        (b"AUTH PLAIN AGFkYQBzZWNyZXQ\r\n", "501 5.5.2"),
        (b"AUTH PLAIN =\r\n", "501 5.5.2"),
        (b"AUTH PLAIN AGEAYgBj\r\nNOOP\r\n", "250 2.0.0"),
        (b"AUTH PLAIN YWRh\r\n", "501 5.5.2"),
        (b"AUTH PLAIN /wD+AP0=\r\n", "501 5.5.2"),
        (b"AUTH CRAM-MD5\r\n", "504 5.5.4"),
        (b"AUTH\r\n", "504 5.5.4"),
    ];
    for (lines, reply) in cases {
        let story = run(&implicit(), &[b"EHLO a\r\n", lines]);
        assert!(story.replies.lines().last().unwrap().starts_with(reply), "{lines:?}: {}", story.replies);
        let after = run(&implicit(), &[b"EHLO a\r\n", lines, b"AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n"]);
        assert_eq!(after.codes().last(), Some(&235), "{lines:?}");
    }
    let long = [b"A".repeat(12_288), b"\r\n".to_vec()].concat();
    let story = run(&implicit(), &[b"EHLO a\r\nAUTH PLAIN\r\n", &long, b"NOOP\r\n"]);
    assert_eq!(story.codes(), [220, 250, 334, 500, 250]);
    assert!(story.replies.contains("500 5.5.6"));
    let fits = [b"A".repeat(12_284), b"\r\n".to_vec()].concat();
    assert_eq!(run(&implicit(), &[b"EHLO a\r\nAUTH PLAIN\r\n", &fits]).codes()[3], 501);
}

#[test]
fn rfc4954_4_auth_is_refused_in_the_clear_twice_and_within_a_transaction() {
    let auth = b"AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n";
    let clear = run(&submission(), &[b"EHLO a\r\n", auth, b"MAIL FROM:<>\r\n"]);
    assert!(clear.replies.contains("538 5.7.11") && clear.replies.contains("530 5.7.0 start TLS"));
    assert!(clear.events.is_empty());
    assert_eq!(run(&implicit(), &[auth]).codes(), [220, 503]);
    assert_eq!(run(&implicit(), &[b"EHLO a\r\n", auth, auth]).codes(), [220, 250, 235, 503]);
    let within = run(&implicit(), &[b"EHLO a\r\n", auth, b"MAIL FROM:<>\r\n", auth]);
    assert_eq!(within.codes(), [220, 250, 235, 250, 503]);
    for offer in [AuthOffer::None, AuthOffer::Trusted] {
        let settings = settings(TlsOffer::Implicit, offer, BareNewlines::Reject);
        let story = run(&settings, &[b"EHLO a\r\n", auth, b"MAIL FROM:<>\r\n"]);
        assert_eq!(story.codes(), [220, 250, 502, 250]);
        assert!(!story.replies.contains("AUTH"));
    }
}

#[test]
fn rfc6409_4_3_no_mail_before_auth_whatever_the_recipient_looks_like() {
    for recipient in
        ["<ada%dest.example@sample.example>", "<\"ada@dest.example\"@sample.example>", "<@x:ada@b.example>"]
    {
        let lines = format!("EHLO a\r\nMAIL FROM:<ada@sample.example>\r\nRCPT TO:{recipient}\r\nDATA\r\n");
        let story = run(&implicit(), &[lines.as_bytes()]);
        assert_eq!(story.codes(), [220, 250, 530, 503, 503]);
        assert!(story.events.is_empty());
    }
}

#[test]
fn rfc5321_4_1_4_commands_out_of_order_are_refused() {
    let cases: [(&[u8], &[u16]); 8] = [
        (b"MAIL FROM:<a@b.example>\r\n", &[503]),
        (b"EHLO a\r\nRCPT TO:<a@b.example>\r\n", &[250, 503]),
        (b"EHLO a\r\nDATA\r\n", &[250, 503]),
        (b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nDATA\r\n", &[250, 250, 554]),
        (b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>\r\n", &[250, 250, 503]),
        (b"EHLO a\r\nMAIL FROM:<nobody@b.example>\r\nRCPT TO:<a@b.example>\r\n", &[250, 550, 503]),
        (b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<refused@b.example>\r\nDATA\r\n", &[250, 250, 550, 554]),
        (b"RSET\r\nNOOP\r\nVRFY ada\r\nEXPN list\r\nHELP\r\nQUIT\r\n", &[250, 250, 252, 502, 214, 221]),
    ];
    for (lines, codes) in cases {
        let story = run_at_every_split(&open_settings(), &[lines]);
        assert_eq!(story.codes()[1..], *codes, "{}", String::from_utf8_lossy(lines));
        assert!(!story.events.iter().any(|event| event == "BeginData"));
    }
}

#[test]
fn rfc5321_4_1_4_rset_and_ehlo_drop_the_transaction_and_say_so_once() {
    for drop in ["RSET", "EHLO a", "HELO a"] {
        let lines =
            format!("EHLO a\r\n{drop}\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n{drop}\r\n{drop}\r\nDATA\r\n");
        let story = run(&open_settings(), &[lines.as_bytes()]);
        assert_eq!(story.codes(), [220, 250, 250, 250, 250, 250, 250, 503]);
        assert_eq!(story.events.iter().filter(|event| *event == "Reset").count(), 1, "{drop}");
    }
}

#[test]
fn rfc2034_4_enhanced_codes_come_with_ehlo_only() {
    let story =
        run(&open_settings(), &[b"NOOP\r\nHELO a\r\nMAIL FROM:<a@b.example>\r\nRSET\r\nMAIL FROM:<> SIZE=1\r\n"]);
    assert!(!story.replies.contains("2.0.0") && !story.replies.contains("2.1.0"));
    // HELO has no extensions, so it has no parameters either.
    assert_eq!(story.codes(), [220, 250, 250, 250, 250, 555]);
}

#[test]
fn a_refused_message_ends_its_transaction_and_the_next_one_goes_through() {
    let lines = b"EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nspam\r\n.\r\nRCPT TO:<a@b.example>\r\n\
MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nham\r\n.\r\n";
    let story = run_at_every_split(&open_settings(), &[lines]);
    assert_eq!(story.codes(), [220, 250, 250, 250, 354, 554, 503, 250, 250, 354, 250]);
    assert_eq!(story.messages.len(), 2);
}
