//! Dates: what is read, and what is not guessed.

use super::super::{DateOrder, Dates, Reason};
use super::*;

fn dates(order: DateOrder) -> Dates {
    Dates { order, ..Dates::at(NOW) }
}

/// Seconds since 1970, or why not.
fn read(text: &str) -> Result<i64, Reason> {
    dates(DateOrder::Unstated).read(text).map(Timestamp::seconds)
}

const MARCH_4: i64 = 1_614_816_000;
const MARCH_4_050607: i64 = MARCH_4 + 5 * 3600 + 6 * 60 + 7;

#[test]
fn rfc3339_5_6_moments_are_read_with_their_offset() {
    assert_eq!(read("2021-03-04T05:06:07Z"), Ok(MARCH_4_050607));
    assert_eq!(read("2021-03-04t05:06:07z"), Ok(MARCH_4_050607));
    assert_eq!(read("2021-03-04T06:06:07.5+01:00"), Ok(MARCH_4_050607));
    assert_eq!(read("2021-03-03T23:36:07-05:30"), Ok(MARCH_4_050607));
    assert_eq!(read("2021-03-04 06:06:07 +0100"), Ok(MARCH_4_050607));
    let micros = dates(DateOrder::Unstated).read("2021-03-04T05:06:07.1234569Z").unwrap().micros();
    assert_eq!(micros, MARCH_4_050607 * 1_000_000 + 123_456);
    assert_eq!(read("2016-12-31T23:59:60Z"), Ok(1_483_228_799));
}

#[test]
fn dates_of_exports_are_read_where_they_have_one_meaning() {
    for text in
        ["2021-03-04", "2021/03/04", "2021/3/4", "4.3.2021", "04.03.2021", "2021-03-04 00:00:00", "4.3.2021, 0:00"]
    {
        assert_eq!(read(text), Ok(MARCH_4), "{text}");
    }
    for text in ["2021-03-04 05:06:07", "04.03.2021 05:06:07", "2021-03-04 5:06:07 AM", "2021-03-04 05:06:07 UTC"] {
        assert_eq!(read(text), Ok(MARCH_4_050607), "{text}");
    }
    assert_eq!(read("3/14/2021 12:30 AM"), Ok(MARCH_4 + 10 * 86_400 + 1_800));
    assert_eq!(read("14/3/2021 12:30 pm"), Ok(MARCH_4 + 10 * 86_400 + 45_000));
    assert_eq!(read("03/03/2021"), Ok(MARCH_4 - 86_400));
}

#[test]
fn a_day_and_a_month_that_could_be_either_are_not_guessed() {
    for text in ["03/04/2021", "3-4-2021", "12/11/2021 10:00"] {
        assert_eq!(read(text), Err(Reason::DateAmbiguous), "{text}");
    }
    assert_eq!(dates(DateOrder::MonthFirst).read("03/04/2021").map(Timestamp::seconds), Ok(MARCH_4));
    assert_eq!(dates(DateOrder::DayFirst).read("04/03/2021").map(Timestamp::seconds), Ok(MARCH_4));
    // The order that was stated is kept even where the numbers would allow only the other.
    assert_eq!(dates(DateOrder::DayFirst).read("03/14/2021"), Err(Reason::DateInvalid));
    assert_eq!(dates(DateOrder::MonthFirst).read("4.3.2021").map(Timestamp::seconds), Ok(MARCH_4));
}

#[test]
fn what_is_no_date_is_invalid() {
    for text in [
        "",
        "x",
        "2021",
        "2021-03",
        "2021-13-01",
        "2021-02-29",
        "31.04.2021",
        "1.2.21",
        "21-03-04",
        "0000-00-00",
        "0000-00-00 00:00:00",
        "1900-01-01",
        "1970-01-01",
        "2021-03/04",
        "2021-03-04T",
        "2021-03-04T25:00:00Z",
        "2021-03-04 05:60",
        "2021-03-04 05:06:61",
        "2021-03-04T05:06:07+24:00",
        "2021-03-04T05:06:07Zx",
        "2021-03-04 05:06 ",
        "2021-03-04 13:00 PM",
        "2021-03-04 0:10 AM",
        "2021-03-04x",
        "20210304",
        "44259",
        "1614816000",
        "99999-01-01",
        "2021-03-04T05:06:07.",
        "4. März 2021",
        "٤.٣.٢٠٢١",
        "2021-03-04T05:06:07+0",
    ] {
        assert_eq!(read(text), Err(Reason::DateInvalid), "{text}");
    }
}

#[test]
fn art7_1_consent_is_not_given_in_the_future() {
    assert_eq!(read("2026-01-01T00:00:00Z"), Ok(NOW.seconds()));
    assert_eq!(read("2026-01-01T00:00:00.000001Z"), Err(Reason::DateFuture));
    assert_eq!(read("2026-01-01T00:30:00+01:00"), Ok(NOW.seconds() - 1_800));
    assert_eq!(read("2026-01-02"), Err(Reason::DateFuture));
    assert_eq!(read("2999-12-31"), Err(Reason::DateFuture));
}

#[test]
fn a_stated_offset_is_for_dates_that_have_none_of_their_own() {
    let dates = Dates { east_minutes: 60, ..Dates::at(NOW) };
    assert_eq!(dates.read("2021-03-04").map(Timestamp::seconds), Ok(MARCH_4 - 3_600));
    assert_eq!(dates.read("2021-03-04T00:00:00Z").map(Timestamp::seconds), Ok(MARCH_4));
    assert_eq!(dates.read("2026-01-01 01:00").map(Timestamp::seconds), Ok(NOW.seconds()));
}
