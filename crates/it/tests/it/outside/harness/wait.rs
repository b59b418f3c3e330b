//! Waiting for what is seen only by looking: files, processes, answers over a socket.

use model::Clock as _;
use std::time::Duration;
use testkit::SystemClock;

/// How long a node may take for anything a test waits for. Long, because a loaded machine is slow.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Between two looks.
const EVERY: Duration = Duration::from_millis(10);

/// What `look` finds, which must be there within [`LONG`].
pub(crate) async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    match within(LONG, look).await {
        Some(found) => found,
        None => panic!("waited {LONG:?} in vain for {what}"),
    }
}

/// What `look` finds, or nothing when the time is over.
pub(crate) async fn within<T>(limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let looking = async {
        let mut next = tokio::time::interval(EVERY);
        loop {
            next.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(limit, looking).await.ok()
}

/// Waits until `count` has reached a goal. As long as it rises, the wait is not in vain.
pub(crate) async fn rises_to(what: &str, goal: u64, mut count: impl AsyncFnMut() -> u64) {
    let mut seen = count().await;
    while seen < goal {
        seen = until(&format!("{what}: {seen} of {goal}"), async || {
            let now = count().await;
            (now > seen).then_some(now)
        })
        .await;
    }
}

/// Waits until so much time has passed since a moment of the monotonic clock: for faults that have a length.
pub(crate) async fn passed(since: Duration, length: Duration) {
    until("time to pass", async || (SystemClock.monotonic() >= since + length).then_some(())).await;
}
