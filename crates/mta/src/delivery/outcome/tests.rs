//! Tables: what each kind of reply means, and that only the recipient's own failures suppress.

use super::reply::*;
use mail::reply::EnhancedCode;
use model::{StreamKind, Timestamp};
use std::time::Duration;

fn answer<'a>(stage: Stage, code: u16, enhanced: &str, text: &'a str) -> Answer<'a> {
    Answer { stage, code, enhanced: EnhancedCode::parse(enhanced), text }
}

fn never(recipient: Blame) -> Judgement {
    Judgement::Never { recipient }
}

#[test]
fn rfc3463_only_the_recipients_own_permanent_failures_suppress() {
    let suppress = never(Blame::Recipient);
    let spare = never(Blame::Other);
    let repeated = never(Blame::Repeated);
    let table = [
        (550, "5.1.1", "mailbox unknown", suppress),
        (550, "5.1.3", "bad address syntax", suppress),
        (550, "5.1.6", "mailbox has moved", suppress),
        (556, "5.1.10", "null MX", suppress),
        (550, "5.2.1", "mailbox disabled", suppress),
        (551, "", "User unknown in virtual table", suppress),
        (550, "", "No such user here", suppress),
        (553, "", "mailbox does not exist", suppress),
        (550, "5.1.2", "domain unknown, says the relay", spare),
        (552, "5.2.2", "mailbox full", repeated),
        (550, "5.2.0", "mailbox trouble", spare),
        (554, "5.7.1", "user unknown, or so we say to spammers", spare),
        (550, "5.7.26", "unauthenticated", spare),
        (550, "5.7.515", "access denied", spare),
        (550, "5.3.0", "system", spare),
        (550, "5.4.1", "no answer", spare),
        (550, "5.4.6", "loop", spare),
        (550, "5.6.0", "content", spare),
        (550, "5.0.0", "no such user", spare),
        (550, "5.1.8", "sender domain does not exist", spare),
        (550, "", "sender address does not exist", spare),
        (550, "", "blocked: no such user", spare),
        (550, "", "administrative prohibition", spare),
        (554, "", "user unknown", spare),
        (501, "", "no such user", spare),
    ];
    for (code, enhanced, text, expected) in table {
        assert_eq!(judge(&answer(Stage::Recipient, code, enhanced, text)), expected, "{code} {enhanced} {text}");
        for stage in [Stage::Mail, Stage::Content] {
            assert_eq!(judge(&answer(stage, code, enhanced, text)), spare, "{stage:?} {code} {enhanced} {text}");
        }
    }
}

#[test]
fn rfc5321_4_2_first_digit_decides() {
    for stage in [Stage::Mail, Stage::Recipient, Stage::Content] {
        assert_eq!(judge(&answer(stage, 250, "2.0.0", "user unknown")), Judgement::Delivered);
        assert_eq!(judge(&answer(stage, 452, "4.2.2", "full")), Judgement::Later);
        assert_eq!(judge(&answer(stage, 421, "4.7.0", "too fast")), Judgement::Later);
        assert_eq!(judge(&answer(stage, 354, "", "out of place")), Judgement::Later);
    }
}

#[test]
fn a10_greylisting_is_told_from_throttling() {
    let greylisted = [(450, "4.7.1", ""), (451, "4.7.1", "try later"), (450, "4.2.0", ""), (451, "", "Greylisted")];
    for (code, enhanced, text) in greylisted {
        let answer = answer(Stage::Recipient, code, enhanced, text);
        assert_eq!(judge(&answer), Judgement::Greylisted, "{code} {enhanced} {text}");
        assert_eq!(press(&answer), Press::Same);
    }
    for (code, enhanced, expected) in [
        (421, "4.7.0", "away"),
        (421, "", "away"),
        (421, "4.7.28", "away"),
        (451, "4.7.650", "away"),
        (451, "4.7.652", "less"),
        (450, "4.7.28", "less"),
        (452, "4.7.1", "less"),
        (450, "4.2.1", "same"),
        (550, "5.7.1", "same"),
    ] {
        let answer = answer(Stage::Recipient, code, enhanced, "");
        assert_ne!(judge(&answer), Judgement::Greylisted);
        assert_eq!(pressed(&answer), expected, "{code} {enhanced}");
    }
}

fn pressed(answer: &Answer<'_>) -> &'static str {
    match press(answer) {
        Press::Same => "same",
        Press::Less(_) => "less",
        Press::Away(_) => "away",
    }
}

#[test]
fn words_of_throttling_slow_a_site_down_and_those_about_one_mailbox_or_for_good_do_not() {
    for (code, enhanced, text, expected) in [
        (452, "4.3.2", "Connection rate limit exceeded.", "less"),
        (451, "", "Too many connections, slow down. OFR004_104", "less"),
        (421, "", "ME Too many connections, slow down. OFR004_104", "away"),
        (450, "4.2.1", "the user is receiving mail too fast", "same"),
        (451, "4.7.1", "greylisted, slow down", "same"),
        (452, "4.2.2", "mailbox full", "same"),
        (550, "", "rate limit exceeded", "same"),
        (250, "2.0.0", "too many connections", "same"),
    ] {
        assert_eq!(pressed(&answer(Stage::Recipient, code, enhanced, text)), expected, "{code} {enhanced} {text}");
    }
}

#[test]
fn a10_retries_follow_the_plan_within_twenty_percent_and_never_outlive_the_message() {
    let now = Timestamp::from_seconds(1_800_000_000);
    let plan = StreamKind::Transactional.retry_plan();
    let far = now.plus(Duration::from_secs(1_000_000));
    for seed in 0..200 {
        for (attempts, mean) in [(1, 60), (2, 300), (3, 900), (4, 1_800), (7, 14_400), (50, 14_400)] {
            let wait = retry_due(now, plan, attempts, Judgement::Later, seed, far).since(now).as_secs_f64();
            assert!((f64::from(mean) * 0.8..=f64::from(mean) * 1.2).contains(&wait), "{attempts}: {wait}");
        }
        let wait = retry_due(now, plan, 1, Judgement::Greylisted, seed, far).since(now).as_secs_f64();
        assert!((300.0..=360.0).contains(&wait), "{wait}");
        let soon = now.plus(Duration::from_secs(10));
        assert_eq!(retry_due(now, plan, 3, Judgement::Later, seed, soon), soon);
        assert_eq!(retry_due(now, plan, 3, Judgement::Later, seed, Timestamp::default()), now);
    }
}
