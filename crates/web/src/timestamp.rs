//! Moments as text: RFC 3339 in UTC with microseconds, the one form in which the API tells time.

use model::Timestamp;

#[cfg(test)]
mod tests;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// `2026-03-01T12:00:00.000000Z`. Years beyond 9999 do not occur in what we store.
#[must_use]
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let (year, month, day) = civil(at.utc_day());
    let in_day = at.micros().rem_euclid(MICROS_PER_DAY);
    let (seconds, micros) = (in_day / 1_000_000, in_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// `2026-03-01 12:00:00 UTC`, for people.
#[must_use]
pub(crate) fn for_people(at: Timestamp) -> String {
    let text = rfc3339(at);
    let (date, rest) = text.split_once('T').unwrap_or((&text, ""));
    let time = rest.split('.').next().unwrap_or_default();
    format!("{date} {time} UTC")
}

/// Year, month and day of a number of days since 1970-01-01 in the proleptic Gregorian calendar, counted from
/// 1 March of year 0, so that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let since_march_0 = days + 719_468;
    let era = since_march_0.div_euclid(146_097);
    let day_of_era = since_march_0.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
