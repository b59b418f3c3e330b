//! What runs out by itself: room on the disks, and days of certificates. Looked at once a minute while a node serves,
//! shown as figures, and kept for a day so that it can be said for how long the room lasts.
//!
//! Invariants: labels are words of ours; what is kept has a bound; a place that cannot be looked at is left out.

use crate::certificates::{Certificate, Shown};
use crate::settings::Settings;
use crate::tombstones::Tombstones;
use model::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::{BodyPlacement, Store};

/// How often it is looked at.
pub(crate) const EVERY: Duration = Duration::from_secs(60);
/// Looks that are kept: those of a day.
const LOOKS_MAX: usize = 1_440;

/// The room at a place, in octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Free {
    pub(crate) free: u64,
    pub(crate) whole: u64,
}

/// The folders in which a node writes, each by what it is for.
pub(crate) fn places(settings: &Settings) -> Vec<(&'static str, PathBuf)> {
    let mut all = vec![("data", settings.data.clone())];
    if let Some(folder) = settings.store.master_key.as_deref().and_then(Path::parent) {
        all.push(("keys", folder.to_owned()));
    }
    if let BodyPlacement::Folder(folder) = &settings.store.bodies {
        all.push(("bodies", folder.clone()));
    }
    if let Some(Tombstones::In(folder)) = &settings.tombstones {
        all.push(("tombstones", folder.clone()));
    }
    all
}

/// What this account may still write there.
pub(crate) fn free(folder: &Path) -> std::io::Result<Free> {
    let told = rustix::fs::statvfs(folder)?;
    let octets = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Ok(Free { free: octets(told.f_bavail), whole: octets(told.f_blocks) })
}

/// The days that a certificate still holds, from its file; negative when it is over.
pub(crate) fn days_left(ends_s: i64, now: Timestamp) -> i64 {
    (ends_s - now.seconds()).div_euclid(86_400)
}

/// One look: when, and what was free at each place.
type Look = (Timestamp, Vec<u64>);

/// What was seen.
pub(crate) struct Room {
    places: Vec<(&'static str, PathBuf)>,
    looks: Mutex<VecDeque<Look>>,
}

impl Room {
    pub(crate) fn of(settings: &Settings) -> Self {
        let places = places(settings).into_iter().filter(|(_, folder)| free(folder).is_ok()).collect();
        Self { places, looks: Mutex::default() }
    }

    /// Looks, and shows what it sees.
    pub(crate) fn look(&self, now: Timestamp) {
        let seen: Vec<u64> = self.places.iter().map(|(_, folder)| free(folder).map_or(0, |room| room.free)).collect();
        for ((place, _), free) in self.places.iter().zip(&seen) {
            metrics::gauge!("postern_disk_free_octets", "place" => *place).set(lossy(*free));
        }
        self.keep((now, seen));
    }

    fn keep(&self, look: Look) {
        let mut looks = self.looks.lock();
        if looks.len() >= LOOKS_MAX {
            looks.pop_front();
        }
        looks.push_back(look);
    }

    /// The first look that is kept beside the last.
    pub(crate) fn told(&self) -> Value {
        let looks = self.looks.lock();
        let (Some((then, before)), Some((now, after))) = (looks.front(), looks.back()) else { return Value::Null };
        let over_s = now.since(*then).as_secs();
        let told = self.places.iter().zip(before.iter().zip(after)).map(|((place, _), (before, after))| {
            json!({"place": place, "over_s": over_s, "free_then": before, "free_now": after})
        });
        told.collect()
    }
}

/// Shows for how many days certificates hold: the node's, and of controllers' host names the one that ends first.
pub(crate) fn show_certificates(shown: &Shown, store: &Store) {
    let now = store.now();
    let day = |ends: i64| lossy_days(days_left(ends, now));
    if let Some(ends) = shown.ends_s() {
        metrics::gauge!("postern_certificate_days_left", "of" => "node").set(day(ends));
    }
    let book = store.host_book();
    let first = book.all().filter_map(|host| host.certificate.as_ref().map(|kept| kept.ends.seconds())).min();
    if let Some(ends) = first {
        metrics::gauge!("postern_certificate_days_left", "of" => "hosts").set(day(ends));
    }
}

/// When the certificate of a node in its folder ends, in seconds since 1970, if it has one.
pub(crate) fn certificate_ends(certificate: &Certificate, data: &Path) -> Option<i64> {
    let read = certificate.read(data).ok()?;
    ends_s(read.cert.first()?)
}

/// When a certificate ends, in seconds since 1970.
pub(crate) fn ends_s(certificate: &[u8]) -> Option<i64> {
    web::hosts::validity(certificate).map(|(_, ends)| ends.seconds())
}

#[expect(clippy::cast_precision_loss, reason = "figures of Prometheus are floating, and 2^53 octets are many")]
const fn lossy(octets: u64) -> f64 {
    octets as f64
}

#[expect(clippy::cast_precision_loss, reason = "days are few")]
const fn lossy_days(days: i64) -> f64 {
    days as f64
}

/// How long it lasts, in hours, when as much goes as went: nothing where none went, or it was watched too shortly.
pub(crate) fn hours_left(free_then: u64, free_now: u64, over: Duration) -> Option<u64> {
    /// Less than this says nothing.
    const WATCHED_MIN: Duration = Duration::from_secs(600);
    let gone = free_then.checked_sub(free_now).filter(|gone| *gone > 0)?;
    if over < WATCHED_MIN {
        return None;
    }
    let seconds = u128::from(free_now) * u128::from(over.as_secs()) / u128::from(gone);
    u64::try_from(seconds / 3_600).ok()
}

/// Watches until it is dropped.
pub(crate) async fn watch(room: Arc<Room>, shown: Arc<Shown>, store: Arc<Store>) {
    loop {
        room.look(store.now());
        show_certificates(&shown, &store);
        tokio::time::sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_lasts_as_long_as_what_went_says_and_nothing_is_said_too_soon() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(hours_left(1_100, 1_000, hour), Some(10));
        assert_eq!(hours_left(1_000, 1_000, hour), None);
        assert_eq!(hours_left(1_000, 1_100, hour), None);
        assert_eq!(hours_left(1_100, 1_000, Duration::from_secs(60)), None);
    }

    #[test]
    fn looks_are_kept_for_a_day_and_the_first_stands_beside_the_last() {
        let room = Room { places: vec![("data", PathBuf::from("/"))], looks: Mutex::default() };
        assert!(room.told().is_null());
        for minute in 0..=1_500 {
            room.keep((Timestamp::from_seconds(minute * 60), vec![10_000 - minute.cast_unsigned()]));
        }
        let told = &room.told()[0];
        assert_eq!((told["over_s"].as_u64(), told["free_now"].as_u64()), (Some(1_439 * 60), Some(8_500)));
        assert_eq!(told["free_then"].as_u64(), Some(8_500 + 1_439));
    }
}
