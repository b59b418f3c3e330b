//! Messages in a minute and in an hour, counted so that no minute and no hour, wherever it begins, has more.
//!
//! Invariants: what was taken within any sixty slots is never more than the most; who may not go now is told when he
//! may; a clock that is set back gives nothing back. Pure.

use model::Timestamp;

/// Slots of a window, one more than a window has, since the first is only partly over.
const SLOTS: usize = 61;
/// Microseconds of a slot of a minute and of an hour.
const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;

/// The most that may be taken. Nothing: as much as anybody likes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Most {
    pub(crate) per_minute: Option<u32>,
    pub(crate) per_hour: Option<u32>,
}

/// What was taken lately.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    minute: Window,
    hour: Window,
}

impl Rate {
    pub(crate) fn new() -> Self {
        Self { minute: Window::new(SECOND_US), hour: Window::new(MINUTE_US) }
    }

    /// How many may be taken now.
    pub(crate) fn room(&mut self, most: Most, now: Timestamp) -> u32 {
        let of = |window: &mut Window, most: Option<u32>| most.map_or(u32::MAX, |most| window.room(most, now));
        of(&mut self.minute, most.per_minute).min(of(&mut self.hour, most.per_hour))
    }

    /// So many are taken.
    pub(crate) fn take(&mut self, count: u32, now: Timestamp) {
        self.minute.take(count, now);
        self.hour.take(count, now);
    }

    /// So many of those that were taken last did not go.
    pub(crate) fn give_back(&mut self, count: u32) {
        self.minute.give_back(count);
        self.hour.give_back(count);
    }

    /// When the next may be taken, where none may now.
    pub(crate) fn next_at(&mut self, most: Most, now: Timestamp) -> Option<Timestamp> {
        let of = |window: &mut Window, most: Option<u32>| most.and_then(|most| window.next_at(most, now));
        // Both have to have room.
        of(&mut self.minute, most.per_minute).max(of(&mut self.hour, most.per_hour))
    }

    /// Taken within the last minute and hour.
    pub(crate) fn taken(&mut self, now: Timestamp) -> (u32, u32) {
        (self.minute.sum(now), self.hour.sum(now))
    }
}

#[derive(Clone, Debug)]
struct Window {
    slot_us: i64,
    slots: [u32; SLOTS],
    /// The newest slot, counted from the epoch.
    head: i64,
}

impl Window {
    const fn new(slot_us: i64) -> Self {
        Self { slot_us, slots: [0; SLOTS], head: 0 }
    }

    /// Moves the head to `now`; slots between are empty.
    fn follow(&mut self, now: Timestamp) {
        let head = now.micros().div_euclid(self.slot_us).max(self.head);
        let passed = usize::try_from(head - self.head).unwrap_or(SLOTS).min(SLOTS);
        for step in 1..=passed {
            let at = self.place(self.head + i64::try_from(step).unwrap_or_default());
            if passed == SLOTS {
                self.slots = [0; SLOTS];
                break;
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = 0;
            }
        }
        self.head = head;
    }

    fn place(&self, slot: i64) -> usize {
        usize::try_from(slot.rem_euclid(i64::try_from(SLOTS).unwrap_or(1))).unwrap_or_default()
    }

    fn sum(&mut self, now: Timestamp) -> u32 {
        self.follow(now);
        self.slots.iter().fold(0, |sum, slot| sum.saturating_add(*slot))
    }

    fn room(&mut self, most: u32, now: Timestamp) -> u32 {
        most.saturating_sub(self.sum(now))
    }

    fn take(&mut self, count: u32, now: Timestamp) {
        self.follow(now);
        let at = self.place(self.head);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = slot.saturating_add(count);
        }
    }

    fn give_back(&mut self, count: u32) {
        let at = self.place(self.head);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = slot.saturating_sub(count);
        }
    }

    fn next_at(&mut self, most: u32, now: Timestamp) -> Option<Timestamp> {
        let mut left = self.sum(now);
        if left < most {
            return None;
        }
        let span = i64::try_from(SLOTS).unwrap_or(1);
        for slot in (self.head - span + 1)..=self.head {
            left = left.saturating_sub(self.slots.get(self.place(slot)).copied().unwrap_or_default());
            if left < most {
                return Some(Timestamp::from_micros((slot + span).saturating_mul(self.slot_us)));
            }
        }
        // A most of none: looked at again when all is over.
        Some(Timestamp::from_micros((self.head + span).saturating_mul(self.slot_us)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000 + millis * 1_000)
    }

    #[test]
    fn a_minute_that_is_full_says_when_the_next_may_go() {
        let most = Most { per_minute: Some(10), per_hour: None };
        let mut rate = Rate::new();
        rate.take(4, at(500));
        rate.take(6, at(2_500));
        assert_eq!((rate.room(most, at(2_600)), rate.taken(at(2_600))), (0, (10, 10)));
        let next = rate.next_at(most, at(2_600)).unwrap();
        assert_eq!(next, at(61_000));
        assert_eq!(rate.room(most, at(60_999)), 0);
        assert_eq!(rate.room(most, next), 4);
        rate.take(4, next);
        rate.give_back(1);
        assert_eq!((rate.room(most, next), rate.next_at(most, next)), (1, None));
        let free = Most::default();
        assert_eq!((rate.room(free, next), rate.next_at(free, next)), (u32::MAX, None));
    }

    #[test]
    fn the_hour_holds_where_the_minute_has_room_and_a_clock_that_is_set_back_gives_nothing() {
        let most = Most { per_minute: Some(100), per_hour: Some(5) };
        let mut rate = Rate::new();
        rate.take(5, at(0));
        assert_eq!(rate.room(most, at(120_000)), 0);
        assert_eq!(rate.room(most, at(-7_200_000)), 0);
        let next = rate.next_at(most, at(120_000)).unwrap();
        assert_eq!(rate.room(most, next), 5);
    }

    proptest! {
        /// Whoever takes all he may, whenever he looks, never has more than the most in any sixty seconds.
        #[test]
        fn no_minute_has_more_than_the_most(
            waits in proptest::collection::vec(0i64..20_000, 1..200),
            most in 1u32..50,
        ) {
            let limit = Most { per_minute: Some(most), per_hour: None };
            let (mut rate, mut now, mut taken) = (Rate::new(), 0, Vec::new());
            for wait in waits {
                now += wait;
                let room = rate.room(limit, at(now));
                rate.take(room, at(now));
                taken.push((now, room));
            }
            for (start, _) in &taken {
                let minute = *start..start + 60_000;
                let sum: u32 = taken.iter().filter(|(at, _)| minute.contains(at)).map(|(_, count)| count).sum();
                prop_assert!(sum <= most);
            }
        }
    }
}
