//! A name in a pool: the queue of a domain, or a receiver, as the mail of one egress pool has it.

use super::super::egress::PoolId;
use std::ops::Deref;
use std::sync::Arc;

/// Mail of two pools for one domain waits in two queues: it leaves from other addresses, and what is borne counts by
/// address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Pooled {
    /// Of the domain, or of the receiver.
    pub(crate) name: Arc<str>,
    pub(crate) pool: PoolId,
}

impl Pooled {
    pub(crate) fn new(name: &Arc<str>, pool: PoolId) -> Self {
        Self { name: Arc::clone(name), pool }
    }
}

impl Deref for Pooled {
    type Target = Arc<str>;

    fn deref(&self) -> &Arc<str> {
        &self.name
    }
}
