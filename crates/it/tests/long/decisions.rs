//! Stories without number: what people decide holds within a second, also while a million contacts come in.

use super::effect::{Meanwhile, Stories};
use std::time::Duration;

/// Half of the answers to people come within this while a file is written.
const MEDIAN_MAX: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread")]
async fn art7_3_art21_3_what_was_decided_stops_everything_in_many_stories() {
    let findings = Stories { seed: 10_000, cases: 60 }.run().await;
    assert!(findings.cut > 0 && findings.stopped > 0 && findings.refused > 0 && findings.delivered > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn art21_3_the_same_holds_while_a_million_contacts_come_in() {
    let mut figures = Meanwhile { rows: 1_000_000, seed: 20_000 }.run().await;
    assert!(figures.stories.delivered > 0 && figures.stories.stopped > 0, "{figures}");
    figures.waits.append(&mut figures.stories.waits);
    figures.waits.sort_unstable();
    let median = figures.waits.get(figures.waits.len() / 2).copied().unwrap_or_default();
    assert!(median < MEDIAN_MAX, "{figures}");
}
