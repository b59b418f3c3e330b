//! What addresses may send that are warmed up, in the picture.
//!
//! Invariant: all receivers of a provider's group share one allowance of an address.

use super::{Hot, Picture, Pooled};
use crate::delivery::egress::AddressId;
use crate::delivery::egress::warming::{Allowance, group_of};
use model::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An allowance, and the base of its address.
pub(crate) type Allowed = (AddressId, &'static str, u32, Arc<Allowance>);

/// Addresses that are warmed up, and their allowances.
#[derive(Default, Debug)]
pub(super) struct Warm {
    /// With the base of each.
    addresses: BTreeMap<AddressId, u32>,
    allowances: BTreeMap<(AddressId, &'static str), Arc<Allowance>>,
}

impl Warm {
    /// The allowance of an address at a group of receivers, if it is warmed up.
    pub(super) fn of(&mut self, id: AddressId, group: &'static str) -> Option<Arc<Allowance>> {
        self.addresses.contains_key(&id).then(|| Arc::clone(self.allowances.entry((id, group)).or_default()))
    }
}

impl<R: Hot> Picture<R> {
    /// These addresses are warmed up, and no others.
    pub(crate) fn warm(&mut self, addresses: BTreeMap<AddressId, u32>, now: Timestamp) {
        if self.ways.warm.addresses == addresses {
            return;
        }
        self.ways.warm.allowances.retain(|(id, _), _| addresses.contains_key(id));
        self.ways.warm.addresses = addresses;
        for (key, receiver) in &mut self.receivers {
            for outlet in &mut receiver.outlets {
                outlet.warm = self.ways.warm.of(outlet.id, group_of(&key.name));
            }
        }
        let receivers: Vec<Pooled> = self.receivers.keys().cloned().collect();
        for receiver in &receivers {
            self.call(receiver, now);
        }
    }

    /// All allowances.
    pub(crate) fn allowances(&self) -> Vec<Allowed> {
        let base = |id: &AddressId| self.ways.warm.addresses.get(id).copied();
        let all = self.ways.warm.allowances.iter();
        all.filter_map(|((id, group), allowance)| Some((*id, *group, base(id)?, Arc::clone(allowance)))).collect()
    }

    /// The allowance of an address at a receiver.
    pub(crate) fn allowance(&mut self, id: AddressId, receiver: &str) -> Option<Arc<Allowance>> {
        self.ways.warm.of(id, group_of(receiver))
    }

    /// More may go than before by these addresses at these groups: who waits is called.
    pub(crate) fn opened_up(&mut self, opened: &[(AddressId, &'static str)], now: Timestamp) {
        let is_one = |key: &Pooled, id: AddressId| opened.contains(&(id, group_of(&key.name)));
        let keys: Vec<Pooled> = self
            .receivers
            .iter()
            .filter(|(key, receiver)| receiver.outlets.iter().any(|outlet| is_one(key, outlet.id)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in &keys {
            let members: Vec<Pooled> =
                self.receivers.get(key).map(|receiver| receiver.members.iter().cloned().collect()).unwrap_or_default();
            for member in &members {
                if let Some(site) = self.sites.get_mut(member).filter(|site| site.shut_until.is_some()) {
                    site.shut_until = None;
                    self.attend(member);
                }
            }
            self.room_again(key, now);
        }
    }

    /// What keeps the mail of a receiver, when all addresses of its pool have sent what they may today, and when more
    /// may.
    pub(super) fn waits_for_warm_up(&self, key: &Pooled) -> Option<(String, Timestamp)> {
        let receiver = self.receivers.get(key)?;
        let mut first: Option<(AddressId, Timestamp)> = None;
        let mut shown = None;
        for outlet in receiver.outlets.iter().filter(|outlet| outlet.barred.is_none()) {
            let warm = outlet.warm.as_ref()?;
            let opens = warm.opens()?;
            if first.is_none_or(|(_, known)| opens < known) {
                first = Some((outlet.id, opens));
                shown = Some(warm.figures());
            }
        }
        let ((id, opens), (cap, granted)) = (first?, shown?);
        let address = self.ways.egress.address(id)?;
        let name = address.address.map_or_else(|| address.name.clone(), |ip| ip.to_string());
        let group = group_of(&key.name);
        Some((format!("warm-up cap of {name} at {group}: {granted} of {cap} today, opens at 00:00 UTC"), opens))
    }
}
