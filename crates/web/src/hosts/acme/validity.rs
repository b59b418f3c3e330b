//! From when to when a certificate holds (RFC 5280 §4.1.2.5), read out of its DER.
//!
//! Invariant: bad octets give nothing; no length that they claim is believed.

use model::Timestamp;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Reads one element after the other.
struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    /// The next element: its tag and its content (X.690 §8.1, definite lengths alone).
    fn next(&mut self) -> Option<(u8, &'d [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first & 0x7f);
        if first & 0x80 != 0 {
            let (octets, behind) =
                rest.split_at_checked(length).filter(|(octets, _)| (1..=4).contains(&octets.len()))?;
            length = octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
            rest = behind;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn next_as(&mut self, wanted: u8) -> Option<&'d [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
    }
}

/// The two moments of a certificate, given as DER.
#[must_use]
pub fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let mut signed = Reader(Reader(certificate).next_as(SEQUENCE)?);
    let mut fields = Reader(signed.next_as(SEQUENCE)?);
    let (tag, _) = fields.next()?;
    if tag == VERSION {
        fields.next_as(INTEGER)?;
    }
    // Signature algorithm, issuer.
    fields.next_as(SEQUENCE)?;
    fields.next_as(SEQUENCE)?;
    let mut times = Reader(fields.next_as(SEQUENCE)?);
    Some((moment(times.next()?)?, moment(times.next()?)?))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`; nothing else is allowed (RFC 5280 §4.1.2.5.1, §4.1.2.5.2).
fn moment((tag, text): (u8, &[u8])) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => text.split_at_checked(2)?,
        GENERALIZED_TIME => text.split_at_checked(4)?,
        _ => return None,
    };
    let number = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
    let year = match (tag, number(year)?) {
        (UTC_TIME, year @ 50..) => 1900 + year,
        (UTC_TIME, year) => 2000 + year,
        (_, year) => year,
    };
    if rest.len() != 10 {
        return None;
    }
    let part = |at: usize| number(rest.get(at..at + 2)?);
    let (month, day) = (part(0).filter(|month| (1..=12).contains(month))?, part(2)?);
    let (hour, minute, second) = (part(4)?, part(6)?, part(8)?);
    let days = days_before(year, month) + day - 1;
    Some(Timestamp::from_seconds(days * 86_400 + hour * 3_600 + minute * 60 + second))
}

/// Days from 1970-01-01 to the first of a month, by the calendar of Gregory: years begin with March, so that the day
/// that is sometimes there is the last.
const fn days_before(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(tag: u8, text: &str) -> Option<i64> {
        moment((tag, text.as_bytes())).map(Timestamp::seconds)
    }

    #[test]
    fn rfc5280_4_1_2_5_both_forms_of_a_moment_are_read() {
        assert_eq!(at(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(at(UTC_TIME, "270115120000Z"), Some(1_800_014_400));
        assert_eq!(at(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(at(GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        assert_eq!(at(GENERALIZED_TIME, "20240229000000Z"), Some(1_709_164_800));
        assert_eq!(at(GENERALIZED_TIME, "20240301000000Z"), Some(1_709_251_200));
        for wrong in ["270115120000", "2701151200Z", "271315120000Z", "27011512000+Z", "", "Z"] {
            assert_eq!(at(UTC_TIME, wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn octets_of_any_kind_are_read_without_a_fault(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = validity(&octets);
        }
    }
}
