//! SCRAM within a session: the order of its lines, what is offered when, and who is believed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::{AuthOffer, BareNewlines, Settings, TlsOffer};
use super::{Session, settings};

/// The client of RFC 7677 §3; the test's driver has the keys of `user`, and that nonce.
const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

fn offering() -> Settings {
    Settings { scram: true, ..settings(TlsOffer::Implicit, AuthOffer::RequiredOverTls, BareNewlines::Reject) }
}

fn begun(settings: Settings) -> Session {
    let mut session = Session::new(settings);
    session.feed(b"EHLO a\r\n");
    session
}

fn line(text: &str) -> Vec<u8> {
    format!("{}\r\n", STANDARD.encode(text)).into_bytes()
}

#[test]
fn rfc7677_3_a_proof_is_answered_by_ours_and_then_the_session_is_authenticated() {
    for initial in [true, false] {
        let mut session = begun(offering());
        if initial {
            session.feed(format!("AUTH SCRAM-SHA-256 {}\r\n", STANDARD.encode(FIRST)).as_bytes());
        } else {
            session.feed(b"AUTH SCRAM-SHA-256\r\n");
            session.feed(&line(FIRST));
        }
        session.feed(&line(LAST));
        assert!(!session.server.is_authenticated(), "the client has not taken our proof yet");
        session.feed(b"\r\n");
        assert!(session.server.is_authenticated());
        let story = session.finish();
        let ours = STANDARD.encode("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert!(story.replies.contains(&format!("334 {ours}\r\n235 2.7.0")), "{}", story.replies);
        assert_eq!(story.events, ["Scram user", "Proven user"]);
    }
}

#[test]
fn rfc4954_4_a_client_that_does_not_take_our_proof_is_not_authenticated() {
    for last in [b"*\r\n".as_slice(), b"eA==\r\n"] {
        let mut session = begun(offering());
        session.feed(b"AUTH SCRAM-SHA-256\r\n");
        session.feed(&line(FIRST));
        session.feed(&line(LAST));
        session.feed(last);
        assert!(!session.server.is_authenticated());
        session.feed(b"MAIL FROM:<>\r\n");
        assert_eq!(session.finish().codes().last(), Some(&530));
    }
}

#[test]
fn rfc5802_5_a_wrong_proof_is_refused_and_the_driver_told() {
    let mut session = begun(offering());
    session.feed(b"AUTH SCRAM-SHA-256\r\n");
    session.feed(&line(FIRST));
    session.feed(&line(&LAST.replace("dHzb", "dHzc")));
    assert!(!session.server.is_authenticated());
    let story = session.finish();
    assert_eq!((story.codes().last(), story.events.last().unwrap().as_str()), (Some(&535), "NotProven user"));
}

#[test]
fn scram_is_offered_within_tls_alone_and_plus_only_with_a_binding() {
    let offers = |session: Session| session.finish().replies;
    let clear = Settings { tls: TlsOffer::StartTls, ..offering() };
    assert!(!offers(begun(clear)).contains("SCRAM"));
    let plain = offers(begun(offering()));
    assert!(plain.contains("AUTH PLAIN LOGIN SCRAM-SHA-256\r\n"), "{plain}");
    let mut bound = Session::new(offering());
    bound.server.set_exporter([7; 32]);
    bound.feed(b"EHLO a\r\n");
    assert!(offers(bound).contains("AUTH PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS\r\n"));
    let mut session = begun(offering());
    session.feed(b"AUTH SCRAM-SHA-256-PLUS\r\n");
    assert_eq!(session.finish().codes().last(), Some(&504), "not offered on this connection");
    let mut session = begun(Settings { scram: false, ..offering() });
    session.feed(b"AUTH SCRAM-SHA-256\r\n");
    assert_eq!(session.finish().codes().last(), Some(&504));
}

#[test]
fn rfc5802_6_a_client_that_could_bind_and_saw_no_offer_is_refused_where_there_was_one() {
    let mut session = Session::new(offering());
    session.server.set_exporter([7; 32]);
    session.feed(b"EHLO a\r\nAUTH SCRAM-SHA-256\r\n");
    session.feed(&line(&FIRST.replace("n,,", "y,,")));
    let story = session.finish();
    assert_eq!((story.codes().last(), story.events.len()), (Some(&501), 0));
}
