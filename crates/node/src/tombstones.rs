//! The log of what must outlive a restore, as a node takes it up before its doors open (law.md R45).

use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};
use store::{Replayed, Store};

/// What was said of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tombstones {
    /// It is in this folder.
    In(PathBuf),
    /// None is kept any more.
    Ended,
}

impl Tombstones {
    /// Reads `none`, or a folder.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if text == "none" { Self::Ended } else { Self::In(PathBuf::from(text)) }
    }
}

/// Makes up for what this copy of the data does not know, and keeps the log from now on. A store that has written to
/// one is not served without it.
pub(crate) async fn keep(store: &Store, said: Option<&Tombstones>, data: &Path) -> anyhow::Result<()> {
    let folder = match said {
        Some(Tombstones::In(folder)) => folder,
        Some(Tombstones::Ended) => return store.end_tombstones().await.context("cannot end the log of tombstones"),
        None if store.keeps_tombstones().await? => bail!(
            "this store keeps a log of tombstones (opt-outs, objections, erasures) on another path; name its folder \
             with --tombstones, so that nothing in it is lost, or end it with --tombstones none"
        ),
        None => return Ok(()),
    };
    tell(store.keep_tombstones(folder).await.context("nothing may be served before it is read")?);
    if store.tombstones_beside(data) {
        tracing::warn!(
            "the log of tombstones is on the disk of the data: whatever takes the one takes the other; give it another"
        );
    }
    Ok(())
}

/// Says what was made up for.
fn tell(replayed: Replayed) {
    if replayed.changed > 0 {
        tracing::warn!(
            records = replayed.records,
            persons = replayed.changed,
            "these data are older than the log of tombstones: what people decided since was made up for"
        );
    }
    if replayed.unknown > 0 {
        tracing::warn!(
            persons = replayed.unknown,
            "the log of tombstones speaks of people of controllers that these data do not know: they are lost"
        );
    }
}
