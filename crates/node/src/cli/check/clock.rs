//! Whether the clock is right: by who keeps it, by the database, by what the ledger signed, by a server that is named.
//!
//! Signatures, certificates and quiet hours go by it (RFC 6376 §3.5, t= and x=; RFC 5280 §4.1.2.5).

use super::sntp;
use super::standing::Standing;
use crate::clock::SystemClock;
use crate::settings::{Settings, StorePlace};
use model::Clock as _;
use mta::health::Finding;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// What systemd-timesyncd leaves there once it has set the clock.
const KEPT: &str = "/run/systemd/timesync/synchronized";
/// Off by more: worth to look at. DKIM verifiers and TLS peers bear some minutes.
const WARNING_MICROS: u64 = 2_000_000;
/// Off by more: signatures and certificates are refused.
const WRONG_MICROS: u64 = 60_000_000;
const ABOUT: &str = "this machine";
const REMEDY: &str = "have the clock kept by chrony or systemd-timesyncd";

pub(super) async fn look(settings: &Settings, standing: &Standing) -> Vec<Finding> {
    let now = SystemClock.now().micros();
    let mut found = Vec::new();
    if let StorePlace::Postgres { .. } = settings.store.place {
        found.push(offset("the database", standing.now.saturating_sub(now)));
    }
    found.extend(signed_later(&settings.data, now));
    match &settings.check.time_server {
        Some(server) => found.push(match sntp::offset_micros(server).await {
            Ok(micros) => offset(server, micros),
            Err(error) => {
                Finding::warning(server, format!("it does not tell the time: {error:#}"), "name another server")
            }
        }),
        None if Path::new(KEPT).exists() => found.push(Finding::good(ABOUT, "systemd-timesyncd keeps the clock")),
        None => found.push(Finding::note(
            ABOUT,
            "who keeps the clock cannot be seen from here; timedatectl or chronyc tracking say it, or name a server \
             with check.time_server (--time-server)",
        )),
    }
    found
}

/// `micros`: what the other clock is ahead of ours.
fn offset(whose: &str, micros: i64) -> Finding {
    let off = micros.unsigned_abs();
    let side = if micros > 0 { "behind" } else { "ahead of" };
    let what = format!("this machine is {}.{:03} s {side} it", off / 1_000_000, off % 1_000_000 / 1_000);
    match off {
        0..WARNING_MICROS => Finding::good(whose, what),
        WARNING_MICROS..WRONG_MICROS => Finding::warning(whose, what, REMEDY),
        _ => Finding::wrong(whose, what, REMEDY),
    }
}

/// A checkpoint of a ledger that was signed after now: the clock went back.
fn signed_later(data: &Path, now: i64) -> Option<Finding> {
    let logs = std::fs::read_dir(data.join("ledger")).ok()?;
    let latest = logs.filter_map(|log| {
        let written = log.ok()?.path().join("checkpoint").metadata().ok()?.modified().ok()?;
        i64::try_from(written.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
    });
    let ahead = latest.max()?.saturating_sub(now).max(0).unsigned_abs();
    (ahead > WARNING_MICROS).then(|| {
        let what = format!("the ledger has a checkpoint that was signed {} s after now", ahead / 1_000_000);
        Finding::wrong(ABOUT, what, "find out why the clock went back before the node goes on")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta::health::Level;

    #[test]
    fn an_offset_is_judged_by_its_size_and_told_with_its_side() {
        for (micros, level, side) in [
            (1_500_000, Level::Good, "1.500 s behind"),
            (-3_000_000, Level::Warning, "3.000 s ahead of"),
            (61_000_000, Level::Wrong, "61.000 s behind"),
        ] {
            let found = offset("x", micros);
            assert!(found.level == level && found.what.contains(side), "{found:?}");
        }
    }

    #[test]
    fn a_checkpoint_of_tomorrow_says_that_the_clock_went_back() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("ledger/ctl_x");
        std::fs::create_dir_all(&log).unwrap();
        std::fs::write(log.join("checkpoint"), "x").unwrap();
        let now = SystemClock.now().micros();
        assert_eq!(signed_later(folder.path(), now), None);
        let found = signed_later(folder.path(), now - 3_600_000_000).unwrap();
        assert!(found.level == Level::Wrong && found.what.contains("after now"), "{found:?}");
    }
}
