//! How much room is left where the node writes, and for how long, by what went since it watches.

use super::standing::{Room, Standing};
use crate::room::{Free, free, hours_left, places};
use crate::settings::Settings;
use mta::health::Finding;
use std::time::Duration;

/// Octets and hundredths below which there is little room.
const LITTLE: (u64, u64) = (1 << 30, 5);
/// Below which clients are about to be put off (`store::Error::Full`).
const NONE: (u64, u64) = (256 << 20, 1);
const LITTLE_HOURS: u64 = 72;
const NONE_HOURS: u64 = 6;
const REMEDY: &str = "make room or give it a larger disk; when it is full, clients are put off with 452 or 503";

pub(super) fn look(settings: &Settings, standing: &Standing) -> Vec<Finding> {
    let watched = standing.room.as_deref().unwrap_or_default();
    let one = |(place, folder): (&'static str, std::path::PathBuf)| {
        let about = format!("{place}, {}", folder.display());
        match free(&folder) {
            Ok(room) => judged(&about, room, watched.iter().find(|one| one.place == place)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Finding::note(about, "is not there yet"),
            Err(error) => Finding::wrong(about, format!("cannot be looked at: {error}"), "see that it is mounted"),
        }
    };
    places(settings).into_iter().map(one).collect()
}

fn judged(about: &str, room: Free, watched: Option<&Room>) -> Finding {
    let Free { free, whole } = room;
    let hundredths = u64::try_from(u128::from(free) * 100 / u128::from(whole.max(1))).unwrap_or(100);
    let lasts = watched.and_then(|room| {
        let hours = hours_left(room.free_then, room.free_now, Duration::from_secs(room.over_s));
        Some((hours?, room.over_s / 60))
    });
    let how_long = match (lasts, watched) {
        (Some((hours, minutes)), _) => format!(", for {hours} h if it goes on as in the last {minutes} min"),
        (None, Some(room)) if room.over_s >= 600 => format!(", and no less than {} min ago", room.over_s / 60),
        (None, _) => ", for how long is known when a node has watched it for 10 min".to_owned(),
    };
    let what = format!("{} of {} MiB are free ({hundredths} %){how_long}", free >> 20, whole >> 20);
    // Little of a large disk may be much, and all of a small one little.
    let below = |(octets, least): (u64, u64)| free < octets && hundredths < least.max(10) || hundredths < least;
    match lasts.map(|(hours, _)| hours) {
        _ if below(NONE) => Finding::wrong(about, what, REMEDY),
        Some(hours) if hours < NONE_HOURS => Finding::wrong(about, what, REMEDY),
        _ if below(LITTLE) => Finding::warning(about, what, REMEDY),
        Some(hours) if hours < LITTLE_HOURS => Finding::warning(about, what, REMEDY),
        _ => Finding::good(about, what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta::health::Level;

    #[test]
    fn room_is_judged_by_what_is_left_and_by_how_long_it_lasts() {
        let gib = 1_u64 << 30;
        let at = |free: u64, whole: u64| judged("data", Free { free, whole }, None);
        assert_eq!(at(50 * gib, 100 * gib).level, Level::Good);
        assert_eq!(at(4 * gib, 100 * gib).level, Level::Warning);
        assert_eq!(at(gib / 2, 100 * gib).level, Level::Wrong);
        // A disk that is small and empty is no trouble.
        assert_eq!(at(gib / 2, gib).level, Level::Good);
        let watched = |gone: u64| {
            let room = Room { place: "data".to_owned(), over_s: 3_600, free_then: 50 * gib + gone, free_now: 50 * gib };
            judged("data", Free { free: 50 * gib, whole: 100 * gib }, Some(&room))
        };
        assert_eq!(watched(0).level, Level::Good);
        let (soon, sooner) = (watched(gib), watched(20 * gib));
        assert!(soon.level == Level::Warning && soon.what.contains("for 50 h"), "{soon:?}");
        assert!(sooner.level == Level::Wrong && sooner.what.contains("for 2 h"), "{sooner:?}");
    }
}
