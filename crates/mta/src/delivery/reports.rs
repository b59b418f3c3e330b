//! Reports on TLS leave: after each day, to those domains that ask for them.
//!
//! Invariants: a day of a domain is in one node's hands at a time, and is ended when every place that could be reported
//! to was told, or none is named; what could not be told is tried again for as long as the day is kept; reports leave
//! within four hours after midnight, each domain's at a moment of its own, so that not all arrive at once.
//! Called by nobody: it runs beside delivery. Standards: RFC 8460 §3, §4.1, §5.

use super::engine::Engine;
use super::security::tlsrpt::Place;
use super::spread;
use crate::tls_reports::{MEDIA_TYPE, Report, Stated, TlsReports};
use mail::address::Address;
use metrics::counter;
use model::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use store::day_of;

/// RFC 8460 §4.1: a delay of up to four hours after midnight.
const SPREAD_S: u64 = 4 * 3_600;
/// A report is in hand for so long; then another node may take it, or this one again.
const IN_HAND: Duration = Duration::from_secs(3_600);
/// Days before today that are still reported.
const DAYS_BACK: i64 = 2;
const DAY_MICROS: i64 = 86_400_000_000;

/// Counts, and reports what is due, until delivery ends.
pub(crate) async fn run(engine: Arc<Engine>, reports: TlsReports) {
    let mut tidied = 0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(engine.settings.timeouts.reports) => {}
            () = engine.stopped() => return,
        }
        engine.router.tally().keep(&engine.store).await;
        let today = day_of(engine.store.now());
        for day in (today - DAYS_BACK)..today {
            if let Err(error) = day_of_reports(&engine, &reports, day).await {
                tracing::warn!(%error, "reports on TLS could not be made; they are later");
            }
        }
        if tidied != today && engine.store.forget_tls_sessions().await.is_ok() {
            tidied = today;
        }
    }
}

async fn day_of_reports(engine: &Engine, reports: &TlsReports, day: i64) -> store::Result<()> {
    let mut after = String::new();
    loop {
        let open = engine.store.tls_reports_open(day, &after).await?;
        let Some(last) = open.last() else { return Ok(()) };
        after.clone_from(last);
        for domain in open {
            let now = engine.store.now();
            if due(day, &domain) <= now && engine.store.claim_tls_report(day, &domain, now.plus(IN_HAND)).await? {
                // Crash from here on ⇒ whoever looks in an hour makes it again: the same document, and by mail the same
                // message.
                if told(engine, reports, day, &domain).await? {
                    engine.store.end_tls_report(day, &domain).await?;
                }
            }
        }
    }
}

/// When the report on a day of a domain leaves, at the earliest.
fn due(day: i64, domain: &str) -> Timestamp {
    let seed = domain.bytes().fold(day.unsigned_abs(), |seed, octet| spread::mix(seed ^ u64::from(octet)));
    let wait = Duration::from_secs(seed % SPREAD_S);
    Timestamp::from_micros((day + 1).saturating_mul(DAY_MICROS)).plus(wait)
}

/// Reports; `false` when it is to be tried again.
async fn told(engine: &Engine, reports: &TlsReports, day: i64, domain: &str) -> store::Result<bool> {
    let router = &engine.router;
    let Some(places) = router.report_places(domain).await else { return Ok(false) };
    if places.is_empty() {
        return Ok(true);
    }
    let sessions = engine.store.tls_sessions(day, domain).await?;
    let stated = match router.kept_policy(domain).await {
        Some((text, policy)) => {
            let lines = text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty());
            Stated { lines: lines.collect(), hosts: policy.patterns }
        }
        None => Stated::default(),
    };
    let Some(report) = reports.report(day, domain, &sessions, &stated) else {
        tracing::warn!("a report on TLS is due, and the account in whose name it leaves has no verified domain");
        return Ok(false);
    };
    let mut all = true;
    for place in places {
        all &= match place {
            Place::Mail(address) => counted("mail", by_mail(reports, &report, &address).await),
            Place::Https { host, port, path } => {
                let is_taken = router.post_report((&host, port, &path), MEDIA_TYPE, &report.octets).await;
                counted("https", is_taken.then_some(true))
            }
        };
    }
    Ok(all)
}

/// Was it taken in? Nothing when that is to be tried again: what the gate says today it says tomorrow.
async fn by_mail(reports: &TlsReports, report: &Report, to: &Address) -> Option<bool> {
    let sent = reports.send(report, to).await;
    match &sent {
        Ok(true) => {}
        Ok(false) => tracing::warn!("the gate refuses a report on TLS; look at the account in whose name it leaves"),
        Err(error) => tracing::warn!(%error, "a report on TLS could not be queued"),
    }
    sent.ok()
}

/// Is this place done with?
fn counted(by: &'static str, is_told: Option<bool>) -> bool {
    let outcome = match is_told {
        Some(true) => "sent",
        Some(false) => "refused",
        None => "failed",
    };
    counter!("postern_tls_reports_total", "by" => by, "outcome" => outcome).increment(1);
    is_told.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8460_4_1_reports_leave_within_four_hours_after_midnight_each_at_its_own_moment() {
        let midnight = Timestamp::from_seconds(20_001 * 86_400);
        let mut moments = std::collections::BTreeSet::new();
        for number in 0..200 {
            let at = due(20_000, &format!("d{number}.example"));
            let wait = at.since(midnight);
            assert!(at >= midnight && wait < Duration::from_secs(SPREAD_S), "{wait:?}");
            moments.insert(at);
        }
        assert!(moments.len() > 190, "{}", moments.len());
    }
}
