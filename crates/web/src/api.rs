//! The sending API, version 1: what its routes share.
//!
//! Invariants: a route authenticates before it reads a body; what changes something is done to its end, whether or not
//! the client waits for it; what one controller may not see looks to him exactly like what does not exist.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use metrics_exporter_prometheus::PrometheusHandle;
use model::ControllerId;
use mta::submission::Submission;
use store::{Authority, Store};

use crate::hosts::Hosts;
use crate::problem::Problem;
use crate::public::door::Throttle;
use crate::router::Fault;

pub(crate) mod agreements;
pub(crate) mod body;
pub(crate) mod consents;
pub(crate) mod credentials;
pub(crate) mod decisions;
pub(crate) mod evidence;
pub(crate) mod flight;
pub(crate) mod forms;
pub(crate) mod hosts;
pub(crate) mod imports;
pub(crate) mod instructions;
pub(crate) mod json;
pub(crate) mod messages;
pub(crate) mod notices;
pub(crate) mod notifications;
pub(crate) mod openapi;
pub(crate) mod profile;
pub(crate) mod releases;
pub(crate) mod requests;
pub(crate) mod send;
pub(crate) mod signing;
pub(crate) mod suppression_files;
pub(crate) mod suppressions;

pub(crate) use send::answer::Disposition;

/// What every route of the API listeners is given. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<Store>,
    submission: Arc<Submission>,
    base_url: String,
    metrics: Option<PrometheusHandle>,
    readiness: Arc<Readiness>,
    keys: flight::Keys,
    budget: body::Budget,
    turn: imports::Turn,
    foresight: decisions::Turn,
    openapi: Bytes,
    pages_url: String,
    throttle: Throttle,
    hosts: Option<Hosts>,
}

/// Whether the node takes mail now: closed until the node has wired everything, and again when it stops.
#[derive(Debug, Default)]
pub struct Readiness(AtomicBool);

impl Readiness {
    /// Everything is wired.
    pub fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// The node stops.
    pub fn close(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// As told last.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Api {
    /// `base_url` is how clients reach this node, without a slash at its end: links in answers begin with it.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        submission: Arc<Submission>,
        base_url: &str,
        metrics: Option<PrometheusHandle>,
        readiness: Arc<Readiness>,
    ) -> Self {
        let base_url = base_url.trim_end_matches('/').to_owned();
        let openapi = openapi::document(&base_url);
        let keys = flight::Keys::default();
        let (budget, turn) = (body::Budget::default(), imports::Turn::default());
        let (pages_url, throttle) = (base_url.clone(), Throttle::default());
        Self {
            shared: Arc::new(Shared {
                store,
                submission,
                base_url,
                metrics,
                readiness,
                keys,
                budget,
                turn,
                foresight: decisions::Turn::default(),
                openapi,
                pages_url,
                throttle,
                hosts: None,
            }),
        }
    }

    /// The same, where recipients reach the pages under another address than clients the interface: links in mail
    /// begin with it.
    #[must_use]
    pub fn with_pages(self, url: &str) -> Self {
        let pages_url = url.trim_end_matches('/').to_owned();
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Self { shared: Arc::new(Shared { pages_url, ..shared }) },
            // Handed out already: what was said before stays.
            Err(shared) => Self { shared },
        }
    }

    /// The same, where controllers have host names of their own.
    #[must_use]
    pub fn with_hosts(self, hosts: Hosts) -> Self {
        let hosts = Some(hosts);
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Self { shared: Arc::new(Shared { hosts, ..shared }) },
            // Handed out already: what was said before stays.
            Err(shared) => Self { shared },
        }
    }

    pub(crate) fn hosts(&self) -> Option<&Hosts> {
        self.shared.hosts.as_ref()
    }

    /// Where the pages are that belong to nobody's own name.
    pub(crate) fn pages_url(&self) -> &str {
        &self.shared.pages_url
    }

    /// Where a controller's pages are: under a name of his own where its certificate holds, else under the node's.
    pub(crate) fn pages_of(&self, controller: ControllerId) -> Arc<str> {
        self.store().own_pages(controller).unwrap_or_else(|| Arc::from(self.pages_url()))
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.shared.throttle
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.shared.store
    }

    pub(crate) fn submission(&self) -> &Submission {
        &self.shared.submission
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    pub(crate) fn metrics(&self) -> Option<&PrometheusHandle> {
        self.shared.metrics.as_ref()
    }

    pub(crate) fn readiness(&self) -> &Readiness {
        &self.shared.readiness
    }

    pub(crate) fn keys(&self) -> &flight::Keys {
        &self.shared.keys
    }

    pub(crate) fn budget(&self) -> &body::Budget {
        &self.shared.budget
    }

    pub(crate) fn turn(&self) -> &imports::Turn {
        &self.shared.turn
    }

    pub(crate) fn foresight(&self) -> &decisions::Turn {
        &self.shared.foresight
    }

    pub(crate) fn openapi(&self) -> Bytes {
        self.shared.openapi.clone()
    }

    /// Who asks. RFC 6750 §2.1: the key in the field, never in the path or body, where logs would keep it.
    pub(crate) fn authenticate(&self, fields: &HeaderMap) -> Result<Authority, Problem> {
        let mut given = fields.get_all(AUTHORIZATION).iter();
        let (Some(field), None) = (given.next(), given.next()) else {
            return Err(Problem::of(Fault::NotAuthenticated));
        };
        let text = field.to_str().unwrap_or_default();
        let (scheme, key) = text.split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") || key.len() > KEY_OCTETS_MAX {
            return Err(Problem::of(Fault::NotAuthenticated));
        }
        self.store().authenticate_key(key.trim()).ok_or_else(|| Problem::of(Fault::NotAuthenticated))
    }
}

/// A key that is longer is none of ours.
const KEY_OCTETS_MAX: usize = 256;

/// Does what changes something on a task of its own. A client that goes away drops its route; dropped there, a change
/// could be written and never come into force, and an Idempotency-Key be free while its commit still runs.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(Problem::of(Fault::Internal)))
}

/// What the store could not do, as an answer. The cause goes to the log, which holds no address either.
pub(crate) fn store_failed(error: &store::Error) -> Problem {
    match error.temper() {
        store::Temper::Temporary => {
            tracing::warn!(%error, "the store could not do it now");
            Problem::of(Fault::Temporary)
        }
        store::Temper::Permanent => {
            tracing::error!(%error, "the store could not do it");
            Problem::of(Fault::Internal)
        }
    }
}
