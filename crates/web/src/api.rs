//! The sending API, version 1: what its routes share.
//!
//! Invariants: a route authenticates before it reads a body; what changes something is done to its end, whether or not
//! the client waits for it; what one controller may not see looks to him exactly like what does not exist.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use metrics_exporter_prometheus::PrometheusHandle;
use model::ControllerId;
use mta::submission::Submission;
use store::{Authority, Scope, Store};

use crate::hosts::Hosts;
use crate::operator::Sites;
use crate::problem::Problem;
use crate::public::door::Throttle;
use crate::router::Fault;

pub(crate) mod agreements;
pub(crate) mod body;
pub(crate) mod consents;
pub(crate) mod credentials;
pub(crate) mod decisions;
pub(crate) mod domains;
pub(crate) mod evidence;
pub(crate) mod flight;
pub(crate) mod forms;
pub(crate) mod hosts;
pub(crate) mod imports;
pub(crate) mod informing;
pub(crate) mod instructions;
pub(crate) mod json;
pub(crate) mod messages;
pub(crate) mod notices;
pub(crate) mod notifications;
pub(crate) mod openapi;
pub(crate) mod profile;
pub(crate) mod queue;
pub(crate) mod releases;
pub(crate) mod requests;
pub(crate) mod send;
pub(crate) mod signing;
pub(crate) mod suppression_files;
pub(crate) mod suppressions;
pub(crate) mod turn;

pub(crate) use send::answer::Disposition;
use turn::Turns;

/// Files of suppressions that are taken in at once.
const WISHES_AT_ONCE: usize = 4;

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
    turn: Turns,
    wishes_turn: Turns,
    foresight: Turns,
    openapi: Bytes,
    pages_url: String,
    throttle: Throttle,
    hosts: Option<Hosts>,
    sites: Option<Sites>,
}

/// Whether the node takes mail now: closed until the node has wired everything, and again when it stops.
#[derive(Default)]
pub struct Readiness {
    open: AtomicBool,
    trouble: OnceLock<Trouble>,
}

/// What is wrong now with what the node needs, in words for an operator; nothing when all is well.
type Trouble = Box<dyn Fn() -> Option<&'static str> + Send + Sync>;

impl Readiness {
    /// Everything is wired.
    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// The node stops.
    pub fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    /// As told last.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Asks this, too, whenever somebody wants to know. The first who is named stays.
    pub fn ask(&self, trouble: impl Fn() -> Option<&'static str> + Send + Sync + 'static) {
        drop(self.trouble.set(Box::new(trouble)));
    }

    /// Why the node is not ready; nothing when it is.
    #[must_use]
    pub fn obstacle(&self) -> Option<&'static str> {
        if !self.is_open() {
            return Some("the node is starting or stopping");
        }
        self.trouble.get().and_then(|trouble| trouble())
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
        let (budget, turn) = (body::Budget::default(), Turns::of(imports::AT_ONCE));
        let wishes_turn = Turns::of(WISHES_AT_ONCE);
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
                wishes_turn,
                foresight: Turns::of(decisions::TOGETHER_MAX),
                openapi,
                pages_url,
                throttle,
                hosts: None,
                sites: None,
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

    /// The same on a node that delivers, which knows how sites stand.
    #[must_use]
    pub fn with_sites(self, sites: Option<Sites>) -> Self {
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Self { shared: Arc::new(Shared { sites, ..shared }) },
            // Handed out already: what was said before stays.
            Err(shared) => Self { shared },
        }
    }

    pub(crate) fn sites(&self) -> Option<&Sites> {
        self.shared.sites.as_ref()
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

    /// Files of contacts: one at a time, for one needs some 150 MB.
    pub(crate) fn turn(&self) -> &Turns {
        &self.shared.turn
    }

    /// Files of people who are not mailed.
    pub(crate) fn wishes_turn(&self) -> &Turns {
        &self.shared.wishes_turn
    }

    pub(crate) fn foresight(&self) -> &Turns {
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

    /// The same, of a key that may do this. GDPR Art. 29, 32(4): whoever acts for a controller does what he was given
    /// to do; the key of a web shop neither signs nor reads lists of people.
    pub(crate) fn authenticate_for(&self, fields: &HeaderMap, scope: Scope) -> Result<Authority, Problem> {
        let authority = self.authenticate(fields)?;
        if authority.has(scope) {
            return Ok(authority);
        }
        let word = scope.as_str();
        Err(Problem::of(Fault::OutOfScope)
            .saying(format!("this key has not the scope {word}; use one that has, or make one")))
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
