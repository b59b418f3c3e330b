//! Rows for tests.

use super::{SiteOrderRow, SiteStateRow};
use model::Timestamp;
use std::time::Duration;

pub(crate) fn order(site: &str, now: Timestamp) -> SiteOrderRow {
    SiteOrderRow {
        site: site.to_owned(),
        connections: None,
        messages_per_connection: None,
        per_minute: None,
        per_hour: None,
        stopped: true,
        why: "they asked us to".to_owned(),
        who: "night shift".to_owned(),
        since: now,
        ends: Some(now.plus(Duration::from_secs(3_600))),
    }
}

pub(crate) fn state(site: &str, now: Timestamp) -> SiteStateRow {
    SiteStateRow {
        site: site.to_owned(),
        node: 0,
        domains: 7,
        waiting: 3,
        connections: 2,
        allowed: 2,
        most: 20,
        percent: 50,
        minute: Some(100),
        hour: None,
        stopped: false,
        away: Some(now.plus(Duration::from_secs(5))),
        trouble: Some(("the site closed the channel (421)".to_owned(), now)),
        seen: now,
    }
}
