//! The rules that a stream's terms make: frequency, quiet hours, transport security. Each fires, does not fire, and
//! says nothing of mail that it is not about.

use super::*;

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

fn ago(days: i64) -> Timestamp {
    Timestamp::from_seconds(NOW.seconds() - days * 86_400)
}

fn with(kind: StreamKind, change: impl FnOnce(&mut StreamFacts)) -> SenderFacts {
    let mut sender = sender(kind);
    sender.stream.as_mut().map(change).unwrap();
    sender
}

fn capped(messages: u32, days: u32) -> SenderFacts {
    with(StreamKind::Marketing, |stream| stream.frequency = Some(Frequency { messages, days }))
}

fn had(times: &[(i64, i64)]) -> RecipientFacts {
    let mailed = times.iter().map(|(purpose, days)| Mailed { purpose: PurposeId(*purpose), at: ago(*days) }).collect();
    RecipientFacts { mailed, ..consented() }
}

#[test]
fn art28_3_a_more_marketing_than_the_terms_promise_is_refused() {
    let capped = capped(2, 7);
    for (times, rule) in [
        (&[][..], None),
        (&[(9, 1)][..], None),
        (&[(9, 6), (9, 1)][..], Some(Rule::FrequencyCap)),
        // The window slides: what is as old as it does not count any more.
        (&[(9, 7), (9, 1)][..], None),
        // Another purpose is another promise.
        (&[(8, 2), (9, 1)][..], None),
    ] {
        let recipient = had(times);
        assert_eq!(rule_of(&decide(&facts(&capped, &recipient))), rule, "{times:?}");
        assert_eq!(rule_of(&check(&facts(&capped, &recipient))), rule, "{times:?}");
        // It was counted when it was taken in.
        assert_eq!(rule_of(&clear(&facts(&capped, &recipient))), None, "{times:?}");
    }
    let receipt = with(StreamKind::Transactional, |stream| stream.frequency = Some(Frequency { messages: 1, days: 7 }));
    assert_eq!(rule_of(&decide(&facts(&receipt, &had(&[(9, 1)])))), None);
}

#[test]
fn art21_2_who_chose_fewer_gets_fewer_of_all_marketing() {
    let free = sender(StreamKind::Marketing);
    let weekly = |times| RecipientFacts { pace: Some(Frequency { messages: 1, days: 7 }), ..had(times) };
    assert_eq!(rule_of(&decide(&facts(&free, &weekly(&[])))), None);
    assert_eq!(rule_of(&decide(&facts(&free, &weekly(&[(8, 3)])))), Some(Rule::FrequencyCap), "of any purpose");
    assert_eq!(rule_of(&decide(&facts(&free, &weekly(&[(9, 7)])))), None);
    assert_eq!(rule_of(&decide(&facts(&free, &had(&[(9, 3)])))), None, "who did not choose");
    let receipt = sender(StreamKind::Transactional);
    assert_eq!(rule_of(&decide(&facts(&receipt, &weekly(&[(9, 1)])))), None);
}

#[test]
fn a_permit_counts_where_something_depends_on_it() {
    let counts = |sender: &SenderFacts, recipient: &RecipientFacts| match decide(&facts(sender, recipient)) {
        Verdict::Pass(permit) => permit.counts_for(),
        Verdict::Hold(_) | Verdict::Refuse(_) => panic!("passes"),
    };
    let chose = RecipientFacts { pace: Some(Frequency { messages: 1, days: 30 }), ..consented() };
    assert_eq!(counts(&capped(3, 7), &consented()), Some(PurposeId(9)), "the purpose, not the list below it");
    assert_eq!(counts(&sender(StreamKind::Marketing), &chose), Some(PurposeId(9)));
    assert_eq!(counts(&sender(StreamKind::Marketing), &consented()), None);
    assert_eq!(counts(&sender(StreamKind::Transactional), &chose), None);
}

#[test]
fn art28_3_a_marketing_rests_in_quiet_hours_and_says_until_when() {
    let (until, recipient) = (NOW.plus(DAY / 4), consented());
    let quiet = |kind, from, until| with(kind, |stream| stream.quiet = Some(QuietFacts { from, until }));
    let resting = quiet(StreamKind::Marketing, NOW, until);
    let Verdict::Hold(refusal) = clear(&facts(&resting, &recipient)) else { panic!("held") };
    assert_eq!((refusal.rule(), refusal.again()), (Rule::QuietHours, Some(until)));
    let Verdict::Pass(permit) = decide(&facts(&resting, &recipient)) else { panic!("taken in") };
    assert_eq!(permit.held().and_then(Refusal::again), Some(until));
    for (kind, from, until) in [
        (StreamKind::Marketing, ago(1), NOW),
        (StreamKind::Marketing, NOW.plus(DAY), NOW.plus(2 * DAY)),
        (StreamKind::Transactional, NOW, until),
    ] {
        let sender = quiet(kind, from, until);
        assert_eq!(rule_of(&clear(&facts(&sender, &recipient))), None, "{kind:?} {from:?}");
        assert!(matches!(decide(&facts(&sender, &recipient)), Verdict::Pass(permit) if permit.held().is_none()));
    }
    // A human's decision is the better reason to hold it, and a refusal beside it refuses.
    let mut infringing = resting.clone();
    infringing.instruction.as_mut().unwrap().state = InstructionState::Held;
    assert_eq!(rule_of(&clear(&facts(&infringing, &recipient))), Some(Rule::InstructionInfringing));
    let nobody = RecipientFacts::default();
    assert!(matches!(clear(&facts(&resting, &nobody)), Verdict::Refuse(refusal) if refusal.rule() == Rule::NoBasis));
}

#[test]
fn art32_1_a_nothing_leaves_in_clear_where_the_terms_ask_for_encryption() {
    let recipient = consented();
    for kind in [StreamKind::Transactional, StreamKind::Marketing] {
        let floor = |floor| with(kind, |stream| stream.tls_floor = floor);
        for (floor, connection, rule) in [
            (floor(TlsFloor::Encrypted), Connection::Clear, Some(Rule::TlsFloor)),
            (floor(TlsFloor::Encrypted), Connection::NotYet, Some(Rule::TlsFloor)),
            (floor(TlsFloor::Encrypted), Connection::Encrypted, None),
            (floor(TlsFloor::Encrypted), Connection::Verified, None),
            (floor(TlsFloor::Verified), Connection::Clear, Some(Rule::TlsFloor)),
            (floor(TlsFloor::Verified), Connection::NotYet, Some(Rule::TlsFloor)),
            (floor(TlsFloor::Verified), Connection::Encrypted, Some(Rule::TlsFloor)),
            (floor(TlsFloor::Verified), Connection::Verified, None),
            (floor(TlsFloor::Opportunistic), Connection::Clear, None),
        ] {
            let mut facts = facts(&floor, &recipient);
            facts.message.connection = connection;
            assert_eq!(rule_of(&clear(&facts)), rule, "{connection:?}");
            assert!(matches!(decide(&facts), Verdict::Pass(permit) if permit.held().is_none()), "it may wait for one");
        }
    }
}
