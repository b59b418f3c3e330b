//! Dates as exports write them, read without guessing.
//!
//! Read are: RFC 3339; year first (`2021-03-04`, `2021/03/04`) with or without a time; day first with dots
//! (`4.3.2021`); and day and month with `/` or `-` where the numbers or the caller say which is which.
//! Invariants: a moment is never after the `now` that was given, and never before 1970 (zero dates of spreadsheets and
//! databases are no evidence). Never: a two-digit year, a guess of the order, a clock.

use jiff::civil::DateTime;
use jiff::tz::Offset;
use model::Timestamp;

use super::Reason;

/// Which of two small numbers is the day, in dates such as `03/04/2021`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateOrder {
    /// Nobody said: such dates are read only where the numbers leave no doubt.
    #[default]
    Unstated,
    /// `03/04/2021` is the third of April.
    DayFirst,
    /// `03/04/2021` is the fourth of March.
    MonthFirst,
}

/// How dates are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    /// The present moment: consent cannot have been given after it.
    pub now: Timestamp,
    /// The order of day and month.
    pub order: DateOrder,
    /// Minutes east of UTC for dates that do not say their own offset. A date without time is its first moment.
    pub east_minutes: i16,
}

impl Dates {
    /// UTC, and no order stated.
    #[must_use]
    pub const fn at(now: Timestamp) -> Self {
        Self { now, order: DateOrder::Unstated, east_minutes: 0 }
    }

    /// Reads one date.
    ///
    /// # Errors
    /// [`Reason::DateInvalid`], [`Reason::DateAmbiguous`] or [`Reason::DateFuture`].
    pub fn read(&self, text: &str) -> Result<Timestamp, Reason> {
        let mut cursor = Cursor(text.as_bytes());
        let (year, month, day) = self.date(&mut cursor)?;
        let time = if cursor.0.is_empty() { Some(Time::default()) } else { time(&mut cursor) };
        let time = time.filter(|_| cursor.0.is_empty()).ok_or(Reason::DateInvalid)?;
        let civil = DateTime::new(year, month, day, time.hour, time.minute, time.second, time.nanos);
        let civil = civil.map_err(|_| Reason::DateInvalid)?;
        let utc = Offset::UTC.to_timestamp(civil).map_err(|_| Reason::DateInvalid)?.as_microsecond();
        let east = i64::from(time.east_minutes.unwrap_or(self.east_minutes));
        let micros = utc - east * 60_000_000;
        if micros <= 0 {
            return Err(Reason::DateInvalid);
        }
        if micros > self.now.micros() {
            return Err(Reason::DateFuture);
        }
        Ok(Timestamp::from_micros(micros))
    }

    fn date(&self, cursor: &mut Cursor<'_>) -> Result<(i16, i8, i8), Reason> {
        let mut parts = || -> Option<_> {
            let first = cursor.number(1, 4)?;
            let mark = cursor.one_of(b"-/.")?;
            let second = cursor.number(1, 2)?;
            cursor.one_of(&[mark])?;
            Some((first, mark, second, cursor.number(1, 4)?))
        };
        let (first, mark, second, third) = parts().ok_or(Reason::DateInvalid)?;
        if first.digits == 4 && third.digits <= 2 {
            return Ok((first.value, second.small(), third.small()));
        }
        if first.digits > 2 || third.digits != 4 {
            return Err(Reason::DateInvalid);
        }
        let day_first = match (mark, self.order) {
            // With dots the day comes first wherever dots are used.
            (b'.', _) | (_, DateOrder::DayFirst) => true,
            (_, DateOrder::MonthFirst) => false,
            _ if first.value == second.value || first.value > 12 => true,
            _ if second.value > 12 => false,
            _ => return Err(Reason::DateAmbiguous),
        };
        let (day, month) = if day_first { (first, second) } else { (second, first) };
        Ok((third.value, month.small(), day.small()))
    }
}

#[derive(Default)]
struct Time {
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
    east_minutes: Option<i16>,
}

/// `T05:06:07.89+01:00`, ` 5:06`, `, 5:06 PM`; all that is left must be time.
fn time(cursor: &mut Cursor<'_>) -> Option<Time> {
    let comma = cursor.one_of(b",").is_some();
    cursor.one_of(if comma { b" " } else { b"Tt " })?;
    let mut time = Time { hour: cursor.number(1, 2)?.small(), ..Time::default() };
    cursor.one_of(b":")?;
    time.minute = cursor.number(2, 2)?.small();
    if cursor.one_of(b":").is_some() {
        // RFC 3339 §5.6 has second 60 for leap seconds; the clock of the store has none.
        time.second = match cursor.number(2, 2)?.small() {
            60 => 59,
            second => second,
        };
        if cursor.one_of(b".,").is_some() {
            time.nanos = cursor.fraction()?;
        }
    }
    let space = cursor.one_of(b" ").is_some();
    if let Some(half) = cursor.one_of(b"aApP") {
        cursor.one_of(b"mM")?;
        time.hour = match (half.to_ascii_lowercase(), time.hour) {
            (b'a', 12) => 0,
            (b'a', hour @ 1..=11) | (_, hour @ 12) => hour,
            (_, hour @ 1..=11) => hour + 12,
            _ => return None,
        };
    } else if !cursor.0.is_empty() {
        time.east_minutes = Some(offset(cursor)?);
    } else if space {
        return None;
    }
    Some(time)
}

fn offset(cursor: &mut Cursor<'_>) -> Option<i16> {
    if cursor.one_of(b"Zz").is_some() || cursor.word(b"UTC") {
        return Some(0);
    }
    let sign = cursor.one_of(b"+-")?;
    // `+0100` as well as `+01:00` and `+01`.
    let (hours, minutes) = match cursor.number(2, 4)? {
        Number { value, digits: 4 } => (value / 100, value % 100),
        Number { value, digits: 2 } if cursor.one_of(b":").is_some() => (value, cursor.number(2, 2)?.value),
        Number { value, digits: 2 } => (value, 0),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let east = hours * 60 + minutes;
    Some(if sign == b'-' { -east } else { east })
}

#[derive(Clone, Copy)]
struct Number {
    value: i16,
    digits: usize,
}

impl Number {
    /// Numbers that do not fit are not in any calendar either.
    fn small(self) -> i8 {
        i8::try_from(self.value).unwrap_or(i8::MAX)
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn number(&mut self, least: usize, most: usize) -> Option<Number> {
        let digits = self.0.iter().take_while(|octet| octet.is_ascii_digit()).count();
        if digits < least || digits > most {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        let value = number.iter().fold(0_i16, |value, digit| value * 10 + i16::from(digit - b'0'));
        Some(Number { value, digits })
    }

    /// Nanoseconds from the digits after the point; those beyond nine say nothing here.
    fn fraction(&mut self) -> Option<i32> {
        let digits = self.0.iter().take_while(|octet| octet.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        let padded = number.iter().copied().chain(std::iter::repeat(b'0')).take(9);
        (digits > 0).then(|| padded.fold(0, |value, digit| value * 10 + i32::from(digit - b'0')))
    }

    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        wanted.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    fn word(&mut self, word: &[u8]) -> bool {
        self.0.strip_prefix(word).is_some_and(|rest| {
            self.0 = rest;
            true
        })
    }
}
