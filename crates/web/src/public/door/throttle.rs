//! How often strangers may do at the pages what costs others something (law.md R5: forms are used to flood strangers'
//! mailboxes; GDPR Art. 32(1)(b)).
//!
//! Invariants: who leaves, withdraws or objects is never counted and never kept waiting (GDPR Art. 7(3), 21(3)). In
//! memory alone: networks by prefix (/24, /48), persons by keyed tag, mailboxes by a hash under a key that dies with
//! the process; forgotten when the window ends. Bounded: when too many are known, those of the oldest windows go first.

use mail::address::Address;
use model::ControllerId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Entries that are remembered of each kind.
const KNOWN_MAX: usize = 65_536;
/// Ten minutes.
const SHORT: Duration = Duration::from_secs(600);
/// A day.
const DAY: Duration = Duration::from_secs(86_400);

/// Sign-ups of a network in ten minutes, at the forms of one controller.
const SIGN_UPS_MAX: u32 = 20;
/// Requests of a network in ten minutes to whatever forms, whether or not they are there.
const SIGN_UP_REQUESTS_MAX: u32 = 400;
/// Changes and wishes of a network in ten minutes.
const CHANGES_MAX: u32 = 200;
/// Changes and wishes with links of one person in ten minutes.
const CHANGES_OF_ONE_MAX: u32 = 20;
/// Requests to confirm to one mailbox in a day, for one controller.
const ASKED_BY_ONE_MAX: u32 = 3;
/// Requests to confirm to one mailbox in a day, for all controllers of this node.
const ASKED_MAX: u32 = 10;

/// Sign-ups that may be under way behind their answers.
const UNDER_WAY_MAX: usize = 256;

/// Counts by key, in windows.
struct Counter<K>(Mutex<HashMap<K, (Duration, u32)>>);

impl<K> Default for Counter<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq> Counter<K> {
    /// One more, unless there were `most` in this window: then how long to wait.
    fn take(&self, key: K, now: Duration, window: Duration, most: u32) -> Result<(), Duration> {
        let mut seen = self.0.lock();
        if seen.len() >= KNOWN_MAX && !seen.contains_key(&key) {
            drop_oldest(&mut seen);
        }
        let (began, count) = seen.entry(key).or_insert((now, 0));
        if now.saturating_sub(*began) >= window {
            (*began, *count) = (now, 0);
        }
        if *count >= most {
            return Err(window.saturating_sub(now.saturating_sub(*began)));
        }
        *count += 1;
        Ok(())
    }
}

/// An eighth goes, so that making room is cheap: that of the oldest windows.
fn drop_oldest<K: Hash + Eq>(seen: &mut HashMap<K, (Duration, u32)>) {
    let mut began: Vec<Duration> = seen.values().map(|(began, _)| *began).collect();
    let last = (began.len() / 8).min(began.len().saturating_sub(1));
    let (older, middle, _) = began.select_nth_unstable(last);
    // Of those that began with the last of them only as many as it takes.
    let middle = *middle;
    let mut equal = last.saturating_sub(older.iter().filter(|at| **at < middle).count());
    seen.retain(|_, (began, _)| {
        let goes = *began < middle || (*began == middle && equal > 0);
        if goes && *began == middle {
            equal -= 1;
        }
        !goes
    });
}

/// For what the platform writes itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Own {
    /// Requests to confirm, to people.
    Asking,
    /// Rights that were exercised, to the controller.
    Telling,
}

impl Own {
    /// Its part of what the controller instructed for a day: what strangers set off leaves the rest to him.
    fn part(self, allowed: u64) -> u32 {
        let part = match self {
            Self::Asking => allowed / 4,
            Self::Telling => allowed / 10,
        };
        u32::try_from(part).unwrap_or(u32::MAX).max(1)
    }
}

/// All counts.
pub(crate) struct Throttle {
    sign_ups: Counter<(ControllerId, [u8; 7])>,
    sign_up_requests: Counter<[u8; 7]>,
    changes: Counter<[u8; 7]>,
    persons: Counter<(ControllerId, [u8; 16])>,
    mailboxes: Counter<u64>,
    own: Counter<(ControllerId, Own, i64)>,
    key: RandomState,
    /// Sign-ups that were answered and are not done yet.
    pub(super) under_way: Arc<Semaphore>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            sign_ups: Counter::default(),
            sign_up_requests: Counter::default(),
            changes: Counter::default(),
            persons: Counter::default(),
            mailboxes: Counter::default(),
            own: Counter::default(),
            key: RandomState::new(),
            under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
        }
    }
}

impl Throttle {
    /// One more request of this network to a form, which may not be there.
    pub(crate) fn sign_up_request(&self, from: IpAddr, now: Duration) -> Result<(), Duration> {
        self.sign_up_requests.take(prefix(from), now, SHORT, SIGN_UP_REQUESTS_MAX)
    }

    /// One more sign-up of this network at a form of a controller, unless it had too many: then how long to wait.
    pub(crate) fn sign_up(&self, controller: ControllerId, from: IpAddr, now: Duration) -> Result<(), Duration> {
        self.sign_ups.take((controller, prefix(from)), now, SHORT, SIGN_UPS_MAX)
    }

    /// One more change or wish with a link of this person, from this network.
    pub(crate) fn change(
        &self,
        from: IpAddr,
        (controller, person): (ControllerId, [u8; 16]),
        now: Duration,
    ) -> Result<(), Duration> {
        self.persons.take((controller, person), now, SHORT, CHANGES_OF_ONE_MAX)?;
        self.changes.take(prefix(from), now, SHORT, CHANGES_MAX)
    }

    /// May this mailbox be asked to confirm once more? `ada+x@` and `ada+y@` are one mailbox here, and here alone: an
    /// objection is by the whole address.
    pub(crate) fn ask(&self, controller: ControllerId, to: &Address, now: Duration) -> bool {
        let mailbox = mailbox(to);
        let everybody = self.key.hash_one((0_i64, &mailbox));
        let one = self.key.hash_one((controller.0, &mailbox, 1_u8));
        self.mailboxes.take(one, now, DAY, ASKED_BY_ONE_MAX).is_ok()
            && self.mailboxes.take(everybody, now, DAY, ASKED_MAX).is_ok()
    }

    /// May the platform write one message more of its own on this UTC day, of what the controller instructed?
    pub(crate) fn write(&self, controller: ControllerId, own: Own, (day, now): (i64, Duration), allowed: u64) -> bool {
        self.own.take((controller, own, day), now, DAY, own.part(allowed)).is_ok()
    }
}

/// The address without what follows a plus in its local part.
fn mailbox(address: &Address) -> String {
    let text = address.normalised();
    match text.rsplit_once('@') {
        Some((local, domain)) => {
            let base = local.split('+').next().filter(|base| !base.is_empty()).unwrap_or(local);
            format!("{base}@{domain}")
        }
        None => text,
    }
}

/// The network, and of which kind it is.
fn prefix(address: IpAddr) -> [u8; 7] {
    let mut out = [0; 7];
    match address.to_canonical() {
        IpAddr::V4(four) => {
            out[0] = 4;
            out[1..4].copy_from_slice(&four.octets()[..3]);
        }
        IpAddr::V6(six) => {
            out[0] = 6;
            out[1..7].copy_from_slice(&six.octets()[..6]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_number_a_window_and_others_have_theirs() {
        let throttle = Throttle::default();
        let sign_up = |controller: i64, from: &str, seconds: u64| {
            throttle.sign_up(ControllerId(controller), from.parse().unwrap(), Duration::from_secs(seconds))
        };
        for _ in 0..SIGN_UPS_MAX {
            assert_eq!(sign_up(1, "192.0.2.1", 0), Ok(()));
        }
        assert_eq!(sign_up(1, "192.0.2.200", 1), Err(Duration::from_secs(599)));
        assert_eq!(sign_up(1, "::ffff:192.0.2.9", 0), Err(SHORT));
        for (controller, from) in [(1, "192.0.3.1"), (1, "2001:db8::1"), (2, "192.0.2.1")] {
            assert_eq!(sign_up(controller, from, 0), Ok(()), "{from}");
        }
        assert_eq!(sign_up(1, "192.0.2.1", 600), Ok(()));
    }

    #[test]
    fn a_full_memory_forgets_the_oldest_and_not_who_was_here_last() {
        let counter: Counter<usize> = Counter::default();
        let at = |key: usize| Duration::from_millis(key as u64 / 100);
        for key in 0..KNOWN_MAX {
            assert_eq!(counter.take(key, at(key), DAY, 1), Ok(()));
        }
        // One more: of those before him the oldest go, and nobody else gets a second turn.
        assert_eq!(counter.take(KNOWN_MAX, at(KNOWN_MAX), DAY, 1), Ok(()));
        assert!(counter.take(KNOWN_MAX - 1, at(KNOWN_MAX), DAY, 1).is_err());
        assert!(counter.take(KNOWN_MAX / 2, at(KNOWN_MAX), DAY, 1).is_err());
        assert_eq!(counter.take(0, at(KNOWN_MAX), DAY, 1), Ok(()));
        // All of one moment: some go, and not all.
        let counter: Counter<usize> = Counter::default();
        for key in 0..=KNOWN_MAX {
            assert_eq!(counter.take(key, Duration::ZERO, DAY, 1), Ok(()));
        }
        let left = counter.0.lock().len();
        assert!(left > KNOWN_MAX / 2 && left <= KNOWN_MAX, "{left}");
    }

    #[test]
    fn a_person_has_his_number_of_changes_from_wherever_they_come() {
        let throttle = Throttle::default();
        let (ada, bob) = ((ControllerId(1), [1; 16]), (ControllerId(1), [2; 16]));
        for last in 0..u8::try_from(CHANGES_OF_ONE_MAX).unwrap() {
            assert_eq!(throttle.change(IpAddr::from([192, 0, last, 1]), ada, Duration::ZERO), Ok(()));
        }
        let elsewhere = IpAddr::from([198, 51, 100, 1]);
        assert_eq!(throttle.change(elsewhere, ada, Duration::ZERO), Err(SHORT));
        assert_eq!(throttle.change(elsewhere, bob, Duration::ZERO), Ok(()));
        assert_eq!(throttle.change(elsewhere, ada, SHORT), Ok(()));
    }

    #[test]
    fn spellings_with_a_plus_are_one_mailbox() {
        let throttle = Throttle::default();
        let ask = |controller: i64, to: &str| {
            throttle.ask(ControllerId(controller), &Address::parse(to).unwrap(), Duration::ZERO)
        };
        assert!(ask(1, "ada@dest.example") && ask(1, "Ada+1@dest.example") && ask(1, "ada+2@DEST.example"));
        assert!(!ask(1, "ada+3@dest.example"));
        assert!(ask(1, "bob+3@dest.example") && ask(1, "ada@other.example"));
        // Other controllers may still ask, but not without end.
        let others = (2..20).filter(|controller| ask(*controller, &format!("ada+{controller}@dest.example"))).count();
        assert_eq!(others, 7);
        assert!(ask(1, "+x@dest.example"), "nothing stands before the plus");
    }

    #[test]
    fn what_strangers_set_off_has_a_part_of_the_day_and_no_more() {
        let throttle = Throttle::default();
        let write = |own: Own, day: i64| throttle.write(ControllerId(1), own, (day, Duration::ZERO), 40);
        assert_eq!((0..40).filter(|_| write(Own::Asking, 1)).count(), 10);
        assert_eq!((0..40).filter(|_| write(Own::Telling, 1)).count(), 4);
        assert!(write(Own::Asking, 2));
    }
}
