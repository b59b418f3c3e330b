//! Dates as each language writes them.

use super::*;

const FIRST_OF_MARCH: Timestamp = Timestamp::from_seconds(1_772_366_700);

#[test]
fn a_day_is_written_as_the_language_does() {
    let days = Language::ALL.map(|language| day(language, FIRST_OF_MARCH));
    assert_eq!(days, ["1 March 2026", "1. März 2026", "1er mars 2026", "1 de marzo de 2026", "1 maart 2026"]);
    let second = FIRST_OF_MARCH.plus(Duration::from_secs(SECONDS_PER_DAY));
    assert_eq!(day(Language::French, second), "2 mars 2026");
}

#[test]
fn a_moment_says_that_it_is_utc() {
    assert_eq!(moment(Language::English, FIRST_OF_MARCH), "1 March 2026, 12:05 UTC");
    assert_eq!(moment(Language::German, FIRST_OF_MARCH), "1. März 2026, 12:05 Uhr UTC");
}

#[test]
fn every_month_has_its_name() {
    let names: Vec<String> = (0..12)
        .map(|month| day(Language::Dutch, Timestamp::from_seconds(1_768_435_200 + month * 30 * 86_400 + 86_400)))
        .collect();
    for name in ["januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober"] {
        assert!(names.iter().any(|text| text.contains(name)), "{name}: {names:?}");
    }
}

#[test]
fn a_span_is_rounded_up_and_knows_one_from_many() {
    let of = |seconds| span(Language::English, Duration::from_secs(seconds));
    let told = [0, 1, 60, 61, 3_600, 3_601, 7_201, 86_400, 86_401, 7 * 86_400].map(of);
    let expected = [
        "one minute",
        "one minute",
        "one minute",
        "2 minutes",
        "one hour",
        "61 minutes",
        "3 hours",
        "one day",
        "25 hours",
        "7 days",
    ];
    assert_eq!(told, expected);
    assert_eq!(span(Language::German, Duration::from_millis(60_001)), "2 Minuten");
}
