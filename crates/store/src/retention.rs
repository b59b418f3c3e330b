//! What is kept for a time, and goes when that is over (GDPR Art. 5(1)(e)): housekeeping, in slices.
//!
//! Invariants: a slice is one short commit, so that nobody waits for it; a crash between two of them leaves what is
//! still due for the next time; several nodes may do it at once.
//! Never: a row that something still counts, waits for, or has to show.

use crate::engine::{Change, Reach, Step, Writes};
use crate::error::Result;
use crate::open::Store;
use crate::statement as sql;
use model::{ControllerId, Timestamp};

/// Rows of one commit.
const SLICE: i64 = 200;

impl Store {
    /// Forgets the marketing that nobody counts any more.
    pub(crate) async fn forget_mailed(&self, now: Timestamp) -> Result<()> {
        let writes = || Writes {
            controller: ControllerId::OPERATOR.0,
            person: None,
            reach: Reach::Nothing,
            what: "count",
            event: None,
            detail: [0; 32],
            steps: vec![Step::new(&sql::MAILED_FORGET, vec![now.into(), SLICE.into()])],
        };
        // No leaf: a count that ran out says nothing that the messages' own leaves do not.
        while self.engine.change(vec![(Change::Rows(writes()), None)]).await? != [0] {}
        Ok(())
    }
}
