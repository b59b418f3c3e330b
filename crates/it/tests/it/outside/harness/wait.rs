//! Waiting for what is seen only by looking: files, processes, answers over a socket.

use std::time::Duration;

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
