//! Reads a request's body: JSON by its own word, within size, time, and what all requests together may hold.
//!
//! Invariants: no more than [`OCTETS_MAX`] of one request and [`TOGETHER_OCTETS_MAX`] of all requests are in memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;
use crate::router::Fault;

/// Octets of one body: 25 MiB of attachments in base64, and texts.
pub(crate) const OCTETS_MAX: usize = 36 * 1024 * 1024;
/// Octets of all bodies that are being read or done.
pub(crate) const TOGETHER_OCTETS_MAX: usize = 256 * 1024 * 1024;
/// Octets that one permit of the budget stands for.
const UNIT_OCTETS: usize = 1024;
/// Seconds for a body to come.
const BODY_S_MAX: u64 = 60;

/// What is left of [`TOGETHER_OCTETS_MAX`].
pub(crate) struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TOGETHER_OCTETS_MAX / UNIT_OCTETS)))
    }
}

impl Budget {
    fn take(&self, octets: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let units = u32::try_from(octets / UNIT_OCTETS + 1).unwrap_or(u32::MAX);
        Arc::clone(&self.0).try_acquire_many_owned(units).map_err(|_| Problem::of(Fault::Busy))
    }
}

/// A body, and the part of the budget that it holds while it is kept.
pub(crate) struct Received {
    pub(crate) octets: Bytes,
    _share: OwnedSemaphorePermit,
}

/// Reads it whole.
pub(crate) async fn read(budget: &Budget, fields: &HeaderMap, body: Body) -> Result<Received, Problem> {
    ensure_json(fields)?;
    let announced = fields.get(CONTENT_LENGTH).and_then(|field| field.to_str().ok()?.parse::<usize>().ok());
    // A body that comes in chunks may become the largest there is.
    let expected = announced.unwrap_or(OCTETS_MAX);
    if expected > OCTETS_MAX {
        return Err(Problem::of(Fault::TooLarge));
    }
    let share = budget.take(expected)?;
    let reading = Limited::new(body, OCTETS_MAX).collect();
    match tokio::time::timeout(Duration::from_secs(BODY_S_MAX), reading).await {
        Ok(Ok(collected)) => Ok(Received { octets: collected.to_bytes(), _share: share }),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::of(Fault::TooLarge)),
        Ok(Err(_)) => Err(Problem::field("", "the body ended early; send it again")),
        Err(_) => Err(Problem::of(Fault::BodyTimeout)),
    }
}

/// RFC 8259 §11: JSON has no charset parameter of meaning, so parameters are passed over.
fn ensure_json(fields: &HeaderMap) -> Result<(), Problem> {
    let text = fields.get(CONTENT_TYPE).and_then(|field| field.to_str().ok()).unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default().trim();
    let plain = fields.get(CONTENT_ENCODING).is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if kind.eq_ignore_ascii_case("application/json") && plain { Ok(()) } else { Err(Problem::of(Fault::MediaType)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcing(octets: usize) -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json; charset=utf-8"));
        fields.insert(CONTENT_LENGTH, http::HeaderValue::from(octets));
        fields
    }

    #[tokio::test]
    async fn all_bodies_together_are_limited_and_room_comes_back() {
        let budget = Budget::default();
        let mut kept = Vec::new();
        for _ in 0..TOGETHER_OCTETS_MAX / OCTETS_MAX {
            kept.push(read(&budget, &announcing(OCTETS_MAX), Body::from("{}")).await.ok().unwrap());
        }
        let refused = read(&budget, &announcing(OCTETS_MAX), Body::from("{}")).await.err().unwrap();
        assert_eq!(refused.status().as_u16(), 503);
        assert!(read(&budget, &announcing(2), Body::from("{}")).await.is_ok(), "a small one still finds room");
        kept.pop();
        assert!(read(&budget, &announcing(OCTETS_MAX), Body::from("{}")).await.is_ok());
    }
}
