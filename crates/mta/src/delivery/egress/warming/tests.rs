//! The schedule, what a day means for the next, and an allowance.

use super::*;

const DAY: Seen = Seen { delivered: 1_000, deferred: 0, bounced: 0 };

#[test]
fn w1_a_cap_is_base_times_1_4_to_the_step_times_the_weight() {
    let caps: Vec<u32> = (0..5).map(|step| cap(50, step, "google")).collect();
    assert_eq!(caps, [50, 70, 98, 137, 192]);
    assert_eq!((cap(50, 0, "yahoo"), cap(50, 2, "yahoo"), cap(1, 0, "yahoo")), (25, 49, 1));
    assert!(cap(50, 60, OTHERS) > 10_000_000 && cap(u32::MAX, 60, OTHERS) == u32::MAX);
    assert_eq!((group_of("google"), group_of("mx.dest.example")), ("google", OTHERS));
}

#[test]
fn w1_it_grows_after_a_good_day_stays_after_a_poor_one_and_steps_back_after_a_bad_one() {
    for (seen, idle, expected, why) in [
        (DAY, 1, 6, "a good day"),
        (Seen { delivered: 499, ..DAY }, 1, 5, "less than half of the cap went"),
        (Seen { deferred: 99, ..DAY }, 1, 6, "less than ten percent were put off"),
        (Seen { deferred: 120, ..DAY }, 1, 5, "more than ten percent were put off"),
        (Seen { deferred: 300, ..DAY }, 1, 4, "more than twenty"),
        (Seen { bounced: 21, ..DAY }, 1, 5, "more than two percent were refused for good"),
        (Seen { bounced: 50, ..DAY }, 1, 4, "more than four"),
        (DAY, 29, 6, "not used for four weeks"),
        (DAY, 30, 0, "not used for thirty days"),
        (Seen::default(), 2, 5, "a day without use"),
    ] {
        assert_eq!(step_after(5, 1_000, seen, idle), expected, "{why}");
    }
    assert_eq!(step_after(0, 10, Seen { delivered: 0, deferred: 10, bounced: 0 }, 1), 0, "never below the first");
}

#[test]
fn an_allowance_gives_what_it_has_and_says_when_the_day_ends() {
    let (allowance, now) = (Allowance::default(), Timestamp::from_seconds(86_400 * 20_000 + 7));
    let today = day_of(now);
    assert!(!allowance.was_wanted());
    assert_eq!((allowance.room(), allowance.was_wanted(), allowance.was_wanted()), (0, true, false));
    allowance.give_back(3);
    allowance.take(2);
    allowance.stands(50, 50, today);
    assert_eq!((allowance.room(), allowance.opens()), (1, None), "there is something left");
    allowance.take(1);
    assert_eq!(allowance.opens(), Some(Timestamp::from_seconds(86_400 * 20_001)));
    allowance.stands(50, 40, today);
    assert_eq!((allowance.opens(), allowance.figures()), (None, (50, 40)));
    allowance.count(Reply::Delivered);
    allowance.count(Reply::Greylisted);
    allowance.count(Reply::Bounced);
    assert_eq!(allowance.counted(), Seen { delivered: 1, deferred: 0, bounced: 1 });
    assert_eq!(allowance.counted(), Seen::default());
}

#[test]
fn an_allowance_that_nobody_asks_for_is_idle_after_a_minute_and_knows_its_day() {
    let allowance = Allowance::default();
    allowance.stands(50, 50, 20_000);
    allowance.give_back(5);
    for _ in 0..29 {
        assert!(!allowance.was_wanted() && !allowance.is_idle());
    }
    assert!(!allowance.was_wanted() && allowance.is_idle());
    assert_eq!((allowance.day(), allowance.room()), (20_000, 5));
    assert!(allowance.was_wanted() && !allowance.is_idle(), "twin: it was asked");
    allowance.take(9);
    assert_eq!((allowance.left(), allowance.void()), (0, 0), "never less than nothing");
    assert!(is_group("google") && is_group("others") && !is_group("mx.dest.example"));
}
