//! Which controllers' mail goes by which pool, by the operator's orders.
//!
//! An order for a class of a controller's mail stands before one for all of it, and that before the class's own pool.
//! Invariant: mail that is assigned to a pool that this node does not have goes by no address at all: it waits, and the
//! operator sees why. Another pool would mix reputations that somebody wanted apart, and nobody would notice.

use super::{Egress, PoolId};
use model::ControllerId;
use model::stream::Class;
use std::collections::HashMap;

/// The pool of mail that is assigned to none of this node's pools.
pub(crate) const NOWHERE: PoolId = PoolId(u8::MAX);

/// An order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Assignment {
    pub(crate) controller: ControllerId,
    /// Of which class; nothing: of both.
    pub(crate) class: Option<Class>,
    /// The pool's name.
    pub(crate) pool: String,
}

/// All of them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Assigned(HashMap<(ControllerId, Class), PoolId>);

impl Assigned {
    pub(crate) fn new(orders: &[Assignment], egress: &Egress) -> Self {
        let mut all = HashMap::new();
        let (of_all, of_class): (Vec<&Assignment>, Vec<_>) = orders.iter().partition(|order| order.class.is_none());
        for order in of_all.into_iter().chain(of_class) {
            let pool = egress.pool(&order.pool).unwrap_or(NOWHERE);
            for class in [Class::Prompt, Class::Bulk] {
                if order.class.is_none_or(|wanted| wanted == class) {
                    all.insert((order.controller, class), pool);
                }
            }
        }
        Self(all)
    }

    /// Where this controller's mail of a class goes, if somebody ordered it.
    pub(crate) fn pool_of(&self, controller: ControllerId, class: Class) -> Option<PoolId> {
        if self.0.is_empty() { None } else { self.0.get(&(controller, class)).copied() }
    }

    /// Is something assigned to a pool that is not here?
    pub(crate) fn leads_nowhere(&self) -> bool {
        self.0.values().any(|pool| *pool == NOWHERE)
    }
}
