//! The journal: ledger entries made beside the business rows, then given their place.
//!
//! Stage 1: the business transaction writes canonical bytes into the inbox (`engine.accept`, `settle`,
//! `change`). Stage 2: one sequencer drains the inbox in the order of its ids and gives gapless
//! indexes. Stage 3: entries are exported as C2SP tiles under a signed checkpoint; the folder can be
//! rebuilt at any time. No entry holds an address or a bare hash of one (`architecture.md` §4).

mod entries;
mod export;
mod sequencer;
#[cfg(test)]
mod tests;

pub(crate) use entries::{MessageEvent, SystemEvent};
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

/// Heads in memory. `heads` belongs to the one sequencer of this process, which holds `turn` while it works.
pub(crate) struct Journal {
    root: PathBuf,
    turn: tokio::sync::Mutex<()>,
    exporting: Arc<tokio::sync::Mutex<Logs>>,
    heads: Mutex<HashMap<i64, Frontier>>,
}

impl Journal {
    pub(crate) async fn open(dir: &Path, engine: &dyn Engine) -> Result<Self> {
        let mut heads = HashMap::new();
        for head in engine.heads().await? {
            let frontier =
                Frontier::from_bytes(&head.frontier).map_err(|_| Error::Row { column: "ledger_head.frontier" })?;
            if frontier.size() != head.size {
                return Err(Error::Row { column: "ledger_head.size" });
            }
            heads.insert(head.controller, frontier);
        }
        Ok(Self {
            root: dir.join("ledger"),
            turn: tokio::sync::Mutex::new(()),
            exporting: Arc::default(),
            heads: Mutex::new(heads),
        })
    }
}

pub(crate) fn ledger_error(error: &ledger::Error) -> Error {
    Error::Engine(format!("ledger: {error}"))
}
