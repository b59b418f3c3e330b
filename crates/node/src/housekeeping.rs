//! What is due from time to time: places in the ledger, checkpoints, refusal counts, host names, agreements whose day
//! has come, what was kept for its time, wishes that still have to be passed on, old keys.

use mta::submission::Submission;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::Store;
use tokio::sync::watch;

/// The inbox of the ledger is drained this often (`architecture.md` §4: 50-200 ms).
const SEQUENCE_EVERY: Duration = Duration::from_millis(150);
/// Checkpoints are signed this often (1-10 s).
const EXPORT_EVERY: u32 = 14;
/// Host names that other nodes brought into force or gave up: every three seconds.
const HOSTS_EVERY: u32 = 20;
/// Refusal counts: one leaf a credential, rule and minute. Agreements begin and end by the minute, too.
const COUNT_EVERY: u32 = 400;
/// Refusals that wait are written about every second.
const LOG_EVERY: u32 = 7;
/// How often it is said that tombstones cannot be shipped: about once a minute.
const SHIP_TOLD_EVERY: u32 = LOG_EVERY * 57;
/// Keys that nothing needs any more, answers kept for repeats, what was kept for its time; wishes that wait.
const TIDY_EVERY: u32 = 4_000;

/// Works until `stop` changes. `answers` says whether the store did what the last round wanted.
pub async fn run(
    store: Arc<Store>,
    submission: Arc<Submission>,
    answers: Arc<AtomicBool>,
    mut stop: watch::Receiver<bool>,
) {
    if let Err(error) = duties::agreement::look_over(&store).await {
        tracing::warn!(%error, "what is instructed could not be looked at again; it is at the next start");
    }
    let mut round: u32 = 0;
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            () = tokio::time::sleep(SEQUENCE_EVERY) => {}
        }
        round = round.wrapping_add(1);
        let done = one_round(&store, &submission, round).await;
        answers.store(done.is_ok(), Ordering::Release);
        if let Err(error) = done {
            // The work is kept and done in a later round.
            tracing::warn!(%error, "housekeeping could not be done");
        }
    }
}

/// What people decided goes to its log. When it cannot, it waits, and nothing else does.
async fn ship(store: &Store, round: u32) {
    if let Err(error) = store.ship_tombstones().await
        && round.is_multiple_of(SHIP_TOLD_EVERY)
    {
        tracing::error!(%error, "what people decide cannot be written to the log of tombstones; it waits");
    }
}

async fn one_round(store: &Arc<Store>, submission: &Arc<Submission>, round: u32) -> store::Result<()> {
    while store.sequence().await? > 0 {}
    if round.is_multiple_of(EXPORT_EVERY) {
        store.export_logs().await?;
    }
    if round.is_multiple_of(LOG_EVERY) {
        store.flush_refusal_log().await?;
        ship(store, round).await;
    }
    if round.is_multiple_of(HOSTS_EVERY) {
        store.refresh_hosts().await?;
        store.refresh_tombstones().await?;
    }
    if round.is_multiple_of(COUNT_EVERY) {
        store.flush_refusals().await?;
        if let Err(error) = duties::agreement::keep_days(store).await {
            tracing::warn!(%error, "agreements could not be brought to their day");
        }
    }
    if round.is_multiple_of(TIDY_EVERY) {
        store.tidy().await?;
        web::forward_wishes(store, submission).await?;
    }
    Ok(())
}
