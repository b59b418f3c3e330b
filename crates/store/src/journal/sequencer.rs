//! Stage 2: gapless places. One at a time, in the order of the inbox's ids: what one event could see
//! has a smaller id and is sequenced before it.

use super::ledger_error;
use crate::engine::{ChunkRow, HeadMove, HeadRow};
use crate::error::{Error, Result};
use crate::open::Store;
use ledger::{Frontier, leaf_hash};
use std::collections::BTreeMap;

/// Entries drained in one commit.
const DRAIN_MAX: usize = 2_048;

impl Store {
    /// Drains a run of the inbox. Answers how many entries got their place.
    ///
    /// Crash before the commit ⇒ the inbox still has them; after it ⇒ they have their place. The heads in
    /// memory change only after the commit.
    ///
    /// # Errors
    /// Those of the engine; calling again is safe.
    pub async fn sequence(&self) -> Result<usize> {
        let _turn = self.journal.turn.lock().await;
        let inbox = self.engine.inbox(None, DRAIN_MAX).await?;
        let drained: Vec<i64> = inbox.iter().map(|(id, _)| *id).collect();
        let count = inbox.len();
        if count == 0 {
            return Ok(0);
        }
        let mut grown: BTreeMap<i64, (Frontier, ChunkRow)> = BTreeMap::new();
        for (_, row) in inbox {
            let (frontier, chunk) = grown.entry(row.controller).or_insert_with(|| {
                let frontier = self.journal.heads.lock().get(&row.controller).cloned().unwrap_or_default();
                let first = frontier.size();
                (frontier, ChunkRow { controller: row.controller, first, entries: Vec::new(), count: 0 })
            });
            frontier.push(leaf_hash(&row.bytes));
            ledger::tile::push_entry(&mut chunk.entries, &row.bytes).map_err(|error| ledger_error(&error))?;
            chunk.count += 1;
        }
        let heads = grown
            .iter()
            .map(|(controller, (frontier, chunk))| HeadMove {
                was: chunk.first,
                head: HeadRow { controller: *controller, size: frontier.size(), frontier: frontier.to_bytes() },
            })
            .collect();
        let chunks = grown.values().map(|(_, chunk)| chunk.clone()).collect();
        if !self.engine.sequence(chunks, heads, drained).await? {
            return Err(Error::Engine("another sequencer moved the head of a log".to_owned()));
        }
        let mut known = self.journal.heads.lock();
        for (controller, (frontier, _)) in grown {
            known.insert(controller, frontier);
        }
        Ok(count)
    }
}
