//! What others see of the picture, and small marks in it.

use super::super::egress::assigned::NOWHERE;
use super::receiver::Receiver;
use super::ways::NO_POOL;
use super::{Hot, LaneKey, Picture, Pooled};
use model::Timestamp;

/// How a domain stands, with what is held against its receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteStatus {
    /// Who takes the domain's mail, once DNS has said it.
    pub receiver: Option<String>,
    /// Rows ready in memory.
    pub ready: usize,
    /// Connections open or being opened.
    pub connections: u32,
    /// Connections it may have now.
    pub connections_allowed: u32,
    /// It is left alone until then.
    pub backing_off_until: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    /// Why, in words without personal data.
    pub trouble: Option<&'static str>,
    /// What it waits for although nothing is wrong, and until when.
    pub waits: Option<(String, Timestamp)>,
}

impl<R: Hot> Picture<R> {
    /// TLS with this domain failed; speak in clear until then (A5 T5), or again not.
    pub(crate) fn tls_broke(&mut self, domain: &str, until: Option<Timestamp>) {
        for queue in self.queues_of(domain) {
            if let Some(site) = self.sites.get_mut(&queue) {
                site.tls_broken_until = until;
            }
        }
    }

    pub(crate) fn is_tls_broken(&self, name: &Pooled, now: Timestamp) -> bool {
        self.sites.get(name).and_then(|site| site.tls_broken_until).is_some_and(|until| until > now)
    }

    /// Is there something for the owner to look at?
    pub(crate) fn wants_owner(&self) -> bool {
        !self.attention.is_empty() || !self.freed.is_empty()
    }

    /// Did the picture have to leave sites out? Asking clears the mark.
    pub(crate) fn take_incomplete(&mut self) -> bool {
        self.sites.len() < self.bounds.sites_max && std::mem::take(&mut self.incomplete)
    }

    /// What was left out could not be looked for.
    pub(crate) fn stays_incomplete(&mut self) {
        self.incomplete = true;
    }

    /// How a domain stands, with the worst of its queues in front.
    pub(crate) fn status(&self, domain: &str, now: Timestamp) -> Option<SiteStatus> {
        let all = self.queues_of(domain).into_iter().filter_map(|queue| self.status_of(&queue, now));
        all.reduce(|one, other| {
            let (ready, connections) = (one.ready + other.ready, one.connections + other.connections);
            let allowed = one.connections_allowed + other.connections_allowed;
            let rank = |one: &SiteStatus| (one.backing_off_until, one.trouble.is_some(), one.waits.is_some());
            let worse = if rank(&other) > rank(&one) { other } else { one };
            SiteStatus { ready, connections, connections_allowed: allowed, ..worse }
        })
    }

    /// How the queue stands in which a lane of the domain waits.
    pub(crate) fn lane_status(&self, domain: &str, key: LaneKey, now: Timestamp) -> Option<SiteStatus> {
        self.status_of(&self.queue_of(&domain.into(), key), now)
    }

    fn status_of(&self, name: &Pooled, now: Timestamp) -> Option<SiteStatus> {
        let site = self.sites.get(name)?;
        let receiver = site.receiver.as_ref().and_then(|receiver| self.receivers.get(receiver));
        let (allowed, failures) = (site.pressure.allowed(), site.pressure.failures());
        Some(SiteStatus {
            receiver: site.receiver.as_ref().map(|receiver| receiver.name.as_ref().to_owned()),
            ready: site.ready,
            connections: site.connections,
            connections_allowed: receiver.map_or(allowed, |receiver| receiver.allowed().min(allowed)),
            backing_off_until: self.away(name, now).or(site.shut(now).filter(|_| site.trouble.is_some())),
            failures: receiver.map_or(failures, |receiver| receiver.failures().max(failures)),
            trouble: (name.pool == NOWHERE)
                .then_some(NO_POOL)
                .or(site.trouble)
                .or_else(|| receiver.and_then(Receiver::trouble)),
            waits: site.receiver.as_ref().and_then(|receiver| self.waits_for_warm_up(receiver)),
        })
    }

    /// Ready rows, octets kept with them, connections: for metrics.
    pub(crate) fn totals(&self) -> (usize, usize, u32) {
        (self.ready, self.hot_octets, self.connections)
    }
}
