//! Greeting, EHLO and HELO, STARTTLS, QUIT.

use super::super::Capabilities;
use super::{Failure, PIPELINING_PEER, PLAIN_PEER, Stage, Step, TlsUse, Wire};

const TLS_PEER: &str = "220 mx\r\n250-mx\r\n250-STARTTLS\r\n250 PIPELINING\r\n";

#[test]
fn rfc5321_3_1_the_greeting_is_awaited_before_ehlo_at_every_split() {
    for split in 0..PIPELINING_PEER.len() {
        let (head, tail) = PIPELINING_PEER.split_at(split);
        let mut wire = Wire::new(TlsUse::IfOffered);
        let first = wire.hear(head);
        assert!(matches!(first, Step::NeedInput));
        assert_eq!(wire.said(), if split < 8 { "" } else { "EHLO out.sample.example\r\n" });
        assert!(matches!(wire.hear(tail), Step::Ready));
        assert!(wire.client.capabilities().pipelining);
    }
}

#[test]
fn rfc5321_3_2_helo_follows_where_ehlo_is_unknown() {
    let mut wire = Wire::new(TlsUse::IfOffered);
    assert!(matches!(wire.hear("220 mx\r\n502 what?\r\n"), Step::NeedInput));
    assert_eq!(wire.said(), "EHLO out.sample.example\r\nHELO out.sample.example\r\n");
    assert!(matches!(wire.hear("250-PIPELINING\r\n250 PIPELINING\r\n"), Step::Ready));
    assert_eq!(*wire.client.capabilities(), Capabilities::default());
    let mut wire = Wire::new(TlsUse::IfOffered);
    assert!(matches!(
        wire.failure("220 mx\r\n502 what?\r\n550 go away\r\n"),
        Failure::Refused { stage: Stage::Hello, .. }
    ));
}

#[test]
fn a_peer_that_refuses_the_session_is_a_failure_at_its_stage() {
    let cases = [
        ("554 no\r\n", Stage::Greeting),
        ("421 busy\r\n", Stage::Greeting),
        ("220 mx\r\n450 later\r\n", Stage::Hello),
        ("220 mx\r\n421 busy\r\n", Stage::Hello),
        ("220 mx\r\n250 mx\r\n421 idle\r\n", Stage::Ready),
    ];
    for (octets, expected) in cases {
        let mut wire = Wire::new(TlsUse::IfOffered);
        assert!(matches!(wire.failure(octets), Failure::Refused { stage, .. } if stage == expected), "{octets}");
        assert_eq!(wire.client.stage(), Stage::Closed);
        assert!(matches!(wire.hear("250 ok\r\n"), Step::Closed));
    }
    let mut wire = Wire::new(TlsUse::IfOffered);
    assert!(matches!(wire.failure("SSH-2.0\r\n"), Failure::Reply(_)));
    let mut wire = Wire::ready(PLAIN_PEER);
    assert!(matches!(wire.failure("250 unasked\r\n"), Failure::Unexpected { stage: Stage::Ready, code: 250 }));
}

#[test]
fn rfc3207_4_2_tls_forgets_capabilities_and_replies_injected_in_the_clear() {
    let mut wire = Wire::new(TlsUse::IfOffered);
    assert!(matches!(wire.hear(TLS_PEER), Step::NeedInput));
    assert_eq!(wire.said(), "EHLO out.sample.example\r\nSTARTTLS\r\n");
    assert!(matches!(wire.hear("220 go\r\n250-mx\r\n250 8BITMIME\r\n"), Step::StartTls));
    assert!(wire.input.is_empty());
    wire.input.extend_from_slice(b"250 injected between\r\n");
    wire.client.tls_established(&mut wire.input, &mut wire.out);
    assert_eq!(wire.said(), "EHLO out.sample.example\r\n");
    assert!(matches!(wire.hear(""), Step::NeedInput));
    assert_eq!(*wire.client.capabilities(), Capabilities::default());
    // STARTTLS announced again under TLS is not used again.
    assert!(matches!(wire.hear("250-mx\r\n250-STARTTLS\r\n250 SIZE 5\r\n"), Step::Ready));
    assert_eq!(wire.client.capabilities().size_octets_max, Some(5));
    assert_eq!(wire.said(), "");
}

#[test]
fn rfc7435_tls_is_taken_where_offered_and_demanded_only_where_required() {
    let mut never = Wire::new(TlsUse::Never);
    assert!(matches!(never.hear(TLS_PEER), Step::Ready));
    let mut offered = Wire::new(TlsUse::IfOffered);
    assert!(matches!(offered.hear(TLS_PEER), Step::NeedInput));
    assert!(matches!(offered.hear("454 not now\r\n"), Step::Ready));
    let mut absent = Wire::new(TlsUse::IfOffered);
    assert!(matches!(absent.hear(PLAIN_PEER), Step::Ready));
    let mut required = Wire::new(TlsUse::Required);
    assert_eq!(required.failure(PLAIN_PEER), Failure::TlsUnavailable(None));
    let mut required = Wire::new(TlsUse::Required);
    assert!(matches!(required.hear(TLS_PEER), Step::NeedInput));
    assert!(matches!(required.failure("454 not now\r\n"), Failure::TlsUnavailable(Some(reply)) if reply.code == 454));
    let mut required = Wire::new(TlsUse::Required);
    assert!(matches!(required.failure("220 mx\r\n502 what?\r\n"), Failure::Refused { .. }));
}

#[test]
fn capabilities_are_read_in_any_case_and_no_others_believed() {
    let capabilities =
        Capabilities::parse("PIPELINING\nsize 100\n8bitmime\nSmtpUtf8\nENHANCEDSTATUSCODES\nX-STARTTLS\n\nAUTH=");
    let expected = Capabilities {
        size: true,
        size_octets_max: Some(100),
        eight_bit_mime: true,
        smtp_utf8: true,
        enhanced_status_codes: true,
        ..Capabilities::default()
    };
    assert_eq!(capabilities, expected);
    for (line, limit) in [("SIZE", None), ("SIZE 0", None), ("SIZE x", None), ("SIZE 7 8", Some(7))] {
        let capabilities = Capabilities::parse(&format!("mx\n{line}"));
        assert_eq!((capabilities.size, capabilities.size_octets_max), (true, limit), "{line}");
    }
}

#[test]
fn quit_is_written_when_nothing_is_under_way() {
    let mut wire = Wire::ready(PLAIN_PEER);
    wire.client.quit(&mut wire.out);
    assert_eq!(wire.said(), "QUIT\r\n");
    assert!(matches!(wire.hear(""), Step::NeedInput));
    assert!(matches!(wire.hear("221 bye\r\n"), Step::Closed));
    let mut wire = Wire::ready(PLAIN_PEER);
    wire.begin(&["ada@dest.example"]);
    wire.said();
    wire.client.quit(&mut wire.out);
    assert_eq!(wire.said(), "");
    assert!(matches!(wire.hear("250 ok\r\n"), Step::Closed));
}

#[test]
fn rfc5321_4_5_3_2_each_stage_has_its_timeout() {
    let minutes = |wire: &Wire| wire.client.timeout().as_secs() / 60;
    let mut wire = Wire::new(TlsUse::Never);
    assert_eq!(minutes(&wire), 5);
    wire.hear(PLAIN_PEER);
    let stages = [("", Stage::Mail, 5), ("250 ok\r\n", Stage::Recipient, 5), ("250 ok\r\n", Stage::Data, 2)];
    wire.begin(&["ada@dest.example"]);
    for (octets, stage, expected) in stages {
        wire.hear(octets);
        assert_eq!((wire.client.stage(), minutes(&wire)), (stage, expected));
    }
    wire.hear("354 go\r\n");
    assert_eq!((wire.client.stage(), minutes(&wire)), (Stage::Body, 3));
    wire.send_body(b"x\r\n");
    assert_eq!((wire.client.stage(), minutes(&wire)), (Stage::FinalDot, 10));
}
