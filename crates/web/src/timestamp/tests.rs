//! Moments against known dates.

use super::*;

#[test]
fn rfc3339_5_6_known_moments() {
    let cases = [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (951_868_800_000_001, "2000-03-01T00:00:00.000001Z"),
        (1_767_225_599_999_999, "2025-12-31T23:59:59.999999Z"),
        (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
    ];
    for (micros, text) in cases {
        assert_eq!(rfc3339(Timestamp::from_micros(micros)), text);
    }
}

#[test]
fn people_get_no_microseconds() {
    assert_eq!(for_people(Timestamp::from_micros(951_868_800_000_001)), "2000-03-01 00:00:00 UTC");
}
