//! TLS sessions with receiving domains, counted for the reports about them.
//!
//! Invariants: a session is counted once, when its handshake is over or has failed, for the domain of the recipients
//! and the day; what is counted names domains, exchangers and this node's address, never a message or a person; in
//! memory there are at most [`KINDS_MAX`] kinds, and what is not written yet when a node falls is lost.
//! Standards: RFC 8460 §4.3, §4.4.

use super::route::Hop;
use super::security::Basis;
use super::tls::TlsFailure;
use metrics::counter;
use model::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use store::{Store, TlsSessions, day_of};

/// Kinds of sessions that wait to be written.
const KINDS_MAX: usize = 10_000;
/// Octets of a policy as it was applied.
const STATED_OCTETS_MAX: usize = 2_048;
/// Octets of one commit are bounded by the number of its rows.
const ROWS_MAX: usize = 500;

/// Counts. Cheap to clone; where nobody reports, it counts nothing.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    counted: Option<Arc<Mutex<HashMap<TlsSessions, u64>>>>,
}

impl Tally {
    /// One that counts.
    pub(crate) fn counting() -> Self {
        Self { counted: Some(Arc::default()) }
    }

    /// A session with an exchanger of a domain. `failure`: nothing when it became what the policy asks for.
    pub(crate) fn session(
        &self,
        at: Timestamp,
        (domain, hop): (&str, &Hop),
        local: Option<IpAddr>,
        failure: Option<TlsFailure>,
    ) {
        // RFC 8460 §4.3: a policy that is only tested is reported as if it held.
        let failure = failure.or(hop.lapse);
        self.count(TlsSessions {
            day: day_of(at),
            domain: domain.to_owned(),
            policy: hop.basis.as_str().to_owned(),
            failure: failure.map(TlsFailure::as_str).unwrap_or_default().to_owned(),
            host: hop.host.to_string(),
            local: local.map(|ip| ip.to_canonical().to_string()).unwrap_or_default(),
            stated: hop.demand.stated(STATED_OCTETS_MAX),
            sessions: 0,
        });
    }

    /// None came about: what the policy asks for could not even be tried.
    pub(crate) fn none(&self, at: Timestamp, domain: &str, basis: Basis, host: &str, failure: TlsFailure) {
        self.count(TlsSessions {
            day: day_of(at),
            domain: domain.to_owned(),
            policy: basis.as_str().to_owned(),
            failure: failure.as_str().to_owned(),
            host: host.to_owned(),
            local: String::new(),
            stated: String::new(),
            sessions: 0,
        });
    }

    fn count(&self, kind: TlsSessions) {
        let Some(counted) = &self.counted else { return };
        let mut counted = counted.lock();
        if counted.len() >= KINDS_MAX && !counted.contains_key(&kind) {
            counter!("postern_tls_sessions_uncounted_total").increment(1);
            return;
        }
        *counted.entry(kind).or_default() += 1;
    }

    /// Writes down what was counted. What cannot be written now is written the next time.
    pub(crate) async fn keep(&self, store: &Store) {
        let Some(counted) = &self.counted else { return };
        let taken: Vec<(TlsSessions, u64)> = counted.lock().drain().collect();
        for rows in taken.chunks(ROWS_MAX) {
            let rows: Vec<TlsSessions> =
                rows.iter().map(|(kind, sessions)| TlsSessions { sessions: *sessions, ..kind.clone() }).collect();
            if let Err(error) = store.add_tls_sessions(&rows).await {
                tracing::debug!(%error, "TLS sessions could not be counted; they are the next time");
                let mut counted = counted.lock();
                for row in rows {
                    let sessions = row.sessions;
                    *counted.entry(TlsSessions { sessions: 0, ..row }).or_default() += sessions;
                }
            }
        }
    }
}
