//! What others see of the picture, and small marks in it.

use super::receiver::Receiver;
use super::{Hot, Picture};
use model::Timestamp;
use std::sync::Arc;

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
}

impl<R: Hot> Picture<R> {
    /// TLS with this site failed; speak in clear until then (A5 T5), or again not.
    pub(crate) fn tls_broke(&mut self, name: &Arc<str>, until: Option<Timestamp>) {
        if let Some(site) = self.sites.get_mut(name) {
            site.tls_broken_until = until;
        }
    }

    pub(crate) fn is_tls_broken(&self, name: &Arc<str>, now: Timestamp) -> bool {
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

    pub(crate) fn status(&self, name: &str, now: Timestamp) -> Option<SiteStatus> {
        let site = self.sites.get(name)?;
        let receiver = site.receiver.as_ref().and_then(|receiver| self.receivers.get(receiver));
        let (allowed, failures) = (site.pressure.allowed(), site.pressure.failures());
        Some(SiteStatus {
            receiver: site.receiver.as_deref().map(str::to_owned),
            ready: site.ready,
            connections: site.connections,
            connections_allowed: receiver.map_or(allowed, |receiver| receiver.pressure.allowed().min(allowed)),
            backing_off_until: self.away(name, now),
            failures: receiver.map_or(failures, |receiver| receiver.pressure.failures().max(failures)),
            trouble: site.trouble.or_else(|| receiver.and_then(Receiver::trouble)),
        })
    }

    /// Ready rows, octets kept with them, connections: for metrics.
    pub(crate) fn totals(&self) -> (usize, usize, u32) {
        (self.ready, self.hot_octets, self.connections)
    }
}
