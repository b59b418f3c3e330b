//! How answers are told. The whole door over a real store is in `crates/smtpd/tests/submission.rs`.

use model::MessageId;
use model::message::Queued;
use mta::submission::Declined;

use super::*;

fn queued(number: i64) -> Answer {
    Answer::Queued(Queued { id: MessageId(number), public_id: format!("msg_{number}") })
}

fn text(verdict: Verdict) -> (bool, String) {
    let (accepted, reply) = match verdict {
        Verdict::Accept(reply) => (true, reply),
        Verdict::Refuse(reply) | Verdict::Close(reply) => (false, reply),
    };
    let mut out = bytes::BytesMut::new();
    reply.write(true, &mut out);
    (accepted, String::from_utf8(out.to_vec()).unwrap())
}

#[test]
fn all_queued_is_250_with_the_first_id() {
    assert_eq!(text(told(&[queued(1)])), (true, "250 2.0.0 queued as msg_1\r\n".to_owned()));
    let (_, three) = text(told(&[queued(1), queued(2), queued(3)]));
    assert_eq!(three, "250 2.0.0 queued as msg_1 and 2 more\r\n");
}

#[test]
fn rfc5321_6_1_one_refused_is_no_250_and_carries_its_rule() {
    let id = "dec_abcdefghijklmnopqrstuvwxyz".to_owned();
    let refused = Answer::Refused(Declined::under(gate::quota_used_up(), id));
    for answers in [[refused.clone(), queued(7)], [queued(7), refused.clone()], [refused.clone(), refused]] {
        let (accepted, none) = text(told(&answers));
        assert!(!accepted && none.starts_with("452 4.7.1 quota "), "{none}");
        assert!(none.ends_with(" [dec_abcdefghijklmnopqrstuvwxyz]\r\n"), "{none}");
    }
}

#[test]
fn rfc5321_4_2_3_a_full_disk_is_452_and_other_failures_are_451() {
    let full = text(Verdict::Refuse(failed(&mta::Error::Store(store::Error::Full)))).1;
    assert!(full.starts_with("452 4.3.1 insufficient system storage"), "{full}");
    let closed = text(Verdict::Refuse(failed(&mta::Error::Store(store::Error::Closed)))).1;
    assert!(closed.starts_with("451 4.3.0 "), "{closed}");
}

#[test]
fn what_is_held_is_taken_in() {
    let held = Queued { id: MessageId(9), public_id: "msg_9".to_owned() };
    assert!(text(told(&[Answer::Held(held, gate::facts_unavailable())])).0);
}

#[test]
fn no_answer_at_all_is_a_failure_of_ours() {
    assert!(text(told(&[])).1.starts_with("451 4.3.0 "));
}
