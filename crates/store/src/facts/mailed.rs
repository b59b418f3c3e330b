//! The marketing that was accepted for a person, as one row keeps it: purposes and moments, oldest first.
//!
//! Invariants: only what some bound of today still counts is kept (GDPR Art. 5(1)(e)); a row is written over the
//! version that it was made from and over no other, so that the count at the commit is the count that was decided on.
//! Counting begins with the bound: what a person got before there was one is not in it.
//! Never: more than [`KEPT_MAX`] entries; terms that would need more are refused (`accounts/keepable.rs`).

use crate::engine::MailedRow;
use crate::error::{Error, Result};
use gate::facts::Mailed;
use model::stream::Frequency;
use model::{ControllerId, PurposeId, RecipientTag, Timestamp};
use std::time::Duration;

/// Entries of one row; the oldest go first.
const KEPT_MAX: usize = 1_024;
/// Octets of an entry.
const ENTRY: usize = 16;
/// What a bound of the person's own choice counts at most.
const PACE_DAYS_MAX: u32 = 30;
const DAY: Duration = Duration::from_secs(86_400);

/// What a person chose on his page: nothing, or one message in so many days.
pub(super) fn pace(word: &str) -> Option<Frequency> {
    match word {
        "weekly" => Some(Frequency { messages: 1, days: 7 }),
        "monthly" => Some(Frequency { messages: 1, days: PACE_DAYS_MAX }),
        _ => None,
    }
}

pub(super) fn read(times: &[u8]) -> Result<Vec<Mailed>> {
    let fault = || Error::Row { column: "mailed.times" };
    let number = |octets: &[u8]| octets.try_into().map(i64::from_be_bytes).map_err(|_| fault());
    if !times.len().is_multiple_of(ENTRY) {
        return Err(fault());
    }
    let entry = |entry: &[u8]| {
        let (purpose, at) = entry.split_at(ENTRY / 2);
        Ok(Mailed { purpose: PurposeId(number(purpose)?), at: Timestamp::from_micros(number(at)?) })
    };
    times.chunks_exact(ENTRY).map(entry).collect()
}

fn write(entries: &[Mailed]) -> Vec<u8> {
    entries.iter().flat_map(|one| [one.purpose.0.to_be_bytes(), one.at.micros().to_be_bytes()]).flatten().collect()
}

/// What counts for one person by one acceptance.
pub(crate) struct Counting {
    controller: ControllerId,
    tag: RecipientTag,
    version: i64,
    entries: Vec<Mailed>,
}

impl Counting {
    /// From what was decided on.
    pub(crate) fn of(controller: ControllerId, tag: RecipientTag, version: i64, entries: &[Mailed]) -> Self {
        Self { controller, tag, version, entries: entries.to_vec() }
    }

    /// Whose it is.
    pub(crate) const fn tag(&self) -> RecipientTag {
        self.tag
    }

    /// One message more.
    pub(crate) fn add(&mut self, purpose: PurposeId, at: Timestamp) {
        self.entries.push(Mailed { purpose, at });
    }

    /// The row, without what no bound counts any more. `days`: the longest of the controller's bounds.
    pub(crate) fn row(mut self, days: u32, now: Timestamp) -> MailedRow {
        let window = DAY.saturating_mul(days.max(PACE_DAYS_MAX));
        self.entries.retain(|one| now < one.at.plus(window));
        let surplus = self.entries.len().saturating_sub(KEPT_MAX);
        self.entries.drain(..surplus);
        let newest = self.entries.iter().map(|one| one.at).max().unwrap_or(now);
        MailedRow {
            controller: self.controller.0,
            tag: self.tag.0,
            version: self.version.saturating_add(1),
            times: write(&self.entries),
            ends: newest.plus(window),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn what_is_counted_is_read_back_and_what_no_bound_counts_goes() {
        let old = Mailed { purpose: PurposeId(7), at: Timestamp::from_seconds(1_800_000_000 - 31 * 86_400) };
        let new = Mailed { purpose: PurposeId(8), at: Timestamp::from_seconds(1_800_000_000 - 29 * 86_400) };
        let counted = |days| {
            let mut counting = Counting::of(ControllerId(2), RecipientTag([1; 16]), 4, &[old, new]);
            counting.add(PurposeId(-9), NOW);
            counting.row(days, NOW)
        };
        let just = Mailed { purpose: PurposeId(-9), at: NOW };
        assert_eq!(read(&counted(7).times).unwrap(), [new, just]);
        assert_eq!(read(&counted(60).times).unwrap(), [old, new, just]);
        assert_eq!((counted(60).version, counted(60).ends), (5, NOW.plus(60 * DAY)));
        assert!(read(&[0; 15]).is_err());
    }

    #[test]
    fn a_row_has_a_bound() {
        let mut counting = Counting::of(ControllerId(2), RecipientTag([1; 16]), 0, &[]);
        for second in 0..3_000 {
            counting.add(PurposeId(1), Timestamp::from_seconds(1_800_000_000 + second));
        }
        let kept = read(&counting.row(7, NOW).times).unwrap();
        assert_eq!(kept.len(), KEPT_MAX);
        assert_eq!(kept.last().map(|one| one.at.seconds()), Some(1_800_002_999));
    }
}
