//! Quiet hours of a stream's terms, as moments.
//!
//! Invariants: the clock on the wall decides, also on the days on which it is moved: an hour that is left out begins
//! when the clock is beyond it, one that comes twice begins with the first. The time zones are those of this program
//! (the IANA database is bundled), so every node says the same.
//! Never: the machine's own zone.

use gate::facts::QuietFacts;
use jiff::Timestamp as Instant;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use model::Timestamp;
use model::stream::Quiet;
use std::sync::LazyLock;

/// Minutes of a day on which the clock is not moved.
pub(crate) const DAY_MINUTES: u16 = 24 * 60;

/// A time zone by its IANA name.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    ZONES.get(name).ok()
}

/// The quiet hours that run now, or else those that come next. Nothing when the zone is not known.
pub(crate) fn hours(quiet: &Quiet, now: Timestamp) -> Option<QuietFacts> {
    let zone = zone(&quiet.zone)?;
    let today = Instant::from_microsecond(now.micros()).ok()?.to_zoned(zone.clone()).date();
    // The night that began yesterday, today's, and tomorrow's.
    let mut day = today.yesterday().ok()?;
    for _ in 0..3 {
        let ends_on = if quiet.until <= quiet.from { day.tomorrow().ok()? } else { day };
        let (from, until) = (moment(day, quiet.from, &zone)?, moment(ends_on, quiet.until, &zone)?);
        if now < until {
            return Some(QuietFacts { from, until });
        }
        day = day.tomorrow().ok()?;
    }
    None
}

fn moment(day: Date, minute: u16, zone: &TimeZone) -> Option<Timestamp> {
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    let zoned = day.at(hour, minute, 0, 0).to_zoned(zone.clone()).ok()?;
    Some(Timestamp::from_micros(zoned.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<Instant>().unwrap().as_microsecond())
    }

    /// From and until of the hours that run or come next.
    fn hours_at(from: u16, until: u16, zone: &str, now: &str) -> (Timestamp, Timestamp) {
        let quiet = Quiet { from, until, zone: zone.to_owned() };
        let hours = hours(&quiet, at(now)).unwrap();
        (hours.from, hours.until)
    }

    #[test]
    fn a_night_is_one_whether_it_is_looked_at_before_or_after_midnight() {
        let night = |now| hours_at(22 * 60, 7 * 60, "Europe/Berlin", now);
        let first = (at("2027-01-14T21:00:00Z"), at("2027-01-15T06:00:00Z"));
        for now in ["2027-01-14T20:00:00Z", "2027-01-14T21:00:00Z", "2027-01-14T23:30:00Z", "2027-01-15T05:59:59Z"] {
            assert_eq!(night(now), first, "{now}");
        }
        assert_eq!(night("2027-01-15T06:00:00Z"), (at("2027-01-15T21:00:00Z"), at("2027-01-16T06:00:00Z")));
        let noon = hours_at(12 * 60, 14 * 60, "America/New_York", "2027-01-15T18:00:00Z");
        assert_eq!(noon, (at("2027-01-15T17:00:00Z"), at("2027-01-15T19:00:00Z")));
    }

    #[test]
    fn the_clock_on_the_wall_decides_on_the_days_on_which_it_is_moved() {
        // 28 March 2027: 02:00 becomes 03:00 in Berlin, so the night is an hour shorter.
        let night = hours_at(22 * 60, 7 * 60, "Europe/Berlin", "2027-03-28T00:30:00Z");
        assert_eq!(night, (at("2027-03-27T21:00:00Z"), at("2027-03-28T05:00:00Z")));
        // 31 October 2027: 03:00 becomes 02:00, and it is an hour longer.
        let night = hours_at(22 * 60, 7 * 60, "Europe/Berlin", "2027-10-31T00:30:00Z");
        assert_eq!(night, (at("2027-10-30T20:00:00Z"), at("2027-10-31T06:00:00Z")));
        // Half past two does not come on that day; the clock is beyond it at half past three.
        let left_out = hours_at(150, 300, "Europe/Berlin", "2027-03-28T00:00:00Z");
        assert_eq!(left_out, (at("2027-03-28T01:30:00Z"), at("2027-03-28T03:00:00Z")));
        // And it comes twice on this one: it is quiet from the first.
        let twice = hours_at(150, 300, "Europe/Berlin", "2027-10-31T00:00:00Z");
        assert_eq!(twice, (at("2027-10-31T00:30:00Z"), at("2027-10-31T04:00:00Z")));
    }

    #[test]
    fn a_zone_that_nobody_knows_is_none() {
        assert!(zone("Europe/Berlin").is_some() && zone("Mars/Olympus").is_none() && zone("").is_none());
        assert!(
            hours(&Quiet { from: 0, until: 60, zone: "Mars/Olympus".to_owned() }, at("2027-01-15T12:00:00Z")).is_none()
        );
    }
}
