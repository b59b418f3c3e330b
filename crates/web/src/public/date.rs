//! Days, moments and spans of time in the words of a language. Always in UTC, and moments say so.

use std::time::Duration;

use model::Timestamp;

use super::Language;
use super::words::{self, fill};
use crate::timestamp::rfc3339;

#[cfg(test)]
mod tests;

const SECONDS_PER_MINUTE: u64 = 60;
const SECONDS_PER_HOUR: u64 = 3_600;
const SECONDS_PER_DAY: u64 = 86_400;

/// `1 March 2026`.
pub(super) fn day(language: Language, at: Timestamp) -> String {
    let text = rfc3339(at);
    let date = text.split('T').next().unwrap_or_default();
    let mut parts = date.rsplitn(3, '-');
    let (day, month) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let year = parts.next().unwrap_or_default();
    let day = match (language, day.trim_start_matches('0')) {
        (Language::French, "1") => "1er",
        (_, day) => day,
    };
    let pattern = &words::of(language).date.day;
    fill(pattern, &[("day", day), ("month", month_name(language, month)), ("year", year)])
}

/// `1 March 2026, 12:00 UTC`.
pub(super) fn moment(language: Language, at: Timestamp) -> String {
    let text = rfc3339(at);
    let time = text.split_once('T').and_then(|(_, time)| time.get(..5)).unwrap_or_default();
    fill(&words::of(language).date.moment, &[("date", &day(language, at)), ("time", time)])
}

/// `5 minutes`: minutes up to two hours, hours up to two days, then days; always rounded up, so that who waits so long
/// does not come too early.
pub(super) fn span(language: Language, time: Duration) -> String {
    let date = &words::of(language).date;
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let whole = |unit: u64| seconds > 0 && seconds.is_multiple_of(unit);
    let (unit, one, many) = if whole(SECONDS_PER_DAY) || seconds > 2 * SECONDS_PER_DAY {
        (SECONDS_PER_DAY, &date.one_day, &date.days)
    } else if whole(SECONDS_PER_HOUR) || seconds > 2 * SECONDS_PER_HOUR {
        (SECONDS_PER_HOUR, &date.one_hour, &date.hours)
    } else {
        (SECONDS_PER_MINUTE, &date.one_minute, &date.minutes)
    };
    match seconds.div_ceil(unit) {
        0 | 1 => one.clone(),
        count => fill(many, &[("count", &count.to_string())]),
    }
}

fn month_name(language: Language, month: &str) -> &'static str {
    let date = &words::of(language).date;
    match month {
        "01" => &date.january,
        "02" => &date.february,
        "03" => &date.march,
        "04" => &date.april,
        "05" => &date.may,
        "06" => &date.june,
        "07" => &date.july,
        "08" => &date.august,
        "09" => &date.september,
        "10" => &date.october,
        "11" => &date.november,
        _ => &date.december,
    }
}
