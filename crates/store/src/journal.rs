//! The journal: ledger entries made beside the business rows, then given their place.
//!
//! Stage 1: the business transaction writes canonical bytes into the inbox (`engine.accept`, `settle`,
//! `change`). Stage 2: one sequencer drains the inbox in the order of its ids and gives gapless
//! indexes. Stage 3: entries are exported as C2SP tiles under a signed checkpoint; the folder can be
//! rebuilt at any time. No entry holds an address or a bare hash of one (`architecture.md` §4).

mod entries;
mod export;
mod receipt;
mod sequencer;
#[cfg(test)]
mod tests;

pub(crate) use entries::{MessageEvent, SystemEvent, blind};
pub use export::LogFolder;

use crate::engine::Engine;
use crate::error::{Error, Result};
use ledger::Frontier;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Log folders that are open, by controller.
type Logs = HashMap<i64, LogFolder>;

/// Heads in memory. `heads` belongs to the one sequencer of this process, which holds `turn` while it works. Among
/// several nodes each sequences and exports the logs of the groups that it holds; what is remembered of the others'
/// heads is stale.
pub(crate) struct Journal {
    root: PathBuf,
    turn: tokio::sync::Mutex<Turn>,
    exporting: Arc<tokio::sync::Mutex<Logs>>,
    heads: Mutex<HashMap<i64, Frontier>>,
}

/// What a sequencer knows from one turn to the next.
#[derive(Default)]
struct Turn {
    /// How many groups had come when the heads were read; `None` when they are doubtful.
    read_at_gain: Option<u64>,
}

impl Journal {
    pub(crate) async fn open(dir: &Path, engine: &dyn Engine) -> Result<Self> {
        let journal = Self {
            root: dir.join("ledger"),
            turn: tokio::sync::Mutex::new(Turn { read_at_gain: Some(0) }),
            exporting: Arc::default(),
            heads: Mutex::default(),
        };
        journal.read_heads(engine).await?;
        Ok(journal)
    }

    /// Heads as the store has them.
    async fn read_heads(&self, engine: &dyn Engine) -> Result<()> {
        let mut heads = HashMap::new();
        for head in engine.heads().await? {
            let frontier =
                Frontier::from_bytes(&head.frontier).map_err(|_| Error::Row { column: "ledger_head.frontier" })?;
            if frontier.size() != head.size {
                return Err(Error::Row { column: "ledger_head.size" });
            }
            heads.insert(head.controller, frontier);
        }
        *self.heads.lock() = heads;
        Ok(())
    }
}

pub(crate) fn ledger_error(error: &ledger::Error) -> Error {
    Error::Engine(format!("ledger: {error}"))
}
