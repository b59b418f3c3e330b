//! What a person decides holds within a second, in stories drawn by chance (GDPR Art. 7(3), 21(3)).
//!
//! `POSTERN_STORIES=SEED:CASES` acts out others, `cargo xtask test --long` many.

use super::effect::{Meanwhile, Stories};

/// The cases of every day.
const DAILY: Stories = Stories { seed: 1, cases: 5 };

#[expect(clippy::disallowed_methods, reason = "a switch for the person who runs the tests")]
fn asked_for() -> Option<Stories> {
    let text = std::env::var("POSTERN_STORIES").ok()?;
    let (seed, cases) = text.split_once(':').expect("POSTERN_STORIES is SEED:CASES");
    Some(Stories { seed: seed.parse().expect("a seed"), cases: cases.parse().expect("a count") })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn art7_3_art21_3_what_was_decided_stops_everything_within_a_second_and_nothing_else() {
    let stories = asked_for().unwrap_or(DAILY);
    let findings = stories.run().await;
    // A run in which nothing was at stake shows nothing.
    if stories.cases >= DAILY.cases {
        assert!(findings.cut > 0 && findings.stopped > 0 && findings.refused > 0 && findings.delivered > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn art21_3_the_same_holds_while_a_file_comes_in_and_no_row_raises_who_objects() {
    let figures = Meanwhile { rows: 20_000, seed: 1_000 }.run().await;
    assert!(figures.stories.delivered > 0 && figures.stories.stopped > 0, "{figures}");
}
