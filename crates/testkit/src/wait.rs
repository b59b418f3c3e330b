//! Waiting with a limit. No test sleeps: it waits until something is so.

use std::future::Future;
use std::time::Duration;

/// How long a test waits for anything. Long, because a loaded machine is slow and a passing test never waits so long.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// The outcome of `future`, which must come within [`WAIT_MAX`].
///
/// # Panics
/// When it does not come; `what` says in the message what was waited for.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(WAIT_MAX, future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("waited {WAIT_MAX:?} in vain for {what}"),
    }
}

/// Lets other tasks run for a moment between two looks at a condition. A test that counts on its length is wrong.
pub async fn breathe() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}
