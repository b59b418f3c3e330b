//! Whether anything goes on on a connection: a request that is answered, or a body on its way out.

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// What goes on on one connection.
#[derive(Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

#[derive(Default)]
struct Counts {
    /// At this moment.
    under_way: AtomicUsize,
    /// Since it began.
    begun: AtomicU64,
}

/// Something is under way until this is dropped.
pub(super) struct UnderWay(Activity);

impl Activity {
    /// Something begins.
    pub(super) fn begin(&self) -> UnderWay {
        self.0.under_way.fetch_add(1, Ordering::AcqRel);
        self.0.begun.fetch_add(1, Ordering::AcqRel);
        UnderWay(self.clone())
    }

    /// Ends when nothing went on for so long.
    pub(super) async fn idle_for(&self, rest: Duration) {
        loop {
            let begun = self.0.begun.load(Ordering::Acquire);
            tokio::time::sleep(rest).await;
            if self.0.under_way.load(Ordering::Acquire) == 0 && self.0.begun.load(Ordering::Acquire) == begun {
                return;
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A body, under way until its end.
pub(super) struct Leaving {
    body: Body,
    _under_way: UnderWay,
}

impl Leaving {
    /// What stands in the place of a body.
    pub(super) fn of(body: Body, under_way: UnderWay) -> Body {
        Body::new(Self { body, _under_way: under_way })
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    const REST: Duration = Duration::from_millis(1);

    /// Did it end, in a time in which it would have many times?
    async fn ends(activity: &Activity) -> bool {
        tokio::time::timeout(REST * 200, activity.idle_for(REST)).await.is_ok()
    }

    #[tokio::test]
    async fn what_is_under_way_keeps_a_connection_and_nothing_else_does() {
        let activity = Activity::default();
        activity.idle_for(REST).await;
        let body = Leaving::of(Body::from("a page"), activity.begin());
        assert!(!ends(&activity).await, "a body on its way out");
        assert_eq!(body.collect().await.unwrap().to_bytes(), "a page");
        activity.idle_for(REST).await;
    }
}
