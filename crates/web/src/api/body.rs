//! Reads a request's body: JSON (or a whole message) by its own word, within size, time, and what all requests together
//! may hold.
//!
//! Invariants: what a request holds is what came of it, never what it announces; only requests that were authenticated
//! hold anything, and no controller more than [`Pool::one`] of either pool; a body of at most [`SMALL_OCTETS_MAX`] has
//! a pool of its own, so that a withdrawal gets in while others send the largest bodies there are (GDPR Art. 7(3),
//! 32(1)(b)). What is larger is read off the threads that serve connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use model::ControllerId;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use crate::api::json;
use crate::problem::Problem;
use crate::router::Fault;

/// Octets of one body: 25 MiB of attachments in base64, and texts.
pub(crate) const OCTETS_MAX: usize = 36 * 1024 * 1024;
/// Octets of a body that says something of one person, or a few words.
pub(crate) const SMALL_OCTETS_MAX: usize = 64 * 1024;
/// Octets of a body that holds a document: a notice, a form, an agreement, an instruction.
pub(crate) const DOCUMENT_OCTETS_MAX: usize = 1024 * 1024;
/// Octets of a body that somebody sends who has no key.
const STRANGERS_OCTETS_MAX: usize = 16 * 1024;
/// How long a body may take to come.
const BODY_MAX: Duration = Duration::from_secs(60);
/// How long a stranger's may.
const STRANGERS_BODY_MAX: Duration = Duration::from_secs(15);

/// Octets of all bodies larger than [`SMALL_OCTETS_MAX`], and of one controller's, that are being read or done.
const LARGE: Pool = Pool { all: 256 * 1024 * 1024, one: 64 * 1024 * 1024 };
/// The same of the small ones.
const SMALL: Pool = Pool { all: 32 * 1024 * 1024, one: 8 * 1024 * 1024 };

/// How much may be held.
#[derive(Clone, Copy)]
struct Pool {
    /// Octets of everybody together.
    all: usize,
    /// Octets of one controller.
    one: usize,
}

/// What is held of a pool.
#[derive(Default)]
struct Held {
    all: usize,
    by: HashMap<ControllerId, usize>,
}

impl Held {
    /// Takes so many octets more, or says that they are not there.
    fn take(&mut self, pool: Pool, whose: ControllerId, octets: usize) -> Result<(), Problem> {
        let his = self.by.get(&whose).copied().unwrap_or_default();
        let fits = |held: usize, most: usize| held.checked_add(octets).is_some_and(|sum| sum <= most);
        if !fits(self.all, pool.all) || !fits(his, pool.one) {
            return Err(Problem::of(Fault::Busy));
        }
        self.all += octets;
        self.by.insert(whose, his + octets);
        Ok(())
    }

    fn give_back(&mut self, whose: ControllerId, octets: usize) {
        self.all = self.all.saturating_sub(octets);
        if let Some(his) = self.by.get_mut(&whose) {
            *his = his.saturating_sub(octets);
            if *his == 0 {
                self.by.remove(&whose);
            }
        }
    }
}

#[derive(Default)]
struct Pools {
    small: Held,
    large: Held,
}

/// What all requests hold.
#[derive(Clone, Default)]
pub(crate) struct Budget(Arc<Mutex<Pools>>);

/// The part of the budget that one body holds. It is free again when this is dropped.
struct Share {
    budget: Budget,
    whose: ControllerId,
    octets: usize,
}

impl Share {
    /// As many octets more as came.
    fn grow(&mut self, more: usize) -> Result<(), Problem> {
        let grown = self.octets.saturating_add(more);
        let mut pools = self.budget.0.lock();
        if grown <= SMALL_OCTETS_MAX {
            pools.small.take(SMALL, self.whose, more)?;
        } else if self.octets > SMALL_OCTETS_MAX {
            pools.large.take(LARGE, self.whose, more)?;
        } else {
            // It turns out to be a large one: all of it moves.
            pools.large.take(LARGE, self.whose, grown)?;
            pools.small.give_back(self.whose, self.octets);
        }
        self.octets = grown;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut pools = self.budget.0.lock();
        let held = if self.octets <= SMALL_OCTETS_MAX { &mut pools.small } else { &mut pools.large };
        held.give_back(self.whose, self.octets);
    }
}

/// A body, and the part of the budget that it holds while it is kept.
pub(crate) struct Received {
    pub(crate) octets: Bytes,
    _share: Share,
}

impl Received {
    /// Its JSON. What is not small is read where nobody waits for an answer of another.
    pub(crate) async fn parse<T: DeserializeOwned + Send + 'static>(&self) -> Result<T, Problem> {
        if self.octets.len() <= SMALL_OCTETS_MAX {
            return json::parse(&self.octets);
        }
        let octets = self.octets.clone();
        let read = tokio::task::spawn_blocking(move || json::parse(&octets));
        read.await.unwrap_or_else(|_| Err(Problem::of(Fault::Internal)))
    }
}

/// Reads a body of at most `most` octets whole, for a controller who was authenticated.
pub(crate) async fn read(
    budget: &Budget,
    whose: ControllerId,
    fields: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<Received, Problem> {
    read_as(Kind::Json, budget, whose, fields, body, most).await
}

/// The same of a body of another kind.
pub(crate) async fn read_as(
    kind: Kind,
    budget: &Budget,
    whose: ControllerId,
    fields: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<Received, Problem> {
    ensure_kind(kind, fields)?;
    let mut share = Share { budget: budget.clone(), whose, octets: 0 };
    let octets = collected(fields, body, most, BODY_MAX, |more| share.grow(more)).await?;
    Ok(Received { octets, _share: share })
}

/// Reads and parses a body of somebody who has no key. He holds no part of the budget, only what his connection may.
pub(crate) async fn read_strangers<T: DeserializeOwned>(fields: &HeaderMap, body: Body) -> Result<T, Problem> {
    ensure_kind(Kind::Json, fields)?;
    json::parse(&collected(fields, body, STRANGERS_OCTETS_MAX, STRANGERS_BODY_MAX, |_| Ok(())).await?)
}

/// The octets, piece by piece; `grow` is asked before a piece is kept.
async fn collected(
    fields: &HeaderMap,
    mut body: Body,
    most: usize,
    patience: Duration,
    mut grow: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Bytes, Problem> {
    let announced = fields.get(CONTENT_LENGTH).and_then(|field| field.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|octets| octets > most) {
        return Err(Problem::of(Fault::TooLarge));
    }
    let reading = async {
        let mut kept = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::field("", "the body ended early; send it again"))?;
            let Ok(piece) = frame.into_data() else { continue };
            if kept.len().saturating_add(piece.len()) > most {
                return Err(Problem::of(Fault::TooLarge));
            }
            grow(piece.len())?;
            kept.extend_from_slice(&piece);
        }
        Ok(kept.freeze())
    };
    tokio::time::timeout(patience, reading).await.unwrap_or_else(|_| Err(Problem::of(Fault::BodyTimeout)))
}

/// What a body says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// RFC 8259.
    Json,
    /// RFC 2046 §5.2.1: a whole message.
    Message,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Message => "message/rfc822",
        }
    }
}

/// RFC 8259 §11: JSON has no charset parameter of meaning, so parameters are passed over; nor has a message.
fn ensure_kind(wanted: Kind, fields: &HeaderMap) -> Result<(), Problem> {
    let text = fields.get(CONTENT_TYPE).and_then(|field| field.to_str().ok()).unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default().trim();
    let plain = fields.get(CONTENT_ENCODING).is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if kind.eq_ignore_ascii_case(wanted.name()) && plain {
        return Ok(());
    }
    let remedy = format!("send `Content-Type: {}` and no Content-Encoding", wanted.name());
    Err(Problem::of(Fault::MediaType).saying(remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    const SHOP: ControllerId = ControllerId(1);
    const BANK: ControllerId = ControllerId(2);

    fn announcing(octets: usize) -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json; charset=utf-8"));
        fields.insert(CONTENT_LENGTH, http::HeaderValue::from(octets));
        fields
    }

    async fn of(budget: &Budget, whose: ControllerId, octets: usize) -> Result<Received, Problem> {
        read(budget, whose, &announcing(octets), Body::from(vec![b' '; octets]), OCTETS_MAX).await
    }

    #[tokio::test]
    async fn what_is_announced_and_does_not_come_holds_nothing() {
        let budget = Budget::default();
        let mut waiting = Vec::new();
        for _ in 0..100 {
            let (budget, silent) = (budget.clone(), Body::new(Silent));
            let fields = announcing(OCTETS_MAX);
            waiting.push(tokio::spawn(async move { read(&budget, SHOP, &fields, silent, OCTETS_MAX).await.is_ok() }));
        }
        tokio::task::yield_now().await;
        assert!(of(&budget, SHOP, OCTETS_MAX).await.is_ok(), "the largest body of the same controller");
        waiting.into_iter().for_each(|one| one.abort());
    }

    /// A body of which nothing ever comes.
    struct Silent;

    impl hyper::body::Body for Silent {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_controller_has_his_share_others_have_theirs_and_room_comes_back() {
        let budget = Budget::default();
        let kept = of(&budget, SHOP, OCTETS_MAX).await.ok().unwrap();
        let refused = of(&budget, SHOP, OCTETS_MAX).await.err().unwrap();
        assert_eq!(refused.status().as_u16(), 503);
        assert!(of(&budget, BANK, OCTETS_MAX).await.is_ok(), "of another controller");
        assert!(of(&budget, SHOP, 100).await.is_ok(), "a small one of his own");
        drop(kept);
        assert!(of(&budget, SHOP, OCTETS_MAX).await.is_ok());
        let pools = budget.0.lock();
        assert_eq!((pools.large.all, pools.small.all), (0, 0));
        assert!(pools.large.by.is_empty() && pools.small.by.is_empty());
    }

    #[tokio::test]
    async fn all_controllers_together_hold_no_more_than_the_pools() {
        let budget = Budget::default();
        let mut kept = Vec::new();
        for controller in 0..7 {
            kept.push(of(&budget, ControllerId(controller), OCTETS_MAX).await.ok().unwrap());
        }
        assert!(of(&budget, ControllerId(8), OCTETS_MAX).await.is_err());
        for _ in 0..100 {
            kept.push(of(&budget, ControllerId(8), SMALL_OCTETS_MAX).await.ok().unwrap());
        }
        while let Ok(one) = of(&budget, ControllerId(8), SMALL_OCTETS_MAX).await {
            kept.push(one);
            assert!(kept.len() < 1_000);
        }
        assert!(
            of(&budget, ControllerId(9), SMALL_OCTETS_MAX).await.is_ok(),
            "his reserve does not end with another's"
        );
    }

    #[tokio::test]
    async fn a_body_beyond_its_limit_is_refused_announced_or_not() {
        let budget = Budget::default();
        for fields in [announcing(101), announcing(100)] {
            let refused = read(&budget, SHOP, &fields, Body::from(vec![b' '; 101]), 100).await.err().unwrap();
            assert_eq!(refused.status().as_u16(), 413);
        }
        assert!(read(&budget, SHOP, &announcing(100), Body::from(vec![b' '; 100]), 100).await.is_ok());
    }
}
