//! MTA-STS: does a domain demand that its exchangers be authenticated, and which are they?
//!
//! A policy that was fetched is kept in the store until its `max_age` is over: whoever can hold back DNS or HTTPS for a
//! while cannot make a domain's demand go away (RFC 8461 §5.1). It is fetched again when its id changes, and daily.
//! Invariants: `testing` and `none` never hold back mail; a policy is fetched from its own host alone, of a bounded
//! size and in bounded time, at public addresses (unless the operator allows others), following nobody elsewhere;
//! where a fetch failed it is not tried again for [`FETCH_AGAIN`].
//! Standards: RFC 8461.

mod fetch;
mod policy;

use super::Basis;
use crate::delivery::route::lookup::{Dns, Texts};
use crate::delivery::settings::Settings;
use crate::delivery::tally::Tally;
use crate::delivery::tls::TlsFailure;
pub(crate) use fetch::Fetcher;
use model::Timestamp;
use parking_lot::Mutex;
pub(crate) use policy::{Mode, Policy, id_of};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::{Store, TransportPolicy};

/// RFC 8461 §3.3: a fetch that failed is repeated no sooner than after five minutes.
const FETCH_AGAIN: Duration = Duration::from_secs(300);
/// RFC 8461 §5.1 has a policy looked at again from time to time; its id may have been held back.
const FRESH: Duration = Duration::from_secs(86_400);
/// Domains of which it is remembered that a fetch failed.
const FAILED_MAX: usize = 10_000;

/// Policies of domains that mail goes to.
#[derive(Clone)]
pub(crate) struct Sts {
    store: Arc<Store>,
    fetcher: Fetcher,
    failed: Arc<Mutex<HashMap<String, Timestamp>>>,
    tally: Tally,
}

/// The store could not say whether there is a policy.
#[derive(Debug)]
pub(crate) struct Unknown;

impl Sts {
    /// # Errors
    /// A root certificate in the settings is not one.
    pub(crate) fn new(settings: &Settings, store: Arc<Store>, tally: Tally) -> Result<Self, rustls::Error> {
        Ok(Self { store, fetcher: Fetcher::new(settings)?, failed: Arc::default(), tally })
    }

    /// Who asks hosts by HTTPS.
    pub(crate) const fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// What is kept of a domain's policy, to tell what was applied.
    pub(crate) async fn kept(&self, domain: &str) -> Option<(String, Policy)> {
        let kept = self.store.transport_policy(domain).await.ok()??;
        Some((kept.body.clone(), read(&kept)?))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// The policy that holds for a domain now.
    ///
    /// # Errors
    /// [`Unknown`]: the store is away, and mail must wait.
    pub(crate) async fn of(&self, dns: &Dns, domain: &str) -> Result<Option<Policy>, Unknown> {
        let now = self.store.now();
        let record = format!("_mta-sts.{domain}");
        let (kept, texts) = tokio::join!(self.store.transport_policy(domain), dns.texts(&record));
        let kept = kept.map_err(|_| Unknown)?.filter(|kept| kept.ends > now);
        let id = match &texts {
            Texts::Some(texts) => policy::id_of(texts),
            // RFC 8461 §3.1: what is not in DNS now does not end a policy that is kept.
            Texts::None | Texts::Fault => None,
        };
        let id = match (id, &kept) {
            (None, Some(kept)) if now.since(kept.fetched) >= FRESH => kept.version.clone(),
            (Some(id), Some(kept)) if *kept.version == *id && now.since(kept.fetched) < FRESH => return Ok(read(kept)),
            (Some(id), _) => id,
            (None, kept) => return Ok(kept.as_ref().and_then(read)),
        };
        Ok(match self.fetch(dns, domain, id, now).await {
            Some(policy) => Some(policy),
            None => kept.as_ref().and_then(read),
        })
    }

    async fn fetch(&self, dns: &Dns, domain: &str, id: String, now: Timestamp) -> Option<Policy> {
        if self.failed.lock().get(domain).is_some_and(|again| *again > now) {
            return None;
        }
        let body = self.fetcher.fetch(dns, domain).await;
        let failure = if body.is_some() { TlsFailure::PolicyInvalid } else { TlsFailure::PolicyFetch };
        let Some((policy, body)) = body.and_then(|body| Some((Policy::parse(&body)?, body))) else {
            self.tally.none(now, domain, Basis::Sts, "", failure);
            let mut failed = self.failed.lock();
            if failed.len() >= FAILED_MAX {
                failed.clear();
            }
            failed.insert(domain.to_owned(), now.plus(FETCH_AGAIN));
            return None;
        };
        self.failed.lock().remove(domain);
        let kept = TransportPolicy { version: id, body, fetched: now, ends: now.plus(policy.max_age) };
        if let Err(error) = self.store.keep_transport_policy(domain, &kept).await {
            // It holds for this connection; the next one fetches it again.
            tracing::warn!(%error, "a policy for transport security could not be kept");
        }
        Some(policy)
    }
}

fn read(kept: &TransportPolicy) -> Option<Policy> {
    Policy::parse(&kept.body)
}
