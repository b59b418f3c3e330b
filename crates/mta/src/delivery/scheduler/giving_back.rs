//! Rows that come back from a connection, tried or not.
//!
//! Invariant: a row that is let go is noted to wait in the queue in which its lane is now.

use super::super::egress::AddressId;
use super::{Entry, Hot, LaneKey, Picture, Pooled};
use model::{MessageId, Timestamp};
use std::sync::Arc;

impl<R: Hot> Picture<R> {
    /// Rows that a connection took and did not try: back to the head of their lanes.
    pub(crate) fn put_back(
        &mut self,
        name: &Pooled,
        via: Option<AddressId>,
        rows: impl DoubleEndedIterator<Item = Entry<R>>,
        now: Timestamp,
    ) {
        let mut count = 0;
        for mut entry in rows.rev() {
            count += 1;
            if !self.is_at_home(name, entry.key) {
                self.follow_lane(name, &entry);
                continue;
            }
            let is_away = self.away(name, now).is_some();
            let Some(site) = self.sites.get_mut(name) else { return };
            let held = self.held.has(site.part);
            if self.draining || !held || is_away {
                site.let_go(entry.key, entry.id);
                if held {
                    site.class(entry.key.class).note_waiting(entry.key.controller, entry.due);
                }
                continue;
            }
            if self.hot_octets + entry.row.octets() > self.bounds.hot_octets_max {
                entry.row.cool();
            }
            self.ready += 1;
            self.hot_octets += entry.row.octets();
            self.sites_with_ready += usize::from(site.ready == 0);
            site.push_front(entry);
        }
        if let Some(receiver) = self.receiver_of(name) {
            receiver.give_back(via, count);
        }
        self.ring(name);
        self.attend(name);
    }

    /// The outcome of a row is durable, or the row is gone. `again`: it waits in the store until then.
    pub(crate) fn release(
        &mut self,
        domain: &Arc<str>,
        key: LaneKey,
        id: MessageId,
        again: Option<Timestamp>,
        now: Timestamp,
    ) {
        let name = self.holder_of(domain, key, id);
        let Some(site) = self.sites.get_mut(&name) else { return };
        site.let_go(key, id);
        let again = again.filter(|_| self.held.has(site.part));
        self.is_released(&name, id);
        if let Some(due) = again {
            self.note_waiting(domain, key, due);
        }
        let Some(site) = self.sites.get_mut(&name) else { return };
        site.class(key.class).forget_if_empty(key.controller);
        if again.is_none() {
            self.forget_if_done(&name, now);
        }
    }
}
