//! Ledger entries on their way into the inbox.

use super::columns::columns;
use crate::cluster::ledger_part;

columns! {
    /// A ledger entry, with the group of its controller.
    Entry => Entries<'a> {
        controller: i64,
        entry: &'a [u8],
        part: i64,
    }
}

impl<'a> Entries<'a> {
    /// One more.
    pub(super) fn add(&mut self, controller: i64, entry: &'a [u8]) {
        self.push(Entry { controller, entry, part: i64::from(ledger_part(controller)) });
    }
}
