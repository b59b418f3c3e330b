//! Transactions, with and without PIPELINING: who got what, what follows, what a lost connection means.

use crate::address::Repertoire;

use super::super::transaction::WINDOW;
use super::super::{BeginError, Notices, RECIPIENTS_MAX, Transaction};
use crate::dsn::{EnvelopeId, Notify, OriginalRecipient, Return};

use super::{
    BodyKind, Failure, Lost, PIPELINING_PEER, PLAIN_PEER, RecipientResult, Stage, Step, TlsUse, Wire, results,
    transaction,
};

const ADA: &str = "ada@dest.example";
const BOB: &str = "bob@dest.example";
const ROW: &str =
    "MAIL FROM:<shop@sample.example>\r\nRCPT TO:<ada@dest.example>\r\nRCPT TO:<bob@dest.example>\r\nDATA\r\n";

#[test]
fn rfc2920_3_1_all_commands_leave_in_one_group() {
    let mut wire = Wire::ready(PIPELINING_PEER);
    wire.begin(&[ADA, BOB]);
    assert_eq!(wire.said(), ROW);
    assert!(matches!(wire.hear("250 ok\r\n250 ok\r\n550 5.1.1 no\r\n"), Step::NeedInput));
    assert!(matches!(wire.hear("354 go\r\n"), Step::SendBody));
    wire.send_body(b"Subject: x\r\n\r\n.\r\n");
    assert_eq!(wire.said(), "Subject: x\r\n\r\n..\r\n.\r\n");
    let outcome = wire.outcome("250 2.0.0 kept\r\n");
    assert_eq!(results(&outcome), ["a", "550"]);
    assert_eq!((outcome.decided_at, outcome.reusable), (Stage::FinalDot, true));
    assert!(outcome.is_delivered(0) && !outcome.is_delivered(1) && !outcome.is_delivered(2));
    assert_eq!(outcome.final_reply(0).map(|reply| reply.text.as_str()), Some("kept"));
    assert_eq!(outcome.final_reply(1).map(|reply| reply.code), Some(550));
    assert!(matches!(wire.hear(""), Step::Ready));
}

#[test]
fn rfc3461_5_2_what_was_asked_goes_with_it_to_a_peer_that_offers_dsn() {
    let asked = || {
        let notices = Notices {
            returned: Return::parse("HDRS"),
            envelope_id: EnvelopeId::parse("order+2B17"),
            each: vec![(Notify::parse("SUCCESS,DELAY"), OriginalRecipient::parse("rfc822;ada@dest.example"))],
        };
        Transaction { notices, ..transaction(&[ADA, BOB]) }
    };
    let mut wire = Wire::ready("220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 DSN\r\n");
    wire.client.begin(asked(), &mut wire.out).unwrap();
    assert_eq!(
        wire.said(),
        "MAIL FROM:<shop@sample.example> RET=HDRS ENVID=order+2B17\r\n\
         RCPT TO:<ada@dest.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;ada@dest.example\r\n\
         RCPT TO:<bob@dest.example>\r\nDATA\r\n"
    );
    let mut wire = Wire::ready(PIPELINING_PEER);
    wire.client.begin(asked(), &mut wire.out).unwrap();
    assert_eq!(wire.said(), ROW);
}

#[test]
fn without_pipelining_one_command_goes_at_a_time() {
    let mut wire = Wire::ready(PLAIN_PEER);
    wire.begin(&[ADA, BOB]);
    let steps = [("", "MAIL FROM:<shop@sample.example>\r\n"), ("250 ok\r\n", "RCPT TO:<ada@dest.example>\r\n")];
    for (octets, said) in steps {
        assert!(matches!(wire.hear(octets), Step::NeedInput));
        assert_eq!(wire.said(), said);
    }
    assert!(matches!(wire.hear("450 later\r\n"), Step::NeedInput));
    assert_eq!(wire.said(), "RCPT TO:<bob@dest.example>\r\n");
    assert!(matches!(wire.hear("250 ok\r\n"), Step::NeedInput));
    assert_eq!(wire.said(), "DATA\r\n");
    assert!(matches!(wire.hear("354 go\r\n"), Step::SendBody));
    wire.send_body(b"x\r\n");
    let outcome = wire.outcome("250 ok\r\n");
    assert_eq!(results(&outcome), ["450", "a"]);
}

#[test]
fn the_same_replies_mean_the_same_however_they_arrive() {
    let replies = "250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n";
    for peer in [PLAIN_PEER, PIPELINING_PEER] {
        for split in 0..=replies.len() {
            let (head, tail) = replies.split_at(split);
            let mut wire = Wire::ready(peer);
            wire.begin(&[ADA, BOB]);
            wire.hear(head);
            assert!(matches!(wire.hear(tail), Step::SendBody), "split at {split}");
            assert_eq!(wire.said(), ROW);
            wire.send_body(b"x\r\n");
            assert_eq!(results(&wire.outcome("250 ok\r\n")), ["550", "a"]);
        }
    }
}

#[test]
fn a_refused_mail_refuses_every_recipient_with_its_own_reply() {
    let mut plain = Wire::ready(PLAIN_PEER);
    plain.begin(&[ADA, BOB]);
    let outcome = plain.outcome("451 4.7.1 later\r\n");
    assert_eq!(results(&outcome), ["451", "451"]);
    assert_eq!((outcome.decided_at, outcome.data, outcome.reusable), (Stage::Mail, None, true));
    let mut pipelined = Wire::ready(PIPELINING_PEER);
    pipelined.begin(&[ADA, BOB]);
    let outcome = pipelined.outcome("550 5.7.1 no\r\n503 what\r\n503 what\r\n503 what\r\n");
    assert_eq!(results(&outcome), ["550", "550"]);
    // Nothing is open at the peer, so the next transaction needs no RSET.
    pipelined.said();
    pipelined.begin(&[ADA]);
    assert!(pipelined.said().starts_with("MAIL"));
}

#[test]
fn rfc2920_3_1_a_354_for_nobody_gets_a_lone_dot_and_delivers_to_nobody() {
    for refusals in ["250 ok\r\n550 no\r\n550 no\r\n", "550 no\r\n503 no\r\n503 no\r\n"] {
        let mut wire = Wire::ready(PIPELINING_PEER);
        wire.begin(&[ADA, BOB]);
        wire.said();
        assert!(matches!(wire.hear(refusals), Step::NeedInput));
        assert!(matches!(wire.hear("354 go\r\n"), Step::NeedInput));
        assert_eq!(wire.said(), ".\r\n");
        let outcome = wire.outcome("250 thanks for nothing\r\n");
        assert_eq!((results(&outcome), outcome.data.clone()), (vec!["550".to_owned(), "550".to_owned()], None));
        assert!(outcome.reusable && !outcome.is_delivered(0) && !outcome.is_delivered(1));
    }
}

#[test]
fn data_is_not_sent_once_everybody_is_refused_and_rset_comes_first_next_time() {
    let mut wire = Wire::ready(PLAIN_PEER);
    wire.begin(&[ADA]);
    let outcome = wire.outcome("250 ok\r\n550 no\r\n");
    assert_eq!((outcome.decided_at, outcome.reusable), (Stage::Recipient, true));
    assert!(!wire.said().contains("DATA"));
    wire.begin(&[BOB]);
    assert_eq!(wire.said(), "RSET\r\n");
    assert!(matches!(wire.hear("250 ok\r\n"), Step::NeedInput));
    assert_eq!(wire.said(), "MAIL FROM:<shop@sample.example>\r\n");
    let mut wire = Wire::ready(PIPELINING_PEER);
    wire.begin(&[ADA]);
    let outcome = wire.outcome("250 ok\r\n550 no\r\n554 nobody\r\n");
    assert_eq!((results(&outcome), outcome.data), (vec!["550".to_owned()], None));
    wire.said();
    wire.begin(&[ADA, BOB]);
    assert_eq!(wire.said(), format!("RSET\r\n{ROW}"));
    assert!(matches!(wire.hear("250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"), Step::SendBody));
}

#[test]
fn a_refused_data_holds_for_the_accepted_recipients() {
    let mut wire = Wire::ready(PIPELINING_PEER);
    wire.begin(&[ADA, BOB]);
    let outcome = wire.outcome("250 ok\r\n250 ok\r\n550 no\r\n451 4.3.0 full\r\n");
    assert_eq!(results(&outcome), ["a", "550"]);
    assert_eq!((outcome.decided_at, outcome.final_reply(0).map(|reply| reply.code)), (Stage::Data, Some(451)));
    assert!(!outcome.is_delivered(0) && outcome.reusable);
}

#[test]
fn a_refused_content_delivers_to_nobody_and_the_connection_lives() {
    for code in ["451", "554"] {
        let mut wire = Wire::ready(PIPELINING_PEER);
        wire.begin(&[ADA]);
        wire.hear("250 ok\r\n250 ok\r\n354 go\r\n");
        wire.send_body(b"x\r\n");
        let outcome = wire.outcome(&format!("{code} no\r\n"));
        assert!(!outcome.is_delivered(0) && outcome.reusable);
        assert_eq!(outcome.final_reply(0).map(|reply| reply.code.to_string()).as_deref(), Some(code));
    }
}

#[test]
fn rfc5321_3_8_421_ends_the_connection_at_every_stage() {
    let bye = "421 4.3.2 bye\r\n";
    let cases = [
        ("", ["421", "421"], Stage::Recipient),
        ("250 ok\r\n", ["421", "421"], Stage::Recipient),
        ("250 ok\r\n250 ok\r\n", ["a", "421"], Stage::Recipient),
        ("250 ok\r\n550 no\r\n250 ok\r\n", ["550", "a"], Stage::Data),
        ("550 no\r\n503 no\r\n", ["550", "550"], Stage::Mail),
    ];
    for (before, expected, decided_at) in cases {
        let mut wire = Wire::ready(PIPELINING_PEER);
        wire.begin(&[ADA, BOB]);
        let outcome = wire.outcome(&format!("{before}{bye}"));
        assert_eq!(
            (results(&outcome), outcome.decided_at),
            (expected.map(str::to_owned).to_vec(), decided_at),
            "{before}"
        );
        assert!(!outcome.reusable && !outcome.is_delivered(0) && !outcome.is_delivered(1));
        assert_eq!(outcome.data.map(|reply| reply.code), expected.contains(&"a").then_some(421));
        assert!(matches!(wire.hear("250 ok\r\n"), Step::Closed));
        assert_eq!(wire.client.begin(transaction(&[ADA]), &mut wire.out), Err(BeginError::NotReady));
    }
    let mut wire = Wire::ready(PIPELINING_PEER);
    wire.begin(&[ADA]);
    wire.hear("250 ok\r\n250 ok\r\n354 go\r\n");
    wire.client.write_body(&[b"half"], &mut wire.out).unwrap();
    let outcome = wire.outcome(bye);
    assert_eq!((outcome.decided_at, outcome.reusable), (Stage::Body, false));
    assert!(wire.client.finish(&mut wire.out).is_err());
}

#[test]
fn replies_that_mean_nothing_are_failures() {
    let cases = [
        ("354 go\r\n", Stage::Mail),
        ("250 ok\r\n354 go\r\n", Stage::Recipient),
        ("250 ok\r\n250 ok\r\n250 what?\r\n", Stage::Data),
        ("250 ok\r\n250 ok\r\n354 go\r\n250 already?\r\n", Stage::Body),
    ];
    for (octets, expected) in cases {
        let mut wire = Wire::ready(PIPELINING_PEER);
        wire.begin(&[ADA]);
        let failure = wire.failure(octets);
        assert!(matches!(failure, Failure::Unexpected { stage, .. } if stage == expected), "{octets}: {failure:?}");
        assert!(wire.client.finish(&mut wire.out).is_err() && wire.client.write_body(&[b"x"], &mut wire.out).is_err());
        assert_eq!(wire.client.interrupted().lost, Lost::BeforeFinalDot);
    }
    // Octets behind the final reply spoil the connection, not the outcome.
    let mut wire = Wire::ready(PLAIN_PEER);
    wire.begin(&[ADA]);
    wire.hear("250 ok\r\n250 ok\r\n354 go\r\n");
    wire.send_body(b"x\r\n");
    let outcome = wire.outcome("250 ok\r\n250 more\r\n");
    assert!(outcome.is_delivered(0) && !outcome.reusable);
}

#[test]
fn rfc5321_4_5_3_2_6_only_a_loss_after_the_final_dot_leaves_the_outcome_unknown() {
    let replies = ["250 ok\r\n", "250 ok\r\n", "550 no\r\n", "354 go\r\n"];
    for taken in 0..=replies.len() {
        let mut wire = Wire::ready(PIPELINING_PEER);
        wire.begin(&[ADA, BOB]);
        replies.iter().take(taken).for_each(|reply| drop(wire.hear(reply)));
        let answers = taken.saturating_sub(1).min(2);
        if taken == replies.len() {
            wire.client.write_body(&[b"x\r\n"], &mut wire.out).unwrap();
        }
        let interrupted = wire.client.interrupted();
        assert_eq!(interrupted.lost, Lost::BeforeFinalDot);
        assert_eq!(interrupted.recipients.iter().filter(|result| result.is_some()).count(), answers);
    }
    let mut wire = Wire::ready(PIPELINING_PEER);
    wire.begin(&[ADA, BOB]);
    wire.hear(&replies.concat());
    wire.send_body(b"x\r\n");
    wire.hear("250-half a rep");
    let interrupted = wire.client.interrupted();
    assert_eq!((interrupted.stage, interrupted.lost), (Stage::FinalDot, Lost::OutcomeUnknown));
    assert_eq!(interrupted.recipients[0], Some(RecipientResult::Accepted));
    assert!(matches!(interrupted.recipients[1], Some(RecipientResult::Refused(_))));
    let idle = Wire::ready(PLAIN_PEER).client.interrupted();
    assert_eq!((idle.lost, idle.recipients.len()), (Lost::BeforeFinalDot, 0));
}

#[test]
fn the_window_bounds_what_is_unanswered() {
    let paths: Vec<String> = (0..250).map(|index| format!("a{index}@dest.example")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut wire = Wire::ready(PIPELINING_PEER);
    wire.begin(&paths);
    let mut commands = wire.said();
    assert_eq!(commands.lines().count(), WINDOW);
    for answered in 1..=251 {
        assert!(matches!(wire.hear("250 ok\r\n"), Step::NeedInput));
        commands += &wire.said();
        assert_eq!(commands.lines().count(), (WINDOW + answered).min(252));
    }
    assert!(commands.ends_with("RCPT TO:<a249@dest.example>\r\nDATA\r\n"));
    assert!(matches!(wire.hear("354 go\r\n"), Step::SendBody));
    // A refused MAIL stops what has not been written.
    let mut wire = Wire::ready(PIPELINING_PEER);
    wire.begin(&paths);
    wire.said();
    let outcome = wire.outcome(&format!("550 no\r\n{}", "503 no\r\n".repeat(WINDOW - 1)));
    assert_eq!(wire.said(), "");
    assert!(results(&outcome).iter().all(|word| word == "550"));
    assert_eq!(outcome.recipients.len(), 250);
}

#[test]
fn parameters_go_only_to_peers_that_announce_them() {
    let with = |size, body| Transaction { size: Some(size), body, ..transaction(&[ADA]) };
    let mut wire = Wire::ready(PIPELINING_PEER);
    wire.client.begin(with(1000, BodyKind::EightBitMime), &mut wire.out).unwrap();
    assert!(wire.said().starts_with("MAIL FROM:<shop@sample.example> SIZE=1000 BODY=8BITMIME\r\n"));
    let mut wire = Wire::ready(PIPELINING_PEER);
    let refusal = wire.client.begin(with(1001, BodyKind::SevenBit), &mut wire.out);
    assert_eq!(refusal, Err(BeginError::TooLarge { limit: 1000 }));
    let mut wire = Wire::ready(PLAIN_PEER);
    assert_eq!(wire.client.begin(with(1, BodyKind::EightBitMime), &mut wire.out), Err(BeginError::EightBitBody));
    assert_eq!(wire.said(), "");
    wire.client.begin(with(1001, BodyKind::SevenBit), &mut wire.out).unwrap();
    assert_eq!(wire.said(), "MAIL FROM:<shop@sample.example>\r\n");
}

#[test]
fn an_envelope_that_would_break_its_command_is_not_written() {
    let bad = [
        ("", BeginError::Path),
        ("ada", BeginError::Path),
        ("ada@dest.example>\r\nRCPT TO:<eve@dest.example", BeginError::Path),
        ("ada@dest.example> X=<y", BeginError::Path),
        ("\"ada\"@dest.example> X=<y", BeginError::Path),
        ("ada@dest.example\n", BeginError::Path),
        ("ädä@dest.example", BeginError::NeedsUtf8),
    ];
    for (path, error) in bad {
        let mut wire = Wire::ready(PLAIN_PEER);
        assert_eq!(wire.client.begin(transaction(&[ADA, path]), &mut wire.out), Err(error), "{path:?}");
        let sender = Transaction { reverse_path: format!("{path}\r\n"), ..transaction(&[ADA]) };
        assert!(wire.client.begin(sender, &mut wire.out).is_err());
        assert!(wire.out.is_empty());
        assert!(matches!(wire.hear(""), Step::Ready));
    }
    let mut wire = Wire::ready(PLAIN_PEER);
    assert_eq!(wire.client.begin(transaction(&[]), &mut wire.out), Err(BeginError::Recipients));
    assert_eq!(wire.client.begin(transaction(&[ADA; RECIPIENTS_MAX + 1]), &mut wire.out), Err(BeginError::Recipients));
    let null = Transaction { reverse_path: String::new(), ..transaction(&["\"a b>\"@dest.example"]) };
    wire.client.begin(null, &mut wire.out).unwrap();
    assert_eq!(wire.said(), "MAIL FROM:<>\r\n");
    assert_eq!(wire.client.begin(transaction(&[ADA]), &mut wire.out), Err(BeginError::NotReady));
}

#[test]
fn the_transcript_has_all_but_the_content_and_is_bounded() {
    let mut wire = Wire::new(TlsUse::Never);
    wire.hear(PLAIN_PEER);
    wire.begin(&[ADA]);
    wire.hear("250 2.1.0 ok\r\n250 ok\r\n354 go\r\n");
    wire.send_body(b"Subject: canary\r\n\r\n.\r\n");
    let outcome = wire.outcome("250-2.0.0 kept\r\n250 2.0.0 as\x07 7\r\n");
    let expected = "S: 220 mx\nC: EHLO out.sample.example\nS: 250 mx\nC: MAIL FROM:<shop@sample.example>\n\
S: 250 2.1.0 ok\nC: RCPT TO:<ada@dest.example>\nS: 250 ok\nC: DATA\nS: 354 go\nC: <22 octets>\nC: .\n\
S: 250-2.0.0 kept\nS: 250 2.0.0 as? 7\n";
    assert_eq!(outcome.transcript.as_str(), expected);
    assert!(!format!("{outcome:?}").contains("ada@"));
    // The next transaction has a transcript of its own, and a long one keeps its end.
    let paths: Vec<String> = (0..900).map(|index| format!("a{index}@dest.example")).collect();
    wire.begin(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    wire.hear(&"250 ok\r\n".repeat(901));
    wire.hear("354 go\r\n");
    wire.send_body(b"x\r\n");
    let transcript = wire.outcome("250 kept at last\r\n").transcript;
    assert!(transcript.as_str().starts_with("C: MAIL FROM"));
    assert!(transcript.as_str().ends_with(" lines left out)\nS: 250 kept at last\n"));
    assert!(transcript.as_str().len() <= super::super::transcript::TRANSCRIPT_OCTETS_MAX);
}

#[test]
fn rfc6531_3_4_smtputf8_is_asked_for_where_it_is_needed_and_offered() {
    const PEER: &str = "220 mx\r\n250-mx\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n";
    let person = Transaction { repertoire: Repertoire::Utf8, ..transaction(&["jörg@dest.example"]) };
    let mut wire = Wire::ready(PEER);
    wire.client.begin(person.clone(), &mut wire.out).unwrap();
    assert_eq!(wire.said(), "MAIL FROM:<shop@sample.example> SMTPUTF8\r\n");
    wire.hear("250 ok\r\n");
    assert_eq!(wire.said(), "RCPT TO:<jörg@dest.example>\r\n");
    // Who offers it and not 8BITMIME breaks RFC 6531 §3.1 (8).
    for peer in [PLAIN_PEER, "220 mx\r\n250-mx\r\n250 8BITMIME\r\n", "220 mx\r\n250-mx\r\n250 SMTPUTF8\r\n"] {
        let mut wire = Wire::ready(peer);
        assert_eq!(wire.client.begin(person.clone(), &mut wire.out), Err(BeginError::NeedsUtf8), "{peer}");
        assert!(wire.out.is_empty());
    }
    let mut wire = Wire::ready(PEER);
    wire.client.begin(transaction(&[ADA]), &mut wire.out).unwrap();
    assert_eq!(wire.said(), "MAIL FROM:<shop@sample.example>\r\n");
}
