//! Kills without number: the same accounts as every day, with more moments and more mail.

use super::harness::campaign::Campaign;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_two_hundred_moments_nothing_answered_is_lost_and_doubles_are_marked() {
    let folder = tempfile::tempdir().unwrap();
    let report = Campaign { messages: 60_000, kills: 200, sessions: 50, seed: 17 }.run(folder.path()).await;
    assert_eq!(report.kills, 200, "the load was over before the last kill: {report:?}");
    assert!(report.doubles > 0, "no kill fell between a final dot and its reply: {report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_messages_survive_five_kills() {
    let folder = tempfile::tempdir().unwrap();
    let report = Campaign { messages: 10_000, kills: 5, sessions: 50, seed: 20_260_301 }.run(folder.path()).await;
    assert_eq!(report.kills, 5, "the load was over before the last kill: {report:?}");
}
