//! Stage 2: gapless places. One at a time, in the order of the inbox's ids: what one event could see
//! has a smaller id and is sequenced before it.
//!
//! Among several nodes each group of controllers is sequenced by the node that holds its lease. Should two hold it for
//! a moment, the heads are compared as they are written, and one of the two keeps nothing.

use super::ledger_error;
use crate::engine::{ChunkRow, HeadMove, HeadRow};
use crate::error::Result;
use crate::open::Store;
use ledger::{Frontier, leaf_hash};
use std::collections::BTreeMap;

/// Entries drained in one commit.
const DRAIN_MAX: usize = 2_048;

impl Store {
    /// Drains a run of the inbox. Answers how many entries got their place.
    ///
    /// Crash before the commit ⇒ the inbox still has them; after it ⇒ they have their place. The heads in
    /// memory change only after the commit. When another sequencer was here, nothing is drained and the heads are read
    /// anew at the next call.
    ///
    /// # Errors
    /// Those of the engine; calling again is safe.
    pub async fn sequence(&self) -> Result<usize> {
        let mut turn = self.journal.turn.lock().await;
        // Before the groups are looked at: one that comes later is seen at the next call.
        let gains = self.tenure.ledger_gains();
        let groups = self.tenure.ledger_groups();
        if groups.as_ref().is_some_and(Vec::is_empty) {
            return Ok(0);
        }
        if turn.read_at_gain != Some(gains) {
            // Others sequenced these logs before.
            self.journal.read_heads(&*self.engine).await?;
            turn.read_at_gain = Some(gains);
        }
        let inbox = self.engine.inbox(groups, DRAIN_MAX).await?;
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
        let outcome = self.engine.sequence(chunks, heads, drained).await;
        if !matches!(outcome, Ok(true)) {
            // Also after a failure: it may have been kept.
            turn.read_at_gain = None;
        }
        if !outcome? {
            tracing::info!("another node sequenced these logs meanwhile; their heads are read anew");
            return Ok(0);
        }
        let mut known = self.journal.heads.lock();
        for (controller, (frontier, _)) in grown {
            known.insert(controller, frontier);
        }
        Ok(count)
    }
}
