//! What is due for host names from time to time: is the record still there, is a certificate to be ordered or renewed.
//!
//! Invariants: of several nodes one does it; a name whose record is missing stays in force for [`GRACE`] and then
//! lapses; what lapsed or was given up is served for [`RETIRED`] and then forgotten; an order that failed is tried
//! again later and later, never in step with others; not more than [`ORDERS_PER_HOUR_MAX`] orders an hour leave this
//! node.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use model::{ControllerId, HostId, Timestamp};
use mta::Names;
use store::permission::{HostToLook, HostToOrder, Looked, NewCertificate};
use store::{Result, Store};

use super::acme::{Acme, Issued, NotIssued, ORDER_MAX};
use super::proof::{self, Proof};

/// The record of a name in force is looked for so often.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// One that is missing, or of which DNS says nothing, so often.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);
/// A name whose record is missing stays in force for so long: a mistake in DNS breaks no link at once.
pub(crate) const GRACE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// A name that lapsed or was given up is served for so long: the ways out that mail names work for 60 days at least.
pub(crate) const RETIRED: Duration = Duration::from_secs(60 * 24 * 3_600);
/// A controller who says that he mended it does not wait longer. Authorities count failures by the hour.
pub(crate) const ORDER_WITHIN: Duration = Duration::from_secs(15 * 60);
/// The wait after a first failure; doubled with each.
const ORDER_AGAIN: Duration = Duration::from_secs(5 * 60);
const ORDER_AGAIN_MAX: Duration = Duration::from_secs(24 * 3_600);
/// No other node orders while one may still be at it.
const ORDER_LEASE: Duration = Duration::from_secs(2 * ORDER_MAX.as_secs());
const LOOK_LEASE: Duration = Duration::from_secs(120);
/// Authorities allow some hundred orders in three hours.
const ORDERS_PER_HOUR_MAX: usize = 50;
const HOUR: Duration = Duration::from_secs(3_600);
/// Names that are taken in hand at once.
const AT_ONCE: usize = 10;

/// Does it.
pub struct Keeper {
    store: Arc<Store>,
    names: Names,
    acme: Option<Acme>,
    /// When the orders of the last hour were made.
    orders: VecDeque<Timestamp>,
}

impl Keeper {
    /// Over a store's names. Without an authority only records are looked for.
    #[must_use]
    pub const fn new(store: Arc<Store>, names: Names, acme: Option<Acme>) -> Self {
        Self { store, names, acme, orders: VecDeque::new() }
    }

    /// Does what is due now. Dropped half-way, it is done again later, here or on another node.
    ///
    /// # Errors
    /// Those of the store; calling again later is safe.
    pub async fn round(&mut self) -> Result<()> {
        for host in self.store.hosts_to_look(AT_ONCE).await? {
            if self.store.begin_look(&host, LOOK_LEASE).await? {
                self.look(&host).await?;
            }
        }
        forget(&self.store).await?;
        if let Some(acme) = &self.acme {
            for host in self.store.hosts_to_order(AT_ONCE).await? {
                let now = self.store.now();
                self.orders.retain(|at| now.since(*at) < HOUR);
                if self.orders.len() >= ORDERS_PER_HOUR_MAX {
                    break;
                }
                if self.store.begin_order(&host, ORDER_LEASE).await? {
                    self.orders.push_back(now);
                    order(&self.store, acme, &host).await?;
                }
            }
        }
        Ok(())
    }

    async fn look(&self, host: &HostToLook) -> Result<()> {
        let proof = proof::look(&self.names, &host.name, &host.token).await;
        let sentence = proof.sentence(&host.name);
        let overdue = host.missing.is_some_and(|since| self.store.now().since(since) >= GRACE);
        let (looked, again) = match proof {
            Proof::There => (Looked::Seen { order_within: ORDER_AGAIN_MAX }, LOOK_EVERY),
            Proof::NoAnswer => (Looked::Unknown(&sentence), LOOK_AGAIN),
            Proof::Absent | Proof::Other if overdue => (Looked::Lapsed(&sentence), LOOK_AGAIN),
            Proof::Absent | Proof::Other => (Looked::Missing(&sentence), LOOK_AGAIN),
        };
        self.store.looked(host.controller, host.id, looked, again).await?;
        match looked {
            Looked::Lapsed(_) => {
                tracing::warn!(host = host.id.0, "a host name lapsed: its record is missing");
                tell(&self.store, host.controller, host.id, "host-lapsed", &format!("{}: {sentence}", host.name)).await
            }
            Looked::Missing(_) if host.missing.is_none() => {
                tell(&self.store, host.controller, host.id, "host-failing", &format!("{}: {sentence}", host.name)).await
            }
            _ => Ok(()),
        }
    }
}

/// Takes away what has been retired for long enough, or is somebody else's by now.
pub(crate) async fn forget(store: &Store) -> Result<()> {
    store.forget_hosts(RETIRED, AT_ONCE).await
}

/// The controller finds out before his links change.
async fn tell(store: &Store, controller: ControllerId, id: HostId, kind: &str, text: &str) -> Result<()> {
    store.tell_controller(controller, kind, id.0, text).await
}

async fn order(store: &Store, acme: &Acme, host: &HostToOrder) -> Result<()> {
    match acme.order(host).await {
        Ok(Issued { chain, key, starts, ends }) => {
            let renew = starts.plus(ends.since(starts) * 2 / 3);
            let new = NewCertificate { starts, ends, renew, chain: chain.as_bytes(), key: key.as_bytes() };
            if store.certify_host(host, &new).await? {
                metrics::counter!("postern_host_orders_total", "outcome" => "issued").increment(1);
                tracing::info!(host = host.id.0, "a host name has a certificate");
            }
            Ok(())
        }
        Err(NotIssued(fault)) => {
            metrics::counter!("postern_host_orders_total", "outcome" => "failed").increment(1);
            tracing::warn!(host = host.id.0, failures = host.failures + 1, "a certificate could not be had");
            store.order_failed(host, &fault, wait(host.id, host.failures, store.now())).await
        }
    }
}

/// Longer with each failure, and up to a quarter longer by the name and the moment, so that names which failed
/// together are not tried together again.
fn wait(id: HostId, failures: u32, now: Timestamp) -> Duration {
    let whole = ORDER_AGAIN.saturating_mul(1 << failures.min(16)).min(ORDER_AGAIN_MAX);
    let mut state = id.0.unsigned_abs() ^ now.micros().unsigned_abs();
    state = (state ^ (state >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let part = u32::try_from((state >> 32) % 256).unwrap_or_default();
    whole + whole / 4 * part / 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_order_waits_longer_each_time_and_never_in_step() {
        let span = Duration::from_secs;
        assert!(LOOK_AGAIN < LOOK_EVERY && LOOK_EVERY < GRACE && ORDER_LEASE > ORDER_MAX);
        let at = |second: i64| Timestamp::from_seconds(1_800_000_000 + second);
        let waits: Vec<Duration> = (0..6).map(|failures| wait_after(failures, at(0))).collect();
        for (failures, wait) in (0..).zip(&waits) {
            let least = span(300 << failures);
            assert!(*wait >= least && *wait <= least * 5 / 4, "{failures}: {wait:?}");
        }
        assert!(wait_after(200, at(0)) <= ORDER_AGAIN_MAX * 5 / 4);
        assert_ne!(wait_after(3, at(0)), wait_after(3, at(1)));
    }

    fn wait_after(failures: u32, now: Timestamp) -> Duration {
        wait(HostId(7), failures, now)
    }
}
